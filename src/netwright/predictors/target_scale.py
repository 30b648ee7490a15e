"""The scale on which a predictor learns: half the rank of a value, half the value.

Accuracies have long tails (networks that learn nothing), and a model that minds squared errors would mind little else;
their ranks alone forget which gaps are wide. The mean of both, each standardised and the value cut off where it is far
from the median, goes up strictly with the value, so that an interval on this scale is one of values too. Knows no
architectures and no models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FAR = 4.0
"""Median absolute deviations from the median beyond which values count as equally far."""


@dataclass(frozen=True, eq=False)
class TargetScale:
    """A strictly increasing map of values to targets, linear between the values it was made of and beyond them.

    Args:
        values: increasing, shape (k,), k >= 1.
        targets: increasing, shape (k,).
        slope: targets per value beyond the ends, > 0.
    """

    values: np.ndarray
    targets: np.ndarray
    slope: float

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
        from scipy.special import ndtri
        from scipy.stats import rankdata

        ranks = _standardised(ndtri((rankdata(values) - 0.5) / len(values)))
        centre = np.median(values)
        far = FAR * (np.median(np.abs(values - centre)) or np.ptp(values) or 1.0)
        targets = _standardised(0.5 * ranks + 0.5 * _standardised(np.clip(values, centre - far, centre + far)))
        distinct, first = np.unique(values, return_index=True)
        upper = distinct >= np.median(distinct)
        rise, run = np.ptp(targets[first][upper]), np.ptp(distinct[upper])
        return cls(distinct, targets[first].astype(np.float64), float(rise / run) if rise > 0 < run else 1.0)

    def to_targets(self, values: np.ndarray) -> np.ndarray:
        """Targets of values, shape (n,)."""
        return _through(values, self.values, self.targets, self.slope)

    def to_values(self, targets: np.ndarray) -> np.ndarray:
        """Values of targets, shape (n,); infinite ones stay so."""
        return _through(targets, self.targets, self.values, 1 / self.slope)


def _through(x: np.ndarray, left: np.ndarray, right: np.ndarray, slope: float) -> np.ndarray:
    inside = np.interp(x, left, right)
    beyond = np.minimum(x - left[0], 0.0) + np.maximum(x - left[-1], 0.0)
    return np.asarray(inside + slope * beyond)


def _standardised(values: np.ndarray) -> np.ndarray:
    return np.asarray((values - values.mean()) / (values.std() or 1.0))
