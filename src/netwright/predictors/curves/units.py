"""The units curves are measured in, in which all look alike: 0 is now, -1 about the beginning, more is better.

Also the scales of the families that are linear in something else than the score. Knows no families and no priors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netwright.predictors.curves.families import Scale

RECENT = 3
"""Now is the mean of so many last scores."""

FURTHEST = 3.0
"""A score that is this many units away is taken to be there: a spike is no more than a bad score."""

_DROP = 1 - np.exp(-1.0)


@dataclass(frozen=True, slots=True)
class Units:
    """Of m curves.

    Args:
        zero: the score now, shape (m, 1).
        one: what a unit is in scores, with the sign that makes more better, shape (m, 1).
    """

    zero: np.ndarray
    one: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, sign: float) -> Units:
        """A unit is what was gained so far; less than a hundredth of a score (half of a lone one) is no gain.

        Args:
            scores: shape (m, n).
            sign: 1 where more is better, else -1.
        """
        zero = scores[:, -RECENT:].mean(axis=1)
        low, high = np.quantile(scores, [0.1, 0.9], axis=1)
        gain = np.maximum(np.abs(zero - scores[:, 0]), high - low)
        least = np.maximum(np.abs(zero) * (0.5 if scores.shape[1] == 1 else 0.01), 1e-9)
        return cls(zero[:, None], sign * np.maximum(gain, least)[:, None])

    def measure(self, scores: np.ndarray) -> np.ndarray:
        """Scores in units, shape (m, n)."""
        return np.asarray(np.clip((scores - self.zero) / self.one, -FURTHEST, FURTHEST))

    def scores(self, units: np.ndarray) -> np.ndarray:
        """Back to scores, shape (m, n)."""
        return np.asarray(self.zero + units * self.one)

    def onto(self, scale: Scale, units: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Measured curves on a family's scale, where 0 is still now and a small step still as large.

        Args:
            scale: of the family.
            units: shape (m, n).

        Returns:
            Shape (m, n), and the logarithm of the determinant of its derivative, shape (m,); None where a score has no
            place on the scale.
        """
        if scale == "score":
            return units, np.zeros(len(units))
        if scale == "exp":
            return (np.exp(units) - 1) / _DROP, units.sum(axis=1) - units.shape[1] * np.log(_DROP)
        scores = self.scores(units)
        if (scores <= 0).any() or (self.zero <= 0).any():
            return None
        logs = np.log(scores / self.zero)
        return logs * self.zero / self.one, -logs.sum(axis=1)

    def back(self, scale: Scale, values: np.ndarray) -> np.ndarray:
        """From a family's scale to scores, shape (m, n)."""
        if scale == "score":
            return self.scores(values)
        if scale == "exp":
            return self.scores(np.log(np.maximum(1 + values * _DROP, np.exp(-2 * FURTHEST))))
        return np.asarray(self.zero * np.exp(np.clip(values * self.one / self.zero, -30, 30)))
