"""What a file of one's own holds, column by column, whatever its format. Knows no search space.

A column that is a decision is read as codes, since a million texts are too many to hold; one that is measured is read
as numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netwright.errors import DataError, wrong
from netwright.space.coded_rows import value_order
from netwright.space.values import typed
from netwright.types import Value

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DIGITS = re.compile(r"[+-]?0[0-9]+")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
LARGEST = 1e100
"""Largest magnitude of a measurement: variances and volumes of larger ones cannot be worked out."""

MOST_DIGITS = 300
"""Of a whole number that is a decision: what has more is no number as a processor has them."""

_FLAGS = {"true": True, "false": False}


@dataclass(frozen=True, eq=False)
class Coded:
    """A column of which only the different values are held.

    Args:
        values: the different values.
        codes: shape (rows,): 0 where the cell is empty, else 1 + the place of its value.
        is_text: whether the values are text as a file has it, of which numbers are still to be made.
    """

    values: tuple[Value, ...]
    codes: np.ndarray
    is_text: bool = False

    def renamed(self, values: Sequence[Value | None]) -> Coded:
        """The column with other values in place of its own, equal ones merged, in order.

        Args:
            values: one for each of its own; None turns cells empty.
        """
        kept = {typed(value): value for value in values if value is not None}
        ordered = tuple(sorted(kept.values(), key=value_order))
        code = {typed(value): place for place, value in enumerate(ordered, start=1)}
        table = np.array([0, *(0 if value is None else code[typed(value)] for value in values)], dtype=np.int32)
        return Coded(ordered, table[self.codes])


@dataclass(frozen=True, eq=False)
class Contents:
    """The columns of a file that were asked for.

    Args:
        path: of the file.
        coded: decisions, by the name of the column.
        numbers: measurements, float64 of shape (rows,), by the name of the column.
        lines: line in the file of every row, shape (rows,); None where a file has no lines.
    """

    path: Path
    coded: Mapping[str, Coded]
    numbers: Mapping[str, np.ndarray]
    lines: np.ndarray | None = None

    def place(self, row: int) -> str:
        """Where in the file a row stands, for people."""
        return f"row {row} (the first is 0)" if self.lines is None else f"line {self.lines[row]}"

    def cell(self, row: int, column: str) -> str:
        """Where in the file a cell stands, for people."""
        return f"{self.path}, {self.place(row)}, column {column!r}"


def require_finite(contents: Contents) -> None:
    """Refuse infinite numbers, and those whose squares would be; NaN stands for an evaluation that gave none.

    Raises:
        DataError: a number is infinite, or beyond `LARGEST`.
    """
    for column, numbers in contents.numbers.items():
        beyond = np.abs(numbers) > LARGEST
        if beyond.any():
            row = int(np.argmax(beyond))
            allowed = "a finite number or nan" if np.isinf(numbers[row]) else f"at most {LARGEST:g} in size, or nan"
            cure = "write nan for an evaluation that failed"
            raise DataError(wrong(contents.cell(row, column), float(numbers[row]), allowed, cure))


def values_of_texts(contents: Contents, column: str) -> Coded:
    """Make of text what it says: whole numbers, numbers, flags; text where a cell is none of them.

    Raises:
        DataError: among numbers one is not finite.
    """
    coded = contents.coded[column]
    texts = [str(value).strip() for value in coded.values]
    filled = [text for text in texts if text]
    if any(_DIGITS.fullmatch(text) for text in filled):
        return coded.renamed([text or None for text in texts])  # 007 is a code, not a number
    if all(_INTEGER.fullmatch(text) for text in filled):
        _require_short(contents, column, texts)
        return coded.renamed([int(text) if text else None for text in texts])
    if all(_FLOAT.fullmatch(text) for text in filled):
        values = [float(text) if text else None for text in texts]
        _require_finite_values(contents, column, values)
        return coded.renamed(values)
    if all(text.lower() in _FLAGS for text in filled):
        return coded.renamed([_FLAGS.get(text.lower()) for text in texts])
    return coded.renamed([text or None for text in texts])


def _require_short(contents: Contents, column: str, texts: Sequence[str]) -> None:
    for place, text in enumerate(texts, start=1):
        if len(text) > MOST_DIGITS:
            row = int(np.argmax(contents.coded[column].codes == place))
            cure = "put a letter before it, such as x1, if it is a name"
            raise DataError(wrong(contents.cell(row, column), text, f"a number of at most {MOST_DIGITS} digits", cure))


def _require_finite_values(contents: Contents, column: str, values: Sequence[float | None]) -> None:
    for place, value in enumerate(values, start=1):
        if value is not None and not math.isfinite(value):
            row = int(np.argmax(contents.coded[column].codes == place))
            cure = "leave such rows out, or name the columns that are decisions with decisions=[...]"
            raise DataError(wrong(contents.cell(row, column), value, "a finite number, as it is a decision", cure))


def require_names(path: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Check the names of all columns.

    Raises:
        DataError: one is empty, or two are equal.
    """
    listed = [name.strip() for name in names]
    places: dict[str, int] = {}
    for place, name in enumerate(listed, start=1):
        if not name:
            cure = "name it (pandas writes an unnamed one unless index=False)"
            raise DataError(f"{path}: column {place} of {len(listed)} has no name; {cure}")
        first = places.setdefault(name, place)
        if first != place:
            raise DataError(f"{path}: columns {first} and {place} are both named {name!r}; rename one")
    return tuple(listed)
