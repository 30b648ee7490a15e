"""From columns of texts to rows of numbers, by what the training part shows and nothing else.

A row is a float32 vector: the numbers of the table, mapped to about [-3, 3] and 0 where missing; a 1 for each number
that is missing, of columns that lack some in the training part; the categories as class numbers, 0 being 'other': rare
ones, and those that the training part does not have; and the numbers again, each by the interval it lies in, 0 being
missing. A date is a number of days. All that is needed to do it again is plain values, which are written into an
exported ``model.py``. Knows no networks, and of targets only what intervals tell apart.

References:
    Gorishniy, Rubachev, Khrulkov, Babenko (2021), Revisiting Deep Learning Models for Tabular Data, section 4.2
    (quantiles mapped to a normal distribution; here by at most `KNOTS` knots, without noise, and equal values get the
    middle of their ranks).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from netwright.cells import is_any_number
from netwright.errors import DataError, shorten
from netwright.tasks.tabular.categories import code_of, codes_of
from netwright.tasks.tabular.dates import all_days_of, date_order
from netwright.tasks.tabular.intervals import interval_codes, thresholds
from netwright.tasks.tabular.parts import INDEX_NAMES, bare_name
from netwright.tasks.tabular.reading import Table, numbers_of

KNOTS = 128
"""Most points of the map of a number."""

FARTHEST = 3.0
"""Numbers are mapped to at most this, and at least its negative."""

IDENTIFIER_SHARE = 0.5
"""A column of texts with more different values than this part of its rows names rows, and is left out."""

MOST_CUT = 128
"""Columns of numbers up to which their intervals are categories, too: each makes the first layer wider by some tens."""

_NUMERIC_SHARE = 0.98
_MANY_NUMBERS = 20
"""Different numbers of a column from which on a word beside them stands for what is missing, and is no category."""

_IDENTIFIER = re.compile(r"(?:.*[^A-Za-z0-9])?(?:id|ID|Id|uuid|guid)|.*[a-z]I[dD]")
_SHOWN = 8
Scaling = Literal["quantile", "standard"]


@dataclass(frozen=True)
class EncodingOptions:
    """How columns are read.

    Args:
        scaling: of numbers: ``quantile`` maps them to a normal distribution by their ranks, ``standard`` subtracts the
            mean and divides by the standard deviation.
        categorical: names of columns that hold categories though they look like numbers or dates.
        ignored: names of columns that are left out.
        most_categories: of a column; the rarest above it are 'other'.
        fewest: times a category must occur in the training part, else it is 'other'.
        intervals: numbers are categories by their intervals, too.
    """

    scaling: Scaling = "quantile"
    categorical: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()
    most_categories: int = 256
    fewest: int = 2
    intervals: bool = True


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers: straight lines between knots, and flat beyond the outer ones.

    Args:
        name: of the column.
        values: at the knots, ascending.
        mapped: what the network sees there.
        indicated: whether the network is told where the number is missing.
        dates: whether its cells are dates, whose numbers are days (`netwright.tasks.tabular.dates`).
        order: of the parts of these dates.
    """

    name: str
    values: tuple[float, ...]
    mapped: tuple[float, ...]
    indicated: bool
    dates: bool = False
    order: str = "ymd"


@dataclass(frozen=True)
class CategoryColumn:
    """A column of categories; number i is ``values[i - 1]``, and 0 is 'other'. A missing value is a value, too.

    A file that has 1.0 or TRUE where the training part has 1 or True means the same.
    """

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class IntervalColumn:
    """A column of numbers as categories: number i is the i-th interval, to its upper end, and 0 is missing."""

    name: str
    cuts: tuple[float, ...]


@dataclass(frozen=True)
class Encoded:
    """Rows as the network gets them.

    Args:
        rows: (N, numbers + indicators + categories + intervals) float32.
        unknown: values of each column of categories that the training part does not have, counted.
        no_numbers: cells of each column of numbers that hold something else, counted; they count as missing.
    """

    rows: NDArray[np.float32]
    unknown: Counter[str]
    no_numbers: Counter[str]


