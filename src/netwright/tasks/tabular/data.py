"""From tables to training, validation and test rows: target, splits, encoding, and what was mended on the way.

Knows neither networks nor metrics. What is learned of a table, its encoding and its classes, is learned on the training
part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError, shorten
from netwright.tasks.base import Examples
from netwright.tasks.splits import TEST_SEED, SplitOptions, stratified_split
from netwright.tasks.tabular.encoding import Encoded, Encoding, EncodingOptions
from netwright.tasks.tabular.parts import Parts, drop_column, read_parts, target_name, without_missing
from netwright.tasks.tabular.reading import Header, Table, is_number
from netwright.types import Value

_SHOWN = 5
_BINS = 10
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
    split: SplitOptions = field(default_factory=SplitOptions)


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

    def constants(self) -> dict[str, Value]:
        """What an exported ``model.py`` must know to read a table."""
        return {
            "COLUMNS": self.columns,
            "TARGET": self.target,
            "HEADER": self.header,
            "NUMBERS": tuple((c.name, _row(c.values), _row(c.mapped), c.indicated) for c in self.encoding.numbers),
            "CATEGORIES": tuple((c.name, c.values) for c in self.encoding.categories),
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
    """
    parts = read_parts(data, options.header)
    target = target_name(parts.train, options.target)
    notes = list(parts.notes)
    tables = [_clean(table, target, notes) for table in (parts.train, parts.validation, parts.test)]
    train = tables[0]
    assert train is not None
    learn = _Classes.learn(train, target) if classes else _Values.learn(train, target)
    targets = [None if table is None else learn.encode(table, notes) for table in tables]
    split = _split(parts, tables, targets, options.split, classes)
    inputs = [drop_column(table, target) for table, _ in split]
    encoding = Encoding.learn(inputs[0], options.encoding)
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
    )


def _row(values: Sequence[float]) -> str:
    """Numbers as one text, which stays on a line."""
    return " ".join(f"{value:.9g}" for value in values)


def _clean(table: Table | None, target: str, notes: list[str]) -> Table | None:
    if table is None:
        return None
    kept, lost = without_missing(table, target)
    if lost:
        notes.append(f"{lost} row(s) of {table.where} without a target ({shorten(target, 40)}) are left out")
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
    """Class names of the training part, numbers in numeric order."""

    target: str
    names: tuple[str, ...]

    @classmethod
    def learn(cls, table: Table, target: str) -> _Classes:
        cells = table.column(target)
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
        return cls(target, tuple(sorted(different, key=lambda c: (float(c), c)) if numeric else sorted(different)))

    def encode(self, table: Table, notes: list[str]) -> NDArray[np.int64]:
        """Class numbers; a label that differs by a full stop at its end only is mended, as in UCI's adult."""
        places = {name: place for place, name in enumerate(self.names)}
        cells = table.column(self.target)
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
    def learn(cls, table: Table, target: str) -> _Values:
        found = cls(target)
        values = found.encode(table, [])
        if float(values.min()) == float(values.max()):
            shown = shorten(target, 60)
            raise DataError(f"{table.where}: all values of the target {shown} are {table.column(target)[0]}")
        return found

    def encode(self, table: Table, notes: list[str]) -> NDArray[np.float32]:
        cells = table.column(self.target)
        strange = [row for row, cell in enumerate(cells) if not is_number(cell)]
        if strange:
            raise DataError(
                f"{table.place(strange[0])}: {shorten(cells[strange[0]], 40)} in column {shorten(self.target, 60)}, "
                f"the target, is no number ({len(strange)} such row(s)); mend it, or use tabular-classification"
            )
        values = np.array([[float(cell)] for cell in cells], dtype=np.float32)
        if not np.isfinite(values).all():
            raise DataError(f"{table.where}: the target has numbers beyond float32 (3.4e38); scale it")
        return values


# --- splits ------------------------------------------------------------------------------------------------------

_Part = tuple[Table, NDArray[Any]]


def _split(
    parts: Parts,
    tables: Sequence[Table | None],
    targets: Sequence[NDArray[Any] | None],
    options: SplitOptions,
    classes: bool,
) -> tuple[_Part, _Part, _Part]:
    """Training, validation and test; what is not given is split off, with the same mix of targets."""
    found = [None if t is None or y is None else (t, y) for t, y in zip(tables, targets, strict=True)]
    train, validation, test = found
    assert train is not None
    _check_enough(train, 1 + (validation is None) + (test is None), classes)
    if test is None:
        train, test = _take_off(train, options.test_share, TEST_SEED)
    if validation is None:
        train, validation = _take_off(train, options.share_for(len(train[1])), options.seed)
    return train, validation, test


def _check_enough(part: _Part, needed: int, classes: bool) -> None:
    table, targets = part
    if not classes:
        if len(targets) < 10:
            raise DataError(f"{table.where}: {len(targets)} rows are too few to learn from; give at least 10")
        return
    counts = np.bincount(targets)
    few = [str(number) for number in np.flatnonzero(counts < needed)]
    if few:
        raise DataError(
            f"{table.where}: {len(few)} class(es) have fewer than the {needed} rows that splitting needs; add rows, "
            "leave these classes out, or give a folder with train, validation and test files"
        )


def _take_off(part: _Part, share: float, seed: int) -> tuple[_Part, _Part]:
    table, targets = part
    kept, taken = stratified_split(_strata(targets), share, seed)
    return (table.take(kept.tolist()), targets[kept]), (table.take(taken.tolist()), targets[taken])


def _strata(targets: NDArray[Any]) -> NDArray[np.int64]:
    """Groups that are split alike: classes, or tenths of the values."""
    if targets.ndim == 1:
        return targets
    values = targets[:, 0]
    bins = max(1, min(_BINS, len(values) // 10))
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1])) if bins > 1 else np.array([])
    return np.searchsorted(edges, values, side="right").astype(np.int64)
