"""The pure decisions of a search: what it may spend, who the finalists are, what is compared with what."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import netwright as nw
from netwright.errors import SpecError
from netwright.strategies.successive_halving import Rung
from netwright.study.allowance import INFEASIBLE_PER_TRIAL, Allowance
from netwright.study.clock import Clock
from netwright.study.delivery import _best_reference
from netwright.study.equal_time import EXPONENT, EqualTime, full_cost
from netwright.study.finals import choose_finalists, compare, feasible, pareto_front, references_of
from netwright.study.plan import Lengths, make_plan, nominal_rate, reserve_at_pace_s, with_final_scores
from netwright.study.result import Comparison, Result
from netwright.study.seeds import trial_seed
from netwright.study.setup import load_space
from netwright.study.standing import Standing
from netwright.types import (
    Architecture,
    Budget,
    Constraint,
    Fidelity,
    Objective,
    Proposal,
    Trial,
    TrialState,
    best_first,
)

ACCURACY = Objective("accuracy", "max")
LATENCY = Objective("latency_ms", "min")


def trial(number: int, name: str, accuracy: float, cost: float = 1.0, origin: str = "", **metrics: float) -> Trial:
    """A finished trial of the architecture ``name``."""
    proposal = Proposal(Architecture({"name": name}), Fidelity(cost), origin=origin)
    return Trial(number, proposal, 0, TrialState.FINISHED, {"accuracy": accuracy, **metrics})


def test_finalists_are_the_best_of_the_most_thorough_trials() -> None:
    """A trial after more epochs goes before any after fewer, and each architecture is taken once."""
    trials = [trial(0, "a", 0.9), trial(1, "b", 0.8), trial(2, "b", 0.85, 3.0), trial(3, "c", 0.7, 3.0)]
    assert [2, 3, 0] == [t.id for t in choose_finalists(trials, ACCURACY, 5)]
    assert [2] == [t.id for t in choose_finalists(trials, ACCURACY, 1)]


def test_of_equal_trials_the_more_thorough_one_is_best() -> None:
    """A tie goes to the longer training, then to the older trial."""
    trials = [trial(0, "a", 1.0), trial(1, "b", 1.0, 9.0), trial(2, "c", 0.9, 27.0), trial(3, "d", 1.0, 9.0)]
    assert [1, 3, 0, 2] == [t.id for t in best_first(trials, ACCURACY)]


def test_where_time_is_short_a_cheaper_network_may_be_the_finalist() -> None:
    """At equal epochs b is ahead; it costs four times as much, and at equal time a is expected to be."""
    trials = [trial(0, "a", 0.90, train_cost=1e7), trial(1, "b", 0.905, train_cost=4e7)]
    assert [1, 0] == [t.id for t in choose_finalists(trials, ACCURACY, 2)]
    assert [0, 1] == [t.id for t in choose_finalists(trials, ACCURACY, 2, equal_time=True)]


def test_a_network_that_is_small_enough_gains_nothing_by_being_smaller() -> None:
    """The full training gives b all the epochs that help it; a, of a quarter of the cost, is not preferred for more."""
    trials = [trial(0, "a", 0.90, train_cost=1e7), trial(1, "b", 0.905, train_cost=4e7)]
    assert [0, 1] == [t.id for t in choose_finalists(trials, ACCURACY, 2, equal_time=True, least_cost=2e7)]
    assert [1, 0] == [t.id for t in choose_finalists(trials, ACCURACY, 2, equal_time=True, least_cost=4e7)]
    recorder = Recorder()
    EqualTime(recorder, least_cost=4e7).tell(trials)
    assert recorder.told[0].metrics["accuracy"] < recorder.told[1].metrics["accuracy"]


def test_more_time_for_the_full_training_favours_larger_networks() -> None:
    """What counts as small enough grows with time and cores; a budget without time has no such size."""
    costs = [
        make_plan(Budget.parse(b), num_images=54_000, pixels=784, workers=2).least_cost for b in ("2m", "10m", "20m")
    ]
    assert costs == sorted(costs)
    assert costs[1] == pytest.approx(full_cost(2 * (450 - 20), 54_000))
    assert make_plan(Budget.parse("8 trials"), num_images=54_000, pixels=784, workers=2).least_cost == 0


class Recorder:
    """A strategy that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Trial] = []

    def ask(self, n: int) -> list[Proposal]:
        return [Proposal(Architecture({"n": n}))]

    def tell(self, trials: Sequence[Trial]) -> None:
        self.told.extend(trials)