@dataclass(frozen=True)
class Encoding:
    """How the columns of a table become a row of numbers.

    Args:
        numbers: columns of numbers.
        categories: columns of categories.
        notes: what was left out and why.
        intervals: columns of numbers whose intervals are categories, too.
    """

    numbers: tuple[NumberColumn, ...]
    categories: tuple[CategoryColumn, ...]
    notes: tuple[str, ...] = ()
    intervals: tuple[IntervalColumn, ...] = ()

    @property
    def num_numbers(self) -> int:
        """Numbers of a row that are no categories: values and indicators."""
        return len(self.numbers) + sum(column.indicated for column in self.numbers)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many categories each column of them has, 'other' among them."""
        return tuple(1 + len(column.values) for column in self.categories)

    @property
    def interval_counts(self) -> tuple[int, ...]:
        """How many categories the intervals of each such column are, 'missing' among them."""
        return tuple(2 + len(column.cuts) for column in self.intervals)

    @property
    def needed(self) -> tuple[str, ...]:
        """Names of the columns that a table must have."""
        return (*(c.name for c in self.numbers), *(c.name for c in self.categories))

    @classmethod
    def learn(cls, table: Table, options: EncodingOptions, targets: NDArray[Any] | None = None) -> Encoding:
        """Learn from the training part.

        Args:
            table: without the target.
            options: how.
            targets: class numbers (N,) or values (N, 1), for the intervals; None for none of these.

        Raises:
            DataError: no column is of use, or an option names one that is not there.
        """
        for name in sorted(options.categorical | options.ignored):
            if name not in table.names:
                raise DataError(
                    f"{table.where} has no column {shorten(name, 60)}; it has {', '.join(table.names[:_SHOWN])}"
                )
        numbers: list[NumberColumn] = []
        known: list[NDArray[np.float64]] = []
        categories: list[CategoryColumn] = []
        notes: list[str] = []
        for name, cells in zip(table.names, table.columns, strict=True):
            if name in options.ignored:
                continue
            found, parsed = _learn_column(name, cells, options)
            if isinstance(found, NumberColumn):
                numbers.append(found)
                known.append(parsed)
                notes += _number_notes(found, cells)
            elif isinstance(found, CategoryColumn):
                categories.append(found)
            else:
                notes.append(f"column {shorten(name, 60)} is left out: {found}")
        if not numbers and not categories:
            raise DataError(f"{table.where}: no column is of use; {'; '.join(notes[:_SHOWN])}")
        intervals: list[IntervalColumn] = []
        if targets is not None and options.intervals and len(numbers) <= MOST_CUT:
            cut = [IntervalColumn(c.name, thresholds(k, targets)) for c, k in zip(numbers, known, strict=True)]
            intervals = [column for column in cut if column.cuts]
        return cls(tuple(numbers), tuple(categories), tuple(notes), tuple(intervals))

    def encode(self, table: Table) -> Encoded:
        """Encode a table that has the needed columns.

        Raises:
            DataError: a column is missing; names it.
        """
        missing = [name for name in self.needed if name not in table.names]
        if missing:
            shown = ", ".join(shorten(name, 60) for name in missing[:_SHOWN])
            raise DataError(f"{table.where} lacks {len(missing)} column(s) of the training part: {shown}; add them")
        unknown: Counter[str] = Counter()
        no_numbers: Counter[str] = Counter()
        width = self.num_numbers + len(self.categories) + len(self.intervals)
        cuts = {
            column.name: (place, column.cuts)
            for place, column in enumerate(self.intervals, width - len(self.intervals))
        }
        rows, place = np.empty((len(table), width), dtype=np.float32), len(self.numbers)
        for column, number in enumerate(self.numbers):
            cells = table.column(number.name)
            known = _known(number, table)
            absent = np.isnan(known)
            no_numbers[number.name] += int(absent.sum()) - sum(not cell for cell in cells)
            rows[:, column] = np.where(absent, 0.0, np.interp(known, number.values, number.mapped))
            if number.indicated:
                rows[:, place] = absent
                place += 1
            if number.name in cuts:
                behind, ends = cuts[number.name]
                rows[:, behind] = interval_codes(known, ends)
        for column, category in enumerate(self.categories, start=place):
            cells = table.column(category.name)
            codes = codes_of(category.values)
            numbers = {cell: code_of(cell, codes) for cell in set(cells)}
            found = [numbers[cell] for cell in cells]
            unknown[category.name] += found.count(0)
            rows[:, column] = found
        return Encoded(rows, +unknown, +no_numbers)


def _known(column: NumberColumn, table: Table) -> NDArray[np.float64]:
    """The numbers of a column, or the days of its dates; NaN where missing."""
    cells = table.column(column.name)
    return all_days_of(cells, column.order) if column.dates else numbers_of(cells)


def _number_notes(column: NumberColumn, cells: Sequence[str]) -> list[str]:
    """What a person should know of a column that was taken for numbers."""
    shown = shorten(column.name, 60)
    if column.dates:
        first = {"ymd": "", "dmy": ", the day first,", "mdy": ", the month first,"}[column.order]
        return [f"column {shown} holds dates{first} and is read as days since the start of 1970"]
    named = _IDENTIFIER.fullmatch(column.name) is not None or bare_name(column.name) in INDEX_NAMES
    if named and len(set(cells)) == len(cells) and all(map(str.isdecimal, cells)):
        return [f"column {shown} has another whole number in each row; if it only names rows, leave it out (ignored)"]
    return []


def _learn_column(
    name: str, cells: Sequence[str], options: EncodingOptions
) -> tuple[NumberColumn | CategoryColumn | str, NDArray[np.float64]]:
    """What a column is, or a reason where it is of no use; and the numbers of its cells, if they are such."""
    none = np.empty(0)
    given = [cell for cell in cells if cell]
    counts = Counter(cells)
    if not given:
        return "all its values are missing", none
    if len(counts) == 1:
        return f"all its values are {shorten(given[0], 40)}", none
    if name not in options.categorical and _holds_numbers(counts):
        numbers = numbers_of(cells)
        return _learn_number(name, numbers, options.scaling), numbers
    order = "" if name in options.categorical else date_order(cells)
    if order:
        days = all_days_of(cells, order)
        dates = _learn_number(name, days, options.scaling)
        return (replace(dates, dates=True, order=order) if isinstance(dates, NumberColumn) else dates), days
    if len(counts) > options.most_categories and len(counts) > IDENTIFIER_SHARE * len(cells):
        told = f"its {len(counts)} different texts in {len(cells)} rows name rows; make it numbers, or fewer categories"
        return told, none
    return _learn_category(name, counts, options), none


def _holds_numbers(counts: Counter[str]) -> bool:
    """Whether what is not missing are numbers, infinite ones among them.

    Beside many different numbers one word, such as ``unknown`` or ``-``, stands for what is missing.
    """
    given = Counter({cell: count for cell, count in counts.items() if cell})
    numbers = {cell for cell in given if is_any_number(cell)}
    num_cells = sum(given[cell] for cell in numbers)
    word = max((count for cell, count in given.items() if cell not in numbers), default=0)
    said = given.total() - (word if len(numbers) >= _MANY_NUMBERS else 0)
    return num_cells >= max(_NUMERIC_SHARE * said, given.total() / 2)


def _learn_category(name: str, counts: Counter[str], options: EncodingOptions) -> CategoryColumn | str:
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    kept = [value for value in ranked if counts[value] >= options.fewest][: options.most_categories - 1]
    if not kept:
        return "no value occurs twice"
    return CategoryColumn(name, tuple(sorted(kept)))


def _learn_number(name: str, column: NDArray[np.float64], scaling: Scaling) -> NumberColumn | str:
    known = column[np.isfinite(column)]
    indicated = len(known) < len(column)
    different = np.unique(known)
    if len(different) == 0:
        return "it has no finite number"
    if len(different) == 1:
        if not indicated:
            return f"all its numbers are {different[0]:g}"
        return NumberColumn(name, _exact(different), (0.0,), True)
    if scaling == "standard":
        mean, std = float(known.mean()), float(known.std())
        ends = (float(different[0]), float(different[-1]))
        reach = 2 * (ends[1] - ends[0])
        knots = np.array([ends[0] - reach, ends[1] + reach])
        return NumberColumn(name, _exact(knots), _exact((knots - mean) / std), indicated)
    values, mapped = _quantiles(known, different)
    return NumberColumn(name, values, mapped, indicated)


def _quantiles(
    known: NDArray[np.float64], different: NDArray[np.float64]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Knots of the map by ranks: values, and quantiles of the normal distribution."""
    from scipy.special import ndtri

    ordered = np.sort(known)
    below = np.searchsorted(ordered, different, side="left")
    upto = np.searchsorted(ordered, different, side="right")
    ranks = (below + upto) / 2 / len(ordered)
    if len(different) > KNOTS:
        wanted = np.linspace(ranks[0], ranks[-1], KNOTS)
        rows = np.unique(np.searchsorted(ranks, wanted).clip(max=len(ranks) - 1))
        rows = np.unique(np.concatenate([[0], rows, [len(different) - 1]]))
        different, ranks = different[rows], ranks[rows]
    mapped = np.clip(ndtri(ranks), -FARTHEST, FARTHEST)
    return _exact(different), tuple(float(f"{value:.9g}") for value in mapped.tolist())


def _exact(values: NDArray[np.float64]) -> tuple[float, ...]:
    """To the last bit, as they are written into model.py: identifiers and times in nanoseconds have many digits."""
    return tuple(values.tolist())
