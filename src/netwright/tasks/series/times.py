"""Columns of a table that tell when its rows were: they are no channels, and say whether rows are in the order of time.

Knows no files and no windows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from netwright.tasks.tabular.dates import all_days_of, date_orders
from netwright.tasks.tabular.parts import bare_name

NAMES = frozenset({"date", "dates", "datetime", "ds", "epoch", "time", "timestamp", "unixtime"})
"""Names, without all but letters, of columns whose numbers are times where they rise throughout."""

_DURATIONS = frozenset({"time"})
"""Those of these names that are also given to channels."""

_EQUAL = 1e-5
"""Steps that differ by no more than this part of them are equal."""

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
    bare = "".join(filter(str.isalpha, bare_name(name)))
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
    """
    found = [_course(days[~np.isnan(days)]) for days in _readings(cells)]
    return next((course for course in _COURSES if course in found), "")


def _readings(cells: Sequence[str]) -> list[NDArray[np.float64]]:
    """The days of a column of dates, NaN where one is missing, in each way in which it can be read."""
    return [all_days_of(cells, order) for order in date_orders(cells)]


def _course(values: NDArray[np.float64]) -> Course:
    steps = np.diff(values)
    if not steps.any():
        return ""
    return "rises" if (steps >= 0).all() else "falls" if (steps <= 0).all() else "jumps"


def unevenness(cells: Sequence[str]) -> tuple[str, ...]:
    """What is to be said of a column of dates that rises: rows of one time, and steps that are longer than usual.

    Args:
        cells: of it; missing ones are empty.

    Example:
        >>> unevenness(["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-06"])
        ('1 of 3 steps are longer than usual (1 days), the longest 3 days',)
    """
    days = next((d for d in _readings(cells) if _course(d[~np.isnan(d)]) == "rises"), np.empty(0))
    steps = np.diff(days[~np.isnan(days)])
    forward = steps[steps > 0]
    if len(forward) == 0:
        return ()
    usual, notes = float(np.median(forward)), []
    if len(forward) < len(steps):
        notes.append(f"{len(steps) - len(forward)} rows have the time of the row before")
    num_long = int((forward > _LONG * usual).sum())
    if num_long:
        told = f"({usual:.3g} days), the longest {forward.max():.3g} days"
        notes.append(f"{num_long} of {len(steps)} steps are longer than usual {told}")
    return tuple(notes)


def telling_apart(times: Sequence[str], columns: Iterable[tuple[str, Sequence[str]]]) -> str:
    """The column that tells several series apart, of which each time has a row; empty where there is none.

    Args:
        times: of each row, as they are written.
        columns: names and cells of the other columns.

    Example:
        >>> telling_apart(["1", "1", "2", "2"], [("load", ["7", "8", "9", "7"]), ("shop", ["a", "b", "a", "b"])])
        'shop'
    """
    counts = Counter(times)
    if len(times) - len(counts) < _SEVERAL * len(times):
        return ""
    most = max(counts.values())
    for name, cells in columns:
        if len(set(cells)) == most and len(set(zip(times, cells, strict=True))) == len(times):
            return name
    return ""
