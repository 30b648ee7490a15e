"""The protocol of a surrogate: it learns from evaluated architectures what others would score, and how sure it is.

A surrogate sees architectures as the numbers `Features` gives them. It knows no strategy and no trials; what its
targets mean (ranks, losses, margins to a limit) is the caller's matter, but larger is better and they are of mean 0
and variance about 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np

from netwright.predictors.features import Features


class CannotLearn(Exception):
    """A surrogate cannot be made of these observations: a singular covariance, a fit that diverged."""


@runtime_checkable
class Surrogate(Protocol):
    """What a model-guided search needs of a model."""

    def tune(self, numbers: np.ndarray, targets: np.ndarray) -> None:
        """Find what is expensive to find: hyper-parameters, weights, trees. Called now and then.

        Args:
            numbers: of the observed architectures, shape (n,); an architecture may come twice.
            targets: what they scored, shape (n,), larger is better.

        Raises:
            CannotLearn: no model can be made.
        """

    def condition(self, numbers: np.ndarray, targets: np.ndarray) -> None:
        """Take in the observations that predictions rest on, with what was tuned before. Called for each proposal.

        Args:
            numbers: as for `tune`; pending architectures are among them, with what was predicted for them.
            targets: as for `tune`.

        Raises:
            CannotLearn: no model can be made.
        """

    def predict(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation (> 0) of the scores of architectures, without noise; two arrays, shape (m,)."""


ALWAYS_TUNED = 25
"""With fewer observations hyper-parameters are found anew for each proposal, with more after each tenth of them."""

SurrogateFactory = Callable[[Features, np.random.Generator], Surrogate]
"""Makes a surrogate over features; all its randomness comes from the generator."""


class Learner:
    """A surrogate that is tuned when enough is new, and that takes pending architectures for evaluated.

    Args:
        surrogate: that learns.
    """

    def __init__(self, surrogate: Surrogate) -> None:
        self.surrogate = surrogate
        self._tuned_at = 0

    def predict(
        self, numbers: np.ndarray, targets: np.ndarray, pending: np.ndarray, candidates: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Take in what was evaluated, and what is being evaluated with what is predicted for it; then predict.

        Args:
            numbers: of the observed architectures, shape (n,).
            targets: what they scored, shape (n,).
            pending: numbers of those that are being evaluated.
            candidates: numbers, shape (m,).

        Returns:
            Means and standard deviations, two arrays of shape (m,).

        Raises:
            CannotLearn: no model can be made.
        """
        if len(numbers) < ALWAYS_TUNED or len(numbers) >= 1.1 * self._tuned_at or len(numbers) < self._tuned_at:
            self.surrogate.tune(numbers, targets)
            self._tuned_at = len(numbers)
        self.surrogate.condition(numbers, targets)
        if len(pending):
            believed, _ = self.surrogate.predict(pending)
            self.surrogate.condition(np.concatenate([numbers, pending]), np.concatenate([targets, believed]))
        return self.surrogate.predict(candidates)
