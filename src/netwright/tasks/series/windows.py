"""From channels in the order of time to windows and what follows them; the season; the naive forecast.

A gap (NaN) is filled from its past alone: what a window shows, and what the naive forecast says, was known when the
window ended. What is asked for, and what the scale of errors is made of, are values of the data, never filled ones.

References:
    Hyndman and Koehler (2006), Another Look at Measures of Forecast Accuracy, section 3 (the scaled error, here by the
    seasonal naive forecast on the training part).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError, shorten
from netwright.machine_memory import require_room
from netwright.tasks.base import Examples
from netwright.tasks.series.gaps import begins, filled, filled_by_season
from netwright.tasks.series.reading import Floats, Timeline

MOST_WINDOWS = 50_000
"""Of the training part; where there are more, only every second one is taken, and so on."""

_FEWEST_WINDOWS = 9
"""Of the training part."""

_PARTS = ("training", "validation", "test")
_LONGEST_SEASON = 400
_LEAST_CORRELATION = 0.3
_AS_LIKE, _MOST_PARTS = 1.1, 12
"""A whole part of the best lag, one of so many at most, is the season, if what its correlation leaves open is at most
this times as much."""


@dataclass(frozen=True)
class Windows:
    """Windows of the three parts, which follow each other in time.

    Args:
        train: inputs (N, channels, window) and targets (N, targets, horizon). Where windows begin in equal distances
            they are views of the series, which cannot be written to; else they are copies.
        validation: the same; windows may begin in the training part, what they are asked for does not.
        test: the same.
        season: steps after which the series repeats; 1 for none.
        scale: mean absolute error of the naive forecast of one step (season) on the training part, of each target.
        naive_validation: naive forecasts (N, targets, horizon).
        naive_test: the same.
        notes: what was filled and left out.
    """

    train: Examples
    validation: Examples
    test: Examples
    season: int
    scale: NDArray[np.float64]
    naive_validation: Floats
    naive_test: Floats
    notes: tuple[str, ...] = ()


def cut(line: Timeline, horizon: int, window: int, season: int, shares: tuple[float, float]) -> Windows:
    """Cut a timeline.

    Args:
        line: what is cut.
        horizon: steps that are asked for.
        window: steps that are seen; 0 for four horizons, or a season and a horizon where that is more and no more than
            half of the training part.
        season: 0 to find it.
        shares: of the steps, for validation and test.

    Raises:
        DataError: there are too few steps, too few windows without gaps in what they are asked for, a target that does
            not change in the training part, or more windows than a quarter of the memory holds.
    """
    steps = line.values.shape[1]
    num_test, num_validation = max(horizon, round(shares[1] * steps)), max(horizon, round(shares[0] * steps))
    num_train = steps - num_test - num_validation
    targets = line.values[: line.num_targets].astype(np.float64)
    if not window:
        window, season = _default_window(targets[:, : max(0, num_train)], horizon, season)
    needed = window + horizon + _FEWEST_WINDOWS - 1
    if num_train < needed:
        raise DataError(
            f"{line.name}: {steps} steps leave {num_train} to train on, a window of {window} and a horizon of {horizon}"
            f" need {needed}; give more rows, or a shorter window (window, horizon)"
        )
    borders = (window, num_train, num_train + num_validation, steps)
    possible = [np.arange(low, high - horizon + 1) for low, high in pairwise(borders)]
    usable = _usable(line, horizon)
    origins = [at[usable[at]] for at in possible]
    lost = [len(one) - len(other) for one, other in zip(possible, origins, strict=True)]
    _check_left(line, origins, lost)
    _check_changes(line, targets[:, :num_train])
    origins[0] = origins[0][:: 1 + (len(origins[0]) - 1) // MOST_WINDOWS]
    _check_memory(line, origins, window, horizon)

    season = season or found_season(targets[:, :num_train])
    if season >= num_train:
        raise DataError(f"{line.name}: a season of {season} steps is longer than the training part ({num_train})")
    values, known = filled(line.values), filled_by_season(line.values[: line.num_targets], season)
    train, validation, test = (_windows(values, at, window, horizon, line.num_targets) for at in origins)
    naive = [naive_forecast(known, at, horizon, season) for at in origins[1:]]
    scale = _scale(targets[:, :num_train], season)
    return Windows(train, validation, test, season, scale, naive[0], naive[1], _notes(line, lost))


def _default_window(targets: NDArray[np.float64], horizon: int, season: int) -> tuple[int, int]:
    """What a forecast sees where nothing is said, and the season, found where it is 0 and can be.

    Args:
        targets: (T, steps) of the training part, NaN where a value is missing.
        horizon: steps that are asked for.
        season: 0 to find it.
    """
    least, steps = max(4, 4 * horizon), targets.shape[1]
    if not season:
        if steps < least + horizon or (~np.isnan(targets)).sum(axis=1).min() < 2:
            return least, 0
        season = found_season(targets)
    return max(least, season + horizon if season + horizon <= steps // 2 else 0), season


def _windows(values: Floats, origins: NDArray[np.int64], window: int, horizon: int, num_targets: int) -> Examples:
    return _pieces(values, origins - window, window), _pieces(values[:num_targets], origins, horizon)


def _pieces(values: Floats, starts: NDArray[np.int64], length: int) -> Floats:
    """(N, channels, length) of the series from each start on; nothing is copied where these lie in equal distances."""
    every = np.lib.stride_tricks.sliding_window_view(values, length, axis=1).transpose(1, 0, 2)
    step = _distance(starts)
    return every[starts[0] : starts[-1] + 1 : step] if step else every[starts]


def _distance(starts: NDArray[np.int64]) -> int:
    """The distance of neighbours, where all are equal; else 0."""
    steps = np.diff(starts)
    if len(steps) == 0:
        return 1
    return int(steps[0]) if (steps == steps[0]).all() else 0


def _scale(targets: NDArray[np.float64], season: int) -> NDArray[np.float64]:
    """What errors are divided by, of each target (T, steps): from pairs of values that both are in the data."""
    found = []
    for row in targets:
        changes = np.abs(row[season:] - row[:-season])
        changes = changes[~np.isnan(changes)]
        mean = float(changes.mean()) if len(changes) else 0.0
        found.append(mean if mean > 0 else float(row[~np.isnan(row)].std()))
    return np.array(found)


def _usable(line: Timeline, horizon: int) -> NDArray[np.bool_]:
    """(steps - horizon + 1,) whether each channel has a value before a step, and no target a gap from it on."""
    missing = np.isnan(line.values[: line.num_targets]).any(axis=0)
    before = np.concatenate([[0], np.cumsum(missing)])
    usable: NDArray[np.bool_] = before[horizon:] == before[:-horizon]
    usable[: int(begins(line.values).max()) + 1] = False
    return usable


def _check_left(line: Timeline, origins: Sequence[NDArray[np.int64]], lost: Sequence[int]) -> None:
    for part, at, without, fewest in zip(_PARTS, origins, lost, (_FEWEST_WINDOWS, 1, 1), strict=True):
        if len(at) < fewest:
            late = shorten(line.names[int(begins(line.values).argmax())], 60)
            raise DataError(
                f"{line.name}: {without} of {without + len(at)} {part} windows are asked for missing values, or end "
                f"before each channel has begun ({late} is the last to), and {fewest} must be left; mend the gaps, ask "
                "for fewer columns (targets) or steps (horizon), or take out a column"
            )


def _check_changes(line: Timeline, targets: NDArray[np.float64]) -> None:
    """Refuse a target (T, steps) of the training part that is always the same: errors have no scale there."""
    for name, row in zip(line.names, targets, strict=False):
        known = row[~np.isnan(row)]
        if (known == known[0]).all():
            raise DataError(
                f"{line.name}: all values of {shorten(name, 60)} in the training part (the first {len(row)} steps) are "
                f"{known[0]:g}; ask for other columns (targets), or give more rows"
            )


def _check_memory(line: Timeline, origins: Sequence[NDArray[np.int64]], window: int, horizon: int) -> None:
    """Refuse windows that would fill the memory, before any is cut.

    Those of the training part take some only where they must be copied; the others are written out in the end.
    """
    counts = [len(at) for at in origins]
    copied = sum(counts[1:]) + (0 if _distance(origins[0]) else counts[0])
    inputs, targets = len(line.values) * window, line.num_targets * horizon
    needed = line.values.itemsize * (copied * (inputs + targets) + sum(counts[1:]) * targets)
    size = f"{len(line.values)} channels x {window} steps, each with {horizon} steps to tell,"
    cure = "give a shorter window (window, horizon), fewer columns, or fewer rows"
    require_room(needed, f"{line.name}: {copied} windows of {size}", cure)


def _notes(line: Timeline, lost: Sequence[int]) -> tuple[str, ...]:
    count = int(np.isnan(line.values).sum())
    notes = [f"{line.name}: {count} missing values are filled with the last one before them"] if count else []
    if any(lost):
        told = ", ".join(f"{number} {part}" for part, number in zip(_PARTS, lost, strict=True) if number)
        notes.append(f"windows that are asked for missing values, or end before a channel begins, are left out: {told}")
    return tuple(notes)


def naive_forecast(targets: NDArray[Any], origins: NDArray[np.int64], horizon: int, season: int) -> NDArray[Any]:
    """Each step as it was a whole number of seasons before, the last that is known.

    Args:
        targets: (T, steps) without gaps; see `filled_by_season`.
        origins: (N,) first step that is asked for, at least a season.
        horizon: steps.
        season: steps.

    Returns:
        (N, T, horizon).

    Example:
        >>> naive_forecast(np.array([[0.0, 1.0, 2.0, 0.0, 0.0]]), np.array([3]), 2, 3).tolist()
        [[[0.0, 1.0]]]
    """
    ahead = np.arange(horizon)
    back = season * (1 + ahead // season)
    return np.stack([targets[:, at + ahead - back] for at in origins.tolist()])


def found_season(targets: NDArray[np.float64]) -> int:
    """The lag at which the series, without its trend, is most like itself; 1 where it is like itself nowhere.

    Several seasons together are as like as one by chance, so a whole part of that lag is taken that is hardly less so.

    Args:
        targets: (T, steps) of the training part; NaN where a value is missing, which then counts as the trend.

    Example:
        >>> found_season(np.sin(np.arange(400) * 2 * np.pi / 24)[None])
        24
    """
    steps = targets.shape[1]
    most = min(_LONGEST_SEASON, steps // 3)
    places = np.arange(steps)
    correlation = np.zeros(most + 1)
    for row in targets:
        known = ~np.isnan(row)
        trend = np.polyval(np.polyfit(places[known], row[known], 1), places)
        flat = np.where(known, row - trend, 0.0)
        spread = float((flat**2).sum()) or 1.0
        correlation += [float((flat[lag:] * flat[: steps - lag]).sum()) / spread for lag in range(most + 1)]
    correlation /= len(targets)
    peaks = [n for n in range(2, most) if correlation[n - 1] < correlation[n] >= correlation[n + 1]]
    best = max(peaks, key=lambda n: correlation[n], default=1)
    if correlation[best] < _LEAST_CORRELATION:
        return 1
    open_share = 1 - correlation
    for parts in range(_MOST_PARTS, 1, -1):
        near = [n for n in peaks if abs(best - parts * n) < parts and open_share[n] <= _AS_LIKE * open_share[best]]
        if near:
            return max(near, key=lambda n: correlation[n])
    return best
