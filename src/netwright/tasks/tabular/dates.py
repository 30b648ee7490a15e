"""Columns of dates, as numbers of days. Knows no tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from netwright.tasks.tabular.days import days_of

DATES_SHARE = 0.98
"""A column holds dates where at least this part of its cells does, missing ones aside."""


def all_days_of(cells: Sequence[str]) -> NDArray[np.float64]:
    """(N,) days of each cell, as `days_of`."""
    known = {cell: days_of(cell) for cell in set(cells)}
    return np.array([known[cell] for cell in cells], dtype=np.float64)


def holds_dates(cells: Sequence[str]) -> bool:
    """Whether a column holds dates.

    Args:
        cells: of it; missing ones are empty.

    Example:
        >>> holds_dates(["2024-01-31", "", "2024-02-01"]), holds_dates(["31.1.2024"])
        (True, False)
    """
    first = next((cell for cell in cells if cell), "")
    if not first or (math.isnan(days_of(first)) and all(map(math.isnan, map(days_of, cells[:100])))):
        return False
    given = sum(map(bool, cells))
    return int(np.isfinite(all_days_of(cells)).sum()) >= DATES_SHARE * given