def test_where_time_is_short_the_loss_of_short_trainings_decides() -> None:
    """Of two networks of equal cost the one with the lower loss is the finalist, and is told to be better."""
    trials = [trial(0, "a", 0.905, train_cost=1e7, loss=0.36), trial(1, "b", 0.90, train_cost=1e7, loss=0.34)]
    assert [0, 1] == [t.id for t in choose_finalists(trials, ACCURACY, 2)]
    assert [1, 0] == [t.id for t in choose_finalists(trials, ACCURACY, 2, equal_time=True)]
    recorder = Recorder()
    EqualTime(recorder).tell(trials)
    assert [math.exp(-0.36), math.exp(-0.34)] == [t.metrics["accuracy"] for t in recorder.told]


def test_a_new_network_has_to_be_clearly_better_than_one_made_by_hand() -> None:
    """Ahead by 2 % after a short training is what luck gives the best of several; 4 % are more."""
    known = trial(0, "a", 0.9, origin="portfolio", train_cost=1e7, loss=0.40)
    slightly = trial(1, "new", 0.9, train_cost=1e7, loss=0.392)
    clearly = trial(2, "newer", 0.9, train_cost=1e7, loss=0.384)
    reference = trial(3, "b", 0.9, origin="reference:b", train_cost=1e7, loss=0.397)
    assert [0, 1] == [t.id for t in choose_finalists([known, slightly], ACCURACY, 2, equal_time=True)]
    assert [2, 3, 0, 1] == [
        t.id for t in choose_finalists([known, slightly, clearly, reference], ACCURACY, 4, equal_time=True)
    ]


def test_a_strategy_is_told_what_counts_at_equal_time() -> None:
    """Accuracies are corrected by cost for the strategy, nothing else is, and failed trials pass as they are."""
    recorder = Recorder()
    strategy, told = EqualTime(recorder), recorder.told
    failed = Trial(2, Proposal(Architecture({})), 0, TrialState.FAILED)
    strategy.tell([trial(0, "a", 0.90, train_cost=1e7), trial(1, "b", 0.90, train_cost=4e7), failed])
    assert [Proposal(Architecture({"n": 3}))] == list(strategy.ask(3))
    assert math.isclose(0.90, told[0].metrics["accuracy"])
    assert math.isclose(1 - 0.1 * 4**EXPONENT, told[1].metrics["accuracy"])
    assert failed == told[2]


def test_a_network_is_compared_with_a_reference_at_equal_training() -> None:
    """The longest training that both had decides, not the best number of each."""
    trials = [
        trial(0, "r", 0.80, origin="reference:resnet"),
        trial(1, "x", 0.82),
        trial(2, "r", 0.90, 3.0, origin="promotion"),
        trial(3, "x", 0.88, 3.0),
        trial(4, "x", 0.95, 9.0),
    ]
    (row,) = compare(trials[4], trials, ACCURACY)
    assert ("resnet", 0.90, 0.88, 3.0) == (row.name, row.reference, row.found, row.found_epochs)
    assert math.isclose(-0.02, row.margin)


@pytest.mark.parametrize(("found", "shown"), [(0.9, "(+0.0000)"), (0.89999, "(+0.0000)"), (0.95, "(+0.0500)")])
def test_an_equal_reference_has_the_margin_zero(found: float, shown: str) -> None:
    """Neither the number nor the text is -0.0."""
    trials = [trial(0, "r", 0.9, origin="reference:resnet"), trial(1, "x", found)]
    (row,) = compare(trials[1], trials, ACCURACY)
    assert math.copysign(1.0, found - 0.9) == math.copysign(1.0, row.margin)
    assert str(row).endswith(shown)


def test_a_reference_that_failed_is_no_comparison() -> None:
    """A reference without a finished trial is known, but nothing is compared with it."""
    failed = Trial(0, Proposal(Architecture({"name": "r"}), origin="reference:cnn"), 0, TrialState.FAILED)
    assert {"cnn": []} == references_of([failed])
    assert () == compare(trial(1, "x", 0.5), [failed, trial(1, "x", 0.5)], ACCURACY)


def test_the_summary_says_when_the_search_did_not_beat_the_reference() -> None:
    """A shortfall is written out, with its size."""
    trials = [trial(0, "r", 0.9, origin="reference:resnet"), trial(1, "x", 0.8)]
    result = Result(None, (ACCURACY,), trials[1], comparisons=compare(trials[1], trials, ACCURACY))
    assert "did NOT beat the best reference (resnet): 0.1000 accuracy short of it" in result.summary()


