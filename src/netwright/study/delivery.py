"""From the best trial to files a person can ship: export, check, and the card with the evidence.

The test split is read here, once, through the exported files, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from netwright.errors import DataError, ExportError, one_line
from netwright.export import Ancestor, Card, Compared, Examples, Limit, export_network
from netwright.study.result import Result
from netwright.study.setup import Parts
from netwright.types import Json, Trial

if TYPE_CHECKING:
    from netwright.evaluation.trainer import TrainingEvaluator
    from netwright.space.terms import Term
    from netwright.tasks.image_classification import ImageClassification


def deliver(result: Result, parts: Parts, seed: int, trials: Sequence[Trial], out: Path) -> Result:
    """Export the best trial of a search and read the test split.

    Args:
        result: what was found.
        parts: of the search.
        seed: of the search.
        trials: its history.
        out: folder for the files.

    Returns:
        The result with card, check and notes.

    Raises:
        DataError: the test split cannot be read. The network is exported without a figure on it; a resume adds it.
        ExportError: the network cannot be written.
        VerificationError: what was written does not do what the network of the search did.
    """
    assert parts.task is not None
    problem, test = None, None
    try:
        test = parts.task.test()
    except DataError as error:
        problem = error
    card = export_trial(result.best, parts, seed, trials, out, comparisons=result, test=test)
    if problem is not None:
        raise DataError(_without_test(problem, result, out)) from problem
    check = card.check
    assert check is not None
    notes = tuple(note for note in (card.export.onnx_note if card.export else "", *check.notes) if note)
    plain = cast(Mapping[str, Json], _as_dict(card))
    return replace(result, card=plain, verified=check.passed, notes=(*result.notes, *notes))


def _without_test(problem: DataError, result: Result, out: Path) -> str:
    """What is said when all is done but the test."""
    return (
        f"the test split cannot be read: {problem}\n"
        f"nothing is lost: trial {result.best.id} is exported to {one_line(out)}, without a figure on the test split; "
        f"mend these images, then finish with: netwright resume {one_line(out.parent)}"
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
    """
    task = parts.task
    assert task is not None
    evaluator = cast("TrainingEvaluator", parts.evaluator)
    weights = evaluator.weights_path(trial.architecture, trial.fidelity, trial.seed)
    if not weights.is_file():
        raise ExportError(f"the weights of trial {trial.id} are not there ({weights}); export another trial")
    objective = parts.objectives[0]
    term = task.network(parts.space, trial.architecture)
    metrics = {("validation_accuracy" if n == "accuracy" else n): v for n, v in trial.metrics.items()}
    examples: dict[str, Examples] = {"validation": task.validation()}
    if test is not None:
        examples["test"] = test
        metrics["test_accuracy"] = accuracy_of(term, weights, task, examples["test"])
    reference = None
    if comparisons is not None and comparisons.comparisons:
        best = comparisons.comparisons[0]
        reference = Compared.of(best.name, {best.metric: best.reference}, {best.metric: best.found}, objective)
    card = Card(
        task=task.name,
        metrics=metrics,
        architecture=_plain(trial),
        constraints=tuple(Limit.of(limit, trial.metrics) for limit in parts.constraints),
        reference=reference,
        seed=seed,
        trial=trial.id,
        lineage=lineage(trial, trials),
        data=task.fingerprint(),
        versions={"netwright": version("netwright")},
        remarks=() if comparisons is None else (*comparisons.warnings, *comparisons.notes),
    )
    export_network(term, weights, info=task.export_info(), out=out, card=card, examples=examples)
    return Card.from_json((out / "card.json").read_bytes())


def accuracy_of(term: Term, weights: Path, task: ImageClassification, examples: Examples | None = None) -> float:
    """Accuracy of the network as the search builds it; what the exported files are compared with."""
    from safetensors.torch import load_file

    from netwright.evaluation.batches import Images
    from netwright.evaluation.training import evaluate
    from netwright.nn import build

    model = build(term, input_shape=task.input_shape, seed=0)
    images, labels = task.test() if examples is None else examples
    model.load_state_dict(load_file(weights))
    return evaluate(model, Images(images, labels.astype(np.int64), task.scale))["accuracy"]


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
