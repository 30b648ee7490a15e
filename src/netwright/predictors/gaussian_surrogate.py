"""A Gaussian process as a surrogate: what it has worked out is kept from one proposal to the next.

The covariance is factorised once. A further observation is a further row of the factor, and one further number for
each candidate that was predicted before, so a proposal costs O(n^2 + mn) for n observations and m candidates instead
of O(n^3 + mn^2). Only new hyper-parameters start it anew.

References:
    C. E. Rasmussen and C. Williams, 2006, "Gaussian Processes for Machine Learning", algorithm 2.1; the rows of a
    Cholesky factor do not depend on those below them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from netwright.predictors.features import SCORES, Features
from netwright.predictors.gaussian_process import JITTER, MOST_JITTER, GaussianProcess
from netwright.predictors.surrogate import CannotLearn

STRAIGHT_PARTS = ("one-hot", "ordinal", "statistics", SCORES)
"""Parts of the features that are small enough for a straight line through them to mean something."""

MOST_TUNED = 192
"""Observations that hyper-parameters are found from at most: their number is small, and the cost grows as n^3."""

MANY_ROWS = 1024
"""Where more candidates are kept than these, those not asked for lately are dropped, since each
further observation is a number more for all that are kept."""

MOST_ROWS = 4096
"""With more than these only the candidates that are asked for now are kept."""

LATELY = 4
"""Predictions ago up to which a candidate was asked for lately."""


class GaussianProcessSurrogate:
    """A `GaussianProcess` over `Features`; see `netwright.predictors.surrogate.Surrogate`.

    Args:
        features: of the architectures.
        rng: draws the observations that hyper-parameters are found from, where there are many.
        parts: those of the features that it sees; all by default.
    """

    def __init__(self, features: Features, rng: np.random.Generator, parts: Sequence[str] | None = None) -> None:
        self._features = features
        self._rng = rng
        self.parts = features.parts if parts is None else tuple(parts)
        self.process = GaussianProcess(len(self.parts), [i for i, p in enumerate(self.parts) if p in STRAIGHT_PARTS])
        self._jitter = JITTER
        self._forget()

    def _forget(self) -> None:
        self._seen = np.zeros(0, dtype=np.intp)
        self._factor = np.zeros((0, 0))
        self._solved = np.zeros(0)
        self._rows: dict[int, int] = {}
        self._candidates = np.zeros(0, dtype=np.intp)
        self._solutions = np.zeros((0, 0))
        self._asked = np.zeros(0, dtype=np.intp)  # at which prediction each candidate was last asked for
        self._num_asked = 0

    def tune(self, numbers: np.ndarray, targets: np.ndarray) -> None:
        if len(numbers) > MOST_TUNED:  # the best half of them, and as many of the others
            order = np.argsort(-targets, kind="stable")
            rest = self._rng.permutation(order[MOST_TUNED // 2 :])[: MOST_TUNED // 2]
            chosen = np.concatenate([order[: MOST_TUNED // 2], rest])
            numbers, targets = numbers[chosen], targets[chosen]
            targets = (targets - targets.mean()) / (targets.std() or 1.0)
        self.process.tune(self._features.distances(numbers, numbers, self.parts), targets)
        self._forget()

    def condition(self, numbers: np.ndarray, targets: np.ndarray) -> None:
        from scipy.linalg import solve_triangular

        shared = min(len(numbers), len(self._seen))
        different = np.flatnonzero(numbers[:shared] != self._seen[:shared])
        kept = int(different[0]) if len(different) else shared
        self._seen = self._seen[:kept]
        try:
            self._extend(numbers[kept:])
        except np.linalg.LinAlgError:
            self._start_again(numbers)
        factor = self._factor[: len(numbers), : len(numbers)]
        self._solved = solve_triangular(factor, targets, lower=True, check_finite=False)

    def predict(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = self._rows_of(numbers)
        solutions = self._solutions[rows, : len(self._seen)]
        variance = self.process.signal - np.einsum("mn,mn->m", solutions, solutions)
        return solutions @ self._solved, np.sqrt(np.maximum(variance, 1e-9))

    def _start_again(self, numbers: np.ndarray) -> None:
        """Factorise anew, with more on the diagonal until that succeeds."""
        while self._jitter < MOST_JITTER:
            self._jitter *= 10
            self._forget()
            try:
                self._extend(numbers)
            except np.linalg.LinAlgError:
                continue
            return
        self._forget()
        self._jitter = JITTER
        raise CannotLearn(f"no Cholesky factor of a covariance of {len(numbers)} observations")

    def _extend(self, new: np.ndarray) -> None:
        """Append observations: rows of the factor, and columns of the solutions of all candidates."""
        from scipy.linalg import solve_triangular

        if not len(new):
            return
        old, count = self._seen, len(self._seen)
        right = self._kernel(old, new)
        below = solve_triangular(self._factor[:count, :count], right, lower=True, check_finite=False)
        diagonal = self.process.noise + self._jitter
        corner = np.linalg.cholesky(self._kernel(new, new) + diagonal * np.eye(len(new)) - below.T @ below)
        total = count + len(new)
        self._factor = _with_room(self._factor, total, total)
        self._factor[count:total, :count] = below.T
        self._factor[:count, count:total] = 0.0
        self._factor[count:total, count:total] = corner
        self._seen = np.concatenate([old, new])
        used = len(self._candidates)
        self._solutions = _with_room(self._solutions, used, total)
        if used:
            left = self._kernel(self._candidates, new) - self._solutions[:used, :count] @ below
            self._solutions[:used, count:total] = solve_triangular(corner, left.T, lower=True, check_finite=False).T

    def _rows_of(self, numbers: np.ndarray) -> np.ndarray:
        """Where the solutions of candidates stand; those of new ones are worked out."""
        from scipy.linalg import solve_triangular

        self._num_asked += 1
        missing = np.unique(np.array([n for n in numbers.tolist() if n not in self._rows], dtype=np.intp))
        if len(missing):
            if len(self._rows) + len(missing) > MANY_ROWS:
                self._asked[[self._rows[n] for n in numbers.tolist() if n in self._rows]] = self._num_asked
                self._drop(LATELY)
            if len(self._rows) + len(missing) > MOST_ROWS:
                self._drop(0)
            used, count = len(self._candidates), len(self._seen)
            factor = self._factor[:count, :count]
            solved = solve_triangular(factor, self._kernel(self._seen, missing), lower=True, check_finite=False)
            self._solutions = _with_room(self._solutions, used + len(missing), count)
            self._solutions[used : used + len(missing), :count] = solved.T
            self._rows.update((n, used + i) for i, n in enumerate(missing.tolist()))
            self._candidates = np.concatenate([self._candidates, missing])
            self._asked = np.concatenate([self._asked, np.zeros(len(missing), dtype=np.intp)])
        rows = np.array([self._rows[n] for n in numbers.tolist()], dtype=np.intp)
        self._asked[rows] = self._num_asked
        return rows

    def _drop(self, ago: int) -> None:
        """Keep candidates that were asked for in one of so many predictions before this one, or in this one."""
        kept = np.flatnonzero(self._asked >= self._num_asked - ago)
        self._solutions, self._candidates, self._asked = (
            self._solutions[kept],
            self._candidates[kept],
            self._asked[kept],
        )
        self._rows = {n: row for row, n in enumerate(self._candidates.tolist())}

    def _kernel(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        if not len(left) or not len(right):
            return np.zeros((len(left), len(right)))
        return self.process.covariance(self._features.distances(left, right, self.parts))


def _with_room(array: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The array, or a larger copy, so that it has at least so many rows and columns; grows by half."""
    if rows <= array.shape[0] and columns <= array.shape[1]:
        return array
    shape = [
        needed if needed <= have else max(needed, have + have // 2)
        for needed, have in zip((rows, columns), array.shape, strict=True)
    ]
    grown = np.zeros([max(n, h) for n, h in zip(shape, array.shape, strict=True)])
    grown[: array.shape[0], : array.shape[1]] = array
    return cast(np.ndarray, grown)
