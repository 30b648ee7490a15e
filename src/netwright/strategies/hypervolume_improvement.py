"""By how much an evaluation is expected to enlarge the hypervolume of a Pareto front.

Pure functions of arrays; larger is better in every objective, and predictions of the objectives are independent normal
distributions. They know no architectures and no surrogate.

The region that no point of the front dominates is cut into boxes, from levels where they begin to levels where they end
(or do not). A new point adds, of each box, the part below it. Since objectives are independent, the expectation of that
is a product over objectives of the expected length that is below the point. So the improvement is a sum of products of
positive numbers, and its logarithm has all digits also where the improvement is far below the smallest float.

    level of objective 2
      |   .     .     .          three boxes between the front o and the sky: each column begins at a point's first
      |   .     .     .          objective, and at the second objective of the next point
      o---+     .     .
      |   |     .     .
      |   o-----+     .
      |         o-----+
      r---------------+--- objective 1

References:
    M. Emmerich, K. Yang, A. Deutz, H. Wang and C. Fonseca, 2016, "A Multicriteria Generalization of Bayesian Global
    Optimization" (the strips of two objectives); K. Yang, M. Emmerich, A. Deutz and T. Baeck, 2019, "Multi-Objective
    Bayesian Global Optimization Using Expected Hypervolume Improvement Gradient" (boxes of more); S. Ament et al.,
    2023, "Unexpected Improvements to Expected Improvement for Bayesian Optimization" (why the logarithm, and that of
    one objective). Deviations: exact where theirs (qLogNEHVI) samples, since nothing is optimised by gradients here;
    the front is taken as it was measured, without noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netwright.errors import UsageError, wrong
from netwright.strategies.acquisition import log_expected_improvement

MOST_EXACT = 1024
"""Columns (boxes of the third and further objectives) up to which the result is exact; beyond, columns are sampled."""

NUM_SAMPLES = 1024
"""Columns sampled."""

FAR_ABOVE = 4.0
"""Standard deviations above the highest prediction at which sampled levels end."""

NARROW = 1e-4
"""Boxes narrower than this many standard deviations are integrated by their middle: a difference would lose digits."""


def log_expected_hypervolume_improvement(
    means: np.ndarray, stds: np.ndarray, front: np.ndarray, reference: np.ndarray
) -> np.ndarray:
    """Logarithm of the expected hypervolume improvement; larger is better in every objective.

    Exact for two objectives, and for more as long as the front has few levels in the third and further ones. Otherwise
    these are integrated over `NUM_SAMPLES` levels of a fixed sequence, the same for all predictions.

    Args:
        means: predictions, shape (m, k).
        stds: their standard deviations, > 0, shape (m, k).
        front: what was found; points that are dominated or not above the reference do not matter; shape (p, k),
            p >= 0.
        reference: point from which the hypervolume is measured, shape (k,).

    Returns:
        Shape (m,), finite.

    Raises:
        UsageError: shapes that do not fit together, a number that is not finite, or a deviation that is not > 0.

    Example:
        >>> front, reference = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([-1.0, -1.0])
        >>> means, stds = np.array([[1.0, 1.0], [-9.0, -9.0]]), np.full((2, 2), 0.1)
        >>> log_expected_hypervolume_improvement(means, stds, front, reference).round(2).tolist()
        [0.08, -8124.44]
    """
    _require_shapes(means, stds, front, reference)
    front = front[(front > reference).all(axis=1)]
    if means.shape[1] == 1:
        best = max([float(reference[0]), *front[:, 0].tolist()])
        return log_expected_improvement(means[:, 0], stds[:, 0], best)
    levels = np.vstack([reference, front])
    objectives = [Levels.of(*columns) for columns in zip(means.T, stds.T, levels.T, strict=True)]
    total = np.full(len(means), -np.inf)
    logs, above = _columns(objectives[2:], len(means), len(front))
    patterns, group = np.unique(above, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):  # columns with the same points above have the same strips
        column = np.logaddexp.reduce(logs[:, group.ravel() == number], axis=1)
        points = _staircase(front[:, :2], np.flatnonzero(pattern))
        total = np.logaddexp(total, column + _log_improvement_of_two(objectives[0], objectives[1], points))
    return total


@dataclass(frozen=True, slots=True)
class Levels:
    """What predictions of one objective are expected to be above some levels.

    Args:
        mean: predictions, shape (m, 1).
        std: shape (m, 1).
        levels: the reference first, then those of the front, shape (1 + p,).
        above: logarithm of the expected improvement over each level, shape (m, 1 + p).
    """

    mean: np.ndarray
    std: np.ndarray
    levels: np.ndarray
    above: np.ndarray

    @classmethod
    def of(cls, mean: np.ndarray, std: np.ndarray, levels: np.ndarray) -> Levels:
        """Make it of predictions (m,), deviations (m,) and levels (1 + p,)."""
        mean, std = mean[:, None], std[:, None]
        return cls(mean, std, levels, log_expected_improvement(mean - levels, std, 0.0))

    def log_lengths(self, order: np.ndarray) -> np.ndarray:
        """Logarithm of the expected part below the prediction of each interval between levels; shape (m, s).

        Args:
            order: numbers of the levels where an interval begins, rising; each ends where the next one begins, and the
                last does not end; shape (s,).
        """
        from scipy.special import log_ndtr

        lengths = self.above[:, order]
        begins, ends = lengths[:, :-1], lengths[:, 1:].copy()
        width = np.diff(self.levels[order])
        narrow = width < NARROW * self.std.max()
        with np.errstate(divide="ignore"):
            lengths[:, :-1] = begins + np.log(-np.expm1(np.minimum(ends - begins, 0.0)))
        if narrow.any():
            middle = self.levels[order[:-1]][narrow] + width[narrow] / 2
            exact = np.log(width[narrow]) + log_ndtr((self.mean - middle) / self.std)
            places = np.flatnonzero(narrow)
            lengths[:, places] = np.where(width[narrow] < NARROW * self.std, exact, lengths[:, places])
        return lengths


def _require_shapes(means: np.ndarray, stds: np.ndarray, front: np.ndarray, reference: np.ndarray) -> None:
    num_objectives = means.shape[1] if means.ndim == 2 else 0
    if not num_objectives or stds.shape != means.shape:
        shapes = f"{means.shape} and {stds.shape}"
        raise UsageError(wrong("shapes of means and stds", shapes, "equal: (predictions, objectives)"))
    if reference.shape != (num_objectives,) or front.ndim != 2 or front.shape[1] != num_objectives:
        shapes = f"{front.shape} and {reference.shape}"
        allowed = f"(points, {num_objectives}) and ({num_objectives},)"
        raise UsageError(wrong("shapes of front and reference", shapes, allowed))
    if not all(np.isfinite(array).all() for array in (means, stds, front, reference)):
        raise UsageError(wrong("means, stds, front or reference", "NaN or infinity", "finite numbers"))
    if not (stds > 0).all():
        raise UsageError(wrong("stds", float(stds.min()), "> 0"))


def _log_improvement_of_two(first: Levels, second: Levels, points: np.ndarray) -> np.ndarray:
    """The logarithm for two objectives, of which the boxes are strips; shape (m,).

    Args:
        first: of an objective.
        second: of the other.
        points: numbers of the non-dominated points by rising first objective, shape (q,).
    """
    begins, floors = np.append(0, points + 1), np.append(points + 1, 0)  # level 0 is the reference
    return np.asarray(np.logaddexp.reduce(first.log_lengths(begins) + second.above[:, floors], axis=1))


def _staircase(front: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Which of these points of a front (p, 2) no other of them dominates, by rising first objective; shape (q,)."""
    falling = numbers[np.lexsort((front[numbers, 1], front[numbers, 0]))[::-1]]
    second = front[falling, 1]
    return np.asarray(falling[second > np.maximum.accumulate(np.append(-np.inf, second))[:-1]][::-1])


