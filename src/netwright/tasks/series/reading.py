"""Time series as people have them: npz and rows of UCR's archive with classes, tables in the order of time.

Gaps (NaN) of series with classes are filled by straight lines between values, ends by the nearest one, and counted.
Those of a table for a forecast stay, so that no value of a later time gets into a window. Knows no networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.cells import numbers_columns, numbers_values
from netwright.errors import DataError, one_line, shorten
from netwright.tasks.labels import Classes
from netwright.tasks.series.arrays import load_arrays, read_arrays
from netwright.tasks.series.times import (
    Course,
    course_of_numbers,
    course_of_texts,
    going_on,
    is_date,
    telling_apart,
    tells_the_calendar,
    unevenness,
    unknown_date,
)
from netwright.tasks.tabular.label_texts import label_array
from netwright.tasks.tabular.marks import made_plain, marks_of, notes_on
from netwright.tasks.tabular.parts import Parts, read_parts, without_index
from netwright.tasks.tabular.reading import SUFFIXES, Header, Table, cell_of, is_number, numbers_of
from netwright.tasks.tabular.resolution import blurred

Floats = NDArray[np.float32]
_NPZ = ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test")
_SHORTEST = 4
"""Values of a series, for networks."""

_OF_ARCHIVES = (".ts", ".arff")
"""How files of the UEA archive end that are no tables: sktime's and Weka's."""

_FEWEST_DATES = 3
"""Names of columns that are dates, from which on they may be the times of a table that lies on its side."""

_NAMES = "classes"
"""Names of the classes 0, 1, 2, ..., where an npz file has them."""


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
    """The parts of a set; those that it does not have are None. Names are those of the labels 0, 1, 2, ..., if any."""

    name: str
    train: Labelled
    validation: Labelled | None
    test: Labelled | None
    notes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def read_labelled(data: str | Path) -> LabelledParts:
    """Read series with classes.

    Args:
        data: a ``.npz`` file (``x_train`` (N, channels, length) or (N, length), ``y_train``, the same of ``val``
            and ``test``; perhaps ``classes``, names of the labels 0, 1, 2, ...), or a CSV file or folder of such: a
            line a series, its class first, as in UCR's archive.

    Raises:
        DataError: it is not there or cannot be used; names the file, the line or the example.
    """
    path = Path(data)
    if not path.exists():
        raise DataError(f"data {shorten(str(path))} does not exist; give a .npz file, a CSV file or a folder")
    notes: list[str] = []
    names: tuple[str, ...] = ()
    if path.suffix.lower() == ".npz":
        arrays = _npz(path)
        names = tuple(arrays.pop(_NAMES, np.empty(0)).ravel().astype(np.str_).tolist())
        parts = {part: _npz_part(path, arrays, part, notes) for part in ("train", "val", "test")}
        train, validation, test = parts["train"], parts["val"], parts["test"]
        name = path.stem
    else:
        _require_table(path)
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
    return LabelledParts(one_line(name), train, validation, test, tuple(notes), names)


def _require_table(path: Path) -> None:
    """Refuse files of the archive that are no tables, be they alone or in a folder without a table to train on."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    tables = [file for file in files if file.name.lower().endswith(SUFFIXES)]
    others = [file for file in files if file.suffix.lower() in _OF_ARCHIVES]
    trains = [any("train" in file.name.lower() for file in named) for named in (tables, others)]
    if others and (not tables or trains == [False, True]):  # the only table may be a text about them
        raise DataError(
            f"{one_line(others[0].name)} is a file of sktime or Weka, no table; write it as npz (such as: "
            "x_train, y_train = aeon.datasets.load_from_ts_file(...); numpy.savez(..., x_train=x_train, "
            "y_train=y_train))"
        )


