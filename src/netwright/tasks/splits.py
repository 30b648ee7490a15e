"""Split examples into two parts, each with the same mix of classes, decided by a seed alone.

Knows class numbers only; nothing of images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netwright.errors import SpecError, wrong
from netwright.tasks.formats.parts import Indices

TEST_SHARE = 0.2
"""Part taken for testing where the data has no test part."""

TEST_SEED = 0
"""Decides the test part, whatever the seed of a study is."""

_SMALLEST_VALIDATION = 500


@dataclass(frozen=True)
class SplitOptions:
    """How parts that the data does not have are split off its training part.

    Args:
        seed: of the validation split. The test split does not depend on it, so that studies with different seeds are
            measured on the same images.
        validation_share: part of the training part, in (0, 1). ``None``: 0.1, raised up to 0.25 where that gives
            fewer than 500 images.
        test_share: part of all images, in (0, 1).
    """

    seed: int = 0
    validation_share: float | None = None
    test_share: float = TEST_SHARE

    def __post_init__(self) -> None:
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise SpecError(wrong("seed", self.seed, "a whole number >= 0"))
        for name in ("validation_share", "test_share"):
            share = getattr(self, name)
            if share is not None and (not isinstance(share, (int, float)) or not 0 < share < 1):
                raise SpecError(wrong(name, share, "between 0 and 1, both excluded"))

    def share_for(self, num_examples: int) -> float:
        """The validation share for a training part of this many examples."""
        return self.validation_share or min(0.25, max(0.1, _SMALLEST_VALIDATION / num_examples))


def stratified_split(labels: NDArray[np.int64], share: float, seed: int) -> tuple[Indices, Indices]:
    """Take a share of each class away.

    Args:
        labels: (N,) class numbers; each class that occurs needs at least two examples.
        share: part taken, in (0, 1); of each class at least one example is taken and at least one is kept.
        seed: decides which; the same labels, share and seed give the same rows on every machine.

    Returns:
        Rows kept and rows taken, both ascending, disjoint, together all.

    Example:
        >>> kept, taken = stratified_split(np.array([0, 0, 0, 0, 1, 1]), 0.5, seed=0)
        >>> len(kept), len(taken)
        (3, 3)
    """
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(labels == number) for number in np.unique(labels)]
    counts = np.array([len(members) for members in rows])
    sizes = _sizes(counts, share)
    taken = np.concatenate([rng.permutation(members)[:size] for members, size in zip(rows, sizes, strict=True)])
    kept = np.setdiff1d(np.arange(len(labels)), taken, assume_unique=True)
    return kept.astype(np.int64), np.sort(taken).astype(np.int64)


def _sizes(counts: Indices, share: float) -> Indices:
    """How many of each class are taken: largest remainders first, so that the total is the share of all."""
    exact = counts * share
    sizes: Indices = np.clip(np.floor(exact), 1, counts - 1).astype(np.int64)
    missing = round(float(exact.sum())) - int(sizes.sum())
    for number in np.argsort(sizes - exact, kind="stable")[: max(0, missing)]:
        sizes[number] = min(sizes[number] + 1, counts[number] - 1)
    return sizes
