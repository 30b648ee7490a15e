"""The parametric ensemble: curves of known ends, evidence against a formula written out, and curves of every kind."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest
from curve_makers import HORIZON, falling, rising
from scipy.stats import multivariate_normal, spearmanr

from netwright.errors import SpecError
from netwright.predictors.curves import Curve, extrapolate, extrapolate_many, extrapolate_together
from netwright.predictors.curves.families import shapes
from netwright.predictors.curves.posterior import GAIN, LEAST_STD, NOISES, START_STD, WANDERS, Setting, posterior


@pytest.mark.parametrize("length", [10, 20, 40])
def test_ends_of_curves_of_a_family_are_found(length: int) -> None:
    """A power law and an exponential with little noise end within the 90 % interval and nearby."""
    accuracy, loss = rising(0.9, noise=0.002, length=length), falling(0.4, noise=0.005, length=length)
    for curve, end, direction in ((accuracy, 0.9, "max"), (loss, 0.4, "min")):
        forecast = extrapolate(curve, HORIZON, direction)  # type: ignore[arg-type]
        low, high = forecast.interval(0.9)
        assert low < end < high
        assert abs(forecast.median - end) < 0.75 * abs(curve.scores[-1] - end) + 0.005


def test_a_longer_beginning_is_surer() -> None:
    """The interval gets narrower with what is seen."""
    widths = []
    for length in (5, 10, 20, 40):
        low, high = extrapolate(rising(0.9, noise=0.002, length=length), HORIZON, "max").interval()
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)


def test_evidence_and_prediction_are_those_of_a_gaussian() -> None:
    """For one shape they equal the density and the conditional mean of a joint normal distribution, written out."""
    epochs, horizon = np.array([1.0, 2.0, 3.0, 5.0]), 20.0
    fall = shapes(epochs, horizon)[0].falls[2]
    curve = np.array([-1.0, -0.6, -0.3, 0.0])
    logs, means, stds = posterior(fall[None], curve[None], Setting(epochs, np.ones(4), horizon))
    place, (noise, wander) = 2, (NOISES[2], WANDERS[0])  # no shrinking, first wander, one shape: the noises in order
    falls = np.append(fall, 0.0)
    basis, along = np.stack([1 - falls, falls], axis=1), np.log(np.append(epochs, horizon))
    reach = np.log(horizon / epochs[-1])
    prior = np.diag([(LEAST_STD + GAIN[1] * reach) ** 2, START_STD**2])
    wandering = noise**2 * (np.eye(5) + wander * np.minimum.outer(along, along))
    mean, covariance = basis @ [GAIN[0] * reach, -1.0], basis @ prior @ basis.T + wandering
    seen = covariance[:4, :4]
    gain = covariance[4, :4] @ np.linalg.inv(seen)
    count = len(logs)
    expected = multivariate_normal(mean[:4], seen).logpdf(curve) + 2 * np.log(2 * np.pi) - np.log(count)
    assert pytest.approx(expected, rel=1e-6) == logs[place, 0]
    assert pytest.approx(mean[4] + gain @ (curve - mean[:4]), rel=1e-6) == means[place, 0]
    assert pytest.approx(np.sqrt(covariance[4, 4] - gain @ covariance[:4, 4]), rel=1e-6) == stds[place, 0]


def test_shapes_fall_from_one_to_zero() -> None:
    """Every shape is 1 at the first epoch, never rises, and would be 0 at the horizon."""
    for family in shapes(np.array([1.0, 2.0, 4.0, 9.999]), 10.0):
        assert np.allclose(family.falls[:, 0], 1.0)
        assert (np.diff(family.falls, axis=1) <= 1e-12).all()
        assert (family.falls[:, -1] < 0.01).all()


def test_scores_may_be_in_any_unit_and_direction() -> None:
    """A curve in per cent, or turned upside down, has the same forecast in per cent, or upside down."""
    curve = rising(0.9, noise=0.01, length=15)
    plain = np.array(extrapolate(curve, HORIZON, "max").values)
    percent = extrapolate(Curve.of([100 * s for s in curve.scores]), HORIZON, "max")
    np.testing.assert_allclose(100 * plain, percent.values, rtol=1e-9)
    log_loss = falling(-5.0, noise=0.01, length=15)  # all scores are negative: no vapour pressure either way round
    least = np.array(extrapolate(log_loss, HORIZON, "min").values)
    moved = extrapolate(Curve.of([s - 100 for s in log_loss.scores]), HORIZON, "min")
    np.testing.assert_allclose(least - 100, moved.values, rtol=1e-6)


ODD = {
    "constant": [0.1] * 12,
    "zero": [0.0] * 12,
    "one point": [0.3],
    "two points": [0.3, 0.4],
    "nan inside": [0.2, math.nan, 0.4, math.nan, 0.5, 0.55],
    "nan at the end": [0.2, 0.3, 0.4, math.nan],
    "plateau, then a rise": [0.1] * 8 + [0.3, 0.4, 0.5],
    "warm restart": [0.3, 0.5, 0.6, 0.65, 0.4, 0.55, 0.63, 0.68],
    "spike": [0.3, 0.5, 0.55, 1e9, 0.6, 0.62],
    "diverging": [2.0, 1.5, 1.6, 3.0, 9.0, 80.0, 1e4, 1e12],
    "huge": [1e300, 9e299, 8.5e299],
    "tiny": [1e-300, 2e-300, 3e-300],
}


@pytest.mark.parametrize("direction", ["max", "min"])
@pytest.mark.parametrize("name", list(ODD))
def test_curves_of_every_kind_have_a_finite_forecast(name: str, direction: str) -> None:
    """Its values rise and are finite, and what is seen is not far from it."""
    forecast = extrapolate(Curve.of(ODD[name]), HORIZON, direction)  # type: ignore[arg-type]
    values = np.array(forecast.values)
    assert np.isfinite(values).all()
    assert (np.diff(values) >= 0).all()
    seen = np.array([s for s in ODD[name] if math.isfinite(s)])
    assert values[0] <= seen.max()
    assert values[-1] >= seen.min()


def test_a_broken_network_is_not_expected_to_recover() -> None:
    """Ten scores of chance level are followed by chance level."""
    low, high = extrapolate(Curve.of([0.1, 0.1001, 0.0999] * 4), HORIZON, "max").interval()
    assert 0.08 < low < high < 0.12


def test_a_spike_does_little_harm() -> None:
    """One score of a thousand moves the forecast by less than a fifth of the gain so far."""
    scores = list(rising(0.9, noise=0.002, length=20).scores)
    plain = extrapolate(Curve.of(scores), HORIZON, "max").median
    scores[9] = 1000.0
    assert abs(extrapolate(Curve.of(scores), HORIZON, "max").median - plain) < 0.2 * (scores[-1] - scores[0])


def test_what_was_seen_at_the_horizon_is_told() -> None:
    """A whole curve has its last score; what lies beyond the horizon is not looked at."""
    assert extrapolate(rising(0.9), HORIZON, "max").values == (rising(0.9).scores[-1],)
    assert extrapolate(Curve.of([0.1, 0.2, 0.9]), 2, "max").values == (0.2,)


def test_what_cannot_be_extrapolated_is_refused() -> None:
    """No finite score, no horizon, no direction: each is an error that says so."""
    with pytest.raises(SpecError, match="scores must be at least one that is finite"):
        extrapolate(Curve.of([math.nan, math.inf]), HORIZON, "max")
    with pytest.raises(SpecError, match="horizon must be finite and > 0, got 0"):
        extrapolate(rising(0.9), 0, "max")
    with pytest.raises(SpecError, match="direction must be"):
        extrapolate(rising(0.9), HORIZON, "best")  # type: ignore[arg-type]


def test_many_curves_have_the_forecasts_they_have_alone() -> None:
    """Curves of different epochs, in any order, do not disturb one another."""
    curves = [rising(0.9, noise=0.01, length=length, seed=length) for length in (10, 20, 10, HORIZON)]
    curves.append(Curve.of([0.2, math.nan, 0.4]))
    for curve, together in zip(curves, extrapolate_many(curves, HORIZON, "max"), strict=True):
        np.testing.assert_allclose(extrapolate(curve, HORIZON, "max").values, together.values, rtol=1e-8)


def test_long_curves_are_thinned_and_still_right() -> None:
    """Two thousand scores of a power law are extrapolated to twice as many."""
    x = np.arange(1, 4001)
    scores = 0.9 - 0.6 * x**-0.3 + 0.002 * np.random.default_rng(0).normal(size=4000)
    forecast = extrapolate(Curve.of(scores[:2000].tolist()), 4000, "max")
    assert pytest.approx(0.9 - 0.6 * 4000**-0.3, abs=0.01) == forecast.median


def test_together_curves_rank_better_than_alone() -> None:
    """Of noisy beginnings that gain alike, the ranks told together are nearer to the truth."""
    finals = np.linspace(0.8, 0.9, 30)
    curves = [rising(final, noise=0.01, length=12, seed=i) for i, final in enumerate(finals)]
    alone = [f.median for f in extrapolate_many(curves, HORIZON, "max")]
    together = [f.median for f in extrapolate_together(curves, HORIZON, "max")]
    assert spearmanr(together, finals).statistic > max(0.9, spearmanr(alone, finals).statistic)


def test_a_broken_network_among_sound_ones_stays_broken() -> None:
    """What is sure of its own gain keeps it."""
    curves = [rising(0.8 + 0.01 * i, noise=0.01, length=12, seed=i) for i in range(10)]
    forecasts = extrapolate_together([Curve.of([0.1] * 12), *curves], HORIZON, "max")
    assert forecasts[0].interval()[1] < 0.15


def test_one_curve_takes_at_most_fifty_milliseconds() -> None:
    """Forty scores, alone; processor time, the best of five."""
    curve, times_s = rising(0.9, noise=0.01, length=40), []
    for _ in range(5):
        began_s = time.process_time()
        extrapolate(curve, HORIZON, "max")
        times_s.append(time.process_time() - began_s)
    assert min(times_s) < 0.05


@pytest.mark.parametrize("cut", [10, 20, 40])
def test_real_curves_rank_no_worse_than_by_their_last_score(shared_data: Path, cut: int) -> None:
    """On 150 accuracy curves of SpikeNAS-Bench, extrapolated together; the error is smaller."""
    arrays = np.load(shared_data / "spikenas_curves" / "spikenas_cifar10.npz")
    rows = np.flatnonzero(arrays["n_epochs"] == 100)[::99][:150]
    scores = arrays["val_acc_x250"][rows] / 25_000
    told = extrapolate_together([Curve.of(s) for s in scores[:, :cut]], 100, "max")
    medians = np.array([forecast.median for forecast in told])
    last, ends = scores[:, cut - 1], scores[:, -1]
    assert spearmanr(medians, ends).statistic >= spearmanr(last, ends).statistic
    assert np.abs(medians - ends).mean() < np.abs(last - ends).mean()
