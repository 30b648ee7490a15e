"""The end of a search: who is trained fully, what happens when that fails, and what a person is told of it."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import netwright as nw
from netwright.evaluation.trainer import TrainerOptions, TrainingEvaluator
from netwright.storage import Started
from netwright.study.clock import Clock
from netwright.study.final_phase import FinalPhase
from netwright.study.finals import FINAL, expected_epochs, share_time, waiting_finalists
from netwright.study.opening import prepare
from netwright.study.plan import reserve_at_pace_s
from netwright.study.remarks import notes_of, warnings_of
from netwright.study.result import Comparison, Result
from netwright.study.settings import Settings
from netwright.study.setup import Parts, first_proposals
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial, TrialState


@pytest.fixture(autouse=True)
def nominal_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds are shared as on the machine on which those of plans were measured."""
    monkeypatch.setattr("netwright.study.machine.Slowness.__call__", lambda self, times=4: 1.0)


@pytest.fixture(scope="module")
def task() -> nw.ImageClassification:
    return nw.ImageClassification.load("digits")


def parts_of(
    task: nw.ImageClassification, out: Path, budget: str = "3m", limit: str = "latency_ms<=2", **options: object
) -> tuple[Settings, Parts]:
    """Settings and parts of a search, with a limit on latency if no other is given."""
    return prepare(None, {"task": task, "budget": budget, "constraints": [limit], "out": str(out), **options}, Clock())


def searched(parts: Parts, number: int, accuracy: float, epochs: float = 1.0, train_time_s: float = 1.0) -> Trial:
    """A finished trial of the search: the first proposal of that number."""
    assert parts.task is not None
    proposal = first_proposals(parts.task, parts.space)[number]
    metrics = {"accuracy": accuracy, "epochs": epochs, "train_time_s": train_time_s, "latency_ms": 1.0}
    started = Proposal(proposal.architecture, Fidelity(epochs), (), proposal.origin)
    return Trial(number, started, 7, TrialState.FINISHED, metrics)


class Machine:
    """Ends each final training as it is told to, and remembers what it was asked."""

    def __init__(self, trials: list[Trial], *endings: TrialState) -> None:
        self.trials, self.endings = trials, list(endings)
        self.asked: list[tuple[TrainerOptions, Proposal]] = []
        self.at_once: list[int] = []

    def __call__(self, evaluator: TrainingEvaluator, proposals: Sequence[Proposal]) -> None:
        self.at_once.append(len(proposals))
        for proposal in proposals:
            self.asked.append((evaluator.options, proposal))
            self._end(proposal)

    def _end(self, proposal: Proposal) -> None:
        state = self.endings.pop(0) if self.endings else TrialState.FINISHED
        finished = {"accuracy": 0.99, "epochs": 30.0, "train_time_s": 9.0, "latency_ms": 1.0}
        metrics = finished if state is TrialState.FINISHED else {"latency_ms": 2.035}
        error = "" if state is TrialState.FINISHED else "latency_ms is 2.035, the limit is 2"
        self.trials.append(Trial(100 + len(self.trials), proposal, 7, state, metrics, error))


class AsPlanned(FinalPhase):
    """Trains no more than was planned, whatever time is left."""

    def _some_more(self, tried: Collection[Architecture]) -> list[Trial]:
        return []


def phase(task: nw.ImageClassification, out: Path, clock: Clock, *endings: TrialState) -> tuple[FinalPhase, Machine]:
    """A final phase after a search of four networks, which trains no more than was planned."""
    settings, parts = parts_of(task, out)
    trials = [searched(parts, i, accuracy) for i, accuracy in enumerate((0.9, 0.8, 0.7, 0.6))]
    machine = Machine(trials, *endings)
    assert parts.plan is not None
    return AsPlanned(replace(parts.plan, finishes=False), parts, settings, clock, trials), machine


def test_where_a_full_training_fails_the_next_best_takes_its_place(
    task: nw.ImageClassification, tmp_path: Path
) -> None:
    """Two are to be trained fully; the first one is refused, so the third is trained, too."""
    final, machine = phase(task, tmp_path / "run", Clock(180.0), TrialState.INFEASIBLE)
    assert final.plan.num_finalists == 2
    final.run(machine)
    assert [(0,), (1,), (2,)] == [proposal.parents for _, proposal in machine.asked]
    assert {FINAL} == {proposal.origin for _, proposal in machine.asked}


