"""Training images in memory, and the batch of every step as a function of (seed, step).

The order of the images and what is done to them depend on the seed and the number of the step alone, so that a training
can be continued from any step, by any number of processes, with the very same batches. A share of the data is a fixed
random subset, a smaller share a part of a larger one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from netwright.evaluation.augmentation import Augmentation

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


def fitting_batch_size(count: int) -> int:
    """A power of two from 16 to 128 that gives an epoch at least 32 steps where there are 512 images or more.

    Example:
        >>> [fitting_batch_size(count) for count in (100, 1000, 3000, 50_000)]
        [16, 16, 64, 128]
    """
    return min(128, max(16, 1 << int(math.log2(max(1, count / 32)))))


@dataclass(frozen=True, slots=True)
class Images:
    """Labelled images as they are stored.

    Args:
        pixels: (N, C, H, W) uint8 or float32.
        labels: (N,) class numbers.
        scale: what pixels are divided by before a network sees them.
    """

    pixels: NDArray[Any]
    labels: NDArray[np.int64]
    scale: float = 255.0

    def __len__(self) -> int:
        return len(self.labels)


class Batches:
    """The batches of one training.

    Args:
        images: the training images.
        share: part of them used.
        batch_size: images a step. The incomplete batch at the end of an epoch is dropped; fewer images than that are
            one batch an epoch.
        shards: parts of a batch; fewer where a part would have less than two images, as batch norm needs. A batch of
            one image shows it twice.
        augmentation: what is done to them.
        seed: of order and augmentation.
        device: where the batches go, such as ``cpu``.
    """

    def __init__(
        self,
        images: Images,
        *,
        share: float = 1.0,
        batch_size: int,
        shards: int = 1,
        augmentation: Augmentation,
        seed: int,
        device: str = "cpu",
    ) -> None:
        self.images = images
        self.subset = data_subset(len(images), share)
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
            Images (B, C, H, W) float32, divided by the scale and augmented, channels last in memory; classes (B,).
        """
        import torch

        epoch, position = divmod(step, self.steps_per_epoch)
        if self._order[0] != epoch:
            rng = np.random.default_rng([self.seed, 0, epoch])
            self._order = (epoch, self.subset[rng.permutation(len(self.subset))])
        batch = self._order[1][position * self.batch_size : (position + 1) * self.batch_size]
        part = np.array_split(batch, self.shards)[shard]
        if len(part) == 1:
            part = np.repeat(part, 2)  # batch norm cannot train on one value a channel
        pixels = torch.from_numpy(self.images.pixels[part]).to(self.device)
        classes = torch.from_numpy(self.images.labels[part]).to(self.device)
        pixels = self.augmentation(pixels, np.random.default_rng([self.seed, 1, step, shard]))
        return to_input(pixels, self.images.scale), classes


def to_input(pixels: Tensor, scale: float) -> Tensor:
    """Stored pixels (B, C, H, W) as network input: float32, divided by the scale, channels last in memory."""
    import torch

    return pixels.to(torch.float32).div_(scale).contiguous(memory_format=torch.channels_last)


def in_order(images: Images, batch_size: int, device: str) -> Iterator[tuple[Tensor, Tensor]]:
    """All images once, in order, not augmented: batches of input (B, C, H, W) and classes (B,)."""
    import torch

    for start in range(0, len(images), batch_size):
        part = slice(start, start + batch_size)
        pixels = torch.from_numpy(np.array(images.pixels[part])).to(device)
        yield to_input(pixels, images.scale), torch.from_numpy(images.labels[part].copy()).to(device)
