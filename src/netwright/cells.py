"""Cells of text files: what they are cut by, and which of them are numbers. Knows no tables.

What stands below the line marked *copied* is written into exported networks that read tables, see
`netwright.export.runtime`; it uses the standard library alone.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import islice
from typing import TextIO


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


# ---------------------------------------------------------------- copied where the network takes cells of a file

DELIMITERS = "\t;|,"
ROWS_LOOKED_AT = 20


def delimiter_of(file: TextIO) -> str:
    """The delimiter of a CSV file, which is read from its start again.

    Of those in its first line it is one that cuts the first rows into equally many cells; a comma comes last, since it
    stands in numbers, too, as in ``1,5;2,5``. Where none does, it is the one that the first line has most of.
    """
    file.seek(0)
    first = next((line for line in file if line.strip()), "")
    there = [delimiter for delimiter in DELIMITERS if delimiter in first]
    even = [delimiter for delimiter in there if len(there) > 1 and cuts_evenly(file, delimiter)]
    file.seek(0)
    return even[0] if even else max(",;\t|", key=first.count)


def cuts_evenly(file: TextIO, delimiter: str) -> bool:
    """Whether the first rows have equally many cells by a delimiter, and more than one."""
    file.seek(0)
    reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        widths = {len(row) for row in islice(reader, ROWS_LOOKED_AT) if any(map(str.strip, row))}
    except csv.Error:
        return False
    return len(widths) == 1 and max(widths) > 1


def numbers_columns(cells: Sequence[str]) -> bool:
    """Whether a line is 0, 1, 2 and so on, as pandas writes it above columns without names."""
    return list(cells) == list(map(str, range(len(cells))))
