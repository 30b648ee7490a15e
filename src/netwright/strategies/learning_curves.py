"""What a search over fidelities believes: a model over architectures and levels, and which levels are worth their cost.

Two models are made where a level turns out to say too little: one of everything, which tells what each level says of
the full one, and one without the levels that mislead, which predictions rest on. Knows no strategy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from netwright.predictors.features import Features
from netwright.predictors.surrogate import ALWAYS_TUNED
from netwright.strategies.acquisition import log_expected_improvement
from netwright.strategies.candidates import Candidates, parents_of
from netwright.strategies.feasibility import Feasibility
from netwright.strategies.fidelity_allocation import shares
from netwright.strategies.fidelity_experience import Learnt
from netwright.strategies.fidelity_process import FidelityProcess, Observed
from netwright.strategies.model_search import FEWEST
from netwright.types import Architecture

if TYPE_CHECKING:
    from netwright.space import SearchSpace


class LearningCurves:
    """A model of what architectures score at the full level, by all that was seen of them and of others.

    Args:
        space: of the architectures.
        rng: source of randomness.
        costs: of an evaluation at each level, the cheapest first.

    Attributes:
        features: of the architectures.
        shares: how many evaluations each level has for one at the full level; 0 where it is not worth its cost.
    """

    def __init__(self, space: SearchSpace, rng: np.random.Generator, costs: Sequence[float]) -> None:
        self.features = Features(space, rng)
        self.shares = np.ones(len(costs))
        self._costs = costs
        self._candidates = Candidates(space, self.features, rng)
        self._feasibility = Feasibility(self.features, rng)
        self._all = Fit(self.features, len(costs))
        self._trusted = Fit(self.features, len(costs))
        self._used = self._all
        self._seen = np.zeros(0, dtype=np.intp)
        self._best_first = np.zeros(0, dtype=np.intp)
        self._incumbent = 0.0

    def learn(self, learnt: Learnt, pending: Sequence[tuple[Architecture, int]]) -> None:
        """Take in what was observed, and what is under way with what is predicted for it.

        Raises:
            CannotLearn: no model can be made.
        """
        numbers = self.features.numbers(learnt.architectures)
        self._seen = np.unique(numbers)
        self._all.learn(numbers, learnt.levels, learnt.targets)
        self.shares = shares(self._costs, self._all.process.correlations().tolist())
        trusted = self.shares[learnt.levels] > 0
        self._used = self._all
        if not trusted.all() and trusted.sum() >= FEWEST:
            self._used = self._trusted
            self._used.learn(numbers[trusted], learnt.levels[trusted], learnt.targets[trusted])
        awaited = [(a, level) for a, level in pending if self._used is self._all or self.shares[level] > 0]
        if awaited:
            levels = np.array([level for _, level in awaited], dtype=np.intp)
            self._used.believe(self.features.numbers([a for a, _ in awaited]), levels)
        mean, _ = self._predict(self._seen)
        self._best_first = self._seen[np.argsort(-mean, kind="stable")]
        full = len(self._costs) - 1
        fully = learnt.targets[learnt.levels == full]
        best = self._used.process.value(fully, full) if len(fully) else mean
        self._incumbent = float(best.max())

    def new_candidates(self) -> np.ndarray:
        """Numbers of architectures that were not evaluated; some may be isomorphic to one that was."""
        candidates = self._candidates.around(*parents_of(self._best_first.tolist()))
        return candidates[~np.isin(candidates, self._seen)]

    def improvement(self, numbers: np.ndarray) -> np.ndarray:
        """Logarithm of the expected improvement at the full level over the best that was evaluated there; shape (m,).

        While nothing was evaluated there, over the best that is predicted of what was seen.
        """
        return log_expected_improvement(*self._predict(numbers), self._incumbent)

    def feasibility(self, architectures: Sequence[Architecture], good: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Logarithm of the probability to be feasible, by a model of its own; 0 while all trials were; shape (m,).

        Args:
            architectures: that were evaluated, n of them.
            good: whether each was feasible, shape (n,).
            numbers: of the candidates, shape (m,).

        Raises:
            CannotLearn: no model can be made.
        """
        return self._feasibility.log_probability(architectures, good, numbers)

    def _predict(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._used.predict(numbers, len(self._costs) - 1)


class Fit:
    """A `FidelityProcess` over numbers of `Features`, tuned when enough is new.

    Args:
        features: of the architectures.
        num_levels: fidelities.
    """

    def __init__(self, features: Features, num_levels: int) -> None:
        self.process = FidelityProcess(len(features.parts), num_levels)
        self._features = features
        self._tuned_at = 0
        self._numbers = np.zeros(0, dtype=np.intp)
        self._known = np.zeros(0, dtype=np.intp)
        self._observed = Observed(self._numbers, self._numbers, np.zeros(0))

    def learn(self, numbers: np.ndarray, levels: np.ndarray, targets: np.ndarray) -> None:
        """Take observations in, in place of all before; three arrays of shape (n,).

        Raises:
            CannotLearn: no model can be made.
        """
        self._take(numbers, levels, targets)
        distances = self._features.distances(self._known, self._known)
        count = len(numbers)
        if count < ALWAYS_TUNED or count >= 1.1 * self._tuned_at or count < 0.9 * self._tuned_at:
            self.process.tune(distances, self._observed)
            self._tuned_at = count
        self.process.condition(distances, self._observed)

    def believe(self, numbers: np.ndarray, levels: np.ndarray) -> None:
        """Add observations that agree with what is predicted.

        Args:
            numbers: shape (k,).
            levels: at which, shape (k,).

        Raises:
            CannotLearn: no model can be made.
        """
        targets = np.zeros(len(numbers))
        for level in np.unique(levels).tolist():
            at = levels == level
            targets[at] = self.process.target(self.predict(numbers[at], level)[0], level)
        before = self._observed
        self._take(
            np.concatenate([self._numbers, numbers]),
            np.concatenate([before.levels, levels]),
            np.concatenate([before.targets, targets]),
        )
        self.process.condition(self._features.distances(self._known, self._known), self._observed)

    def predict(self, numbers: np.ndarray, level: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the function at a level; two arrays of shape (m,)."""
        return self.process.predict(self._features.distances(numbers, self._known), level)

    def _take(self, numbers: np.ndarray, levels: np.ndarray, targets: np.ndarray) -> None:
        self._numbers = numbers
        self._known, places = np.unique(numbers, return_inverse=True)
        self._observed = Observed(places, levels, targets)
