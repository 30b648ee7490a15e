"""Tables as text: values separated by commas, semicolons, tabs or bars, with a header line; compressed or not.

A million rows are read in pieces: decisions as codes, measurements as numbers, and nothing is held as text.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import accumulate, islice
from pathlib import Path
from typing import Protocol

import numpy as np

from netwright.benchmarks.columns import Coded, Contents, require_names
from netwright.cells import delimiter_of, is_any_number
from netwright.errors import DataError, wrong

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_PIECE = 2_000
"""Rows that are held as text at a time; more of them leave the processor's cache."""


class _Records(Protocol):
    """What `csv.reader` makes."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...

    def __next__(self) -> list[str]: ...


class _Codes(dict[str, int]):
    """Numbers of texts, from 1, in the order in which they are met."""

    def __missing__(self, text: str) -> int:
        self[text] = len(self) + 1
        return self[text]


def csv_names(path: Path) -> tuple[str, ...]:
    """The names of the columns.

    Raises:
        DataError: the file cannot be read, is empty, or has no header.
    """
    with _reading(path) as reader:
        return _header(path, reader)


def read_csv(path: Path, coded: Sequence[str], numbers: Sequence[str]) -> Contents:
    """Read some columns.

    Args:
        path: of the file.
        coded: columns to read as codes of their texts.
        numbers: columns to read as numbers.

    Raises:
        DataError: a line has too few or too many cells, a number is missing or none, or there is no line.
    """
    with _reading(path) as reader:
        names = _header(path, reader)
        places = {name: place for place, name in enumerate(names)}
        texts = {column: _Codes() for column in coded}
        codes = {column: array("i") for column in coded}
        parts: dict[str, list[np.ndarray]] = {column: [] for column in numbers}
        lines = array("L")
        for cells in _pieces(path, reader, len(names), lines):
            first = len(lines) - len(cells[0])
            for column in coded:
                codes[column].extend(map(texts[column].__getitem__, cells[places[column]]))
            for column in numbers:
                parts[column].append(_numbers(path, column, cells[places[column]], lines[first:]))
    if not lines:
        raise DataError(f"{path} has a header and no rows; add a line for each architecture")
    return Contents(
        path,
        {column: _coded(texts[column], codes[column]) for column in coded},
        {column: np.concatenate(found) for column, found in parts.items()},
        np.array(lines),
    )


@contextmanager
def _reading(path: Path) -> Iterator[_Records]:
    """Open a file as records of cells; what goes wrong while they are read becomes a `DataError`."""
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as stream:
            if not stream.readline().strip():
                raise DataError(f"{path} is empty, or its first line is; begin it with a line of column names")
            yield csv.reader(stream, delimiter=delimiter_of(stream), strict=True)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text in UTF-8 ({error.reason}); save it as UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{path} cannot be read as CSV: {error}; look for a quote that is not closed") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{path} cannot be read: {reason}; check the file") from error


def _header(path: Path, reader: _Records) -> tuple[str, ...]:
    cells = next(reader)
    if all(is_any_number(cell) for cell in cells):
        raise DataError(f"{path}, line 1 holds numbers, not names of columns; put a header line before it")
    return require_names(path, cells)


def _pieces(path: Path, reader: _Records, width: int, lines: array[int]) -> Iterator[list[tuple[str, ...]]]:
    """The cells of some rows at a time, by column; notes their lines. Empty lines are passed over."""
    while True:
        first = reader.line_num + 1
        rows = list(islice(reader, _PIECE))
        if not rows:
            return
        ends = _line_numbers(rows, first, reader.line_num)
        if set(map(len, rows)) != {width}:
            filled = [(cells, end) for cells, end in zip(rows, ends, strict=True) if cells]
            for cells, end in filled:
                if len(cells) != width:
                    what, cure = f"{path}, line {end}: cells", "quote cells that hold the separator"
                    raise DataError(wrong(what, len(cells), f"{width} as in the header", cure))
            rows, ends = [cells for cells, _ in filled], [end for _, end in filled]
        lines.extend(ends)
        if rows:
            yield list(zip(*rows, strict=True))


def _line_numbers(rows: Sequence[Sequence[str]], first: int, last: int) -> Sequence[int]:
    """The last line of each of some rows, of which a quoted cell may hold several.

    Args:
        rows: one after the other.
        first: line at which they begin.
        last: line at which they end.
    """
    if last - first + 1 == len(rows):
        return range(first, last + 1)
    heights = (1 + sum(max(cell.count("\n"), cell.count("\r")) for cell in cells) for cells in rows)
    return [first - 1 + height for height in accumulate(heights)]


def _numbers(path: Path, column: str, cells: Sequence[str], lines: Sequence[int]) -> np.ndarray:
    with suppress(ValueError):
        numbers = np.fromiter(map(float, cells), dtype=np.float64, count=len(cells))
        if "_" not in "".join(cells):  # 1_000 is a number in Python alone
            return numbers
    row = next(row for row, cell in enumerate(cells) if not is_any_number(cell))
    where = f"{path}, line {lines[row]}, column {column!r}"
    if not cells[row].strip():
        raise DataError(f"{where} is empty; give a number, or nan for an evaluation that failed")
    cure = "if the column is a decision, list it in decisions"
    raise DataError(wrong(where, cells[row], "a number, as the column is a metric", cure))


def _coded(texts: Iterable[str], codes: array[int]) -> Coded:
    return Coded(tuple(texts), np.frombuffer(codes, dtype=np.int32), is_text=True)
