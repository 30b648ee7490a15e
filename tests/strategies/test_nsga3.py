"""NSGA-III keeps members near directions laid beforehand, breeds from them, and goes on whatever happens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from netwright.errors import UsageError
from netwright.space import SearchSpace
from netwright.strategies import Strategy
from netwright.strategies.nsga3 import NSGA3, _associate, fill_niches, normalised, reference_directions, survivors
from netwright.testing import Simulation, cell_space, check_hash_seed, check_strategy, example_spaces
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial, TrialState

THREE = (Objective("accuracy", "max"), Objective("latency_ms", "min"), Objective("params", "min"))
LIMITS = (Constraint("params", "<=", 5e5),)
SPACES = example_spaces()
FRONT = np.array([[9.0, 1, 2], [1, 8, 1], [2, 1, 7], [4, 4, 3], [3, 5, 2], [6, 2, 3]])


def test_directions_are_as_many_as_there_is_room_for() -> None:
    """Das and Dennis' numbers of points, C(p + k - 1, p), and a second layer inside where all would be on the edges."""
    shapes = [reference_directions(k, 20).shape for k in range(1, 9)]
    assert [(1, 1), (20, 2), (15, 3), (20, 4), (15 + 5, 5), (6 + 6, 6), (7 + 7, 7), (8 + 8, 8)] == shapes
    assert (91, 3) == reference_directions(3, 92).shape
    assert (210, 5) == reference_directions(5, 212).shape


@pytest.mark.parametrize("k", range(2, 9))
def test_directions_are_different_points_of_the_simplex(k: int) -> None:
    """No coordinate is negative, each row sums to 1, and none comes twice."""
    directions = reference_directions(k, 40)
    assert (directions >= 0).all()
    assert np.ones(len(directions)).tolist() == pytest.approx(directions.sum(axis=1).tolist())
    assert len(directions) == len(np.unique(directions.round(9), axis=0)) <= 40


def test_the_plane_through_the_extreme_points_is_at_one() -> None:
    """Extreme points (8, 0, 1), (0, 7, 0), (1, 0, 6) from the ideal: the plane meets the axes at 9.4, 7 and 47 / 7."""
    scaled = normalised(FRONT, np.ones(3), np.ones(6, dtype=bool))
    expected = (FRONT - 1) / np.array([9.4, 7.0, 47 / 7])
    assert expected.tolist() == [pytest.approx(row) for row in scaled.tolist()]
    assert [1.0, 1.0, 1.0] == pytest.approx(scaled[:3].sum(axis=1).tolist())


def test_without_such_a_plane_the_worst_of_the_front_is_at_one() -> None:
    """One point that is best in all but a bit has no plane; an objective without a range stays as it is."""
    values = np.array([[0.0, 2.0, 5.0], [4.0, 0.0, 5.0], [9.0, 9.0, 5.0]])
    scaled = normalised(values, np.array([0.0, 0.0, 5.0]), np.array([True, True, False]))
    assert [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [2.25, 4.5, 0.0]] == scaled.tolist()


def test_members_belong_to_the_nearest_direction() -> None:
    """Niches and distances are those of pymoo 0.6.2 (associate_to_niches) with the same ideal point and intercepts."""
    niche, distance = _associate((FRONT - 1) / np.array([8.0, 7.0, 6.0]), reference_directions(3, 6))
    assert [5, 2, 0, 4, 4, 3] == niche.tolist()
    assert [0.166667, 0.0, 0.125, 0.335479, 0.281844, 0.250884] == pytest.approx(distance.tolist(), abs=1e-6)


def test_empty_niches_are_filled_first_and_by_their_nearest() -> None:
    """Directions 1 and 2 have nobody yet: each gets its nearest, and direction 0, which has one, comes last."""
    counts, niche = np.array([1, 0, 0, 0]), np.array([0, 1, 1, 2, 2])
    distance = np.array([0.0, 0.3, 0.2, 0.1, 0.4])
    for seed in range(5):
        rng = np.random.default_rng(seed)
        assert [2, 3] == fill_niches(counts, niche, distance, 2, rng)
        assert 5 == len(fill_niches(counts, niche, distance, 5, rng))
        assert {2, 3} < set(fill_niches(counts, niche, distance, 3, rng))


