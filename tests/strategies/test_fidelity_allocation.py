"""How evaluations are shared among fidelities."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.strategies.fidelity_allocation import ladder, shares
from netwright.types import Fidelity


def test_a_ladder_ends_at_the_full_fidelity_with_wide_steps() -> None:
    """Of ten fidelities those far enough apart stay; the last is always there."""
    epochs = [f.epochs for f in ladder([Fidelity(epochs=e) for e in range(10, 101, 10)])]
    assert [10, 30, 100] == epochs
    assert (Fidelity(),) == ladder([Fidelity()])


def test_few_low_evaluations_where_they_say_little() -> None:
    """The better a cheap fidelity ranks, the more evaluations it has; below a bound it has none."""
    costs = [1 / 17, 1.0]
    of_low = [shares(costs, [correlation, 1.0])[0] for correlation in (0.0, 0.4, 0.6, 0.8, 0.95)]
    assert [0.0, 0.0] == of_low[:2]
    assert 0 < of_low[2] < of_low[3] < of_low[4]


def test_a_fidelity_that_costs_as_much_as_the_full_one_has_no_share() -> None:
    """What saves nothing is not paid for."""
    assert shares([0.9, 1.0], [0.8, 1.0])[0] == 0


def test_a_level_that_says_no_more_than_a_cheaper_one_is_dropped() -> None:
    """Of three levels the middle one is left out where it misleads; the others keep their shares."""
    share = shares([0.02, 0.2, 1.0], [0.9, 0.5, 1.0])
    np.testing.assert_allclose(share[[0, 2]], shares([0.02, 1.0], [0.9, 1.0]))
    assert share[1] == 0


@pytest.mark.parametrize("correlation", [1.0, 0.99999])
def test_a_perfect_cheap_fidelity_leaves_some_full_evaluations(correlation: float) -> None:
    """Shares stay finite, so that there is an incumbent."""
    assert 1 < shares([0.01, 1.0], [correlation, 1.0])[0] < 2000


def test_a_single_fidelity_has_everything() -> None:
    """Without a cheap fidelity the search is one at the full fidelity."""
    assert shares([5.0], [1.0]).tolist() == [1.0]
