"""How evaluations are shared among fidelities, from what they cost and what they say of the full one.

Pure functions of numbers. They know no architectures and no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from netwright.types import Fidelity

FACTOR = 3.0
"""A level costs at least so many times as much as the one below it: between closer ones there is little to decide."""

MOST_LEVELS = 5


def ladder(fidelities: Sequence[Fidelity]) -> tuple[Fidelity, ...]:
    """The fidelities a search uses, far enough apart; the last is the last given, the full one.

    Args:
        fidelities: the cheapest first.

    Example:
        >>> [f.epochs for f in ladder([Fidelity(epochs=e) for e in range(1, 101)])]
        [1, 3, 11, 33, 100]
    """
    chosen = [fidelities[-1]]
    for fidelity in reversed(fidelities[:-1]):
        if fidelity.cost * FACTOR <= chosen[-1].cost and len(chosen) < MOST_LEVELS:
            chosen.append(fidelity)
    return tuple(reversed(chosen))


def shares(costs: Sequence[float], correlations: Sequence[float]) -> np.ndarray:
    """How many evaluations each level has for one at the full level; 0 where a level is not worth its cost.

    Args:
        costs: of an evaluation at each level, > 0, the cheapest first.
        correlations: of each level with the full one, in [0, 1]; the last counts as 1.

    Returns:
        Shape (levels,); the last is 1.

    Example:
        >>> shares([1 / 17, 1.0], [0.9, 1.0]).round(2).tolist(), shares([1 / 17, 1.0], [0.4, 1.0]).tolist()
        ([8.51, 1.0], [0.0, 1.0])

    References:
        B. Peherstorfer, K. Willcox and M. Gunzburger, 2016, "Optimal Model Management for Multifidelity Monte Carlo
        Estimation", theorem 3.4 and algorithm 1 (all sets of levels are tried, the one of the least variance for its
        cost is taken). Deviation: the rule is for means, and is taken here for the search of a maximum.
    """
    full = len(costs) - 1
    squares = np.minimum(np.square(correlations, dtype=float), 1 - 1e-4)
    squares[full] = 1.0
    best: tuple[int, ...] = (full,)
    least = float(costs[full])
    for size in range(1, full + 1):
        for lower in combinations(range(full), size):
            levels = (*lower, full)
            gains = np.diff(squares[list(levels)], prepend=0.0)
            if (gains > 0).all():
                variance = np.sqrt(gains * np.take(costs, levels)).sum() ** 2
                best, least = (levels, variance) if variance < least else (best, least)
    gains = np.diff(squares[list(best)], prepend=0.0)
    ratios = np.sqrt(gains / np.take(costs, best))
    result = np.zeros(len(costs))
    result[list(best)] = np.maximum.accumulate((ratios / ratios[-1])[::-1])[::-1]
    return result
