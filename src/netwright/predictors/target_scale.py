"""The scale on which a predictor learns: half the rank of a value, half the value.

Accuracies have long tails (networks that learn nothing), and a model that minds squared errors would mind little else;
their ranks alone forget which gaps are wide. The mean of both, each standardised and the value cut off where it is far
from the median, goes up strictly with the value, so that an interval on this scale is one of values too. Knows no
architectures and no models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netwright.predictors.ranks import ranks_as_normal

FAR = 4.0
"""Median absolute deviations from the median beyond which values count as equally far."""


@dataclass(frozen=True, eq=False)
class TargetScale:
    """A strictly increasing map of values to targets, linear between the values it was made of and beyond them.

    Args:
        values: increasing, shape (k,), k >= 1.
        targets: increasing, shape (k,).
        slopes: targets per value below the lowest and above the highest one, > 0: those of the outer quarters.
    """

    values: np.ndarray
    targets: np.ndarray
    slopes: tuple[float, float]

    @classmethod
    def of(cls, values: np.ndarray) -> TargetScale:
        """The scale of observed values.

        Args:
            values: finite, shape (n,), n >= 1.

        Example:
            >>> scale = TargetScale.of(np.array([0.1, 0.8, 0.9, 0.85]))
            >>> scale.to_values(scale.to_targets(np.array([0.8, 0.95]))).round(6).tolist()
            [0.8, 0.95]
        """
        ranks = _standardised(ranks_as_normal(values))
        centre = np.median(values)
        far = FAR * (np.median(np.abs(values - centre)) or np.ptp(values) or 1.0)
        targets = _standardised(0.5 * ranks + 0.5 * _standardised(np.clip(values, centre - far, centre + far)))
        distinct, first = np.unique(values, return_index=True)
        rising = targets[first].astype(np.float64)
        quarter = max(1, len(distinct) // 4)
        ends = slice(None, quarter + 1), slice(-quarter - 1, None)
        low, high = (_slope(distinct[end], rising[end]) for end in ends)
        return cls(distinct, rising, (low, high))

    def to_targets(self, values: np.ndarray) -> np.ndarray:
        """Targets of values, shape (n,)."""
        return _through(values, self.values, self.targets, self.slopes)

    def to_values(self, targets: np.ndarray) -> np.ndarray:
        """Values of targets, shape (n,); infinite ones stay so."""
        low, high = self.slopes
        return _through(targets, self.targets, self.values, (1 / low, 1 / high))


def _through(x: np.ndarray, left: np.ndarray, right: np.ndarray, slopes: tuple[float, float]) -> np.ndarray:
    below, above = np.minimum(x - left[0], 0.0), np.maximum(x - left[-1], 0.0)
    return np.asarray(np.interp(x, left, right) + slopes[0] * below + slopes[1] * above)


def _slope(values: np.ndarray, targets: np.ndarray) -> float:
    return float(np.ptp(targets) / np.ptp(values)) if len(values) > 1 else 1.0


def _standardised(values: np.ndarray) -> np.ndarray:
    return np.asarray((values - values.mean()) / (values.std() or 1.0))
