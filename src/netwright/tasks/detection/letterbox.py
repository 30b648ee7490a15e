"""Images of any size on canvases of one size: scaled to fit, at the top left, the rest grey. Boxes go with them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright.errors import SpecError, wrong
from netwright.machine_memory import require_room
from netwright.tasks.detection.annotations import Annotated
from netwright.tasks.formats.image_files import ImageForm, decode_all

STEP = 32
"""Sides of canvases are multiples of it: what the coarsest map halves to."""

GREY = 114
CROWD = -2
"""A crowd of class n has this number less n among targets, where -1 is no box."""

_LONGEST = 256
_LARGEST = 1024
_MOST_THREADS = 4


def canvas_size(sizes: Sequence[tuple[int, int]], wanted: int | str | Sequence[int] | None) -> tuple[int, int]:
    """Height and width of the canvases.

    Args:
        sizes: (height, width) of the images.
        wanted: pixels of the longer side, ``HEIGHTxWIDTH`` or (height, width); None: 256, in the shape that the images
            have in the median. Both sides are rounded up to multiples of `STEP`.

    Raises:
        SpecError: ``wanted`` is no size.

    Example:
        >>> canvas_size([(480, 640)], None), canvas_size([(480, 640)], 320), canvas_size([(1, 9)], "100x50")
        ((192, 256), (256, 320), (128, 64))
    """
    sides: tuple[object, ...] = ()
    if isinstance(wanted, str) and not wanted.isdigit():
        sides = tuple(wanted.lower().split("x"))
    elif wanted is None or isinstance(wanted, (int, str)):
        height, width = (float(np.median([size[i] for size in sizes])) for i in (0, 1))
        longest = _LONGEST if wanted is None else int(wanted)
        if longest >= 1 and not isinstance(wanted, bool):
            sides = tuple(max(1, round(longest * side / max(height, width))) for side in (height, width))
    else:
        sides = tuple(wanted)
    whole = [int(str(side)) for side in sides if str(side).isdigit()]
    if len(whole) != 2 or len(sides) != 2 or not all(1 <= side <= _LARGEST for side in whole):
        raise SpecError(wrong("image_size", wanted, f"pixels of the longer side, or HEIGHTxWIDTH, 1 to {_LARGEST}"))
    return _up(whole[0]), _up(whole[1])


def _up(side: int) -> int:
    return max(2 * STEP, -(-side // STEP) * STEP)


def scale_of(size: tuple[int, int], canvas: tuple[int, int]) -> float:
    """What an image's pixels are multiplied with so that it fits."""
    return min(canvas[0] / size[0], canvas[1] / size[1])


def load_images(
    files: Sequence[Path], sizes: Sequence[tuple[int, int]], canvas: tuple[int, int], channels: int
) -> NDArray[np.uint8]:
    """Decode images onto canvases.

    Returns:
        (N, C, H, W).

    Raises:
        DataError: damaged files, or more images than a quarter of the memory holds.
    """
    _check_memory(len(files), canvas, channels)
    pixels = np.full((len(files), channels, *canvas), GREY, np.uint8)
    by_size: dict[tuple[int, int], list[int]] = {}
    for row, size in enumerate(sizes):
        by_size.setdefault(_fitted(size, canvas), []).append(row)
    for (height, width), rows in by_size.items():
        for start in range(0, len(rows), 256):
            part = rows[start : start + 256]
            form = ImageForm(channels, height, width)
            pixels[part, :, :height, :width] = decode_all([files[r] for r in part], form, _threads())
    return pixels


def _fitted(size: tuple[int, int], canvas: tuple[int, int]) -> tuple[int, int]:
    """Height and width of an image on the canvas."""
    scale = scale_of(size, canvas)
    height, width = (max(1, min(limit, round(scale * side))) for side, limit in zip(size, canvas, strict=True))
    return height, width


def box_targets(
    images: Sequence[Annotated],
    sizes: Sequence[tuple[int, int]],
    canvas: tuple[int, int],
    classes: Sequence[str],
    most: int,
) -> NDArray[np.float32]:
    """Boxes on the canvases.

    Returns:
        (N, ``most``, 5): left, top, right, bottom in pixels of the canvas, and the number of the class, for a crowd
        `CROWD` less it; rows of -1 where an image has fewer. Crowds of classes that are not known are left out.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    targets = np.full((len(images), most, 5), -1, np.float32)
    for row, (image, size) in enumerate(zip(images, sizes, strict=True)):
        scale = scale_of(size, canvas)
        found = [(box, numbers[box.label]) for box in image.boxes]
        found += [(box, CROWD - numbers[box.label]) for box in image.crowds if box.label in numbers]
        for place, (box, number) in enumerate(found):
            targets[row, place] = (*(scale * c for c in box.corners), number)
    return targets


def _threads() -> int:
    """How many decode at once: as many as there are cores, a few at most."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(_MOST_THREADS, cores)


def _check_memory(count: int, canvas: tuple[int, int], channels: int) -> None:
    needed = count * channels * canvas[0] * canvas[1]
    require_room(needed, f"{count} images of {canvas[0]} x {canvas[1]}", "give a smaller image_size")
