"""What networks are worth whose last training time will cut: less, by the errors that this search has measured.

Networks of different cost are compared after the same number of epochs, in which a costly one is ahead that would not
come to its end. How errors fall with the epochs is known from networks that were trained twice. Where time is limited
and images are classified, networks are compared by sizes instead, see `netwright.study.equal_time`. Pure functions of a
history; knows no clocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import median

from netwright.study.equal_time import EXPONENT
from netwright.types import Architecture, Objective, Trial

FEWEST_PAIRS = 3
"""Networks trained twice from which on how their errors fell is taken; fewer say little."""

MOST_FALLING = 0.5
"""Exponent at most: what short trainings gain, long ones do not."""

Ranges = Mapping[str, tuple[float, float]]


def error_of(trial: Trial, objective: Objective, ranges: Ranges) -> float | None:
    """How far a trial is from the best value there can be; None where that is not known, or infinite.

    Args:
        trial: finished.
        objective: what decides.
        ranges: lowest and highest value of each metric.
    """
    bounds = ranges.get(objective.metric)
    if bounds is None or objective.metric not in trial.metrics:
        return None
    best = bounds[1] if objective.direction == "max" else bounds[0]
    error = abs(best - trial.metrics[objective.metric])
    return error if math.isfinite(error) else None


def falling(trained: Mapping[Architecture, Sequence[Trial]], objective: Objective, ranges: Ranges) -> float:
    """The exponent b of error ~ epochs^-b, the median of networks that were trained for two lengths.

    Args:
        trained: the finished trainings of each network from nothing; one without any error says nothing.
        objective: what decides.
        ranges: of its metrics.
    """
    found = []
    for trials in trained.values():
        errors: dict[float, float] = {}
        for trial in trials:
            error, epochs = error_of(trial, objective, ranges), trial.metrics.get("epochs", 0.0)
            if error and epochs > 0:
                errors[epochs] = error
        if len(errors) > 1:
            first, last = min(errors), max(errors)
            found.append(math.log(errors[first] / errors[last]) / math.log(last / first))
    if len(found) < FEWEST_PAIRS:
        return EXPONENT
    return min(MOST_FALLING, max(0.0, median(found)))


def by_what_time_allows(
    ranked: Sequence[Trial], objective: Objective, ranges: Ranges, part: Callable[[Trial], float], exponent: float
) -> list[Trial]:
    """Trials of one fidelity, best first by the error to be expected after what time allows of their full trainings.

    Args:
        ranked: best first by what they reached.
        objective: what decides.
        ranges: of its metrics.
        part: of its full training that a network will come to, in (0, 1].
        exponent: as of `falling`.
    """
    errors = [error_of(trial, objective, ranges) for trial in ranked]
    if any(error is None for error in errors):
        return list(ranked)
    expected = {
        trial.id: (error or 0.0) * part(trial) ** -exponent for trial, error in zip(ranked, errors, strict=True)
    }
    return sorted(ranked, key=lambda trial: expected[trial.id])
