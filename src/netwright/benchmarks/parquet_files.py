"""Tables in Parquet, read with pyarrow (the extra ``tables``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from netwright.benchmarks.columns import Coded, Contents, require_names
from netwright.errors import DataError, MissingDependencyError, wrong

if TYPE_CHECKING:
    import pyarrow.parquet


def parquet_names(path: Path) -> tuple[str, ...]:
    """The names of the columns.

    Raises:
        MissingDependencyError: pyarrow is not installed.
        DataError: the file cannot be read as Parquet.
    """
    return require_names(path, _opened(path).schema_arrow.names)


def read_parquet(path: Path, coded: Sequence[str], numbers: Sequence[str]) -> Contents:
    """Read some columns; a null among numbers is NaN, as writers do not tell them apart.

    Args:
        path: of the file.
        coded: columns to read as codes.
        numbers: columns to read as numbers.

    Raises:
        MissingDependencyError: pyarrow is not installed.
        DataError: the file cannot be read as Parquet, has no row, or a column cannot be what it should.
    """
    file = _opened(path)
    with _damage(path):
        table = file.read(columns=[*coded, *numbers])
    if not table.num_rows:
        raise DataError(f"{path} has no rows; add one for each architecture")
    return Contents(
        path,
        {column: _coded(path, column, table.column(column)) for column in coded},
        {column: _numbers(path, column, table.column(column)) for column in numbers},
    )


def _coded(path: Path, column: str, cells: pyarrow.ChunkedArray) -> Coded:
    from pyarrow import types

    if types.is_nested(cells.type):
        raise DataError(wrong(f"{path}: column {column!r}", str(cells.type), "of numbers, flags or text"))
    encoded = cells.dictionary_encode().unify_dictionaries().combine_chunks()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32) + 1
    values = encoded.dictionary.to_pylist()
    if not all(isinstance(value, (bool, int, float, str)) for value in values):
        raise DataError(wrong(f"{path}: column {column!r}", str(cells.type), "of numbers, flags or text"))
    return Coded(tuple(values), codes).renamed(values)


def _numbers(path: Path, column: str, cells: pyarrow.ChunkedArray) -> np.ndarray:
    numbers = np.asarray(cells.to_numpy())
    if numbers.dtype.kind not in "biuf":
        cure = "if the column is a decision, list it in decisions"
        raise DataError(wrong(f"{path}: column {column!r}", str(cells.type), "of numbers, as it is a metric", cure))
    return numbers.astype(np.float64)


def _opened(path: Path) -> pyarrow.parquet.ParquetFile:
    try:
        from pyarrow import parquet
    except ImportError:
        raise MissingDependencyError("pyarrow", "tables", f"reading {path.name} (Parquet)") from None
    with _damage(path):
        return parquet.ParquetFile(path)


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Turn what pyarrow says of a damaged file into a `DataError`."""
    import pyarrow

    try:
        yield
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}; check the file") from error
