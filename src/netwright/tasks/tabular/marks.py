"""Columns whose numbers are not written as programs write them: found, told, and made plain. Knows no encodings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from netwright.errors import shorten
from netwright.tasks.tabular.amounts import AMOUNTS, amount_in, plain_number
from netwright.tasks.tabular.reading import Table, is_number

_SHARE = 0.98
"""A column holds such numbers where at least this part of its cells does, missing ones aside."""

_MANY = 20
_FIRST = 100


def marks_of(table: Table, keep: Collection[str] = ()) -> dict[str, str]:
    """The decimal mark of each column whose numbers are to be made plain.

    Args:
        table: of the training part.
        keep: columns that stay as they are, such as those of classes.
    """
    found = {name: decimal_mark(cells) for name, cells in zip(table.names, table.columns, strict=True)}
    return {name: mark for name, mark in found.items() if mark and name not in keep}


def decimal_mark(cells: Sequence[str]) -> str:
    """``,`` or ``.`` where the numbers of a column have marks that Python does not read; else empty.

    Where both would do, as for 1,234, it is a point: what stands between groups of three is no decimal mark. One word
    that stands for what is missing does not count.

    Args:
        cells: of it; missing ones are empty.

    Example:
        >>> decimal_mark(["1,5", "2,25"]), decimal_mark(["1,234", "56"]), decimal_mark(["1.5", "2"])
        (',', '.', '')
    """
    counts = Counter(cell for cell in cells if cell)
    plain = {cell for cell in counts if is_number(cell)}
    odd = [cell for cell in counts if cell not in plain]
    if not any(amount_in(cell, mark) for cell in odd[:_FIRST] for mark in AMOUNTS):
        return ""
    least, best = sum(counts[cell] for cell in plain), ""
    points_are_marks = least >= _SHARE * counts.total() and any("." in cell for cell in plain)
    for mark in (".",) if points_are_marks else (".", ","):
        read, units = _read_by(mark, counts, plain if mark == "." else set())
        reached = sum(counts[cell] for cell in read)
        word = _count_of_a_word(counts, read)
        is_enough = reached >= max(_SHARE * (counts.total() - word), counts.total() / 2)
        if is_enough and reached > least and len(units) < 2:
            least, best = reached, mark
    return best


def _count_of_a_word(counts: Counter[str], read: Collection[str]) -> int:
    """How often the word stands there that is no number; one with digits, such as <0,5, only beside many numbers."""
    word = max((cell for cell in counts if cell not in read), key=counts.__getitem__, default="")
    is_list = any(map(str.isdigit, word)) and len(read) < _MANY
    return 0 if is_list else counts[word]


def _read_by(mark: str, cells: Collection[str], plain: Collection[str]) -> tuple[set[str], set[str]]:
    """Cells that are numbers with a decimal mark, and their units: currencies and the per cent sign."""
    found = {cell: amount for cell in cells if cell not in plain and (amount := amount_in(cell, mark))}
    units = {amount["before"] + amount["unit"] for amount in found.values()}
    return {*found, *plain}, units - {""}


def made_plain(table: Table, marks: Mapping[str, str]) -> Table:
    """A table whose columns with a decimal mark hold numbers as Python writes them; other cells stay."""
    for name, mark in marks.items():
        cells = table.column(name)
        known = {cell: plain_number(cell, mark) for cell in set(cells)}
        table = table.with_column(name, tuple(known[cell] for cell in cells))
    return table


def notes_on(table: Table, marks: Mapping[str, str]) -> list[str]:
    """How numbers with marks are read, with an example of each column.

    Args:
        table: as it was read.
        marks: of its columns.
    """
    notes = []
    for name, mark in marks.items():
        cell = next(c for c in table.column(name) if plain_number(c, mark) != c and not is_number(c))
        notes.append(
            f"column {shorten(name, 60)} has numbers such as {shorten(cell, 40)}, read as {plain_number(cell, mark)}"
        )
    return notes
