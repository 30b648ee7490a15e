"""Options of tasks on images, checked: what they may be, and what they mean."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from netwright.errors import SpecError, one_line, shorten, wrong

LARGEST_SIDE = 4096


def require_layout(layout: str) -> None:
    """Refuse an unknown order of axes.

    Raises:
        SpecError: it is none of auto, HWC and CHW.
    """
    if layout not in ("auto", "HWC", "CHW"):
        raise SpecError(wrong("layout", layout, "'auto', 'HWC' or 'CHW'"))


def image_size_of(image_size: int | str | tuple[int, int] | None) -> tuple[int, int] | None:
    """Bring the option to (height, width).

    Raises:
        SpecError: it is no size.

    Example:
        >>> image_size_of(32), image_size_of("32"), image_size_of("96x64")
        ((32, 32), (32, 32), (96, 64))
    """
    if image_size is None:
        return None
    if isinstance(image_size, str) and re.fullmatch(r"[0-9]{1,4}(x[0-9]{1,4})?", image_size):
        height, _, width = image_size.partition("x")
        image_size = int(height), int(width or height)
    size: tuple[Any, ...] = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(size) != 2 or not all(isinstance(n, int) and 1 <= n <= LARGEST_SIDE for n in size):
        raise SpecError(wrong("image_size", image_size, "a number of pixels, or height and width, from 1 to 4096"))
    return size[0], size[1]


def pretrained_file(path: str | Path) -> Path | None:
    """The file that the option ``pretrained`` names; None for the empty text.

    Raises:
        SpecError: there is no such file, or it is no safetensors file.
    """
    if not str(path):
        return None
    from safetensors import SafetensorError, safe_open

    cure = "write one with safetensors.torch.save_file(model.state_dict(), FILE)"
    try:
        with safe_open(path, framework="numpy") as weights:
            names = list(weights.keys())
    except (OSError, ValueError, SafetensorError) as error:
        reason = f"{one_line(error)}; {cure}"
        raise SpecError(wrong("pretrained", shorten(str(path)), "a safetensors file", reason)) from error
    if not names:
        raise SpecError(wrong("pretrained", shorten(str(path)), "a safetensors file with weights in it", cure))
    return Path(path).resolve()
