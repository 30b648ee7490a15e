"""Ranks in the place of numbers whose scale means nothing. Pure functions of columns."""

from __future__ import annotations

import numpy as np


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal values sharing the mean of theirs; shape (n,)."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    return np.asarray((ends - (count - 1) / 2)[place])


def ranks_as_normal(values: np.ndarray) -> np.ndarray:
    """The normal quantiles of the ranks, shape (n,); all 0 for equal values.

    Example:
        >>> ranks_as_normal(np.array([3.0, 1.0, 2.0])).round(2).tolist()
        [0.97, -0.97, 0.0]
    """
    from scipy.special import ndtri

    return np.asarray(ndtri((ranks(values) - 0.5) / len(values)))