def _without_numbered_names(table: Table, notes: list[str]) -> Table:
    """A table without a first line 0, 1, 2, ..., which pandas writes where columns have no names.

    The first of them, that of the class, may have one: a word that is no class of the lines below.
    """
    first = [column[0] for column in table.columns]
    is_word = bool(first) and not is_number(first[0]) and first[0] not in table.columns[0][1:]
    if len(table) < 2 or not (numbers_columns(first) or (is_word and numbers_values(first))):
        return table
    notes.append(f"{table.where}: the first line only numbers the columns and is left out")
    return table.take(range(1, len(table)))


def _npz(path: Path) -> dict[str, NDArray[Any]]:
    there = load_arrays(path, (*_NPZ, _NAMES))
    arrays = {name: array for name, array in there.items() if name in (*_NPZ, _NAMES)}
    for part in ("train", "val", "test"):
        if (f"x_{part}" in arrays) != (f"y_{part}" in arrays):
            raise DataError(f"{one_line(path.name)} has only one of x_{part} and y_{part}; give both")
    if "x_train" not in arrays:
        raise DataError(f"{one_line(path.name)} has no x_train and y_train; name its arrays {', '.join(_NPZ)}")
    for name in sorted(set(there) - set(arrays)):
        near = get_close_matches(name.lower(), _NPZ, n=1, cutoff=0.8)
        near = near or [known for known in _NPZ if name.lower().startswith(known)]
        if near and near[0] not in arrays:
            raise DataError(
                f"{one_line(path.name)} has an array {shorten(name, 40)}; did you mean {near[0]}? it reads "
                f"{', '.join(_NPZ)}"
            )
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
    turned = (
        f"{where}: {wide.shape[1]} channels of {wide.shape[2]} steps; arrays are (N, channels, length), so turn "
        "them if these are steps and channels: x.transpose(0, 2, 1)"
    )
    if wide.shape[2] < _SHORTEST:
        short = f"{where}: series of {wide.shape[2]} steps; networks need {_SHORTEST} or more"
        raise DataError(turned if wide.shape[1] >= _SHORTEST else short)
    if part == "train" and wide.shape[1] > wide.shape[2]:
        notes.append(turned)
    return Labelled(where, _filled(wide.astype(np.float64), where, notes), labels)


def _rows_part(table: Table, notes: list[str]) -> Labelled:
    table = _without_numbered_names(table, notes)
    if len(table.names) < 1 + _SHORTEST:
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


