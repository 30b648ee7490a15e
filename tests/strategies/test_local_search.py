"""Local search climbs, stops at optima, starts again, and waits for nobody."""

from __future__ import annotations

import pytest

from netwright.errors import UsageError
from netwright.space import Op, SearchSpace, choice
from netwright.strategies import LocalSearch
from netwright.testing import Simulation
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial, TrialState


def grid_space(names: str = "abc", values: int = 6) -> SearchSpace:
    """Three choices of six values: 15 neighbours each."""
    return SearchSpace(Op("conv", tuple((name, choice(name, list(range(values)))) for name in names)))


def total(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
    numbers = [float(v) for v in architecture.values()]  # type: ignore[arg-type]
    return {"accuracy": sum(numbers), "size": numbers[0]}


def flat(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
    return {"accuracy": 0.5}


def test_first_improvement_goes_on_from_the_first_better_neighbour() -> None:
    """Each neighbour's parent is the best trial so far, until the optimum is reached."""
    simulation = Simulation(LocalSearch(grid_space(), num_starts=3), grid_space(), total)
    best = -1
    while best < 15:
        (trial_id,) = simulation.ask()
        proposal = simulation.asked[trial_id]
        if trial_id >= 3:
            leader = max(simulation.told, key=lambda t: t.metrics["accuracy"])
            assert (proposal.origin, proposal.parents) == ("neighbour", (leader.id,))
        simulation.tell([trial_id])
        best = max(best, simulation.told[-1].metrics["accuracy"])
    assert len(simulation.told) < 60


def test_best_improvement_tries_all_neighbours_before_it_moves() -> None:
    """All 15 neighbours of the start come first, and the next parent is the best of them."""
    strategy = LocalSearch(grid_space(), num_starts=1, first_improvement=False)
    simulation = Simulation(strategy, grid_space(), total).run(17)
    assert [p.parents for p in simulation.asked[1:16]] == [(0,)] * 15
    best = max(simulation.told[:16], key=lambda t: t.metrics["accuracy"])
    assert simulation.asked[16].parents == (best.id,)


def test_at_a_local_optimum_it_starts_again() -> None:
    """On a plateau nothing improves: 15 neighbours after a random start, then another start."""
    simulation = Simulation(LocalSearch(grid_space(), num_starts=1), grid_space(), flat).run(17)
    origins = [p.origin for p in simulation.asked]
    assert origins == ["random"] + ["neighbour"] * 15 + ["random"]


def test_while_neighbours_are_pending_the_next_climb_begins() -> None:
    """With all 15 neighbours out and none told, the next proposal is a start, not a wait."""
    simulation = Simulation(LocalSearch(grid_space(), num_starts=1), grid_space(), total).run(1)
    simulation.ask(15)
    simulation.ask(1)
    assert [p.origin for p in simulation.asked[1:]] == ["neighbour"] * 15 + ["random"]


def test_a_late_improvement_takes_its_own_climb_up_again() -> None:
    """A neighbour that comes back better after the restart is where the next neighbours are looked for."""
    space = grid_space()
    strategy = LocalSearch(space, num_starts=1, initial=[space.architecture({"a": 0, "b": 0, "c": 0})])
    simulation = Simulation(strategy, space, total).run(1)
    neighbours = simulation.ask(15)
    simulation.tell(simulation.ask(1))
    simulation.tell(neighbours[:1])
    (following,) = simulation.ask(1)
    assert simulation.asked[following].parents == (neighbours[0],)


def test_a_late_result_worse_than_its_climb_changes_nothing() -> None:
    """A bad neighbour of an old climb does not become a start of the new one."""
    space = grid_space()
    strategy = LocalSearch(space, num_starts=1, initial=[space.architecture({"a": 5, "b": 5, "c": 5})])
    simulation = Simulation(strategy, space, total).run(1)
    neighbours = simulation.ask(15)
    (start,) = simulation.ask(1)
    simulation.tell([*neighbours, start])
    (following,) = simulation.ask(1)
    assert simulation.asked[following].parents == (start,)


def test_warm_start_trials_are_starts_that_cost_nothing() -> None:
    """Told trials nobody asked for replace random starts, and the best of them is climbed from."""
    space = grid_space()
    strategy = LocalSearch(space, num_starts=2)
    known = [Proposal(space.architecture({"a": a, "b": 0, "c": 0})) for a in (1, 4)]
    strategy.tell([Trial(100 + i, p, 0, TrialState.FINISHED, {"accuracy": float(i)}) for i, p in enumerate(known)])
    assert [p.parents for p in strategy.ask(2)] == [(101,), (101,)]


def test_initial_architectures_are_proposed_though_warm_trials_suffice_as_starts() -> None:
    """What was given to be proposed first is proposed first."""
    space = grid_space()
    first = space.architecture({"a": 0, "b": 0, "c": 0})
    strategy = LocalSearch(space, num_starts=1, initial=[first])
    warm = Proposal(space.architecture({"a": 1, "b": 1, "c": 1}))
    strategy.tell([Trial(50, warm, 0, TrialState.FINISHED, {"accuracy": 0.0})])
    assert [strategy.ask(1)[0].architecture, strategy.ask(1)[0].parents] == [first, (50,)]


def test_several_objectives_find_the_whole_front() -> None:
    """Pareto local search finds every point of a front of six that are one step apart."""
    space = grid_space("ab")
    objectives = (Objective("accuracy", "max"), Objective("size", "min"))
    simulation = Simulation(LocalSearch(space, objectives=objectives, num_starts=1), space, total).run(34)
    found = {(p.architecture["a"], p.architecture["b"]) for p in simulation.asked}
    assert {(a, 5) for a in range(6)} <= found


def test_a_limit_is_climbed_into_first() -> None:
    """From beyond a limit, less excess is an improvement; within it, accuracy is."""
    space = grid_space()
    start = space.architecture({"a": 5, "b": 0, "c": 0})
    strategy = LocalSearch(space, initial=[start], num_starts=1, constraints=(Constraint("size", "<=", 1.0),))
    simulation = Simulation(strategy, space, total).run(60)
    feasible = [t.metrics["accuracy"] for t in simulation.told if t.metrics["size"] <= 1]
    assert max(feasible) == 11.0


@pytest.mark.parametrize("option", ["num_starts", "num_restarts"])
def test_numbers_of_starts_are_positive(option: str) -> None:
    """A climb has to start somewhere."""
    with pytest.raises(UsageError, match=f"{option} must be >= 1, got 0"):
        LocalSearch(grid_space(), **{option: 0})  # type: ignore[arg-type]
