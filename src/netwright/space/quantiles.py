"""Where numbers stand among known ones, as quantiles of the normal distribution."""

from __future__ import annotations

import numpy as np

LEAST_DEVIATION = 1e-3


def normal_quantiles(values: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Normal quantiles of columns among those of a table; 0 for what is no number.

    Args:
        values: shape (m, columns).
        table: each column sorted, without NaN, shape (n, columns).

    Returns:
        Shape (m, columns).

    Example:
        >>> normal_quantiles(np.array([[0.0], [2.0], [9.0]]), np.array([[1.0], [2.0], [3.0]])).round(2).ravel().tolist()
        [-1.15, 0.0, 1.15]
    """
    from scipy.special import ndtri

    found = np.zeros(values.shape)
    if len(values) < values.shape[1]:
        for row, numbers in enumerate(values):
            found[row] = np.count_nonzero(table < numbers, axis=0) + np.count_nonzero(table <= numbers, axis=0)
    else:
        for column, numbers in enumerate(values.T):
            known = table[:, column]
            found[:, column] = known.searchsorted(numbers, "left") + known.searchsorted(numbers, "right")
    shares = (0.5 * found + 0.5) / (len(table) + 1)
    return np.where(np.isnan(values), 0.0, ndtri(shares))


class StandardQuantiles:
    """`normal_quantiles` in units of the standard deviation that the table's own have; 0 where a column is constant.

    Args:
        table: numbers of random cases, in any order, shape (n, columns).
    """

    def __init__(self, table: np.ndarray) -> None:
        ordered = np.sort(table, axis=0)
        self._varies = np.flatnonzero(ordered[0] < ordered[-1])
        self._table = ordered[:, self._varies]
        deviations = normal_quantiles(self._table, self._table).std(axis=0)
        self._deviations = np.maximum(deviations, LEAST_DEVIATION)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Quantiles of columns, shape (m, columns) as the values."""
        found = np.zeros(values.shape)
        found[:, self._varies] = normal_quantiles(values[:, self._varies], self._table) / self._deviations
        return found