def test_failing_full_trainings_end(task: nw.ImageClassification, tmp_path: Path) -> None:
    """Where each of them fails, it ends: when there is nothing more to train."""
    final, machine = phase(task, tmp_path / "run", Clock(180.0), *[TrialState.FAILED] * 9)
    final.run(machine)
    assert [(0,), (1,), (2,), (3,)] == [proposal.parents for _, proposal in machine.asked]
    final.run(machine)
    assert len(machine.asked) == 4


def test_the_accepted_latency_is_known_to_the_full_training(task: nw.ImageClassification, tmp_path: Path) -> None:
    """The measurement of the search goes with the finalist."""
    final, machine = phase(task, tmp_path / "run", Clock(180.0))
    final.run(machine)
    assert [1.0, 1.0] == [options.known_latency_ms for options, _ in machine.asked]


def test_a_training_that_would_be_shorter_than_an_existing_one_is_not_made(
    task: nw.ImageClassification, tmp_path: Path
) -> None:
    """Both were trained for 10 epochs of 3 s; 30 s less the reserve give none of them more."""
    final, machine = phase(task, tmp_path / "run", Clock(180.0, spent_s=180.0 - 60.0))
    final.trials = machine.trials = [searched(final.parts, i, 0.9 - i / 10, 10.0, 30.0) for i in range(2)]
    final.run(machine)
    assert [(0,)] == [proposal.parents for _, proposal in machine.asked][:1]
    final, machine = phase(task, tmp_path / "run", Clock(180.0, spent_s=180.0 - 30.0))
    final.trials = machine.trials = [searched(final.parts, i, 0.9 - i / 10, 10.0, 30.0) for i in range(2)]
    final.run(machine)
    assert [] == machine.asked


def test_where_nothing_usable_was_found_the_cheapest_reference_gets_the_time(
    task: nw.ImageClassification, tmp_path: Path
) -> None:
    """It goes on with the training that the search had begun, and has a deadline; a refused one is left out."""
    final, machine = phase(task, tmp_path / "run", Clock(120.0, spent_s=38.0))
    machine.trials.clear()
    proposals = first_proposals(task, final.parts.space)
    costs = [
        final.evaluator.measure_sizes(task.network(final.parts.space, p.architecture))["train_cost"] for p in proposals
    ]
    order = sorted(range(len(costs)), key=costs.__getitem__)
    machine.trials.append(Trial(0, proposals[order[0]], 7, TrialState.INFEASIBLE, {}, "latency_ms is 3"))
    final.rescue([Started(i, proposals[i], 7) for i in range(3)], machine)
    ((options, proposal),) = machine.asked
    assert proposals[order[1]].architecture == proposal.architecture
    assert ((order[1],) if order[1] < 3 else ()) == proposal.parents
    assert options.deadline_s is not None


def test_of_carried_networks_none_made_by_hand_takes_the_place(task: nw.ImageClassification, tmp_path: Path) -> None:
    """Only one of those that were begun, however cheap a reference is."""
    final, machine = phase(task, tmp_path / "run", Clock(120.0, spent_s=38.0))
    machine.trials.clear()
    final.parts = replace(final.parts, carried=True)
    known = {p.architecture for p in first_proposals(task, final.parts.space)}
    carried = next(a for a in map(final.parts.space.sample, map(np.random.default_rng, range(9))) if a not in known)
    final.rescue([Started(0, Proposal(carried), 7)], machine)
    assert [carried] == [proposal.architecture for _, proposal in machine.asked]
    machine.asked.clear()
    machine.trials.clear()
    final.rescue([], machine)
    assert [] == machine.asked


def test_without_time_nothing_is_rescued(task: nw.ImageClassification, tmp_path: Path) -> None:
    """A training that could not end in time is not begun."""
    final, machine = phase(task, tmp_path / "run", Clock(120.0, spent_s=110.0))
    machine.trials.clear()
    final.rescue([], machine)
    assert [] == machine.asked


def trial(number: int, name: str, state: TrialState = TrialState.FINISHED, origin: str = "") -> Trial:
    metrics = {"accuracy": 0.5} if state is TrialState.FINISHED else {}
    return Trial(number, Proposal(Architecture({"n": name}), Fidelity(1.0), (), origin), 0, state, metrics)