@pytest.mark.parametrize(
    ("early", "told"),
    [
        (0.8, "did not beat each reference: mobilenet had the same accuracy after 1 epochs"),
        (0.7, "beat each reference; the closest (cnn) by 0.0500 accuracy after 3 epochs"),
    ],
)
def test_the_summary_tells_the_closest_reference_and_its_training(early: float, told: str) -> None:
    """Not the one that was trained longest: one that was dropped early is no worse for that."""
    trials = [
        trial(0, "m", early, origin="reference:mobilenet"),
        trial(1, "c", 0.75, origin="reference:cnn"),
        trial(2, "x", 0.8),
        trial(3, "c", 0.85, 3.0, origin="promotion"),
        trial(4, "x", 0.9, 3.0, origin="promotion"),
    ]
    result = Result(None, (ACCURACY,), trials[4], comparisons=compare(trials[4], trials, ACCURACY))
    assert told in result.summary()


def test_the_summary_compares_trained_networks_alone() -> None:
    """Scores with shared weights, after 0 epochs, beat nobody; where nothing has epochs, numbers are compared."""
    scored = Comparison("cnn", "accuracy", 0.1, 0.12, 0.02, 0.0, 0.0)
    trained = Comparison("resnet", "accuracy", 0.8, 0.9, 0.1, 3.0, 3.0)
    untimed = replace(scored, reference_epochs=None, found_epochs=None)
    best = trial(0, "x", 0.9)
    told = {
        given: Result(None, (ACCURACY,), best, comparisons=given).summary()
        for given in ((scored,), (scored, trained), (untimed,))
    }
    assert "reference" not in told[(scored,)]
    assert _best_reference(Result(None, (ACCURACY,), best, comparisons=(scored,))) is None
    assert "beat each reference; the closest (resnet) by 0.1000" in told[(scored, trained)]
    assert "cnn" not in told[(scored, trained)]
    assert "beat each reference; the closest (cnn) by 0.0200" in told[(untimed,)]


def test_the_summary_says_when_the_best_network_is_a_reference() -> None:
    """A hand-made network that won is not called found."""
    trials = [trial(0, "r", 0.9, origin="reference:resnet"), trial(1, "x", 0.8)]
    compared = compare(trials[0], trials, ACCURACY)
    result = Result(None, (ACCURACY,), trials[0], (("resnet", trials[0]),), compared)
    assert "the best network IS the reference resnet" in result.summary()


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=20))
@settings(derandomize=True, deadline=None)
def test_the_front_is_what_brute_force_finds(points: list[tuple[int, int]]) -> None:
    """No trial of the front is beaten in all objectives, and every other one is; kept up to date it is the same."""
    trials = [trial(i, str(i), float(a), latency_ms=float(b)) for i, (a, b) in enumerate(points)]
    beaten = {i for i, p in enumerate(points) if any(q != p and q[0] >= p[0] and q[1] <= p[1] for q in points)}
    expected = set(range(len(points))) - beaten
    standing = Standing((ACCURACY, LATENCY), ())
    for one in trials:
        standing.add(one)
    assert expected == {t.id for t in pareto_front(trials, (ACCURACY, LATENCY))}
    assert expected == {t.id for t in standing.front}


def test_a_trial_over_a_limit_is_not_feasible() -> None:
    """Limits hold for finished trials too; one that was not measured does not count against it."""
    limit = Constraint.parse("latency_ms<=2")
    trials = [trial(0, "a", 0.9, latency_ms=3.0), trial(1, "b", 0.8, latency_ms=1.0), trial(2, "c", 0.7)]
    assert [1, 2] == [t.id for t in feasible(trials, [limit])]
    standing = Standing((ACCURACY,), (limit,))
    for one in trials:
        standing.add(one)
    assert standing.best is not None
    assert 1 == standing.best.id


def test_infeasible_trials_cost_nothing_but_end_a_hopeless_search() -> None:
    """A refused architecture gives its trial back; after very many of them nothing more is permitted."""
    allowance = Allowance(trials=1)
    for number in range(INFEASIBLE_PER_TRIAL * 4 + 1):
        assert allowance.permits()
        allowance.reserve(number, Proposal(Architecture({})))
        assert not allowance.permits()
        allowance.settle(Trial(number, Proposal(Architecture({})), 0, TrialState.INFEASIBLE))
    assert not allowance.permits()
    assert (0, True) == (allowance.num_charged, allowance.too_many_infeasible)


