"""A Gaussian process over the rows of architectures: a smooth part and a straight one.

    k(a, b) = s / (1 + d(a, b) / l) + v a.b,  d and the product being weighted sums over blocks of columns

A rational quadratic kernel is a mixture of smooth ones of all lengths; with 20 observations the straight part does most
of the work. Its few hyper-parameters are the maximum of the marginal likelihood times a prior. Knows no architectures.

References:
    C. E. Rasmussen and C. Williams, 2006, "Gaussian Processes for Machine Learning", algorithm 2.1, equations 4.19
    (with exponent 1) and 5.10 to 5.12 (predictions left out one by one, without fitting anew).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netwright.errors import DataError
from netwright.predictors.conformal import LeftOut
from netwright.predictors.model import LEAST_SPREAD, Arrays, Lesson

SIGNAL, LENGTH, STRAIGHT, NOISE = range(4)
"""Places of the logarithms of hyper-parameters; weights of blocks but the first follow."""

EXPECTED = (0.0, 0.0, float(np.log(0.3)), float(np.log(0.02)))
SPREAD = (1.0, 1.0, 1.5, 1.0)
BLOCK_EXPECTED, BLOCK_SPREAD = float(np.log(0.1)), 1.5
BOUNDS = ((-5.0, 5.0), (-5.0, 5.0), (-5.0, 5.0), (-9.0, 0.0))
BLOCK_BOUNDS = (-6.0, 3.0)

ITERATIONS = 25
MOST_TUNED = 200
"""Observations that hyper-parameters are found from at most."""

MOST_TUNED_OFTEN = 120
"""Up to so many observations hyper-parameters are found without each of `FOLDS` parts of them, for honest errors."""

FOLDS = 5
JITTER = 1e-6


@dataclass(frozen=True, eq=False)
class GraphProcess:
    """A fitted process; see `netwright.predictors.model.Model`.

    Args:
        logs: logarithms of the hyper-parameters.
        weights: of the columns, shape (d,); their square roots are in ``rows``.
        rows: observed, each column times the root of its weight, shape (n, d).
        inverse: of the covariance of the observed, shape (n, n).
        solved: inverse times targets, shape (n,).
    """

    logs: np.ndarray
    weights: np.ndarray
    rows: np.ndarray
    inverse: np.ndarray
    solved: np.ndarray

    def predict(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        points = np.ascontiguousarray(rows * np.sqrt(self.weights))
        cross = kernel(self.logs, *pair(points, self.rows))
        itself = np.exp(self.logs[SIGNAL]) + 2 * np.exp(self.logs[STRAIGHT]) * np.einsum("md,md->m", points, points)
        explained = np.einsum("mn,mn->m", cross @ self.inverse, cross)
        variance = np.maximum(itself - explained, 0.0) + np.exp(self.logs[NOISE])
        return cross @ self.solved, np.sqrt(variance) + LEAST_SPREAD

    def arrays(self) -> Arrays:
        return dict(vars(self))

    @classmethod
    def read(cls, arrays: Arrays, num_columns: int) -> GraphProcess:
        """A process of arrays that somebody else may have written.

        Raises:
            DataError: they do not fit together.
        """
        process = cls(**{name: arrays[name] for name in cls.__dataclass_fields__})
        count = len(process.solved)
        shapes = [process.weights.shape, process.rows.shape, process.inverse.shape, process.solved.shape]
        numbers = all(a.dtype == np.float64 and np.isfinite(a).all() for a in vars(process).values())
        fits = shapes == [(num_columns,), (count, num_columns), (count, count), (count,)] and len(process.logs) >= 4
        if not numbers or not fits or (process.weights < 0).any():
            raise DataError("the Gaussian process of a predictor does not fit together; save it again")
        return process


def fit_process(lesson: Lesson, rng: np.random.Generator) -> tuple[GraphProcess, LeftOut]:
    """Fit a process; left-out predictions are those of the process without the observation.

    The hyper-parameters are those of observations without it too, as far as there are few, and they know much of each.

    Args:
        lesson: what to learn.
        rng: draws the observations hyper-parameters are found from, where there are many.
    """
    order = rng.permutation(len(lesson.targets))
    process = _conditioned(_tuned(lesson, order[:MOST_TUNED]), lesson)
    left_out = _without_one(process, lesson.targets)
    if len(order) > MOST_TUNED_OFTEN:
        return process, left_out
    for fold in range(min(FOLDS, len(order))):
        logs = _tuned(lesson, np.delete(order, np.s_[fold::FOLDS]))
        of_fold = _without_one(_conditioned(logs, lesson), lesson.targets)
        unseen = order[fold::FOLDS]
        left_out.mean[unseen], left_out.spread[unseen] = of_fold.mean[unseen], of_fold.spread[unseen]
    return process, left_out


def _conditioned(logs: np.ndarray, lesson: Lesson) -> GraphProcess:
    """The process of all observations with given hyper-parameters."""
    weights = _column_weights(logs, lesson.blocks, lesson.rows.shape[1])
    points = np.ascontiguousarray(lesson.rows * np.sqrt(weights))
    noise = (np.exp(logs[NOISE]) + JITTER) * np.eye(len(points))
    inverse = np.ascontiguousarray(np.linalg.inv(kernel(logs, *pair(points, points)) + noise))
    return GraphProcess(logs, weights, points, inverse, inverse @ lesson.targets)


def _without_one(process: GraphProcess, targets: np.ndarray) -> LeftOut:
    """What the process says of each observation without it, with the same hyper-parameters."""
    alone = np.diag(process.inverse)
    return LeftOut(targets - process.solved / alone, np.sqrt(1 / alone) + LEAST_SPREAD)


def pair(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared distances and products of rows; two arrays of shape (m, n)."""
    product = left @ right.T
    norms = np.einsum("md,md->m", left, left)[:, None] + np.einsum("nd,nd->n", right, right)
    return np.maximum(norms - 2 * product, 0.0), product


