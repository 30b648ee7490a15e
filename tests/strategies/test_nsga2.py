"""NSGA-II keeps the best and most spread trials, breeds from them, and goes on whatever happens."""

from __future__ import annotations

from typing import Any

import pytest

from netwright.errors import UsageError
from netwright.space import Op, SearchSpace, choice
from netwright.strategies import RandomSearch, Strategy
from netwright.strategies.nsga2 import NSGA2
from netwright.testing import Simulation, cell_space, check_hash_seed, check_strategy, example_spaces
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial, TrialState

TWO = (Objective("accuracy", "max"), Objective("size", "min"))
SYNTHETIC = (Objective("accuracy", "max"), Objective("latency_ms", "min"))
LIMITS = (Constraint("params", "<=", 5e5),)
SPACES = example_spaces()


def wide_space() -> SearchSpace:
    """Four choices of ten values."""
    return SearchSpace(Op("conv", tuple((name, choice(name, list(range(10)))) for name in "abcd")))


def total(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
    a, b, c, d = (float(architecture[name]) for name in "abcd")  # type: ignore[arg-type]
    return {"accuracy": (a + b + c) / 27, "size": a + d}


def told(values: list[tuple[float, float]], **options: Any) -> NSGA2:
    """A search told trials of these accuracies and sizes."""
    strategy = NSGA2(wide_space(), objectives=TWO, **options)
    for number, (accuracy, size) in enumerate(values):
        architecture = wide_space().architecture({"a": number, "b": 0, "c": 0, "d": 0})
        metrics = {"accuracy": accuracy, "size": size}
        strategy.tell([Trial(number, Proposal(architecture), 0, TrialState.FINISHED, metrics)])
    return strategy


def kept(strategy: NSGA2) -> list[int]:
    return sorted(individual.trial_id for individual in strategy._best_first)


def test_the_dominated_leave_first_and_then_the_crowded() -> None:
    """The population of three keeps the ends of the front and, inside, the point that has most room."""
    front = [(0.1, 1.0), (0.9, 9.0), (0.5, 5.0)]
    assert [0, 1, 2] == kept(told([*front, (0.05, 2.0)], population=3))
    assert [0, 1, 3] == kept(told([*front[:2], (0.2, 2.0), (0.5, 5.0)], population=3))
    assert [0, 1, 2] == kept(told([*front, (0.15, 1.5)], population=3))


def test_the_order_of_the_front_is_that_of_the_crowded_comparison() -> None:
    """Best first: both ends, then by the sum of relative gaps (worked out by hand), then the dominated."""
    strategy = told([(0.4, 6.0), (0.0, 0.0), (1.0, 10.0), (0.2, 5.0), (0.1, 6.0)])
    # (0.2, 5): 0.4/1 + 6/10 = 1.0; (0.4, 6): 0.8/1 + 5/10 = 1.3
    assert [1, 2, 0, 3, 4] == [individual.trial_id for individual in strategy._best_first]


def test_the_first_population_is_random_and_then_children_have_parents_of_the_population() -> None:
    """Without crossover each child differs in one decision from its parent, and the parent was kept until then."""
    strategy = NSGA2(wide_space(), objectives=TWO, population=6, crossover=0.0)
    simulation = Simulation(strategy, wide_space(), total).run(6)
    while len(simulation.asked) < 40:
        members = kept(strategy)
        (child,) = [simulation.asked[i] for i in simulation.ask()]
        (parent,) = child.parents
        assert parent in members
        ancestor = simulation.asked[parent].architecture
        assert sum(ancestor[name] != value for name, value in child.architecture.items()) == 1
        simulation.tell(list(simulation.pending))
    assert [p.origin for p in simulation.asked] == ["random"] * 6 + ["mutation"] * 34


def test_crossover_has_two_different_parents() -> None:
    """With probability 1 of crossover a child has two parents, unless both tournaments gave the same one."""
    simulation = Simulation(NSGA2(wide_space(), objectives=TWO, population=6, crossover=1.0), wide_space(), total)
    children = simulation.run(60).asked[6:]
    assert {("crossover", 2), ("mutation", 1)} == {(p.origin, len(set(p.parents))) for p in children}
    assert sum(p.origin == "crossover" for p in children) > 30


def num_near_the_front(strategy: Strategy) -> int:
    """How many of trials 200 to 299 are within two steps of the front, whose accuracy is (size + 18) / 27."""
    simulation = Simulation(strategy, wide_space(), total).run(300)
    late = [total(p.architecture, Fidelity()) for p in simulation.asked[200:]]
    return sum(m["accuracy"] > (m["size"] + 15.5) / 27 for m in late)


def test_the_front_is_approached() -> None:
    """Of the late trials, several times as many are near the front as at random."""
    assert num_near_the_front(NSGA2(wide_space(), objectives=TWO)) > 4 * num_near_the_front(RandomSearch(wide_space()))


def test_feasible_trials_are_bred_from_first() -> None:
    """Under a limit, most late children keep it, though accuracy pulls the other way."""
    limit = (Constraint("size", "<=", 3.0),)
    simulation = Simulation(NSGA2(wide_space(), constraints=limit), wide_space(), total).run(120)
    late = [total(p.architecture, Fidelity())["size"] for p in simulation.asked[60:]]
    assert sum(size <= 3 for size in late) > 30


def test_nothing_is_bred_from_failures() -> None:
    """While every trial failed, proposals stay random."""
    simulation = Simulation(NSGA2(wide_space()), wide_space(), state=TrialState.FAILED).run(50)
    assert {p.origin for p in simulation.asked} == {"random"}


def test_one_objective_is_searched_too() -> None:
    """With one objective the population is the best so far, and the search climbs."""
    simulation = Simulation(NSGA2(wide_space()), wide_space(), total).run(150)
    best = max(t.metrics["accuracy"] for t in simulation.told)
    assert best >= 25 / 27


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"population": 1}, "population must be >= 2, got 1"),
        ({"crossover": 1.5}, r"crossover must be in \[0, 1\], got 1.5"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    """The error names argument, value and range."""
    with pytest.raises(UsageError, match=message):
        NSGA2(cell_space(), **options)


def nsga2_two(space: SearchSpace, seed: int) -> Strategy:
    return NSGA2(space, seed=seed, objectives=SYNTHETIC, constraints=LIMITS, population=10)


@pytest.mark.parametrize("space", SPACES)
def test_it_keeps_the_protocol_on_every_kind_of_space(space: str) -> None:
    """It passes the conformance suite with two objectives and a limit."""
    check_strategy(nsga2_two, spaces={space: SPACES[space]}, other_process=False)


@pytest.mark.slow
def test_it_does_not_depend_on_the_hash_seed() -> None:
    """Interpreters with other hash seeds propose the same."""
    check_hash_seed(nsga2_two)