@pytest.mark.parametrize("origin", ["promotion", "probe"])
def test_a_promotion_costs_the_epochs_it_adds(origin: str) -> None:
    """1 epoch, then 3 by going on, are 3 epochs together."""
    allowance = Allowance(epochs=3.5)
    first = Proposal(Architecture({}), Fidelity(1.0))
    allowance.reserve(0, first)
    allowance.settle(Trial(0, first, 0, TrialState.FINISHED))
    second = Proposal(Architecture({}), Fidelity(3.0), (0,), origin)
    allowance.reserve(1, second)
    allowance.settle(Trial(1, second, 0, TrialState.FINISHED))
    assert 3.0 == allowance.epochs_charged
    assert allowance.permits()


def test_seeds_follow_from_study_and_trial() -> None:
    """Every trial has its own seed; one that goes on with a training has that training's."""
    plain = Proposal(Architecture({}))
    seeds = {i: trial_seed(0, i, plain, {}) for i in range(100)}
    assert 100 == len(set(seeds.values()))
    for origin in ("promotion", "probe", "final"):
        assert seeds[3] == trial_seed(0, 7, Proposal(Architecture({}), parents=(3,), origin=origin), seeds)
    assert seeds[3] != trial_seed(1, 3, plain, {})


def test_time_that_the_finalists_do_not_need_is_searched() -> None:
    """Three minutes are plenty for 1,000 images: more than a quarter searches. For 54,000 ten minutes are not."""
    plenty = make_plan(Budget.parse("3m"), num_images=1000, pixels=64, workers=2)
    scarce = make_plan(Budget.parse("10m"), num_images=54_000, pixels=784, workers=2)
    assert plenty.search.time_s is not None
    assert plenty.search.time_s > 90
    assert (2, False) == (plenty.num_finalists, plenty.equal_time)
    assert 0 < plenty.grace_s < 0.25 * plenty.search.time_s
    assert (150, 1, True) == (scarce.search.time_s, scarce.num_finalists, scarce.equal_time)


@pytest.mark.parametrize(
    ("budget", "train_s", "kept_s"),
    [
        ("10m", 1e-4, 20.0),
        ("10m", 2e-3, 24.6),
        ("10m", 1.0, 300.0),
        ("2m", 1e-4, 9.6),
        ("40s", 2e-3, 20.0),
        ("8 trials", 2e-3, 0.0),
    ],
)
def test_a_slow_network_is_given_more_time_for_its_check(budget: str, train_s: float, kept_s: float) -> None:
    """What is kept grows with the measured pace, falls little below the plan, and never takes over the budget."""
    plan = make_plan(Budget.parse(budget), num_images=54_000, pixels=784, workers=2)
    assert kept_s == pytest.approx(reserve_at_pace_s(plan, Budget.parse(budget), train_s, num_scored=16_000))


def test_time_is_kept_for_what_is_measured_of_the_best_network_alone() -> None:
    """As planned, and by the pace of the network once that is known; a search without finalists ends earlier for it."""
    budget, options = Budget.parse("10m"), {"num_images": 54_000, "pixels": 784.0, "workers": 2}
    plain = make_plan(budget, **options)  # type: ignore[arg-type]
    plan = with_final_scores(plain, budget, 7000, rate=700.0)
    assert (plain.reserve_s, plan.reserve_s, plan.search) == (20.0, 30.0, plain.search)
    assert with_final_scores(plain, budget, 10**9, rate=700.0).reserve_s == 90.0
    at_pace = [reserve_at_pace_s(p, budget, 2e-3, num_scored=16_000) for p in (plain, plan)]
    assert at_pace[1] - at_pace[0] == pytest.approx(14.0)
    rich = make_plan(budget, **options, lengths=Lengths(max_epochs=0.1))  # type: ignore[arg-type]
    assert rich.num_finalists == 0
    later = with_final_scores(rich, budget, 7000, rate=700.0)
    assert later.search.time_s == pytest.approx((rich.search.time_s or 0) - 10)
    assert with_final_scores(plain, budget, 0.0, rate=700.0) == plain
    trials = make_plan(Budget.parse("8 trials"), **options)  # type: ignore[arg-type]
    assert with_final_scores(trials, Budget.parse("8 trials"), 7000, rate=700.0).reserve_s == 0.0


