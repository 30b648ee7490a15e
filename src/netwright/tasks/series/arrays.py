"""Arrays of a ``.npz`` file, and those of a forecast as named columns in the order of time. Knows no times.

An array of one dimension is a column, called as it is; one of two is (steps, channels), whose columns have the names of
the array ``names``, or its own name and a number. Dates are a column of texts or of ``datetime64``.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError, one_line, shorten
from netwright.tasks.formats.parts import file_error
from netwright.tasks.tabular.reading import Table, table_of

_UNREADABLE = (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, KeyError, NotImplementedError)
_NAMES = "names"
_SHOWN = 6


class _Columns:
    """Named arrays, as a data frame has them."""

    def __init__(self) -> None:
        self.columns: list[str] = []
        self._arrays: dict[str, NDArray[Any]] = {}

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._arrays[name]

    def add(self, name: str, array: NDArray[Any], where: str) -> None:
        if array.dtype.kind not in "biufUSM":
            raise DataError(
                f"{where}: array {shorten(name, 40)} holds {array.dtype}; give numbers, texts or datetime64"
            )
        if array.dtype.kind == "M":
            array = np.where(np.isnat(array), "", np.datetime_as_string(array))
        elif array.dtype.kind == "S":
            array = np.char.decode(array, "utf-8", "replace")
        self.columns.append(name)
        self._arrays[name] = array


def load_arrays(path: Path, only: Collection[str] | None = None) -> dict[str, NDArray[Any]]:
    """The arrays of a file by name; where some ``only`` are wanted others are not read, and empty.

    Args:
        path: of a ``.npz`` file.
        only: names of those that are read; None for all.

    Raises:
        DataError: it cannot be read, or an array that is read holds Python objects.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] if only is None or name in only else np.empty(0) for name in file.files}
    except _UNREADABLE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise file_error(path, error) from error
        raise DataError(f"{one_line(path.name)}: no npz file of plain arrays: {one_line(error)[:200]}") from None


def read_arrays(path: Path) -> Table:
    """Read a file's arrays as a table whose rows are steps of time.

    Args:
        path: of a ``.npz`` file.

    Raises:
        DataError: it cannot be read, or its arrays are no columns of one length.
    """
    where, arrays = one_line(path.name), load_arrays(path)
    names = [str(name) for name in arrays.pop(_NAMES, np.empty(0)).ravel().tolist()]
    found = _Columns()
    for name, array in arrays.items():
        if array.ndim == 1:
            found.add(name, array, where)
            continue
        if array.ndim != 2 or 0 in array.shape:
            raise DataError(
                f"{where}: array {shorten(name, 40)} has shape {array.shape}; give (steps,) or (steps, channels)"
            )
        steps, channels = array.shape
        if steps < channels:
            raise DataError(
                f"{where}: array {shorten(name, 40)} has {steps} steps of {channels} channels; rows are steps of time, "
                f"so turn it if these are channels and steps ({name}.T)"
            )
        if names and len(names) != channels:
            raise DataError(
                f"{where}: {len(names)} names for the {channels} channels of {shorten(name, 40)}; give one each"
            )
        for place, column in enumerate(array.T):
            found.add(names[place] if names else f"{name}{place + 1}", column, where)
    lengths = {name: len(found[name]) for name in found.columns}
    if len(set(lengths.values())) != 1:
        shown = ", ".join(f"{shorten(name, 40)} {length}" for name, length in list(lengths.items())[:_SHOWN])
        told = f"arrays have different lengths ({shown})" if lengths else "there are no arrays"
        raise DataError(f"{where}: {told}; a forecast takes columns in the order of time, of one length each")
    return table_of(found, where)