def test_better_fronts_stay_whole_and_the_next_one_gives_who_is_missing() -> None:
    """Of three fronts of 2, 3 and 1, four members stay: the first front and, of the second, those that spread."""
    values = np.array([[0.0, 4.0], [4.0, 0.0], [1.0, 5.0], [5.0, 1.0], [4.9, 1.1], [9.0, 9.0]])
    directions = reference_directions(2, 3)
    stay = survivors(values, 4, directions, np.zeros(2), np.random.default_rng(0))
    assert {0, 1} < set(stay)
    assert 4 == len(stay)
    assert 5 not in stay


def extremes(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
    """Every architecture is on the front of three objectives that sum to a constant."""
    value = int(architecture.id, 16)
    a, b = sorted(((value % 1000) / 999, (value // 1000 % 1000) / 999))
    return {"accuracy": -a, "latency_ms": b - a, "params": 1 - b}


def test_the_population_spreads_where_everybody_is_on_the_front() -> None:
    """Of 150 points spread over a plane, the 15 that stay are near 15 different directions, but for a few."""
    strategy = NSGA3(cell_space(), objectives=THREE, population=15)
    Simulation(strategy, cell_space(), extremes).run(150)
    values = np.array([individual.score.values for individual in strategy._population])
    niche, _ = _associate(values, reference_directions(3, 15))
    assert len(set(niche.tolist())) >= 12


def test_children_have_two_parents_of_the_population() -> None:
    """After the first random population every child is crossed, unless both draws gave the same parent."""
    simulation = Simulation(NSGA3(cell_space(), objectives=THREE, population=8), cell_space()).run(40)
    assert {"random"} == {p.origin for p in simulation.asked[:8]}
    assert {("crossover", 2), ("mutation", 1)} == {(p.origin, len(set(p.parents))) for p in simulation.asked[8:]}


def told(scores: list[tuple[float, float]]) -> NSGA3:
    """A search of one objective told trials of these accuracies and sizes, of which 3 is allowed."""
    strategy = NSGA3(cell_space(), constraints=(Constraint("size", "<=", 3.0),), population=3)
    rng = np.random.default_rng(0)
    for number, (accuracy, size) in enumerate(scores):
        metrics = {"accuracy": accuracy, "size": size}
        proposal = Proposal(cell_space().sample(rng))
        strategy.tell([Trial(number, proposal, 0, TrialState.FINISHED, metrics)])
    return strategy


def test_the_infeasible_leave_first_by_their_excess_and_yield_as_parents() -> None:
    """Feasible trials stay whatever they score, then the least infeasible; a pair with one gives the feasible one."""
    strategy = told([(0.9, 9.0), (0.8, 6.0), (0.1, 2.0), (0.2, 1.0), (0.9, 8.0)])
    assert [1, 2, 3] == sorted(individual.trial_id for individual in strategy._population)
    drawn = [strategy._select().trial_id for _ in range(900)]
    assert abs(drawn.count(1) - 100) < 5 * 9.5  # both of two draws
    assert abs(drawn.count(2) - 400) < 5 * 15


def test_nothing_is_bred_from_failures() -> None:
    """While every trial failed, proposals stay random."""
    simulation = Simulation(NSGA3(cell_space()), cell_space(), state=TrialState.FAILED).run(40)
    assert {"random"} == {p.origin for p in simulation.asked}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"population": 2}, "population must be >= 3, for 3 objectives, got 2"),
        ({"crossover": -1}, r"crossover must be in \[0, 1\], got -1"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    """The error names argument, value and range."""
    with pytest.raises(UsageError, match=message):
        NSGA3(cell_space(), objectives=THREE, **options)


def nsga3_three(space: SearchSpace, seed: int) -> Strategy:
    return NSGA3(space, seed=seed, objectives=THREE, constraints=LIMITS, population=10)


@pytest.mark.parametrize("space", SPACES)
def test_it_keeps_the_protocol_on_every_kind_of_space(space: str) -> None:
    """It passes the conformance suite with three objectives and a limit."""
    check_strategy(nsga3_three, spaces={space: SPACES[space]}, other_process=False)


@pytest.mark.slow
def test_it_does_not_depend_on_the_hash_seed() -> None:
    """Interpreters with other hash seeds propose the same."""
    check_hash_seed(nsga3_three)
