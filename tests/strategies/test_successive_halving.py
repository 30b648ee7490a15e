"""ASHA promotes who the paper's algorithm promotes."""

from __future__ import annotations

import pytest

from netwright.errors import UsageError
from netwright.space import Op, SearchSpace, choice
from netwright.strategies import Exhausted, RandomSearch, SuccessiveHalving
from netwright.testing import Simulation
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial, TrialState


def line_space(size: int = 200) -> SearchSpace:
    return SearchSpace(Op("conv", (("width", choice("width", list(range(size)))),)))


def by_width(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
    width = float(architecture["width"])  # type: ignore[arg-type]
    return {"accuracy": width, "size": width, "shape": (width * 37) % 101}


def widths(trials: list[Trial]) -> list[object]:
    return [t.architecture["width"] for t in trials]


class Recorder:
    """An inner strategy that proposes widths in a given order, and keeps what it is told."""

    def __init__(self, order: list[int]) -> None:
        self.order = order
        self.told: list[Trial] = []

    def ask(self, n: int) -> list[Proposal]:
        if not self.order:
            raise Exhausted("no more")
        return [Proposal(Architecture({"width": self.order.pop(0)}), Fidelity(123), (7,), "inner")]

    def tell(self, trials: list[Trial]) -> None:
        self.told.extend(trials)


def test_the_best_third_is_promoted_as_soon_as_it_is_known() -> None:
    """The sequence of jobs equals algorithm 2 worked out by hand for eta = 3."""
    strategy = SuccessiveHalving(Recorder([5, 9, 2, 7, 1, 3, 8, 4, 6]), max_epochs=9)
    simulation = Simulation(strategy, line_space(), by_width).run(14)
    jobs = [(p.architecture["width"], p.fidelity.epochs) for p in simulation.asked]
    start = [(5, 1), (9, 1), (2, 1), (9, 3), (7, 1), (1, 1), (3, 1), (7, 3), (8, 1)]
    assert jobs == [*start, (8, 3), (9, 9), (4, 1), (6, 1)]
    assert simulation.exhausted


def test_nothing_is_promoted_before_the_first_trials_have_ended() -> None:
    """With ``first`` new architectures come first; then, and where there are no more, promotions go on as ever."""
    strategy = SuccessiveHalving(Recorder([5, 9, 2, 7, 1, 3, 8]), max_epochs=9, first=5)
    simulation = Simulation(strategy, line_space(), by_width).run(11)
    jobs = [(p.architecture["width"], p.fidelity.epochs) for p in simulation.asked]
    start = [(5, 1), (9, 1), (2, 1), (7, 1), (1, 1), (9, 3), (3, 1), (7, 3), (8, 1)]
    assert jobs == [*start, (8, 3), (9, 9)]
    few = Simulation(SuccessiveHalving(Recorder([5, 9, 2]), max_epochs=3, first=100), line_space(), by_width).run(9)
    assert [5, 9, 2, 9] == [p.architecture["width"] for p in few.asked]
    assert few.exhausted


def test_a_promotion_names_the_trial_that_goes_on() -> None:
    """Its only parent is the trial of the same architecture in the rung below."""
    simulation = Simulation(SuccessiveHalving(RandomSearch(line_space()), max_epochs=27), line_space(), by_width)
    simulation.run(120)
    promotions = [p for p in simulation.asked if p.origin == "promotion"]
    assert {p.fidelity.epochs for p in promotions} == {3, 9, 27}
    for promotion in promotions:
        (parent,) = promotion.parents
        below = simulation.asked[parent]
        assert (below.architecture, below.fidelity.epochs) == (promotion.architecture, promotion.fidelity.epochs / 3)  # type: ignore[operator]


def test_new_architectures_keep_the_origin_and_parents_of_the_inner_strategy() -> None:
    """Only the fidelity of an inner proposal is replaced."""
    (proposal,) = SuccessiveHalving(Recorder([1]), max_epochs=9, data_share=0.5).ask(1)
    assert proposal == Proposal(Architecture({"width": 1}), Fidelity(1, 0.5), (7,), "inner")


def test_the_inner_strategy_is_told_the_lowest_rung_only() -> None:
    """Accuracies after different epochs cannot be compared, so the inner strategy sees one kind."""
    inner = Recorder(list(range(30)))
    simulation = Simulation(SuccessiveHalving(inner, max_epochs=9), line_space(), by_width).run(40)
    assert [t.id for t in inner.told] == [t.id for t in simulation.told if t.fidelity.epochs == 1]
    assert len(inner.told) < len(simulation.told)


@pytest.mark.parametrize("state", [TrialState.FAILED, TrialState.INFEASIBLE])
def test_what_failed_or_is_infeasible_is_never_promoted(state: TrialState) -> None:
    """However many there are, no rung above the lowest is reached."""
    strategy = SuccessiveHalving(RandomSearch(line_space()), max_epochs=9)
    simulation = Simulation(strategy, line_space(), by_width, state=state).run(40)
    assert {p.fidelity.epochs for p in simulation.asked} == {1}


def test_what_breaks_a_limit_is_not_promoted_and_does_not_count() -> None:
    """Infeasible trials leave the size of a rung: 3 of 9 feasible give one promotion, the best within the limit."""
    inner = Recorder([1, 50, 60, 2, 70, 80, 3, 90, 95])
    strategy = SuccessiveHalving(inner, max_epochs=3, constraints=(Constraint("size", "<=", 10.0),))
    simulation = Simulation(strategy, line_space(), by_width).run(20)
    assert [p.architecture["width"] for p in simulation.asked if p.origin == "promotion"] == [3]


def test_several_objectives_promote_undominated_trials_first() -> None:
    """Every promotion from a full rung is of the first fronts: the two extremes are among them."""
    objectives = (Objective("accuracy", "max"), Objective("size", "min"))
    strategy = SuccessiveHalving(Recorder(list(range(30))), max_epochs=3, objectives=objectives)
    rung = Simulation(strategy, line_space(), by_width)
    rung.tell(rung.ask(30))
    promoted = [rung.asked[i].architecture["width"] for i in rung.ask(10)]
    assert len(promoted) == 10
    assert {0, 29} <= set(promoted)  # all 30 are undominated, so the ends have the most room


def test_it_waits_for_trials_that_may_be_promoted_when_nothing_new_is_left() -> None:
    """Pending trials are waited for; the end comes when nothing is pending."""
    simulation = Simulation(SuccessiveHalving(Recorder([1, 2, 3]), max_epochs=3), line_space(), by_width)
    ids = simulation.ask(5)
    assert [simulation.ask(1), simulation.exhausted] == [[], False]
    simulation.tell(ids)
    simulation.tell(simulation.ask(1))
    assert [simulation.asked[3].architecture["width"], simulation.ask(1), simulation.exhausted] == [3, [], True]


def test_a_warm_trial_of_a_higher_rung_is_not_promoted_into_it_again() -> None:
    """What was trained longer already is known there."""
    strategy = SuccessiveHalving(Recorder([4]), max_epochs=3)
    known = Architecture({"width": 9})
    both = [Proposal(known, Fidelity(1)), Proposal(known, Fidelity(3), (100,), "promotion")]
    strategy.tell([Trial(100 + i, p, 0, TrialState.FINISHED, {"accuracy": 1.0}) for i, p in enumerate(both)])
    low = [Proposal(Architecture({"width": w}), Fidelity(1)) for w in (1, 2)]
    strategy.tell([Trial(200 + i, p, 0, TrialState.FINISHED, {"accuracy": 0.1}) for i, p in enumerate(low)])
    assert [p.architecture["width"] for p in strategy.ask(1)] == [4]


def test_rungs_are_counted_from_the_top() -> None:
    """The highest rung has exactly the epochs asked for, the lowest at least the minimum."""
    strategy = SuccessiveHalving(Recorder([]), max_epochs=20, min_epochs=2)
    assert [f.epochs for f in strategy.fidelities] == [20 / 3 / 3, 20 / 3, 20.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eta": 1}, "eta must be > 1, got 1"),
        ({"first": -1}, "first must be >= 0, got -1"),
        ({"min_epochs": 0}, r"min_epochs must be in \(0, max_epochs = 9\], got 0"),
        ({"min_epochs": 10}, r"min_epochs must be in \(0, max_epochs = 9\], got 10"),
    ],
)
def test_wrong_options_are_named(options: dict[str, float], message: str) -> None:
    """Each message says what is allowed."""
    with pytest.raises(UsageError, match=message):
        SuccessiveHalving(Recorder([]), max_epochs=9, **options)  # type: ignore[arg-type]


def test_a_doubled_trial_does_not_reach_the_inner_strategy() -> None:
    """A refused tell changes neither the rungs nor the inner strategy."""
    inner = Recorder([1, 2])
    simulation = Simulation(SuccessiveHalving(inner, max_epochs=9), line_space(), by_width).run(1)
    with pytest.raises(UsageError, match="trial id must be told once, got 0"):
        simulation.strategy.tell([simulation.told[0]])
    assert widths(inner.told) == [1]
