"""Forecasts as distributions, against those written out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from netwright.errors import SpecError
from netwright.predictors.curves import Forecast
from netwright.predictors.curves.forecast import PROBABILITIES


def normal(mean: float, std: float) -> Forecast:
    return Forecast(tuple(norm.ppf(PROBABILITIES, mean, std).tolist()))


def test_a_normal_distribution_has_its_own_mean_deviation_and_interval() -> None:
    """They agree with the formulas to the resolution of half a per cent."""
    forecast = normal(0.8, 0.02)
    assert pytest.approx(0.8, abs=1e-9) == forecast.mean
    assert pytest.approx(0.8, abs=1e-9) == forecast.median
    assert pytest.approx(0.02, rel=0.02) == forecast.std
    assert pytest.approx((0.8 - 1.645 * 0.02, 0.8 + 1.645 * 0.02), abs=2e-4) == forecast.interval(0.9)


@pytest.mark.parametrize("than", [0.75, 0.8, 0.83])
def test_the_probability_to_be_better_is_that_of_the_tail(than: float) -> None:
    """For a score that is to be large it is the upper tail, for one that is to be small the lower one."""
    forecast = normal(0.8, 0.02)
    assert pytest.approx(norm.sf(than, 0.8, 0.02), abs=0.005) == forecast.probability_better(than, "max")
    assert pytest.approx(norm.cdf(than, 0.8, 0.02), abs=0.005) == forecast.probability_better(than, "min")


def test_what_is_certain_is_better_or_not() -> None:
    """An equal score is not better, in either direction."""
    known = Forecast.certain(0.5)
    assert [known.probability_better(than, "max") for than in (0.4, 0.5, 0.6)] == [1.0, 0.0, 0.0]
    assert [known.probability_better(than, "min") for than in (0.4, 0.5, 0.6)] == [0.0, 0.0, 1.0]


def test_a_mixture_is_weighted() -> None:
    """A tenth of the weight at 0 and the rest around 1 has the tenth in its lower tail."""
    values = np.concatenate([[0.0], np.linspace(1, 1.1, 9)])
    forecast = Forecast.of_mixture(values, np.full(10, 0.1))
    assert pytest.approx(0.9, abs=0.06) == forecast.probability_better(0.5, "max")
    assert list(forecast.values) == sorted(forecast.values)


def test_impossible_scores_are_clipped_and_wrong_arguments_refused() -> None:
    """No accuracy is above 1; a coverage of 1 and an unknown direction are errors."""
    assert max(normal(0.99, 0.05).clipped(0.0, 1.0).values) == 1.0
    with pytest.raises(SpecError, match=r"coverage must be in \(0, 1\), got 1"):
        normal(0, 1).interval(1)
    with pytest.raises(SpecError, match="direction must be 'max' or 'min', got 'up'"):
        normal(0, 1).probability_better(0, "up")  # type: ignore[arg-type]
