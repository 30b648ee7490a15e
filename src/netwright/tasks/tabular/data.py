"""From tables to training, validation and test rows: target, splits, encoding, and what was mended on the way.

Knows neither networks nor metrics. What is learned of a table, its encoding and its classes, is learned on the training
part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError, shorten
from netwright.tasks.base import Examples
from netwright.tasks.metrics import require_metrics
from netwright.tasks.tabular.encoding import Encoded, Encoding, EncodingOptions
from netwright.tasks.tabular.label_texts import one_way, usual
from netwright.tasks.tabular.marks import made_plain, marks_of, notes_on
from netwright.tasks.tabular.parts import (
    class_words,
    drop_column,
    read_parts,
    target_name,
    with_words,
    without_missing,
)
from netwright.tasks.tabular.reading import Header, Table, is_number
from netwright.tasks.tabular.resolution import blurred
from netwright.tasks.tabular.splitting import TableSplit, split_parts
from netwright.types import Value

_SHOWN = 5
MOST_CLASSES = 1000


@dataclass(frozen=True)
class TabularOptions:
    """How a table is read.

    Args:
        target: name or number of the column; empty for `netwright.tasks.tabular.parts.target_name` to find it.
        header: whether the first line holds names; ``auto`` finds out.
        encoding: of the columns.
        split: of parts that the data does not have.
    """

    target: str | int = ""
    header: Header = "auto"
    encoding: EncodingOptions = field(default_factory=EncodingOptions)
    split: TableSplit = field(default_factory=TableSplit)


@dataclass(frozen=True)
class Rows:
    """A table, ready to be learned from.

    Args:
        name: of the data.
        train: inputs (N, D) float32 and targets.
        validation: the same.
        test: the same.
        encoding: of the columns.
        target: name of the target.
        columns: names of all columns in the order of the file, the target among them.
        header: whether the names stood in the file.
        class_names: of the classes, where targets are class numbers.
        notes: what a person should know.
        marks: the decimal mark of each column whose numbers programs cannot read (`netwright.tasks.tabular.marks`).
    """

    name: str
    train: Examples
    validation: Examples
    test: Examples
    encoding: Encoding
    target: str
    columns: tuple[str, ...]
    header: bool
    class_names: tuple[str, ...]
    notes: tuple[str, ...]
    marks: Mapping[str, str] = field(default_factory=dict)

    def constants(self) -> dict[str, Value]:
        """What an exported ``model.py`` must know to read a table."""
        return {
            "COLUMNS": self.columns,
            "TARGET": self.target,
            "HEADER": self.header,
            "NUMBERS": tuple((c.name, _row(c.values), _row(c.mapped), c.indicated) for c in self.encoding.numbers),
            "DATES": tuple((c.name, c.order) for c in self.encoding.numbers if c.dates),
            "MARKS": tuple((name, mark) for name, mark in self.marks.items() if name in self.encoding.needed),
            "CATEGORIES": tuple((c.name, c.values) for c in self.encoding.categories),
            "INTERVALS": tuple((c.name, _row(c.cuts)) for c in self.encoding.intervals),
        }


def load_rows(data: str | Path | Any, options: TabularOptions, *, classes: bool) -> Rows:
    """Read, split and encode a table.

    Args:
        data: a file, a folder, or a data frame.
        options: how.
        classes: whether the target holds classes, or numbers.

    Raises:
        DataError: the data cannot be used; names file and line, or the column.
        SpecError: an option is wrong.
        MissingDependencyError: scikit-learn is not installed.
    """
    require_metrics("scoring tables", "tables")
    named = (str(options.target), *options.encoding.categorical, *options.encoding.ignored, *options.split.columns)
    parts = read_parts(data, options.header, keep=named)
    target = target_name(parts.train, options.target)
    options.split.require_columns(parts.train, target)
    left_out = options.encoding.ignored | ({options.split.groups} - {""})
    as_they_are = options.encoding.categorical | (left_out - {options.split.order}) | ({target} if classes else set())
    marks = marks_of(parts.train, keep=as_they_are)
    notes = [*parts.notes, *notes_on(parts.train, marks)]
    words = class_words(parts.train, target) if classes else frozenset[str]()
    given = [None if t is None else made_plain(t, marks) for t in (parts.train, parts.validation, parts.test)]
    tables = [_clean(table, target, words, notes, later=place > 0) for place, table in enumerate(given)]
    train = tables[0]
    assert train is not None
    learn = _Classes.learn(train, target) if classes else _Values.learn(train, target, notes)
    targets = [None if table is None else learn.encode(table, notes) for table in tables]
    split = split_parts(tables, targets, options.split, learn.names, notes)
    inputs = [drop_column(table, target) for table, _ in split]
    encoding = Encoding.learn(inputs[0], replace(options.encoding, ignored=left_out), split[0][1])
    encoded = [encoding.encode(table) for table in inputs]
    names = ("training", "validation", "test")
    notes += [*encoding.notes, *(n for name, e in zip(names, encoded, strict=True) for n in _encoding_notes(name, e))]
    examples = [(e.rows, y) for e, (_, y) in zip(encoded, split, strict=True)]
    return Rows(
        name=parts.name,
        train=examples[0],
        validation=examples[1],
        test=examples[2],
        encoding=encoding,
        target=target,
        columns=train.names,
        header=train.header,
        class_names=learn.names,
        notes=tuple(notes),
        marks=marks,
    )


def _row(values: Sequence[float]) -> str:
    """Numbers as one text, which stays on a line; each to the last bit."""
    return " ".join(map(repr, values))


def _clean(table: Table | None, target: str, words: Collection[str], notes: list[str], *, later: bool) -> Table | None:
    if table is None:
        return None
    restored = with_words(table, target, words)
    kept, lost = without_missing(restored, target, later=later)
    if lost:
        notes.append(f"{lost} row(s) of {table.where} without a target ({shorten(target, 40)}) are left out")
    for word, count in sorted(Counter(word for word in restored.column(target) if word in words).items()):
        notes.append(
            f"{shorten(word, 40)}, which stands in {count} row(s) of {table.where}, counts as a class of "
            f"{shorten(target, 40)}, not as a missing value; leave the cell empty where a class is not known"
        )
    return kept


def _encoding_notes(name: str, encoded: Encoded) -> list[str]:
    """What was mended in a part; in the training part rare categories are no news."""
    notes = []
    if encoded.no_numbers:
        notes.append(f"{name} part: cells that are no numbers count as missing: {_counts(encoded.no_numbers)}")
    if encoded.unknown and name != "training":
        notes.append(f"{name} part: categories that are rare or unknown count as 'other': {_counts(encoded.unknown)}")
    return notes


def _counts(counts: Counter[str]) -> str:
    shown = [f"{count} in {shorten(name, 40)}" for name, count in counts.most_common(_SHOWN)]
    return ", ".join(shown) + (", ..." if len(counts) > _SHOWN else "")


# --- targets -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Classes:
    """Class names of the training part, numbers in numeric order and each written in one way."""

    target: str
    names: tuple[str, ...]
    numeric: bool

    @classmethod
    def learn(cls, table: Table, target: str) -> _Classes:
        cells = one_way(table.column(target))
        different = set(cells)
        if len(different) < 2:
            raise DataError(
                f"{table.where}: column {shorten(target, 60)}, the target, has only the class "
                f"{shorten(cells[0], 40)}; a classification needs two"
            )
        if len(different) > min(MOST_CLASSES, max(2, len(cells) // 2)):
            raise DataError(
                f"{table.where}: column {shorten(target, 60)}, the target, has {len(different)} different values in "
                f"{len(cells)} rows; name another (target), or use tabular-regression for numbers"
            )
        numeric = all(map(is_number, different))
        names = sorted(different, key=lambda c: (float(c), c)) if numeric else sorted(different)
        return cls(target, tuple(names), numeric)

    def encode(self, table: Table, notes: list[str]) -> NDArray[np.int64]:
        """Class numbers; a label that differs by a full stop at its end only is mended, as in UCI's adult."""
        places = {name: place for place, name in enumerate(self.names)}
        written = table.column(self.target)
        cells = tuple(map(usual, written)) if self.numeric else written
        if len(set(cells)) < len(set(written)):
            notes.append(f"{table.where}: classes that are one number in several ways, such as 1 and 1.0, are one")
        mended = [cell if cell in places else cell.rstrip(".").strip() for cell in cells]
        strange = [row for row, cell in enumerate(mended) if cell not in places]
        if strange:
            raise DataError(
                f"{table.place(strange[0])}: class {shorten(cells[strange[0]], 40)} is not among the training part's "
                f"({', '.join(shorten(n, 40) for n in self.names[:_SHOWN])}); {len(strange)} such row(s)"
            )
        count = sum(one != other for one, other in zip(cells, mended, strict=True))
        if count:
            notes.append(f"{count} label(s) of {table.where} end in a full stop, which is left out")
        return np.array([places[cell] for cell in mended], dtype=np.int64)


