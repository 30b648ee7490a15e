"""The search space of a table of one's own: read from its columns, or declared and checked against them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np

from netwright.benchmarks.columns import MOST_DIGITS, Coded, Contents, values_of_texts
from netwright.errors import DataError, SpecError, unknown, wrong
from netwright.space import Choice, Node, Op, SearchSpace, choice, integer, real
from netwright.space.values import Values, canonical, is_static, values_of
from netwright.types import Value, from_json_value

MOST_VALUES = 1_000
"""Numbers of a column that has more different ones are a range."""

MANY_FRACTIONS, MANY_VALUES = 20, 100
"""A column of more different fractions, or values of other kinds, that repeat in few rows is unlikely a decision."""


def inferred_columns(contents: Contents, decisions: Mapping[str, str], *, guessed: bool) -> dict[str, Coded]:
    """The values of every decision, by its name, where no space is declared.

    Args:
        contents: of the file.
        decisions: column of every decision, by its name.
        guessed: whether nobody said that these columns are decisions.

    Raises:
        DataError: a cell is empty, or a column looks like a measurement or a name, and nobody said what it is.
    """
    columns = {}
    for name, column in decisions.items():
        coded = contents.coded[column]
        coded = values_of_texts(contents, column) if coded.is_text else coded
        if not coded.codes.all():
            where = contents.cell(int(np.argmin(coded.codes)), column)
            cure = "fill it, or declare the space if not every architecture has this decision"
            raise DataError(f"{where} is empty, and every architecture needs its decisions; {cure}")
        if guessed and len(decisions) > 1:
            _require_likely(contents, column, coded)
        columns[name] = coded
    return columns


def _require_likely(contents: Contents, column: str, coded: Coded) -> None:
    """Refuse a column that nobody said is a decision, and that is a measurement or a name by its values.

    Raises:
        DataError: it is different in most rows.
    """
    fractions = any(isinstance(value, float) for value in coded.values)
    if len(coded.values) > max(len(coded.codes) / 2, MANY_FRACTIONS if fractions else MANY_VALUES):
        what = f"{contents.path}: column {column!r} has {len(coded.values)} different values in {len(coded.codes)} rows"
        cure = "name it as a metric, or name the columns that are decisions with decisions=[...] (--decisions A,B,...)"
        raise DataError(f"{what}, as measurements and names have, and nobody said that it is a decision; {cure}")


def space_of_columns(columns: Mapping[str, Coded]) -> SearchSpace:
    """Declare what the columns span: a chain of one operation a decision, in the order of the columns.

    Columns whose names differ in a number only (``layer0``, ``layer1``) are the same operation in several places.

    Args:
        columns: by the name of the decision.
    """
    nodes: list[Node] = []
    for name, coded in columns.items():
        stem = name.rstrip("0123456789").rstrip("_.-") or name
        nodes.append(Op(f"decide {stem}", (("value", _choice(name, coded.values)),)))
    return SearchSpace(Op("seq", (), tuple(nodes)))


def _choice(name: str, values: Sequence[Value]) -> Choice:
    if len(values) <= MOST_VALUES or isinstance(values[0], str):
        return choice(name, values)
    first, last = values[0], values[-1]
    if isinstance(first, int) and isinstance(last, int):
        return integer(name, first, last)
    assert isinstance(first, (int, float))
    assert isinstance(last, (int, float))
    return real(name, first, last)


def declared_columns(contents: Contents, space: SearchSpace, decisions: Mapping[str, str]) -> dict[str, Coded]:
    """The values of every decision, by its name, as a declared space writes them. Empty cells are inactive decisions.

    Args:
        contents: of the file.
        space: declared.
        decisions: column of every decision, by its name.

    Raises:
        DataError: a choice of the space has no column, a column is no choice, or a value is not allowed.
    """
    for name in space.choices:
        if name not in decisions:
            cure = "add it, or name it by decision:NAME in the header"
            raise DataError(f"{contents.path}: the choice {name!r} of the space has no column; {cure}")
    for name in decisions:
        if name not in space.choices:
            raise DataError(f"{contents.path}: {unknown('decision', name, space.choices)} (choices of the space)")
    return {name: _as_declared(contents, decisions[name], space.choices[name]) for name in space.choices}


def _as_declared(contents: Contents, column: str, declared: Choice) -> Coded:
    coded = contents.coded[column]
    allowed = values_of(declared, {}) if is_static(declared.domain) else None
    values: list[Value | None] = []
    for place, given in enumerate(coded.values, start=1):
        if coded.is_text and not str(given).strip():
            values.append(None)
            continue
        found = _find(given, allowed, is_text=coded.is_text)
        if found is None:
            row = int(np.argmax(coded.codes == place))
            assert allowed is not None
            meant = _readings(str(given))[-1] if coded.is_text else given
            cure = "mend the cell or the space"
            raise DataError(wrong(contents.cell(row, column), meant, allowed.allowed(meant), cure))
        values.append(found)
    return coded.renamed(values)


def _find(given: Value, allowed: Values | None, *, is_text: bool) -> Value | None:
    """A value as the space writes it; where that depends on other decisions, as the cell says."""
    readings = _readings(str(given)) if is_text else [given]
    if allowed is None:
        return readings[-1]
    for reading in readings:
        if allowed.position(reading) is not None:
            return canonical(allowed, reading)
    return None


def _readings(text: str) -> list[Value]:
    """What a cell may mean: its text, or the JSON value it spells, if it is as short as values are."""
    text = text.strip()
    if len(text) > MOST_DIGITS:
        return [text]
    try:
        value = from_json_value(json.loads(text.lower() if text.lower() in ("true", "false") else text))
    except (ValueError, SpecError):
        return [text]
    return [text, value]
