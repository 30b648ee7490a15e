"""A Gaussian process over architectures: regression with a sum of kernels, each over its own distances.

It sees architectures as squared distances only, a matrix for each part (decisions, operations, paths, ...), and knows
no space and no strategy. Its few hyper-parameters are the maximum of the marginal likelihood times a prior.

    k(a, b) = sum over parts p of  w_p exp(-d_p(a, b) / l_p)
            + sum over straight parts p of  v_p (F / 2) exp(-d_p(a, b) / F),   y = f + noise

The second sum has one length, far beyond all distances, so that exp(-d / F) is nearly 1 - d / F: a straight line
through the points of a part, which is most of what a few observations can tell, and an offset.

References:
    C. E. Rasmussen and C. Williams, 2006, "Gaussian Processes for Machine Learning", algorithm 2.1 and equation 5.9.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

JITTER = 1e-6
"""Added to the diagonal of a covariance; ten times as much, and so on, where it still is singular."""

MOST_JITTER = 1e-2

NOISE = 1e-2
"""Where the noise variance is expected, relative to a signal of variance 1."""

FAR = 30.0
"""Squared distance at which straight parts end to be straight; random architectures are at one of 1."""

STRAIGHT = 0.4
"""Where the variances of all straight parts together are expected, at the squared distance of 1."""

SPREAD = (1.5, 1.0, 1.5, 1.0)
"""Standard deviations of the logarithms of weights, lengths, variances of straight parts, and noise around what is
expected."""

BOUNDS = ((-8.0, 3.0), (-3.0, 4.0), (-8.0, 3.0), (-9.0, 0.0))
"""Least and greatest logarithms of these."""

ITERATIONS = 30


class SingularCovariance(Exception):
    """A covariance that cannot be factorised, whatever is added to its diagonal."""


class GaussianProcess:
    """Regression of standardised targets.

    Args:
        num_parts: how many distances there are between two architectures.
        straight: places of those parts that are straight, too.

    Attributes:
        log_parameters: logarithms of weights, lengths, variances of straight parts, and noise variance, shape
            (2 num_parts + straight + 1,). `tune` begins at those it found before.
    """

    def __init__(self, num_parts: int, straight: Sequence[int] = ()) -> None:
        self.num_parts = num_parts
        self.straight = list(straight)
        weights = np.full(num_parts, -np.log(num_parts))
        lines = np.log(np.full(len(self.straight), STRAIGHT) / max(1, len(self.straight)))
        self._expected = np.concatenate([weights, np.zeros(num_parts), lines, [np.log(NOISE)]])
        self._sizes = (num_parts, num_parts, len(self.straight), 1)
        self._spread = np.repeat(SPREAD, self._sizes)
        self.log_parameters = self._expected.copy()
        self._factor = np.zeros((0, 0))
        self._solved = np.zeros(0)

    @property
    def signal(self) -> float:
        """Variance of the function."""
        weights, lines = np.exp(self.log_parameters[: self.num_parts]), np.exp(self.log_parameters[self._lines])
        return float(weights.sum() + lines.sum() * FAR / 2)

    @property
    def noise(self) -> float:
        """Variance of the noise."""
        return float(np.exp(self.log_parameters[-1]))

    @property
    def _lines(self) -> slice:
        return slice(2 * self.num_parts, 2 * self.num_parts + len(self.straight))

    def covariance(self, distances: Sequence[np.ndarray]) -> np.ndarray:
        """Covariance of the function between architectures, without noise.

        Args:
            distances: squared distances, one array of shape (m, n) for each part.

        Returns:
            Shape (m, n).
        """
        logs = self.log_parameters
        weights, rates = np.exp(logs[: self.num_parts]), np.exp(-logs[self.num_parts : 2 * self.num_parts])
        curved = (w * np.exp(d * -rate) for w, rate, d in zip(weights, rates, distances, strict=True))
        lines = zip(self.straight, np.exp(logs[self._lines]), strict=True)
        return cast(np.ndarray, sum(curved) + sum(v * FAR / 2 * np.exp(distances[p] * (-1 / FAR)) for p, v in lines))

    def tune(self, distances: Sequence[np.ndarray], targets: np.ndarray) -> None:
        """Find the hyper-parameters that make the targets most probable.

        Args:
            distances: squared distances between the observed, one array of shape (n, n) for each part.
            targets: shape (n,), of mean 0 and variance 1.
        """
        from scipy.optimize import minimize

        bounds = [bound for bound, times in zip(BOUNDS, self._sizes, strict=True) for _ in range(times)]
        pairs = _Pairs(distances, self.straight)
        found = minimize(
            self._loss,
            self.log_parameters,
            args=(pairs, targets),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": ITERATIONS},
        )
        if np.isfinite(found.x).all():
            self.log_parameters = found.x

    def condition(self, distances: Sequence[np.ndarray], targets: np.ndarray) -> None:
        """Take the observations in that predictions rest on.

        Args:
            distances: as for `tune`.
            targets: as for `tune`.

        Raises:
            SingularCovariance: the covariance cannot be factorised.
        """
        self._factor = _cholesky(self.covariance(distances) + self.noise * np.eye(len(targets)))
        self._solved = _solve(self._factor, targets)

    def predict(self, distances: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the function, without noise.

        Args:
            distances: squared distances to the observed, one array of shape (m, n) for each part.

        Returns:
            Two arrays of shape (m,).
        """
        from scipy.linalg import solve_triangular

        cross = self.covariance(distances)
        explained = solve_triangular(self._factor, cross.T, lower=True, check_finite=False)
        variance = self.signal - np.einsum("nm,nm->m", explained, explained)
        return cross @ self._solved, np.sqrt(np.maximum(variance, 1e-9))

    def _loss(self, logs: np.ndarray, pairs: _Pairs, targets: np.ndarray) -> tuple[float, np.ndarray]:
        """Negative logarithm of the posterior of the hyper-parameters, and its gradient."""
        parts = self.num_parts
        lengths = slice(parts, 2 * parts)
        weights, rates, noise = np.exp(logs[:parts]), np.exp(-logs[lengths]), np.exp(logs[-1])
        lines = np.exp(logs[self._lines])
        kernels = weights[:, None] * np.exp(pairs.distances * -rates[:, None])
        try:
            factor = _cholesky(pairs.square(kernels.sum(axis=0) + lines @ pairs.lines) + noise * np.eye(len(targets)))
        except SingularCovariance:
            return 1e10, np.zeros_like(logs)
        solved, inverse = _solve(factor, targets), _inverse(factor)
        outer = pairs.twice(inverse - np.outer(solved, solved))
        gradient = np.empty_like(logs)
        gradient[:parts] = 0.5 * kernels @ outer
        gradient[lengths] = 0.5 * rates * ((kernels * pairs.distances) @ outer)
        gradient[self._lines] = 0.5 * lines * (pairs.lines @ outer)
        gradient[-1] = 0.5 * noise * outer[pairs.diagonal].sum()
        off = (logs - self._expected) / self._spread
        loss = 0.5 * targets @ solved + np.log(np.diag(factor)).sum() + 0.5 * off @ off
        return float(loss), gradient + off / self._spread