def names_of(classes: Classes, names: Sequence[str]) -> tuple[str, ...]:
    """Names of classes: those that the data gives to the labels 0, 1, 2, ..., else the labels themselves.

    Example:
        >>> names_of(Classes((0, 1)), ("run", "walk")), names_of(Classes((1, 2)), ("1", "2"))
        (('run', 'walk'), ('1', '2'))
    """
    if set(classes.names) <= set(names):
        return classes.names
    found = tuple(names[v] for v in classes.values if isinstance(v, int) and 0 <= v < len(names))
    return found if len(set(found)) == len(classes.values) else classes.names


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
        marks: the decimal mark of each channel whose numbers programs cannot read.
    """

    name: str
    names: tuple[str, ...]
    values: Floats
    num_targets: int
    notes: tuple[str, ...]
    header: bool = True
    marks: Mapping[str, str] = field(default_factory=dict)


def read_timeline(data: str | Path | Any, targets: str = "", header: Header = "auto") -> Timeline:
    """Read a table whose rows are in the order of time.

    Args:
        data: a CSV, Parquet or ``.npz`` file (`netwright.tasks.series.arrays`), or a data frame; columns that hold no
            numbers, such as dates, are left out, and so are those that tell the time in numbers
            (`netwright.tasks.series.times`), or always the same.
        targets: names of the columns that are told in advance, between commas; empty for all but those of the calendar.
            What is named here is no time.
        header: whether the first line of a CSV file holds names, as of `read_parts`.

    Raises:
        DataError: it cannot be used, or its rows are not in the order of time; names the column or line.
    """
    wanted = list(dict.fromkeys(name.strip() for name in targets.split(",") if name.strip()))
    parts = _parts_of(data, header, wanted)
    if parts.test is not None or parts.validation is not None:
        raise DataError("a forecast takes one table in the order of time; its last rows are the test part")
    _require_rows_of_time(parts.train, data, wanted)
    marks = marks_of(parts.train)
    table, notes = made_plain(parts.train, marks), [*parts.notes, *notes_on(parts.train, marks)]
    courses = _courses(table, data, wanted)
    _require_order(table, courses, notes)
    kept: dict[str, NDArray[np.float64]] = {}
    for name in table.names:
        found = _channel(table, name, name in wanted, courses, notes)
        if found is not None:
            kept[name] = found
    for name in wanted:
        if name not in kept:
            raise DataError(
                f"{table.where} has no column of numbers {shorten(name, 60)}; it has {', '.join(kept)[:200]}"
            )
    if not kept:
        raise DataError(f"{table.where} has no column to forecast: {'; '.join(notes)[:400]}; name one (targets)")
    told_in_advance = wanted or _worth_forecasting(kept, notes)
    order, num_targets = list(dict.fromkeys([*told_in_advance, *kept])), len(told_in_advance)
    for place, name in enumerate(order):
        _check_resolution(table.where, name, kept[name], notes if place < num_targets else None)
    values = np.stack([kept[name] for name in order]).astype(np.float32)
    told = {name: mark for name, mark in marks.items() if name in order}
    return Timeline(parts.name, tuple(order), values, num_targets, tuple(notes), table.header, told)


def _parts_of(data: str | Path | Any, header: Header, wanted: Sequence[str]) -> Parts:
    """The table of a file or a data frame; of a ``.npz`` file its arrays."""
    path = Path(data) if isinstance(data, (str, Path)) else None
    if path is None or path.suffix.lower() != ".npz" or not path.is_file():
        return read_parts(data, header, keep=wanted, ordered=True)
    table, notes = without_index(read_arrays(path), wanted, ordered=True)
    return Parts(one_line(path.stem), table, notes=notes)


def _require_rows_of_time(table: Table, data: object, wanted: Sequence[str]) -> None:
    """Refuse a table that lies on its side: its columns are times, and its rows are series, without times."""
    dates = [name for name in table.names if is_date(name)]
    if len(dates) < max(_FEWEST_DATES, len(table.names) / 2) or not set(dates).isdisjoint(wanted):
        return
    columns = (*table.columns, _index_of(data))
    if not any(_holds_no_numbers(cells) and course_of_texts(cells) for cells in columns):
        raise DataError(
            f"{table.where}: names of {len(dates)} columns are times ({shorten(dates[0], 40)}, ...), so that each row "
            "is a series; turn the table, so that each row is a time (in pandas: frame.T), or name the columns to "
            "forecast (targets) if they are channels"
        )


def _index_of(data: object) -> tuple[str, ...]:
    """Cells of the index of a data frame; none where there is no such thing."""
    index: Any = getattr(data, "index", None)
    return tuple(map(cell_of, index.tolist())) if hasattr(index, "tolist") else ()


def _worth_forecasting(kept: Mapping[str, NDArray[np.float64]], notes: list[str]) -> list[str]:
    """The channels that are no calendar; all, where there are no others."""
    known = [name for name, values in kept.items() if tells_the_calendar(name, values)]
    if not known or len(known) == len(kept):
        return list(kept)
    shown = ", ".join(shorten(name, 60) for name in known)
    notes.append(f"columns of the calendar are seen and not forecast: {shown}; name them to forecast them (targets)")
    return [name for name in kept if name not in known]


def _channel(
    table: Table, name: str, is_wanted: bool, courses: Mapping[str, Course], notes: list[str]
) -> NDArray[np.float64] | None:
    """The numbers of a column, NaN where one is missing; None and a note where it is no channel."""
    shown, cells = shorten(name, 60), table.column(name)
    if _holds_no_numbers(cells):
        odd = "" if name in courses else unknown_date(name, cells)
        why = f"dates that are known (such as {shorten(odd, 40)})" if odd else "numbers"
        more = "; rows are taken to be the oldest first" if odd else ""
        notes.append(f"column {shown} holds no {why} and is left out{more}")
        return None
    strange = [row for row, cell in enumerate(cells) if cell and not is_number(cell)]
    if strange:
        raise DataError(f"{table.place(strange[0])}: {shorten(cells[strange[0]], 40)} in {shown}; mend it")
    values = numbers_of(cells)
    different = np.unique(values[~np.isnan(values)])
    if not is_wanted and name in courses:
        notes.append(f"column {shown} rises as time does and is left out; name it to forecast it (targets)")
        return None
    if len(different) > 1:
        return values
    if is_wanted:
        raise DataError(f"{table.where}: all values of the column {shown} are {different[0]:g}; name another (targets)")
    notes.append(f"column {shown} is left out: all its values are {different[0]:g}")
    return None


def _holds_no_numbers(cells: Sequence[str]) -> bool:
    given = [cell for cell in cells if cell]
    return sum(map(is_number, given)) < len(given) / 2 or not given


def _check_resolution(where: str, name: str, values: NDArray[np.float64], notes: list[str] | None) -> None:
    """Refuse numbers beyond float32; of a target tell where float32 merges some, and refuse where little is left."""
    known = values[~np.isnan(values)]
    if np.abs(known).max() > np.finfo(np.float32).max:
        raise DataError(f"{where}: column {shorten(name, 60)} has numbers beyond float32 (3.4e38); scale it")
    said, is_useless = blurred(known) if notes is not None else ("", False)
    if said and notes is not None:
        told = f"{where}: numbers of the column {shorten(name, 60)} {said}"
        if is_useless:
            raise DataError(f"{told}, or forecast others (targets)")
        notes.append(told)


# --- the order of time -------------------------------------------------------------------------------------------


def _courses(table: Table, data: object, wanted: Sequence[str]) -> dict[str, Course]:
    """How the columns run that tell the time, those named as targets aside; and the index of a data frame."""
    found: dict[str, Course] = {}
    for name, cells in zip(table.names, table.columns, strict=True):
        if _holds_no_numbers(cells):
            found[name] = course_of_texts(cells)
        elif name not in wanted:
            found[name] = course_of_numbers(name, numbers_of(cells))
    found["the index"] = course_of_texts(_index_of(data))
    return {name: course for name, course in found.items() if course}


def _require_order(table: Table, courses: Mapping[str, Course], notes: list[str]) -> None:
    """Refuse rows whose times fall or go up and down, and those of several series below each other; tell of others.

    Raises:
        DataError: the rows are not those of one series in the order of time.
    """
    for name, course in courses.items():
        if course == "falls":
            raise DataError(
                f"{table.where}: column {shorten(name, 60)} falls from the first row to the last, so that the newest "
                "row comes first; sort the rows by it, the oldest first, or take it out if it tells no time"
            )
    rising = [name for name, course in courses.items() if course == "rises"]
    jumping = next((name for name, course in courses.items() if course == "jumps"), "")
    if jumping and not rising:
        raise DataError(
            f"{table.where}: column {shorten(jumping, 60)} goes up and down, so that the rows are not in the order of "
            "time, or are those of several series; sort them by it, and give each series a column of its own (in "
            "pandas: frame.pivot), or take it out if it tells no time"
        )
    for name in [name for name in rising if name in table.names]:
        times, shown = table.column(name), shorten(name, 60)
        others = [(n, c) for n, c in zip(table.names, table.columns, strict=True) if n != name]
        clocks = going_on(times, others)
        which = telling_apart(list(zip(times, *(cells for _, cells in clocks), strict=True)), others)
        if which:
            told = " and ".join(shorten(n, 60) for n in which)
            told = f"columns {told} tell" if len(which) > 1 else f"column {told} tells"
            raise DataError(
                f"{table.where}: {told} several series apart, which have rows of one {shown}; give each series a "
                f"column of its own (in pandas: frame.pivot), or join to {shown} what goes on with the time"
            )
        notes += [f"column {shown}: {said}; rows are taken for equally far apart" for said in unevenness(times, clocks)]
