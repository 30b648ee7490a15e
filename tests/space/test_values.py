"""Sets of values and exact random numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.space.draws import below, weighted
from netwright.space.values import Continuous, Listed, Stepped, Subsets, Values, canonical, each


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6))
def test_subsets_are_numbered(length: int, low: int, extra: int) -> None:
    """Numbers and subsets are each other's opposite, smaller subsets first."""
    low = min(low, length)
    values = Subsets(tuple(range(length)), low, min(length, low + extra))
    expected = [c for k in range(low, values.max_size + 1) for c in itertools.combinations(range(length), k)]
    assert list(each(values)) == expected
    assert [values.position(list(reversed(v))) for v in expected] == list(range(values.size))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 4))
def test_ranges_are_numbered(low: int, high: int, step: int) -> None:
    """Numbers and values of a range are each other's opposite; an empty range has none."""
    values = Stepped(low, high, step)
    assert list(each(values)) == list(range(low, high + 1, step))
    inside = {v: i for i, v in enumerate(range(low, high + 1, step))}
    assert all(values.position(v) == inside.get(v) for v in range(-12, 12))


@pytest.mark.parametrize("values", [Listed((1, 2)), Stepped(1, 2), Subsets((1, 2), 0, 2), Continuous(1.0, 2.0)])
def test_foreign_values_are_refused(values: Values) -> None:
    """Flags, names, objects, NaN and infinity are no numbers."""
    for value in (True, "1", None, {}, float("nan"), float("inf"), (3,), [1, 1], 0):
        assert values.position(value) is None
        with pytest.raises(LookupError):
            canonical(values, value)


def test_shares_of_a_real() -> None:
    """Share and value are each other's opposite; a degenerate range has one value."""
    for values in (Continuous(1e-4, 1.0, log=True), Continuous(-2.0, 6.0)):
        for share in (0.0, 0.25, 1.0):
            assert values.share(values.at_share(share)) == pytest.approx(share)
    assert Continuous(1e-4, 1.0, log=True).at_share(0.5) == pytest.approx(1e-2)
    assert Continuous(2.0, 2.0).share(2.0) == 0.0


def test_draws_are_even_and_exact_beyond_64_bits() -> None:
    """Leading digits of draws below 3 * 2^100 are even, and weights of that size are followed."""
    rng = np.random.default_rng(0)
    thirds = np.bincount([below(rng, 3 << 100) >> 100 for _ in range(6_000)], minlength=3)
    assert thirds.sum() == 6_000
    assert abs(thirds - 2_000).max() < 200
    taken = np.bincount([weighted(rng, [1 << 100, 0, 3 << 100]) for _ in range(4_000)], minlength=3)
    assert taken[1] == 0
    assert abs(taken[2] - 3_000) < 150
    assert {below(rng, 1) for _ in range(5)} == {0}
