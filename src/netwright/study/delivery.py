"""From the best trial to files a person can ship: export, check, and the card with the evidence.

The test split is read here, once, through the exported files, and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from netwright.errors import DataError, ExportError, one_line
from netwright.export import Ancestor, Card, Compared, Examples, Limit, export_network, scoring_of
from netwright.study.finishing import Weights, finish, read, rival_scores
from netwright.study.machine import Slowness
from netwright.study.plan import EXPORT_S, SCORING
from netwright.study.result import Result
from netwright.study.setup import Parts
from netwright.types import Json, Trial

if TYPE_CHECKING:
    from torch import nn

    from netwright.evaluation.trainer import TrainingEvaluator
    from netwright.space.terms import Term
    from netwright.tasks.base import Task

_MEASURED = 12
"""How often it is measured how slow the machine is, for the export."""

LEAST_CHECKED = 2000
"""Examples that the check of the exported files scores even where time is short."""

MOST_OUTPUTS = 1 << 27
"""Values of the outputs that the check compares, all together: 1 GB."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the last step of a search is told.

    Args:
        tell: is told what is done next.
        left_s: wall seconds that are left for it; None for as many as it takes.
    """

    tell: Callable[[str], None] = lambda text: None
    left_s: Callable[[], float | None] = lambda: None


def deliver(result: Result, parts: Parts, seed: int, trials: Sequence[Trial], out: Path, desk: Desk) -> Result:
    """Export the best trial of a search and read the test split.

    Args:
        result: what was found.
        parts: of the search.
        seed: of the search.
        trials: its history.
        out: folder for the files.
        desk: is told how it goes.

    Returns:
        The result with card, check and notes.

    Raises:
        DataError: the test split cannot be read. The network is exported without a figure on it; a resume adds it.
        ExportError: the network cannot be written.
        VerificationError: what was written does not do what the network of the search did.
    """
    assert parts.task is not None
    problem, test = None, None
    desk.tell("reading the test split")
    try:
        test = parts.task.test()
    except DataError as error:
        problem = error
    card = export_trial(result.best, parts, seed, trials, out, comparisons=result, test=test, desk=desk)
    if problem is not None:
        raise DataError(_without_test(problem, result, out)) from problem
    check = card.check
    assert check is not None
    desk.tell(f"the network is written and {'checked' if check.passed else 'NOT verified'}")
    notes = tuple(note for note in (card.export.onnx_note if card.export else "", *check.notes) if note)
    new = tuple(remark for remark in card.remarks if remark not in (*result.warnings, *result.notes))
    plain = cast(Mapping[str, Json], _as_dict(card))
    return replace(result, card=plain, verified=check.passed, notes=(*result.notes, *new, *notes))


def _without_test(problem: DataError, result: Result, out: Path) -> str:
    """What is said when all is done but the test."""
    return (
        f"the test split cannot be read: {problem}\n"
        f"nothing is lost: trial {result.best.id} is exported to {one_line(out)}, without a figure on the test split; "
        f"mend this data, then finish with: netwright resume {one_line(out.parent)}"
    )


def recall(result: Result, folder: Path) -> Result:
    """The result with the card that an earlier sitting wrote."""
    card = Card.from_json((folder / "card.json").read_bytes())
    verified = card.check is not None and card.check.passed
    return replace(result, card=cast(Mapping[str, Json], _as_dict(card)), verified=verified)


def export_trial(
    trial: Trial,
    parts: Parts,
    seed: int,
    trials: Sequence[Trial],
    out: Path,
    *,
    comparisons: Result | None = None,
    test: Examples | None = None,
    desk: Desk | None = None,
) -> Card:
    """Export the network of a trial with the weights it had when it was measured.

    Args:
        trial: a finished one.
        parts: of its search.
        seed: of the search.
        trials: the history, for the lineage.
        out: folder for the files.
        comparisons: the result of the search, for the card.
        test: the test split, whose accuracy is written into the card; of the result of a search only.
        desk: is told how it goes.
    """
    task, desk = parts.task, desk or Desk()
    assert task is not None
    evaluator = cast("TrainingEvaluator", parts.evaluator)
    weights = evaluator.weights_path(trial.architecture, trial.fidelity, trial.seed)
    if not weights.is_file():
        raise ExportError(f"the weights of trial {trial.id} are not there ({weights}); export another trial")
    term = task.network(parts.space, trial.architecture)
    metrics = {(f"validation_{n}" if n in task.directions else n): v for n, v in trial.metrics.items()}
    trained = finish(weights, task, lambda given: trained_network(term, given, task), metrics, test)
    examples: dict[str, Examples] = {"validation": task.validation()}
    remarks = () if comparisons is None else (*comparisons.warnings, *comparisons.notes)
    if test is not None:
        desk.tell(f"scoring {len(test[1])} test examples")
        examples["test"] = test
        metrics |= _test_metrics(evaluator, term, trained, task, test)
        remarks = (*remarks, *rival_scores(task, test, desk.left_s(), metrics))
    most = images_in(desk.left_s(), trial, len(task.train()[1]))
    remarks = (*remarks, *checked_examples(examples, metrics, (term, trained, task), most))
    desk.tell(f"writing model.py, weights and ONNX, and checking them on {sum(map(_size, examples.values()))} examples")
    card = Card(
        task=task.name,
        metrics=metrics,
        architecture=_plain(trial),
        constraints=tuple(Limit.of(limit, trial.metrics) for limit in parts.constraints),
        reference=_best_reference(comparisons),
        seed=seed,
        trial=trial.id,
        lineage=lineage(trial, trials),
        data=task.fingerprint(),
        versions={"netwright": version("netwright")},
        remarks=remarks,
        task_options=dict(parts.task_options),
    )
    export_network(
        term, trained, info=task.export_info(), out=out, card=card, examples=examples, scoring=scoring_of(task)
    )
    return Card.from_json((out / "card.json").read_bytes())


def _best_reference(result: Result | None) -> Compared | None:
    """The hand-made network that comes nearest, as the card tells it; none where they were not trained."""
    best = next((c for c in result.comparisons if c.is_of_trained), None) if result is not None else None
    if result is None or best is None:
        return None
    return Compared.of(best.name, {best.metric: best.reference}, {best.metric: best.found}, result.objectives[0])


def _test_metrics(
    evaluator: TrainingEvaluator, term: Term, weights: Path | Weights, task: Task, test: Examples
) -> dict[str, float]:
    """What the network is worth on the test split; also in int8, where the search was for that."""
    from netwright.evaluation.quantised import quantised_accuracy

    found = {f"test_{name}": value for name, value in scores_of(term, weights, task, test).items()}
    network = trained_network(term, weights, task)
    found |= {f"test_{name}": value for name, value in task.final_scores(network, "test").items()}
    spec = evaluator.options.quantised
    if spec is not None:
        found["int8_test_accuracy"] = quantised_accuracy(trained_network(term, weights, task), task, spec, test).value
    return found


def images_in(left_s: float | None, trial: Trial, num_train: int) -> float:
    """How many examples the check of the files may score, at a network's pace; never fewer than `LEAST_CHECKED`.

    Args:
        left_s: wall seconds that are left; None for as many as it takes.
        trial: of the network.
        num_train: training examples.
    """
    epochs = trial.metrics.get("epochs", 0.0)
    if left_s is None or epochs <= 0 or trial.metrics.get("train_time_s", 0.0) <= 0:
        return math.inf
    train_s = trial.metrics["train_time_s"] / (epochs * trial.fidelity.data_share * num_train)
    return max(LEAST_CHECKED, (left_s - Slowness()(_MEASURED) * EXPORT_S) / (SCORING * train_s))


def checked_examples(
    examples: dict[str, Examples],
    metrics: dict[str, float],
    made: tuple[Term, Path | Weights, Task],
    most: float = math.inf,
) -> tuple[str, ...]:
    """Leave as many of the examples to the check as time and memory allow; returns what is said of it.

    Args:
        examples: of each split; changed where there are more.
        metrics: of the network, to which those on fewer examples are added.
        made: the network, its weights, its task.
        most: examples that there is time for.
    """
    term, weights, task = made
    most = min(most, MOST_OUTPUTS // _values_kept(task))
    if sum(map(_size, examples.values())) <= most:
        return ()
    return (sample(examples, metrics, most, lambda few: scores_of(term, weights, task, few)),)


def sample(
    examples: dict[str, Examples], metrics: dict[str, float], most: float, score: Callable[[Examples], dict[str, float]]
) -> str:
    """Leave so many of the examples to the check, with the metrics on these; returns what is said of it."""
    total = sum(map(_size, examples.values()))
    for split, (images, labels) in list(examples.items()):
        rows = np.linspace(0, len(labels) - 1, math.ceil(most * len(labels) / total), dtype=np.int64)
        few = images[rows], labels[rows]
        del examples[split]
        examples[f"{split}_sample"] = few
        metrics |= {f"{split}_sample_{name}": value for name, value in score(few).items()}
    return (
        f"for want of time or memory {sum(map(_size, examples.values()))} of {total} examples were used to check the "
        "exported files; netwright verify --data measures on all"
    )


def _values_kept(task: Task) -> int:
    """Values that the check keeps of an example's outputs."""
    from netwright.export.runtimes import RUNTIMES

    runtime = task.export_info().runtime
    shape = task.output_shape[:-1] if runtime and RUNTIMES[runtime].compacts else task.output_shape
    return max(1, math.prod(shape))


