"""Boxes in COCO's JSON: ``images``, ``annotations`` with ``bbox`` (left, top, width, height), ``categories``.

Crowds (``iscrowd``) are left out of training, with a count; the evaluator counts nothing that is found in them.

References:
    Lin et al. (2014), Microsoft COCO; its data format as at cocodataset.org/#format-data.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from netwright.errors import DataError, shorten
from netwright.tasks.detection.annotations import (
    Annotated,
    Box,
    Repairs,
    corner,
    declared_size,
    image_path,
)
from netwright.tasks.formats.image_places import image_folders
from netwright.tasks.formats.parts import file_error

CROWDS = "crowd(s) were left out of training; what is found in them does not count"
_LISTS = ("images", "annotations", "categories")


def read_coco(path: Path, repairs: Repairs, split: str = "") -> list[Annotated]:
    """Read one file.

    Args:
        path: of the file; for where images are looked for, see `image_folders`.
        repairs: counts crowds.
        split: of all its images.

    Raises:
        DataError: no JSON of that form, an annotation of no image or category, a box that is none; names the file and
            the number of the annotation.
    """
    found = _load(path)
    names: dict[object, str] = {}
    for where, entry in _entries(found, "categories", ("id", "name"), path):
        if names.setdefault(entry["id"], str(entry["name"])) != str(entry["name"]):
            other = shorten(names[entry["id"]])
            raise DataError(
                f"{where}: the id {shorten(entry['id'])} is that of {other}, too; give each an id of its own"
            )
    folders = image_folders(path)
    images: dict[object, Annotated] = {}
    boxes: dict[object, list[Box]] = {}
    crowds: dict[object, list[Box]] = {}
    for where, entry in _entries(found, "images", ("id", "file_name"), path):
        if entry["id"] in images:
            raise DataError(f"{where}: the id {shorten(entry['id'])} is given twice")
        file = image_path(folders, str(entry["file_name"]), where)
        size = declared_size(entry.get("height"), entry.get("width"), where)
        images[entry["id"]] = Annotated(file, where, split=split, size=size)
    for where, entry in _entries(found, "annotations", ("image_id", "category_id", "bbox"), path):
        for key, known in (("image_id", images), ("category_id", names)):
            if entry[key] not in known:
                raise DataError(f"{where}: {key} {shorten(entry[key])} is not among the {len(known)} that are declared")
        box = _box(entry["bbox"], names[entry["category_id"]], where)
        if entry.get("iscrowd"):
            repairs.add(CROWDS, where)
        (crowds if entry.get("iscrowd") else boxes).setdefault(entry["image_id"], []).append(box)
    if not images:
        raise DataError(f"{str(path)!r} names no image")
    return [
        replace(image, boxes=tuple(boxes.get(key, ())), crowds=tuple(crowds.get(key, ())))
        for key, image in images.items()
    ]


def _box(bbox: object, label: str, where: str) -> Box:
    if not isinstance(bbox, list) or len(bbox) != 4:
        raise DataError(f"{where}: bbox is {shorten(bbox)}, not [left, top, width, height]")
    left, top, width, height = (corner(value, "bbox", where) for value in bbox)
    return Box(label, (left, top, left + width, top + height), where)


def _load(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise DataError(f"{path.name} line {error.lineno}: no JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:  # no UTF-8, a number of thousands of digits, or nested too deeply
        raise DataError(f"{str(path)!r} is no JSON: {type(error).__name__}") from error
    except OSError as error:
        raise file_error(path, error) from error
    missing = [n for n in _LISTS if not isinstance(found, dict) or not isinstance(found.get(n), list)]
    if missing:
        raise DataError(f"{str(path)!r} is no COCO file: it has no list {', '.join(missing)}")
    checked: Mapping[str, Any] = found
    return checked


def _entries(
    found: Mapping[str, Any], name: str, keys: tuple[str, ...], path: Path
) -> Iterable[tuple[str, dict[str, Any]]]:
    for number, entry in enumerate(found[name]):
        where = f"{path.name} {name}[{number}]"
        for key in keys:
            if not isinstance(entry, dict) or key not in entry:
                raise DataError(f"{where} has no {key!r}; it is {shorten(entry)}")
            if key.endswith("id") and not _is_id(entry[key]):
                raise DataError(f"{where}: {key} is {shorten(entry[key])}, no whole number")
        yield where, entry


def _is_id(value: object) -> bool:
    """Whether something is a number, also one that was written as 3.0, or a text."""
    return isinstance(value, (int, str)) or (isinstance(value, float) and value.is_integer())
