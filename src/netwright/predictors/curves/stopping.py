"""Whether a training is worth going on with: the probability that it will beat the best so far, and a rule over it.

Pure functions of a curve as far as it is known. They know no trial and no process, and nothing of how the curve goes
on; who calls them decides at which epochs.

References:
    T. Domhan, J. T. Springenberg, F. Hutter, 2015, "Speeding up automatic hyperparameter optimization of deep neural
    networks by extrapolation of learning curves", section 4 (predictive termination, threshold 0.05). OUR DEVIATION:
    a training that is stopped has no final score of its own; nothing that was predicted is told as one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from netwright.errors import SpecError, wrong
from netwright.predictors.curves.curve import Curve
from netwright.predictors.curves.forecast import Direction, Forecast, require_direction

Forecaster = Callable[[Curve], Forecast]
"""Tells a final score from a curve as far as it is known; `StudyCurves.forecast` is one."""


@dataclass(frozen=True, slots=True)
class StoppingRule:
    """When a training is stopped.

    Args:
        threshold: least probability to beat the best so far with which it goes on, in [0, 1).
        min_points: finite scores that are needed for a judgement, at least 2.
        max_diverged: scores at the end that are not finite after which it is stopped whatever it was before.

    Raises:
        SpecError: a number is out of its range.
    """

    threshold: float = 0.05
    min_points: int = 4
    max_diverged: int = 3

    def __post_init__(self) -> None:
        if not 0 <= self.threshold < 1:
            raise SpecError(wrong("threshold", self.threshold, "in [0, 1)", "0.05 stops what has a chance of 5 %"))
        if self.min_points < 2:
            raise SpecError(wrong("min_points", self.min_points, ">= 2", "one score has no direction"))
        if self.max_diverged < 1:
            raise SpecError(wrong("max_diverged", self.max_diverged, ">= 1"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule says of a training.

    Args:
        stop: whether to stop it.
        probability: to beat the best so far; None where it was not asked for.
        reason: for people.
    """

    stop: bool
    probability: float | None
    reason: str


def judge(
    curve: Curve, best: float | None, direction: Direction, forecaster: Forecaster, rule: StoppingRule | None = None
) -> Verdict:
    """Say whether to go on with a training.

    Args:
        curve: its scores so far.
        best: final score of the best training that was finished; None while there is none.
        direction: in which scores are better.
        forecaster: what will become of it.
        rule: None for the default one.

    Raises:
        SpecError: the direction is none.

    Example:
        >>> curve = Curve.of([0.3, 0.31, 0.3, 0.31, 0.3])
        >>> judge(curve, 0.9, "max", lambda seen: Forecast((0.3, 0.31, 0.32)))
        Verdict(stop=True, probability=0.0, reason='beats 0.9 with probability 0.000 < 0.05')
    """
    require_direction(direction)
    rule = rule or StoppingRule()
    if curve.num_diverged >= rule.max_diverged:
        return Verdict(True, None, f"the last {curve.num_diverged} scores are not finite")
    count = len(curve.finite()[1])
    if best is None or count < rule.min_points:
        missing = "nothing is finished" if best is None else f"{count} scores of {rule.min_points} that are needed"
        return Verdict(False, None, missing)
    probability = forecaster(curve).probability_better(best, direction)
    stop = probability < rule.threshold
    sign = "<" if stop else ">="
    return Verdict(stop, probability, f"beats {best:g} with probability {probability:.3f} {sign} {rule.threshold:g}")


def stopped_after(
    curve: Curve, best: float | None, direction: Direction, forecaster: Forecaster, epochs: Sequence[float]
) -> float | None:
    """After which of some epochs the default rule would have stopped a training whose whole curve is known.

    At each epoch it is shown the curve up to there only.

    Args:
        curve: what it came to.
        best: as for `judge`.
        direction: as for `judge`.
        forecaster: as for `judge`.
        epochs: when it is asked, rising.

    Returns:
        None where it was never stopped.
    """
    for epoch in epochs:
        if judge(curve.until(epoch), best, direction, forecaster).stop:
            return epoch
    return None


def best_first(forecasts: Sequence[Forecast], direction: Direction) -> list[int]:
    """Places of trainings by their expected final score, the best first; of equal ones the earlier is first.

    Args:
        forecasts: one for each training, at whatever epoch it is.
        direction: in which scores are better.

    Raises:
        SpecError: the direction is none.

    Example:
        >>> best_first([Forecast((0.5, 0.6)), Forecast((0.7, 0.9)), Forecast.certain(0.55)], "max")
        [1, 0, 2]
    """
    require_direction(direction)
    sign = -1.0 if direction == "max" else 1.0
    return sorted(range(len(forecasts)), key=lambda place: (sign * forecasts[place].median, place))
