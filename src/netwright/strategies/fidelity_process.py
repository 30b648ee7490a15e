"""A Gaussian process over architectures and fidelities: what a short training says of a long one is learnt.

Every fidelity (a level, 0 the cheapest) sees a function of its own over architectures. The functions of neighbouring
levels are correlated, and how much is a hyper-parameter: a product of kernels, over architectures and over levels.

    f_i(a) ~ k((a, i), (b, j)) = c_ij sum over parts p of  w_p exp(-d_p(a, b) / l_p),   c_ij = exp(-|t_i - t_j|)
    y_i(a) = s_i (f_i(a) + b_i + noise_i)

Levels lie on a line of learnt gaps, so that a level far from the full one says little, and one that misleads is as good
as alone. Each level has an offset, a scale and a noise of its own: targets at different levels need not be comparable,
and those at the full one are of chosen architectures. It sees distances only, and knows no space and no strategy.

References:
    M. Kennedy and A. O'Hagan, 2000, "Predicting the output from a complex computer code when fast approximations are
    available" (a Markov chain of levels); K. Swersky, J. Snoek and R. Adams, 2013, "Multi-Task Bayesian Optimization"
    (a product of kernels), and 2014, "Freeze-Thaw Bayesian Optimization" (curves as correlated observations of one
    architecture). Deviations: gaps between levels are free, instead of an exponential decay in epochs; there is no
    delta with a kernel of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from netwright.predictors.surrogate import CannotLearn

JITTER = 1e-6
"""Added to the diagonal of a covariance; ten times as much, and so on, where it still is singular."""

MOST_JITTER = 1e-2

LOWEST_OFFSET, OFFSET = 0.1, 1.0
"""Variances of the offsets of the lowest level that was observed, and of others, relative to a signal of variance 1:
at the others architectures are good by what was seen below, and the mean of their targets is 0 none the less."""

GAP = 0.1
"""Where the gap between neighbouring levels is expected: a correlation of 0.9."""

NOISE, CHEAP_NOISE = 1e-2, 5e-2
"""Where the noise variance of the full level, and of others, is expected."""

SPREAD = {"weights": 1.5, "lengths": 1.0, "noises": 1.5, "gaps": 1.0, "scales": 0.5}
"""Standard deviations of the logarithms of hyper-parameters around what is expected."""

BOUNDS = {"weights": (-8.0, 3.0), "lengths": (-3.0, 4.0), "noises": (-9.0, 2.0), "gaps": (-7.0, 2.5), "scales": (-3, 3)}
"""Least and greatest logarithms."""

ITERATIONS = 30


@dataclass(frozen=True, eq=False, slots=True)
class Observed:
    """What was observed.

    Args:
        places: of the architecture of each observation among the rows of distances, shape (n,).
        levels: of each observation, shape (n,).
        targets: larger is better; of mean 0 and variance 1 within a level; shape (n,).
    """

    places: np.ndarray
    levels: np.ndarray
    targets: np.ndarray


class FidelityProcess:
    """Regression over architectures and levels.

    Args:
        num_parts: how many distances there are between two architectures.
        num_levels: fidelities, the cheapest first.

    Attributes:
        log_parameters: logarithms of weights, lengths, noises, gaps and scales. `tune` begins at those it found before.
    """

    def __init__(self, num_parts: int, num_levels: int) -> None:
        self.num_levels = num_levels
        expected = {
            "weights": np.full(num_parts, -np.log(num_parts)),
            "lengths": np.zeros(num_parts),
            "noises": np.log([CHEAP_NOISE] * (num_levels - 1) + [NOISE]),
            "gaps": np.full(num_levels - 1, np.log(GAP)),
            "scales": np.zeros(num_levels),
        }
        ends = np.cumsum([len(values) for values in expected.values()]).tolist()
        self._slices = {name: slice(end - len(v), end) for (name, v), end in zip(expected.items(), ends, strict=True)}
        self._expected = np.concatenate(list(expected.values()))
        self._spread = np.concatenate([np.full(len(v), SPREAD[name]) for name, v in expected.items()])
        self._bounds = [BOUNDS[name] for name, v in expected.items() for _ in v]
        self.log_parameters = self._expected.copy()
        self._observed = Observed(np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0))
        self._factor = np.zeros((0, 0))
        self._solved = np.zeros(0)

    def correlations(self) -> np.ndarray:
        """Of an observation at each level, noise and all, with the function at the full one; shape (levels,)."""
        signal, noises = self._of("weights").sum(), self._of("noises")
        return np.asarray(self._between(self.log_parameters)[:, -1] * np.sqrt(signal / (signal + noises)))

    def tune(self, distances: Sequence[np.ndarray], observed: Observed) -> None:
        """Find the hyper-parameters that make the targets most probable.

        Args:
            distances: squared distances between the observed architectures, each of shape (u, u), for each part.
            observed: targets.
        """
        from scipy.optimize import minimize

        wide = [distance[np.ix_(observed.places, observed.places)] for distance in distances]
        found = minimize(
            self._loss,
            self.log_parameters,
            args=(wide, observed),
            jac=True,
            method="L-BFGS-B",
            bounds=self._bounds,
            options={"maxiter": ITERATIONS},
        )
        if np.isfinite(found.x).all():
            self.log_parameters = found.x

    def condition(self, distances: Sequence[np.ndarray], observed: Observed) -> None:
        """Take the observations in that predictions rest on.

        Raises:
            CannotLearn: the covariance cannot be factorised.
        """
        kernel = cast(np.ndarray, sum(self._kernels(distances, self.log_parameters)))
        covariance = self._covariance(kernel[np.ix_(observed.places, observed.places)], observed.levels)
        self._observed = observed
        self._factor = _cholesky(covariance)
        self._solved = _solve(self._factor, observed.targets / self._of("scales")[observed.levels])

    def predict(self, distances: Sequence[np.ndarray], level: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the function at a level, without offset, scale and noise.

        Args:
            distances: squared distances to the observed architectures, each of shape (m, u), for each part.
            level: of the function.

        Returns:
            Two arrays of shape (m,).
        """
        from scipy.linalg import solve_triangular

        kernel = cast(np.ndarray, sum(self._kernels(distances, self.log_parameters)))[:, self._observed.places]
        cross = kernel * self._between(self.log_parameters)[level, self._observed.levels]
        explained = solve_triangular(self._factor, cross.T, lower=True, check_finite=False)
        variance = self._of("weights").sum() - np.einsum("nm,nm->m", explained, explained)
        return cross @ self._solved, np.sqrt(np.maximum(variance, 1e-9))

    def target(self, value: np.ndarray, level: int) -> np.ndarray:
        """What would be observed at a level where the function has a value: with the level's offset and scale."""
        return np.asarray((value + self._offset(level)) * self._of("scales")[level])

    def value(self, target: np.ndarray, level: int) -> np.ndarray:
        """The inverse of `target`."""
        return np.asarray(target / self._of("scales")[level] - self._offset(level))

    def _offset(self, level: int) -> float:
        levels = self._observed.levels
        return float(_offsets(levels, self.num_levels)[level] * self._solved[levels == level].sum())

    def _of(self, name: str) -> np.ndarray:
        return np.asarray(np.exp(self.log_parameters[self._slices[name]]))

    def _between(self, logs: np.ndarray) -> np.ndarray:
        """Correlations of the functions of levels, shape (levels, levels)."""
        line = np.concatenate([[0.0], np.cumsum(np.exp(logs[self._slices["gaps"]]))])
        return np.asarray(np.exp(-np.abs(line[:, None] - line)))

    def _kernels(self, distances: Sequence[np.ndarray], logs: np.ndarray) -> list[np.ndarray]:
        weights, lengths = np.exp(logs[self._slices["weights"]]), np.exp(logs[self._slices["lengths"]])
        return [w * np.exp(d * (-1 / length)) for w, length, d in zip(weights, lengths, distances, strict=True)]

    def _covariance(self, kernel: np.ndarray, levels: np.ndarray, logs: np.ndarray | None = None) -> np.ndarray:
        logs = self.log_parameters if logs is None else logs
        between = self._between(logs)[np.ix_(levels, levels)]
        same = (levels[:, None] == levels) * _offsets(levels, self.num_levels)[levels]
        return np.asarray(kernel * between + same + np.diag(np.exp(logs[self._slices["noises"]])[levels]))

    def _loss(self, logs: np.ndarray, distances: Sequence[np.ndarray], seen: Observed) -> tuple[float, np.ndarray]:
        """Negative logarithm of the posterior of the hyper-parameters, and its gradient."""
        kernels = self._kernels(distances, logs)
        kernel = cast(np.ndarray, sum(kernels))
        scaled = seen.targets * np.exp(-logs[self._slices["scales"]])[seen.levels]
        try:
            factor = _cholesky(self._covariance(kernel, seen.levels, logs))
        except CannotLearn:
            return 1e10, np.zeros_like(logs)
        solved = _solve(factor, scaled)
        outer = _solve(factor, np.eye(len(scaled))) - np.outer(solved, solved)
        off = (logs - self._expected) / self._spread
        loss = 0.5 * scaled @ solved + np.log(np.diag(factor)).sum() + 0.5 * off @ off
        loss += logs[self._slices["scales"]][seen.levels].sum()  # the density of the targets, not of the scaled ones
        gradient = off / self._spread
        self._add_kernel_gradient(gradient, logs, outer, (kernels, distances), seen.levels)
        per_level = np.eye(self.num_levels)[seen.levels]
        gradient[self._slices["noises"]] += 0.5 * np.exp(logs[self._slices["noises"]]) * (np.diag(outer) @ per_level)
        gradient[self._slices["scales"]] += (1 - solved * scaled) @ per_level
        return float(loss), gradient

    def _add_kernel_gradient(
        self,
        gradient: np.ndarray,
        logs: np.ndarray,
        outer: np.ndarray,
        parts: tuple[Sequence[np.ndarray], Sequence[np.ndarray]],
        levels: np.ndarray,
    ) -> None:
        """Add what weights, lengths and gaps change of half the trace of ``outer`` times the covariance."""
        between = outer * self._between(logs)[np.ix_(levels, levels)]
        lengths, gaps = np.exp(logs[self._slices["lengths"]]), np.exp(logs[self._slices["gaps"]])
        total = np.zeros_like(between)
        for part, (kernel, distance) in enumerate(zip(*parts, strict=True)):
            weighted = between * kernel
            total += weighted
            gradient[self._slices["weights"]][part] += 0.5 * weighted.sum()
            gradient[self._slices["lengths"]][part] += 0.5 * np.vdot(weighted, distance) / lengths[part]
        for k, gap in enumerate(gaps):
            below = levels <= k
            gradient[self._slices["gaps"]][k] -= gap * total[np.ix_(below, ~below)].sum()


def _offsets(levels: np.ndarray, num_levels: int) -> np.ndarray:
    """Variances of the offsets, shape (num_levels,)."""
    return np.where(np.arange(num_levels) == levels.min(initial=num_levels), LOWEST_OFFSET, OFFSET)


def _cholesky(covariance: np.ndarray) -> np.ndarray:
    jitter = JITTER
    while jitter <= MOST_JITTER and np.isfinite(covariance).all():
        try:
            return np.linalg.cholesky(covariance + jitter * np.eye(len(covariance)))
        except np.linalg.LinAlgError:
            jitter *= 10
    raise CannotLearn(f"no Cholesky factor of a covariance of {len(covariance)} observations")


def _solve(factor: np.ndarray, right: np.ndarray) -> np.ndarray:
    from scipy.linalg import cho_solve

    return cast(np.ndarray, cho_solve((factor, True), right, check_finite=False))
