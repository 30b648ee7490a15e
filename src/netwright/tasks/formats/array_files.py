"""Arrays that are kept in files instead of memory: made once, then mapped, so that only what is looked at is read.

A file holds the numbers of one array in C order and nothing else. Its name is a digest of what the array was made
from, so that the next process finds it; it gets that name when it is complete. Nobody removes these files but the
person who named the folder. Knows neither images nor labels.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError, SpecError, shorten, wrong
from netwright.tasks.formats.parts import Array, Indices, file_error
from netwright.types import digest

ROWS_AT_ONCE_BYTES = 1 << 24
"""What is made at a time of an array that never stands in memory whole."""


@dataclass(frozen=True)
class ArrayFiles:
    """A folder of arrays.

    Args:
        folder: made where it does not exist.
    """

    folder: Path

    @classmethod
    def named(cls, folder: str | Path) -> ArrayFiles | None:
        """The folder that an option names; None for the empty text.

        Raises:
            SpecError: it cannot be made or written to.
        """
        if not str(folder):
            return None
        path = Path(folder).resolve()
        try:
            path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path):
                pass
        except (OSError, ValueError) as error:
            cure = f"{getattr(error, 'strerror', None) or error}; name another folder"
            raise SpecError(wrong("cache", shorten(str(folder)), "a folder that can be written to", cure)) from error
        return cls(path)

    def array(
        self, made_from: str, shape: tuple[int, ...], dtype: np.dtype[Any], fill: Callable[[Array], None]
    ) -> Array:
        """An array that is mapped from a file, read only.

        Args:
            made_from: all that its numbers follow from; names the file.
            shape: of the array.
            dtype: of its numbers.
            fill: writes the numbers into the array it is given; called where there is no file yet.

        Raises:
            DataError: the file cannot be written or read.
        """
        path = self.folder / f"{digest(f'{made_from} {shape} {dtype.str}', 32)}.array"
        size = math.prod(shape) * dtype.itemsize
        try:
            if not path.is_file() or path.stat().st_size != size:
                self._write(path, size, lambda file: fill(np.memmap(file, dtype, "r+", shape=shape)))
            return np.memmap(path, dtype, "r", shape=shape)
        except (OSError, ValueError) as error:
            raise file_error(path, error) from error

    def _write(self, path: Path, size: int, fill: Callable[[Path], None]) -> None:
        free = shutil.disk_usage(self.folder).free
        if free < size:
            raise DataError(
                f"cache: {shorten(str(self.folder))} has {free >> 20} MiB free, the images take {size >> 20} MiB; "
                "name another folder, or give a smaller image_size"
            )
        handle, name = tempfile.mkstemp(dir=self.folder, suffix=".part")
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(handle, 0, size)  # a full disk is found out here, not by a signal while it is filled
            else:  # macOS
                os.ftruncate(handle, size)
            fill(Path(name))
            Path(name).replace(path)
        finally:
            os.close(handle)
            Path(name).unlink(missing_ok=True)


def described(files: Sequence[Path], *, told: object = "") -> str:
    """What an array is made from: files, by name, size and time of change, and ``told``."""
    facts = [(str(file), (found := file.stat()).st_size, found.st_mtime_ns) for file in files]
    return digest(repr((facts, told)), 32)


class Rows:
    """Some rows of an array in a file, as far as they are looked at.

    Args:
        whole: (N, ...) mapped.
        rows: (M,) of it.
    """

    def __init__(self, whole: Array, rows: Indices) -> None:
        self.whole, self.rows = whole, rows
        self.dtype, self.shape, self.ndim = whole.dtype, (len(rows), *whole.shape[1:]), whole.ndim
        self.size = math.prod(self.shape)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, part: slice) -> Array:
        return np.asarray(self.whole[self.rows[part]])

    def min(self) -> Any:
        """The least number."""
        return min(chunk.min() for chunk in self._chunks())

    def max(self) -> Any:
        """The greatest number."""
        return max(chunk.max() for chunk in self._chunks())

    def _chunks(self) -> Iterator[Array]:
        return (self[part] for part in parts_of(self.shape, self.dtype))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self.whole[self.rows], dtype)


def rows_of(array: Array, rows: Indices) -> Array:
    """Some rows of an array: a copy of one in memory, none of one in a file."""
    found: Any = array
    if isinstance(found, Rows):
        return Rows(found.whole, found.rows[rows])  # type: ignore[return-value]  # as far as images are looked at
    return Rows(array, rows) if isinstance(array, np.memmap) else array[rows]  # type: ignore[return-value]


def in_file(array: Array) -> bool:
    """Whether an array is one that does not stand in memory."""
    found: Any = array
    return isinstance(found, (np.memmap, Rows))


def parts_of(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Iterator[slice]:
    """Slices of the rows of an array, some megabytes each."""
    step = max(1, ROWS_AT_ONCE_BYTES // max(1, math.prod(shape[1:]) * dtype.itemsize))
    return (slice(start, min(start + step, shape[0])) for start in range(0, shape[0], step))


def mapped(path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any], *, fortran: bool) -> NDArray[Any]:
    """Map an array that lies in a file as it is."""
    return np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C")
