"""What one data set taught, for another: networks of a run, and their weights, trained on other data.

Two searches of the same budget: one whose only networks are those of the run's front (with their weights, where shapes
allow), and one from nothing, by the run's strategy. Both are runs like any other, but that the first goes on from here
only, where its networks are known. Labels of the first data set are queries that somebody has paid for: the comparison
says nothing of their cost.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from netwright.errors import SpecError, StudyMismatchError, UsageError, one_line, wrong
from netwright.evaluation.beginning import BeginningEvaluator, digest_of_numbering
from netwright.evaluation.inheriting import SHARE
from netwright.evaluation.ladder import NONE
from netwright.evaluation.trainer import TrainingEvaluator
from netwright.progress import Listener
from netwright.space import SearchSpace
from netwright.spec import AUTO, LEARNS_EARLIER, SearchSpec
from netwright.storage import Store
from netwright.strategies.earlier_studies import EarlierStudy, carry_over
from netwright.study.clock import Clock
from netwright.study.differentiable import FoundBefore
from netwright.study.driver import CARRIED as CARRIED_CODE
from netwright.study.driver import go_on_prepared, start, start_prepared
from netwright.study.finals import pareto_front
from netwright.study.opening import prepare
from netwright.study.recorded import read_recorded, require_same_specification
from netwright.study.result import Result
from netwright.study.rung_audit import FEWEST
from netwright.study.settings import Settings
from netwright.study.setup import Parts
from netwright.tasks import load_task
from netwright.tasks.base import Task
from netwright.tasks.learning import LearningTask, trains_on_others
from netwright.tasks.numbering import Numbering, numbering_of
from netwright.types import Architecture, Objective, Proposal, Trial, TrialState, digest

MOST = 4
"""Networks that are carried over, if nothing else is said."""

CARRIED, NOTHING, FILE = "transferred", "from-nothing", "transfer.json"
ORIGIN = "transferred"
Options = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class Arm:
    """One of the two searches.

    Args:
        name: ``transferred`` or ``from-nothing``.
        result: what it found.
        metric: the objective's metric.
        validation: of the best network.
        test: the same on the test part; NaN where it was not read.
        share: part of its numbers that came from the other data's network.
    """

    name: str
    result: Result
    metric: str
    validation: float
    test: float
    share: float

    @classmethod
    def of(cls, name: str, result: Result) -> Arm:
        """Take the numbers from a result."""
        metric = result.objectives[0].metric
        metrics = cast(dict[str, float], result.card.get("metrics", {}))
        test = float(metrics.get(f"test_{metric}", float("nan")))
        found = result.best.metrics
        return cls(name, result, metric, found[metric], test, found.get(SHARE, 0.0))

    def to_dict(self) -> dict[str, object]:
        """JSON object."""
        best = self.result.best
        return {
            "arm": self.name,
            "metric": self.metric,
            "validation": self.validation,
            "test": None if np.isnan(self.test) else self.test,
            "inherited_share": self.share,
            "architecture": json.loads(best.architecture.to_json()),
            "params": best.metrics.get("params"),
            "trials": self.result.num_trials,
        }


def front_of(run: Path, most: int | None = MOST) -> tuple[SearchSpec, list[Trial]]:
    """The networks of a run that are worth carrying over: its front, then the next best, each trained longest.

    Args:
        run: its folder.
        most: networks; None for all.

    Raises:
        SpecError: the run has an evaluator of its own, or no trial of it has finished.
    """
    with Store.open(run / "study.db", read_only=True) as store:
        recorded = read_recorded(run, store)
        trials, objectives = store.trials(), store.study.objectives
    if recorded.own:
        raise SpecError(f"{one_line(run)} was searched with an evaluator of its own: its networks have no task")
    spec = SearchSpec.from_options(**recorded.stored)
    longest: dict[Any, Trial] = {}
    for trial in trials:
        known = longest.get(trial.architecture)
        usable = trial.state is TrialState.FINISHED and objectives[0].metric in trial.metrics
        if usable and (known is None or trial.fidelity.cost >= known.fidelity.cost):
            longest[trial.architecture] = trial
    if not longest:
        raise SpecError(f"{one_line(run)}: no trial has finished, so that there is nothing to carry over")
    front = pareto_front(list(longest.values()), objectives)

    def longest_and_best(trial: Trial) -> tuple[float, float]:
        return -trial.fidelity.cost, objectives[0].sign * trial.metrics[objectives[0].metric]

    ordered = [*sorted(front, key=longest_and_best), *sorted(longest.values(), key=longest_and_best)]
    return spec, list({trial.id: trial for trial in ordered}.values())[:most]


def transfer(
    run: Path,
    data: str,
    out: Path,
    *,
    budget: str,
    seed: int = 0,
    workers: int = 1,
    most: int = MOST,
    weights: bool = True,
    compare: bool = True,
    task_options: Options | None = None,
    listener: Listener | None = None,
) -> list[Arm]:
    """Carry what a run found to other data, and compare it with a search from nothing. Goes on where it was stopped.

    Args:
        run: folder of a finished or interrupted run.
        data: of the same task.
        out: folder for both searches.
        budget: of each.
        seed: of each.
        workers: of each.
        most: networks that are carried over, >= 1.
        weights: whether they begin with their weights, where shapes allow; rows of tokens and classes with those of
            the same ones. Never where the data is that of the run in other parts, since they may have been trained on
            what is validated or tested on here.
        compare: whether the search from nothing is made.
        task_options: with which the data is read; what is not named is as in the run, an empty text what the task takes
            by itself.
        listener: is told how it stands.

    Raises:
        UsageError: the run cannot be read, the data is of another kind, or none of the networks exists there and keeps
            the limits.
        StudyMismatchError: one of the searches was begun with other options.
    """
    if most < 1:
        raise SpecError(wrong("networks", most, ">= 1"))
    before, ordered = front_of(run, None)
    read_by = {name: v for name, v in {**before.task_options, **(task_options or {})}.items() if v != ""}
    options: dict[str, Any] = {**before.model_dump(), "data": data, "budget": budget, "seed": seed, "workers": workers}
    options |= {"task_options": read_by, "warm_start": (), "inherit": False}
    options |= {"supernet": None, "teacher": False, "evaluator": "training"}
    only = {"out": str(out / CARRIED), "strategy": AUTO, "ladder": NONE}  # no ladder, which takes networks from a pool
    spec = SearchSpec.from_options(**{**options, **only})
    arms = [Arm.of(CARRIED, _carry(run, before, ordered, spec, most, weights, listener))]
    if compare:
        options["strategy"] = AUTO if before.strategy == LEARNS_EARLIER else before.strategy
        plain = SearchSpec.from_options(**{**options, "out": str(out / NOTHING)})
        arms.append(Arm.of(NOTHING, _from_nothing(plain, listener)))
    told = {"from": str(run), "data": data, "budget": budget, "seed": seed, "arms": [arm.to_dict() for arm in arms]}
    (out / FILE).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return arms


def _from_nothing(spec: SearchSpec, listener: Listener | None) -> Result:
    """Search as the run did, or go on with it."""
    if not _is_begun(spec):
        return start(spec, {}, listener)
    return go_on_prepared(*_prepared(spec, {}, Clock()), listener)


def _is_begun(spec: SearchSpec) -> bool:
    return (Path(spec.out) / "study.db").is_file()


def _prepared(spec: SearchSpec, options: Mapping[str, Any], clock: Clock) -> tuple[Settings, Parts]:
    """Settings and parts of one of both searches; one that goes on has the rungs of the budget that it began with.

    Raises:
        StudyMismatchError: it was begun with other options, such as another number of workers.
    """
    if not _is_begun(spec):
        return prepare(spec, options, clock)
    folder = Path(spec.out)
    with Store.open(folder / "study.db", read_only=True) as store:
        stored = SearchSpec.from_options(**read_recorded(folder, store).stored)
    cure = "give the options of the command that began it"
    require_same_specification(stored.model_dump(), spec.model_dump(), folder, cure)
    return prepare(spec.model_copy(update={"budget": stored.budget}), options, clock, spec.budget)


def _carry(
    run: Path,
    origin: SearchSpec,
    ordered: Sequence[Trial],
    spec: SearchSpec,
    most: int,
    weights: bool,
    listener: Listener | None,
) -> Result:
    """Train the networks that are worth it, and no others.

    Args:
        run: where they are from.
        origin: the specification of that.
        ordered: its trials, those that are worth most first.
        spec: of the search that is made.
        most: networks.
        weights: whether they begin with their weights.
        listener: is told how it stands.
    """
    clock, strategy = Clock(), FoundBefore(())
    settings, parts = _prepared(spec, {"strategy": strategy}, clock)
    carried = _first_that_exist(run, ordered, parts.space, most, spec.seed)
    strategy.add([Proposal(architecture, origin=ORIGIN) for architecture in carried])
    before = cast(TrainingEvaluator, parts.evaluator)
    same = _same_data(run, origin, spec, before.task)
    anew = None if same is before.task else same
    leaks = weights and anew is not None and _tests_what_was_learned(before.task, anew)
    files = _weight_files(run, list(carried.values()), before) if weights and not leaks else {}
    numbering = _numbering_there(run, origin, before.task, same) if files else {}
    evaluator = BeginningEvaluator(
        before.task,
        before.space,
        work_dir=before.work_dir,
        recipe=before.recipe,
        constraints=before.constraints,
        options=before.options,
        beginnings={architecture: files[t.id] for architecture, t in carried.items() if t.id in files},
        numbering=numbering,
    )
    last = list(carried.values())[-1].id
    lost = [t.id for t in ordered].index(last) + 1 - len(carried)
    said = f"{len(carried)} networks of {one_line(run.name)}, {len(evaluator.beginnings)} with their weights"
    said += f"; {lost} do not exist in this space or break a limit" if lost else ""
    said += "; this is its data in other parts, of which the weights may know what is held out here" if leaks else ""
    if numbering is None:
        said += "; its data is not there as it was, so that what tokens or classes have of the weights begins anew"
    networks = "".join(f"{a.id} {a in evaluator.beginnings} " for a in carried)
    code = f"{parts.code}{CARRIED_CODE}{digest(networks + digest_of_numbering(numbering or {}))}"
    parts = replace(parts, evaluator=evaluator, code=code, searched_by=f"strategy: {said}", carried=True)
    if _is_begun(spec):
        _require_same_networks(Path(spec.out), code)
        return go_on_prepared(settings, parts, listener)
    return start_prepared(settings, parts, clock, listener)


def _require_same_networks(folder: Path, code: str) -> None:
    """Refuse to go on with other networks or weights than a search was begun with.

    Raises:
        StudyMismatchError: they differ.
    """
    with Store.open(folder / "study.db", read_only=True) as store:
        before = store.study.code_fingerprint
    if before != code and before.partition(CARRIED_CODE)[0] == code.partition(CARRIED_CODE)[0]:
        cure = "give the options of the command that began it, with both runs' data where it was, or another folder"
        raise StudyMismatchError(f"{one_line(folder)} was begun with other networks or other weights of them; {cure}")


def _first_that_exist(
    run: Path, ordered: Sequence[Trial], space: SearchSpace, most: int, seed: int
) -> dict[Architecture, Trial]:
    """The first networks of an order that are in a space and keep its limits, as they are there, each with its trial.

    Raises:
        SpecError: none is.
    """
    by_id = {trial.id: trial for trial in ordered}
    found: dict[Architecture, Trial] = {}
    for trial in carry_over(EarlierStudy(run.name, tuple(ordered)), space, np.random.default_rng(seed)).trials:
        if len(found) < most and space.admits(trial.architecture):
            found.setdefault(trial.architecture, by_id[trial.id])
    if not found:
        whole = f"none of the {len(ordered)} networks of {one_line(run)} exists in the space of this data"
        raise SpecError(f"{whole} and keeps its limits; give other data, or search anew with other limits")
    return found


def _same_data(run: Path, origin: SearchSpec, spec: SearchSpec, task: Task) -> Task | None:
    """The data here, read as the run read it, if it is that of the run; else None.

    Args:
        run: folder of the run.
        origin: its specification.
        spec: of the search here.
        task: that of the search here.
    """
    if (origin.seed, origin.task_options) != (spec.seed, spec.task_options):
        return _task_of(run, origin, spec.data)
    return task if task.fingerprint() == _fingerprint_of(run) else None


def _task_of(run: Path, origin: SearchSpec, data: str | Path) -> Task | None:
    """The task of a run, read from some data; None where that is not the data which it had."""
    try:
        there = load_task(origin.task, data, seed=origin.seed, **origin.task_options)
    except UsageError:  # it cannot even be read as that of the run was
        return None
    return there if there.fingerprint() == _fingerprint_of(run) else None


def _fingerprint_of(run: Path) -> str:
    """Of the data that a run had."""
    with Store.open(run / "study.db", read_only=True) as store:
        return store.study.data_fingerprint


def _tests_what_was_learned(here: Task, there: Task) -> bool:
    """Whether something may be held out here that a run trained on; both read the same data."""
    if isinstance(here, LearningTask):
        return here.tests_what_was_learned(there)
    return trains_on_others(there, here)


def _numbering_there(run: Path, origin: SearchSpec, here: Task, same: Task | None) -> Numbering | None:
    """What numbers of tokens and classes stood for in a run; None where that can no longer be known.

    Args:
        run: its folder.
        origin: its specification.
        here: the task here; where nothing is numbered in it, there is nothing to be known.
        same: the run's own task, if it is known.
    """
    if not numbering_of(here):
        return {}
    there = same or _task_of(run, origin, origin.data)
    return None if there is None else numbering_of(there)


def _weight_files(run: Path, chosen: Sequence[Trial], like: TrainingEvaluator) -> dict[int, Path]:
    """Where the trained weights of trials lie, as far as they are there."""
    there = like.with_options()
    there.work_dir = run / "work"
    found = {t.id: there.weights_path(t.architecture, t.fidelity, t.seed) for t in chosen}
    return {number: path for number, path in found.items() if path.is_file()}


@dataclass(frozen=True, slots=True)
class Likeness:
    """How two runs rank the architectures that both have trained.

    Args:
        runs: their names.
        count: architectures that both have.
        tau: Kendall's tau; NaN of fewer than `FEWEST`, or where all are alike in one of the runs.
        low: of its 95 % interval.
        high: of its 95 % interval.
        place: where the best of the first comes in the second, from 1; 0 where it is not there.
    """

    runs: tuple[str, str]
    count: int
    tau: float
    low: float
    high: float
    place: int


def likeness(first: Path, second: Path) -> Likeness:
    """Compare two runs by the architectures that both have trained, each by its longest training.

    Raises:
        StoreError: a run cannot be read.
    """
    from scipy.stats import kendalltau

    ones, others = (_values(run) for run in (first, second))
    common = [a for a in ones if a in others]
    names = first.name, second.name
    nothing = float("nan")
    if not common:
        return Likeness(names, 0, nothing, nothing, nothing, 0)
    x, y = np.array([ones[a] for a in common]), np.array([others[a] for a in common])
    best = min(ones, key=ones.__getitem__)
    place = 1 + sorted(others.values()).index(others[best]) if best in others else 0
    if len(common) < FEWEST:
        return Likeness(names, len(common), nothing, nothing, nothing, place)
    tau = float(kendalltau(x, y).statistic)
    if np.isnan(tau):
        return Likeness(names, len(common), tau, nothing, nothing, place)
    if len(common) > FEWEST:
        centre = np.arctanh(np.clip(tau, -0.999999, 0.999999))
        half = 1.959964 * np.sqrt(0.437 / (len(common) - 4))
        low, high = float(np.tanh(centre - half)), float(np.tanh(centre + half))
    else:
        low, high = -1.0, 1.0
    return Likeness(names, len(common), tau, low, high, place)


def _values(run: Path) -> dict[Any, float]:
    """What is minimised, of each architecture's longest training."""
    with Store.open(run / "study.db", read_only=True) as store:
        trials = store.trials()
        objective: Objective = store.study.objectives[0]
    found: dict[Any, float] = {}
    for trial in sorted(trials, key=lambda t: t.fidelity.cost):
        if trial.state is TrialState.FINISHED and objective.metric in trial.metrics:
            found[trial.architecture] = objective.sign * trial.metrics[objective.metric]
    return found