@dataclass(frozen=True)
class _Values:
    """A target of numbers."""

    target: str
    names: tuple[str, ...] = ()

    @classmethod
    def learn(cls, table: Table, target: str, notes: list[str]) -> _Values:
        found = cls(target)
        exact = found._numbers(table)
        if float(exact.min()) == float(exact.max()):
            shown = shorten(target, 60)
            raise DataError(f"{table.where}: all values of the target {shown} are {table.column(target)[0]}")
        found._check_resolution(exact, table.where, notes)
        return found

    def encode(self, table: Table, notes: list[str]) -> NDArray[np.float32]:
        return self._kept(self._numbers(table), table.where)

    def _numbers(self, table: Table) -> NDArray[np.float64]:
        cells = table.column(self.target)
        strange = [row for row, cell in enumerate(cells) if not is_number(cell)]
        if strange:
            raise DataError(
                f"{table.place(strange[0])}: {shorten(cells[strange[0]], 40)} in column {shorten(self.target, 60)}, "
                f"the target, is no number ({len(strange)} such row(s)); mend it, or use tabular-classification"
            )
        return np.array([[float(cell)] for cell in cells], dtype=np.float64)

    def _kept(self, exact: NDArray[np.float64], where: str) -> NDArray[np.float32]:
        with np.errstate(over="ignore"):
            values = exact.astype(np.float32)
        if not np.isfinite(values).all():
            raise DataError(f"{where}: the target has numbers beyond float32 (3.4e38); scale it")
        return values

    def _check_resolution(self, exact: NDArray[np.float64], where: str, notes: list[str]) -> None:
        """Tell where float32, which networks see and give, merges values; refuse where little is left of them.

        Subtracting the mean here would not do: outputs are in the unit of the target.
        """
        self._kept(exact, where)
        said, is_useless = blurred(exact)
        if said:
            told = f"{where}: numbers of the target {shorten(self.target, 60)} {said}"
            if is_useless:
                raise DataError(told)
            notes.append(told)
