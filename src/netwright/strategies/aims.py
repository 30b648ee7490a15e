"""What a model-guided search is after: a better value, or a front that encloses more.

An aim says near which observations it is worth looking, and what an evaluation of each candidate is expected to bring.
It is made anew for each proposal, of what is known then. It knows no spaces and draws no candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from netwright.predictors.ranks import ranks_as_normal
from netwright.predictors.surrogate import Learner
from netwright.strategies.candidates import NUM_FAR_PARENTS, NUM_PARENTS, parents_of
from netwright.strategies.experience import Experience, Observation
from netwright.strategies.hypervolume_improvement import log_expected_hypervolume_improvement
from netwright.strategies.operators import best_first_order, pareto_rank

Acquisition = Callable[[np.ndarray, np.ndarray, float, np.random.Generator], np.ndarray]
"""What evaluations are expected to bring, the larger the better, shape (m,): of predicted means and standard
deviations, shape (m,), the best target so far, and a source of randomness."""

UTILITY = "utility"
"""Name of the model of a single value."""

MOST_FRONT_PARENTS = 30
"""Members of a front near which it is looked at most."""

FAR_BELOW = 1.0
"""Values farther below the median than so many times the distance of the upper quartile from it count by the logarithm
of how far: the bad ones keep their order, which says where the cheap end of a front goes on, and do not outweigh the
differences between good ones."""

CLOSE = 0.1
"""Of the range of a front, how far beyond its worst the hypervolume is measured from. The front is the one that is
expected, not the one that was found: networks that widen it count from the first."""

DISTANT = 1.0
"""The same where the ends of a front are wanted: the farther off the point, the more they enclose."""


class Aim(Protocol):
    """What is wanted next, from some observations."""

    near: Sequence[int]
    """Places of the observations whose neighbours are candidates, the best first."""

    far: Sequence[int]
    """Places of those of which networks that are a little farther off are candidates too."""

    def worth(
        self, learners: Callable[[str], Learner], numbers: np.ndarray, candidates: np.ndarray, pending: np.ndarray
    ) -> np.ndarray:
        """Logarithm of what candidates are expected to bring, shape (m,).

        Args:
            learners: tells the model of a name, a new one where there is none yet.
            numbers: of the observed architectures, shape (n,).
            candidates: numbers, shape (m,).
            pending: numbers of those that are being evaluated.

        Raises:
            CannotLearn: no model can be made.
        """


class BestValue:
    """A value better than the best one; of several objectives under weights that are drawn anew for each proposal.

    Ranks take the place of values, so that any increasing transformation gives the same search, and a few broken
    networks do not outweigh the differences between good ones.

    Args:
        known: what was observed.
        experience: tells its utility.
        acquisition: says what an evaluation is worth.
        rng: source of randomness.
    """

    def __init__(
        self, known: Sequence[Observation], experience: Experience, acquisition: Acquisition, rng: np.random.Generator
    ) -> None:
        self._targets = ranks_as_normal(experience.utility(known, rng))
        self._acquisition = acquisition
        self._rng = rng
        order: list[int] = np.argsort(-self._targets, kind="stable").tolist()
        self.near: Sequence[int]
        self.far: Sequence[int]
        self.near, self.far = parents_of(order)

    def worth(
        self, learners: Callable[[str], Learner], numbers: np.ndarray, candidates: np.ndarray, pending: np.ndarray
    ) -> np.ndarray:
        mean, std = learners(UTILITY).predict(numbers, self._targets, pending, candidates)
        return self._acquisition(mean, std, float(self._targets.max()), self._rng)


class LargerFront:
    """A front that encloses more: a model for each objective, and the expected improvement of the hypervolume.

    Args:
        known: what was observed, feasible.
        rng: source of randomness.
        beyond: how far beyond the worst of the expected front the hypervolume is measured from, in ranges of that
            front, > 0.
    """

    def __init__(self, known: Sequence[Observation], rng: np.random.Generator, beyond: float = CLOSE) -> None:
        self._beyond = beyond
        values = [observation.score.values for observation in known]
        self._targets = np.stack([without_outliers(-column) for column in np.array(values).T], axis=1)
        places = pareto_rank(values)
        self._front = [place for place, rank in enumerate(places) if rank == 0]
        order = best_first_order([observation.score for observation in known])
        self.near: Sequence[int] = order[: max(NUM_PARENTS, min(len(self._front), MOST_FRONT_PARENTS))]
        self.far: Sequence[int] = [self._front[i] for i in rng.permutation(len(self._front))[:NUM_FAR_PARENTS].tolist()]

    def worth(
        self, learners: Callable[[str], Learner], numbers: np.ndarray, candidates: np.ndarray, pending: np.ndarray
    ) -> np.ndarray:
        predicted = [
            learners(f"objective {place}").predict(numbers, column, pending, candidates)
            for place, column in enumerate(self._targets.T)
        ]
        means, stds = (np.stack(columns, axis=1) for columns in zip(*predicted, strict=True))
        front = self._targets[self._front]
        expected = np.vstack([front, means])
        reference = reference_point(expected[non_dominated(expected)], self._beyond)
        return log_expected_hypervolume_improvement(means, stds, front, reference)


def reference_point(front: np.ndarray, beyond: float) -> np.ndarray:
    """Point from which the hypervolume of a front is measured: so many of its ranges beyond its worst; shape (k,)."""
    worst = front.min(axis=0)
    spread = front.max(axis=0) - worst
    return np.asarray(worst - beyond * np.where(spread > 0, spread, 1.0))


def non_dominated(points: np.ndarray) -> np.ndarray:
    """Numbers of the points that no other dominates, larger is better; shape (q,).

    Args:
        points: shape (n, k), n >= 1.

    Example:
        >>> non_dominated(np.array([[1.0, 4.0], [2.0, 2.0], [1.0, 3.0], [4.0, 1.0]])).tolist()
        [0, 1, 3]
    """
    left = np.argsort(-points.sum(axis=1), kind="stable")  # whoever dominates comes before
    found: list[int] = []
    while len(left):
        best = left[0]
        found.append(int(best))
        left = left[(points[left] > points[best]).any(axis=1)]
    return np.sort(np.array(found, dtype=np.intp))


def without_outliers(values: np.ndarray) -> np.ndarray:
    """Values of mean 0 and variance 1, larger is better, of which the far too low ones are raised; shape (n,).

    What is lower than a floor is as far below it as the logarithm says, in distances of the upper quartile from the
    median; see `FAR_BELOW`.

    Example:
        >>> without_outliers(np.array([1.0, 2.0, 3.0, -1000.0])).round(1).tolist()
        [0.2, 0.6, 0.9, -1.7]
    """
    values = values / (float(np.abs(values).max()) or 1.0)  # squares of any finite number are finite then
    median, quartile = np.quantile(values, (0.5, 0.75))
    upper = float(quartile - median) or float(values.max() - median)
    raised = values
    if upper > 0:
        floor = median - FAR_BELOW * upper
        raised = np.maximum(values, floor) - upper * np.log1p(np.maximum(floor - values, 0.0) / upper)
    deviation = float(raised.std())
    return np.asarray((raised - raised.mean()) / (deviation if deviation > 0 else 1.0))
