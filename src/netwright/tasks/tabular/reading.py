"""Tables as people have them: CSV (also gzipped), Parquet, data frames; read into columns of texts.

A cell is a text without blanks around it; a missing one is the empty text, whatever it was written as (`MISSING`), and
a table still knows as what. Knows neither targets nor encodings.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np

from netwright.cells import ROWS_LOOKED_AT, csv_rows, delimiter_of, is_any_number, numbers_columns
from netwright.errors import DataError, MissingDependencyError, one_line, shorten
from netwright.machine_memory import require_room
from netwright.tasks.formats.parts import file_error
from netwright.tasks.tabular.dates import date_orders
from netwright.tasks.tabular.missing import MISSING

SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".data", ".parquet", ".pq")
Header = Literal["auto", "yes", "no"]
_UNNAMED = ("", "Unnamed: 0")
"""How the first column is called in files that pandas wrote with its index."""

_FEWEST_NUMBERED = 4
"""Cells of a first line that are 0, 1, 2 and so on from which on they are names, not values."""

_MOST_DIGITS = 9
"""Of a number that is a name of a column."""

_FEWEST_BELOW = 2
"""Cells below a name among numbers: one proves little."""

_PACKED = {b"PK\x03\x04": "a zip or an Excel file", b"\xd0\xcf\x11\xe0": "an Excel file"}
_DIGITS = re.compile(r"[-+]?[0-9]+(?:[., '][0-9]+)*")
_MOST_SHOWN = 5
_SAMPLE = 1000
_NUMERIC_SHARE = 0.9
_FEWEST_WORDS, _NUMBERS_BETWEEN_BLANKS = {1: 3, 2: 4}, 0.5
"""Words of a first cell, by the number of cells, from which on it is a row that blanks cut where more than this share
of them are numbers: beside another cell three may be a date such as 29 Dec 2023, or a number such as 1 234 567.
"""

_ARFF = re.compile(r"(?:\s|%[^\n]*\n)*@relation\b", re.IGNORECASE)
_OF_EXCEL = re.compile(r"sep=.\s*\n", re.IGNORECASE)
_BYTES_A_CELL = 32
"""What a cell takes at least until it is encoded: its places in a row and in a column, and its number."""


@dataclass(frozen=True)
class Table:
    """Columns of texts.

    Args:
        where: name of the file, for messages.
        names: of the columns, all different.
        columns: cells of each column; as many in each.
        lines: line of each row in the file; empty where it has none.
        header: whether the names stood in the file.
        unnamed: whether the first column alone has none there, or the one that pandas gives to a column without.
        as_written: the same columns with the words that stand for missing values; empty where no cell has one.
    """

    where: str
    names: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...] = ()
    header: bool = True
    unnamed: bool = False
    as_written: tuple[tuple[str, ...], ...] = ()

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns else 0

    def column(self, name: str) -> tuple[str, ...]:
        """Cells of a column."""
        return self.columns[self.names.index(name)]

    def written(self, name: str) -> tuple[str, ...]:
        """Cells of a column, those that hold a word for a missing value as they are written."""
        return (self.as_written or self.columns)[self.names.index(name)]

    def place(self, row: int) -> str:
        """Where a row stands, for messages."""
        return f"{self.where}, line {self.lines[row]}" if self.lines else f"{self.where}, row {row}"

    def take(self, rows: Sequence[int]) -> Table:
        """Some of the rows."""
        columns = tuple(tuple(column[i] for i in rows) for column in self.columns)
        written = tuple(
            new if old is one else tuple(old[i] for i in rows)
            for new, one, old in zip(columns, self.columns, self.as_written, strict=False)
        )
        lines = tuple(self.lines[i] for i in rows) if self.lines else ()
        return replace(self, columns=columns, as_written=written, lines=lines)

    def select(self, numbers: Sequence[int]) -> Table:
        """Some of the columns, in that order."""
        return replace(
            self,
            names=tuple(self.names[n] for n in numbers),
            columns=tuple(self.columns[n] for n in numbers),
            as_written=tuple(self.as_written[n] for n in numbers) if self.as_written else (),
        )

    def with_column(self, name: str, cells: tuple[str, ...]) -> Table:
        """The table with other cells in a column."""
        place = self.names.index(name)
        columns, written = list(self.columns), list(self.as_written)
        columns[place] = cells
        if written:
            written[place] = cells
        return replace(self, columns=tuple(columns), as_written=tuple(written))


def is_number(cell: str) -> bool:
    """Whether a cell is a finite number.

    Example:
        >>> is_number("1e3"), is_number("inf"), is_number("1,5"), is_number("1_0")
        (True, False, False, False)
    """
    return is_any_number(cell) and math.isfinite(float(cell))


def read_table(path: Path, *, header: Header = "auto", names: tuple[str, ...] = ()) -> Table:
    """Read a file.

    Args:
        path: CSV (``,``, ``;``, tab, ``|`` or blanks; also gzipped) or Parquet.
        header: whether the first line of a CSV file holds names; found out for ``auto``.
        names: of the columns, where the file has none.

    Raises:
        DataError: it is not there, is no table, or has lines of unlike length; names file and line.
        MissingDependencyError: pyarrow is not installed (Parquet).
    """
    if path.suffix.lower() in (".parquet", ".pq"):
        return _read_parquet(path)
    rows, lines = _read_csv(path)
    where = one_line(path.name)
    if not rows:
        raise DataError(f"{where} is empty; give a table with a line for each example")
    trimmed = _without_empty_end(rows)
    first = trimmed[0]
    has_names = header == "yes" or (
        header == "auto" and looks_like_names(first, [list(map(_known, row)) for row in trimmed[1 : 1 + _SAMPLE]])
    )
    head = first if has_names else list(names) or [f"column{i + 1}" for i in range(len(rows[0]))]
    rows, lines = (trimmed[1:], lines[1:]) if has_names else (rows, lines)
    if not rows:
        raise DataError(f"{where} has names of columns, and no rows; give a line for each example")
    _check_ragged(rows, lines, len(head), where)
    unnamed = has_names and head[0] in _UNNAMED
    columns, written = _without_words(list(zip(*rows, strict=True)))
    return Table(where, _names(head, where), columns, tuple(lines), has_names, unnamed, written)


def table_of(frame: Any, where: str = "the data frame") -> Table:
    """Read a data frame: anything with ``columns`` whose items have ``tolist()``, such as pandas' and polars' frames.

    Raises:
        DataError: it is no frame, it has no rows, or two columns have one name.
    """
    if not hasattr(frame, "columns"):
        raise DataError(f"data must be a path or a data frame, got {type(frame).__name__}; give one with named columns")
    names = _names([str(name) for name in frame.columns], where)
    listed = [frame[name] for name in frame.columns]
    columns, written = _without_words(
        [tuple(map(cell_of, c.tolist() if hasattr(c, "tolist") else c.to_list())) for c in listed]
    )
    if not columns or not columns[0]:
        raise DataError(f"{where} has no rows; give one for each example")
    return Table(where, names, columns, unnamed=str(frame.columns[0]) in _UNNAMED, as_written=written)


def looks_like_names(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Whether a first line holds names: no cell is another number or empty, and what is below is different.

    Below a name stand numbers, in one column at least; or, where all columns hold texts, all names differ and none is
    seen again. A word such as ``NA``, which may be a name or a missing value, proves nothing. 0, 1, 2 and so on, behind
    nothing or at least four of them, are the names that pandas writes where columns have none; so are they, and other
    numbers that count on, beside a word above numbers or dates.

    Args:
        first: cells as they are written.
        rest: cells of the other lines; missing ones are empty.

    Example:
        >>> looks_like_names(["age", "job"], [["3", "cook"]]), looks_like_names(["3", "cook"], [["4", "cook"]])
        (True, False)
        >>> looks_like_names(["date", "0", "1"], [["2024-01-01", "5", "8"], ["2024-01-02", "6", "8"]])
        True
    """
    if _names_of_pandas(first, rest) or _names_among_numbers(first, rest):
        return True
    unnamed_index = len(first) > 1 and not first[0]  # as pandas writes it
    if any(_is_written_number(c) or not c for c in first[unnamed_index:]):
        return False
    sample = [row for row in rest[:_SAMPLE] if len(row) == len(first)]
    doubtful = [bool(name) and not clean(name) for name in first]
    for number in range(len(first)):
        cells = [row[number] for row in sample if row[number]]
        if cells and not doubtful[number] and sum(map(is_number, cells)) >= _NUMERIC_SHARE * len(cells):
            return True
    different = len(set(first)) == len(first) and not any(doubtful)
    return different and all(name not in {row[number] for row in sample} for number, name in enumerate(first))


