"""From channels in the order of time to windows and what follows them; the season; the naive forecast.

References:
    Hyndman and Koehler (2006), Another Look at Measures of Forecast Accuracy, section 3 (the scaled error, here by the
    seasonal naive forecast on the training part).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError
from netwright.tasks.base import Examples
from netwright.tasks.series.reading import Floats, Timeline

MOST_WINDOWS = 50_000
"""Of the training part; where there are more, only every second one is taken, and so on."""

_LONGEST_SEASON = 400
_LEAST_CORRELATION = 0.3


@dataclass(frozen=True)
class Windows:
    """Windows of the three parts, which follow each other in time.

    Args:
        train: inputs (N, channels, window) and targets (N, targets, horizon).
        validation: the same; windows may begin in the training part, what they are asked for does not.
        test: the same.
        season: steps after which the series repeats; 1 for none.
        scale: mean absolute error of the naive forecast of one step (season) on the training part, of each target.
        naive_validation: naive forecasts (N, targets, horizon).
        naive_test: the same.
    """

    train: Examples
    validation: Examples
    test: Examples
    season: int
    scale: NDArray[np.float64]
    naive_validation: Floats
    naive_test: Floats


def cut(line: Timeline, horizon: int, window: int, season: int, shares: tuple[float, float]) -> Windows:
    """Cut a timeline.

    Args:
        line: what is cut.
        horizon: steps that are asked for.
        window: steps that are seen.
        season: 0 to find it.
        shares: of the steps, for validation and test.

    Raises:
        DataError: there are too few steps.
    """
    steps = line.values.shape[1]
    num_test, num_validation = max(horizon, round(shares[1] * steps)), max(horizon, round(shares[0] * steps))
    num_train = steps - num_test - num_validation
    if num_train < window + horizon + 8:
        raise DataError(
            f"{line.name}: {steps} steps leave {num_train} to train on, a window of {window} and a horizon of {horizon}"
            f" need {window + horizon + 8}; give more rows, or a shorter window (window, horizon)"
        )
    targets = line.values[: line.num_targets].astype(np.float64)
    season = season or found_season(targets[:, :num_train])
    if season >= num_train:
        raise DataError(f"{line.name}: a season of {season} steps is longer than the training part ({num_train})")
    changes = np.abs(targets[:, season:num_train] - targets[:, : num_train - season]).mean(axis=1)
    scale = np.where(changes > 0, changes, np.maximum(targets[:, :num_train].std(axis=1), 1e-12))
    stride = 1 + (num_train - window - horizon) // MOST_WINDOWS
    first = np.arange(window, num_train - horizon + 1, stride)
    ends = (num_train, num_train + num_validation)
    origins = [first, np.arange(ends[0], ends[1] - horizon + 1), np.arange(ends[1], steps - horizon + 1)]
    parts = [_windows(line, at, window, horizon) for at in origins]
    naive = [naive_forecast(targets, at, horizon, season).astype(np.float32) for at in origins[1:]]
    return Windows(parts[0], parts[1], parts[2], season, scale, naive[0], naive[1])


def _windows(line: Timeline, origins: NDArray[np.int64], window: int, horizon: int) -> Examples:
    inputs = np.stack([line.values[:, at - window : at] for at in origins.tolist()])
    targets = np.stack([line.values[: line.num_targets, at : at + horizon] for at in origins.tolist()])
    return inputs, targets


def naive_forecast(
    targets: NDArray[np.float64], origins: NDArray[np.int64], horizon: int, season: int
) -> NDArray[np.float64]:
    """Each step as it was a whole number of seasons before, the last that is known.

    Args:
        targets: (T, steps).
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

    Args:
        targets: (T, steps) of the training part.

    Example:
        >>> found_season(np.sin(np.arange(400) * 2 * np.pi / 24)[None])
        24
    """
    steps = targets.shape[1]
    most = min(_LONGEST_SEASON, steps // 3)
    places = np.arange(steps)
    correlation = np.zeros(most + 1)
    for row in targets:
        flat = row - np.polyval(np.polyfit(places, row, 1), places)
        spread = float((flat**2).sum()) or 1.0
        correlation += [float((flat[lag:] * flat[: steps - lag]).sum()) / spread for lag in range(most + 1)]
    correlation /= len(targets)
    peaks = [n for n in range(2, most) if correlation[n - 1] < correlation[n] >= correlation[n + 1]]
    best = max(peaks, key=lambda n: correlation[n], default=1)
    return best if correlation[best] >= _LEAST_CORRELATION else 1
