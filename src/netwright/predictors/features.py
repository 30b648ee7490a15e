"""Architectures as points between which a surrogate measures distances, for any search space.

A point has several parts, each an encoding of the space: which decisions differ, how far numbers are apart, which
operations occur, which paths lead through the network, what its graph is like. Where an encoding says nothing about a
space (the paths of one without a network, the places of one without numbers, distances that are all equal) its part is
left out. Each part is scaled so that two random architectures are at a squared distance of about 1. Scores that need
no training (proxies, sizes) are a further part, as normal quantiles of their ranks among random architectures.

Knows no scores and no strategy. An architecture is encoded once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from netwright.predictors.score_ranks import ScoreRanks
from netwright.types import Architecture

if TYPE_CHECKING:
    from netwright.space import SearchSpace

STATISTICS = "statistics"
PARTS = ("one-hot", "ordinal", "operation", "path", STATISTICS)
STRUCTURAL = frozenset({"operation", "path", STATISTICS})
SCORES = "scores"

NUM_REFERENCE = 48
"""Random architectures by which parts are scaled and chosen."""

MANY_COLUMNS = 256
"""Parts of more columns are hashes, of which a few architectures fill only some."""

EQUAL = 1e-9
SAME = 1e-4
"""Difference of scaled squared distances up to which two parts are the same."""


class Features:
    """Points of the architectures of a space.

    Args:
        space: of the architectures.
        rng: draws those that the parts are scaled by.
        parts: encodings; by default `PARTS`, as far as they say something.
        scores: tells label-free scores of an architecture; None without them.

    Attributes:
        parts: those used, at least one.
    """

    def __init__(
        self,
        space: SearchSpace,
        rng: np.random.Generator,
        parts: Sequence[str] = PARTS,
        scores: ScoreRanks | None = None,
    ) -> None:
        self._space = space
        self._scores = scores
        self._numbers: dict[Architecture, int] = {}
        self._architectures: list[Architecture] = []
        usable = [part for part in parts if space.root is not None or part not in STRUCTURAL]
        reference = [space.sample(rng) for _ in range(NUM_REFERENCE)]
        usable += [SCORES] if scores is not None else []
        scales = _scales({part: self._coded(reference, part) for part in usable})
        self.parts = tuple(scales) or ("one-hot",)
        self._scales = [scales.get(part, 1.0) for part in self.parts]
        self._points: list[np.ndarray] = [np.zeros((0, 0), np.float32) for _ in self.parts]
        self._norms: list[np.ndarray] = [np.zeros(0, np.float32) for _ in self.parts]

    def __len__(self) -> int:
        return len(self._numbers)

    def numbers(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Numbers of architectures, encoded where they are new; shape (n,)."""
        known = [self._numbers.get(a) for a in architectures]
        if None in known:
            self._encode(list(dict.fromkeys(a for a, n in zip(architectures, known, strict=True) if n is None)))
            known = [self._numbers[a] for a in architectures]
        return np.array(known, dtype=np.intp)

    def architecture(self, number: int) -> Architecture:
        """The architecture of a number."""
        return self._architectures[number]

    def distances(self, left: np.ndarray, right: np.ndarray, parts: Sequence[str] | None = None) -> list[np.ndarray]:
        """Squared distances between architectures, for each part.

        Args:
            left: numbers, shape (m,).
            right: numbers, shape (n,).
            parts: those that are wanted; all by default.

        Returns:
            An array of shape (m, n) for each part.
        """
        wanted = range(len(self.parts)) if parts is None else [self.parts.index(part) for part in parts]
        return [self._between(number, left, right) for number in wanted]

    def _between(self, number: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Squared distances in one part; only columns in which the right side has something are multiplied."""
        points, norms = self._points[number], self._norms[number]
        few = points[right]
        if points.shape[1] > MANY_COLUMNS:
            columns = np.flatnonzero(few.any(axis=0))
            product = points[np.ix_(left, columns)] @ few[:, columns].T
        else:
            product = points[left] @ few.T
        found = np.float64(norms[left, None] + norms[right])
        found -= 2 * product
        return np.asarray(np.maximum(found, 0.0, out=found))

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """All parts of architectures side by side, for models that take vectors; float32, shape (n, d)."""
        return np.concatenate([points[numbers] for points in self._points], axis=1)

    def _coded(self, architectures: Sequence[Architecture], part: str) -> np.ndarray:
        """One part of architectures, not scaled; shape (m, columns)."""
        if part == SCORES:
            assert self._scores is not None
            return np.stack([self._scores.quantiles(a) for a in architectures])
        return np.stack([self._space.encode(a, part) for a in architectures])

    def _encode(self, architectures: Sequence[Architecture]) -> None:
        first = len(self._numbers)
        for number, (part, scale) in enumerate(zip(self.parts, self._scales, strict=True)):
            rows = self._coded(architectures, part) * scale
            self._points[number] = _appended(self._points[number], first, rows.astype(np.float32))
            new = self._points[number][first : first + len(rows)]
            self._norms[number] = np.concatenate([self._norms[number], np.einsum("md,md->m", new, new)])
        self._numbers.update((a, first + i) for i, a in enumerate(architectures))
        self._architectures.extend(architectures)


def _scales(points: Mapping[str, np.ndarray]) -> dict[str, float]:
    """What brings the mean squared distance of each part to 1, of the parts that say something of their own.

    A part says nothing where all its distances are equal, and nothing of its own where they are those of an earlier
    part (in a chain, the operations of an average path are all operations).
    """
    scales: dict[str, float] = {}
    known: list[np.ndarray] = []
    for part, rows in points.items():
        distances = _squared_distances(rows) if rows.shape[1] else np.zeros((len(rows), len(rows)))
        apart = distances[np.triu_indices(len(rows), 1)]
        different = apart[apart > EQUAL]
        if not len(different) or (len(different) == len(apart) and np.ptp(apart) < EQUAL):
            continue
        shape = apart / apart.mean()
        if not any(np.allclose(shape, other, atol=SAME) for other in known):
            scales[part] = float(1 / np.sqrt(apart.mean()))
            known.append(shape)
    return scales


def _squared_distances(rows: np.ndarray) -> np.ndarray:
    """Between all rows, shape (n, n)."""
    norms = np.einsum("nd,nd->n", rows, rows)
    return np.asarray(np.maximum(norms[:, None] + norms - 2 * rows @ rows.T, 0.0))


def _appended(points: np.ndarray, used: int, rows: np.ndarray) -> np.ndarray:
    """Rows behind the first ``used`` ones of an array that grows by doubling."""
    needed = used + len(rows)
    if needed > len(points):
        grown = np.zeros((max(needed, 2 * len(points)), rows.shape[1]), np.float32)
        grown[:used] = points[:used] if used else 0
        points = grown
    points[used:needed] = rows
    return points
