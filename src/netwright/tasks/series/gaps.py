"""Gaps (NaN) of channels in the order of time, filled from their past alone, so that no window looks ahead.

An exported ``model.py`` fills by the same rule: `netwright.export.runtimes.series`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def filled(values: NDArray[Any]) -> NDArray[Any]:
    """Each gap with the last value before it; those at the start with the first value.

    Args:
        values: (channels, steps), NaN where one is missing; each channel has some.

    Example:
        >>> filled(np.array([[np.nan, 1.0, np.nan, 2.0]])).tolist()
        [[1.0, 1.0, 1.0, 2.0]]
    """
    first = np.take_along_axis(values, begins(values)[:, None], axis=1)
    before = _carried(values)
    return np.where(np.isnan(before), first, before)


def filled_by_season(values: NDArray[Any], season: int) -> NDArray[Any]:
    """Each gap with the last value a whole number of seasons before it; where there is none, as `filled` does.

    Args:
        values: (channels, steps), NaN where one is missing; each channel has some.
        season: steps.

    Example:
        >>> filled_by_season(np.array([[1.0, 2.0, np.nan, 4.0, np.nan]]), 2).tolist()
        [[1.0, 2.0, 1.0, 4.0, 1.0]]
    """
    found = values.copy()
    for phase in range(min(season, values.shape[1])):
        found[:, phase::season] = _carried(found[:, phase::season])
    return np.where(np.isnan(found), filled(values), found)


def begins(values: NDArray[Any]) -> NDArray[np.int64]:
    """(channels,) step of the first value of each channel."""
    first: NDArray[np.int64] = np.isnan(values).argmin(axis=1)
    return first


def _carried(values: NDArray[Any]) -> NDArray[Any]:
    """Each gap with the last value before it; what has none before it stays a gap."""
    places = np.where(np.isnan(values), 0, np.arange(values.shape[1]))
    return np.take_along_axis(values, np.maximum.accumulate(places, axis=1), axis=1)
