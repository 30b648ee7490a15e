"""Searches with inherited weights: which parent a trial has, the finalists from nothing, and a resume."""

from __future__ import annotations

import importlib.util
import shutil
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import netwright as nw
from netwright.errors import SpecError
from netwright.evaluation.base import Parent
from netwright.evaluation.trainer import TrainingEvaluator
from netwright.spec import SearchSpec
from netwright.storage import Store
from netwright.study.clock import Clock
from netwright.study.final_phase import FinalPhase
from netwright.study.inheriting import epochs_behind, fairness, inherited, parent_of, with_finals
from netwright.study.opening import prepare
from netwright.study.plan import Lengths, make_plan
from netwright.study.setup import first_proposals
from netwright.types import Architecture, Budget, Fidelity, Objective, Proposal, Trial, TrialState

_path = Path(__file__).parent / "test_inheriting_evaluator.py"
_spec = importlib.util.spec_from_file_location("inheriting_evaluator_cases", _path)
assert _spec is not None
assert _spec.loader is not None
cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cases)

ACCURACY = Objective("accuracy", "max")


def trial(number: int, origin: str = "random", parents: tuple[int, ...] = (), **metrics: float) -> Trial:
    """A finished trial of an architecture with its number, at one epoch."""
    known = number if origin not in ("promotion", "final") or not parents else parents[0]
    proposal = Proposal(Architecture({"n": known}), Fidelity(1.0), parents, origin)
    return Trial(number, proposal, 100 + number, TrialState.FINISHED, {"accuracy": 0.5, "epochs": 1.0, **metrics})


def test_whose_weights_a_trial_begins_with() -> None:
    """A child's are its parent's; a promotion's those of the training that it goes on with; a final one's nobody's."""
    trials = [
        trial(0),
        trial(1, "mutation", (0,), inherited_epochs=1.0, inherited_share=0.5),
        trial(2, "promotion", (1,), inherited_epochs=1.0, inherited_share=0.5, epochs=3.0),
        replace(trial(3), state=TrialState.FAILED),
    ]
    known = {t.id: t for t in trials}

    def of(origin: str, *parents: int) -> Parent | None:
        return parent_of(Proposal(Architecture({}), Fidelity(2.0), parents, origin), known)

    assert of("mutation", 0) == Parent(Architecture({"n": 0}), Fidelity(1.0), 100, 1.0)
    assert of("promotion", 1) == of("mutation", 0)
    assert of("promotion", 2) == of("mutation", 0)
    assert of("neighbour", 2) == Parent(Architecture({"n": 1}), Fidelity(1.0), 102, 4.0)
    assert of("promotion", 0) is None
    assert of("final", 2) is None
    assert of("random") is None
    assert of("mutation", 3) is None
    assert of("mutation", 9) is None
    assert epochs_behind(trials[2]) == 4.0


def test_the_order_of_finalists_is_compared() -> None:
    """Finalists by inherited weights against the same from nothing: told with an interval, from four on."""
    found = [trial(n, "mutation", (0,), accuracy=n / 10, inherited_share=0.9, params=float(n)) for n in range(1, 6)]
    finals = [
        replace(
            trial(10 + n, "final", accuracy=n / 20, epochs=5.0),
            proposal=Proposal(t.architecture, Fidelity(5.0), (), "final"),
        )
        for n, t in enumerate(found)
    ]
    agreement = fairness([*found, *finals], ACCURACY)
    assert agreement is not None
    assert (agreement.num, agreement.tau) == (5, 1.0)
    assert agreement.lower < 1.0
    assert "the inheritance against 5 epochs: rank correlation 1.00" in str(agreement)
    assert fairness([*found, *finals[:3]], ACCURACY) is None
    cut = [replace(each, metrics={**each.metrics, "epochs": 3.0}) for each in finals[3:]]
    assert fairness([*found, *finals[:3], *cut], ACCURACY) is None


def test_what_is_said_of_inheritance() -> None:
    """How many inherited and how much; that nothing could be, and why; that the best one's weights are older."""
    child = trial(1, "mutation", (0,), inherited_share=0.5, inherited_epochs=2.0, inherited_function=1.0)
    refused = trial(2, "mutation", (0,), inherited_share=0.0, inherited_epochs=0.0, inherited_function=0.0)
    told = inherited(child, [trial(0), child, refused], ACCURACY)
    assert told[0] == (
        "1 networks began with a parent's weights, 1 more could not: 50% of their numbers on average, 1 computing what "
        "the parent does; these weights had been trained 2 epochs before"
    )
    assert "trained for 2 epochs before its own 1" in told[1]
    assert "was not measured" in told[2]
    assert "the strategy named no parents" in inherited(trial(0), [trial(0)], ACCURACY)[0]
    assert "the log says why" in inherited(trial(0), [trial(0), refused], ACCURACY)[0]


@pytest.mark.parametrize("text", ["24 trials", "300 epochs", "10m", "2 trials"])
@pytest.mark.parametrize("halving", [True, False])
def test_there_is_budget_for_finalists(text: str, halving: bool) -> None:
    """At least four, and the search phase leaves something for them."""
    budget = Budget.parse(text)
    lengths = Lengths(max_epochs=2.0, halving=halving)
    before = make_plan(budget, num_images=1000, pixels=64, workers=1, lengths=lengths)
    plan = with_finals(before, budget)
    assert plan.num_finalists >= 4
    limits = (
        (plan.search.trials, budget.trials),
        (plan.search.epochs, budget.epochs),
        (plan.search.time_s, budget.time_s),
    )
    assert all(search < whole for search, whole in limits if search is not None and whole is not None)


