"""Whether the scores of a cheap rung have anything to do with the architectures: noise is found out before it is paid.

Pairs of a cheap and a full training tell how well a rung ranks (`rung_monitor`), and each costs a full training. That
the scores of a rung are noise is seen from the rung alone: a model of the others does not predict any of them. What it
cannot tell is that a rung misleads by rule, which remains the monitor's matter. As long as it is in doubt no dear
training should be spent on what the rung recommends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from netwright.predictors.features import Features
from netwright.predictors.gaussian_process import JITTER
from netwright.predictors.gaussian_surrogate import GaussianProcessSurrogate
from netwright.predictors.ranks import ranks_as_normal
from netwright.strategies.operators import Values
from netwright.types import Architecture

if TYPE_CHECKING:
    from netwright.space import SearchSpace

FIRST, LAST, STEP = 16, 48, 4
"""It is looked at after so many trials, the first and the last time, and after each few between."""

AT_FIRST, AT_MOST = 0.15, 0.35
"""Rank correlations between scores and their predictions: below the first it is noise after `FIRST` trials, below the
second from twice as many on, and in between what is asked for grows with the trials.

On the 12-epoch accuracies of NAS-Bench-201, CIFAR-10, over 40 searches, the correlation was .61 after 16, .64 after 24
and .68 after 32 trials (a twentieth below .40, .53, .57); with the accuracies permuted .00, .03 and .07 (a tenth above
.25, .28, .28)."""


class RungSense:
    """Judges the scores of one rung, at a few counts of trials.

    Args:
        space: of the architectures.
        seed: of the architectures that features are scaled by.

    Attributes:
        found: the correlation at each count that was looked at.
        in_doubt: whether it was too high for noise at the last look, and too low for a rung that says something.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self._space = space
        self._seed = seed
        self.found: dict[int, float] = {}
        self.in_doubt = False

    def is_noise(self, architectures: Sequence[Architecture], values: Sequence[Values]) -> bool:
        """Whether the scores look like noise; only looked into at some counts of trials.

        Args:
            architectures: those of the rung, in the order in which they ended.
            values: what they scored, smaller is better; of several objectives the best predicted one counts.
        """
        count = len(architectures)
        if not FIRST <= count <= LAST or count % STEP:
            return False
        features = Features(self._space, np.random.Generator(np.random.PCG64([self._seed, 2])))
        numbers = features.numbers(architectures)
        columns = np.array(values).T
        found = max(predictability(features, numbers, column) for column in columns)
        self.found[count] = found
        self.in_doubt = wanted(count) <= found < AT_MOST and count < LAST
        return found < wanted(count)


def wanted(count: int) -> float:
    """The rank correlation below which scores are noise after so many trials.

    Example:
        >>> [round(wanted(count), 2) for count in (16, 24, 32, 48)]
        [0.15, 0.25, 0.35, 0.35]
    """
    return min(AT_FIRST + (AT_MOST - AT_FIRST) * (count / FIRST - 1), AT_MOST)


def predictability(features: Features, numbers: np.ndarray, values: np.ndarray) -> float:
    """Kendall's tau between scores and what the searches' model of all the others predicts; 0 of equal scores.

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
    process = GaussianProcessSurrogate(features, np.random.Generator(np.random.PCG64(0))).process
    distances = features.distances(numbers, numbers)
    process.tune(distances, targets)
    covariance = process.covariance(distances) + (process.noise + JITTER) * np.eye(len(targets))
    inverse = np.linalg.inv(covariance)
    predicted = targets - (inverse @ targets) / np.diag(inverse)
    tau = float(kendalltau(predicted, targets).statistic)
    return tau if np.isfinite(tau) else 0.0
