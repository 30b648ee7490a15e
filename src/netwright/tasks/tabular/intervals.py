"""Intervals of a number that tell targets apart, found with a decision tree on that number alone.

A network that is given the interval of a number beside the number itself can answer differently on two sides of a
threshold, or for one frequent value, which straight lines and waves learn slowly. Values to be told are compared by
their ranks, so that no few large ones decide; of many classes the frequent ones are. Knows neither tables nor networks.

References:
    Gorishniy, Rubachev, Babenko (2022), *On Embeddings for Numerical Features in Tabular Deep Learning*, section 3.2.2
    (bins whose edges are the thresholds of a decision tree on one column; there they are embedded by straight lines,
    here each interval is a category). Breiman, Friedman, Olshen, Stone (1984), *Classification and Regression Trees*
    (least squares), Quinlan (1986), *Induction of Decision
    Trees* (entropy), grown best first. Ours also cuts around one frequent value, and only where a likelihood-ratio test
    says that it is no chance (Wilks 1938: twice the gain in nats is chi-squared), by `CHANCE`.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_INTERVALS, FEWEST_ROWS = 64, 5
"""Of a number; and rows of the training part that an interval has at least."""

CHANCE = 1e-4
"""How probable a cut's gain is at most where targets are independent of the number; hundreds of cuts are tried."""

MOST_TOLD = 16
"""Classes that cuts are to tell apart, the most frequent ones; the others count as one. A test on few rows of each of
many classes finds differences that are none."""

_MOST_GROUPS = 1024
"""Places of a column at which it may be cut, at most; with more different values, evenly by rank, and not around one of
them."""

Floats = NDArray[np.float64]


def thresholds(
    numbers: Floats,
    targets: NDArray[Any],
    *,
    most: int = MOST_INTERVALS,
    fewest: int = FEWEST_ROWS,
    chance: float = CHANCE,
    apart: bool = True,
) -> tuple[float, ...]:
    """Where to cut a column, ascending; empty where no cut tells targets apart.

    Args:
        numbers: of the rows (N,); what is not finite is left out.
        targets: class numbers (N,), or values (N, 1).
        most: intervals.
        fewest: rows of an interval.
        chance: see `CHANCE`.
        apart: whether one value that is unlike its neighbours on both sides is cut out at once, which cut by cut would
            gain too little at first; of at most some thousand different values.

    Example:
        >>> thresholds(np.arange(80.0) // 10, np.array([0, 0, 0, 1, 1, 1, 0, 0]).repeat(10))
        (2.5, 5.5)
    """
    from scipy.special import chdtri

    known = np.isfinite(numbers)
    order = np.argsort(numbers[known], kind="stable")
    values = numbers[known][order]
    places, are_values = _places(values)
    if len(values) < 2 * fewest or len(places) <= 3:  # two values are apart already
        return ()
    column = _Column(places, _Totals.of(targets[known][order], places), fewest, apart and are_values)
    least = chdtri(column.totals.degrees, chance) if chance < 1 else 0.0
    cuts: list[float] = []
    waiting = [column.best_cut(0, len(places) - 1)]
    while waiting and len(cuts) < most - 1:
        cut = heapq.heappop(waiting)
        if cut.gain < least:
            break
        if len(cut.inner) > most - 1 - len(cuts):
            continue
        cuts += [_between(values[place - 1], values[place]) for place in places[list(cut.inner)].tolist()]
        for first, last in itertools.pairwise((cut.first, *cut.inner, cut.last)):
            heapq.heappush(waiting, column.best_cut(first, last))
    return tuple(sorted(cuts))


def interval_codes(numbers: Floats, cuts: tuple[float, ...]) -> NDArray[np.int64]:
    """The interval of each number, from 1 on; 0 where it is missing.

    Example:
        >>> interval_codes(np.array([-9.0, 2.0, 2.5, np.nan]), (2.0, 7.0)).tolist()
        [1, 1, 2, 0]
    """
    return np.where(np.isnan(numbers), 0, 1 + np.searchsorted(np.array(cuts), numbers, side="left"))


@dataclass(frozen=True, slots=True)
class _Cut:
    """The best cut of the groups ``first`` to ``last``: before each of the ``inner`` ones."""

    first: int
    last: int
    inner: tuple[int, ...] = ()
    gain: float = -1.0

    def __lt__(self, other: _Cut) -> bool:
        return (-self.gain, self.first) < (-other.gain, other.first)


