"""Freeze-thaw search: what it evaluates at which fidelity, and what it does when a fidelity misleads."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.errors import UsageError
from netwright.space import Op, SearchSpace, choice
from netwright.strategies import Exhausted
from netwright.strategies.freeze_thaw import FreezeThaw
from netwright.testing import Simulation, cell_space, check_strategy, example_spaces, tiny_space
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial, TrialState

LOW, FULL = Fidelity(epochs=1), Fidelity(epochs=17)
TWO_LEVELS = (LOW, FULL)
TWO = (Objective("accuracy", "max"), Objective("latency_ms", "min"))
LIMITS = (Constraint("params", "<=", 5e5),)
SPACES = example_spaces()


def line_space(size: int = 200) -> SearchSpace:
    return SearchSpace(
        Op("conv", (("width", choice("width", list(range(size)))), ("kernel", choice("kernel", [1, 3]))))
    )


def by_width(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
    """The full accuracy is a hill; the cheap one is the same but for an error of a hundredth."""
    width = float(architecture["width"])  # type: ignore[arg-type]
    error = 0.01 * np.sin(7 * width) if fidelity == LOW else 0.0
    return {"accuracy": 1 - abs(width - 140) / 200 + error}


def misleading(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
    """The cheap accuracy has nothing to do with the full one."""
    width = int(architecture["width"])  # type: ignore[call-overload]
    return {"accuracy": (width * 7919 % 211) / 211.0} if fidelity == LOW else by_width(architecture, fidelity)


def three_levels(space: SearchSpace, seed: int) -> FreezeThaw:
    return FreezeThaw(space, seed=seed, fidelities=(Fidelity(1), Fidelity(3), Fidelity(9)))


def two_objectives(space: SearchSpace, seed: int) -> FreezeThaw:
    return FreezeThaw(space, seed=seed, objectives=TWO, constraints=LIMITS, fidelities=TWO_LEVELS)


def count(simulation: Simulation, fidelity: Fidelity) -> int:
    return sum(p.fidelity == fidelity for p in simulation.asked)


@pytest.mark.long
def test_the_protocol_is_kept() -> None:
    """It passes the conformance suite on a small space; larger ones are slow."""
    check_strategy(three_levels, spaces={"tiny": tiny_space()}, other_process=False)


@pytest.mark.slow
@pytest.mark.parametrize("factory", [three_levels, two_objectives])
@pytest.mark.parametrize("space", ["small_cell", "nested", "mixed", "cell"])
def test_the_protocol_is_kept_on_every_kind_of_space(factory: object, space: str) -> None:
    """It passes the suite on conditional, infinite and cell spaces, with one objective and with two and a limit."""
    check_strategy(factory, spaces={space: SPACES[space]}, other_process=False)  # type: ignore[arg-type]


def test_most_evaluations_are_cheap_and_the_promising_go_on() -> None:
    """Where the cheap fidelity ranks well a few of many are trained fully, and the best one is among them."""
    simulation = Simulation(FreezeThaw(line_space(), fidelities=TWO_LEVELS), line_space(), by_width).run(40)
    best = max(by_width(p.architecture, FULL)["accuracy"] for p in simulation.asked if p.fidelity == FULL)
    assert 2 <= count(simulation, FULL) <= 12
    assert best > 0.95


def test_a_promotion_names_the_trial_that_goes_on() -> None:
    """A thawed architecture is proposed at a higher fidelity, with the trial of the lower one as its parent."""
    simulation = Simulation(FreezeThaw(line_space(), fidelities=TWO_LEVELS), line_space(), by_width).run(30)
    promotions = [p for p in simulation.asked if p.origin == "promotion"]
    assert promotions
    for promotion in promotions:
        (parent,) = promotion.parents
        frozen = simulation.asked[parent]
        assert (promotion.architecture, LOW) == (frozen.architecture, frozen.fidelity)
        assert promotion.fidelity == FULL


def test_a_metric_that_is_known_fully_only_is_searched_for() -> None:
    """Where every cheap evaluation fails, the search goes on at the full fidelity."""

    def at_the_end(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
        return {"accuracy": float("nan")} if fidelity == LOW else by_width(architecture, fidelity)

    simulation = Simulation(FreezeThaw(line_space(), fidelities=TWO_LEVELS), line_space(), at_the_end).run(12)
    assert count(simulation, FULL) >= 6


@pytest.mark.slow
def test_a_fidelity_that_misleads_is_no_longer_paid_for() -> None:
    """The cheap fidelity has fewer evaluations, for each full one, the longer it says nothing."""
    simulation = Simulation(FreezeThaw(line_space(), fidelities=TWO_LEVELS), line_space(), misleading).run(180)
    early, late = (sum(p.fidelity == LOW for p in simulation.asked[i : i + 60]) for i in (0, 120))
    assert late < early / 2


def test_a_single_fidelity_is_searched_as_without_fidelities() -> None:
    """Everything is evaluated fully, and the best is found."""
    simulation = Simulation(FreezeThaw(line_space()), line_space(), by_width).run(30)
    assert {Fidelity()} == {p.fidelity for p in simulation.asked}
    assert max(by_width(p.architecture, FULL)["accuracy"] for p in simulation.asked) > 0.97


def test_of_many_fidelities_a_few_are_used() -> None:
    """Of a hundred epochs five levels are made; every proposal is at one of them."""
    curve = [Fidelity(epochs=e) for e in range(1, 101)]
    strategy = FreezeThaw(line_space(), fidelities=curve)
    assert [1, 3, 11, 33, 100] == [f.epochs for f in strategy.fidelities]
    simulation = Simulation(strategy, line_space(), by_width).run(25)
    assert {p.fidelity for p in simulation.asked} <= set(strategy.fidelities)


def test_failed_and_infeasible_architectures_are_never_promoted() -> None:
    """What broke a limit at the cheap fidelity is not trained for longer."""

    def wide_fails(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
        return {**by_width(architecture, fidelity), "params": float(architecture["width"])}  # type: ignore[arg-type]

    limits = (Constraint("params", "<=", 120),)
    strategy = FreezeThaw(line_space(), constraints=limits, fidelities=TWO_LEVELS)
    simulation = Simulation(strategy, line_space(), wide_fails).run(40)
    promoted = [p.architecture["width"] for p in simulation.asked if p.origin == "promotion"]
    assert promoted
    assert max(promoted) <= 120  # type: ignore[type-var, operator]


def test_initial_architectures_come_first_at_the_cheapest_fidelity() -> None:
    """One without a fidelity of the search begins at the cheapest; one with its own keeps it."""
    a, b = (Architecture({"width": w, "kernel": 3}) for w in (3, 5))
    strategy = FreezeThaw(line_space(), initial=[a, Proposal(b, FULL)], fidelities=TWO_LEVELS)
    assert [(a, LOW), (b, FULL)] == [(p.architecture, p.fidelity) for p in strategy.ask(2)]


def test_trials_at_unknown_fidelities_are_accepted() -> None:
    """A warm start at another fidelity is not learnt from; one without a fidelity counts as full."""
    strategy = FreezeThaw(line_space(), fidelities=TWO_LEVELS)
    for i, fidelity in enumerate([Fidelity(epochs=5), Fidelity()]):
        proposal = Proposal(Architecture({"width": i, "kernel": 3}), fidelity)
        strategy.tell([Trial(i, proposal, 0, TrialState.FINISHED, {"accuracy": 0.5})])
    simulation = Simulation(strategy, line_space(), by_width)
    simulation.asked += [Proposal(Architecture({"width": i, "kernel": 3}), LOW) for i in range(2)]
    assert len(simulation.run(20).asked) == 20


def test_a_small_space_is_exhausted_at_the_full_fidelity() -> None:
    """Every architecture is evaluated fully before `Exhausted` is raised."""
    space = line_space(4)
    simulation = Simulation(FreezeThaw(space, fidelities=TWO_LEVELS), space, by_width).run(100)
    assert count(simulation, FULL) == 8
    with pytest.raises(Exhausted):
        simulation.strategy.ask(1)


def test_equal_scores_are_searched_without_complaint() -> None:
    """Constant scores at all fidelities give a search, not an error."""
    simulation = Simulation(
        FreezeThaw(cell_space(), fidelities=TWO_LEVELS), cell_space(), lambda a, f: {"accuracy": 0.5}
    )
    assert len(simulation.run(20).asked) == 20


@pytest.mark.parametrize("fidelities", [(), (FULL, LOW)])
def test_fidelities_are_given_the_cheapest_first(fidelities: tuple[Fidelity, ...]) -> None:
    """None, or a wrong order, is refused with what is right."""
    with pytest.raises(UsageError, match="cheapest first"):
        FreezeThaw(line_space(), fidelities=fidelities)


def test_no_initial_proposals_are_refused() -> None:
    """A model needs something to begin with."""
    with pytest.raises(UsageError, match="num_initial must be >= 1"):
        FreezeThaw(line_space(), num_initial=0)
