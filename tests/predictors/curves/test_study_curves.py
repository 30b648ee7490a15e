"""The model over a study's curves: what it learns, and that it knows nothing of the future."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from curve_makers import HORIZON, falling, rising
from scipy.stats import spearmanr

from netwright.errors import SpecError
from netwright.predictors.curves import Curve, Direction, StudyCurves, extrapolate_together


def late_riser(final: float, length: int = HORIZON, seed: int = 0) -> Curve:
    """Hardly rises until the learning rate falls near the end, which no family foresees."""
    x = np.arange(1, HORIZON + 1)
    scores = final - 0.3 + 0.05 * np.log(x) / np.log(HORIZON) + 0.25 / (1 + np.exp(-(x - 40) / 2))
    scores = scores + 0.003 * np.random.default_rng(seed).normal(size=HORIZON)
    return Curve.of(scores[:length].tolist())


def test_what_others_gained_is_expected() -> None:
    """A jump near the end that the others had is told with a narrow interval; extrapolation cannot know it."""
    finals = np.linspace(0.7, 0.9, 12)
    study = StudyCurves([late_riser(f, seed=i) for i, f in enumerate(finals)], HORIZON, "max")
    forecast = study.forecast(late_riser(0.8, 20, seed=99))
    low, high = forecast.interval()
    assert abs(forecast.median - 0.8) < 0.01
    assert high - low < 0.06
    alone = StudyCurves([], HORIZON, "max").forecast(late_riser(0.8, 20, seed=99))
    assert abs(alone.median - 0.8) > 0.05


def test_losses_are_told_as_well_as_accuracies() -> None:
    """The same numbers with the sign turned give the forecast with the sign turned."""
    whole = [falling(0.4 + 0.02 * i, noise=0.01, seed=i) for i in range(10)]
    seen = falling(0.5, noise=0.01, length=10, seed=50)
    down = StudyCurves(whole, HORIZON, "min").forecast(seen)
    turned = [Curve.of([-s for s in curve.scores]) for curve in (*whole, seen)]
    up = StudyCurves(turned[:-1], HORIZON, "max").forecast(turned[-1])
    np.testing.assert_allclose(np.array(down.values), -np.array(up.values)[::-1], rtol=1e-9)
    assert down.interval()[0] < 0.5 < down.interval()[1]


def test_few_finished_curves_leave_it_to_extrapolation() -> None:
    """With five, a forecast is that of the curve together with the beginnings of the others, the latest first."""
    whole = [rising(0.8 + 0.02 * i, noise=0.01, seed=i) for i in range(5)]
    seen = rising(0.85, noise=0.01, length=10, seed=50)
    beginnings = [curve.until(10) for curve in reversed(whole)]
    expected = extrapolate_together([seen, *beginnings], HORIZON, "max")[0]
    assert expected == StudyCurves(whole, HORIZON, "max").forecast(seen)


def scrambled(curve: Curve, known: float) -> Curve:
    """The same up to an epoch, and something else from there on."""
    later = [s if e <= known else 5.0 + 7.0 * e for e, s in zip(curve.epochs, curve.scores, strict=True)]
    return Curve(curve.epochs, tuple(later))


@pytest.mark.parametrize("num_finished", [0, 3, 12])
@pytest.mark.parametrize("direction", ["max", "min"])
def test_nothing_is_known_of_the_future(num_finished: int, direction: Direction) -> None:
    """Later scores changed, of the curve itself and of others that still run: the forecast is the same to the bit."""
    whole = [rising(0.8 + 0.01 * i, noise=0.01, seed=i) for i in range(num_finished)]
    running = [rising(0.8 + 0.01 * i, noise=0.01, seed=100 + i) for i in range(3)]
    curve = rising(0.85, noise=0.01, seed=200)
    for known in (1, 5, 9, 30):
        lengths = (known + 4, known, max(1, known - 1))
        told = []
        for change in (False, True):
            others = [scrambled(c, n) if change else c for c, n in zip(running, lengths, strict=True)]
            own = scrambled(curve, known) if change else curve
            seen = [c.until(n) for c, n in zip(others, lengths, strict=True)]
            told.append(StudyCurves([*whole, *seen], HORIZON, direction).forecast(own.until(known)))
        assert told[0] == told[1]


def test_what_lies_beyond_the_horizon_is_not_looked_at() -> None:
    """Curves that go on after the horizon count as far as it."""
    whole = [rising(0.8 + 0.01 * i, noise=0.01, seed=i) for i in range(10)]
    longer = [Curve.of([*curve.scores, 99.0]) for curve in whole]
    seen = rising(0.85, length=10)
    expected = StudyCurves(whole, HORIZON, "max").forecast(seen)
    assert expected == StudyCurves(longer, HORIZON, "max").forecast(seen)


def test_stopped_curves_count() -> None:
    """Where all that fell back were stopped, the finished ones alone promise more than with the stopped ones."""

    def leap(final: float, seed: int) -> Curve:
        """The same beginning for all; what becomes of it shows from epoch 10 on."""
        x = np.arange(1, HORIZON + 1)
        scores = 0.5 + (final - 0.5) * np.clip((x - 10) / 10, 0, 1)
        return Curve.of((scores + 0.005 * np.random.default_rng(seed).normal(size=HORIZON)).tolist())

    finished = [leap(0.8, i) for i in range(8)]
    stopped = [leap(0.4, 100 + i).until(25) for i in range(16)]
    ended_low = [leap(0.42, 200 + i) for i in range(2)]
    seen = leap(0.6, 300).until(8)
    lucky = StudyCurves([*finished, *ended_low], HORIZON, "max").forecast(seen)
    fair = StudyCurves([*stopped, *finished, *ended_low], HORIZON, "max").forecast(seen)
    assert fair.mean < lucky.mean - 0.05


def test_the_order_of_equal_work_does_not_matter_and_asking_changes_nothing() -> None:
    """Two questions in either order have the same answers."""
    whole = [rising(0.8 + 0.01 * i, noise=0.01, seed=i) for i in range(10)]
    early, late = rising(0.85, length=5), rising(0.85, length=30)
    first, second = StudyCurves(whole, HORIZON, "max"), StudyCurves(whole, HORIZON, "max")
    answers = first.forecast(early), first.forecast(late)
    assert answers == (second.forecast(late), second.forecast(early))[::-1]


ODD = ([0.1] * 10, [0.0] * 10, [0.3], [0.2, math.nan, 0.5], [0.2, 0.3, math.nan], [9.0, 80.0, 1e12])


@pytest.mark.parametrize("scores", ODD)
def test_odd_curves_have_a_finite_forecast(scores: list[float]) -> None:
    """Asked for, and among those that are learnt from: constant, short, with gaps, diverged, never finite."""
    whole = [rising(0.8 + 0.01 * i, noise=0.01, seed=i) for i in range(8)]
    odd = [Curve.of([math.nan] * 50), Curve.of([0.1] * 50), Curve.of([*[0.1] * 49, math.nan]), Curve.of([1e12] * 50)]
    forecast = StudyCurves([*whole, *odd], HORIZON, "max").forecast(Curve.of(scores))
    assert np.isfinite(forecast.values).all()


def test_equal_curves_do_not_break_it() -> None:
    """Ten times the same curve leaves nothing to standardise by, and its end is told."""
    forecast = StudyCurves([rising(0.9)] * 10, HORIZON, "max").forecast(rising(0.9, length=10))
    assert pytest.approx(rising(0.9).scores[-1], abs=1e-3) == forecast.median


def test_a_curve_without_a_score_and_a_horizon_that_is_none_are_refused() -> None:
    """Both errors say what is allowed."""
    with pytest.raises(SpecError, match="scores must be at least one that is finite"):
        StudyCurves([], HORIZON, "max").forecast(Curve((), ()))
    with pytest.raises(SpecError, match="horizon must be finite"):
        StudyCurves([], math.inf, "max")


def test_real_curves_are_told_with_intervals_that_hold(shared_data: Path) -> None:
    """With 20 whole curves of SpikeNAS-Bench, 90 % intervals hold 80 to 98 % of 200 ends; ranks are no worse."""
    arrays = np.load(shared_data / "spikenas_curves" / "spikenas_cifar10.npz")
    rows = np.random.default_rng(3).permutation(np.flatnonzero(arrays["n_epochs"] == 100))[:220]
    scores = arrays["val_acc_x250"][rows] / 25_000
    study = StudyCurves([Curve.of(s) for s in scores[:20]], 100, "max")
    for cut in (10, 20, 40):
        forecasts = [study.forecast(Curve.of(s)) for s in scores[20:, :cut]]
        low, high = np.array([forecast.interval() for forecast in forecasts]).T
        ends = scores[20:, -1]
        assert 0.8 <= np.mean((low <= ends) & (ends <= high)) <= 0.98
        ranks = spearmanr([forecast.median for forecast in forecasts], ends).statistic
        assert ranks >= spearmanr(scores[20:, cut - 1], ends).statistic
