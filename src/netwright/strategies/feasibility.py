"""The probability that an architecture is feasible, learnt from which ones were.

Knows no objectives and no strategy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netwright.predictors.features import Features
from netwright.predictors.gaussian_surrogate import GaussianProcessSurrogate
from netwright.predictors.surrogate import Learner
from netwright.types import Architecture

NOISE_OF_CLASSES = 0.01
"""Variance that keeps the class of what was evaluated from being certain."""

HOPELESS = 0.02
"""A candidate whose probability to be feasible is below this comes after all others, whatever it would improve: once
the feasible ones near the best are known their expected improvement falls below any probability."""

LAST = -1e12


class Feasibility:
    """A Gaussian process over classes; without feasible, or without infeasible trials it says nothing.

    Args:
        features: of the architectures.
        rng: source of randomness.

    References:
        M. Gelbart et al., 2014, "Bayesian Optimization with Unknown Constraints" (the probability times the
        improvement). Deviation: one model of all limits and failures together, of classes instead of margins.
    """

    def __init__(self, features: Features, rng: np.random.Generator) -> None:
        self._features = features
        self._learner = Learner(GaussianProcessSurrogate(features, rng))

    def log_probability(
        self, architectures: Sequence[Architecture], good: np.ndarray, candidates: np.ndarray
    ) -> np.ndarray:
        """Logarithm of the probability to be feasible; 0 while all trials were; shape (m,).

        Args:
            architectures: that were evaluated, n of them.
            good: whether each was feasible, shape (n,).
            candidates: numbers, shape (m,).

        Raises:
            CannotLearn: no model can be made.
        """
        from scipy.special import log_ndtr

        if good.all() or not good.any():
            return np.zeros(len(candidates))
        known, classes = self._features.numbers(architectures), np.where(good, 1.0, -1.0)
        mean, std = self._learner.predict(known, classes, np.zeros(0, dtype=np.intp), candidates)
        probability = log_ndtr(mean / np.sqrt(std**2 + NOISE_OF_CLASSES))
        return np.asarray(np.where(probability < np.log(HOPELESS), LAST + probability, probability))
