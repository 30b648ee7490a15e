"""How an exported ``model.py`` reads tables of cells: CSV files with any of the usual delimiters, also gzipped.

See `netwright.export.runtime` for what *copied* means.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from netwright.cells import csv_rows, delimiter_of
from netwright.export.runtime import one_line

# ---------------------------------------------------------------- copied where the network takes cells of a file


def read_cells(path: str | Path) -> Iterator[tuple[int, list[str]]]:
    """Rows of cells of a CSV file (UTF-8, also gzipped), and the line that each begins on; empty lines are left out."""
    data = Path(path).read_bytes()
    try:
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")
    except (UnicodeDecodeError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: no CSV file in UTF-8: {one_line(error)}") from None
    file = io.StringIO(text, newline="")
    try:
        yield from csv_rows(file, delimiter_of(file, blanks=True))
    except csv.Error as error:
        raise ValueError(f"{path}, {error}") from None


def plain(cell: str) -> str:
    """A cell without blanks and single quotes around it."""
    bare = cell.strip()
    return bare[1:-1].strip() if len(bare) > 1 and bare[0] == bare[-1] == "'" else bare