def _size(examples: Examples) -> int:
    return len(examples[1])


def scores_of(term: Term, weights: Path | Weights, task: Task, examples: Examples) -> dict[str, float]:
    """Metrics of the network as the search builds it, without the loss; what the exported files are compared with."""
    from netwright.evaluation.batches import Data
    from netwright.evaluation.trainer import scored_at_once
    from netwright.evaluation.training import evaluate

    found = evaluate(
        trained_network(term, weights, task),
        Data(*examples, task.to_input),
        batch_size=scored_at_once(task),
        scores=task.scores,
    )
    return {name: value for name, value in found.items() if name != "loss"}


def trained_network(term: Term, weights: Path | Weights, task: Task) -> nn.Module:
    """The network of a search, with its weights."""
    from netwright.nn import build
    from netwright.nn.building import whole_state

    model = build(term, input_shape=task.input_shape, seed=0, input_dtype=task.input_dtype)
    model.load_state_dict(whole_state(model, read(weights)))
    return model


def lineage(trial: Trial, trials: Sequence[Trial]) -> tuple[Ancestor, ...]:
    """The trial and those it descends from, the youngest first."""
    by_id = {t.id: t for t in trials}
    found: dict[int, Ancestor] = {}
    waiting = [trial.id]
    while waiting:
        current = by_id.get(waiting.pop(0))
        if current is not None and current.id not in found:
            found[current.id] = Ancestor(current.id, current.proposal.parents, current.proposal.origin)
            waiting.extend(current.proposal.parents)
    return tuple(found[i] for i in sorted(found, reverse=True))


def _plain(trial: Trial) -> dict[str, Any]:
    import json

    plain: dict[str, Any] = json.loads(trial.architecture.to_json())
    return plain


def _as_dict(card: Card) -> object:
    import json

    return json.loads(card.to_json())