def test_waiting_finalists_without_replacement() -> None:
    """One whose training failed keeps its place where there is no budget for another."""
    ranked = [trial(0, "a"), trial(1, "b"), trial(2, "c")]
    failed = [*ranked, trial(3, "a", TrialState.FAILED, FINAL)]
    assert [1, 2] == [t.id for t in waiting_finalists(ranked, failed, (), 2)]
    assert [1] == [t.id for t in waiting_finalists(ranked, failed, (), 2, replace=False)]
    done = [*ranked, trial(3, "a", TrialState.FINISHED, FINAL)]
    assert [1] == [t.id for t in waiting_finalists(ranked, done, (), 2)]


def test_the_pace_of_a_network_is_its_slowest() -> None:
    """A promoted trial trains the difference alone, so its seconds an epoch are too few."""
    first, promoted = (
        Trial(i, Proposal(Architecture({})), 0, TrialState.FINISHED, {"epochs": e, "train_time_s": s})
        for i, (e, s) in enumerate(((1.0, 10.0), (3.0, 20.0)))
    )
    assert 4.0 == expected_epochs([first, promoted], 40.0, 1, 0.0)
    assert 4.6 == pytest.approx(expected_epochs([first, promoted], 40.0, 1, 0.2))
    assert float("inf") == expected_epochs([], 40.0, 1, 0.0)


def test_time_is_divided_among_as_many_as_gain_by_it() -> None:
    """Two where both gain; else the best one that gains alone; else none."""
    two = [trial(0, "a"), trial(1, "b")]
    assert [0, 1] == [t.id for t in share_time(two, lambda t, those: True)]
    assert [0] == [t.id for t in share_time(two, lambda t, those: len(those) == 1)]
    assert [1] == [t.id for t in share_time(two, lambda t, those: len(those) == 1 and t.id == 1)]
    assert [] == share_time(two, lambda t, those: False)


@pytest.mark.parametrize(
    ("measured", "known", "found"),
    [
        ([1.5], 1.0, {"latency_ms": 1.5}),
        ([2.1], None, {"latency_ms": 2.1}),
        ([2.1, 1.2], 1.0, {"latency_ms": 1.2}),
        ([2.1, 2.05], 1.078, {"latency_ms": 1.078, "latency_again_ms": 2.05}),
    ],
)
def test_a_noisy_second_measurement_does_not_refuse_an_accepted_network(
    task: nw.ImageClassification,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    measured: list[float],
    known: float | None,
    found: dict[str, float],
) -> None:
    """Over the limit it is measured once more; if that is over it, too, the known one decides, and both are told."""
    _, parts = parts_of(task, tmp_path / "run")
    assert isinstance(parts.evaluator, TrainingEvaluator)
    evaluator = parts.evaluator.with_options(known_latency_ms=known)
    left = list(measured)
    monkeypatch.setattr(evaluator, "_latency", lambda model: left.pop(0))
    assert found == evaluator.measure_latencies(None)  # type: ignore[arg-type]
    assert [] == left


def test_a_network_that_was_not_trained_fully_is_told_loudly(task: nw.ImageClassification, tmp_path: Path) -> None:
    """With the reason; not where its full training was merely worse."""
    final, machine = phase(task, tmp_path / "run", Clock(180.0), *[TrialState.INFEASIBLE] * 9)
    best = machine.trials[0]
    (warning,) = warnings_of(best, machine.trials, final.parts)
    assert warning.startswith(
        "trial 0 was trained for 1 epochs only, not fully: there was no time for a longer training"
    )
    final.run(machine)
    (warning,) = warnings_of(best, machine.trials, final.parts)
    assert "not fully: the full training could not be made: trial 104 broke a limit: latency_ms is 2.035" in warning
    final, machine = phase(task, tmp_path / "run", Clock(180.0))
    final.run(machine)
    assert () == warnings_of(machine.trials[0], machine.trials, final.parts)
    cut = Trial(9, machine.asked[0][1], 7, TrialState.FINISHED, {"accuracy": 0.1, "epochs": 0.23})
    assert "trial 9 was trained for 0.23 epochs only" in warnings_of(cut, [cut], final.parts)[0]


def test_a_latency_beyond_the_limit_is_told(task: nw.ImageClassification, tmp_path: Path) -> None:
    """What was measured at the end is not hidden."""
    settings, parts = parts_of(task, tmp_path / "run")
    best = searched(parts, 0, 0.9)
    again = Trial(0, best.proposal, 7, best.state, {**best.metrics, "latency_again_ms": 2.035})
    notes = notes_of(again, [again], parts, settings.budget)
    assert notes[0].startswith("the latency was measured again: 2.04 ms, beyond the limit of 2; it was 1 ms when")


