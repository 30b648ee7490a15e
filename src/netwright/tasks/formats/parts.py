"""What every data format gives: labelled parts whose images are read only when asked for.

Knows files as names in messages only; what images and labels mean is decided in `pixels` and `labels`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError, shorten

if TYPE_CHECKING:
    from netwright.tasks.formats.array_files import ArrayFiles

Array = NDArray[Any]
Indices = NDArray[np.int64]
Layout = Literal["auto", "HWC", "CHW"]


@dataclass(frozen=True)
class Header:
    """Shape (first axis: examples) and type of a part's images, known without reading them."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class Part(Protocol):
    """Labelled images: the training, validation or test part of a set."""

    @property
    def where(self) -> str:
        """How messages name it, such as ``x_test of cells.npz``."""

    def header(self) -> Header:
        """Shape and type of `images`, without reading the images' values."""

    def labels(self) -> Array:
        """Labels as they are in the source: (N,) or (N, 1) or one-hot (N, C); numbers or strings."""

    def images(self) -> Array:
        """Images as they are in the source: (N, H, W), (N, H, W, C) or (N, C, H, W)."""

    def take(self, rows: Indices) -> Part:
        """The part made of these rows."""


@dataclass(frozen=True, eq=False)
class ArrayPart:
    """A part that is in memory."""

    where: str
    x: Array
    y: Array

    def header(self) -> Header:
        return Header(self.x.shape, self.x.dtype)

    def labels(self) -> Array:
        return self.y

    def images(self) -> Array:
        return self.x

    def take(self, rows: Indices) -> ArrayPart:
        from netwright.tasks.formats.array_files import rows_of

        return ArrayPart(self.where, rows_of(self.x, rows), self.y[rows])


@dataclass(frozen=True)
class ReadOptions:
    """How a source is read, where it does not say it itself.

    Args:
        layout: order of the axes of image arrays with four axes; ``auto`` finds it from the shape.
        image_size: (height, width) that image files are resized to; ``None``: see `formats.folder`.
        cache: folder (`formats.array_files.ArrayFiles`) in whose files images are kept instead of memory.
    """

    layout: Layout = "auto"
    image_size: tuple[int, int] | None = None
    cache: ArrayFiles | None = None


@dataclass(frozen=True)
class RawData:
    """A set as a format gives it.

    Args:
        name: name of the set for people.
        train: the training part; what is missing below is split off it.
        validation: the validation part where the source has one.
        test: the test part where the source has one.
        notes: what a person should know, such as files that were ignored.
        layout: order of the axes of its images, where the format fixes it.
        class_names: of the columns of labels (N, C), where the source names them.
    """

    name: str
    train: Part
    validation: Part | None = None
    test: Part | None = None
    notes: tuple[str, ...] = ()
    layout: Layout = "auto"
    class_names: tuple[str, ...] = ()


def printable(name: str) -> str:
    """A file's name for messages and reports: what a terminal could obey is replaced."""
    return "".join(char if char.isprintable() else "?" for char in name)


def file_error(path: Path, error: BaseException) -> DataError:
    """Say which file cannot be read and why, in one line."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return DataError(f"cannot read {shorten(str(path))}: {reason}")
