"""Columns of a table that tell when its rows were: they are no channels, and say whether rows are in the order of time.

Knows no files and no windows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from netwright.tasks.tabular.dates import all_days_of, holds_dates

NAMES = frozenset({"date", "dates", "datetime", "ds", "epoch", "time", "timestamp", "unixtime"})
"""Names, without all but letters, of columns whose numbers are times where they rise throughout."""

_EQUAL = 1e-5
"""Steps that differ by no more than this part of them are equal."""

Course = Literal["rises", "falls", ""]


def course_of_numbers(name: str, values: NDArray[np.float64]) -> Course:
    """Whether a column of numbers tells the time, and how it runs; empty where it does not.

    It does where it rises or falls by equal steps, and where it has one of `NAMES` and does so throughout.

    Args:
        name: of the column.
        values: (steps,), NaN where one is missing.

    Example:
        >>> course_of_numbers("x", np.array([3.0, 4.0, 5.0])), course_of_numbers("time", np.array([9.0, 3.0, 2.0]))
        ('rises', 'falls')
        >>> course_of_numbers("load", np.array([3.0, 4.0, 6.0]))
        ''
    """
    places = np.flatnonzero(~np.isnan(values))
    if len(places) < 3:
        return ""
    steps = np.diff(values[places]) / np.diff(places)
    equal = bool(np.allclose(steps, steps[0], rtol=_EQUAL, atol=0.0))
    if not equal and re.sub("[^a-z]", "", name.lower()) not in NAMES:
        return ""
    return _course(values[places])


def course_of_texts(cells: Sequence[str]) -> Course:
    """How a column of ISO dates runs; empty where it holds none, or goes up and down.

    Args:
        cells: of it; missing ones are empty.

    Example:
        >>> course_of_texts(["2024-01-03", "2024-01-02", "2024-01-02"]), course_of_texts(["b", "a"])
        ('falls', '')
    """
    if not holds_dates(cells):
        return ""
    days = all_days_of(cells)
    return _course(days[~np.isnan(days)])


def _course(values: NDArray[np.float64]) -> Course:
    steps = np.diff(values)
    if not steps.any():
        return ""
    return "rises" if (steps >= 0).all() else "falls" if (steps <= 0).all() else ""
