"""Reads text files in UTF-8, also compressed (.gz), and tables in them; what is wrong is told with file and line."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from netwright.cells import delimiter_of
from netwright.errors import DataError, one_line, shorten

PARTS: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test",),
}
"""Names of files of each part, without their endings."""

_LONGEST_CELL = (1 << 31) - 1
"""Characters; what the csv module can be told on every system."""


class Record(NamedTuple):
    """A row of a table.

    Args:
        line: on which it begins, counted from 1.
        cells: of all columns.
        num_lines: that it goes over.
    """

    line: int
    cells: list[str]
    num_lines: int = 1


def read_text(path: Path) -> str:
    """The text of a file, without a mark of byte order, lines ended by a line feed alone.

    Raises:
        DataError: it is not there, damaged, or not UTF-8; names the line.
    """
    data = _unpacked(path)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path} is UTF-16; save it as UTF-8 (iconv -f utf-16 -t utf-8)")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        cure = "save it as UTF-8 (iconv -f latin1 -t utf-8)"
        raise DataError(f"{path}, line {line}: byte {data[error.start]:#04x} is no UTF-8; {cure}") from None


def _unpacked(path: Path) -> bytes:
    """What a file holds, unpacked where its name says that it is packed."""
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.name.endswith(".gz") else data
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def read_records(path: Path, notes: list[str]) -> list[Record]:
    """Rows of a table, that of the names first; empty lines are left out.

    A quote that begins a cell has to be closed. In a .tsv file quotes may be signs of the text, too: they are where
    they do not pair, and where a row would go over several lines that are whole rows themselves. What stands between
    the cells of a .csv file is found as `netwright.cells.delimiter_of` has it.

    Args:
        path: of a .csv, .tsv or .jsonl file (perhaps .gz).
        notes: gets how quotes were read, where a person may have meant it otherwise.

    Raises:
        DataError: it cannot be read, its quotes do not pair, or a line is no JSON object; names the line where the row
            begins.
    """
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(".jsonl"):
        return _rows_of_objects(path)
    text, tabs = read_text(path), name.endswith(".tsv")
    try:
        found = _quoted(text, "\t" if tabs else delimiter_of(io.StringIO(text, newline="")))
    except csv.Error as error:
        if not tabs:
            cure = "close a quote at the end of its cell, and double those within"
            raise DataError(f"{path}, {error}; {cure}") from None
        notes.append(f"{path.name}: quotes are read as signs of the text ({error})")
        return _plain(text)
    several = [record for record in found if record.num_lines > 1]
    if not several:
        return found
    longest = max(several, key=lambda record: record.num_lines)
    plain = _plain(text) if tabs else []
    if len({len(record.cells) for record in plain}) == 1:
        reason = f"line {longest.line}: each line is a row of its own"
        notes.append(f"{path.name}: quotes are read as signs of the text ({reason})")
        return plain
    span = f"that of line {longest.line} over {longest.num_lines}"
    notes.append(f"{path.name}: {len(several)} rows go over several lines, {span}")
    return found


def read_objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Objects of JSON lines, each with its line; empty lines are left out.

    Raises:
        DataError: it cannot be read, or a line is no JSON object; names the line.
    """
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}, line {number}: no JSON object on one line: {one_line(error)}") from None
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {number}: a JSON object on each line is needed, got {shorten(row)}")
        yield number, row


def _rows_of_objects(path: Path) -> list[Record]:
    """Objects as rows: columns are the keys of the first; what another has not is empty, what it has besides left."""
    names: list[str] = []
    found: list[Record] = []
    for number, row in read_objects(path):
        if not found:
            names = list(row)
            found.append(Record(number, names, 0))
        found.append(Record(number, [_cell(row.get(name)) for name in names]))
    return found


def _cell(value: object) -> str:
    """A value of JSON as the text of a cell: a text as it is, what is not there as an empty one."""
    if value is None:
        return ""
    whole = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return whole.encode("utf-8", "replace").decode("utf-8")  # JSON may hold halves of characters


def _plain(text: str) -> list[Record]:
    """Lines of cells with tabs between, whatever signs are in them."""
    return [Record(number, line.split("\t")) for number, line in enumerate(text.split("\n"), start=1) if line]


def _quoted(text: str, delimiter: str) -> list[Record]:
    """Rows whose cells may stand in quotes.

    Raises:
        csv.Error: the quotes do not pair; names the line where the row begins.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    found: list[Record] = []
    begins = 1
    before = csv.field_size_limit(min(max(len(text), 1), _LONGEST_CELL))  # a cell may be a whole document
    try:
        for cells in reader:
            if cells:
                found.append(Record(begins, cells, reader.line_num - begins + 1))
            begins = reader.line_num + 1
    except csv.Error as error:
        reason = str(error).replace("'\t'", "a tab")
        raise csv.Error(f"line {begins}: {reason}") from None
    finally:
        csv.field_size_limit(before)
    return found
