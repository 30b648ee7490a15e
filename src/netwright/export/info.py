"""What an export needs to know of a task: the network's input, the scaling of stored values, the class names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from netwright.errors import ExportError, wrong


class ExportInfo(Protocol):
    """What a task says of its data; `ImageClassification.export_info` gives one.

    The network's input is the stored value divided by ``scale``. What else is done to it, such as the subtraction of
    ``mean`` and the division by ``std``, is part of the network; the two are recorded for people.
    """

    @property
    def task(self) -> str:
        """Name of the task, such as ``image-classification``."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example as the network gets it, without the batch; images are (C, H, W)."""

    @property
    def scale(self) -> float:
        """What stored values are divided by, > 0."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the outputs, in their order."""

    @property
    def mean(self) -> tuple[float, ...]:
        """Mean of each channel of the scaled training data; empty where that has no meaning."""

    @property
    def std(self) -> tuple[float, ...]:
        """Standard deviation of each channel of the scaled training data; empty where that has no meaning."""

    @property
    def value_range(self) -> tuple[float, float]:
        """Lowest and highest network input; black and white of an image file are mapped to them."""


def check_info(info: ExportInfo) -> None:
    """Refuse what cannot be written into a model.

    Raises:
        ExportError: names the field.
    """
    if not info.input_shape or not all(type(size) is int and size > 0 for size in info.input_shape):
        raise ExportError(wrong("input_shape", info.input_shape, "sizes > 0 without the batch, such as (3, 32, 32)"))
    if not info.class_names or not all(map(_is_text, info.class_names)):
        raise ExportError(wrong("class_names", info.class_names, "a name for each output of the network"))
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


def is_image(info: ExportInfo) -> bool:
    """Whether the network takes images (C, H, W)."""
    return len(info.input_shape) == 3
