"""Hyperband's brackets: where they start, and how they share the budget."""

from __future__ import annotations

import pytest

from netwright.space import SearchSpace
from netwright.strategies import Strategy
from netwright.strategies.hyperband import Hyperband
from netwright.strategies.rungs import spaced
from netwright.testing import Simulation, cell_space, check_strategy, example_spaces
from netwright.types import Constraint, Fidelity, Objective

TWO = (Objective("accuracy", "max"), Objective("latency_ms", "min"))
LIMITS = (Constraint("params", "<=", 5e5),)
RUNGS = tuple(Fidelity(epochs=e) for e in (1, 3, 9))


def hyperband(space: SearchSpace, seed: int) -> Strategy:
    return Hyperband(space, seed=seed, fidelities=RUNGS)


def hyperband_two(space: SearchSpace, seed: int) -> Strategy:
    return Hyperband(space, seed=seed, fidelities=RUNGS, objectives=TWO, constraints=LIMITS)


@pytest.mark.parametrize("space", ["tiny", "nested", "small_cell"])
@pytest.mark.parametrize("factory", [hyperband, hyperband_two])
def test_it_keeps_the_protocol(factory: object, space: str) -> None:
    """With one objective, and with two and a limit."""
    check_strategy(factory, spaces={space: example_spaces()[space]}, other_process=False)  # type: ignore[arg-type]


def test_every_bracket_gets_the_same_budget() -> None:
    """Each starts its architectures at another rung; what they cost differs by less than two full trainings."""
    simulation = Simulation(Hyperband(cell_space(), fidelities=RUNGS), cell_space()).run(400)
    start: dict[object, Fidelity] = {}
    spent = dict.fromkeys(RUNGS, 0.0)
    for proposal in simulation.asked:
        spent[start.setdefault(proposal.architecture, proposal.fidelity)] += proposal.fidelity.cost
    assert min(spent.values()) > 100
    assert max(spent.values()) - min(spent.values()) < 2 * RUNGS[-1].cost


def test_only_what_did_well_goes_on() -> None:
    """But for the random ones, promoted architectures are of the better half of their rung."""
    simulation = Simulation(Hyperband(cell_space(), fidelities=RUNGS), cell_space()).run(400)
    trials = {t.id: t for t in simulation.told}
    low = sorted(t.metrics["accuracy"] for t in trials.values() if t.fidelity == RUNGS[0])
    promoted = [p for p in simulation.asked if p.origin == "promotion" and p.fidelity == RUNGS[1]]
    assert len(promoted) > 10
    assert all(trials[p.parents[0]].metrics["accuracy"] > low[len(low) // 2] for p in promoted)


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        (range(1, 101), [1, 4, 11, 33, 100]),
        ((12, 200), [12, 200]),
        ((100, 200), [100, 200]),
        ((150, 200), [200]),
        ((7,), [7]),
    ],
)
def test_rungs_are_fidelities_that_are_given(epochs: object, expected: list[int]) -> None:
    """About eta apart as far as there are such, never nearer than its root."""
    assert expected == [f.epochs for f in spaced([Fidelity(epochs=e) for e in epochs], 3.0)]  # type: ignore[attr-defined]
