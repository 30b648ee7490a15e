"""What other devices' tables say of how latency depends on an architecture.

Each table becomes a function that is linear in the architecture's row (`Descriptors`), fitted by ridge regression with
gross errors weighed down, and taken relative to its mean over the space: a phone and a server differ in scale, and
what they share is shape. Knows nothing of the device that is to be predicted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netwright.predictors.latency.descriptors import Descriptors
from netwright.predictors.latency.tables import LatencyTable

MOST_ROWS = 2000
"""Measurements of a table that are used; evenly spread ones of a longer one."""

STRENGTHS = 10.0 ** np.arange(-4, 3)
"""Ridge penalties among which generalised cross-validation chooses."""

DEGREES = 4.0
ROUNDS = 4


def relative_functions(descriptors: Descriptors, tables: Sequence[LatencyTable]) -> np.ndarray:
    """Functions of the tables' devices: latency over mean latency, minus 1, is a row times a column of the result.

    Args:
        descriptors: of the space.
        tables: of other devices.

    Returns:
        Shape (d + 1, devices); the last entry of a column is a constant.
    """
    columns = [_function(descriptors, table) for table in tables]
    return np.stack(columns, axis=1) if columns else np.zeros((descriptors.reference.shape[1] + 1, 0))


def with_constant(rows: np.ndarray) -> np.ndarray:
    """Rows with a 1 at their end."""
    return np.concatenate([rows, np.ones((len(rows), 1))], axis=1)


def _function(descriptors: Descriptors, table: LatencyTable) -> np.ndarray:
    used = np.unique(np.linspace(0, len(table.values) - 1, min(MOST_ROWS, len(table.values))).astype(np.intp))
    values = table.values[used]
    rows = descriptors.rows([table.architectures[place] for place in used.tolist()])
    found = robust_ridge(rows, values / np.median(values))
    level = float((with_constant(descriptors.reference) @ found).mean())
    found = found / level if level > 0 else np.zeros_like(found)
    found[-1] -= 1.0 if level > 0 else 0.0
    return found


def robust_ridge(rows: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Ridge regression with errors of Student's t; the constant, the last coefficient, is not shrunk.

    Args:
        rows: shape (n, d).
        targets: shape (n,).

    Returns:
        Shape (d + 1,).

    References:
        G. Golub, M. Heath and G. Wahba, 1979, "Generalized Cross-Validation as a Method for Choosing a Good Ridge
        Parameter"; K. Lange et al., 1989, as in `netwright.predictors.latency.process`.

    Example:
        >>> robust_ridge(np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([1.0, 3.0, 5.0, 7.0])).round(2).tolist()
        [2.0, 1.0]
    """
    weights = np.ones(len(targets))
    found = np.zeros(rows.shape[1] + 1)
    for _ in range(ROUNDS):
        found = _ridge(rows, targets, weights)
        off = targets - with_constant(rows) @ found
        usual = max(1.4826 * float(np.median(np.abs(off))), 1e-6)
        weights = (DEGREES + 1) / (DEGREES + np.square(off / usual))
    return found


def _ridge(rows: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted ridge regression; the penalty has the lowest error of generalised cross-validation."""
    varied = np.ptp(rows, axis=0) > 0
    share = weights / weights.sum()
    centre, level = share @ rows, float(share @ targets)
    root = np.sqrt(weights)[:, None]
    left, singular, right = np.linalg.svd((rows - centre)[:, varied] * root, full_matrices=False)
    wanted = root[:, 0] * (targets - level)
    inside = left.T @ wanted
    best, lowest = np.zeros(rows.shape[1]), np.inf
    for strength in STRENGTHS:
        kept = singular**2 / (singular**2 + strength)
        error = float(np.square(wanted - left @ (kept * inside)).sum())
        free = max(len(targets) - 1 - float(kept.sum()), 0.5)
        if error / free**2 < lowest * (1 - 1e-9):
            lowest = error / free**2
            best = np.zeros(rows.shape[1])
            best[varied] = right.T @ (singular / (singular**2 + strength) * inside)
    return np.append(best, level - float(centre @ best))
