"""Whether a short training says anything about a longer one: rank correlation between adjacent fidelities.

What it sees are architectures evaluated at both. Most of them were promoted since they did well at the lower fidelity,
and among the good ones alone even a good fidelity orders little (range restriction): their correlation would condemn
every fidelity. Therefore strategies promote a few architectures drawn evenly from all of a rung, and two architectures
are compared only where at least one of them was drawn so. A fidelity that is noise then has the expectation 0, and
one that orders well shows it with few architectures, since promoted ones and random ones are far apart.

Knows no space, no strategy and no costs.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np

from netwright.errors import UsageError, wrong
from netwright.strategies.operators import Values
from netwright.types import Fidelity

QUANTILE = 1.645
"""Of the normal distribution: each end of an interval is passed in one case of twenty."""

PROBES = 3
PROBES_LATER = 10
"""One in so many promotions is at random, until the fidelity is trusted and from then on."""

TRUSTED = 0.3
TRUSTED_BY = 6
"""A fidelity is trusted where the lower end of the interval is above this, by so many random ones."""

MOST = 400
"""Pairs that a correlation is made of at most, the newest."""

GROWTH = 1.05
"""A correlation of many pairs is worked out again when they are more by this factor."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What is known of two adjacent fidelities; all numbers NaN where nothing can be compared yet.

    Args:
        low: the cheaper fidelity.
        high: the next one.
        num_pairs: architectures evaluated at both.
        num_random: those of them that were drawn at random.
        tau: Kendall's tau-b over all comparisons in which a random one takes part; of the worst objective.
        lower: lower end of its 90 % interval.
        upper: upper end.
        misleads: whether the lower fidelity is to be dropped; once true it stays.
    """

    low: Fidelity
    high: Fidelity
    num_pairs: int = 0
    num_random: int = 0
    tau: float = math.nan
    lower: float = math.nan
    upper: float = math.nan
    misleads: bool = False


@dataclass(eq=False, slots=True)
class Pairs:
    """Values of the same architectures at both fidelities, in the order in which they became known."""

    below: dict[Hashable, Values] = field(default_factory=dict)
    above: dict[Hashable, Values] = field(default_factory=dict)
    random: set[Hashable] = field(default_factory=set)
    num_promoted: int = 0
    judged: int = 0


class RungMonitor:
    """Judges, for each two adjacent fidelities, whether the lower one orders architectures as the higher one does.

    A fidelity misleads where, by a sufficient number of pairs, it is not known to be better than chance (the lower end
    of tau's interval is not above 0) and known not to be good (the upper end is below ``threshold``).

    Args:
        threshold: a tau below which a fidelity is not worth its cost, in (0, 1); infinitely low never drops any.
        min_pairs: pairs before a verdict, >= 3.
        min_random: random ones among them, >= 1.

    Raises:
        UsageError: an argument is out of range.

    Example:
        >>> monitor, low, high = RungMonitor(), Fidelity(epochs=1), Fidelity(epochs=9)
        >>> for i in range(12):
        ...     monitor.note_promotion(low, high, i, at_random=i % 3 == 0)
        ...     monitor.add(low, high, i, below=(float(i),), above=(float(i * 7 % 12),))
        >>> agreement = monitor.agreement(low, high)
        >>> agreement.num_random, round(agreement.tau, 2), agreement.misleads
        (4, 0.21, False)

    References:
        M. Kendall, 1945, "The treatment of ties in ranking problems" (tau-b). The interval is that of R. Fisher's
        transformation; its standard error is the one under independence, which with all comparisons is Kendall's
        (1938) n(n-1)(2n+5)/18 and for a subset of them follows in the same way: two comparisons that share an
        architecture agree with a covariance of 1/3. Choice of comparisons and verdict are ours.
    """

    def __init__(self, *, threshold: float = 0.5, min_pairs: int = 8, min_random: int = 3) -> None:
        if not threshold < 1:
            raise UsageError(wrong("threshold", threshold, "< 1"))
        if min_pairs < 3 or min_random < 1:
            raise UsageError(wrong("min_pairs, min_random", (min_pairs, min_random), ">= 3, >= 1"))
        self._threshold = threshold
        self._min_pairs = min_pairs
        self._min_random = min_random
        self._pairs: dict[tuple[Fidelity, Fidelity], Pairs] = {}
        self._agreements: dict[tuple[Fidelity, Fidelity], Agreement] = {}

    @property
    def agreements(self) -> tuple[Agreement, ...]:
        """What is known of all fidelities that were neighbours at some time, in the order in which they became it."""
        return tuple(self._agreements.values())

    def agreement(self, low: Fidelity, high: Fidelity) -> Agreement:
        """What is known of two fidelities."""
        return self._agreements.get((low, high), Agreement(low, high))

    def wants_random(self, low: Fidelity, high: Fidelity) -> bool:
        """Whether the next promotion should be one of an architecture drawn evenly from all of the rung."""
        pairs, known = self._of(low, high), self.agreement(low, high)
        is_trusted = known.lower > TRUSTED and known.num_random >= TRUSTED_BY
        share = PROBES_LATER if is_trusted else PROBES
        return share * len(pairs.random) < pairs.num_promoted

    def note_promotion(self, low: Fidelity, high: Fidelity, key: Hashable, *, at_random: bool) -> None:
        """Take note of a promotion.

        Args:
            low: from where.
            high: to where.
            key: the architecture, the same for isomorphic ones.
            at_random: whether it was drawn evenly from all of the rung. An architecture that is drawn after it was
                promoted counts as drawn from then on.
        """
        pairs = self._of(low, high)
        pairs.num_promoted += 1
        if at_random:
            pairs.random.add(key)

    def add(self, low: Fidelity, high: Fidelity, key: Hashable, below: Values, above: Values) -> None:
        """Take in an architecture that was evaluated at both.

        Args:
            low: the cheaper fidelity.
            high: the next one.
            key: the architecture, the same for isomorphic ones.
            below: its objectives at ``low``, smaller is better.
            above: its objectives at ``high``.
        """
        pairs = self._of(low, high)
        pairs.below[key], pairs.above[key] = below, above
        num = len(pairs.below)
        if num >= GROWTH * pairs.judged:
            pairs.judged = num
            self._agreements[low, high] = self._judge(low, high, pairs)

    def _of(self, low: Fidelity, high: Fidelity) -> Pairs:
        return self._pairs.setdefault((low, high), Pairs())

    def _judge(self, low: Fidelity, high: Fidelity, pairs: Pairs) -> Agreement:
        keys = list(pairs.below)[-MOST:]
        below, above = (np.array([values[k] for k in keys]) for values in (pairs.below, pairs.above))
        drawn = np.array([key in pairs.random for key in keys])
        measured = [rank_correlation(below[:, i], above[:, i], drawn) for i in range(below.shape[1])]
        known = [(tau, error) for tau, error in measured if not math.isnan(tau)]
        counts = len(pairs.below), len(pairs.random & pairs.below.keys())
        misleads = self.agreement(low, high).misleads
        if not known:
            return Agreement(low, high, *counts, misleads=misleads)
        tau, error = min(known)
        lower, upper = fisher_interval(tau, error)
        enough = counts[0] >= self._min_pairs and counts[1] >= self._min_random
        misleads |= enough and lower <= 0 and upper < self._threshold
        return Agreement(low, high, *counts, tau, lower, upper, misleads)


def rank_correlation(below: np.ndarray, above: np.ndarray, at_random: np.ndarray) -> tuple[float, float]:
    """Kendall's tau-b over comparisons in which a random one takes part, and its standard error under independence.

    Args:
        below: numbers, shape (n,).
        above: numbers of the same, shape (n,).
        at_random: whether each was drawn at random, shape (n,).

    Returns:
        The two; tau is 0 and certain where all of ``below`` are equal, and NaN where all of ``above`` are or nothing
        can be compared.

    Example:
        >>> everything = np.ones(4, dtype=bool)
        >>> tau, error = rank_correlation(np.array([1, 2, 3, 4]), np.array([1, 3, 2, 4]), everything)
        >>> round(tau, 3), round(error**2 * 36, 3), 4 * 3 * (2 * 4 + 5) / 18
        (0.667, 8.667, 8.666666666666666)
    """
    compared = at_random[:, None] | at_random[None, :]
    left, right = (np.sign(v[:, None] - v[None, :]) * compared for v in (below, above))
    num_left, num_right = np.count_nonzero(left) / 2, np.count_nonzero(right) / 2
    if not num_right:
        return math.nan, math.nan
    if not num_left:
        return 0.0, 0.0
    norm = math.sqrt(num_left * num_right)
    shared = float((left.sum(axis=1) ** 2).sum()) - 2 * num_left
    return float((left * right).sum() / 2 / norm), math.sqrt(num_left + shared / 3) / norm


def fisher_interval(tau: float, error: float) -> tuple[float, float]:
    """Ends of the 90 % interval of a rank correlation; symmetric after Fisher's transformation."""
    centre = math.atanh(min(max(tau, -1 + 1e-9), 1 - 1e-9))
    return math.tanh(centre - QUANTILE * error), math.tanh(centre + QUANTILE * error)
