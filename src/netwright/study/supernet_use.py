"""What is done with a trained supernet: its networks are scored, compared with trainings from nothing, and taken out.

Each network is scored in a process of its own, as in a search. Knows no terminals.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from netwright.errors import SearchError, SpaceError, SpecError, one_line, wrong
from netwright.evaluation.supernet_evaluator import SupernetEvaluator
from netwright.evaluation.supernet_files import (
    WEIGHTS,
    held_by,
    recipe_of,
    require_classes,
    require_new_weights,
    require_whole,
)
from netwright.evaluation.supernet_settings import SupernetSettings
from netwright.evaluation.trainer import TrainerOptions
from netwright.execution import IsolatedExecutor, Job, Limits, Outcome
from netwright.spec import SearchSpec
from netwright.study.plan import Lengths, make_plan
from netwright.study.preflight import require_device
from netwright.study.rung_audit import RungAgreement, measure_agreement
from netwright.study.setup import find_space, require_fit, with_task_code
from netwright.study.supernet_audit import SUPERNET, draw_audited
from netwright.study.supernet_further import Training, next_record
from netwright.study.supernet_parts import MOST_EPOCHS
from netwright.study.supernet_phase import SupernetPhase
from netwright.study.supernet_record import SupernetRecord, is_supernet, read_finished, read_record
from netwright.tasks import load_task
from netwright.temporary import temporary_folder
from netwright.types import Architecture, Budget, Constraint, Fidelity, Json, Metrics, Objective, TrialState

if TYPE_CHECKING:
    from netwright.space import SearchSpace
    from netwright.tasks.base import Task

Listener = Callable[[int, int], None]
"""Is told how many networks were scored or trained, of how many."""


ACCURACY = Objective("accuracy", "max")
WITHOUT_ANSWERS: Mapping[str, Any] = MappingProxyType({"distil": False, "divergence": "kl", "labels": 0.0})
"""Options of a training in which no network learns from the answers of another."""

SAME = ("task", "data", "space", "seed", "device")
"""Keys of a specification that are those of the supernet."""


@dataclass(frozen=True)
class Opened:
    """A trained supernet with its data and space.

    Args:
        folder: where it lies.
        record: what it is.
        task: the data.
        space: of its networks.
    """

    folder: Path
    record: SupernetRecord
    task: Task
    space: SearchSpace

    def evaluator(self, work_dir: Path, *, keep_weights: bool, constraints: Sequence[Constraint]) -> SupernetEvaluator:
        """What scores its networks."""
        options = TrainerOptions(device=self.record.device, keep_weights=keep_weights)
        return SupernetEvaluator(
            self.task,
            self.folder / WEIGHTS,
            work_dir=work_dir,
            space=self.space,
            constraints=constraints,
            options=options,
        )


@dataclass(frozen=True)
class Scored:
    """A network of a supernet.

    Args:
        architecture: which.
        metrics: with shared weights; empty where it has none.
        trained: of a training from nothing; empty where there was none.
        error: why there are no metrics, or why the training failed.
    """

    architecture: Architecture
    metrics: Metrics
    trained: Metrics
    error: str = ""

    def to_dict(self) -> dict[str, Json]:
        """JSON object."""
        plain: dict[str, Json] = {
            "architecture": json.loads(self.architecture.to_json()),
            "metrics": dict(self.metrics),
            "error": self.error,
        }
        return {**plain, "trained": dict(self.trained)} if self.trained else plain


def new_training(
    spec: SearchSpec,
    *,
    epochs: float | None,
    budget: Budget | None,
    options: dict[str, Any],
    within: Architecture | None = None,
) -> Training:
    """The training of a supernet that a person asks for; all that can be wrong with it is found here.

    Args:
        spec: task, data, space, seed, workers, device and the folder; one that holds a training goes on with it, or
            trains it further where it had ended and more is asked for.
        epochs: that it is trained, all cycles together; None for as many as a budget of time allows.
        budget: of time, all cycles together, or None.
        options: of `SupernetSettings`.
        within: the network that all others are to lie within; None for that of the training that was begun, and where
            none was for all of the space.

    Raises:
        UsageError: something given is wrong.
    """
    if budget is not None and (budget.time_s is None or budget.trials is not None or budget.epochs is not None):
        cure = "give a time, or leave it out and give --epochs"
        raise SpecError(wrong("budget", str(budget), "a time such as 10m", cure))
    require_device(spec.device)
    SupernetSettings(**options, epochs=1.0 if epochs is None else epochs, seed=spec.seed)
    task, space, code = _load(spec)
    require_new_weights(task)
    options = _options_for(task, options)
    epochs = _most_epochs(task) if epochs is None else epochs
    record = SupernetRecord(
        task=spec.task,
        data=spec.data,
        space=spec.space,
        seed=spec.seed,
        settings=SupernetSettings(**options, epochs=epochs, seed=spec.seed),
        space_fingerprint=space.fingerprint(),
        data_fingerprint=task.fingerprint(),
        code=code,
        device=spec.device,
        budget="" if budget is None else str(budget),
        task_options=spec.task_options,
        within="" if within is None else space.architecture(dict(within)).to_json(),
    )
    folder = Path(spec.out)
    begins = False
    if is_supernet(folder):
        known = read_record(folder)
        record = next_record(known, record if within else replace(record, within=known.within), folder)
        begins = record.settings.cycle > known.settings.cycle
    held = held_by(task, space, record.largest)
    phase = SupernetPhase(task, held, record, folder, workers=spec.workers, memory_bytes=spec.trial_memory_bytes)
    return Training(phase, begins)


def _options_for(task: Task, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of `SupernetSettings` for a task: its recipe, and nothing learned from answers that are no classes.

    Raises:
        SpecError: something else is asked for.
    """
    options = {"recipe": recipe_of(task), **options}
    if task.classifies:
        return options
    for name, plain in WITHOUT_ANSWERS.items():
        if options.get(name, plain) != plain:
            require_classes(task, name, options[name])
    return {**options, **WITHOUT_ANSWERS}