def kernel(logs: np.ndarray, distances: np.ndarray, products: np.ndarray) -> np.ndarray:
    """Covariances, shape (m, n)."""
    smooth = np.exp(logs[SIGNAL]) / (1 + distances * np.exp(-logs[LENGTH]))
    return np.asarray(smooth + 2 * np.exp(logs[STRAIGHT]) * products)


def _column_weights(logs: np.ndarray, blocks: Sequence[np.ndarray], num_columns: int) -> np.ndarray:
    weights = np.zeros(num_columns)
    for block, log in zip(blocks, (0.0, *logs[NOISE + 1 :]), strict=True):
        weights[block] = np.exp(log)
    return weights


def _tuned(lesson: Lesson, chosen: np.ndarray) -> np.ndarray:
    """Logarithms of the hyper-parameters that make the targets of the chosen observations most probable."""
    from scipy.optimize import minimize

    targets = lesson.targets[chosen]
    pairs = [pair(rows, rows) for rows in (lesson.rows[np.ix_(chosen, block)] for block in lesson.blocks)]
    others = len(pairs) - 1
    expected = np.array([*EXPECTED, *[BLOCK_EXPECTED] * others])
    spread = np.array([*SPREAD, *[BLOCK_SPREAD] * others])

    def loss(logs: np.ndarray) -> tuple[float, np.ndarray]:
        value, slopes = _misfit(logs, pairs, targets)
        off = (logs - expected) / spread
        return value + float(0.5 * off @ off), slopes + off / spread

    bounds = [*BOUNDS, *[BLOCK_BOUNDS] * others]
    found = minimize(loss, expected, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": ITERATIONS})
    return np.asarray(found.x if np.isfinite(found.x).all() else expected)


def _misfit(
    logs: np.ndarray, pairs: Sequence[tuple[np.ndarray, np.ndarray]], targets: np.ndarray
) -> tuple[float, np.ndarray]:
    """Negative logarithm of the marginal likelihood, and its gradient.

    Args:
        logs: of the hyper-parameters.
        pairs: squared distances and products in each block, of shape (n, n).
        targets: shape (n,).
    """
    factors = np.exp([0.0, *logs[NOISE + 1 :]])
    distances, products = (np.einsum("b,bmn->mn", factors, np.stack([p[i] for p in pairs])) for i in (0, 1))
    noise, straight = np.exp(logs[NOISE]), 2 * np.exp(logs[STRAIGHT])
    try:
        factor = np.linalg.cholesky(kernel(logs, distances, products) + (noise + JITTER) * np.eye(len(targets)))
    except np.linalg.LinAlgError:
        return 1e10, np.zeros_like(logs)
    root = np.linalg.inv(factor)
    inverse = root.T @ root
    solved = inverse @ targets
    outer = 0.5 * (inverse - np.outer(solved, solved))
    far = distances * np.exp(-logs[LENGTH])
    smooth = outer * np.exp(logs[SIGNAL]) / (1 + far)
    closer = smooth / (1 + far)
    slopes = [smooth.sum(), (closer * far).sum(), straight * np.vdot(outer, products), noise * np.trace(outer)]
    for weight, (of_block, product) in zip(factors[1:], pairs[1:], strict=True):
        nearer = -np.exp(-logs[LENGTH]) * np.vdot(closer, of_block)
        slopes.append(weight * (nearer + straight * np.vdot(outer, product)))
    return float(0.5 * targets @ solved + np.log(np.diag(factor)).sum()), np.array(slopes)
