"""Columns of dates, as numbers of days. Knows no tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from netwright.tasks.tabular.days import days_of

DATES_SHARE = 0.98
"""A column holds dates where at least this part of its cells does, missing ones aside."""

ORDERS = ("ymd", "dmy", "mdy")
"""In which the parts of a date may stand: ISO, then day or month first."""

_FIRST = 100


def all_days_of(cells: Sequence[str], order: str = "ymd") -> NDArray[np.float64]:
    """(N,) days of each cell, as `days_of`."""
    known = {cell: days_of(cell, order) for cell in set(cells)}
    return np.array([known[cell] for cell in cells], dtype=np.float64)


def date_orders(cells: Sequence[str]) -> tuple[str, ...]:
    """The orders of `ORDERS` in which the cells of a column are dates; two of these where all days are 12 at most.

    Args:
        cells: of it; missing ones are empty.

    Example:
        >>> date_orders(["2024-01-31", "", "2024-02-01"]), date_orders(["1/31/2024"]), date_orders(["1/2/2024"])
        (('ymd',), ('mdy',), ('dmy', 'mdy'))
    """
    return tuple(days_by_order(cells))


def days_by_order(cells: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """(N,) days of the cells of a column in each of its `date_orders`, NaN where a cell is no date."""
    first = [cell for cell in cells[:_FIRST] if cell] or [next((cell for cell in cells if cell), "")]
    given = sum(map(bool, cells))
    found = {
        order: all_days_of(cells, order)
        for order in ORDERS
        if not all(math.isnan(days_of(cell, order)) for cell in first)
    }
    counts = {order: int(np.isfinite(days).sum()) for order, days in found.items()}
    most = max(counts.values(), default=0)
    return {order: days for order, days in found.items() if counts[order] == most >= DATES_SHARE * given}


def date_order(cells: Sequence[str]) -> str:
    """The order of the dates of a column; empty where it holds none, or may be read in two ways.

    A date with points has the day first.

    Args:
        cells: of it; missing ones are empty.

    Example:
        >>> date_order(["2024-01-31"]), date_order(["1.2.2024"]), date_order(["1/2/2024"]), date_order(["soon"])
        ('ymd', 'dmy', '', '')
    """
    orders = date_orders(cells)
    if len(orders) == 2 and all("." in cell for cell in cells if cell):
        return "dmy"
    return orders[0] if len(orders) == 1 else ""
