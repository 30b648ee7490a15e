"""What every format of annotations gives: images, their boxes and where each stands; and what is repaired or refused.

Corners are in pixels, from the left and the top, as the annotations say them. Knows nothing of pixels' values.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from netwright.errors import DataError, one_line, shorten

SPLITS: Mapping[str, str] = {
    **dict.fromkeys(("train", "training", "trainval"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""What a part may be called, and which it is."""

MOST_BROKEN = 0.1
"""Share of boxes that may be left out; where more cannot be used, corners are taken to be meant otherwise."""

_SLACK = 1.0
"""Pixels that a corner may lie outside without being counted: formats disagree about the last pixel."""

_LARGEST_PART = 1.01
"""Corners up to it, all of them, are parts of the sides: 1, and what rounding makes of it."""


@dataclass(frozen=True, slots=True)
class Box:
    """One object.

    Args:
        label: its class, as the annotations name it.
        corners: left, top, right, bottom in pixels.
        where: file and line (or number of the annotation), for messages.
    """

    label: str
    corners: tuple[float, float, float, float]
    where: str


@dataclass(frozen=True)
class Annotated:
    """An image and its boxes.

    Args:
        file: of the image.
        where: that first names it.
        boxes: none for a background image.
        split: ``train``, ``val``, ``test``, or empty where the data does not say.
        size: height and width in pixels, as the annotations declare them; None where they do not.
        crowds: boxes around many objects that are not told apart; what is found in them is neither right nor wrong.
    """

    file: Path
    where: str
    boxes: tuple[Box, ...] = ()
    split: str = ""
    size: tuple[float, float] | None = None
    crowds: tuple[Box, ...] = ()


@dataclass
class Repairs:
    """What was mended, and where first."""

    found: dict[str, list[str]] = field(default_factory=dict)

    def add(self, what: str, where: str) -> None:
        """Count one."""
        self.found.setdefault(what, []).append(where)

    def notes(self) -> tuple[str, ...]:
        """A sentence for each kind."""
        return tuple(f"{len(all_)} {what} (first: {all_[0]})" for what, all_ in self.found.items())


NO_AREA, OUTSIDE = "box(es) without area were left out", "box(es) outside their image were left out"
CLIPPED = "box(es) reached beyond their image and were clipped"
DOUBLED = "duplicate annotation(s) were left out"
JOINED = "image(s) that are named again were joined with what names them first"
UNLISTED = "image(s) that no list in ImageSets/Main names were left out"


def image_path(folders: Sequence[Path], name: str, where: str) -> Path:
    """The file an annotation means: below one of ``folders``; names that lead out of them are refused.

    Raises:
        DataError: the name leads elsewhere, or no such file is there.
    """
    inside = PurePosixPath(name.replace("\\", "/"))
    if not name.strip() or "\0" in name or inside.is_absolute() or ".." in inside.parts:
        beside = repr(str(folders[0]))
        raise DataError(f"{where}: {shorten(name)} is no name of an image below {beside}; give a relative name")
    for place in folders:
        try:
            if (place / inside).is_file():
                return place / inside
        except OSError as error:
            raise DataError(f"{where}: cannot look for the image {shorten(name)}: {error.strerror}") from error
    searched = ", ".join(repr(str(place)) for place in folders)
    raise DataError(
        f"{where}: the image {shorten(name)} is not there; it was looked for in {searched}; add the file or remove its "
        "annotations"
    )


