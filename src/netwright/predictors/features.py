"""Architectures as points between which a surrogate measures distances, for any search space.

A point has several parts, each an encoding of the space: which decisions differ, how far numbers are apart, which
operations occur, which paths lead through the network. Where an encoding says nothing about a space (the paths of one
without a network, the places of one without numbers, distances that are all equal) its part is left out. Each part is
scaled so that two random architectures are at a squared distance of about 1. Scores that need no training (proxies,
sizes) are a further part, as normal quantiles of their ranks among random architectures.

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

PARTS = ("one-hot", "ordinal", "operation", "path", "flow", "spread")
STRUCTURAL = frozenset({"operation", "path", "flow", "spread"})
SCORES = "scores"

NUM_REFERENCE = 48
"""Random architectures by which parts are scaled and chosen."""

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
        encoded = [[self._coded(a, part) for part in usable] for a in reference]
        scales = _scales({part: np.stack([of_one[i] for of_one in encoded]) for i, part in enumerate(usable)})
        self.parts = tuple(scales) or ("one-hot",)
        self._scales = [scales.get(part, 1.0) for part in self.parts]
        self._points: list[np.ndarray] = [np.zeros((0, 0), np.float32) for _ in self.parts]

    def __len__(self) -> int:
        return len(self._numbers)

    def numbers(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Numbers of architectures, encoded where they are new; shape (n,)."""
        new = [a for a in dict.fromkeys(architectures) if a not in self._numbers]
        if new:
            self._encode(new)
        return np.array([self._numbers[a] for a in architectures], dtype=np.intp)

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
        wanted = self._points if parts is None else [self._points[self.parts.index(part)] for part in parts]
        return [_squared_distances(points[left], points[right]) for points in wanted]

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """All parts of architectures side by side, for models that take vectors; float32, shape (n, d)."""
        return np.concatenate([points[numbers] for points in self._points], axis=1)

    def _coded(self, architecture: Architecture, part: str) -> np.ndarray:
        if part == SCORES:
            assert self._scores is not None
            return self._scores.quantiles(architecture)
        return self._space.encode(architecture, part)

    def _encode(self, architectures: Sequence[Architecture]) -> None:
        first = len(self._numbers)
        encoded = [[self._coded(a, part) for part in self.parts] for a in architectures]
        for part, scale in enumerate(self._scales):
            rows = np.stack([of_one[part] for of_one in encoded]) * scale
            self._points[part] = _appended(self._points[part], first, rows.astype(np.float32))
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
        distances = _squared_distances(rows, rows) if rows.shape[1] else np.zeros((len(rows), len(rows)))
        apart = distances[np.triu_indices(len(rows), 1)]
        different = apart[apart > EQUAL]
        if not len(different) or (len(different) == len(apart) and np.ptp(apart) < EQUAL):
            continue
        shape = apart / apart.mean()
        if not any(np.allclose(shape, other, atol=SAME) for other in known):
            scales[part] = float(1 / np.sqrt(apart.mean()))
            known.append(shape)
    return scales


def _squared_distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Shape (m, n); only the columns in which the smaller side has something take part in the product."""
    columns = np.flatnonzero(right.any(axis=0))
    product = left[:, columns] @ right[:, columns].T
    norms = np.einsum("md,md->m", left, left)[:, None] + np.einsum("nd,nd->n", right, right)
    return np.asarray(np.maximum(norms - 2 * product, 0.0), dtype=np.float64)


def _appended(points: np.ndarray, used: int, rows: np.ndarray) -> np.ndarray:
    """Rows behind the first ``used`` ones of an array that grows by doubling."""
    needed = used + len(rows)
    if needed > len(points):
        grown = np.zeros((max(needed, 2 * len(points)), rows.shape[1]), np.float32)
        grown[:used] = points[:used] if used else 0
        points = grown
    points[used:needed] = rows
    return points
