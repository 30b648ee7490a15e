"""Images with labels in tables: a CSV file beside its images, or a folder with one for each part.

The first line names the columns (`netwright.tasks.formats.label_columns`). One is ``image``: a file's name relative to
the folder of the CSV file, or to those of `image_folders`. The others are

* ``labels``: the labels of the image with ``|`` between them, empty for none; or
* a column a label, each 0 or 1; or
* where each image has one class, a column of it, whatever its name, or one called ``label`` or ``class`` beside others;

and, in a file that holds all parts, ``split``: train, val or test. A first column without a name that numbers the
lines, as pandas writes it, is ignored. A folder holds ``train.csv`` and perhaps ``val.csv`` and ``test.csv``, or one
``labels.csv``, or folders ``train/`` and so on with one CSV file each, as Roboflow writes them. Every complaint names
file and line. Names of images are data: one that leads out of the folder is refused.
"""

from __future__ import annotations

import csv
import functools
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netwright.errors import DataError, shorten
from netwright.tasks.formats.array_files import ArrayFiles
from netwright.tasks.formats.folder import FolderPart, common_form
from netwright.tasks.formats.image_places import image_folders
from netwright.tasks.formats.label_columns import (
    BETWEEN,
    IMAGE,
    SPLIT,
    Form,
    class_form,
    header_of,
    labels_form,
    labels_of,
    number_lines,
)
from netwright.tasks.formats.parts import Array, RawData, file_error, printable

TABLES = {
    "train": ("train.csv", "training.csv"),
    "val": ("val.csv", "valid.csv", "validation.csv"),
    "test": ("test.csv",),
}
WHOLE = "labels.csv"
_SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_OTHERS = (";", ",", " ")
"""What people put between labels, too."""


@dataclass(frozen=True)
class _Row:
    """One image: where it stands, its file, the labels it has and its part."""

    where: str
    file: Path
    labels: tuple[str, ...]
    split: str


@dataclass(frozen=True)
class _Table:
    """One CSV file: rows, the labels it has columns of, if it has, and columns that are ignored."""

    where: str
    rows: tuple[_Row, ...]
    columns: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def tables_in(data: str | Path) -> dict[str, Path] | None:
    """The CSV files that ``data`` names by part, ``""`` for a file of all parts; None where it is something else."""
    path = Path(data)
    try:
        if path.suffix.lower() == ".csv":
            return {"": path}
        if not path.is_dir():
            return None
        found = {part: path / name for part, names in TABLES.items() for name in names if (path / name).is_file()}
        if "train" in found:
            return found
        if (path / WHOLE).is_file():
            return {"": path / WHOLE}
        found = dict(_in_part_folders(path))
        return found if "train" in found else None
    except (OSError, ValueError) as error:
        raise file_error(path, error) from error


def _in_part_folders(folder: Path) -> Iterator[tuple[str, Path]]:
    """The one CSV file in each folder that is called like a part."""
    for entry in sorted(folder.iterdir()):
        if entry.name.lower() in _SPLITS and entry.is_dir():
            tables = [path for path in entry.glob("*.[cC][sS][vV]") if not path.name.startswith(".")]
            if len(tables) == 1:
                yield _SPLITS[entry.name.lower()], tables[0]


def read(
    tables: Mapping[str, Path],
    image_size: tuple[int, int] | None = None,
    cache: ArrayFiles | None = None,
    *,
    single: bool = False,
) -> RawData:
    """Read a set from CSV files.

    Args:
        tables: what `tables_in` found.
        image_size: (height, width) all images are resized to; None as of `netwright.tasks.formats.folder`.
        cache: where decoded images are kept instead of memory.
        single: whether each image has one class.

    Returns:
        The set, its labels (N, C) ``uint8``, or (N,) names of classes.

    Raises:
        DataError: names file and line.
        MissingDependencyError: Pillow is not installed.
    """
    found = [_read_table(path, part, single) for part, path in tables.items()]
    _require_same_columns(found)
    by_part: dict[str, list[_Row]] = {}
    for row in (row for table in found for row in table.rows):
        by_part.setdefault(row.split, []).append(row)
    _refuse_twice(row for rows in by_part.values() for row in rows)
    if not by_part.get("train"):
        raise DataError(f"{found[0].where}: no image of the training part; mark some with split train")
    if not found[0].columns and not single:
        _refuse_other_separators(by_part["train"])
    names = found[0].columns or tuple(sorted({label for row in by_part["train"] for label in row.labels}))
    first = next(iter(tables.values()))
    home = Path(os.path.commonpath([table.resolve().parent for table in tables.values()])).name
    seen = [row.file for part in ("train", "val") for row in by_part.get(part, [])]
    form, notes = common_form(seen, image_size, cache)
    parts = {}
    for part, rows in by_part.items():
        where = f"{part} part of {printable(home if len(tables) > 1 else first.name)}"
        labels: Array = np.array([row.labels[0] for row in rows], np.str_) if single else _matrix(rows, names)
        parts[part] = FolderPart(where, [row.file for row in rows], labels, form, cache)
    notes += _notes(found, by_part["train"])
    name = first.stem if len(tables) == 1 and first.name != WHOLE else home
    class_names = () if single else names
    return RawData(name, parts["train"], parts.get("val"), parts.get("test"), tuple(notes), "CHW", class_names)


def _require_same_columns(tables: Sequence[_Table]) -> None:
    columns = {frozenset(table.columns) for table in tables}
    if len(columns) > 1:
        odd = set.symmetric_difference(*(set(columns_of) for columns_of in list(columns)[:2]))
        raise DataError(
            f"{' and '.join(t.where for t in tables)} have other columns: {shorten(sorted(odd))}; name the same"
        )


