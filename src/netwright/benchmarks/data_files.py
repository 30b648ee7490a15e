"""Opening the files of published benchmarks, from a folder that a person gives. No pickle is ever read."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netwright.errors import DataError, unknown


@dataclass(frozen=True)
class DataFile:
    """Where a published benchmark's numbers are.

    Args:
        benchmark: its name, for messages.
        path: of the file, below the folder of data.
        source: where the numbers come from: repository and licence.
    """

    benchmark: str
    path: str
    source: str

    def read(self, data: str | Path | None) -> Arrays:
        """Read all arrays of the file.

        Args:
            data: the folder of data; the folder that holds the file itself is accepted too.

        Raises:
            DataError: no folder is given, the file is not there, or it is no npz file of plain arrays.
        """
        if data is None:
            raise DataError(
                f"the benchmark {self.benchmark!r} is read from files; give data=FOLDER (--data FOLDER), {self}"
            )
        path = Path(data) / self.path
        beside = Path(data) / path.name
        if not path.is_file() and beside.is_file():
            path = beside
        if not path.is_file():
            raise DataError(f"{path} does not exist; give as data the folder {self}")
        return Arrays(path, read_npz(path))

    def __str__(self) -> str:
        return f"that holds {self.path}, made from {self.source}"


class Arrays(Mapping[str, np.ndarray]):
    """The arrays of a file, by name.

    Args:
        path: of the file, for messages.
        arrays: by name.
    """

    def __init__(self, path: Path, arrays: Mapping[str, np.ndarray]) -> None:
        self.path = path
        self._arrays = dict(arrays)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._arrays:
            raise DataError(f"{self.path}: {unknown('array', name, self._arrays)}; is it another version of the file?")
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def names(self, array: str) -> tuple[str, ...]:
        """An array of text as plain strings."""
        return tuple(str(name) for name in self[array])


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of an npz file; objects in it are refused, since reading them runs what is in them.

    Raises:
        DataError: the file cannot be read, is no npz file, or holds objects.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            raise DataError(f"{path} holds a single array; save named arrays with numpy.savez(path, name=array, ...)")
        with loaded as arrays:
            return {name: _array(path, arrays, name) for name in arrays.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        reason = str(error) or type(error).__name__
        if "allow_pickle" in reason:  # what numpy says of any file that begins like nothing it knows
            reason = "it does not begin as one; it is damaged, or something else under this name"
        cure = "save plain arrays with numpy.savez; files with pickled objects are refused"
        raise DataError(f"{path} cannot be read as npz: {reason.splitlines()[0]}; {cure}") from error


def _array(path: Path, arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    try:
        return arrays[name]
    except ValueError as error:
        cure = "pickled objects are refused, as reading them runs what is in them; save it as numbers or text"
        raise DataError(f"{path}, array {name!r}: {str(error).splitlines()[0]}; {cure}") from error