def test_a_budget_that_fits_only_references_says_so(task: nw.ImageClassification, tmp_path: Path) -> None:
    """With a budget that would be enough; and a reference that was refused is named with its reason."""
    settings, parts = parts_of(task, tmp_path / "run")
    refused = Trial(
        1,
        first_proposals(task, parts.space)[1],
        7,
        TrialState.INFEASIBLE,
        {},
        "params is 9e+06, the limit is 2e+05\n..",
    )
    trials = [searched(parts, 0, 0.9), refused, searched(parts, 2, 0.8)]
    notes = notes_of(trials[0], trials, parts, settings.budget)
    assert (
        "the reference mobilenet is not compared with: it broke a limit: params is 9e+06, the limit is 2e+05" in notes
    )
    assert notes[-1].startswith("only the 3 references fitted into the budget; give ")
    assert notes[-1].endswith(" minutes for a search")
    alone = Trial(0, Proposal(trials[0].architecture, Fidelity(30.0), (), FINAL), 7, trials[0].state, {"accuracy": 0.5})
    assert notes_of(alone, [alone], parts, settings.budget)[-1].startswith("only one hand-made network fitted into the")
    trials.append(searched(parts, 3, 0.9))
    assert not any("fitted" in note for note in notes_of(trials[0], trials, parts, settings.budget))


def test_the_summary_counts_compares_and_warns() -> None:
    """Trained and refused are told apart, a reference is not compared with itself, epochs are rounded."""
    best = trial(3, "a", origin="reference:cnn")
    best = Trial(3, best.proposal, 0, best.state, {"accuracy": 0.5, "epochs": 2.2058823})
    rows = (
        Comparison("cnn", "accuracy", 0.5, 0.5, 0.0, 1.0, 1.0),
        Comparison("resnet", "accuracy", 0.4, 0.5, 0.1, 1.0, 1.0),
    )
    counts = {TrialState.FINISHED: 5, TrialState.FAILED: 0, TrialState.INFEASIBLE: 9}
    result = Result(
        None,
        (Objective("accuracy", "max"),),
        best,
        (("cnn", best),),
        rows,
        num_trials=14,
        stopped="x",
        counts=counts,
        warnings=("not trained fully",),
    )
    text = result.summary()
    assert "14 trials (5 trained, 9 refused), stopped: x" in text
    assert "epochs 2.21" in text
    assert "WARNING: not trained fully" in text
    assert "cnn: accuracy" not in text
    assert "resnet: accuracy" in text
    assert "beat the best" not in text


