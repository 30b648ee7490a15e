"""Regularized evolution follows the paper's algorithm."""

from __future__ import annotations

import pytest

from netwright.errors import UsageError
from netwright.space import Op, SearchSpace, choice
from netwright.strategies import RegularizedEvolution
from netwright.testing import Simulation, cell_space, tiny_space
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial, TrialState


def wide_space() -> SearchSpace:
    """Four choices of ten values."""
    return SearchSpace(Op("conv", tuple((name, choice(name, list(range(10)))) for name in "abcd")))


def total(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
    return {"accuracy": float(sum(architecture.values())) / 36, "size": float(architecture["a"])}  # type: ignore[arg-type]


def test_the_first_population_is_random_and_then_children_are_mutations_of_the_living() -> None:
    """After ``population`` random trials every child differs in one decision from one of the youngest trials."""
    simulation = Simulation(RegularizedEvolution(wide_space(), population=6, tournament=3), wide_space(), total)
    simulation.run(40)
    assert [p.origin for p in simulation.asked] == ["random"] * 6 + ["mutation"] * 34
    for number, child in enumerate(simulation.asked[6:], start=6):
        (parent,) = child.parents
        assert number - 6 <= parent < number
        ancestor = simulation.asked[parent].architecture
        assert sum(ancestor[name] != value for name, value in child.architecture.items()) == 1


def test_the_winner_of_a_large_tournament_is_mostly_the_best_of_the_living() -> None:
    """5 draws out of 5 hold the best with probability 0.67: about 64 of 95 parents are the best living trial."""
    simulation = Simulation(RegularizedEvolution(wide_space(), population=5, tournament=5), wide_space(), total)
    values = [t.metrics["accuracy"] for t in simulation.run(100).told]
    parents = [p.parents[0] for p in simulation.asked[5:]]
    hits = sum(values[parent] == max(values[i : i + 5]) for i, parent in enumerate(parents))
    assert 50 <= hits <= 80


def test_the_best_trial_ages_out() -> None:
    """A trial that nobody beats has children only until ``population`` younger ones have ended."""
    space = wide_space()
    strategy = RegularizedEvolution(space, population=3, tournament=3)
    best = Proposal(space.architecture({"a": 9, "b": 9, "c": 9, "d": 9}))
    strategy.tell([Trial(1000, best, 0, TrialState.FINISHED, {"accuracy": 1.0})])
    simulation = Simulation(strategy, space, total).run(40)
    last = max(i for i, p in enumerate(simulation.asked) if 1000 in p.parents)
    assert last <= 2 + 1


def test_crossover_has_two_parents() -> None:
    """With probability 1 of crossover, children name both parents and say so."""
    strategy = RegularizedEvolution(wide_space(), population=6, tournament=1, crossover=1.0)
    simulation = Simulation(strategy, wide_space(), total).run(30)
    children = simulation.asked[6:]
    assert {p.origin for p in children} == {"crossover"}
    assert all(len(p.parents) == 2 for p in children)


def test_infeasible_trials_lose_tournaments_against_feasible_ones() -> None:
    """Under a limit, evolution breeds within it: most late children keep it, though accuracy pulls the other way."""
    limit = (Constraint("size", "<=", 3.0),)
    strategy = RegularizedEvolution(wide_space(), constraints=limit)
    simulation = Simulation(strategy, wide_space(), total).run(120)
    late = [p.architecture["a"] for p in simulation.asked[60:]]
    unlimited = Simulation(RegularizedEvolution(wide_space()), wide_space(), total).run(120)
    late_unlimited = [p.architecture["a"] for p in unlimited.asked[60:]]
    assert sum(a <= 3 for a in late) > 40  # type: ignore[operator]
    assert sum(a <= 3 for a in late_unlimited) < 20  # type: ignore[operator]


def test_two_objectives_spread_along_the_front() -> None:
    """With two opposed objectives the population keeps both ends of the front."""
    objectives = (Objective("accuracy", "max"), Objective("size", "min"))
    simulation = Simulation(RegularizedEvolution(wide_space(), objectives=objectives), wide_space(), total).run(150)
    late = {p.architecture["a"] for p in simulation.asked[100:]}
    assert {0, 9} <= late


def test_nothing_is_bred_from_failures() -> None:
    """While every trial failed, proposals stay random."""
    simulation = Simulation(RegularizedEvolution(wide_space()), wide_space(), state=TrialState.FAILED).run(50)
    assert {p.origin for p in simulation.asked} == {"random"}


def test_it_climbs() -> None:
    """On a sum of decisions it finds the optimum's neighbourhood, where random search of that budget does not."""
    simulation = Simulation(RegularizedEvolution(wide_space()), wide_space(), total).run(150)
    assert max(t.metrics["accuracy"] for t in simulation.told) >= 34 / 36


def test_workers_never_wait() -> None:
    """A request for more than the population before any result is answered in full."""
    assert len(RegularizedEvolution(cell_space()).ask(50)) == 50


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"population": 5}, r"population must be >= tournament \(10\), got 5; raise population or lower tournament"),
        ({"tournament": 0}, "tournament must be >= 1, got 0"),
        ({"crossover": 1.5}, r"crossover must be in \[0, 1\], got 1.5"),
        ({"objectives": ()}, "objectives must be at least one objective"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], message: str) -> None:
    """Each message says what is allowed."""
    with pytest.raises(UsageError, match=message):
        RegularizedEvolution(tiny_space(), **options)  # type: ignore[arg-type]
