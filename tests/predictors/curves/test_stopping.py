"""The rule that stops trainings, with forecasts that are known, and along whole curves."""

from __future__ import annotations

import math

import pytest
from curve_makers import HORIZON, rising

from netwright.errors import SpecError
from netwright.predictors.curves import (
    Curve,
    Forecast,
    StoppingRule,
    StudyCurves,
    best_first,
    judge,
    stopped_after,
)

FIVE = Curve.of([0.3, 0.4, 0.45, 0.48, 0.5])


def evenly(low: float, high: float) -> Forecast:
    """A uniform distribution."""
    return Forecast(tuple(low + (high - low) * (i + 0.5) / 200 for i in range(200)))


@pytest.mark.parametrize(("best", "stop"), [(0.93, False), (0.96, True)])
def test_the_threshold_decides(best: float, stop: bool) -> None:
    """A uniform forecast over 0 to 1 beats 0.93 with 7 %, which is enough, and 0.96 with 4 %, which is not."""
    verdict = judge(FIVE, best, "max", lambda seen: evenly(0, 1))
    assert (verdict.stop, verdict.probability) == (stop, pytest.approx(1 - best, abs=1e-9))


def test_for_a_loss_less_is_better() -> None:
    """A forecast of 0.5 to 1 cannot beat a loss of 0.4, and beats one of 0.9 easily."""
    assert judge(FIVE, 0.4, "min", lambda seen: evenly(0.5, 1)).stop
    assert not judge(FIVE, 0.9, "min", lambda seen: evenly(0.5, 1)).stop


def test_nothing_is_asked_without_a_best_or_with_few_points() -> None:
    """The first training, and one of three points, go on unasked; a gap is no point."""

    def never(seen: Curve) -> Forecast:
        raise AssertionError("asked")

    assert judge(FIVE, None, "max", never).reason == "nothing is finished"
    few = Curve.of([0.1, math.nan, 0.2, 0.3])
    assert judge(few, 0.9, "max", never).reason == "3 scores of 4 that are needed"


def test_a_diverged_training_is_stopped_whatever_it_was() -> None:
    """Three scores at the end that are not finite are enough, two are not; even where nothing is finished."""
    good = [0.9, 0.95, 0.97, 0.98]
    certain = Forecast.certain(0.99)
    assert judge(Curve.of([*good, math.nan, math.inf, math.nan]), None, "max", lambda seen: certain).stop
    assert not judge(Curve.of([*good, math.nan, math.nan]), 0.5, "max", lambda seen: certain).stop


def test_a_hopeless_training_is_stopped_early_and_a_leading_one_never() -> None:
    """Among ten finished ones of 0.70 to 0.79, one that heads for 0.5 is stopped by epoch 10, one for 0.85 is not."""
    whole = [rising(0.7 + 0.01 * i, noise=0.005, seed=i) for i in range(10)]
    study = StudyCurves(whole, HORIZON, "max")
    checks = range(5, HORIZON, 5)
    hopeless = stopped_after(rising(0.5, noise=0.005, seed=50), 0.79, "max", study.forecast, checks)
    assert hopeless is not None
    assert hopeless <= 10
    assert stopped_after(rising(0.85, noise=0.005, seed=51), 0.79, "max", study.forecast, checks) is None


def test_a_decision_does_not_depend_on_what_comes_after_it() -> None:
    """With every later score changed it is taken at the same epoch."""
    whole = [rising(0.7 + 0.01 * i, noise=0.005, seed=i) for i in range(10)]
    study = StudyCurves(whole, HORIZON, "max")
    curve = rising(0.5, noise=0.005, seed=50)
    when = stopped_after(curve, 0.79, "max", study.forecast, range(5, HORIZON, 5))
    assert when is not None
    kept = int(when)
    saved = Curve(curve.epochs, (*curve.scores[:kept], *[0.99] * (HORIZON - kept)))
    assert when == stopped_after(saved, 0.79, "max", study.forecast, range(5, HORIZON, 5))


def test_trainings_are_ordered_by_what_is_expected() -> None:
    """The best first in either direction; equal ones keep their order."""
    forecasts = [evenly(0.4, 0.6), Forecast.certain(0.7), Forecast.certain(0.7), Forecast.certain(0.1)]
    assert best_first(forecasts, "max") == [1, 2, 0, 3]
    assert best_first(forecasts, "min") == [3, 0, 1, 2]


@pytest.mark.parametrize(
    ("numbers", "match"),
    [
        ({"threshold": 1.0}, r"threshold must be in \[0, 1\), got 1.0"),
        ({"threshold": math.nan}, "threshold must be"),
        ({"min_points": 1}, "min_points must be >= 2, got 1"),
        ({"max_diverged": 0}, "max_diverged must be >= 1, got 0"),
    ],
)
def test_rules_that_make_no_sense_are_refused(numbers: dict[str, float], match: str) -> None:
    """Each names what is allowed."""
    with pytest.raises(SpecError, match=match):
        StoppingRule(**numbers)  # type: ignore[arg-type]
