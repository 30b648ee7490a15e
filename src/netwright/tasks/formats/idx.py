"""MNIST's idx files in a folder: ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-...``, or ``.gz``.

Format: two zero bytes, the element type (8: unsigned byte), the number of axes, each axis' length as a big-endian
32-bit number, then the data. The test images (``t10k`` or ``test``) are not read before they are asked for; their
header is.

References:
    Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section on file formats.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np

from netwright.errors import DataError
from netwright.machine_memory import require_room
from netwright.tasks.formats.parts import Array, ArrayPart, Header, Indices, RawData, file_error, printable

_PREFIXES = {"train": ("train",), "test": ("t10k", "test")}
_UBYTE = 8
_UNREADABLE = (OSError, EOFError, zlib.error)
_MOST_BYTES = 1 << 36


def found(folder: Path) -> bool:
    """Whether the folder holds MNIST's training files, or one of them."""
    return any(_find(folder, "train", kind) is not None for kind in ("images", "labels"))


def read(folder: Path) -> RawData:
    """Read a set from idx files.

    Args:
        folder: where the files are.

    Returns:
        The set; a missing test pair is ``None``.

    Raises:
        DataError: a file of a pair is missing, or damaged: wrong type, truncated, or more data than its
            header says; or the images would fill the memory.
    """
    train = _pair(folder, "train")
    if train is None:
        raise DataError(f"{str(folder)!r} has no training files (train-images-idx3-ubyte and train-labels-idx1-ubyte)")
    cure = "save them as one .npz file, which is not read whole with --task-option cache=FOLDER"
    require_room(math.prod(train.header().shape), f"the images of {train.where}", cure)
    return RawData(folder.name, ArrayPart(train.where, train.images(), train.labels()), test=_pair(folder, "test"))


@dataclass(frozen=True)
class IdxPart:
    """A file of images and a file of labels, read when asked for."""

    image_path: Path
    label_path: Path

    @property
    def where(self) -> str:
        return printable(self.image_path.name)

    def header(self) -> Header:
        with _open(self.image_path) as stream:
            return Header(_shape(stream, self.image_path, (3, 4)), np.dtype(np.uint8))

    def labels(self) -> Array:
        return _array(self.label_path, (1,))

    def images(self) -> Array:
        return _array(self.image_path, (3, 4))

    def take(self, rows: Indices) -> ArrayPart:
        return ArrayPart(self.where, self.images()[rows], self.labels()[rows])


def _pair(folder: Path, part: str) -> IdxPart | None:
    """The files of a part: both, or none."""
    images, labels = (_find(folder, part, kind) for kind in ("images", "labels"))
    if images is not None and labels is not None:
        return IdxPart(images, labels)
    if images is None and labels is None:
        return None
    there = cast(Path, images or labels)
    lacking = "labels" if labels is None else "images"
    raise DataError(f"{str(there)!r} is there, but the file of its {lacking} is not; put it into the same folder")


def _find(folder: Path, part: str, kind: str) -> Path | None:
    """The file of a part's images or labels, packed or not; the unpacked one where both are there."""
    code = "idx3" if kind == "images" else "idx1"
    names = [f"{prefix}-{kind}{dot}{code}-ubyte" for prefix in _PREFIXES[part] for dot in "-."]
    paths = [folder / f"{name}{suffix}" for name in names for suffix in ("", ".gz")]
    return next((path for path in paths if path.is_file()), None)


def _open(path: Path) -> IO[bytes]:
    try:
        return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise file_error(path, error) from error


def _shape(stream: IO[bytes], path: Path, axes: tuple[int, ...]) -> tuple[int, ...]:
    """Read and check the header."""
    magic = _read(stream, 4, path)
    if magic[:3] != bytes((0, 0, _UBYTE)) or magic[3] not in axes:
        allowed = " or ".join(f"0000080{n}" for n in axes)
        raise DataError(
            f"{str(path)!r} is not an idx file of {axes[0]} axes: it starts with {magic.hex()}, not {allowed}"
        )
    shape = struct.unpack(f">{magic[3]}I", _read(stream, 4 * magic[3], path))
    if math.prod(shape) > _MOST_BYTES:
        raise DataError(f"{str(path)!r} has a header of shape {shape}, which no file holds; fetch it again")
    return shape


def _array(path: Path, axes: tuple[int, ...]) -> Array:
    """Read a whole file."""
    with _open(path) as stream:
        shape = _shape(stream, path, axes)
        data = _read(stream, math.prod(shape), path)
        if _read_some(stream, 1, path):
            raise DataError(f"{str(path)!r} has more data than its header says (shape {shape}); fetch it again")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _read(stream: IO[bytes], size: int, path: Path) -> bytes:
    data = _read_some(stream, size, path)
    if len(data) < size:
        raise DataError(f"{str(path)!r} is truncated: {len(data)} bytes where {size} were expected; fetch it again")
    return data


def _read_some(stream: IO[bytes], size: int, path: Path) -> bytes:
    try:
        return stream.read(size)
    except EOFError as error:
        raise DataError(f"{str(path)!r} is truncated ({error}); fetch it again") from error
    except _UNREADABLE as error:
        raise file_error(path, error) from error