@pytest.mark.parametrize("num_images", [30, 300, 4000, 28_980, 54_000])
@pytest.mark.parametrize("pixels", [50, 784, 2155, 65_000])
@pytest.mark.parametrize("budget", ["5m", "10m", "15m", "60m"])
@pytest.mark.parametrize("max_epochs", [None, 5.0, 15.0, 16.0, 50.0, 60.0])
def test_no_rung_is_lost_by_rounding(budget: str, pixels: float, num_images: int, max_epochs: float | None) -> None:
    """1.02 epochs rounded to 1.0 left .34 out as the lowest rung, and all were trained three times as long."""
    given_budget = Budget.parse(budget)
    plan = make_plan(
        given_budget, num_images=num_images, pixels=pixels, workers=2, lengths=Lengths(max_epochs=max_epochs)
    )
    wanted = plan_lowest(given_budget, num_images, pixels, max_epochs)
    most = 1.34 if max_epochs is None else 0.9 * 3  # from what a person gave there is one rung in each factor of eta
    assert 0.9 * wanted * (1 - 1e-9) <= plan.min_epochs <= most * wanted


def plan_lowest(budget: Budget, num_images: int, pixels: float, max_epochs: float | None) -> float:
    """The lowest rung before the others are counted from the highest."""
    lengths = Lengths(max_epochs=max_epochs, halving=False)
    plan = make_plan(budget, num_images=num_images, pixels=pixels, workers=2, lengths=lengths)
    return plan.min_epochs


@pytest.mark.parametrize("budget", ["10m", "60m", "8h"])
@pytest.mark.parametrize("pixels", [784, 65_000, 300_000])
@pytest.mark.parametrize("num_images", [205, 2000, 118_000])
def test_a_second_rung_can_be_trained_within_the_search(budget: str, pixels: float, num_images: int) -> None:
    """Else its trainings were killed at the end, for which others were not tried."""
    plan = make_plan(
        Budget.parse(budget), num_images=num_images, pixels=pixels, workers=2, lengths=Lengths(least_epochs=1.0)
    )
    assert plan.search.time_s is not None
    longest_s = plan.max_epochs / nominal_rate(num_images, pixels)
    assert plan.max_epochs == plan.min_epochs or longest_s <= 1.1 * plan.search.time_s


def test_the_least_that_a_task_wants_gives_way_where_hardly_any_networks_could_be_compared() -> None:
    """But to no less than a third; with time enough it is kept."""
    lengths = Lengths(full_epochs=146.0, least_epochs=7.8)
    detection = {"num_images": 205, "pixels": 65_000.0, "workers": 2, "lengths": lengths}
    short, long = (make_plan(Budget.parse(b), **detection) for b in ("10m", "8h"))  # type: ignore[arg-type]
    assert 7.8 / 3 * 0.9 <= short.min_epochs < 4
    assert long.min_epochs >= 0.9 * 7.8


@pytest.mark.parametrize("epochs", [20, 100, 300])
@pytest.mark.parametrize("num_images", [700, 5000, 54_000])
def test_a_budget_of_epochs_pays_for_the_last_trainings_too(epochs: int, num_images: int) -> None:
    """Those of twenty epochs took ninety more."""
    plan = make_plan(Budget.parse(f"{epochs} epochs"), num_images=num_images, pixels=784, workers=2)
    assert plan.search.epochs is not None
    assert plan.search.epochs + plan.num_finalists * plan.final_epochs <= epochs + plan.max_epochs


@pytest.mark.parametrize("budget", ["30s", "3m", "10m", "10h", "24 trials", "1 trials", "300 epochs"])
@pytest.mark.parametrize("num_images", [40, 1078, 54_000, 10**6])
def test_a_plan_fits_its_budget(budget: str, num_images: int) -> None:
    """Rungs rise, the final training is the longest, and search and export together leave time for it."""
    given_budget = Budget.parse(budget)
    plan = make_plan(given_budget, num_images=num_images, pixels=784, workers=2)
    assert 0 < plan.min_epochs <= plan.max_epochs <= plan.final_epochs
    if given_budget.time_s is not None:
        assert plan.search.time_s is not None
        assert plan.search.time_s + plan.reserve_s < given_budget.time_s
    if given_budget.trials is not None:
        assert plan.search.trials is not None
        assert 1 <= plan.search.trials <= given_budget.trials


