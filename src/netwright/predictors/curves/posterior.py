"""The posterior of a curve's end for each shape, noise and wander: Gaussian regression, written out.

For a shape g the curve is ``y(x) = end (1 - g(x)) + start g(x) + wander(x) + noise(x)``; end and start have a Gaussian
prior, the wander is a Brownian motion in log x, the noise is independent. Knows no families and no units.

References:
    C. E. Rasmussen and C. Williams, 2006, "Gaussian Processes for Machine Learning", section 2.7 (explicit basis
    functions with a Gaussian prior) and equation 2.43 (their evidence).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

NOISES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
"""Standard deviations of the noise at the last seen epoch."""

SHRINKS = (0.0, 1.0)
"""The variance of the noise falls with the epochs to this power."""

WANDERS = (0.3, 1.0, 3.0, 10.0)
"""Variance of the wander over a factor e of epochs, relative to that of the noise."""

GAIN = (0.1, 0.15)
"""A further gain is expected: mean and standard deviation over a factor e of epochs."""

LEAST_STD = 0.05
START_STD = 0.5


@dataclass(frozen=True, slots=True)
class Setting:
    """Where curves were measured.

    Args:
        epochs: shape (n,), rising.
        counts: how many measurements each is the mean of, shape (n,).
        horizon: beyond the last of them.
    """

    epochs: np.ndarray
    counts: np.ndarray
    horizon: float


def posterior(falls: np.ndarray, curves: np.ndarray, setting: Setting) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Evidence and prediction at the horizon for every shape, noise, shrinking and wander.

    Args:
        falls: g of each shape at each epoch, shape (shapes, n).
        curves: 0 is now, -1 about the beginning, shape (m, n).
        setting: where they were measured.

    Returns:
        Logarithm of the evidence, mean and standard deviation of the score at the horizon, noise included; each of
        shape (components, m).
    """
    bases = np.stack([1 - falls, falls], axis=2)  # shapes, n, 2
    parts = [_given(bases, curves, setting, shrink, wander) for shrink, wander in product(SHRINKS, WANDERS)]
    logs, means, stds = (np.concatenate(part) for part in zip(*parts, strict=True))
    return logs - np.log(len(parts) * len(NOISES)), means, stds


def _given(
    bases: np.ndarray, curves: np.ndarray, setting: Setting, shrink: float, wander: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same for one shrinking of the noise and one wander."""
    from scipy.linalg import cholesky, solve_triangular

    x, count = setting.epochs, len(setting.epochs)
    along = np.log(x / x[0])
    noise = (x / x[-1]) ** -shrink / setting.counts
    factor = cholesky(np.diag(noise) + wander * np.minimum.outer(along, along), lower=True)
    num_shapes = len(bases)
    right = np.concatenate([bases.transpose(1, 0, 2).reshape(count, -1), curves.T, wander * along[:, None]], axis=1)
    solved = solve_triangular(factor, right, lower=True, check_finite=False)
    basis = solved[:, : 2 * num_shapes].reshape(count, num_shapes, 2).transpose(1, 2, 0)  # shapes, 2, n
    data, cross = solved[:, 2 * num_shapes : -1], solved[:, -1]
    ahead = np.log(setting.horizon / x[0])
    rest = (setting.horizon / x[-1]) ** -shrink + wander * ahead - cross @ cross
    whole = _Whitened(basis, data, np.array([1.0, 0.0]) - basis @ cross, cross @ data, rest)
    return whole.predict(np.log(np.diag(factor)).sum(), _prior(setting))


def _prior(setting: Setting) -> tuple[np.ndarray, np.ndarray]:
    """Mean and precision of end and start, two arrays of shape (2,)."""
    reach = np.log(setting.horizon / setting.epochs[-1])
    mean, std = GAIN
    return np.array([mean * reach, -1.0]), np.array([(LEAST_STD + std * reach) ** -2, START_STD**-2])


@dataclass(frozen=True, slots=True)
class _Whitened:
    """A regression whose noise and wander are independent and of variance 1, but for the noise's own variance.

    Args:
        basis: shape (shapes, 2, n).
        data: shape (n, m).
        ahead: what end and start weigh in the prediction, shape (shapes, 2).
        carried: what the wander carries into the prediction, shape (m,).
        rest: variance of the prediction where end and start are known.
    """

    basis: np.ndarray
    data: np.ndarray
    ahead: np.ndarray
    carried: np.ndarray
    rest: float

    def predict(
        self, log_determinant: float, prior: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log evidence, mean, standard deviation, each of shape (noises x shapes, m)."""
        variances = np.array(NOISES) ** 2
        mean, precision = prior
        gram = self.basis @ self.basis.transpose(0, 2, 1)
        precisions = np.diag(precision) + gram / variances[:, None, None, None]  # noises, shapes, 2, 2
        onto = (self.basis @ self.data)[None] / variances[:, None, None, None]
        right = onto + (precision * mean)[:, None]  # noises, shapes, 2, m
        covariances, determinants = _inverse(precisions)
        weights = covariances @ right
        squares = (self.data**2).sum(axis=0) / variances[:, None] + precision @ mean**2
        count = len(self.data)
        logs = -0.5 * (squares[:, None] - (right * weights).sum(axis=2))
        logs += 0.5 * (np.log(precision).sum() - np.log(determinants))[..., None]
        logs -= (count * np.log(NOISES) + log_determinant)[:, None, None]
        means = np.einsum("sp,gspm->gsm", self.ahead, weights) + self.carried
        spread = np.einsum("sp,gspq,sq->gs", self.ahead, covariances, self.ahead)
        stds = np.sqrt(spread + self.rest * variances[:, None])
        rows = logs.shape[0] * logs.shape[1]
        shape = rows, self.data.shape[1]
        return logs.reshape(shape), means.reshape(shape), np.broadcast_to(stds.reshape(rows, 1), shape)


def _inverse(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inverses and determinants of symmetric matrices of two rows, shape (..., 2, 2)."""
    a, b, d = matrices[..., 0, 0], matrices[..., 0, 1], matrices[..., 1, 1]
    determinants = a * d - b * b
    inverses = np.stack([np.stack([d, -b], axis=-1), np.stack([-b, a], axis=-1)], axis=-2)
    return inverses / determinants[..., None, None], determinants
