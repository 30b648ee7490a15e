"""One ranking from several label-free scores."""

import math

import numpy as np
import pytest

from netwright.errors import UsageError
from netwright.evaluation.proxies.ensemble import DEFAULT, aggregate, num_not_finite, rank_shares


def test_sum_of_logarithms_of_ranks() -> None:
    """The aggregate is the sum of the logarithms of the ranks as shares of the table."""
    told = aggregate({"a": [1.0, 2.0, 4.0, 3.0], "b": [1.0, 3.0, 2.0, 4.0]})
    expected = [2 * math.log(1 / 4), math.log(2 / 4 * 3 / 4), math.log(4 / 4 * 2 / 4), math.log(3 / 4 * 4 / 4)]
    np.testing.assert_allclose(expected, told)


def test_one_bad_rank_outweighs_a_better_one() -> None:
    """Of two architectures whose ranks have the same sum, the even one is better."""
    even, uneven = aggregate({"a": [3.0, 5.0, 1, 2, 4], "b": [3.0, 1.0, 2, 4, 5]})[:2]
    assert even > uneven


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_not_finite_ranks_last(bad: float) -> None:
    """NaN and both infinities rank below every finite score, and are counted."""
    scores = {"a": [bad, -1e300, 0.0]}
    assert int(np.argmin(aggregate(scores))) == 0
    assert {"a": 1} == num_not_finite(scores)


def test_constant_columns_are_ignored() -> None:
    """A score that is the same for all changes nothing, nor does one that is nowhere finite."""
    alone = aggregate({"a": [1.0, 3.0, 2.0]})
    with_others = aggregate({"a": [1.0, 3.0, 2.0], "same": [5.0] * 3, "none": [math.nan] * 3})
    np.testing.assert_array_equal(alone, with_others)


def test_only_constant_columns() -> None:
    """Where no score tells architectures apart, all are equal."""
    assert [0.0, 0.0] == aggregate({"a": [1.0, 1.0]}).tolist()


def test_monotone_changes_of_scale_change_nothing() -> None:
    """Only the order within a score counts."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50))
    np.testing.assert_array_equal(aggregate({"a": a, "b": b}), aggregate({"a": np.exp(a), "b": 10 * b + 3}))


def test_equal_scores_share_a_rank() -> None:
    """The order of the table never decides between equal scores."""
    assert [0.375, 0.375, 1.0, 0.75] == rank_shares([1.0, 1.0, 3.0, 2.0]).tolist()


@pytest.mark.parametrize("scores", [{}, {"a": []}, {"a": [1.0], "b": [1.0, 2.0]}, {"a": [[1.0]]}])
def test_tables_that_cannot_be(scores: dict[str, list[float]]) -> None:
    """No scores, no architectures, and columns of different lengths are refused."""
    with pytest.raises(UsageError, match="scores must be at least one column"):
        aggregate(scores)


def test_default_has_no_doubles() -> None:
    """The default ensemble names each score once."""
    assert len(DEFAULT) == len(set(DEFAULT))
