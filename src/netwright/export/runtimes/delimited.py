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

from netwright.cells import delimiter_of
from netwright.export.runtime import one_line

# ---------------------------------------------------------------- copied where the network takes cells of a file


def read_cells(path: str | Path) -> Iterator[tuple[int, list[str]]]:
    """Lines that are not empty: their numbers, and their cells, of a CSV file (UTF-8, also gzipped)."""
    data = Path(path).read_bytes()
    try:
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")
    except (UnicodeDecodeError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: no CSV file in UTF-8: {one_line(error)}") from None
    file = io.StringIO(text, newline="")
    reader = csv.reader(file, delimiter=delimiter_of(file), skipinitialspace=True, strict=True)
    try:
        for cells in reader:
            if len(cells) > 1 or any(map(str.strip, cells)):
                yield reader.line_num, cells
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: no CSV: {error}") from None


def plain(cell: str) -> str:
    """A cell without blanks and single quotes around it."""
    bare = cell.strip()
    return bare[1:-1].strip() if len(bare) > 1 and bare[0] == bare[-1] == "'" else bare
