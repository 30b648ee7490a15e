"""Intervals that hold what they promise: from how wrong a model was where it had not looked.

A model says how sure it is, and may be wrong about that. Its errors on observations it was not fitted to, relative to
its own spread there, tell by how much the spread has to be multiplied for an interval to hold a share of what is to
come. Knows no model and no architectures.

References:
    V. Vovk, A. Gammerman and G. Shafer, 2005, "Algorithmic Learning in a Random World" (conformal quantiles).
    J. Lei, M. G'Sell, A. Rinaldo, R. Tibshirani and L. Wasserman, 2018, "Distribution-Free Predictive Inference for
    Regression", section 5.2 (errors relative to a local scale).
    R. Barber, E. Candes, A. Ramdas and R. Tibshirani, 2021, "Predictive Inference with the Jackknife+", section 1
    (the jackknife, of errors left out one by one). Deviations of ours: the interval is around the mean of the model of
    all observations; between two errors the quantile is interpolated, so that the share is right on average and not at
    least so large, which with 20 observations makes 2 points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netwright.errors import UsageError, wrong

FLOOR = 0.5
"""Share of the mean spread that is added to every spread: a model that is certain somewhere is not believed."""


@dataclass(frozen=True, eq=False)
class LeftOut:
    """What models said of observations they were not fitted to.

    Args:
        mean: shape (n,).
        spread: > 0, shape (n,).
    """

    mean: np.ndarray
    spread: np.ndarray


@dataclass(frozen=True, eq=False)
class Calibration:
    """Errors relative to a model's spread, in order.

    Args:
        errors: increasing, >= 0, shape (n,).
        floor: added to every spread.
    """

    errors: np.ndarray
    floor: float

    @classmethod
    def of(cls, targets: np.ndarray, left_out: LeftOut) -> Calibration:
        """From what was observed and what was said of it by models that did not know it; arrays of shape (n,)."""
        floor = FLOOR * float(left_out.spread.mean()) + 1e-9
        return cls(np.sort(np.abs(targets - left_out.mean) / (left_out.spread + floor)), floor)

    def half_width(self, spread: np.ndarray, coverage: float) -> np.ndarray:
        """Half of the interval around a mean.

        Args:
            spread: of the model, shape (m,).
            coverage: share of the scores that intervals shall hold, in (0, 1).

        Returns:
            Shape (m,); infinite where so few errors are known that none is large enough (8 for nine of ten).

        Raises:
            UsageError: the coverage is not in (0, 1).

        Example:
            >>> calibration = Calibration(np.arange(1.0, 20.0), 0.0)
            >>> calibration.half_width(np.array([1.0, 2.0]), 0.9).tolist()
            [18.0, 36.0]
        """
        if not 0 < coverage < 1:
            raise UsageError(wrong("coverage", coverage, "in (0, 1)", "0.9 is usual"))
        place = coverage * (len(self.errors) + 1)
        if place > len(self.errors) + 1e-9:
            return np.full(len(spread), np.inf)
        factor = np.interp(place, np.arange(len(self.errors) + 1), np.concatenate([[0.0], self.errors]))
        return np.asarray(factor * (spread + self.floor))