def corner(text: object, name: str, where: str) -> float:
    """A finite number of an annotation.

    Raises:
        DataError: it is none.
    """
    try:
        value = float(text) if isinstance(text, (str, int, float)) and not isinstance(text, bool) else math.nan
    except (ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{where}: {name} is {shorten(text)}, not a finite number of pixels")
    return value


def declared_size(height: object, width: object, where: str) -> tuple[float, float] | None:
    """The size in pixels that annotations give an image; None where a side is missing or 0.

    Raises:
        DataError: a side is no number.
    """
    sides = {"height": height, "width": width}
    found = [0.0 if side in (None, "") else corner(side, name, where) for name, side in sides.items()]
    return (found[0], found[1]) if all(found) else None


def split_named(text: str, where: str) -> str:
    """The part that a word means.

    Raises:
        DataError: it means none.
    """
    split = SPLITS.get(text.strip().lower())
    if split is None:
        raise DataError(f"{where}: unknown split {shorten(text)}; write train, val or test")
    return split


def repaired(images: Sequence[Annotated], sizes: Sequence[tuple[int, int]], repairs: Repairs) -> list[Annotated]:
    """Bring boxes inside their images; leave out those without area, outside, and given twice.

    Args:
        images: as read.
        sizes: (height, width) of each image in pixels.
        repairs: counts what is done.

    Raises:
        DataError: corners are no pixels of the image files, or more than `MOST_BROKEN` of the boxes would be left out.
    """
    _require_sizes(images, sizes)
    _require_pixels(images)
    mended = [
        replace(
            image,
            boxes=tuple(_mended(image.boxes, size, repairs)),
            crowds=tuple(_mended(image.crowds, size, Repairs())),  # they are no boxes to be counted
        )
        for image, size in zip(images, sizes, strict=True)
    ]
    total = sum(len(image.boxes) for image in images)
    broken = [where for what in (NO_AREA, OUTSIDE) for where in repairs.found.get(what, [])]
    if len(broken) > max(1, MOST_BROKEN * total):
        raise DataError(
            f"{len(broken)} of {total} boxes have no area or lie outside their image (first: {broken[0]}); corners are "
            "left, top, right, bottom in pixels of the image file: check their order and units"
        )
    return mended


def _require_sizes(images: Sequence[Annotated], sizes: Sequence[tuple[int, int]]) -> None:
    """Refuse annotations that were made for images of another size."""
    other = [(image, size) for image, size in zip(images, sizes, strict=True) if image.size not in (None, size)]
    if not other:
        return
    image, (height, width) = other[0]
    assert image.size is not None
    turned = "; files are turned as their EXIF tag says" if image.size == (width, height) else ""
    more = f" ({len(other)} such images)" if len(other) > 1 else ""
    raise DataError(
        f"{image.where}: the annotations are for {image.size[1]:g} x {image.size[0]:g} pixels, but "
        f"{shorten(image.file.name)} has {width} x {height}{turned}{more}; scale or turn the corners to fit it, or "
        "mend the width and height that the annotations declare"
    )


def _require_pixels(images: Sequence[Annotated]) -> None:
    """Refuse a part whose corners are all parts of the sides."""
    for split in dict.fromkeys(image.split for image in images):
        boxes = [box for image in images if image.split == split for box in image.boxes]
        if boxes and 0 < max(max(box.corners) for box in boxes) <= _LARGEST_PART:
            shown = ", ".join(f"{value:g}" for value in boxes[0].corners)
            raise DataError(
                f"{boxes[0].where}: all corners of the {len(boxes)} boxes are at most about 1 (the first: {shown}); "
                "corners are in pixels, these look like parts of the sides: multiply by width and height"
            )


def _mended(boxes: Iterable[Box], size: tuple[int, int], repairs: Repairs) -> Iterable[Box]:
    height, width = size
    seen: set[tuple[str, tuple[float, float, float, float]]] = set()
    for box in boxes:
        left, top, right, bottom = box.corners
        if right <= left or bottom <= top:
            repairs.add(NO_AREA, box.where)
            continue
        if left >= width or top >= height or right <= 0 or bottom <= 0:
            repairs.add(OUTSIDE, box.where)
            continue
        if (box.label, box.corners) in seen:
            repairs.add(DOUBLED, box.where)
            continue
        seen.add((box.label, box.corners))
        if min(left, top) < -_SLACK or right > width + _SLACK or bottom > height + _SLACK:
            repairs.add(CLIPPED, box.where)
        corners = (max(0.0, left), max(0.0, top), min(float(width), right), min(float(height), bottom))
        yield replace(box, corners=corners)


def class_names(training: Sequence[Annotated], others: Sequence[Annotated]) -> tuple[str, ...]:
    """Names of the classes of the training part, sorted.

    Raises:
        DataError: there is no box to learn from, or another part has a class that the training part has not.
    """
    known = {box.label for image in training for box in image.boxes}
    if not known:
        raise DataError(f"none of the {len(training)} training images has a box; there is nothing to learn")
    for image in others:
        for box in image.boxes:
            if box.label not in known:
                raise DataError(
                    f"{box.where}: the class {shorten(box.label)} occurs in no training image (classes there: "
                    f"{one_line(', '.join(sorted(known)[:10]))}); rename it, or add examples to the training part"
                )
    return tuple(sorted(known))
