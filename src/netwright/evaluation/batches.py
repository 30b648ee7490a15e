"""Training examples in memory, and the batch of every step as a function of (seed, step).

The order of the examples and what is done to them depend on the seed and the number of the step alone, so that a
training can be continued from any step, by any number of processes, with the very same batches. A share of the data
is a fixed random subset, a smaller share a part of a larger one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from netwright.tasks.base import Augmenting

if TYPE_CHECKING:
    from torch import Tensor

_SUBSET_SEED = 0x5EED


def data_subset(count: int, share: float) -> NDArray[np.int64]:
    """Indices of a fixed random subset; that of a smaller share is the beginning of that of a larger one.

    Args:
        count: number of examples.
        share: in (0, 1].

    Returns:
        At least one index in [0, count); all of them in order for a share of 1.
    """
    if share >= 1:
        return np.arange(count)
    return np.random.default_rng(_SUBSET_SEED).permutation(count)[: max(1, math.ceil(share * count))]


SORTED_TOGETHER = 32
"""Batches' worth of examples that are sorted by their lengths."""


class Stored(Protocol):
    """Examples as they are stored, and how a network gets them."""

    @property
    def inputs(self) -> NDArray[Any]:
        """(N, ...) as stored."""

    @property
    def targets(self) -> NDArray[Any]:
        """(N, ...)."""

    def to_input(self, stored: Tensor) -> Tensor:
        """A batch of stored values as network input."""

    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Data:
    """Examples of any task.

    Args:
        inputs: (N, ...) as stored.
        targets: (N, ...).
        to_input: makes a batch of stored values network input.
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]
    to_input: Callable[[Tensor], Tensor]

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True, slots=True)
class Images:
    """Labelled images as they are stored.

    Args:
        inputs: (N, C, H, W) uint8 or float32.
        targets: (N,) class numbers.
        scale: what pixels are divided by before a network sees them.
    """

    inputs: NDArray[Any]
    targets: NDArray[np.int64]
    scale: float = 255.0

    def to_input(self, stored: Tensor) -> Tensor:
        """Pixels (B, C, H, W) as network input."""
        return to_input(stored, self.scale)

    def __len__(self) -> int:
        return len(self.targets)


class Batches:
    """The batches of one training.

    Args:
        examples: the training examples.
        share: part of them used.
        batch_size: examples a step. The incomplete batch at the end of an epoch is dropped; fewer examples than that
            are one batch an epoch.
        shards: parts of a batch; fewer where a part would have less than two examples, as batch norm needs. A batch
            of one example shows it twice.
        augmentation: what is done to them; None for nothing.
        seed: of order and augmentation.
        device: where the batches go, such as ``cpu``.
        lengths: (N,) of all examples: those of like lengths are put into one batch. None where all are alike.
    """

    def __init__(
        self,
        examples: Stored,
        *,
        share: float = 1.0,
        batch_size: int,
        shards: int = 1,
        augmentation: Augmenting | None,
        seed: int,
        device: str = "cpu",
        lengths: NDArray[np.int64] | None = None,
    ) -> None:
        self.examples, self.lengths = examples, lengths
        self.subset = data_subset(len(examples), share)
        self.batch_size = min(batch_size, len(self.subset))
        self.steps_per_epoch = len(self.subset) // self.batch_size
        self.shards = max(1, min(shards, self.batch_size // 2))
        self.augmentation = augmentation
        self.seed = seed
        self.device = device
        self._order: tuple[int, NDArray[np.int64]] = (-1, self.subset)

    def shard(self, step: int, shard: int) -> tuple[Tensor, Tensor]:
        """One part of the batch of a step.

        Args:
            step: from 0, over all epochs.
            shard: in [0, shards).

        Returns:
            Network input (B, ...), augmented, and targets (B, ...).
        """
        import torch

        epoch, position = divmod(step, self.steps_per_epoch)
        if self._order[0] != epoch:
            rng = np.random.default_rng([self.seed, 0, epoch])
            order = self.subset[rng.permutation(len(self.subset))]
            if self.lengths is not None:
                order = by_length(order, self.lengths[order], self.batch_size, rng)
            self._order = (epoch, order)
        batch = self._order[1][position * self.batch_size : (position + 1) * self.batch_size]
        part = np.array_split(batch, self.shards)[shard]
        if len(part) == 1:
            part = np.repeat(part, 2)  # batch norm cannot train on one value a channel
        stored = torch.from_numpy(self.examples.inputs[part]).to(self.device)
        targets = torch.from_numpy(self.examples.targets[part]).to(self.device)
        if self.augmentation is not None:
            stored, targets = self.augmentation.apply(
                stored, targets, np.random.default_rng([self.seed, 1, step, shard])
            )
        return self.examples.to_input(stored), targets


def by_length(
    order: NDArray[np.int64], lengths: NDArray[np.int64], batch_size: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Put examples of like lengths into one batch: sorted within some batches' worth, the batches in random order.

    Args:
        order: numbers of examples in random order, (n,).
        lengths: of these, (n,).
        batch_size: of a batch.
        rng: draws the order of the batches.

    Returns:
        The same numbers; those of the incomplete batch at the end are still the last ones.

    Example:
        >>> by_length(np.arange(4), np.array([9, 1, 8, 2]), 2, np.random.default_rng(0)).tolist()
        [1, 3, 2, 0]
    """
    count = len(order) // batch_size
    pool = SORTED_TOGETHER * batch_size
    found = [
        part[np.argsort(lengths[start : start + len(part)], kind="stable")]
        for start in range(0, count * batch_size, pool)
        if len(part := order[start : min(start + pool, count * batch_size)])
    ]
    batches = np.concatenate(found).reshape(count, batch_size)
    return np.concatenate([batches[rng.permutation(count)].ravel(), order[count * batch_size :]])


def to_input(pixels: Tensor, scale: float) -> Tensor:
    """Stored pixels (B, C, H, W) as network input: float32, divided by the scale, channels last in memory."""
    import torch

    return pixels.to(torch.float32).div_(scale).contiguous(memory_format=torch.channels_last)


def in_order(
    examples: Stored, batch_size: int, device: str, order: NDArray[np.int64] | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """All examples once, in order or in another, not augmented: network input (B, ...) and targets (B, ...)."""
    import torch

    for start in range(0, len(examples), batch_size):
        part = slice(start, start + batch_size) if order is None else order[start : start + batch_size]
        stored = torch.from_numpy(np.array(examples.inputs[part])).to(device)
        yield examples.to_input(stored), torch.from_numpy(np.array(examples.targets[part])).to(device)