def test_a_known_latency_over_the_limit_decides_nothing(
    task: nw.ImageClassification, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what was accepted may stand in for a measurement."""
    _, parts = parts_of(task, tmp_path / "run")
    assert isinstance(parts.evaluator, TrainingEvaluator)
    assert (Constraint.parse("latency_ms<=2"),) == parts.evaluator.constraints
    evaluator = parts.evaluator.with_options(known_latency_ms=2.5)
    monkeypatch.setattr(evaluator, "_latency", lambda model: 2.1)
    assert {"latency_ms": 2.1} == evaluator.measure_latencies(None)  # type: ignore[arg-type]


def test_a_finalist_has_what_the_others_do_not_need(task: nw.ImageClassification, tmp_path: Path) -> None:
    """A network that needs long gets more than its half where the other needs less than its own; else each has half."""
    ends = {}
    for other_s in (0.1, 1.0):
        settings, parts = parts_of(task, tmp_path / f"{other_s}")
        assert parts.plan is not None
        trials = [searched(parts, 0, 0.95, train_time_s=4.0), searched(parts, 1, 0.9, train_time_s=other_s)]
        machine = Machine(trials)
        clock = Clock()
        clock.limit_s = 60.0
        FinalPhase(parts.plan, parts, settings, clock, trials).run(machine)
        deadline_s = machine.asked[0][0].deadline_s
        assert deadline_s is not None
        reserve_s = reserve_at_pace_s(parts.plan, settings.budget, 4.0 / len(task.train()[1]), task.num_scored)
        ends[other_s] = (clock.deadline_s() or 0.0) - reserve_s - deadline_s
    left_s = 60.0 - reserve_s
    assert ends[1.0] == pytest.approx(left_s / 2, abs=1.0)
    assert ends[0.1] < 12.0


@pytest.mark.parametrize(("pace_s", "num_trained"), [(0.05, 4), (2.0, 2)])
def test_time_that_is_left_trains_one_more(
    pace_s: float, num_trained: int, task: nw.ImageClassification, tmp_path: Path
) -> None:
    """Where the two finalists ended early the next best are trained, each if all of its training fits in."""
    settings, parts = parts_of(task, tmp_path)
    assert parts.plan is not None
    assert (parts.plan.finishes, parts.plan.num_finalists) == (True, 2)
    trials = [searched(parts, n, 0.9 - 0.1 * n, train_time_s=pace_s) for n in range(4)]
    clock = Clock()
    clock.limit_s = 40.0
    machine = Machine(trials)
    order = [trial.architecture for trial in trials[:num_trained]]
    FinalPhase(parts.plan, parts, settings, clock, trials).run(machine)
    assert [proposal.architecture for _, proposal in machine.asked] == order


def test_finalists_are_trained_at_once_where_no_latency_is_measured(
    task: nw.ImageClassification, tmp_path: Path
) -> None:
    """As many as there are workers, each with the processes that are left to it, and the time of both."""
    times = {}
    for limit, pace_s in (("params<=900k", 2.0), ("latency_ms<=2", 2.0), ("params<=900k", 0.05)):
        settings, parts = parts_of(task, tmp_path / f"{limit[:3]}{pace_s}", limit=limit, workers=2)
        trials = [searched(parts, n, 0.9 - 0.1 * n, train_time_s=pace_s) for n in range(5)]
        machine, clock = Machine(trials), Clock()
        clock.limit_s = 40.0
        assert parts.plan is not None
        FinalPhase(parts.plan, parts, settings, clock, trials).run(machine)
        times[limit, pace_s] = (clock.deadline_s() or 0.0) - (machine.asked[0][0].deadline_s or 0.0)
        known = [options.known_latency_ms for options, _ in machine.asked]
        if limit.startswith("latency"):
            assert ([1, 1], [2, 2]) == (machine.at_once, [options.processes for options, _ in machine.asked])
            assert [1.0, 1.0] == known
        else:
            assert ([2] if pace_s > 1 else [2, 2, 1]) == machine.at_once
            assert [1, 1, 1, 1, 2][: len(known)] == [options.processes for options, _ in machine.asked]
            assert [None, None] == known[:2]
    assert times["latency_ms<=2", 2.0] > times["params<=900k", 2.0] + 5.0


def test_a_step_of_one_part_is_shared_by_nobody(task: nw.ImageClassification, tmp_path: Path) -> None:
    """A further process would wait; what a training needs is reckoned with one."""
    settings, parts = parts_of(task, tmp_path, workers=2)
    assert isinstance(parts.evaluator, TrainingEvaluator)
    trials = [searched(parts, n, 0.9 - 0.1 * n) for n in range(2)]
    begins = []
    for shards in (1, 2):
        parts.evaluator.recipe = replace(parts.evaluator.recipe, shards=shards)
        machine = Machine(list(trials))
        assert parts.plan is not None
        final = FinalPhase(parts.plan, parts, settings, Clock(), machine.trials)
        begins.append(final.begins_at_s() or 0.0)
        final.run(machine)
        assert {shards} == {options.processes for options, _ in machine.asked}
    assert begins[0] < begins[1] - 5.0


def test_a_search_leaves_the_time_that_its_finalists_need(task: nw.ImageClassification, tmp_path: Path) -> None:
    """As they are known to be slow it ends earlier; a search whose finalists time will cut off keeps to its plan."""
    begins = []
    for pace_s in (0.05, 0.2):
        settings, parts = parts_of(task, tmp_path / f"{pace_s}")
        trials = [searched(parts, n, 0.95, train_time_s=pace_s) for n in range(2)]
        assert parts.plan is not None
        assert (parts.plan.finishes, parts.plan.num_finalists) == (True, 2)
        assert FinalPhase(parts.plan, parts, settings, Clock(), []).begins_at_s() is None
        begins.append(FinalPhase(parts.plan, parts, settings, Clock(), trials).begins_at_s() or 0.0)
        hurried = replace(parts.plan, finishes=False)
        assert FinalPhase(hurried, parts, settings, Clock(), trials).begins_at_s() is None
    assert begins[0] - begins[1] == pytest.approx(2 * parts.plan.final_epochs * 0.15 / (1 + 0.8 * 0), rel=0.01)
    assert 100 < begins[0] < 180 - 2 * 5.0


def test_a_search_goes_on_where_its_last_training_needs_less_than_was_kept(
    task: nw.ImageClassification, tmp_path: Path
) -> None:
    """One finalist gets three quarters of the time as planned; what a fast machine leaves of them is searched."""
    settings, parts = parts_of(task, tmp_path / "run")
    assert parts.plan is not None
    plan = replace(parts.plan, finishes=False, num_finalists=1)
    spare_s = {}
    for pace_s in (0.05, 0.2, 20.0):
        trials = [searched(parts, n, 0.95, train_time_s=pace_s) for n in range(2)]
        final = FinalPhase(plan, parts, settings, Clock(), trials)
        assert final.begins_at_s() is None
        spare_s[pace_s] = final.spare_until_s() or 0.0
    assert spare_s[0.05] - spare_s[0.2] == pytest.approx(1.2 * plan.final_epochs * 0.15, rel=0.01)
    assert (plan.search.time_s or 0.0) < spare_s[0.2] < 180 - plan.reserve_s / 2
    assert spare_s[20.0] == 0.0
    assert FinalPhase(plan, parts, settings, Clock(), []).spare_until_s() is None


def test_time_that_one_last_training_leaves_is_given_to_the_next_best(
    task: nw.ImageClassification, tmp_path: Path
) -> None:
    """However many were planned; the machine of this test takes no time for a training."""
    settings, parts = parts_of(task, tmp_path / "run")
    assert parts.plan is not None
    machine = Machine([searched(parts, n, 0.95 - 0.1 * n, train_time_s=0.05) for n in range(3)])
    plan = replace(parts.plan, finishes=False, num_finalists=1)
    FinalPhase(plan, parts, settings, Clock(60.0), machine.trials).run(machine)
    assert [(0,), (1,), (2,)] == [proposal.parents for _, proposal in machine.asked]


@pytest.mark.parametrize(("workers", "trained"), [(1, 1), (2, 1), (6, 2)])
def test_workers_that_one_last_training_cannot_use_train_the_next_best(
    workers: int, trained: int, task: nw.ImageClassification, tmp_path: Path
) -> None:
    """A step has two parts, so that six workers train two of seven networks at once, each with two processes."""
    settings, parts = parts_of(task, tmp_path / "run", limit="params<=9M")
    assert parts.plan is not None
    settings = replace(settings, workers=workers)
    machine = Machine([searched(parts, n, 0.95 - 0.01 * n, train_time_s=1.0) for n in range(7)])
    plan = replace(parts.plan, finishes=False, num_finalists=1)
    AsPlanned(plan, parts, settings, Clock(180.0, spent_s=60.0), machine.trials).run(machine)
    assert machine.at_once == [trained]
    assert {options.processes for options, _ in machine.asked} == {min(2, workers)}


def test_a_network_that_time_would_cut_off_goes_behind_one_that_ends(
    task: nw.ImageClassification, tmp_path: Path
) -> None:
    """Though it is ahead by a little after as many epochs."""
    settings, parts = parts_of(task, tmp_path / "run", limit="params<=9M")
    assert parts.plan is not None
    slow = searched(parts, 0, 0.91, train_time_s=60.0)
    fast = searched(parts, 1, 0.90, train_time_s=0.2)
    final = FinalPhase(parts.plan, parts, settings, Clock(), [slow, fast])
    assert [t.id for t in final.waiting()] == [1, 0]
    as_fast = searched(parts, 0, 0.91, train_time_s=0.2)
    final = FinalPhase(parts.plan, parts, settings, Clock(), [as_fast, fast])
    assert [t.id for t in final.waiting()] == [0, 1]


def test_finalists_are_those_that_they_were_before_the_first_was_trained(
    task: nw.ImageClassification, tmp_path: Path
) -> None:
    """Though it tells more of how errors fall: else a training that was cut off would not be gone on with."""
    settings, parts = parts_of(task, tmp_path / "run", limit="params<=9M")
    assert parts.plan is not None
    best, slow, fast = (
        searched(parts, n, a, train_time_s=s) for n, a, s in ((0, 0.95, 0.2), (1, 0.90, 20.0), (2, 0.85, 0.2))
    )
    twice = [searched(parts, n, a, epochs) for n in (3, 4) for epochs, a in ((1.0, 0.7), (3.0, 0.72))]
    trials = [best, slow, fast, *twice]
    final = FinalPhase(parts.plan, parts, settings, Clock(), trials)
    before = [t.architecture for t in final._ranked()]
    steep = {"accuracy": 0.9999, "epochs": parts.plan.final_epochs, "train_time_s": 9.0}
    ended = Proposal(best.architecture, Fidelity(parts.plan.final_epochs), (0,), FINAL)
    trials.append(Trial(9, ended, 7, TrialState.FINISHED, steep))
    assert [t.architecture for t in final._ranked()] == before


def test_those_that_are_trained_beside_the_planned_ones_take_no_time_of_the_search(
    task: nw.ImageClassification, tmp_path: Path
) -> None:
    """However slow they are."""
    settings, parts = parts_of(task, tmp_path / "run", limit="params<=9M")
    plan = parts.plan
    assert plan is not None
    trials = [searched(parts, n, 0.95 - 0.05 * n, 3.0, 0.2 if n < 2 else 3.0) for n in range(7)]
    begins = []
    for workers in (4, 16):
        final = FinalPhase(plan, parts, replace(settings, workers=workers), Clock(), trials)
        assert len(final.waiting()) == 2
        begins.append(final.begins_at_s())
    many = replace(plan, eta=1)
    final = FinalPhase(many, parts, replace(settings, workers=16), Clock(), trials)
    assert len(final.waiting()) == 7
    assert {*begins, final.begins_at_s()} == {begins[0]}


def test_what_was_trained_fully_needs_no_time_at_the_end(task: nw.ImageClassification, tmp_path: Path) -> None:
    """Where the highest rung is the full training no last one is left: all but the export is searched."""
    settings, parts = parts_of(task, tmp_path / "run")
    assert parts.plan is not None
    trials = [searched(parts, n, 0.9 - 0.1 * n, parts.plan.final_epochs) for n in range(3)]
    final = FinalPhase(parts.plan, parts, settings, Clock(), trials)
    assert final.waiting() == []
    assert 180 - parts.plan.reserve_s <= (final.begins_at_s() or 0.0) < 180
    short = [searched(parts, n, 0.9 - 0.1 * n) for n in range(3)]
    assert (FinalPhase(parts.plan, parts, settings, Clock(), short).begins_at_s() or 0.0) < final.begins_at_s()  # type: ignore[operator]


def test_one_more_that_was_interrupted_goes_on(task: nw.ImageClassification, tmp_path: Path) -> None:
    """Though all of its training would no longer fit in, since a part of it is made; the planned one has ended."""
    settings, parts = parts_of(task, tmp_path / "run")
    assert parts.plan is not None
    plan = replace(parts.plan, finishes=False, num_finalists=1)
    trials = [searched(parts, n, 0.95 - 0.1 * n, train_time_s=1.0) for n in range(3)]
    for cut, expected in ((set(), []), ({trials[1].architecture}, [(1,)])):
        machine = Machine(trials.copy())
        machine(parts.evaluator, [Proposal(trials[0].architecture, Fidelity(plan.final_epochs), (0,), FINAL)])  # type: ignore[arg-type]
        machine.asked.clear()
        FinalPhase(plan, parts, settings, Clock(60.0, spent_s=20.0), machine.trials).run(machine, cut)
        assert expected == [proposal.parents for _, proposal in machine.asked]


def test_what_is_left_is_found_quickly_in_a_long_history(task: nw.ImageClassification, tmp_path: Path) -> None:
    """It is asked whenever a trial ends; with the highest rung trained fully no finalist waits."""
    settings, parts = parts_of(task, tmp_path / "run")
    assert parts.plan is not None
    first = searched(parts, 0, 0.9)
    kinds = [Architecture({**first.architecture, "width": n}) for n in range(3000)]
    trials = [
        replace(first, id=n, proposal=Proposal(kind, Fidelity(1.0 if n % 9 else parts.plan.final_epochs)))
        for n, kind in enumerate(kinds)
    ]
    final = FinalPhase(parts.plan, parts, settings, Clock(180.0), trials)
    begin_s = time.process_time()
    assert (final.begins_at_s() or 0.0) > 150
    assert final._some_more(()) != []
    assert time.process_time() - begin_s < 1.5
