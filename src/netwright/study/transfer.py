"""What one data set taught, for another: networks of a run, and their weights, trained on other data.

Two searches of the same budget: one whose only networks are those of the run's front (with their weights, where shapes
allow), and one from nothing, by the run's strategy. Both are runs like any other. Labels of the first data set are
queries that somebody has paid for: the comparison says nothing of their cost.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from netwright.errors import SpecError, UsageError, one_line, wrong
from netwright.evaluation.beginning import BeginningEvaluator
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
from netwright.study.driver import go_on_prepared, restart, start, start_prepared
from netwright.study.finals import pareto_front
from netwright.study.opening import prepare
from netwright.study.recorded import read_recorded
from netwright.study.result import Result
from netwright.study.rung_audit import FEWEST
from netwright.tasks import load_task
from netwright.tasks.base import Task
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
        weights: whether they begin with their weights, where shapes allow; never where the data is that of the run in
            other parts, since they were trained on what is validated on here.
        compare: whether the search from nothing is made.
        task_options: with which the data is read; what is not named is as in the run, an empty text what the task takes
            by itself.
        listener: is told how it stands.

    Raises:
        UsageError: the run cannot be read, the data is of another kind, or none of the networks exists there.
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
        folder = out / NOTHING
        if (folder / "study.db").is_file():
            found = restart(folder, budget, listener, {})
        else:
            options["strategy"] = AUTO if before.strategy == LEARNS_EARLIER else before.strategy
            found = start(SearchSpec.from_options(**{**options, "out": str(folder)}), {}, listener)
        arms.append(Arm.of(NOTHING, found))
    told = {"from": str(run), "data": data, "budget": budget, "seed": seed, "arms": [arm.to_dict() for arm in arms]}
    (out / FILE).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return arms


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
    settings, parts = prepare(spec, {"strategy": strategy}, clock)
    carried = _first_that_exist(run, ordered, parts.space, most, spec.seed)
    strategy.add([Proposal(architecture, origin=ORIGIN) for architecture in carried])
    before = cast(TrainingEvaluator, parts.evaluator)
    leaks = weights and _splits_the_same_data_anew(run, origin, spec, before.task)
    files = _weight_files(run, list(carried.values()), before) if weights and not leaks else {}
    evaluator = BeginningEvaluator(
        before.task,
        before.space,
        work_dir=before.work_dir,
        recipe=before.recipe,
        constraints=before.constraints,
        options=before.options,
        beginnings={architecture: files[t.id] for architecture, t in carried.items() if t.id in files},
    )
    last = list(carried.values())[-1].id
    lost = [t.id for t in ordered].index(last) + 1 - len(carried)
    said = f"{len(carried)} networks of {one_line(run.name)}, {len(evaluator.beginnings)} with their weights"
    said += f"; {lost} do not exist in this space" if lost else ""
    said += "; this is its data in other parts, on whose validation part the weights were trained" if leaks else ""
    code = digest(parts.code + ORIGIN + "".join(a.id for a in evaluator.beginnings))
    parts = replace(parts, evaluator=evaluator, code=code, searched_by=f"strategy: {said}")
    if (Path(spec.out) / "study.db").is_file():
        return go_on_prepared(settings, parts, listener)
    return start_prepared(settings, parts, clock, listener)


def _first_that_exist(
    run: Path, ordered: Sequence[Trial], space: SearchSpace, most: int, seed: int
) -> dict[Architecture, Trial]:
    """The first networks of an order that are in a space, as they are there, each with its trial.

    Raises:
        SpecError: none is.
    """
    by_id = {trial.id: trial for trial in ordered}
    found: dict[Architecture, Trial] = {}
    for trial in carry_over(EarlierStudy(run.name, tuple(ordered)), space, np.random.default_rng(seed)).trials:
        if len(found) < most:
            found.setdefault(trial.architecture, by_id[trial.id])
    if not found:
        raise SpecError(f"none of the {len(ordered)} networks of {one_line(run)} exists in the space of this data")
    return found


def _splits_the_same_data_anew(run: Path, origin: SearchSpec, spec: SearchSpec, task: Task) -> bool:
    """Whether the data is that of the run, but other examples of it are trained on.

    Args:
        run: folder of the run.
        origin: its specification.
        spec: of the search here.
        task: that of the search here.
    """
    if (origin.seed, origin.task_options) == (spec.seed, spec.task_options):
        return False
    with Store.open(run / "study.db", read_only=True) as store:
        recorded = store.study.data_fingerprint
    try:
        there = load_task(origin.task, spec.data, seed=origin.seed, **origin.task_options)
    except UsageError:  # it cannot even be read as that of the run was
        return False
    if there.fingerprint() != recorded:
        return False
    pairs = ((there.train(), task.train()), (there.validation(), task.validation()))
    return not all(np.array_equal(a, b) for one, other in pairs for a, b in zip(one, other, strict=True))


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
    best = common[int(np.argmin(x))]
    place = 1 + sorted(others.values()).index(others[best])
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