def _notes(tables: Iterable[_Table], training: Iterable[_Row]) -> list[str]:
    """What is said of columns and images that are unlike the others."""
    ignored = sorted({column for table in tables for column in table.ignored})
    notes = [f"columns that are ignored: {shorten(ignored)}"] if ignored else []
    bare = sum(not row.labels for row in training)
    return notes + ([f"{bare} training image(s) have no label; they count as having none of them"] if bare else [])


def _refuse_other_separators(rows: Sequence[_Row]) -> None:
    """Refuse lists of labels with another sign between them, each of which would be a label.

    No image has two labels then, and there are fewer words between such signs than lists.
    """
    lists = {label: row.where for row in rows for label in row.labels}
    if any(len(row.labels) > 1 for row in rows):
        return
    for sign in _OTHERS:
        words = {word.strip() for label in lists for word in label.split(sign)} - {""}
        joined = next((label for label in lists if sign in label), None)
        if joined is not None and len(words) < len(lists):
            raise DataError(
                f"{lists[joined]}: {shorten(joined)} would be one label, and no training image has two; "
                f"put {BETWEEN!r} between labels, or use image-classification"
            )


def _matrix(rows: Sequence[_Row], names: Sequence[str]) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """(N, C) of 0 and 1."""
    number = {name: i for i, name in enumerate(names)}
    targets = np.zeros((len(rows), len(names)), np.uint8)
    for i, row in enumerate(rows):
        for label in row.labels:
            if label not in number:
                known = ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
                raise DataError(
                    f"{row.where}: the label {shorten(label)} occurs in no training image; known: {known}; "
                    "correct it or remove the image"
                )
            targets[i, number[label]] = 1
    return targets


def _read_table(path: Path, part: str, single: bool) -> _Table:
    """Read one file; all its rows are of ``part``, unless that is empty."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise file_error(path, error) from error
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise DataError(f"{shorten(str(path))}, line {line}: not UTF-8; save the file as UTF-8") from error
    name = printable(f"{path.parent.name}/{path.name}" if path.parent.name.lower() in _SPLITS else path.name)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = header_of(next(reader, []))
        numbered = len(header) > 1 and not header[0]
        known = header[1:] if numbered else header
        form = class_form(known, name) if single else labels_form(known, name)
        lines = list(_lines(reader, len(header), name))
    except csv.Error as error:
        raise DataError(f"{name}, line {reader.line_num}: {error}; quote fields that hold commas or quotes") from error
    if not lines:
        raise DataError(f"{name}: no images below the line of columns; give one line an image")
    if numbered and not number_lines([fields[0].strip() for fields, _ in lines]):
        raise DataError(
            f"{name}, line 1: the first column has no name, and does not number the lines; name it, or remove it"
        )
    folders = image_folders(path)
    rows = [
        _row(dict(zip(header, map(str.strip, fields), strict=True)), form, folders, f"{name}, line {line}", part)
        for fields, line in lines
    ]
    return _Table(name, tuple(rows), form.columns, form.ignored)


def _lines(reader: Iterable[list[str]], width: int, name: str) -> Iterable[tuple[list[str], int]]:
    """Lines that are not empty, with their numbers; each must have a field a column."""
    for fields in reader:
        line = reader.line_num  # type: ignore[attr-defined]
        if not any(field.strip() for field in fields):
            continue
        if len(fields) != width:
            raise DataError(f"{name}, line {line}: {len(fields)} fields, the first line names {width}; mend the line")
        yield fields, line


def _row(fields: Mapping[str, str], form: Form, folders: Sequence[Path], where: str, part: str) -> _Row:
    text = part or fields.get(SPLIT, "train")
    if text.lower() not in _SPLITS:
        raise DataError(f"{where}: split {shorten(text)}; give train, val or test")
    labels = labels_of(fields, form, where)
    if form.single and len(labels) != 1:
        raise DataError(f"{where}: {len(labels)} classes; give the image one, remove the line, or use image-multilabel")
    return _Row(where, _file(fields[IMAGE], folders, where), labels, _SPLITS[text.lower()])


def _file(name: str, folders: Sequence[Path], where: str) -> Path:
    """The image's file, which must lie in one of the folders or below it."""
    inside = Path(name)
    if not name or inside.is_absolute() or ".." in inside.parts or "\0" in name:
        table = where.partition(",")[0]
        raise DataError(f"{where}: image {shorten(name)}; give a file's name relative to the folder of {table}")
    for folder in folders:
        try:
            if (folder / inside).is_file():
                return folder / inside
        except OSError:
            break
    others = f" (nor in {', '.join(repr(str(folder)) for folder in folders[1:])})" if len(folders) > 1 else ""
    cure = "correct its name or remove the line" if inside.suffix else "a name has its ending, such as .jpg"
    raise DataError(f"{where}: there is no image {shorten(str(folders[0] / inside))}{others}; {cure}")


def _refuse_twice(rows: Iterable[_Row]) -> None:
    first: dict[Path, str] = {}
    resolved = functools.cache(Path.resolve)  # tables of two folders name one image by two paths
    for row in rows:
        file = resolved(row.file.parent) / row.file.name
        if file in first:
            raise DataError(
                f"{row.where}: the image {shorten(row.file.name)} stands in {first[file]}, too; "
                f"give each image one line, with all its labels"
            )
        first[file] = row.where
