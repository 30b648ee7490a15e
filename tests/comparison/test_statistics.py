"""Means, intervals, tests: against numbers worked out by hand, and against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.comparison import statistics
from netwright.comparison.statistics import (
    area,
    compare_pairs,
    first_at_most,
    holm,
    mean_curve,
    median_of,
    percentile_95,
    t_quantile,
)
from netwright.errors import MissingDependencyError

NAN = math.nan


def test_an_interval_is_students() -> None:
    """Of 1, 2, 3: the mean 2, its standard error 1/sqrt(3), and t = 4.3027 with two degrees of freedom."""
    curve = mean_curve(np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]]))
    half = 4.3027 / math.sqrt(3)
    np.testing.assert_allclose([2.0, 5.0], curve.mean)
    np.testing.assert_allclose([2 - half, 5.0], curve.low)
    np.testing.assert_allclose([2 + half, 5.0], curve.high)


def test_one_seed_has_no_interval() -> None:
    """Its ends are the number itself."""
    curve = mean_curve(np.array([[1.0, 0.5]]))
    assert [1.0, 0.5] == curve.low.tolist() == curve.high.tolist()


def test_a_count_at_which_a_seed_has_nothing_has_no_mean() -> None:
    """A mean over the lucky seeds alone would be a lie."""
    curve = mean_curve(np.array([[NAN, 1.0], [2.0, 1.0]]))
    assert [True, False] == np.isnan(curve.mean).tolist() == np.isnan(curve.high).tolist()


def test_t_quantiles_agree_with_scipys() -> None:
    """For every number of seeds up to 500."""
    stats = pytest.importorskip("scipy.stats")
    ours = [t_quantile(degrees) for degrees in range(1, 500)]
    np.testing.assert_allclose([stats.t.ppf(0.975, degrees) for degrees in range(1, 500)], ours, atol=3e-4)


def test_holm_by_hand() -> None:
    """Four p-values: .005 x 4, .01 x 3, .03 x 2, .04 x 1, of which the last may not be below the one before."""
    np.testing.assert_allclose([0.03, 0.06, 0.06, 0.02], holm([0.01, 0.04, 0.03, 0.005]))
    assert [1.0, 1.0] == holm([0.6, 0.7])
    assert [] == holm([])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_order_and_is_between_none_and_bonferroni(p_values: list[float]) -> None:
    """Each corrected value lies between the value and that times their number."""
    corrected = holm(p_values)
    for p, q in zip(p_values, corrected, strict=True):
        assert p <= q <= min(1.0, p * len(p_values)) + 1e-12
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    assert sorted(corrected) == [corrected[i] for i in order]


def test_queries_until_a_loss_is_reached() -> None:
    """NaN is no loss, and what is never reached has no count."""
    losses = np.array([[NAN, 0.2, 0.1], [0.3, 0.3, 0.3], [0.1, 0.0, 0.0]])
    assert [3, None, 1] == first_at_most(losses, 0.1)


def test_what_was_not_reached_is_larger_than_all() -> None:
    """Medians and percentiles over seeds that never got there."""
    assert 3.5 == median_of([3, 4, None, 1])
    assert median_of([3, None, None]) is None
    assert 19 == percentile_95([*range(1, 20), None])
    assert percentile_95([*range(1, 19), None, None]) is None
    assert 5 == percentile_95([5])


def test_the_area_is_the_mean_loss_and_unknown_is_the_worst() -> None:
    """Three counts, of which the first is not known."""
    np.testing.assert_allclose([(9 + 2 + 1) / 3], area(np.array([[NAN, 2.0, 1.0]]), 9.0))


def test_pairs_are_compared_over_paired_seeds() -> None:
    """Of eight seeds of which all speak for b, Wilcoxon's exact two-sided p is 2/2^8."""
    pytest.importorskip("scipy")
    b = np.array([1.0, 5.0, 2.0, 8.0, 3.0, 9.0, 4.0, 7.0])
    a = b + np.linspace(0.1, 0.8, 8)
    (test,) = compare_pairs({"a": a, "b": b})
    assert ("a", "b", "b") == (test.a, test.b, test.better)
    np.testing.assert_allclose(2 / 2**8, test.p)
    np.testing.assert_allclose(0.45, test.difference)


def test_pairs_are_corrected_together() -> None:
    """Of three pairs, the smallest p is tripled."""
    pytest.importorskip("scipy")
    base = np.arange(8.0)
    tests = compare_pairs({"a": base + np.linspace(0.1, 0.8, 8), "b": base, "c": base})
    assert [3 * 2 / 2**8, 3 * 2 / 2**8, 1.0] == pytest.approx([t.p_holm for t in tests])
    assert [None] == [t.better for t in tests if t.a == "b"]


def test_roundings_are_no_differences() -> None:
    """Equal losses that were summed in another order do not differ."""
    pytest.importorskip("scipy")
    a = np.array([0.1 + 0.2, 0.3, 0.1 + 0.2] * 10)
    (test,) = compare_pairs({"a": a, "b": np.full(30, 0.3)})
    assert (1.0, None) == (test.p, test.better)


def test_without_scipy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for tests all the same is told what to install."""
    monkeypatch.setattr(statistics, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'netwright\[predictors\]'"):
        compare_pairs({"a": np.zeros(3), "b": np.zeros(3)})
