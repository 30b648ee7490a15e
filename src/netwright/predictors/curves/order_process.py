"""A Gaussian process that believes in order: more of the first number means more of the target, until shown otherwise.

    target = a + b x_1 + f(x_1) + w . x_rest + noise,   b ~ N(0.6, 0.3),   f smooth,   w small

Its hyper-parameters (how large f and w, how much noise) are a few settings each, averaged by evidence. Knows no curves.

References:
    C. E. Rasmussen and C. Williams, 2006, "Gaussian Processes for Machine Learning", algorithm 2.1.
"""

from __future__ import annotations

from itertools import product

import numpy as np

BENDS = (0.03, 0.3)
"""Variances of f."""

BEND_LENGTH = 1.5
TILTS = (1e-4, 0.03, 0.2)
"""Variances of what the other numbers say together."""

NOISES = (0.01, 0.05, 0.2, 0.7)
"""Variances of the noise."""

SLOPE = (0.6, 0.3)
"""Mean and standard deviation of b."""

LEVEL_VARIANCE = 1.0

FEW = 2.0
"""Deviations are wider by this over the count of targets, whose own scale was learnt from as few."""

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


class OrderProcess:
    """Regression of numbers of about unit scale.

    Args:
        numbers: shape (n, k), the one that orders first.
        targets: shape (n,).
        doubts: variance of each target, 0 where it is known, shape (n,).
    """

    def __init__(self, numbers: np.ndarray, targets: np.ndarray, doubts: np.ndarray) -> None:
        self._numbers = numbers
        self._widening = 1 + FEW / len(targets)
        self._settings = list(product(BENDS, TILTS, NOISES))
        bends, tilts, noises = (np.array(column)[:, None, None] for column in zip(*self._settings, strict=True))
        count = len(targets)
        covariance = _covariance(numbers, numbers, bends, tilts)
        covariance = covariance + np.eye(count) * noises + np.diag(doubts)
        self._inverse = np.linalg.inv(covariance)
        rest = targets - SLOPE[0] * numbers[:, 0]
        self._solved = self._inverse @ rest
        logs = -0.5 * (self._solved @ rest + np.linalg.slogdet(covariance)[1])
        weights = np.exp(logs - logs.max())
        self._weights = weights / weights.sum()

    def predict(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distribution of the target, noise included.

        Args:
            numbers: shape (k,).

        Returns:
            Values and their weights, two arrays of the same shape (values,).
        """
        bends, tilts, noises = (np.array(column)[:, None, None] for column in zip(*self._settings, strict=True))
        here = numbers[None]
        cross = _covariance(here, self._numbers, bends, tilts)[:, 0]
        means = SLOPE[0] * numbers[0] + (cross * self._solved).sum(axis=1)
        explained = np.einsum("sn,snm,sm->s", cross, self._inverse, cross)
        variances = _covariance(here, here, bends, tilts)[:, 0, 0] + noises[:, 0, 0] - explained
        stds = self._widening * np.sqrt(np.maximum(variances, 1e-9))
        values = means[:, None] + stds[:, None] * _NODES
        return values.ravel(), (self._weights[:, None] * _WEIGHTS).ravel()


def _covariance(a: np.ndarray, b: np.ndarray, bends: np.ndarray, tilts: np.ndarray) -> np.ndarray:
    """Without noise, for every setting: shape (settings, m, n)."""
    apart = (a[:, None, 0] - b[None, :, 0]) ** 2
    line = LEVEL_VARIANCE + SLOPE[1] ** 2 * np.outer(a[:, 0], b[:, 0])
    bend = np.exp(-0.5 * apart / BEND_LENGTH**2)
    tilt = a[:, 1:] @ b[:, 1:].T / max(1, a.shape[1] - 1)
    return np.asarray(line + bends * bend + tilts * tilt)
