"""Columns of a table that tell when its rows were: they are no channels, and say whether rows are in the order of time.

Knows no files and no windows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations, islice
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from netwright.tasks.series.written_dates import as_iso
from netwright.tasks.tabular.dates import days_by_order
from netwright.tasks.tabular.days import days_of
from netwright.tasks.tabular.parts import bare_name
from netwright.tasks.tabular.reading import is_number

NAMES = frozenset({"date", "dates", "datetime", "ds", "epoch", "time", "timestamp", "unixtime"})
"""Names, without all but letters, of columns whose numbers are times where they rise throughout."""

_DURATIONS = frozenset({"time"})
"""Those of these names that are also given to channels."""

CALENDAR: Mapping[str, int] = MappingProxyType(
    {
        name: greatest
        for greatest, names in (
            *((1, "weekend workingday"), (4, "season quarter"), (7, "weekday dayofweek"), (9, "holiday")),
            *((12, "month mnth"), (24, "hour hr hourofday"), (31, "dayofmonth"), (53, "week weekofyear")),
            *((60, "minute second"), (366, "day dayofyear"), (9999, "year yr")),
        )
        for name in names.split()
    }
)
"""Names, without all but letters, of columns whose whole numbers say what is known of a time before it comes, and the
greatest of these numbers, unless they rise throughout (202401): channels may be called so, too, such as ``Hour 1``.
"""

_HOURS = frozenset({"hour", "hours", "hr", "hourofday", "hourending"})
_MINUTES = frozenset({"minute", "minutes"})
_HOURS_AND_MINUTES = frozenset({"time", "timeofday"})
"""Names, without all but letters, of columns that go on with a date: 0 to 24, 0 to 59, and 0 to 2359 such as 1730."""

_EQUAL = 1e-5
"""Steps that differ by no more than this part of them are equal."""

_FIRST = 100
"""Cells of a column that are looked at first: where none is a date, no other is looked at."""

_LONG = 1.5
"""So many times the usual step is a longer one: between months of 28 and 31 days it is not."""

_SEVERAL = 0.5
"""Where at least this part of the rows have the time of another one, they may be those of several series."""

Course = Literal["rises", "falls", "jumps", ""]
_COURSES: tuple[Course, ...] = ("rises", "falls", "jumps")


def course_of_numbers(name: str, values: NDArray[np.float64]) -> Course:
    """Whether a column of numbers tells the time, and how it runs; empty where it does not.

    It does where it rises or falls by equal steps, and where it has one of `NAMES`; one that is called ``time`` and
    does neither throughout is a channel.

    Args:
        name: of the column.
        values: (steps,), NaN where one is missing.

    Example:
        >>> course_of_numbers("x", np.array([3.0, 4.0, 5.0])), course_of_numbers("time", np.array([9.0, 3.0, 2.0]))
        ('rises', 'falls')
        >>> course_of_numbers("load", np.array([3.0, 4.0, 6.0])), course_of_numbers("ds", np.array([1.0, 2.0, 1.0]))
        ('', 'jumps')
    """
    places = np.flatnonzero(~np.isnan(values))
    if len(places) < 3:
        return ""
    steps = np.diff(values[places]) / np.diff(places)
    equal = bool(np.allclose(steps, steps[0], rtol=_EQUAL, atol=0.0))
    bare = _letters(name)
    if not equal and bare not in NAMES:
        return ""
    course = _course(values[places])
    return "" if course == "jumps" and bare in _DURATIONS else course


def course_of_texts(cells: Sequence[str]) -> Course:
    """How a column of dates runs; empty where it holds none, or one alone.

    Dates that may be read in two ways, such as 1/2/2024, rise or fall where they do so in one of these.

    Args:
        cells: of it; missing ones are empty.

    Example:
        >>> course_of_texts(["2024-01-03", "2024-01-02", "2024-01-02"]), course_of_texts(["b", "a"])
        ('falls', '')
        >>> course_of_texts(["1/31/2024", "2/1/2024"]), course_of_texts(["2024-01-01", "2024-01-02", "2024-01-01"])
        ('rises', 'jumps')
        >>> course_of_texts(["29-Dec-2023", "28-Dec-2023"]), course_of_texts(["2023-11", "2023-12"])
        ('falls', 'rises')
    """
    found = [_course(days[~np.isnan(days)]) for days in _readings(cells)]
    return next((course for course in _COURSES if course in found), "")


def _letters(name: str) -> str:
    return "".join(filter(str.isalpha, bare_name(name)))


def _readings(cells: Sequence[str]) -> list[NDArray[np.float64]]:
    """The days of a column of dates, NaN where one is missing, in each way in which it can be read."""
    found = days_by_order(cells)
    if not found and not all(math.isnan(days_of(as_iso(cell))) for cell in islice(filter(None, cells), _FIRST)):
        known = {cell: as_iso(cell) for cell in set(cells)}
        found = days_by_order([known[cell] for cell in cells])
    return list(found.values())


def is_date(cell: str) -> bool:
    """Whether a cell is a date in any of the ways that are known.

    Example:
        >>> is_date("1/22/20"), is_date("2015-07-01"), is_date("Lat")
        (True, True, False)
    """
    return bool(_readings([cell]))


def unknown_date(name: str, cells: Sequence[str]) -> str:
    """A cell of a column that should tell the time by its name and holds no dates that are known; empty for others.

    Example:
        >>> unknown_date("Date", ["29 grudnia", "30 grudnia"]), unknown_date("Date", ["2024-01-01", "2024-01-02"])
        ('29 grudnia', '')
        >>> unknown_date("Date", ["2024-01-01", "soon"])
        'soon'
    """
    if _letters(name) not in NAMES or tells_the_hour(name, cells) or _readings(cells):
        return ""
    given = [cell for cell in cells if cell]
    return next((cell for cell in given if not is_date(cell)), given[0] if given else "")


def tells_the_calendar(name: str, values: NDArray[np.float64]) -> bool:
    """Whether a column of numbers says what is known of a time before it comes, such as its month.

    Args:
        name: of the column; it has to be one of `CALENDAR`.
        values: (steps,), NaN where one is missing; they have to be whole, and no greater than such can be.

    Example:
        >>> tells_the_calendar("hour", np.array([22.0, 23.0, 0.0])), tells_the_calendar("day", np.array([0.31, 0.28]))
        (True, False)
    """
    known, most = values[~np.isnan(values)], CALENDAR.get(_letters(name), -1)
    if most < 0 or not (known == np.floor(known)).all():
        return False
    return bool((known >= 0).all() and (known <= most).all()) or _course(known) == "rises"


def _course(values: NDArray[np.float64]) -> Course:
    steps = np.diff(values)
    if not steps.any():
        return ""
    return "rises" if (steps >= 0).all() else "falls" if (steps <= 0).all() else "jumps"


def tells_the_hour(name: str, cells: Sequence[str]) -> bool:
    """Whether a column goes on with the date of its rows: clocks, or numbers that are called hours or minutes.

    Args:
        name: of the column.
        cells: of it; missing ones are empty.

    Example:
        >>> tells_the_hour("hr", ["0", "23"]), tells_the_hour("at", ["17:24:00", ""]), tells_the_hour("at", ["9:30 AM"])
        (True, True, True)
        >>> tells_the_hour("load", ["0", "23"]), tells_the_hour("hour", ["1", "1.7"]), tells_the_hour("price", ["2.45"])
        (False, False, False)
    """
    given = set(cells) - {""}
    return bool(given) and not any(math.isnan(part_of_day(name, cell)) for cell in given)


def part_of_day(name: str, cell: str) -> float:
    """The part of a day that a cell adds to its date; NaN where it is no clock, and no number that is called so.

    Example:
        >>> part_of_day("hr", "6"), part_of_day("minute", "36"), part_of_day("x", "12.00.00")
        (0.25, 0.025, 0.5)
    """
    if not is_number(cell):
        clock = cell if ":" in cell else cell.replace(".", ":") if cell.count(".") > 1 else ""
        return days_of(f"1970-01-01 {clock}") if clock else math.nan
    letters, value = _letters(name), float(cell)
    if letters in _HOURS:
        hours, minutes = value, 0.0
    elif letters in _MINUTES:
        hours, minutes = 0.0, value
    elif letters in _HOURS_AND_MINUTES:
        hours, minutes = divmod(value, 100)
    else:
        return math.nan
    is_whole = hours.is_integer() and minutes.is_integer()
    return (60 * hours + minutes) / 1440 if is_whole and 0 <= hours <= 24 and 0 <= minutes < 60 else math.nan


def going_on(times: Sequence[str], columns: Iterable[tuple[str, Sequence[str]]]) -> list[tuple[str, Sequence[str]]]:
    """The columns that go on with the times of rows, where several rows have each of these; see `tells_the_hour`.

    Args:
        times: of each row, as they are written.
        columns: names and cells of the other columns.

    Example:
        >>> going_on(["1.5.2024"] * 3, [("load", ["7", "8", "9"]), ("hr", ["1", "2", "3"])])
        [('hr', ['1', '2', '3'])]
    """
    if not _are_shared(times):
        return []
    return [(name, cells) for name, cells in columns if tells_the_hour(name, cells)]


def _are_shared(times: Sequence[Hashable]) -> bool:
    """Whether many rows have the time of another one."""
    return len(times) - len(set(times)) >= _SEVERAL * len(times)


def unevenness(cells: Sequence[str], clocks: Iterable[tuple[str, Sequence[str]]] = ()) -> tuple[str, ...]:
    """What is to be said of a column of dates that rises: rows of one time, and steps that are longer than usual.

    Args:
        cells: of it; missing ones are empty.
        clocks: names and cells of columns that go on with it, see `going_on`.

    Example:
        >>> unevenness(["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-06"])
        ('1 of 3 steps are longer than usual (1 days), the longest 3 days',)
        >>> unevenness(["2024-01-01"] * 3, [("hour", ["1", "2", "2"])])
        ('1 rows have the time of the row before',)
    """
    days = next((d for d in _readings(cells) if _course(d[~np.isnan(d)]) in ("rises", "")), np.empty(0))
    for name, clock in clocks if len(days) else ():
        known = {cell: part_of_day(name, cell) for cell in set(clock)}
        days = days + np.array([known[cell] for cell in clock])
    steps = np.diff(days[~np.isnan(days)])
    forward = steps[steps > 0]
    if len(forward) == 0:
        return ()
    usual, notes = float(np.median(forward)), []
    if count := int((steps == 0).sum()):
        notes.append(f"{count} rows have the time of the row before")
    if count := int((steps < 0).sum()):
        notes.append(f"{count} rows have an earlier time than the row before")
    num_long = int((forward > _LONG * usual).sum())
    if num_long:
        told = f"({usual:.3g} days), the longest {forward.max():.3g} days"
        notes.append(f"{num_long} of {len(steps)} steps are longer than usual {told}")
    return tuple(notes)


def telling_apart(times: Sequence[Hashable], columns: Iterable[tuple[str, Sequence[str]]]) -> tuple[str, ...]:
    """The column, or the two, that tell several series apart, of which each time has a row; empty where there are none.

    Args:
        times: of each row, as they are written.
        columns: names and cells of the other columns.

    Example:
        >>> telling_apart(["1", "1", "2", "2"], [("load", ["7", "8", "9", "7"]), ("shop", ["a", "b", "a", "b"])])
        ('shop',)
    """
    if not _are_shared(times):
        return ()
    most = max(Counter(times).values())
    different = [(name, cells, len(set(cells))) for name, cells in columns]
    for name, cells, count in different:
        if count == most and len(set(zip(times, cells, strict=True))) == len(times):
            return (name,)
    for (one, a, first), (other, b, second) in combinations(different, 2):
        if 1 < first < most and first * second == most and len(set(zip(times, a, b, strict=True))) == len(times):
            return (one, other)
    return ()
