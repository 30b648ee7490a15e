"""What a search was started with, as its store recorded it, and how the run's ``spec.yaml`` stands to that.

The store is the truth: the file may have been edited, torn by a crash, or lost. Only the budget may change, and where
things lie. Knows nothing of how a search is run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from netwright.errors import SpecError, StoreError, StudyMismatchError, one_line, shorten
from netwright.storage import Store
from netwright.study.settings import OWN_MARK
from netwright.tasks import GIVEN
from netwright.types import Budget
from netwright.yaml_files import parse_mapping, read_mapping

BUDGET = "budget"
"""Kind of the event that says what a sitting may spend, where it is not what the search began with."""

FREE = frozenset({"budget", "out", "isolated", "data", "space", "seed", "objectives", "constraints"})
"""Keys that may differ from the record: harmless ones, and those whose content `StudyRecord.require_same` compares."""

Values = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Recorded:
    """The specification of a run, twice.

    Args:
        own: the search has an evaluator of its own.
        stored: keys and values as the search began.
        given: those of the run's file; the stored ones, with the last budget, where the file cannot be used.
        budget: of the last sitting, as `Budget` writes it.
        warning: what is wrong with the file; empty where nothing is.
    """

    own: bool
    stored: Values
    given: Values
    budget: str
    warning: str = ""


def read_recorded(run: Path, store: Store) -> Recorded:
    """Read what store and file say.

    Args:
        run: folder of the run.
        store: of the run.

    Raises:
        StoreError: the store holds no specification.
    """
    text = json.loads(store.study.spec)
    if not isinstance(text, str):
        raise StoreError(f"{store.path} holds no specification; it was not written by a search, and cannot be resumed")
    own = text.startswith(OWN_MARK)
    stored = own_values(text, one_line(store.path)) if own else parse_mapping(text, one_line(store.path))
    budgets = [stored.get("budget"), *(event.body for event in store.events(BUDGET))]
    budget = str(Budget.parse(cast(str, budgets[-1])))
    file = run / "spec.yaml"
    try:
        given = own_values(_read(file), one_line(file)) if own else read_mapping(file)
        if not given:
            raise SpecError(f"{one_line(file)}: it is empty")
    except SpecError as error:
        warning = f"{error}; the specification in {store.path.name} is used, and written there again"
        return Recorded(own, stored, {**stored, "budget": budget}, budget, warning)
    return Recorded(own, stored, given, budget)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise SpecError(f"{one_line(file)}: cannot be read: {error}") from error


def own_values(text: str, name: str = "specification") -> dict[str, object]:
    """Keys and values of the specification of a search with an evaluator of its own, see `Settings.own`.

    Args:
        text: JSON after a line of comment.
        name: what it is called in messages.

    Raises:
        SpecError: it is anything else.
    """
    try:
        values = json.loads(text.removeprefix(OWN_MARK))
    except ValueError as error:
        raise SpecError(f"{name}: not the JSON of a search from Python: {error}") from error
    if not isinstance(values, dict):
        raise SpecError(f"{name}: not the JSON object of a search from Python")
    return values


def require_same_specification(stored: Values, given: Values, run: Path, cure: str = "") -> None:
    """Check that a search goes on as it began.

    Args:
        stored: keys and values as the search began.
        given: as they are now; complete in the same way.
        run: folder of the run, for the message.
        cure: what is to be done about it; by default to mend the run's file.

    Raises:
        StudyMismatchError: something but the budget differs; names it, with both values.
    """
    for name in dict.fromkeys((*stored, *given)):
        if name in FREE or stored.get(name) == given.get(name):
            continue
        before, now = (shorten(v[name]) if name in v else "given as an object" for v in (stored, given))
        back = f"set {name} in {one_line(run / 'spec.yaml')} back" if name in stored else f"give the {name} again"
        if name == "task_options" and str(stored.get("task")).startswith(GIVEN):
            back = "load the task that is given with these"
        raise StudyMismatchError(
            f"{name} was {before} when this search began, and is {now} now; a search goes on as it began, and only its "
            f"budget may change: {cure or back}, or start a new search in another folder"
        )
