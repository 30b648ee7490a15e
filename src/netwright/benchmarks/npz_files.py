"""Tables as arrays of numpy: npz files. Nothing pickled is read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from netwright.benchmarks.columns import Coded, Contents, require_names
from netwright.benchmarks.data_files import read_npz
from netwright.errors import DataError, wrong


def npz_names(path: Path) -> tuple[str, ...]:
    """The names of the columns: arrays of one dimension, and ``name0``, ``name1``, ... for the columns of a matrix.

    Matrices of fractions are no columns: they are curves or runs, not decisions.

    Raises:
        DataError: the file cannot be read, holds objects or no column.
    """
    return require_names(path, _npz_columns(path))


def read_npz_columns(path: Path, coded: Sequence[str], numbers: Sequence[str]) -> Contents:
    """Read some columns.

    Args:
        path: of the file.
        coded: columns to read as codes.
        numbers: columns to read as numbers.

    Raises:
        DataError: the lengths differ, there is no row, or a column cannot be what it should.
    """
    columns = _npz_columns(path)
    used = {column: columns[column] for column in (*coded, *numbers)}
    first, length = next((name, len(array)) for name, array in used.items())
    for column, array in used.items():
        if len(array) != length:
            cure = "if it is no column of the table, list the decisions with decisions=[...]"
            raise DataError(wrong(f"{path}: length of {column!r}", len(array), f"that of {first!r} ({length})", cure))
    if not length:
        raise DataError(f"{path} has no rows: its arrays have length 0; give a number for each architecture")
    return Contents(
        path,
        {column: _coded(path, column, used[column]) for column in coded},
        {column: _numbers(path, column, used[column]) for column in numbers},
    )


def _npz_columns(path: Path) -> dict[str, np.ndarray]:
    columns: dict[str, np.ndarray] = {}
    for name, array in read_npz(path).items():
        if array.ndim == 1:
            columns[name] = array
        elif array.ndim == 2 and array.dtype.kind in "biuUS":
            columns.update({f"{name}{place}": array[:, place] for place in range(array.shape[1])})
    if not columns:
        raise DataError(f"{path} holds no column; save an array of one dimension for each metric and decision")
    return columns


def _coded(path: Path, column: str, array: np.ndarray) -> Coded:
    if array.dtype.kind not in "biufUS":
        raise DataError(wrong(f"{path}: column {column!r}", str(array.dtype), "of numbers, flags or text"))
    found, places = np.unique(array, return_inverse=True)
    codes = places.reshape(-1).astype(np.int32) + 1
    values = [_text(path, column, value) if isinstance(value, bytes) else value for value in found.tolist()]
    return Coded(tuple(values), codes).renamed([None if _is_empty(value) else value for value in values])


def _text(path: Path, column: str, value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(wrong(f"{path}: column {column!r}", value, "text in UTF-8", "save it as text")) from error


def _is_empty(value: object) -> bool:
    return value == "" or (isinstance(value, float) and math.isnan(value))


def _numbers(path: Path, column: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "biuf":
        cure = "if the column is a decision, list it in decisions"
        raise DataError(wrong(f"{path}: column {column!r}", str(array.dtype), "of numbers, as it is a metric", cure))
    return array.astype(np.float64)
