"""The parts of a table: one file, or a folder with a file for each part; and which column is wanted.

Knows no encodings and no networks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from netwright.errors import DataError, SpecError, one_line, shorten, unknown, wrong
from netwright.tasks.formats.parts import file_error
from netwright.tasks.tabular.reading import SUFFIXES, Header, Table, is_number, read_table, table_of

TARGET_NAMES = ("target", "label", "class", "y")
"""Names of columns that are taken for the target where none is given, in this order; else the last column is."""

INDEX_NAMES = frozenset({"index", "id", "idx", "row", "rowid", "rowindex", "rownumber", "level0", "unnamed0"})
"""Names, without all but letters and digits, of columns that are left out where they only count the rows."""

_FRAME_INDEX = re.compile("__index_level_[0-9]+__")
"""How pandas calls an index in a Parquet file."""

FEWEST_OF_A_WORD = 3
"""Times that a word for a missing value must stand in a target of texts to be one of its classes."""

_PARTS = {"train": ("train", "training"), "validation": ("validation", "val", "valid", "dev"), "test": ("test",)}
_SHOWN = 6

_NO_DATA = (".py", ".ipynb", ".r", ".sh", ".md", ".log", ".pdf", ".html", ".png", ".jpg", ".jpeg", ".svg", ".yaml")
"""How files beside tables end that are no part of the data, whatever they are called."""


@dataclass(frozen=True)
class Parts:
    """Tables with the same columns.

    Args:
        name: of the data, for people.
        train: always there.
        validation: None where it is to be split off.
        test: the same.
        notes: what a person should know.
    """

    name: str
    train: Table
    validation: Table | None = None
    test: Table | None = None
    notes: tuple[str, ...] = ()


def read_parts(
    data: str | Path | Any, header: Header = "auto", *, keep: Collection[str] = (), ordered: bool = False
) -> Parts:
    """Read a file, a folder, or a data frame.

    Args:
        data: path, or a data frame.
        header: as of `read_table`.
        keep: columns that are no index, whatever they hold.
        ordered: as of `without_index`.

    Raises:
        DataError: it is not there, or no table.
        SpecError: ``header`` is another word.
    """
    if header not in ("auto", "yes", "no"):
        raise SpecError(wrong("header", header, "auto, yes or no"))
    if not isinstance(data, (str, Path)):
        frame, notes = without_index(table_of(data), keep, ordered=ordered)
        return Parts("data frame", frame, notes=notes)
    path = Path(data)
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except (OSError, ValueError) as error:
        raise file_error(path, error) from error
    if is_folder:
        return _read_folder(path, header, keep, ordered)
    if not is_file:
        raise DataError(f"data {shorten(str(path))} does not exist; give a file ({', '.join(SUFFIXES)}) or a folder")
    table, notes = without_index(read_table(path, header=header), keep, ordered=ordered)
    return Parts(_stem(path), table, notes=(*_header_note(table), *notes))


def _read_folder(path: Path, header: Header, keep: Collection[str], ordered: bool) -> Parts:
    files = [f for f in sorted(path.iterdir()) if f.is_file() and f.name.lower().endswith(SUFFIXES)]
    found: dict[str, Path] = {}
    for part, words in _PARTS.items():
        named = [f for f in files if _words_of(f.name) & set(words)]
        if len(named) > 1:
            listed = ", ".join(one_line(f.name) for f in named[:_SHOWN])
            raise DataError(f"{shorten(str(path))} has several files of the {part} part: {listed}; leave one")
        if named:
            found[part] = named[0]
    if "train" not in found and len(files) == 1 and not found:
        found["train"] = files[0]
    if "train" not in found:
        listed = ", ".join(one_line(f.name) for f in files[:_SHOWN]) or "none"
        raise DataError(
            f"{shorten(str(path))} has no file with 'train' in its name (such as train.csv, test.csv); tables: {listed}"
        )
    left = _left_note(path, found)
    train, notes = without_index(read_table(found["train"], header=header), keep, ordered=ordered)
    wanted: Header = "yes" if train.header else "no"
    rest = {p: _like(read_table(found[p], header=wanted), train) for p in ("validation", "test") if p in found}
    notes = (*_header_note(train), *notes, *left)
    return Parts(path.name or "folder", train, rest.get("validation"), rest.get("test"), notes)


def _left_note(path: Path, found: Mapping[str, Path]) -> tuple[str, ...]:
    """What is said of the files of a folder that are not read.

    Args:
        path: of the folder.
        found: the file of each part.

    Raises:
        DataError: one of them is called as a part that is missing.
    """
    left = [f.name for f in sorted(path.iterdir()) if f.is_file() and f not in found.values() and f.name[0] != "."]
    for name in left:
        if name.lower().endswith(_NO_DATA):
            continue
        parts = [part for part, words in _PARTS.items() if part not in found and _words_of(name) & set(words)]
        if parts:
            suffixes = ", ".join(SUFFIXES)
            raise DataError(
                f"{shorten(str(path))}: {one_line(name)} is no table by its name ({suffixes}), and there is no other "
                f"{parts[0]} part; call it {parts[0]}.csv if it is one, or take it out of the folder"
            )
    shown = ", ".join(map(one_line, left[:_SHOWN])) + (", ..." if len(left) > _SHOWN else "")
    return (f"files of the folder that are not read: {shown}",) if left else ()


def _words_of(name: str) -> set[str]:
    return set(re.split(r"[^a-z]+", name.lower()))


def _like(table: Table, train: Table) -> Table:
    """A table of another part, its columns in the order of the training part's."""
    if not train.header:
        if len(table.names) != len(train.names):
            raise DataError(f"{table.where} has {len(table.names)} columns, {train.where} has {len(train.names)}")
        return replace(table, names=train.names)
    missing = [name for name in train.names if name not in table.names]
    if missing:
        shown = ", ".join(shorten(name, 60) for name in missing[:_SHOWN])
        raise DataError(
            f"{table.where} lacks {len(missing)} column(s) of {train.where}: {shown}; add them, or take the file "
            "out of the folder (one without targets is for model.py)"
        )
    return table.select([table.names.index(name) for name in train.names])


