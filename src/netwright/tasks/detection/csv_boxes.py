"""Boxes in a CSV file: a line a box, ``image,xmin,ymin,xmax,ymax,label``, in any order and with further columns.

Cells are parted by commas, semicolons or tabs, whichever the first line has most of. A line with an image and nothing
in the other five columns names a background image. A column ``split`` divides the images into train, val and test.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from netwright.errors import DataError, shorten
from netwright.tasks.detection.annotations import Annotated, Box, corner, image_folders, image_path, split_named
from netwright.tasks.formats.parts import file_error

CORNERS = ("xmin", "ymin", "xmax", "ymax")
COLUMNS = ("image", *CORNERS, "label")
_ALIASES: Mapping[str, tuple[str, ...]] = {
    "image": ("filename", "file", "file_name", "image_name", "image_path", "path"),
    "xmin": ("x_min", "x1"),
    "ymin": ("y_min", "y1"),
    "xmax": ("x_max", "x2"),
    "ymax": ("y_max", "y2"),
    "label": ("class", "class_name", "category"),
    "split": ("subset",),
}
"""What columns are called elsewhere; the first that is there counts, where none has the name itself."""

_DELIMITERS = ",;\t"


def read_csv(path: Path, split: str = "") -> list[Annotated]:
    """Read one file.

    Args:
        path: of the file; for where images are looked for, see `image_folders`.
        split: of all images, where the file has no column ``split``.

    Returns:
        Each image once, in the order in which they are first named.

    Raises:
        DataError: no text, columns are missing, a line is damaged, an image is not there; names file and line.
    """
    folders = image_folders(path)
    images: dict[str, Annotated] = {}
    boxes: dict[str, list[Box]] = {}
    for where, row in _rows(path):
        name = row["image"]
        part = split_named(row["split"], where) if "split" in row else split
        if name not in images:
            images[name] = Annotated(image_path(folders, name, where), where, split=part)
            boxes[name] = []
        elif images[name].split != part:
            raise DataError(f"{where}: {shorten(name)} is in {part} here and in {images[name].split} before")
        boxes[name] += _boxes(row, where)
    if not images:
        raise DataError(f"{str(path)!r} names no image; write a line for each box: {','.join(COLUMNS)}")
    return [Annotated(image.file, image.where, tuple(boxes[name]), image.split) for name, image in images.items()]


def _boxes(row: Mapping[str, str], where: str) -> list[Box]:
    """The box of a line; none where all that belongs to one is empty."""
    given = [row[name] for name in (*CORNERS, "label")]
    if not any(given):
        return []
    if not row["label"]:
        raise DataError(f"{where}: the box has no label; name its class, or leave its corners empty, too")
    left, top, right, bottom = (corner(row[name], name, where) for name in CORNERS)
    return [Box(row["label"], (left, top, right, bottom), where)]


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Lines by column, with where they stand."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            delimiter = max(_DELIMITERS, key=file.readline().count)
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            header = _header(path, next(reader, []))
            for fields in reader:
                where = f"{path.name} line {reader.line_num}"
                if not any(map(str.strip, fields)):
                    continue
                if len(fields) != len(header):
                    raise DataError(f"{where}: {len(fields)} columns, the header has {len(header)}")
                yield where, {name: text.strip() for name, text in zip(header, fields, strict=True)}
    except UnicodeDecodeError as error:
        raise DataError(f"{str(path)!r} is no UTF-8 text: {error.reason} at byte {error.start}") from error
    except csv.Error as error:
        raise DataError(f"{path.name} line {reader.line_num}: {error}") from error
    except OSError as error:
        raise file_error(path, error) from error


def _header(path: Path, fields: list[str]) -> list[str]:
    names = [text.strip().lower() for text in fields]
    for name, others in _ALIASES.items():
        other = next((other for other in others if other in names), None)
        if name not in names and other is not None:
            names = [name if given == other else given for given in names]
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        cure = f"the first line must name the columns {','.join(COLUMNS)}"
        raise DataError(f"{path.name} line 1: no column {', '.join(missing)} among {shorten(fields)}; {cure}")
    doubled = [name for name in (*COLUMNS, "split") if names.count(name) > 1]
    if doubled:
        raise DataError(f"{path.name} line 1: the column {doubled[0]} stands there twice")
    return names