@pytest.mark.parametrize("budget", ["30s", "3m", "10h", "1 trials", "24 trials", "300 epochs"])
@pytest.mark.parametrize("num_images", [40, 1078, 54_000])
@pytest.mark.parametrize("max_epochs", [0.5, 1.0, 10.0, 500.0])
@pytest.mark.parametrize("halving", [True, False])
def test_no_training_is_longer_than_a_person_allows(
    budget: str, num_images: int, max_epochs: float, halving: bool
) -> None:
    """Neither a rung nor the final training, whatever the budget is in; and the final one is as long as allowed."""
    given_budget = Budget.parse(budget)
    lengths = Lengths(max_epochs=max_epochs, halving=halving)
    plan = make_plan(given_budget, num_images=num_images, pixels=784, workers=2, lengths=lengths)
    assert 0 < plan.min_epochs <= plan.max_epochs <= max_epochs
    assert max_epochs == plan.final_epochs
    assert plan.max_epochs < max_epochs or plan.num_finalists == 0
    if given_budget.time_s is not None:
        assert plan.search.time_s is not None
        assert plan.search.time_s + plan.grace_s + plan.reserve_s <= given_budget.time_s + 1e-9


def test_networks_climb_to_a_full_training_that_is_short_of_the_budget() -> None:
    """Where a person's longest training is short, all of the search may come to it; else the end is left for it."""
    rich, poor = (
        make_plan(Budget.parse(budget), num_images=54_000, pixels=784, workers=2, lengths=Lengths(max_epochs=0.5))
        for budget in ("20m", "5m")
    )
    assert (0, 0.5) == (rich.num_finalists, rich.max_epochs)
    assert rich.search.time_s is not None
    assert rich.search.time_s > 1000
    assert poor.num_finalists > 0
    assert poor.max_epochs == pytest.approx(0.5 / 3)
    lengths = Lengths(max_epochs=0.5, climbs=True)
    again = make_plan(Budget.parse("5m"), num_images=54_000, pixels=784, workers=2, lengths=lengths)
    assert (0, 0.5) == (again.num_finalists, again.max_epochs)  # the rungs of a search stay when its budget changes


def test_where_every_trial_is_trained_fully_the_whole_budget_searches() -> None:
    """Without halving, or with the shortest training as long as the longest, nothing is left for finalists to do."""
    for lengths in (Lengths(max_epochs=2.0, halving=False), Lengths(max_epochs=2.0, min_epochs=2.0)):
        plan = make_plan(Budget.parse("8 trials"), num_images=1078, pixels=64, workers=1, lengths=lengths)
        assert (0, 8, 2.0) == (plan.num_finalists, plan.search.trials, plan.max_epochs)


def test_a_clock_counts_earlier_sittings() -> None:
    """What was spent before is taken from what is left."""
    clock = Clock(10.0, spent_s=9.0)
    assert 0 < (clock.remaining_s or 0) <= 1.0
    assert 0.0 == Clock(10.0, spent_s=12.0).remaining_s
    assert Clock().remaining_s is None


@pytest.mark.parametrize(
    "text", ["import sys\nsys.exit(0)\n", "1 +\n", "import nothing_like_it\n", "def space(a, b): 1 / 0\n"]
)
def test_a_space_file_that_cannot_be_used_is_a_clean_error(text: str, tmp_path: Path) -> None:
    """Whatever a person's file does when it is imported or called, it is named, and is no mistake of ours."""
    file = tmp_path / "own.py"
    file.write_text(text)
    with pytest.raises(SpecError, match=r"space: .*own\.py"):
        load_space(file, "space", nw.ImageClassification.load("digits"))


def test_equal_values_are_told_apart_by_the_loss() -> None:
    """Of word error rates of 1 the lower loss is first, then the older trial; a longer training goes before both."""
    wer = Objective("wer", "min")
    trials = [
        Trial(n, Proposal(Architecture({"n": n}), Fidelity(epochs)), 0, TrialState.FINISHED, {"wer": 1.0, "loss": loss})
        for n, (epochs, loss) in enumerate([(1, 3.0), (1, 2.0), (1, math.nan), (1, 2.0), (3, 9.0)])
    ]
    assert [4, 1, 3, 0, 2] == [trial.id for trial in best_first(trials, wer)]
    rung = Rung(Fidelity(1))
    for trial in trials[:4]:
        rung.add((1.0,), trial)
    best = rung.promotable(2)
    assert best is not None
    assert best[2] == trials[1].architecture
