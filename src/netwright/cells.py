"""Cells of text files: what they are cut by, and which of them are numbers. Knows no tables.

What stands below the line marked *copied* is written into exported networks that read tables, see
`netwright.export.runtime`; it uses the standard library alone.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TextIO

# ---------------------------------------------------------------- copied where the network takes cells of a file

DELIMITERS = "\t;|,"
ROWS_LOOKED_AT = 20


def is_any_number(cell: str) -> bool:
    """Whether a cell is a number, be it infinite or ``nan``.

    Example:
        >>> is_any_number("1e3"), is_any_number("-inf"), is_any_number("1,5"), is_any_number("1_0")
        (True, True, False, False)
    """
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # 1_000 is a number in Python alone


def delimiter_of(file: TextIO, *, blanks: bool = False) -> str:
    """The delimiter of a CSV file, which is read from its start again.

    Of those in its first line it is one that cuts the first rows into equally many cells; a comma comes last, since it
    stands in numbers, too, as in ``1,5;2,5``. Where none does, it is the one that the first line has most of.

    Args:
        file: of text.
        blanks: whether it may be blanks, one or several, where there is none of the others and they cut evenly.
    """
    file.seek(0)
    first = next((line for line in file if line.strip()), "")
    there = [delimiter for delimiter in DELIMITERS if delimiter in first]
    even = [delimiter for delimiter in there if len(there) > 1 and cuts_evenly(file, delimiter)]
    if blanks and not there and cuts_evenly(file, " "):
        even = [" "]
    file.seek(0)
    return even[0] if even else max(",;\t|", key=first.count)


def cuts_evenly(file: TextIO, delimiter: str) -> bool:
    """Whether the first rows have equally many cells by a delimiter, and more than one."""
    file.seek(0)
    reader = csv.reader(cut_lines(file, delimiter), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        widths = {len(row) for row in islice(reader, ROWS_LOOKED_AT) if any(map(str.strip, row))}
    except csv.Error:
        return False
    return len(widths) == 1 and max(widths) > 1


def cut_lines(file: TextIO, delimiter: str) -> Iterator[str]:
    """Lines as cells are cut from them: without blanks at their end, where blanks are what cuts."""
    return (line.rstrip() + "\n" for line in file) if delimiter == " " else iter(file)


def csv_rows(file: TextIO, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows of a CSV file, and the line that each begins on, counted from 1.

    Left out are lines that are empty or blank, and rows without any value at the end, which spreadsheets leave there.
    A row that is one quoted cell with nothing in it stays: so a gap in a file of one column is written.

    Raises:
        csv.Error: the quotes of a cell do not fit; says on which line.
    """
    last = [""]

    def lines() -> Iterator[str]:
        for line in cut_lines(file, delimiter):
            last[0] = line
            yield line

    reader = csv.reader(lines(), delimiter=delimiter, skipinitialspace=True, strict=True)
    empty: list[tuple[int, list[str]]] = []
    begins = 1
    try:
        for cells in reader:
            if len(cells) > 1 and not any(map(str.strip, cells)):
                empty.append((begins, cells))
            elif last[0].strip():
                yield from empty
                empty.clear()
                yield begins, cells
            begins = reader.line_num + 1
    except csv.Error as error:
        raise csv.Error(f"line {reader.line_num}: no CSV: {error}") from None


def numbers_columns(cells: Sequence[str]) -> bool:
    """Whether a line is 0, 1, 2 and so on, as pandas writes it above columns without names."""
    return list(cells) == list(map(str, range(len(cells))))


def numbers_values(cells: Sequence[str]) -> bool:
    """Whether what stands behind the first cell counts from 0 or 1: names of values, behind the name of a class."""
    return any(list(cells[1:]) == list(map(str, range(first, first + len(cells) - 1))) for first in (0, 1))
