"""Time series as people have them: npz and rows of UCR's archive with classes, tables in the order of time.

Gaps (NaN) of series with classes are filled by straight lines between values, ends by the nearest one, and counted.
Those of a table for a forecast stay, so that no value of a later time gets into a window. Knows no networks.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError, one_line, shorten
from netwright.tasks.formats.parts import file_error
from netwright.tasks.labels import Classes
from netwright.tasks.series.times import course_of_numbers, course_of_texts
from netwright.tasks.tabular.label_texts import label_array
from netwright.tasks.tabular.parts import read_parts
from netwright.tasks.tabular.reading import Table, is_number, numbers_of

Floats = NDArray[np.float32]
_UNREADABLE = (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, KeyError, NotImplementedError)
_NPZ = ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test")


@dataclass(frozen=True)
class Labelled:
    """Series and their classes.

    Args:
        where: name of the part, for messages.
        series: (N, channels, length).
        labels: (N,) as in the source.
    """

    where: str
    series: Floats
    labels: NDArray[Any]


@dataclass(frozen=True)
class LabelledParts:
    """The parts of a set; those that it does not have are None."""

    name: str
    train: Labelled
    validation: Labelled | None
    test: Labelled | None
    notes: tuple[str, ...] = ()


def read_labelled(data: str | Path) -> LabelledParts:
    """Read series with classes.

    Args:
        data: a ``.npz`` file (``x_train`` (N, channels, length) or (N, length), ``y_train``, the same of ``val``
            and ``test``), or a CSV file or folder of such: a line a series, its class first, as in UCR's archive.

    Raises:
        DataError: it is not there or cannot be used; names the file, the line or the example.
    """
    path = Path(data)
    if not path.exists():
        raise DataError(f"data {shorten(str(path))} does not exist; give a .npz file, a CSV file or a folder")
    notes: list[str] = []
    if path.suffix.lower() == ".npz":
        arrays = _npz(path)
        parts = {part: _npz_part(path, arrays, part, notes) for part in ("train", "val", "test")}
        train, validation, test = parts["train"], parts["val"], parts["test"]
        name = path.stem
    else:
        tables = read_parts(path, "no")
        found = (tables.train, tables.validation, tables.test)
        train, validation, test = _with_labels([None if t is None else _rows_part(t, notes) for t in found])
        name = tables.name
    assert train is not None
    for part in (validation, test):
        if part is not None and part.series.shape[1:] != train.series.shape[1:]:
            raise DataError(
                f"{part.where}: series of {_by(part.series)} (channels x length), {train.where}: {_by(train.series)}; "
                "cut or fill them to one length"
            )
    return LabelledParts(one_line(name), train, validation, test, tuple(notes))


def _npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files if name in _NPZ}
    except _UNREADABLE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise file_error(path, error) from error
        raise DataError(f"{one_line(path.name)}: no npz file of plain arrays: {one_line(error)[:200]}") from None
    for part in ("train", "val", "test"):
        if (f"x_{part}" in arrays) != (f"y_{part}" in arrays):
            raise DataError(f"{one_line(path.name)} has only one of x_{part} and y_{part}; give both")
    if "x_train" not in arrays:
        raise DataError(f"{one_line(path.name)} has no x_train and y_train; name its arrays {', '.join(_NPZ)}")
    return arrays


def _npz_part(path: Path, arrays: dict[str, NDArray[Any]], part: str, notes: list[str]) -> Labelled | None:
    if f"x_{part}" not in arrays:
        return None
    series, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
    where = f"x_{part} of {one_line(path.name)}"
    if series.dtype.kind not in "biuf" or series.ndim not in (2, 3) or 0 in series.shape:
        raise DataError(f"{where}: {series.dtype} {series.shape}; give numbers (N, channels, length) or (N, length)")
    if labels.shape[:1] != series.shape[:1]:
        raise DataError(f"{where}: {len(series)} series, but labels of shape {labels.shape}; one label a series")
    wide = series if series.ndim == 3 else series[:, None]
    return Labelled(where, _filled(wide.astype(np.float64), where, notes), labels)


def _rows_part(table: Table, notes: list[str]) -> Labelled:
    if len(table.names) < 5:
        raise DataError(f"{table.where}: lines of {len(table.names)} cells; give a class and at least four values each")
    wrong = [
        (row, cell) for column in table.columns[1:] for row, cell in enumerate(column) if cell and not is_number(cell)
    ]
    if wrong:
        row, cell = min(wrong)
        raise DataError(f"{table.place(row)}: {shorten(cell, 40)} is no number; a line is a class and its values")
    labels = table.columns[0]
    if not all(map(is_number, set(labels) - {""})):  # among texts a word such as none is a class, too
        labels = table.written(table.names[0])
    empty = [row for row, cell in enumerate(labels) if not cell]
    if empty:
        raise DataError(f"{table.place(empty[0])}: no class; a line is a class and its values")
    series = np.stack([numbers_of(column) for column in table.columns[1:]], axis=1)[:, None]
    return Labelled(table.where, _filled(series, table.where, notes), np.array(labels))


def _with_labels(parts: Sequence[Labelled | None]) -> list[Labelled | None]:
    """Parts whose labels are whole numbers, where those of all parts are written as such."""
    there = [part for part in parts if part is not None]
    labels = label_array([label for part in there for label in part.labels.tolist()])
    pieces = iter(np.split(labels, np.cumsum([len(part.labels) for part in there])[:-1]))
    return [None if part is None else replace(part, labels=next(pieces)) for part in parts]


def _filled(series: NDArray[np.float64], where: str, notes: list[str]) -> Floats:
    """Series without gaps.

    Raises:
        DataError: a series has infinite values, or none at all.
    """
    if np.isinf(series).any():
        first = int(np.flatnonzero(np.isinf(series).any(axis=(1, 2)))[0])
        raise DataError(f"{where}: series {first} has infinite values; mend or leave out such series")
    gaps = np.isnan(series)
    if not gaps.any():
        return series.astype(np.float32)
    series = series.copy()
    for example, channel in np.argwhere(gaps.any(axis=2)).tolist():
        row, gap = series[example, channel], gaps[example, channel]
        if gap.all():
            raise DataError(f"{where}: series {example} has no value in channel {channel}; leave it out")
        row[gap] = np.interp(np.flatnonzero(gap), np.flatnonzero(~gap), row[~gap])
    notes.append(f"{where}: {int(gaps.sum())} missing values are filled by straight lines")
    return series.astype(np.float32)


def _by(series: Floats) -> str:
    return " x ".join(map(str, series.shape[1:]))


def classes_of(parts: LabelledParts) -> tuple[Classes, dict[str, NDArray[np.int64]]]:
    """Classes of the training part, and class numbers of each part that there is."""
    found = {"train": parts.train, "validation": parts.validation, "test": parts.test}
    classes = Classes.learn(parts.train.labels, f"labels of {parts.train.where}")
    return classes, {
        name: classes.encode(part.labels, f"labels of {part.where}") for name, part in found.items() if part is not None
    }


# --- forecasts ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Timeline:
    """Channels in the order of time.

    Args:
        name: of the data.
        names: of the channels, targets first.
        values: (channels, steps), NaN where one is missing; each channel has some.
        num_targets: channels that are told in advance.
        notes: what was mended.
        header: whether the names stood in the file.
    """

    name: str
    names: tuple[str, ...]
    values: Floats
    num_targets: int
    notes: tuple[str, ...]
    header: bool = True


def read_timeline(data: str | Path | Any, targets: str = "") -> Timeline:
    """Read a table whose rows are in the order of time.

    Args:
        data: a CSV or Parquet file, or a data frame; columns that hold no numbers, such as dates, are left out, and so
            are those that tell the time in numbers (`netwright.tasks.series.times`).
        targets: names of the columns that are told in advance, between commas; empty for all. What is named here is no
            time.

    Raises:
        DataError: it cannot be used, or its rows run backwards in time; names the column or line.
    """
    wanted = list(dict.fromkeys(name.strip() for name in targets.split(",") if name.strip()))
    parts = read_parts(data, keep=wanted, ordered=True)
    if parts.test is not None or parts.validation is not None:
        raise DataError("a forecast takes one table in the order of time; its last rows are the test part")
    table, notes = parts.train, list(parts.notes)
    kept: dict[str, NDArray[np.float64]] = {}
    for name, cells in zip(table.names, table.columns, strict=True):
        found = _channel(table, name, cells, name in wanted, notes)
        if found is not None:
            kept[name] = found
    for name in wanted:
        if name not in kept:
            raise DataError(
                f"{table.where} has no column of numbers {shorten(name, 60)}; it has {', '.join(kept)[:200]}"
            )
    order = list(dict.fromkeys([*wanted, *kept]))
    if not order:
        raise DataError(f"{table.where} has no column to forecast: {'; '.join(notes)[:400]}; name one (targets)")
    values = np.stack([kept[name] for name in order]).astype(np.float32)
    return Timeline(parts.name, tuple(order), values, len(wanted or kept), tuple(notes), table.header)


def _channel(
    table: Table, name: str, cells: Sequence[str], is_wanted: bool, notes: list[str]
) -> NDArray[np.float64] | None:
    """The numbers of a column, NaN where one is missing; None and a note where it is no channel."""
    given = [cell for cell in cells if cell]
    strange = [row for row, cell in enumerate(cells) if cell and not is_number(cell)]
    if not given or len(strange) > len(given) // 2:
        _require_forwards(table, name, course_of_texts(cells))
        notes.append(f"column {shorten(name, 60)} holds no numbers and is left out")
        return None
    if strange:
        raise DataError(f"{table.place(strange[0])}: {shorten(cells[strange[0]], 40)} in {shorten(name, 60)}; mend it")
    values = numbers_of(cells)
    course = "" if is_wanted else course_of_numbers(name, values)
    _require_forwards(table, name, course)
    if course:
        notes.append(f"column {shorten(name, 60)} rises as time does and is left out; name it to forecast it (targets)")
        return None
    return values


def _require_forwards(table: Table, name: str, course: str) -> None:
    if course == "falls":
        raise DataError(
            f"{table.where}: column {shorten(name, 60)} falls from the first row to the last, so that the newest row "
            "comes first; sort the rows by it, the oldest first, or take it out if it tells no time"
        )