class _Pairs:
    """Symmetric matrices as vectors of their lower triangles: half the work of the whole.

    Args:
        distances: one array of shape (n, n) for each part.
        straight: places of the parts that are straight, too.

    Attributes:
        distances: shape (parts, n (n + 1) / 2).
        lines: kernels of the straight parts of variance 1, shape (straight, n (n + 1) / 2).
        diagonal: places of the diagonal in such a vector, shape (n,).
    """

    def __init__(self, distances: Sequence[np.ndarray], straight: Sequence[int] = ()) -> None:
        self._shape = distances[0].shape
        rows, columns = np.tril_indices(len(distances[0]))
        self._places = rows * self._shape[1] + columns
        self.diagonal = np.flatnonzero(rows == columns)
        self.distances = np.stack([part.ravel()[self._places] for part in distances])
        self.lines = FAR / 2 * np.exp(self.distances[list(straight)] * (-1 / FAR))

    def square(self, vector: np.ndarray) -> np.ndarray:
        """The matrix, of which the part above the diagonal is left 0: a Cholesky factor does not read it."""
        matrix = np.zeros(self._shape)
        matrix.ravel()[self._places] = vector
        return matrix

    def twice(self, lower: np.ndarray) -> np.ndarray:
        """Lower triangle of a matrix, with what is off the diagonal doubled, so that sums are those of the whole."""
        vector = 2 * lower.ravel()[self._places]
        vector[self.diagonal] /= 2
        return np.asarray(vector)


def _cholesky(covariance: np.ndarray) -> np.ndarray:
    jitter = JITTER
    while jitter <= MOST_JITTER:
        try:
            return np.linalg.cholesky(covariance + jitter * np.eye(len(covariance)))
        except np.linalg.LinAlgError:
            jitter *= 10
    raise SingularCovariance(f"no Cholesky factor of a covariance of {len(covariance)} observations")


def _solve(factor: np.ndarray, right: np.ndarray) -> np.ndarray:
    from scipy.linalg import cho_solve

    return cast(np.ndarray, cho_solve((factor, True), right, check_finite=False))


def _inverse(factor: np.ndarray) -> np.ndarray:
    """Lower triangle of the inverse of the matrix whose lower Cholesky factor is given; what is above is undefined."""
    from scipy.linalg.lapack import dpotri

    upper, _ = dpotri(factor.T, lower=False)  # in the order in which it stands in memory
    return cast(np.ndarray, upper.T)
