"""``netwright export`` and ``netwright verify``: a trial as files, and whether files do what they did in the search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netwright.cli.codes import DIFFERENT
from netwright.cli.runs import find_trial, open_study, require_export, study_folder
from netwright.cli.searching import task_options
from netwright.cli.text import clean, json_line
from netwright.errors import SpecError, one_line

if TYPE_CHECKING:
    from netwright.export import Check, Examples, Scoring


def export(
    run: Annotated[Path, typer.Argument(help="Folder of the run.", metavar="RUN")],
    trial: Annotated[str, typer.Option(help="Id of the trial; netwright show RUN lists them.")],
    out: Annotated[Path, typer.Option(help="Folder to write to, new or empty.")],
) -> int:
    """Export the network of one trial: source, weights, ONNX and card, checked."""
    from netwright.run_folders import require_free

    folder = study_folder(run)
    require_free(out)
    with open_study(folder) as store:
        chosen = find_trial(store.trials(), trial)

    from netwright.search import export as write

    write(folder, chosen.id, out)
    print(f"trial {chosen.id} is in {clean(out)}")
    return 0


def verify(
    folder: Annotated[Path, typer.Argument(help="Folder of an exported network, such as RUN/best.", metavar="DIR")],
    data: Annotated[str | None, typer.Option(help="Data to measure the metric on again.")] = None,
    task: Annotated[str | None, typer.Option(help="FILE.py:NAME, where the task is your own.")] = None,
    task_option: Annotated[
        list[str] | None, typer.Option(help="Option of the task's data, besides those that the card names; repeatable.")
    ] = None,
    allow_edited: Annotated[bool, typer.Option("--allow-edited", help="Run a model.py that was edited.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Check that an exported network gives the outputs and the metric it gave in the search; exit code 1 if not.

    This runs DIR/model.py: verify what you made or trust.
    """
    require_export(folder)
    if data is None and (task or task_option):
        given = "--task" if task else "--task-option"
        raise SpecError(f"{given} says how data is read, and no data is given; add --data DATA, or leave it out")

    from netwright.export import examine

    read = task_options(task_option or ())
    known = _data_of(folder, data, task, read) if data is not None else _Data()
    check = examine(
        folder,
        examples=known.examples,
        class_names=known.class_names,
        allow_edited=allow_edited,
        scoring=known.scoring,
    )
    notes = (*known.notes, *check.notes)
    if as_json:
        print(json_line({**check.to_dict(), "notes": notes}))
        return 0 if check.passed else DIFFERENT
    for one in check.comparisons:
        shown = "equal bit for bit" if one.equal else f"differ by {one.max_abs_difference:.3g} (<= {one.tolerance:.3g})"
        print(f"outputs of {one.runtime}, batch of {one.batch}: {shown}")
    for again in check.remeasured:
        print(f"{clean(again.split, 20)} split in {again.runtime}: {again.correct} of {again.examples} right")
    for metric in check.rescored:
        told = "" if metric.recorded is None else f" (the card says {metric.recorded:.5g})"
        print(f"{clean(metric.split, 20)} split in {metric.runtime}: {metric.metric} {metric.value:.5g}{told}")
    for text in (*(f"note: {note}" for note in notes), *(f"different: {failure}" for failure in check.failures)):
        print(clean(text))
    print(_verdict(check))
    return 0 if check.passed else DIFFERENT


def _verdict(check: Check) -> str:
    """The last line, which claims no more than was checked."""
    if not check.passed:
        return "NOT verified"
    if check.metric_measured_again:
        return "verified: it does what it did in the search"
    same = "verified: the outputs are those of the search"
    if check.remeasured or check.rescored:
        return f"{same}; the card has no metric to compare with"
    return f"{same}; the metric was NOT measured again: add --data DATA, the data of the search, to do so"


@dataclass(frozen=True, slots=True)
class _Data:
    """What a network is measured on again."""

    examples: Mapping[str, Examples] = field(default_factory=dict)
    class_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    scoring: Scoring | None = None


def _data_of(folder: Path, data: str, own: str | None, options: Mapping[str, str | int | float | bool]) -> _Data:
    """Load the data of an exported network's task, split as in its search."""
    from netwright.export import Card, scoring_of
    from netwright.tasks import load_task

    path = folder / "card.json"
    try:
        card = Card.from_json(path.read_bytes())
    except OSError as error:
        raise SpecError(
            f"{one_line(path)}: cannot be read: {error.strerror or error}; give the folder of an export"
        ) from error
    task = load_task(own or card.task, data, seed=card.seed or 0, **{**card.task_options, **options})
    other = card.data not in ("", task.fingerprint())
    notes = ("the data is not the data of the search, or not in the same order",) if other else ()
    examples = {"validation": task.validation(), "test": task.test()}
    return _Data(examples, tuple(task.class_names), notes, scoring_of(task))