def _stem(path: Path) -> str:
    return one_line(path.name.split(".", maxsplit=1)[0]) or "table"


def _header_note(table: Table) -> tuple[str, ...]:
    if table.lines and not table.header:
        return (f"the first line of {table.where} holds no names, columns are called column1, column2, ...",)
    return ()


def without_index(
    table: Table, keep: Collection[str] = (), *, ordered: bool = False, names: Collection[str] = INDEX_NAMES
) -> tuple[Table, tuple[str, ...]]:
    """A table without columns that only count its rows from 0 or 1, in any order, as an index of pandas; and notes.

    A first column without a name that holds another whole number in each row is one, too: the index of a part of a
    frame. What pandas itself calls an index in a Parquet file is one whatever it holds, unless rows are in an order.

    Args:
        table: any.
        keep: columns that stay, whatever they hold.
        ordered: whether the order of the rows has a meaning, so that an index that counts them in another is an error.
        names: of a column that may be an index; a first column without a name of its own may be one, too.

    Raises:
        DataError: an index counts the rows in another order, and that has a meaning.
    """
    notes: list[str] = []
    for name in table.names:
        unnamed = table.unnamed and name == table.names[0]
        of_frame = _FRAME_INDEX.fullmatch(name) is not None
        if name in keep or not (unnamed or of_frame or bare_name(name) in names):
            continue
        which = f"the first column of {table.where} has no name" if unnamed else f"column {shorten(name, 60)}"
        kind = _counted(table.column(name)) if len(table.names) > 1 else ""
        if kind == "another" and ordered:
            raise DataError(
                f"{table.where}: column {shorten(name, 60)} counts the rows in another order than they have; sort the "
                "rows by it (of a forecast the oldest first), or take it out"
            )
        if not kind and (unnamed or of_frame) and len(table.names) > 1:
            kind = "index" if of_frame and not ordered else _numbered(table.column(name), ordered)
        if kind:
            comma = "," if unnamed else ""
            notes.append(f"{which}{comma} {_SAID[kind]}{comma} and is left out")
            table = replace(drop_column(table, name), unnamed=table.unnamed and not unnamed)
        elif unnamed:
            notes.append(f"{which} of its own and is called {shorten(name, 60)}")
    return table, tuple(notes)