def _columns(objectives: Sequence[Levels], num_predictions: int, num_points: int) -> tuple[np.ndarray, np.ndarray]:
    """The boxes of the third and further objectives, between which strips differ.

    Returns:
        The logarithm of each column's expected part that is below the prediction, shape (m, c); and which points of
        the front are above the whole of each column, shape (c, p).
    """
    orders = [np.unique(objective.levels, return_index=True)[1] for objective in objectives]
    if np.prod([float(len(order)) for order in orders]) > MOST_EXACT:
        return _sampled_columns(objectives)
    logs, above = np.zeros((num_predictions, 1)), np.ones((1, num_points), dtype=bool)
    for objective, order in zip(objectives, orders, strict=True):
        begins = objective.levels[order]
        higher = objective.levels[1:] > begins[:, None]
        logs = (logs[:, :, None] + objective.log_lengths(order)[:, None, :]).reshape(num_predictions, -1)
        above = (above[:, None, :] & higher).reshape(logs.shape[1], num_points)
    return logs, above


def _sampled_columns(objectives: Sequence[Levels]) -> tuple[np.ndarray, np.ndarray]:
    """As `_columns`: thin columns at levels that fill the range evenly, each standing for an equal part of it.

    References:
        H. Niederreiter, 1992, "Random Number Generation and Quasi-Monte Carlo Methods" (sequences of multiples of
        irrational numbers, here of the powers of the root of x**(d + 1) = x + 1).
    """
    from scipy.special import log_ndtr

    dimension = len(objectives)
    root = max(np.roots([1.0, *[0.0] * (dimension - 1), -1.0, -1.0]).real)
    places = (0.5 + np.arange(1, NUM_SAMPLES + 1)[:, None] * root ** -np.arange(1.0, dimension + 1)) % 1
    logs: np.ndarray | float = -np.log(NUM_SAMPLES)
    above: np.ndarray | bool = True
    for objective, place in zip(objectives, places.T, strict=True):
        low, margin = objective.levels[0], objective.std.max()
        top = max(float((objective.mean + FAR_ABOVE * objective.std).max()), low + margin)
        sampled = low + place * (top - low)
        logs = logs + np.log(top - low) + log_ndtr((objective.mean - sampled) / objective.std)
        above = above & (objective.levels[1:] > sampled[:, None])
    return np.asarray(logs), np.asarray(above)