def test_shared_weights_cannot_be_inherited() -> None:
    """A search on a supernet trains nothing that could be."""
    given = {"task": "image-classification", "data": "digits", "evaluator": "supernet", "inherit": True}
    with pytest.raises(SpecError, match="inherit must be false with evaluator supernet, got True"):
        SearchSpec.from_options(**given)


def test_strategies_without_parents_are_refused() -> None:
    """A model proposes networks that were made from no other; left to us, it is evolution."""
    given = {"task": "image-classification", "data": "digits", "inherit": True}
    with pytest.raises(SpecError, match=r"inherit must be false with strategy bayesian, got True; .* evolution, local"):
        SearchSpec.from_options(**given, strategy="bayesian")
    settings, parts = prepare(SearchSpec.from_options(**given), {}, Clock())
    assert "evolution" in parts.searched_by
    assert "inherit: true" in settings.text


def test_finalists_are_trained_from_nothing(tmp_path: Path) -> None:
    """Those that inherited, by plain evaluators, with seeds of their own; a reference goes on from its checkpoint.

    Four are planned; the other two are trained since none of the time is spent.
    """
    task = nw.ImageClassification.load("digits")
    options = {"task": task, "budget": "3m", "inherit": True, "max_epochs": 3.0, "out": str(tmp_path / "run")}
    settings, parts = prepare(None, options, Clock())
    assert parts.plan is not None
    first = first_proposals(task, parts.space)
    trials = []
    for number in range(6):
        of_line = {"inherited_share": 0.9, "inherited_epochs": 9.0} if number else {}
        metrics = {"accuracy": 0.9 - number / 100, "epochs": 1.0, "train_time_s": 1.0, **of_line}
        proposal = Proposal(first[number].architecture, Fidelity(1.0), (), first[number].origin)
        trials.append(Trial(number, proposal, 7, TrialState.FINISHED, metrics))
    asked: list[tuple[TrainingEvaluator, Proposal]] = []

    def train(evaluator: TrainingEvaluator, proposals: Sequence[Proposal]) -> None:
        for proposal in proposals:
            asked.append((evaluator, proposal))
            metrics = {"accuracy": 0.95, "epochs": 3.0, "train_time_s": 3.0}
            trials.append(Trial(100 + len(trials), proposal, 8, TrialState.FINISHED, metrics))

    assert parts.plan.num_finalists == 4
    FinalPhase(replace(parts.plan, finishes=False), parts, settings, Clock(180.0), trials).run(train)
    assert {type(evaluator) for evaluator, _ in asked} == {TrainingEvaluator}
    assert {evaluator.options.deadline_s is not None for evaluator, _ in asked} == {True}
    assert [proposal.parents for _, proposal in asked] == [(0,), *[()] * 5]
    assert {proposal.fidelity.epochs for _, proposal in asked} == {3.0}


def history(run: Path) -> list[str]:
    with Store.open(run / "study.db", read_only=True) as store:
        return list(store.history())


@pytest.mark.long
def test_a_search_inherits_and_resumes(tmp_path: Path) -> None:
    """End to end on digits, in processes of their own; what is left of a history leads to the same one again."""
    options = {
        "task": "image-classification",
        "data": "digits",
        "space": cases.make_space(),
        "strategy": "local",
        "ladder": "none",
        "halving": False,
        "inherit": True,
        "max_epochs": 0.5,
        "seed": 2,
    }
    result = nw.search(**options, budget="11 trials", out=tmp_path / "run")
    with Store.open(tmp_path / "run" / "study.db", read_only=True) as store:
        trials = store.trials()
    children = [t for t in trials if t.proposal.origin == "neighbour"]
    finals = [t for t in trials if t.proposal.origin == "final"]
    assert children
    assert all(t.metrics["inherited_share"] > 0.2 for t in children)
    assert all("inherited_share" not in t.metrics for t in trials if t not in children)
    assert finals
    assert {t.proposal.parents for t in finals} <= {(), *((t.id,) for t in trials)}
    assert any("networks began with a parent's weights" in note for note in result.notes)
    whole = history(tmp_path / "run")
    cut = tmp_path / "cut"
    shutil.copytree(tmp_path / "run", cut)
    forget_after(cut, children[0].id)
    nw.resume(cut, space=options["space"])
    assert history(cut) == whole


def forget_after(run: Path, number: int) -> None:
    """Take a run back to where a trial was running, as a kill leaves it; checkpoints and later weights are gone."""
    with Store.open(run / "study.db", read_only=True) as store:
        kept = {t.architecture.id for t in store.trials() if t.id < number}
    with sqlite3.connect(run / "study.db") as database:
        database.execute("delete from trials where trial_id >= ?", (number,))
        database.execute("delete from attempts where trial_id > ?", (number,))
        database.execute("delete from events")
    for path in (run / "work" / "weights").iterdir():
        if path.name.partition("-")[0] not in kept:
            path.unlink()
    shutil.rmtree(run / "best")
