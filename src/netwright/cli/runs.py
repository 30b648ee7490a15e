"""Reading the folder a search left: its history, its specification, its card. Writes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from netwright.errors import SpecError, one_line, wrong
from netwright.types import Architecture, Objective, Trial, TrialState, best_first, canonical_json, to_json_value

if TYPE_CHECKING:
    from netwright.storage import Store

MAX_JSON_BYTES = 16 << 20
ACCURACY = Objective("accuracy", "max")


@contextmanager
def open_study(run: Path) -> Iterator[Store]:
    """Open the history of a run for reading.

    Args:
        run: folder of the run; its ``study.db`` will do too.

    Raises:
        SpecError: there is no such folder, or no study in it.
        StoreError: the study cannot be read.
    """
    folder = study_folder(run)
    from netwright.storage import Store

    with Store.open(folder / "study.db", read_only=True) as store:
        yield store


def study_folder(run: Path) -> Path:
    """Find the folder of a run.

    Raises:
        SpecError: there is no such folder, or no study in it; runs nearby are named.
    """
    folder = run.parent if run.name == "study.db" else run
    try:
        if (folder / "study.db").is_file():
            return folder
        near = sorted(str(path.parent) for path in folder.absolute().parent.glob("*/study.db"))
        problem = "holds no study" if folder.is_dir() else "is not a folder"
    except (OSError, ValueError) as error:
        raise SpecError(f"RUN: {one_line(folder)} cannot be read: {error}; give the folder of a run") from error
    cure = f"runs beside it: {one_line(', '.join(near[:5]))}" if near else "give the folder that a search wrote (--out)"
    raise SpecError(f"RUN: {one_line(folder)} {problem}; {cure}")


def is_run(path: Path) -> bool:
    """Whether a path is the folder of a run."""
    try:
        return (path / "study.db").is_file()
    except (OSError, ValueError):
        return False


def require_export(folder: Path) -> None:
    """Check that a path may be the folder of an exported network.

    Raises:
        SpecError: it is no folder, or that of a run, in which case the right one is named.
    """
    if not folder.is_dir():
        raise SpecError(f"DIR: {one_line(folder)} is not a folder; give the folder of an export, such as RUN/best")
    if is_run(folder):
        best = folder / "best"
        cure = f"give {one_line(best)}" if best.is_dir() else "it exported nothing yet: netwright export writes a trial"
        raise SpecError(f"DIR: {one_line(folder)} is the folder of a run, not of an export; {cure}")


def find_trial(trials: list[Trial], text: str) -> Trial:
    """The trial of an id given as text.

    Raises:
        SpecError: the text is no number, or there is no such trial.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise SpecError(wrong("the id of a trial", text, "a whole number", "netwright show RUN lists them"))
    found = [trial for trial in trials if trial.id == int(text)]
    if not found:
        ids = f"ids are 0 to {trials[-1].id}" if trials else "the study has no ended trials yet"
        raise SpecError(f"there is no ended trial {int(text)}; {ids}; netwright show RUN lists them")
    return found[0]


def pareto_front(trials: list[Trial], objectives: tuple[Objective, ...]) -> list[Trial]:
    """Finished trials no other is better than in all objectives, best by the main objective first."""
    usable = set.intersection(*({trial.id for trial in best_first(trials, goal)} for goal in objectives))
    ordered = [trial for trial in best_first(trials, objectives[0]) if trial.id in usable]
    if not ordered:
        return []
    if len(objectives) == 1:
        return ordered[:1]
    from netwright.strategies.operators import pareto_rank

    ranks = pareto_rank([tuple(goal.sign * trial.metrics[goal.metric] for goal in objectives) for trial in ordered])
    return [trial for trial, rank in zip(ordered, ranks, strict=True) if rank == 0]


def references(trials: list[Trial]) -> list[tuple[str, Trial]]:
    """The hand-made networks among the trials, with their names; the most thorough trial of each."""
    found: dict[str, Trial] = {}
    for trial in trials:
        kind, colon, name = trial.proposal.origin.partition(":")
        if kind == "reference" and colon and trial.state is TrialState.FINISHED:
            known = found.get(name)
            if known is None or known.fidelity.cost <= trial.fidelity.cost:
                found[name] = trial
    return list(found.items())


def read_json(path: Path) -> object:
    """Read a JSON file of at most 16 MiB.

    Raises:
        SpecError: it cannot be read, is larger, or is no JSON.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_JSON_BYTES + 1)
        if len(raw) > MAX_JSON_BYTES:
            raise SpecError(f"{one_line(path)}: larger than {MAX_JSON_BYTES} bytes; is it the right file?")
        return json.loads(raw.decode("utf-8-sig"))
    except OSError as error:
        raise SpecError(f"{one_line(path)}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise SpecError(f"{one_line(path)}: not a JSON file that can be read: {error}") from error


def read_architecture(path: Path) -> Architecture:
    """Read an architecture from a JSON file: its decisions, or an object that has them under ``architecture``.

    Raises:
        SpecError: the file holds no architecture.
    """
    value = read_json(path)
    if isinstance(value, dict) and isinstance(value.get("architecture"), dict):
        value = value["architecture"]
    if not isinstance(value, dict):
        raise SpecError(wrong(one_line(path), value, "a JSON object of decisions, or a card.json"))
    return Architecture(value)


def difference(a: Architecture, b: Architecture) -> list[tuple[str, str, str]]:
    """Decisions that differ: name, value in ``a``, value in ``b`` as JSON; ``-`` where it is not active."""

    def text(architecture: Architecture, name: str) -> str:
        return canonical_json(to_json_value(architecture[name])) if name in architecture else "-"

    rows = [(name, text(a, name), text(b, name)) for name in sorted(set(a) | set(b))]
    return [row for row in rows if row[1] != row[2]]
