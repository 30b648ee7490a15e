"""Extrapolations of the beginnings of trainings that are alike, while none of them is finished.

A noisy beginning fits many shapes, so that what differs between the gains that are told for two curves is mostly
chance. Trainings that are alike gain alike: each gain is drawn to the usual one, as far as it is unsure itself.
Knows no study.

References:
    C. N. Morris, 1983, "Parametric empirical Bayes inference: theory and applications" (shrinkage by the variance
    between against that within). OUR DEVIATION: medians in place of means, since some networks are broken.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netwright.predictors.curves.curve import Curve
from netwright.predictors.curves.forecast import Direction, Forecast
from netwright.predictors.curves.parametric import extrapolate_many
from netwright.predictors.curves.summary import summarise

LEAST_BETWEEN = 0.01
"""Gains differ in truth by at least this part of the variance they are usually told with."""


def extrapolate_together(curves: Sequence[Curve], horizon: float, direction: Direction) -> list[Forecast]:
    """What curves of trainings that are alike will have come to.

    Args:
        curves: beginnings; those of the same length are compared. Same schedule, data and metric.
        horizon: epochs of the full training.
        direction: in which scores are better.

    Returns:
        One forecast for each curve.

    Raises:
        SpecError: as for `extrapolate`.
    """
    forecasts = extrapolate_many(curves, horizon, direction)
    sign = 1.0 if direction == "max" else -1.0
    for length in {curve.length for curve in curves if curve.length < horizon}:
        places = [place for place, curve in enumerate(curves) if curve.length == length]
        levels = np.array([sign * summarise(curves[place], sign)[0] for place in places])
        for place, moved in zip(places, _drawn([forecasts[place] for place in places], levels), strict=True):
            forecasts[place] = moved
    return forecasts


def _drawn(forecasts: Sequence[Forecast], levels: np.ndarray) -> list[Forecast]:
    """Move forecasts so that what is gained over the levels, shape (m,), is nearer to what is usual."""
    gains = np.array([forecast.median for forecast in forecasts]) - levels
    within = np.array([forecast.std for forecast in forecasts]) ** 2
    usual = np.median(gains)
    seen = (1.4826 * np.median(np.abs(gains - usual))) ** 2
    between = max(seen - np.median(within), LEAST_BETWEEN * np.median(within))
    own = between / np.maximum(between + within, np.finfo(float).tiny)
    moves = (1 - own) * (usual - gains)
    return [Forecast(tuple((np.array(f.values) + move).tolist())) for f, move in zip(forecasts, moves, strict=True)]