def _names_of_pandas(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Whether a line is the header of a frame with numbered columns, with an index before them or without."""
    if len(first) >= _FEWEST_NUMBERED and numbers_columns(first):
        return bool(rest)
    numbered = len(first) > 1 and not first[0] and numbers_columns(first[1:])
    return numbered and bool(rest) and all(row[:1] and row[0].isdecimal() for row in rest[:_SAMPLE])


def _names_among_numbers(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Whether the numbers of a line count on, and a word among them stands above numbers or dates: date,0,1,2,price.

    An index without a name has to stand above dates, since a missing value may stand above numbers.
    """
    numbers = [cell for cell in first if _is_written_number(cell)]
    if not 0 < len(numbers) < len(first) or not numbers[0].isdecimal() or len(numbers[0]) > _MOST_DIGITS:
        return False
    begins = int(numbers[0])
    counted = list(map(str, range(begins, begins + len(numbers))))
    if numbers != counted or (begins > 1 and len(numbers) < _FEWEST_NUMBERED):
        return False
    sample = [row for row in rest[:_SAMPLE] if len(row) == len(first)]
    for place, name in enumerate(first):
        below = [row[place] for row in sample if row[place]]
        if len(below) < _FEWEST_BELOW or _is_written_number(name) or date_orders([name]):
            continue
        is_above_dates = bool(date_orders(below))
        if clean(name) and (is_above_dates or sum(map(is_number, below)) >= _NUMERIC_SHARE * len(below)):
            return True
        if not name and place == 0 and is_above_dates:
            return True
    return False


def _is_written_number(cell: str) -> bool:
    """Whether a cell is a number, also with a decimal comma or groups of thousands."""
    return is_number(cell) or _DIGITS.fullmatch(cell) is not None


def _without_empty_end(rows: list[list[str]]) -> list[list[str]]:
    """Rows without the columns at their end that are empty in every row: what a delimiter at each line's end makes."""
    width = len(rows[0])
    if rows[0][-1] or any(len(row) != width for row in rows):
        return rows
    kept = max((place for row in rows for place in range(width, 0, -1) if row[place - 1]), default=width)
    return [row[:kept] for row in rows]


def cell_of(value: object) -> str:
    """A value as a text; whole floats without their point, so that files of either kind say the same.

    Example:
        >>> cell_of(2.0), cell_of(float("nan")), cell_of(float("-inf")), cell_of(" none ")
        ('2', '', '-inf', 'none')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, bytes):  # how some programs write texts into Parquet
        value = value.decode("utf-8", "replace")
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return plain(value) if isinstance(value, str) else clean(str(value))


def clean(cell: str) -> str:
    """A cell without blanks and single quotes around it; empty where it stands for a missing value."""
    return _known(plain(cell))


def _known(bare: str) -> str:
    """A cell, empty where it stands for a missing value."""
    return "" if bare.lower() in MISSING else bare


def _without_words(
    written: Sequence[tuple[str, ...]],
) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]:
    """Columns whose missing cells are empty, and the columns as written where a word stands in one of these cells."""
    found = []
    for cells in written:
        words = {cell for cell in set(cells) if cell and not _known(cell)}
        found.append(tuple("" if cell in words else cell for cell in cells) if words else cells)
    is_same = all(one is other for one, other in zip(found, written, strict=True))
    return tuple(found), () if is_same else tuple(written)


def plain(cell: str) -> str:
    """A cell without blanks and single quotes around it."""
    bare = cell.strip()
    return bare[1:-1].strip() if len(bare) > 1 and bare[0] == bare[-1] == "'" else bare


def _read_csv(path: Path) -> tuple[list[list[str]], list[int]]:
    """All rows of cells as they are written, and the line each of them begins on, as `csv_rows` has them."""
    text, where = _text(path), one_line(path.name)
    file = io.StringIO(text, newline="")
    delimiter = delimiter_of(file, blanks=True)
    first = list(islice((line for line in file if line.strip()), ROWS_LOOKED_AT))
    file.seek(0)
    _require_cut(first, delimiter, where)
    num_lines = text.count("\n") + 1
    num_cells = num_lines * len(first[0].split()) if delimiter == " " else num_lines + text.count(delimiter)
    _require_room(num_cells, where)
    del text
    rows: list[list[str]] = []
    lines: list[int] = []
    known: dict[str, str] = {}
    try:
        for line, row in csv_rows(file, delimiter):
            for cell in row:
                if cell not in known:
                    known[cell] = plain(cell)
            rows.append([known[cell] for cell in row])
            lines.append(line)
    except csv.Error as error:
        raise DataError(f"{where}, {error}; mend the quotes of this line") from None
    return rows, lines


def _require_room(num_cells: int, where: str) -> None:
    """Refuse a table that would fill the memory, before its cells are read."""
    require_room(_BYTES_A_CELL * num_cells, f"{where}: {num_cells} cells", "leave out rows or columns")


def _text(path: Path) -> str:
    where = one_line(path.name)
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise file_error(path, error) from error
        raise DataError(f"{where}: damaged gzip file: {one_line(error)}; write it again") from None
    if data[:4] in _PACKED:
        raise DataError(f"{where} is {_PACKED[data[:4]]}, no text; save the table as CSV in UTF-8")
    if data[:4] == b"PAR1":
        raise DataError(f"{where} is a Parquet file; name it {Path(where).stem}.parquet")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        code = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin1"
        raise DataError(
            f"{where}, line {line}: byte {data[error.start]:#04x} is no UTF-8; save the file as UTF-8 "
            f"(such as: iconv -f {code} -t utf-8)"
        ) from None
    if _ARFF.match(text):
        raise DataError(f"{where} is an ARFF file, as of Weka; save it as CSV or Parquet (which OpenML has, too)")
    if _OF_EXCEL.match(text):
        raise DataError(f"{where}, line 1: {one_line(text[:5])} is no row, but meant for Excel; take this line out")
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise DataError(f"{where}, line {line}: a zero byte; the file is no text; save it as CSV in UTF-8")
    return text


def _require_cut(lines: Sequence[str], delimiter: str, where: str) -> None:
    """Refuse lines of one cell or two that hold numbers between blanks, such as those of R's write.table.

    Args:
        lines: the first ones that are not empty.
        delimiter: between cells, as far as it is known.
        where: name of the file, for messages.
    """
    cells = [line.split(delimiter) for line in lines]
    words = [row[0].split() for row in cells]
    num_cells, num_words = max(map(len, cells), default=0), min(map(len, words), default=0)
    if delimiter == " " or num_cells not in _FEWEST_WORDS or num_words < _FEWEST_WORDS[num_cells]:
        return
    listed = [word.strip('"') for line in words for word in line]
    if sum(map(is_any_number, listed)) > _NUMBERS_BETWEEN_BLANKS * len(listed):
        cure = "cut all of them by commas (from R: write.csv(x, FILE, row.names = FALSE))"
        raise DataError(f"{where}: cells are cut by blanks, and not all lines into equally many; {cure}")


def _check_ragged(rows: Sequence[Sequence[str]], lines: Sequence[int], width: int, where: str) -> None:
    wrong = [number for number, row in enumerate(rows) if len(row) != width]
    if wrong:
        first = wrong[0]
        more = f" ({len(wrong)} such lines)" if len(wrong) > 1 else ""
        raise DataError(
            f"{where}, line {lines[first]}: {len(rows[first])} cells, the table has {width} columns{more}; "
            "mend the line, or quote cells that hold the delimiter"
        )


def _names(head: Iterable[str], where: str) -> tuple[str, ...]:
    """Names of columns, which must differ; empty ones are numbered."""
    names = tuple(name.strip() or f"column{number + 1}" for number, name in enumerate(head))
    doubled = [name for name, count in Counter(names).items() if count > 1]
    if doubled:
        shown = ", ".join(shorten(name, 40) for name in doubled[:_MOST_SHOWN])
        raise DataError(f"{where}: {len(doubled)} name(s) of columns occur more than once: {shown}; rename them")
    return names


def _read_parquet(path: Path) -> Table:
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ImportError:
        raise MissingDependencyError("pyarrow", "tables", "reading Parquet files") from None
    where = one_line(path.name)
    try:
        found = parquet.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{where}: no Parquet file: {one_line(error)[:200]}") from None
    names = _names(found.column_names, where)
    _require_room(found.num_rows * found.num_columns, where)
    pairs = zip(names, found.columns, strict=True)
    columns, written = _without_words([_parquet_cells(c, f"{where}: column {shorten(n, 60)}") for n, c in pairs])
    if not columns or not columns[0]:
        raise DataError(f"{where} has no rows; give one for each example")
    return Table(where, names, columns, as_written=written)


def _parquet_cells(column: Any, where: str) -> tuple[str, ...]:
    """Cells of a column of Parquet; times to the microsecond."""
    import pyarrow as pa

    kind = column.type
    try:
        if pa.types.is_timestamp(kind) and kind.unit == "ns":  # more is read where pandas is installed only
            column = column.cast(pa.timestamp("us", kind.tz), safe=False)
        return tuple(map(cell_of, column.to_pylist()))
    except (ValueError, OverflowError, LookupError, NotImplementedError, pa.ArrowException) as error:
        raise DataError(f"{where}, {kind}, cannot be read: {one_line(error)[:200]}; save it as texts") from None


def numbers_of(cells: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Cells as numbers (N,); NaN for what is none."""
    known = {cell: float(cell) if is_number(cell) else math.nan for cell in set(cells)}
    return np.array([known[cell] for cell in cells], dtype=np.float64)