_SAID = {
    "the same": "only counts the rows",
    "another": "only counts the rows in another order",
    "numbers": "only numbers the rows",
    "index": "is the index of a data frame",
}


def bare_name(name: str) -> str:
    """A name in small letters, without all but letters and digits."""
    return re.sub("[^a-z0-9]", "", name.lower())


def _counted(cells: Sequence[str]) -> str:
    """Whether cells count the rows from 0 or 1: in ``the same`` order or ``another``; empty where they do not."""
    if not cells or not cells[0].isdecimal():
        return ""
    for first in (0, 1):
        counted = tuple(map(str, range(first, first + len(cells))))
        if counted == tuple(cells):
            return "the same"
        if set(counted) == set(cells):
            return "another"
    return ""


def _numbered(cells: Sequence[str], ordered: bool) -> str:
    """``numbers`` where there is another whole number in each row, as in an index of a part of a frame; else empty.

    Args:
        cells: of a column without a name of its own.
        ordered: whether the order of the rows has a meaning; the numbers must then rise.
    """
    if not all(map(str.isdecimal, cells)) or len(set(cells)) < len(cells):
        return ""
    numbers = list(map(int, cells)) if ordered else []
    return "numbers" if numbers == sorted(numbers) else ""


def target_name(table: Table, target: str | int) -> str:
    """Find the target.

    Args:
        table: of the training part.
        target: a name; a number from 1, or from -1 for the last; empty for a column with one of `TARGET_NAMES`, else
            the last one.

    Raises:
        SpecError: there is no such column.
    """
    names = table.names
    if target == "":
        lower = {name.lower(): name for name in reversed(names)}
        return next((lower[name] for name in TARGET_NAMES if name in lower), names[-1])
    if str(target) in names:
        return str(target)
    number = int(target) if isinstance(target, int) or re.fullmatch("-?[1-9][0-9]{0,5}", target) else 0
    if 1 <= abs(number) <= len(names):
        return names[number - 1 if number > 0 else number]
    if number:
        raise SpecError(wrong("target", target, f"a column from 1 to {len(names)}, or from -{len(names)} to -1"))
    raise SpecError(unknown("column as target", str(target), names))


def class_words(table: Table, target: str) -> frozenset[str]:
    """Words such as none and NA that are classes of a target of texts, and no missing values.

    These are the words that stand there `FEWEST_OF_A_WORD` times at least. In a target of numbers there are none.

    Args:
        table: of the training part.
        target: name of the column.
    """
    cells = table.column(target)
    given = set(cells) - {""}
    if not given or all(map(is_number, given)):
        return frozenset()
    counts = Counter(word for word, cell in zip(table.written(target), cells, strict=True) if word and not cell)
    return frozenset(word for word, count in counts.items() if count >= FEWEST_OF_A_WORD)


def with_words(table: Table, target: str, words: Collection[str]) -> Table:
    """A table whose target holds these words as they are written, and not as missing values."""
    if not words:
        return table
    pairs = zip(table.column(target), table.written(target), strict=True)
    return table.with_column(target, tuple(word if word in words else cell for cell, word in pairs))


def without_missing(table: Table, target: str, *, later: bool = False) -> tuple[Table, int]:
    """A table without the rows whose target is missing, and how many these are.

    Args:
        table: of a part.
        target: name of the column.
        later: whether it is of another part than the training part, whose file may be left out.

    Raises:
        DataError: no row is left.
    """
    cells = table.column(target)
    rows = [row for row, cell in enumerate(cells) if cell]
    if not rows:
        cure = "take the file out of the folder (one without targets is for model.py)" if later else "name another"
        raise DataError(f"{table.where}: column {shorten(target, 60)}, the target, has no values; {cure}")
    return (table if len(rows) == len(table) else table.take(rows)), len(table) - len(rows)


def drop_column(table: Table, name: str) -> Table:
    """A table without a column."""
    return table.select([number for number, other in enumerate(table.names) if other != name])


def names_in(text: str | Sequence[str]) -> frozenset[str]:
    """Names in a text, between commas.

    Example:
        >>> sorted(names_in("age, job"))
        ['age', 'job']
    """
    listed = text.split(",") if isinstance(text, str) else list(text)
    return frozenset(name.strip() for name in listed if name.strip())
