"""Rank statistics against scipy, and what they say of columns that hold no number or no order."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from netwright.evaluation.rank_statistics import explained, spearman, spearman_interval, top_share


def test_correlations_are_those_of_scipy() -> None:
    """Ties included."""
    rng = np.random.default_rng(0)
    a = rng.integers(0, 8, 60).astype(float)
    b = a + rng.normal(0, 3, 60)
    assert pytest.approx(spearmanr(a, b).statistic, abs=1e-12) == spearman(a, b)
    assert -spearman(a, b) == pytest.approx(spearman(a, -b))


def test_what_is_not_finite_is_left_out() -> None:
    """Two scores that fail on the same networks do not agree because of that."""
    a = np.array([3.0, 1.0, 2.0, 4.0, np.nan, -np.inf, np.inf])
    b = np.array([1.0, 3.0, 2.0, 0.0, np.nan, -np.inf, np.inf])
    assert -1.0 == spearman(a, b)


@pytest.mark.parametrize("b", [[1.0, 1.0, 1.0], [1.0, 2.0, math.nan]])
def test_there_is_no_correlation_without_an_order(b: list[float]) -> None:
    """A constant column, or two pairs, say nothing."""
    assert math.isnan(spearman(np.array([1.0, 2.0, 3.0]), np.array(b)))


def test_intervals_cover_the_true_correlation() -> None:
    """Of normal pairs, in about 95 of 100 samples."""
    rng, rho = np.random.default_rng(0), 0.6
    true = 6 / math.pi * math.asin(rho / 2)
    covered = 0
    for _ in range(400):
        a = rng.normal(size=50)
        b = rho * a + math.sqrt(1 - rho**2) * rng.normal(size=50)
        low, high = spearman_interval(spearman(a, b), 50)
        covered += low <= true <= high
    assert 0.92 <= covered / 400 <= 0.98


def test_an_interval_of_few_pairs_is_unknown() -> None:
    """Three pairs say nothing of a spread; a perfect correlation has a finite interval."""
    assert all(math.isnan(end) for end in spearman_interval(0.5, 3))
    low, high = spearman_interval(1.0, 10)
    assert 0.99 < low <= high <= 1.0


def test_how_much_of_a_score_sizes_explain() -> None:
    """All of what repeats them in any monotone form, nothing of noise, and a constant size does not disturb."""
    rng = np.random.default_rng(0)
    size, constant = rng.normal(size=500), np.ones(500)
    assert 1.0 == explained(np.exp(size), [size, constant])
    assert explained(rng.normal(size=500), [size]) < 0.02
    assert pytest.approx(spearman(size, size + rng.normal(size=500) * 0) ** 2) == explained(size, [size])
    assert math.isnan(explained(constant, [size]))
    assert math.isnan(explained(size, []))
    assert 1.0 == explained(size, [size, np.full(500, np.nan)])


def test_the_top_has_no_infinite_scores() -> None:
    """Infinity is a failure of a proxy, not a good network."""
    assert [False, False, True, True] == top_share(np.array([math.inf, 1.0, 3.0, 2.0]), 0.5).tolist()
