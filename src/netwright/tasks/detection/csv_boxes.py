"""Boxes in a CSV file: a line a box, ``image,xmin,ymin,xmax,ymax,label``, in any order and with further columns.

Cells are parted by commas, semicolons, tabs or bars. A line with an image and nothing in the other five columns names a
background image. A column ``split`` divides the images into train, val and test. Columns ``width`` and ``height`` are
compared with the image files where they tell of images; in some files they tell of boxes, which the boxes show.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from netwright.errors import DataError, shorten
from netwright.tasks.detection.annotations import Annotated, Box, corner, image_path, split_named
from netwright.tasks.formats.image_places import image_folders
from netwright.tasks.text_files import Record, read_records

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

_INSIDE = 0.9
"""Share of the boxes that lie within what width and height say, where these are the sides of images."""

Size = tuple[float, float]
"""Height and width in pixels."""


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
    declared: dict[str, set[Size]] = {}
    for where, row in _rows(path):
        name = row["image"]
        part = split_named(row["split"], where) if "split" in row else split
        if name not in images:
            images[name] = Annotated(image_path(folders, name, where), where, split=part)
            boxes[name] = []
        elif images[name].split != part:
            raise DataError(f"{where}: {shorten(name)} is in {part} here and in {images[name].split} before")
        boxes[name] += _boxes(row, where)
        if (size := _size(row)) is not None:
            declared.setdefault(name, set()).add(size)
    if not images:
        raise DataError(f"{str(path)!r} names no image; write a line for each box: {','.join(COLUMNS)}")
    sizes = _sizes_of_images(declared, boxes)
    return [replace(image, boxes=tuple(boxes[name]), size=sizes.get(name)) for name, image in images.items()]


def _size(row: Mapping[str, str]) -> Size | None:
    """What a line has under height and width; None where these are no lengths."""
    try:
        height, width = float(row["height"]), float(row["width"])
    except (KeyError, ValueError):
        return None
    return (height, width) if all(math.isfinite(side) and side > 0 for side in (height, width)) else None


def _sizes_of_images(declared: Mapping[str, set[Size]], boxes: Mapping[str, list[Box]]) -> dict[str, Size]:
    """The size of each image that has one; none at all where lines of an image differ, or boxes do not lie within.

    Args:
        declared: by the image's name.
        boxes: as `declared`.
    """
    if any(len(found) > 1 for found in declared.values()):
        return {}
    sizes = {name: size for name, (size,) in declared.items()}
    reach = [(box.corners, size) for name, size in sizes.items() for box in boxes[name]]
    inside = sum(corners[3] <= height + 1 and corners[2] <= width + 1 for corners, (height, width) in reach)
    return sizes if inside >= _INSIDE * len(reach) else {}


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
    records = [record for record in read_records(path, []) if any(map(str.strip, record.cells))] or [Record(1, [])]
    header = _header(records[0].cells, f"{path.name} line {records[0].line}")
    for record in records[1:]:
        where = f"{path.name} line {record.line}"
        if len(record.cells) != len(header):
            raise DataError(f"{where}: {len(record.cells)} columns, the header has {len(header)}")
        yield where, {name: text.strip() for name, text in zip(header, record.cells, strict=True)}


def _header(fields: list[str], where: str) -> list[str]:
    """What the columns are called here.

    Raises:
        DataError: one is missing, or stands there twice.
    """
    names = [text.strip().lower() for text in fields]
    for name, others in _ALIASES.items():
        other = next((other for other in others if other in names), None)
        if name not in names and other is not None:
            names = [name if given == other else given for given in names]
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        cure = f"the first line must name the columns {','.join(COLUMNS)}"
        raise DataError(f"{where}: no column {', '.join(missing)} among {shorten(fields)}; {cure}")
    doubled = [name for name in (*COLUMNS, "split") if names.count(name) > 1]
    if doubled:
        raise DataError(f"{where}: the column {doubled[0]} stands there twice")
    return names
