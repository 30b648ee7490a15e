"""Batches of examples that a search is given: the first one, those for weights beside those for the architecture.

Knows no networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from netwright.errors import UsageError, wrong
from netwright.supernet.differentiable.options import Options

Batch = tuple[Tensor, Tensor]
Batches = Iterable[Batch]
"""Batches of examples and what is right of them; read anew each epoch, so a list or a loader, not a generator."""


def first_of(batches: Iterable[Batch], name: str) -> Batch:
    """The first batch.

    Raises:
        UsageError: there is none, or it is no pair of tensors.
    """
    batch = next(iter(batches), None)
    if batch is None:
        cure = "give a list or a DataLoader, which can be read again in each epoch; a generator cannot"
        raise UsageError(wrong(name, "none", "at least one batch", cure))
    if not (isinstance(batch, (tuple, list)) and len(batch) == 2 and all(isinstance(t, Tensor) for t in batch)):
        raise UsageError(wrong(f"a batch of {name}", type(batch).__name__, "a pair of tensors (x, y)"))
    return batch[0], batch[1]


class Endless:
    """Batches one after the other, which begin anew only when all of them were given.

    Args:
        batches: at least one.
        name: of them, for messages.

    Example:
        >>> x, y = torch.zeros(1), torch.ones(1)
        >>> others = Endless([(x, x), (x, y)], "valid")
        >>> [int(others.next()[1]) for _ in range(5)]
        [0, 1, 0, 1, 0]
    """

    def __init__(self, batches: Batches, name: str) -> None:
        self._batches, self._name = batches, name
        self._left: Iterator[Batch] = iter(())

    def next(self) -> Batch:
        """The next one.

        Raises:
            UsageError: there are none; a generator gives none when it is read again.
        """
        batch = next(self._left, None)
        if batch is None:
            self._left = iter(self._batches)
            batch = first_of(self._left, self._name)
        return batch


def paired(train: Batches, others: Endless, options: Options) -> Iterator[tuple[Batch, Batch]]:
    """Each training batch once, beside the next validation batch.

    Ends before where the deadline has passed, but not before the first.

    Args:
        train: for the weights.
        others: for the architecture; the same in all epochs, so that all of them are used however short an epoch is.
        options: device, and deadline.

    Raises:
        UsageError: there are none; a generator gives none in the second epoch.
    """
    is_empty = True
    for batch in train:
        if not is_empty and options.is_late:
            return
        is_empty = False
        yield on(batch, options.device), on(others.next(), options.device)
    if is_empty:
        first_of((), "train")


def on(batch: Batch, device: str) -> Batch:
    """A batch on a device."""
    return batch[0].to(device), batch[1].to(device)


@contextmanager
def noise(seed: int, step: int, purpose: int, device: str) -> Iterator[None]:
    """Torch's random state as it is to be in a step for a purpose; it comes back as it was."""
    kind = torch.device(device)
    with torch.random.fork_rng(devices=[kind] if kind.type == "cuda" else []):
        torch.manual_seed((seed * 1_000_003 + step) * 8 + purpose)
        yield