def _most_epochs(task: Task) -> float:
    """Epochs of a training whose end is a matter of time: as many as are worth it."""
    num, full = len(task.train()[1]), task.full_epochs
    lengths = Lengths(full_epochs=full)
    plan = make_plan(Budget(trials=1), num_images=num, pixels=task.work, workers=1, lengths=lengths)
    return MOST_EPOCHS * plan.final_epochs


def open_supernet(folder: Path, *, data: str | None = None, space: str | None = None) -> Opened:
    """A trained supernet.

    Args:
        folder: where it lies.
        data: where its data lies now; None for where it was.
        space: the same of its space.

    Raises:
        SpecError: there is none, it is not finished, or its weights are damaged.
        StudyMismatchError: data or space are others than it was trained for.
    """
    record = read_finished(folder)
    spec = search_spec(record, data=data, space=space)
    task, found, code = _load(spec)
    now = replace(record, space_fingerprint=found.fingerprint(), data_fingerprint=task.fingerprint(), code=code)
    record.require_same(now, folder)
    require_whole(folder / WEIGHTS, record.digest)
    return Opened(folder, record, task, held_by(task, found, record.largest))


def search_spec(record: SupernetRecord | None, **options: object) -> SearchSpec:
    """The specification of a search on a supernet, or of its training.

    Args:
        record: of the supernet; None where there is none yet.
        options: keys of the specification; None leaves what the supernet was trained with.
    """
    given = {name: value for name, value in options.items() if value is not None}
    known: dict[str, object] = {"task": "image-classification"}
    if record is not None:
        known = {name: getattr(record, name) for name in SAME}
        known["task_options"] = dict(record.task_options)
    return SearchSpec.from_options(**{**known, **given})


def options_of(record: SupernetRecord | None, **options: object) -> dict[str, Any]:
    """Options of `SupernetSettings`: those that are given, and else those of the training that was begun.

    Args:
        record: of it; None where there is none.
        options: by name; None where nothing is given.
    """
    known = {} if record is None else {name: getattr(record.settings, name) for name in options}
    return {**known, **{name: value for name, value in options.items() if value is not None}}


def _load(spec: SearchSpec) -> tuple[Task, SearchSpace, str]:
    task = load_task(spec.task, spec.data, seed=spec.seed, **spec.task_options)
    space, code = find_space(spec, task)
    require_fit(spec, task, space)
    return task, space, with_task_code(code, spec, task)


def choose_networks(opened: Opened, given: Sequence[Architecture], count: int, seed: int) -> list[Architecture]:
    """The networks that are asked for: those given, then random ones.

    Args:
        opened: the supernet.
        given: architectures of its space.
        count: random ones.
        seed: of the draw.

    Raises:
        SpaceError: a given one is not of the space: names the decision.
    """
    for architecture in given:
        problem = opened.space.explain(architecture)
        if problem is not None:
            raise SpaceError(f"architecture: {problem}; give one of the space {one_line(opened.record.space)}")
    return list(dict.fromkeys((*given, *draw_audited(opened.space, seed, count))))


