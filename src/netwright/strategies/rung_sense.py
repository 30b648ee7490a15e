"""Whether the scores of a cheap rung have anything to do with the architectures: noise is found out before it is paid.

Pairs of a cheap and a full training tell how well a rung ranks (`rung_monitor`), and each costs a full training. That
the scores of a rung are noise is seen from the rung alone: a model of the others does not predict any of them. What it
cannot tell is that a rung misleads by rule, which remains the monitor's matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from netwright.predictors.features import Features
from netwright.predictors.gaussian_process import JITTER, GaussianProcess
from netwright.predictors.ranks import ranks_as_normal
from netwright.strategies.operators import Values
from netwright.types import Architecture

if TYPE_CHECKING:
    from netwright.space import SearchSpace

CHECKS = ((16, 0.1), (24, 0.25), (32, 0.3))
"""Number of trials, and the rank correlation between scores and their predictions below which they are noise.

On the 12-epoch accuracies of NAS-Bench-201, CIFAR-10, over 30 searches, the correlation was .55 (least .05), .58 (.30)
and .60 (.38); with the accuracies permuted -.14 (a tenth above .23), -.05 (.32) and -.07 (.25)."""


class RungSense:
    """Judges the scores of one rung, at three counts of trials.

    Args:
        space: of the architectures.
        seed: of the architectures that features are scaled by.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self._space = space
        self._seed = seed
        self.found: dict[int, float] = {}

    def is_noise(self, architectures: Sequence[Architecture], values: Sequence[Values]) -> bool:
        """Whether the scores look like noise; only looked into at the counts of `CHECKS`.

        Args:
            architectures: those of the rung, in the order in which they ended.
            values: what they scored, smaller is better; of several objectives the best predicted one counts.
        """
        level = dict(CHECKS).get(len(architectures))
        if level is None:
            return False
        features = Features(self._space, np.random.Generator(np.random.PCG64([self._seed, 2])))
        numbers = features.numbers(architectures)
        columns = np.array(values).T
        found = max(predictability(features, numbers, column) for column in columns)
        self.found[len(architectures)] = found
        return found < level


def predictability(features: Features, numbers: np.ndarray, values: np.ndarray) -> float:
    """Kendall's tau between scores and what a Gaussian process of all the others predicts; 0 of equal scores.

    Args:
        features: of the architectures.
        numbers: of them, shape (n,).
        values: their scores, shape (n,).

    References:
        C. E. Rasmussen and C. Williams, 2006, "Gaussian Processes for Machine Learning", equation 5.12 (leave-one-out).
    """
    from scipy.stats import kendalltau

    targets = ranks_as_normal(values)
    if not targets.any():
        return 0.0
    process = GaussianProcess(len(features.parts))
    distances = features.distances(numbers, numbers)
    process.tune(distances, targets)
    covariance = process.covariance(distances) + (process.noise + JITTER) * np.eye(len(targets))
    inverse = np.linalg.inv(covariance)
    predicted = targets - (inverse @ targets) / np.diag(inverse)
    tau = float(kendalltau(predicted, targets).statistic)
    return tau if np.isfinite(tau) else 0.0
