"""How alike two rankings are: Spearman's correlation, its interval, and how far other rankings explain one.

Pure arithmetic over columns of numbers; knows no networks and no proxies. What is not finite in one of the columns is
left out of a correlation, so that two scores do not agree merely because both fail on the same networks.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from netwright.predictors.ranks import ranks

FEWEST = 3
"""Pairs that a correlation is made of at least."""

Z_95 = 1.959963984540054
"""The normal distribution's 97.5 % quantile."""

Column = NDArray[np.float64]


def spearman(a: Column, b: Column) -> float:
    """Spearman's rank correlation of the pairs that are finite in both.

    Args:
        a: shape (n,).
        b: shape (n,).

    Returns:
        In [-1, 1]; NaN of fewer than three pairs, and where one column is constant.

    Example:
        >>> spearman(np.array([1.0, 2.0, 3.0, np.nan]), np.array([10.0, 100.0, 1000.0, 0.0]))
        1.0
    """
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < FEWEST:
        return math.nan
    x, y = (
        centred / np.linalg.norm(centred) if centred.any() else None for centred in map(_centred, (a[both], b[both]))
    )
    return math.nan if x is None or y is None else float(np.clip(round(float(x @ y), 12), -1.0, 1.0))


def spearman_interval(correlation: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a Spearman correlation, by Fisher's transformation.

    Args:
        correlation: in [-1, 1], or NaN.
        count: pairs it is of.

    Returns:
        Lowest and highest value; both NaN where there are too few pairs to say.

    References:
        D. Bonett and T. Wright, 2000, "Sample size requirements for estimating Pearson, Kendall and Spearman
        correlations" (the variance (1 + r^2 / 2) / (n - 3)).

    Example:
        >>> [round(end, 3) for end in spearman_interval(0.5, 1000)]
        [0.449, 0.548]
    """
    if math.isnan(correlation) or count <= FEWEST:
        return math.nan, math.nan
    centre = math.atanh(max(-1 + 1e-12, min(1 - 1e-12, correlation)))
    half = Z_95 * math.sqrt((1 + correlation**2 / 2) / (count - 3))
    return math.tanh(centre - half), math.tanh(centre + half)


def explained(values: Column, others: list[Column]) -> float:
    """Share of the variance of a column's ranks that a linear model of the other columns' ranks explains.

    Args:
        values: shape (n,).
        others: columns of shape (n,); those without any variance, and those that are nowhere finite, say nothing.

    Returns:
        In [0, 1]: 1 where the column merely repeats the others. NaN where there are too few rows for a model of so many
        columns, or where the column is constant.

    Example:
        >>> size = np.arange(10.0)
        >>> explained(size**3, [size])
        1.0
    """
    usable = [other for other in others if np.isfinite(other).any()]
    finite = np.isfinite(values) & np.all([np.isfinite(other) for other in usable], axis=0)
    if not usable or finite.sum() < len(usable) + FEWEST:
        return math.nan
    wanted = _centred(values[finite])
    if not wanted.any():
        return math.nan
    known = np.stack([_centred(other[finite]) for other in usable], axis=1)
    weights, *_ = np.linalg.lstsq(known, wanted, rcond=None)
    rest = wanted - known @ weights
    return float(np.clip(round(1.0 - float(rest @ rest) / float(wanted @ wanted), 12), 0.0, 1.0))


def top_share(values: Column, share: float) -> NDArray[np.bool_]:
    """Which rows are among the best of a column.

    Args:
        values: larger is better, shape (n,); what is not finite is never among them.
        share: of the rows, in (0, 1].

    Example:
        >>> top_share(np.array([1.0, 4.0, np.inf, 3.0]), 0.5).tolist()
        [False, True, False, True]
    """
    last_if_not_finite = np.where(np.isfinite(values), values, -np.inf)
    best = np.argsort(-last_if_not_finite, kind="stable")[: math.ceil(share * len(values))]
    return np.isin(np.arange(len(values)), best) & np.isfinite(values)


def _centred(values: Column) -> Column:
    found = ranks(values)
    return np.asarray(found - found.mean())
