"""Scores that need no training (zero-cost proxies, sizes) as ranks among random architectures.

Their scales differ by orders of magnitude and mean nothing; what is used is where an architecture stands. Knows no
strategy, and not how a score is computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import UsageError, wrong
from netwright.types import Architecture

if TYPE_CHECKING:
    from netwright.space import SearchSpace

Scores = Callable[[Architecture], Mapping[str, float]]
"""Label-free scores of an architecture by name, always the same names; larger is thought to be better."""

NUM_REFERENCE = 512
"""Random architectures among which ranks are taken."""


class ScoreRanks:
    """Ranks of label-free scores among random architectures of a space.

    A score that is not a number stands in the middle; infinite ones stand at the ends.

    Args:
        space: of the architectures.
        scores: tells them.
        rng: draws the architectures that are compared with.

    Attributes:
        reference: these architectures, each once, the ones of the best scores first (`worth`).

    Raises:
        UsageError: there is no score.
    """

    def __init__(self, space: SearchSpace, scores: Scores, rng: np.random.Generator) -> None:
        self._scores = scores
        drawn = list(dict.fromkeys(space.sample(rng) for _ in range(NUM_REFERENCE)))
        self._names = sorted(scores(drawn[0]))
        if not self._names:
            raise UsageError(wrong("scores", {}, "at least one score for an architecture"))
        self._known: dict[Architecture, np.ndarray] = {}
        told = np.array([self._told(a) for a in drawn])
        self._sorted = [np.sort(column[~np.isnan(column)]) for column in told.T]
        order = np.argsort([-self.worth(a) for a in drawn], kind="stable")
        self.reference = [drawn[i] for i in order]

    def shares(self, architecture: Architecture) -> np.ndarray:
        """Share of the random architectures that each score is above, in (0, 1), shape (scores,)."""
        known = self._known.get(architecture)
        if known is None:
            told = self._told(architecture)
            known = np.array([_share(x, column) for x, column in zip(told, self._sorted, strict=True)])
            self._known[architecture] = known
        return known

    def quantiles(self, architecture: Architecture) -> np.ndarray:
        """The shares as quantiles of the normal distribution, shape (scores,)."""
        from scipy.special import ndtri

        return np.asarray(ndtri(self.shares(architecture)))

    def worth(self, architecture: Architecture) -> float:
        """Sum of the logarithms of the shares: high where no score is bad.

        References:
            J. Lee and B. Ham, 2024, "AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search",
            equation 12.
        """
        return float(np.log(self.shares(architecture)).sum())

    def _told(self, architecture: Architecture) -> list[float]:
        told = self._scores(architecture)
        return [float(told.get(name, math.nan)) for name in self._names]


def _share(value: float, reference: np.ndarray) -> float:
    if math.isnan(value) or not len(reference):
        return 0.5
    below, not_above = np.searchsorted(reference, value, "left"), np.searchsorted(reference, value, "right")
    return float((0.5 * (below + not_above) + 0.5) / (len(reference) + 1))
