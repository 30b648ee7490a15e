"""What many searches say together: means with intervals, queries to the optimum, tests between strategies.

Pure functions over arrays; they know neither strategies nor benchmarks. Arrays have one row a seed and one column a
count of queries (S, N).

* An interval is Student's t interval of the mean, which from some thirty seeds on is the normal one. The t quantiles
  are in a table, so that intervals need no library.
* Pairs of strategies are compared by Wilcoxon's signed-rank test over paired seeds (scipy), on the mean regret over all
  counts of queries: the last regret alone is zero for most seeds of a good strategy, and would tie.
* All pairs of a comparison are corrected together, by Holm's step-down procedure.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import combinations
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import MissingDependencyError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVEL = 0.05
"""Family-wise level of the tests, and 1 - the confidence of the intervals."""

COUNTS = (10, 20, 50, 100, 150, 200, 300, 500, 1000, 2000, 5000, 10_000)
"""Counts of queries at which tables tell numbers."""

_T = (
    *(12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281),
    *(2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860),
    *(2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423),
)
"""97.5 % quantiles of Student's t distribution with 1 to 30 degrees of freedom."""

_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Curve:
    """A mean over seeds with its 95 % interval, by count of queries.

    Args:
        mean: (N,); NaN at a count where a seed has no number yet.
        low: (N,) lower end; equal to the mean with a single seed, of which no spread is known.
        high: (N,) upper end.
    """

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PairTest:
    """A comparison of two strategies over paired seeds.

    Args:
        a: label of the first.
        b: label of the second.
        difference: mean of a's loss less b's; below zero, a is better.
        low: lower end of its 95 % interval.
        high: upper end.
        p: two-sided, of this pair alone.
        p_holm: corrected for all pairs of the comparison.
    """

    a: str
    b: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float

    @property
    def better(self) -> str | None:
        """Label of the one that is significantly better; None where neither is."""
        if not self.p_holm < LEVEL or self.difference == 0:
            return None
        return self.a if self.difference < 0 else self.b


def t_quantile(degrees: int) -> float:
    """97.5 % quantile of Student's t distribution, to 0.0003.

    Args:
        degrees: of freedom, >= 1.

    Example:
        >>> t_quantile(1), t_quantile(29), round(t_quantile(199), 3)
        (12.7062, 2.0452, 1.972)

    References:
        M. Abramowitz and I. Stegun, 1964, "Handbook of Mathematical Functions", 26.7.5 for more than 30 degrees.
    """
    if degrees <= len(_T):
        return _T[degrees - 1]
    z = _Z
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + first / degrees + second / degrees**2


def mean_curve(samples: NDArray[np.float64]) -> Curve:
    """Mean over seeds and its interval.

    Args:
        samples: (S, N); S >= 1.
    """
    num_seeds = len(samples)
    mean = samples.mean(axis=0)
    if num_seeds == 1:
        return Curve(mean, mean, mean)
    half = t_quantile(num_seeds - 1) * samples.std(axis=0, ddof=1) / math.sqrt(num_seeds)
    return Curve(mean, mean - half, mean + half)


def first_at_most(losses: NDArray[np.float64], bound: float) -> list[int | None]:
    """For each seed, how many queries it took until the loss was at most ``bound``; None where it never was.

    Args:
        losses: (S, N).
        bound: what is to be reached.

    Example:
        >>> first_at_most(np.array([[3.0, 1.0, 0.0], [3.0, 2.0, 2.0]]), 0.0)
        [3, None]
    """
    reached = losses <= bound  # never of NaN
    return [int(row.argmax()) + 1 if row.any() else None for row in reached]


def median_of(counts: Sequence[float | None]) -> float | None:
    """Median where None is larger than every number; None where that is the median.

    Example:
        >>> median_of([4, None, 2]), median_of([4, None])
        (4, None)
    """
    middle = median(math.inf if count is None else count for count in counts)
    return None if math.isinf(middle) else middle


def percentile_95(counts: Sequence[float | None]) -> float | None:
    """The smallest number that 95 % of the seeds do not exceed; None where fewer have a number.

    Example:
        >>> percentile_95(list(range(1, 101))), percentile_95([1, None])
        (95, None)
    """
    ordered = sorted(counts, key=lambda count: math.inf if count is None else count)
    return ordered[math.ceil(0.95 * len(ordered) - 1e-9) - 1]


def area(losses: NDArray[np.float64], worst: float) -> NDArray[np.float64]:
    """Mean loss over all counts of queries, for each seed.

    Args:
        losses: (S, N).
        worst: stands for a loss that is not known yet.
    """
    means: NDArray[np.float64] = np.where(np.isnan(losses), worst, losses).mean(axis=1)
    return means


def counts_up_to(queries: int) -> list[int]:
    """Counts of queries at which a table tells numbers; the last is ``queries``.

    Example:
        >>> counts_up_to(60), counts_up_to(3)
        ([10, 20, 50, 60], [3])
    """
    return [*(count for count in COUNTS if count < queries), queries]


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number.

    Returns:
        For each, the smallest family-wise level at which its hypothesis is rejected.

    Example:
        >>> [round(p, 6) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]

    References:
        S. Holm, 1979, "A Simple Sequentially Rejective Multiple Test Procedure".
    """
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for place, number in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[number]))
        corrected[number] = largest
    return corrected


def can_test() -> bool:
    """Whether scipy is there for `compare_pairs`."""
    return find_spec("scipy") is not None


def compare_pairs(losses: dict[str, NDArray[np.float64]]) -> list[PairTest]:
    """Compare all pairs of strategies over paired seeds.

    Args:
        losses: one number a seed (S,), smaller is better, by label; seeds in the same order.

    Raises:
        MissingDependencyError: scipy is not installed.
    """
    if not can_test():
        raise MissingDependencyError("scipy", "predictors", "the test of pairs of strategies")
    pairs = list(combinations(losses, 2))
    p_values = [_signed_rank(losses[a], losses[b]) for a, b in pairs]
    tests = []
    for (a, b), p, p_holm in zip(pairs, p_values, holm(p_values), strict=True):
        curve = mean_curve((losses[a] - losses[b])[:, None])
        tests.append(PairTest(a, b, float(curve.mean[0]), float(curve.low[0]), float(curve.high[0]), p, p_holm))
    return tests


def _signed_rank(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Two-sided p-value of Wilcoxon's test; 1 where no pair differs by more than a rounding."""
    from scipy.stats import wilcoxon

    scale = max(np.abs(a).max(), np.abs(b).max()) or 1.0
    differences = np.round((a - b) / scale, 12)
    some = differences[differences != 0]
    if not len(some):
        return 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # few pairs with ties: only the approximation is left
        return float(wilcoxon(some).pvalue)
