"""Orders among trials: domination, non-dominated sorting, crowding, feasible first, tournaments."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import UsageError
from netwright.strategies.operators import (
    FAILED,
    Score,
    Scorer,
    Tier,
    best_first_order,
    crowding_distance,
    dominates,
    improves,
    pareto_rank,
    tournament,
)
from netwright.types import Architecture, Constraint, Objective, Proposal, Trial, TrialState

ACCURACY = (Objective("accuracy", "max"),)
LIMIT = (Constraint("params", "<=", 100.0), Constraint("latency_ms", "<=", 2.0))


def ended(state: TrialState = TrialState.FINISHED, **metrics: float) -> Trial:
    return Trial(0, Proposal(Architecture({})), 0, state, metrics)


def points(dimension: int) -> st.SearchStrategy[list[tuple[float, ...]]]:
    number = st.integers(0, 5).map(float)  # few values, so that ties and duplicates are common
    return st.lists(st.tuples(*[number] * dimension), max_size=25)


def brute_force_rank(values: list[tuple[float, ...]]) -> list[int]:
    ranks: dict[int, int] = {}
    while len(ranks) < len(values):
        left = [i for i in range(len(values)) if i not in ranks]
        front = [i for i in left if not any(dominates(values[j], values[i]) for j in left)]
        ranks.update(dict.fromkeys(front, max(ranks.values(), default=-1) + 1))
    return [ranks[i] for i in range(len(values))]


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.one_of(points(1), points(2), points(3), points(4)))
def test_pareto_rank_equals_peeling_off_fronts(values: list[tuple[float, ...]]) -> None:
    """Non-dominated sorting gives the ranks found by removing the undominated points again and again."""
    assert brute_force_rank(values) == pareto_rank(values)


def test_domination_needs_a_strictly_better_value() -> None:
    """Equal points do not dominate each other, and trade-offs neither."""
    assert [
        dominates((1.0, 1.0), (1.0, 2.0)),
        dominates((1.0, 1.0), (1.0, 1.0)),
        dominates((1.0, 3.0), (2.0, 2.0)),
    ] == [True, False, False]


def test_crowding_is_infinite_at_the_ends_and_the_relative_gap_inside() -> None:
    """Crowding follows Deb's definition on a front worked out by hand."""
    front = [(0.0, 10.0), (1.0, 6.0), (3.0, 5.0), (4.0, 0.0)]
    assert [math.inf, 3 / 4 + 5 / 10, 3 / 4 + 6 / 10, math.inf] == crowding_distance(front)


def test_crowding_of_equal_points_is_a_number() -> None:
    """An objective without range adds nothing instead of dividing by zero."""
    assert [math.inf, 0.0, math.inf] == crowding_distance([(1.0, 1.0)] * 3)


def test_feasible_beats_infeasible_beats_failed() -> None:
    """The order is feasible by value, infeasible by excess, failed last."""
    scores = [FAILED, Score(Tier.INFEASIBLE, 0.5), Score(Tier.FEASIBLE, 0.0, (3.0,)), Score(Tier.INFEASIBLE, 0.1)]
    assert best_first_order(scores) == [2, 3, 1, 0]


def test_of_one_front_the_less_crowded_come_first() -> None:
    """With two objectives, the order is by front, then by room, then as given."""
    values = [(3.0, 3.0), (0.0, 4.0), (1.0, 2.9), (1.1, 2.8), (4.0, 0.0)]
    scores = [Score(Tier.FEASIBLE, 0.0, v) for v in values]
    assert best_first_order(scores) == [1, 4, 3, 2, 0]


@pytest.mark.parametrize(
    ("trial", "expected"),
    [
        (ended(accuracy=0.9, params=50.0, latency_ms=1.0), Score(Tier.FEASIBLE, 0.0, (-0.9,))),
        (ended(accuracy=0.9, params=150.0, latency_ms=3.0), Score(Tier.INFEASIBLE, 1.0)),
        (ended(accuracy=0.9, params=50.0), Score(Tier.INFEASIBLE, math.inf)),
        (ended(accuracy=math.nan, params=50.0, latency_ms=1.0), FAILED),
        (ended(accuracy=-math.inf, params=50.0, latency_ms=1.0), FAILED),
        (ended(params=50.0, latency_ms=1.0), FAILED),
        (ended(TrialState.FAILED, accuracy=0.9), FAILED),
        (ended(TrialState.INFEASIBLE, params=150.0), Score(Tier.INFEASIBLE, 0.5)),
        (ended(TrialState.INFEASIBLE), Score(Tier.INFEASIBLE, math.inf)),
        (ended(TrialState.INFEASIBLE, params=50.0), Score(Tier.INFEASIBLE, math.inf)),
    ],
)
def test_a_trial_is_scored_by_its_state_its_limits_and_its_objectives(trial: Trial, expected: Score) -> None:
    """Each way a trial can end has its score; a number that is not finite is a failure."""
    assert expected == Scorer(ACCURACY, LIMIT)(trial)


def test_a_scorer_needs_an_objective() -> None:
    """Without any objective nothing could be compared."""
    with pytest.raises(UsageError, match="objectives must be at least one objective"):
        Scorer(())


def test_improving_means_better_with_one_objective_and_not_matched_with_several() -> None:
    """A tie is no improvement; a trade-off is one in both directions."""
    one = Score(Tier.FEASIBLE, 0.0, (1.0,)), Score(Tier.FEASIBLE, 0.0, (2.0,))
    two = Score(Tier.FEASIBLE, 0.0, (1.0, 2.0)), Score(Tier.FEASIBLE, 0.0, (2.0, 1.0))
    assert [improves(*one), improves(one[1], one[0]), improves(one[0], one[0])] == [True, False, False]
    assert [improves(*two), improves(two[1], two[0]), improves(two[0], two[0])] == [True, True, False]


def test_a_tournament_of_size_s_is_won_by_the_best_with_the_known_probability() -> None:
    """Among 10, a tournament of 3 with replacement is won by the best in 1 - 0.9**3 of the draws (z < 5)."""
    rng = np.random.default_rng(0)
    places = [3, 1, 0, 2, 4, 5, 6, 7, 8, 9]
    wins = sum(tournament(places, 3, rng) == 2 for _ in range(4000))
    expected = 1 - 0.9**3
    assert abs(wins / 4000 - expected) < 5 * math.sqrt(expected * (1 - expected) / 4000)
