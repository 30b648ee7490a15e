"""Which rows of a table are near which: by the number of decisions in which they differ.

Numbers that differ count by how far apart they are, from 0 to 1; all else that differs counts 1, and so does a decision
that only one of the two has. Rows are near each other if either is among the other's `NEAREST` nearest, so that the
relation is symmetric. Of rows at the same distance those count that hashes of both choose: the order of the rows has no
say.

A large table is not compared row with row. The nearest are looked for among those that stand close to the row when all
are sorted, in several orders: by the decisions in one sequence, then in another. Two rows that differ in little share a
long beginning in some of them. What is close in this sense is symmetric too.

References:
    M. Charikar, 2002, "Similarity estimation techniques from rounding algorithms", section 3: sorting in several random
    orders instead of hashing, here for decisions instead of signs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from netwright.space.coded_rows import CodedRows
from netwright.space.expressions import Choice, Integer, Real
from netwright.space.values import Continuous, typed
from netwright.types import Value

NEAREST = 16
"""How many nearest rows a row names."""

WHOLE = 1_000
"""Tables up to this many rows are compared row with row."""

NUM_ORDERS = 8
WINDOW = 16
"""How many orders are looked at, and how many places to either side."""

SCALE = 1_024
"""The distance of two rows that differ in one decision."""

_BATCH = 256
_NEVER = np.int64(np.iinfo(np.int64).max)


class NearRows:
    """Distances and neighbours among the rows of a table.

    Args:
        rows: the table.
        choices: what the decisions are, by name; of those among numbers the places are compared.
    """

    def __init__(self, rows: CodedRows, choices: Mapping[str, Choice]) -> None:
        self._codes = rows.codes
        self._marks = rows.marks
        self._places = [_places(column, choices[name]) for name, column in rows.values.items()]
        self._count = min(NEAREST, len(rows) - 1)
        self._known = np.zeros(len(rows), dtype=bool)
        self._nearest = np.zeros((len(rows), self._count), dtype=np.int32)

    def distances(self, codes: np.ndarray) -> np.ndarray:
        """How far every row is from given codes.

        Args:
            codes: shape (decisions,), whether a row has them or not.

        Returns:
            Whole numbers in units of 1 / `SCALE` decisions, shape (rows,).
        """
        distances = np.zeros(len(self._codes), dtype=np.int64)
        for column, places in enumerate(self._places):
            distances += _apart(places, places[codes[column]])[self._codes[:, column]]
        return distances

    def of(self, row: int) -> np.ndarray:
        """The rows that are near a row, in order; empty where it is the only one."""
        found = np.unique(self._candidates(np.array([row])))
        others = found[found != row]
        names_it = (self.nearest(others) == row).any(axis=1)
        return np.union1d(self.nearest(np.array([row]))[0], others[names_it])

    def nearest(self, rows: np.ndarray) -> np.ndarray:
        """The rows that each of some rows names as its nearest; shape (rows asked for, up to `NEAREST`)."""
        unknown = rows[~self._known[rows]]
        for start in range(0, len(unknown), _BATCH):
            batch = unknown[start : start + _BATCH]
            self._nearest[batch] = self._find_nearest(batch)
            self._known[batch] = True
        found: np.ndarray = self._nearest[rows]
        return found

    def _find_nearest(self, rows: np.ndarray) -> np.ndarray:
        found = self._candidates(rows)
        distances = np.zeros(found.shape, dtype=np.int64)
        for column, places in enumerate(self._places):
            codes = self._codes[:, column]
            distances += _apart(places[codes[found]], places[codes[rows]][:, None])
        hashes = (self._marks[rows][:, None] ^ self._marks[found]) * np.uint64(0x9E3779B97F4A7C15)
        keys = (distances << 32) | (hashes >> np.uint64(32)).astype(np.int64)
        keys[found == rows[:, None]] = _NEVER
        keys[:, 1:][found[:, 1:] == found[:, :-1]] = _NEVER  # a row may be met in several orders
        best = np.argsort(keys, axis=1, kind="stable")[:, : self._count]
        return np.take_along_axis(found, best, axis=1)

    def _candidates(self, rows: np.ndarray) -> np.ndarray:
        """Rows that stand close to each of some rows, itself too, in order; some of them several times."""
        size = len(self._codes)
        if size <= WHOLE:
            return np.broadcast_to(np.arange(size), (len(rows), size))
        steps = np.arange(-WINDOW, WINDOW + 1)
        windows = [order[np.clip(position[rows][:, None] + steps, 0, size - 1)] for order, position in self._orders]
        return np.sort(np.concatenate(windows, axis=1), axis=1)

    @cached_property
    def _orders(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Rows by place and places by row, of every order."""
        rng = np.random.default_rng(0)  # the same orders in every process
        orders = []
        for _ in range(NUM_ORDERS):
            columns = rng.permutation(self._codes.shape[1])
            order = np.lexsort([self._codes[:, column] for column in columns]).astype(np.int32)
            position = np.empty_like(order)
            position[order] = np.arange(len(order), dtype=np.int32)
            orders.append((order, position))
        return orders


def _apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """How far places are apart; nothing is further than what differs altogether."""
    apart: np.ndarray = np.minimum(np.abs(a - b), SCALE)
    return apart


def _places(values: Sequence[Value], choice: Choice) -> np.ndarray:
    """Where the values stand, by their codes: numbers on [0, `SCALE`], all else (and no value) `SCALE` apart."""
    apart = np.arange(-1, len(values), dtype=np.int64) * SCALE
    apart[0] = -2 * SCALE
    if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return apart
    numbers = np.array(values, dtype=float)
    if isinstance(choice.domain, (Integer, Real)) and len(values) > 1:
        low, high = float(numbers.min()), float(numbers.max())
        scale = Continuous(low, high, choice.domain.log and low > 0)
        shares = np.array([scale.share(number) for number in numbers])
    else:
        shares = np.argsort(np.argsort(numbers)) / max(1, len({typed(value) for value in values}) - 1)
    apart[1:] = np.rint(SCALE * shares)
    return apart
