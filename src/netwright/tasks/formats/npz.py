"""Arrays in one ``.npz`` file: ``x_train``, ``y_train``, and optionally ``x_val``, ``y_val``, ``x_test``, ``y_test``.

MedMNIST's names (``train_images``, ``train_labels``, ...) will do, too. Where labels are (N, C), ``classes`` (C,) may
name their columns.

Nothing is ever unpickled: an array of Python objects, and a file that is something else under the name ``.npz``, are
refused. The images of the test part are not read before they are asked for; its header is.
"""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import IO

import numpy as np

from netwright.errors import DataError
from netwright.machine_memory import require_room
from netwright.tasks.formats.array_files import ArrayFiles, described, mapped, parts_of, rows_of
from netwright.tasks.formats.parts import Array, ArrayPart, Header, Indices, RawData, file_error, printable

NAMES = ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test")
_ELSEWHERE = ("train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels")
"""What MedMNIST calls them."""

CLASSES = "classes"
"""Name of each column of labels (N, C), where the file has it."""
_UNREADABLE = (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError)


def read(path: Path, cache: ArrayFiles | None = None) -> RawData:
    """Read a set from an ``.npz`` file.

    Args:
        path: the file.
        cache: where arrays are kept that are compressed in the file; with it images are mapped, not read into memory.

    Returns:
        The set. Parts that the file does not have are ``None``.

    Raises:
        DataError: not an npz file, a part without its other half, misspelt names, Python objects, damaged arrays.
    """
    found = _names(path)
    names = _ELSEWHERE if _ELSEWHERE[0] in found and NAMES[0] not in found else NAMES
    _check_names(path, found, names)
    train, validation, test = (NpzPart(path, names[n], names[n + 1], cache) for n in (0, 2, 4))
    if cache is None:
        seen = [part.header() for part in (train, validation) if part.x in found]
        cure = "keep them in files (--task-option cache=FOLDER), or save them as uint8"
        require_room(sum(map(_bytes_of, seen)), f"the images of {printable(path.name)}", cure)
    return RawData(
        name=path.stem,
        train=ArrayPart(train.where, train.images(), train.labels()),
        validation=validation if validation.x in found else None,
        test=test if test.x in found else None,
        class_names=tuple(map(str, _array(path, CLASSES).tolist())) if CLASSES in found else (),
    )


@dataclass(frozen=True)
class NpzPart:
    """The arrays of images and labels of a part, read when asked for.

    Args:
        path: of the file.
        x: name of the images.
        y: name of their labels.
        cache: as of `read`.
    """

    path: Path
    x: str
    y: str
    cache: ArrayFiles | None = None

    @property
    def where(self) -> str:
        return f"{self.x} of {printable(self.path.name)}"

    def header(self) -> Header:
        return _header(self.path, self.x)

    def labels(self) -> Array:
        return _array(self.path, self.y)

    def images(self) -> Array:
        return _array(self.path, self.x) if self.cache is None else _in_file(self.path, self.x, self.cache)

    def take(self, rows: Indices) -> ArrayPart:
        return ArrayPart(self.where, rows_of(self.images(), rows), self.labels()[rows])


def _names(path: Path) -> frozenset[str]:
    """Names of the arrays in the file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return frozenset(name.removesuffix(".npy") for name in archive.namelist())
    except zipfile.BadZipFile as error:
        message = f"{str(path)!r} is not an npz file ({error}); write one with numpy.savez(path, x_train=..., ...)"
        raise DataError(message) from error
    except _UNREADABLE as error:
        raise file_error(path, error) from error


def _bytes_of(header: Header) -> int:
    return math.prod(header.shape) * header.dtype.itemsize


def _check_names(path: Path, found: frozenset[str], names: Sequence[str]) -> None:
    """Refuse missing halves, and names that are probably misspelt."""
    needed = set(names[:2])
    for pair in (set(names[2:4]), set(names[4:])):
        needed |= pair if pair & found else set()
    missing = sorted(needed - found)
    listed = ", ".join(sorted(found)) or "none"
    if missing:
        near = get_close_matches(missing[0], found - set(names), n=1)
        hint = f"; did you mean {near[0]!r} to be it?" if near else ""
        raise DataError(f"{str(path)!r} has no array {', '.join(missing)}; it has: {listed}{hint}")
    for name in sorted(found - set(names)):
        near = get_close_matches(name.lower(), names, n=1, cutoff=0.8)
        if near and near[0] not in found:
            raise DataError(f"{str(path)!r} has an array {name!r}; did you mean {near[0]!r}? known: {', '.join(names)}")


def _array(path: Path, name: str) -> Array:
    """Read one array, after its header was checked."""
    _header(path, name)
    with _opened(path, name) as (stream, _):
        array: Array = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def _in_file(path: Path, name: str, cache: ArrayFiles) -> Array:
    """Map one array: where it lies in the file as it is, else from a copy that is unpacked once."""
    header = _header(path, name)
    with _opened(path, name) as (stream, size):
        fortran, start = _start(stream)
        at = _offset(path, name)
        if at is not None:
            return mapped(path, at + start, header.shape, header.dtype, fortran=fortran)
        shape = tuple(reversed(header.shape)) if fortran else header.shape

        def fill(array: Array) -> None:
            flat = array.reshape(-1).view(np.uint8)
            for part in parts_of(flat.shape, flat.dtype):
                flat[part] = np.frombuffer(stream.read(part.stop - part.start), np.uint8)

        found = cache.array(described([path], told=(name, size)), shape, header.dtype, fill)
        return found.T if fortran else found


def _start(stream: IO[bytes]) -> tuple[bool, int]:
    """Whether an array is in Fortran order, and where its numbers begin; the stream then stands there."""
    version = np.lib.format.read_magic(stream)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    _, fortran, _ = reader(stream)
    return fortran, stream.tell()


def _offset(path: Path, name: str) -> int | None:
    """Where an array's file begins in the archive; None where it is compressed or encrypted."""
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo(f"{name}.npy")
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
        return None
    with path.open("rb") as file:  # a local header: 30 bytes, of which the last four are two lengths
        file.seek(entry.header_offset + 26)
        name_bytes, extra_bytes = struct.unpack("<HH", file.read(4))
    return entry.header_offset + 30 + int(name_bytes) + int(extra_bytes)


def _header(path: Path, name: str) -> Header:
    """Shape and type of an array; objects, and sizes that the file does not hold, are refused."""
    with _opened(path, name) as (stream, size):
        version = np.lib.format.read_magic(stream)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = reader(stream)
        held = size - stream.tell()
    if dtype.hasobject:
        raise DataError(
            f"the array {name} of {str(path)!r} holds Python objects, which are never unpickled; "
            f"save numbers or fixed-length strings, such as {name}.astype(str)"
        )
    if math.prod(shape) * dtype.itemsize != held:
        raise DataError(
            f"the array {name} of {str(path)!r} is damaged: shape {shape} {dtype}, but {held} bytes of data"
        )
    return Header(tuple(shape), dtype)


@contextmanager
def _opened(path: Path, name: str) -> Iterator[tuple[IO[bytes], int]]:
    """Open one array of the file for reading, with its size in bytes; any damage becomes a `DataError`."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as stream:
            yield stream, archive.getinfo(f"{name}.npy").file_size
    except (KeyError, MemoryError, *_UNREADABLE) as error:
        reason = str(error) or type(error).__name__
        raise DataError(f"cannot read the array {name} of {str(path)!r}: {reason}") from error