@dataclass(frozen=True, slots=True)
class _Totals:
    """Sums of targets over the groups before each one: of each class's indicator, or of ranks whose variance is 1.

    Args:
        sums: (G + 1, C).
        of_classes: what is summed.
    """

    sums: Floats
    of_classes: bool

    @classmethod
    def of(cls, targets: NDArray[Any], places: NDArray[np.int64]) -> _Totals:
        if targets.ndim == 1:
            classes = _told(targets)
            num_groups, num_classes = len(places) - 1, int(classes.max()) + 1
            groups = np.repeat(np.arange(num_groups), np.diff(places))
            counts = np.bincount(groups * num_classes + classes, minlength=num_groups * num_classes)
            table: Floats = counts.astype(np.float64).reshape(num_groups, num_classes)
        else:
            from scipy.stats import rankdata

            ranks = rankdata(targets[:, 0])
            table = np.add.reduceat((ranks - ranks.mean()) / (ranks.std() or 1.0), places[:-1])[:, None]
        return cls(np.concatenate([np.zeros((1, table.shape[1])), table.cumsum(0)]), targets.ndim == 1)

    @property
    def degrees(self) -> int:
        """Degrees of freedom of the chi-squared variable that a cut's gain is by chance."""
        return max(1, int((self.sums[-1] > 0).sum()) - 1) if self.of_classes else 1

    def fit(self, sums: Floats, counts: NDArray[np.int64]) -> Floats:
        """Twice the log likelihood of rows with these sums (n, C) and counts (n,), up to what cuts do not change."""
        from scipy.special import xlogy

        if not self.of_classes:
            return np.asarray(sums[:, 0] ** 2 / counts)
        return np.asarray(2 * (xlogy(sums, sums).sum(1) - xlogy(counts, counts)))


@dataclass(frozen=True, slots=True)
class _Column:
    """Groups of rows between which a column may be cut.

    Args:
        places: rows before each group, and all of them (G + 1,).
        totals: of the targets.
        fewest: rows of an interval.
        apart: whether one group may be cut out.
    """

    places: NDArray[np.int64]
    totals: _Totals
    fewest: int
    apart: bool

    def best_cut(self, first: int, last: int) -> _Cut:
        """In two, or around one group, whichever gains more; without gain where there is no room."""
        found = [self._in_two(first, last)]
        if self.apart:
            found.append(self._around_one(first, last))
        return max(found, key=lambda cut: cut.gain)

    def _in_two(self, first: int, last: int) -> _Cut:
        begin, end = self.places[first], self.places[last]
        low = int(np.searchsorted(self.places, begin + self.fewest))
        high = int(np.searchsorted(self.places, end - self.fewest, side="right"))
        if low >= high:
            return _Cut(first, last)
        part = self.totals.sums[low:high] - self.totals.sums[first]
        gains = self._gains(first, last, part, self.places[low:high] - begin)
        best = int(np.argmax(gains))
        return _Cut(first, last, (low + best,), float(gains[best]))

    def _around_one(self, first: int, last: int) -> _Cut:
        sums, places = self.totals.sums[first + 1 : last], self.places[first + 1 : last]
        counts = np.diff(places)
        before, behind = places[:-1] - self.places[first], self.places[last] - places[1:]
        has_room = np.minimum(np.minimum(before, behind), counts) >= self.fewest
        if not has_room.any():
            return _Cut(first, last)
        gains = self._gains(first, last, np.diff(sums, axis=0), counts)
        best = int(np.argmax(np.where(has_room, gains, -1.0)))
        return _Cut(first, last, (first + 1 + best, first + 2 + best), float(gains[best]))

    def _gains(self, first: int, last: int, part: Floats, counts: NDArray[np.int64]) -> Floats:
        """How much more probable targets are where rows with these sums and counts are told from the others."""
        whole, rows = self.totals.sums[last] - self.totals.sums[first], self.places[last] - self.places[first]
        fit = self.totals.fit
        return fit(part, counts) + fit(whole - part, rows - counts) - fit(whole[None], rows[None])


def _told(classes: NDArray[Any]) -> NDArray[np.int64]:
    """Numbers of the most frequent classes, from 1 on where there are others, which are 0."""
    names, numbers, counts = np.unique(classes, return_inverse=True, return_counts=True)
    if len(names) <= MOST_TOLD:
        return np.asarray(numbers, dtype=np.int64)
    number_of = np.zeros(len(names), dtype=np.int64)
    number_of[np.argsort(-counts, kind="stable")[:MOST_TOLD]] = np.arange(1, MOST_TOLD + 1)
    return number_of[numbers]


def _places(values: Floats) -> tuple[NDArray[np.int64], bool]:
    """Rows before each group of equal values, and all rows; of too many, as many rows a group, and False."""
    ends = np.flatnonzero(values[1:] > values[:-1]) + 1
    are_values = len(ends) < _MOST_GROUPS
    if not are_values:
        wanted = np.linspace(0, len(values), _MOST_GROUPS + 1)[1:-1]
        ends = ends[np.unique(np.searchsorted(ends, wanted).clip(max=len(ends) - 1))]
    return np.concatenate([[0], ends, [len(values)]]), are_values


def _between(low: float, high: float) -> float:
    """The middle of two numbers, or the lower one where float64 has none."""
    middle = low / 2 + high / 2
    return float(middle if low <= middle < high else low)
