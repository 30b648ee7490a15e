"""Regression by a sum of kernels with weights, of which the measurements say how large they are; errors may be gross.

    k(a, b) = sum over parts p of  w_p k_p(a, b),   y_i = f_i + error_i,   error_i ~ Student's t

Weights and noise are where the evidence times a log-normal prior is highest, so that one measurement is enough to
start from what is expected, and many outvote it. Knows no architectures: it sees kernel matrices.

References:
    C. E. Rasmussen and C. Williams, 2006, "Gaussian Processes for Machine Learning", equations 5.9 (evidence) and 5.10
    to 5.12 (leaving one out). K. Lange, R. Little and J. Taylor, 1989, "Robust Statistical Modeling Using the t
    Distribution", section 3: errors of Student's t by reweighting. Deviation of ours: weights and reweighting take
    turns `ROUNDS` times instead of until nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

DEGREES = 4.0
"""Of freedom of the errors."""

ROUNDS = 3
ITERATIONS = 25
JITTER = 1e-8


@dataclass(frozen=True)
class Expectation:
    """Where weights and noise are expected.

    Args:
        logs: logarithms of the variances of the parts, then of the noise; shape (p + 1,).
        spread: standard deviations of these logarithms, shape (p + 1,).
    """

    logs: np.ndarray
    spread: np.ndarray


@dataclass(frozen=True)
class Posterior:
    """What is believed of a function after measurements.

    Args:
        kernels: between the measured, shape (p, n, n).
        targets: shape (n,).
        logs: as in `Expectation`.
        local: by what the noise of each measurement is larger than usual, shape (n,).
    """

    kernels: np.ndarray
    targets: np.ndarray
    logs: np.ndarray
    local: np.ndarray

    @property
    def noise(self) -> float:
        """Variance of the usual error."""
        return float(np.exp(self.logs[-1]))

    @cached_property
    def _covariance(self) -> np.ndarray:
        return np.asarray(np.tensordot(np.exp(self.logs[:-1]), self.kernels, 1))

    @cached_property
    def _inverse(self) -> np.ndarray:
        return inverse(self._covariance + np.diag(self.noise * self.local))[0]

    @cached_property
    def _solved(self) -> np.ndarray:
        return np.asarray(self._inverse @ self.targets)

    def predict(self, cross: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of the function, without noise.

        Args:
            cross: kernels between m others and the measured, shape (p, m, n).
            own: kernels of the others with themselves, shape (p, m).

        Returns:
            Two arrays of shape (m,).
        """
        weights = np.exp(self.logs[:-1])
        covariance = np.tensordot(weights, cross, 1)
        explained = np.einsum("mn,mn->m", covariance @ self._inverse, covariance)
        return covariance @ self._solved, np.maximum(weights @ own - explained, 0.0)

    def left_out(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of each measurement, noise included, by all others; two arrays of shape (n,)."""
        diagonal = np.diag(self._inverse)
        return self.targets - self._solved / diagonal, 1 / diagonal

    def reweighted(self) -> np.ndarray:
        """By what the noise of each measurement is larger than usual, given how far off it is."""
        left = self.targets - self._covariance @ self._solved
        unsure = np.diag(self._covariance - self._covariance @ self._inverse @ self._covariance)
        return np.asarray((DEGREES + (left**2 + np.maximum(unsure, 0.0)) / self.noise) / (DEGREES + 1))


def fit(kernels: np.ndarray, targets: np.ndarray, expectation: Expectation) -> Posterior:
    """Find weights, noise and the measurements that are far off.

    Args:
        kernels: between the measured, shape (p, n, n).
        targets: shape (n,).
        expectation: of the logarithms.
    """
    from scipy.optimize import minimize

    posterior = Posterior(kernels, targets, expectation.logs, np.ones(len(targets)))
    for turn in range(ROUNDS):
        local = posterior.reweighted() if turn else posterior.local
        found = minimize(
            _loss,
            posterior.logs,
            args=(kernels, targets, local, expectation),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": ITERATIONS},
        )
        logs = found.x if np.isfinite(found.x).all() else posterior.logs
        posterior = Posterior(kernels, targets, logs, local)
    return posterior


def inverse(covariance: np.ndarray) -> tuple[np.ndarray, float]:
    """Inverse and logarithm of the determinant of a covariance, with a little on its diagonal."""
    from scipy.linalg import cho_solve

    jitter = JITTER * (1 + float(np.trace(covariance)) / len(covariance))
    factor = np.linalg.cholesky(covariance + jitter * np.eye(len(covariance)))
    found = np.asarray(cho_solve((factor, True), np.eye(len(covariance)), check_finite=False))
    return found, 2 * float(np.log(np.diag(factor)).sum())


def _loss(
    logs: np.ndarray, kernels: np.ndarray, targets: np.ndarray, local: np.ndarray, expectation: Expectation
) -> tuple[float, np.ndarray]:
    """Negative logarithm of evidence and prior, and its gradient."""
    logs = np.clip(logs, expectation.logs - 12, expectation.logs + 12)
    weights, noise = np.exp(logs[:-1]), np.exp(logs[-1]) * local
    inverted, log_determinant = inverse(np.tensordot(weights, kernels, 1) + np.diag(noise))
    solved = inverted @ targets
    outer = inverted - np.outer(solved, solved)
    slopes = [0.5 * w * float(np.vdot(outer, kernel)) for w, kernel in zip(weights, kernels, strict=True)]
    gradient = np.array([*slopes, 0.5 * float(noise @ np.diag(outer))])
    off = (logs - expectation.logs) / expectation.spread
    return float(0.5 * (targets @ solved + log_determinant + off @ off)), gradient + off / expectation.spread