def score_networks(
    opened: Opened,
    networks: Sequence[Architecture],
    *,
    audit_epochs: float | None = None,
    workers: int = 1,
    listener: Listener = lambda done, total: None,
) -> list[Scored]:
    """Score networks with shared weights, and train them from nothing where that is wanted.

    Args:
        opened: the supernet.
        networks: which.
        audit_epochs: of a training from nothing; None for none.
        workers: networks at once.
        listener: is told of each.

    Raises:
        UsageError: the file of the weights cannot be used.
    """
    fidelities = [Fidelity(), *([] if audit_epochs is None else [Fidelity(audit_epochs)])]
    jobs = [(a, f) for f in fidelities for a in networks]
    ended: dict[int, Outcome] = {}
    with temporary_folder() as folder, _running(opened, folder, workers=workers, keep_weights=False) as executor:
        for number, (architecture, fidelity) in enumerate(jobs):
            executor.submit(Job(number, architecture, fidelity, opened.record.seed))
        while len(ended) < len(jobs):
            for outcome in executor.wait(None):
                ended[outcome.trial_id] = outcome
                listener(len(ended), len(jobs))
    rows = []
    for number, architecture in enumerate(networks):
        scored, trained = ended[number], ended.get(number + len(networks))
        errors = [_why_not(scored), "" if trained is None else _why_not(trained, "training: ")]
        metrics = {} if errors[0] else scored.metrics
        alone = {} if trained is None or errors[1] else trained.metrics
        rows.append(Scored(architecture, metrics, alone, next(filter(None, errors), "")))
    return rows


def _why_not(outcome: Outcome, what: str = "") -> str:
    """Why there are no metrics, in a line; empty where there are."""
    if outcome.state is TrialState.FINISHED:
        return ""
    return what + (outcome.error.partition("\n")[0] or str(outcome.state))


def agreement_of(rows: Sequence[Scored], epochs: float, objective: Objective = ACCURACY) -> RungAgreement | None:
    """Kendall's tau of shared weights against trainings from nothing; None of fewer than four networks.

    Args:
        rows: scored, and trained for so many epochs.
        epochs: of the trainings.
        objective: what is compared.
    """
    metric = objective.metric
    both = [row for row in rows if metric in row.metrics and metric in row.trained]
    shared = {row.architecture: -objective.sign * row.metrics[metric] for row in both}
    trained = {row.architecture: -objective.sign * row.trained[metric] for row in both}
    sizes = {row.architecture: row.metrics for row in both}
    return measure_agreement(SUPERNET, Fidelity(epochs), shared, trained, sizes, random=list(trained))


def extract_network(opened: Opened, architecture: Architecture, out: Path) -> Metrics:
    """Write a network with its shared weights: source, weights, ONNX and card, checked.

    Args:
        opened: the supernet.
        architecture: of its space.
        out: folder for the files, new, empty or of an earlier export.

    Returns:
        Its metrics with shared weights, on the validation images.

    Raises:
        SearchError: it cannot be scored.
        VerificationError: what was written does not do what the network did.
    """
    from netwright.export import Card, export_network, scoring_of
    from netwright.study.delivery import checked_examples, trained_network
    from netwright.study.finishing import finish

    with temporary_folder() as folder:
        with _running(opened, folder, workers=1, keep_weights=True) as executor:
            executor.submit(Job(0, architecture, Fidelity(), opened.record.seed))
            outcome = next(iter(executor.wait(None)))
        if outcome.state is not TrialState.FINISHED:
            raise SearchError(f"the network cannot be scored: {outcome.error.partition(chr(10))[0]}")
        evaluator = opened.evaluator(folder, keep_weights=True, constraints=())
        weights = evaluator.weights_path(architecture, Fidelity(), opened.record.seed)
        task, term = opened.task, opened.task.network(opened.space, architecture)
        metrics = {(f"validation_{n}" if n in task.directions else n): v for n, v in outcome.metrics.items()}
        trained = finish(weights, task, lambda given: trained_network(term, given, task), metrics, None)
        examples = {"validation": task.validation()}
        remarks = checked_examples(examples, metrics, (term, trained, task))
        card = Card(
            task=task.name,
            metrics=metrics,
            architecture=json.loads(architecture.to_json()),
            seed=opened.record.seed,
            data=task.fingerprint(),
            versions={"netwright": version("netwright")},
            task_options=dict(opened.record.task_options),
            remarks=(f"its weights are its part of {opened.record.origin}, with its own statistics of norms", *remarks),
        )
        export_network(
            term, trained, info=task.export_info(), out=out, card=card, examples=examples, scoring=scoring_of(task)
        )
    return outcome.metrics


@contextmanager
def _running(opened: Opened, folder: Path, *, workers: int, keep_weights: bool) -> Iterator[IsolatedExecutor]:
    evaluator = opened.evaluator(folder, keep_weights=keep_weights, constraints=())
    with IsolatedExecutor(evaluator, workers=workers, limits=Limits()) as executor:
        yield executor
