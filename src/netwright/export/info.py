"""Checks what a task says of its data before it is written into a model."""

from __future__ import annotations

import math
from collections.abc import Sequence

from netwright.errors import ExportError, unknown, wrong
from netwright.export.runtimes import RUNTIMES
from netwright.tasks.base import ExportInfo


def check_info(info: ExportInfo) -> None:
    """Refuse what cannot be written into a model.

    Raises:
        ExportError: names the field.
    """
    if not info.input_shape or not all(type(size) is int and size > 0 for size in info.input_shape):
        raise ExportError(wrong("input_shape", info.input_shape, "sizes > 0 without the batch, such as (3, 32, 32)"))
    if not all(map(_is_text, info.class_names)) or not (info.class_names or info.output_shape):
        raise ExportError(wrong("class_names", info.class_names, "a name for each output of the network"))
    if info.runtime and info.runtime not in RUNTIMES:
        raise ExportError(unknown("runtime", info.runtime, RUNTIMES))
    if info.input_dtype not in ("float32", "int64"):
        raise ExportError(wrong("input_dtype", info.input_dtype, "float32 or int64"))
    if not (math.isfinite(info.scale) and info.scale > 0):
        raise ExportError(wrong("scale", info.scale, "finite and > 0"))
    low, high = info.value_range
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ExportError(wrong("value_range", info.value_range, "two finite numbers, the lower first"))
    for name, values in (("mean", info.mean), ("std", info.std)):
        _check_moments(name, values)


def _check_moments(name: str, values: Sequence[float]) -> None:
    if not all(math.isfinite(value) for value in values):
        raise ExportError(wrong(name, values, "finite numbers"))


def _is_text(name: object) -> bool:
    return isinstance(name, str) and name.encode("utf-8", "replace").decode() == name


def output_shape(info: ExportInfo) -> tuple[int, ...]:
    """Of one example's outputs: one a class where nothing else is said."""
    return tuple(info.output_shape) or (len(info.class_names),)
