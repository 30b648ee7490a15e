"""Which architectures to measure first: those after which the least is unknown about all others.

Greedy: each next one lowers the mean variance over the candidates most, by what is believed before anything is
measured. That depends on no latency of the device, so all of them can be measured in one go.

References:
    S. Seo, M. Wallat, T. Graepel and K. Obermayer, 2000, "Gaussian Process Regression: Active Data Selection and Test
    Point Rejection" (the criterion of D. Cohn, "ALC").
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netwright.errors import UsageError, wrong
from netwright.predictors.latency.knowledge import Knowledge
from netwright.types import Architecture

NUM_CANDIDATES = 384


def choose_to_measure(
    knowledge: Knowledge,
    count: int,
    rng: np.random.Generator,
    candidates: Sequence[Architecture] | None = None,
) -> list[Architecture]:
    """Architectures to measure on a new device, the most telling first.

    Args:
        knowledge: of the space and of other devices.
        count: how many, >= 1.
        rng: draws candidates, `NUM_CANDIDATES` of the given ones where there are more.
        candidates: that can be measured; by default random ones of the space.

    Returns:
        ``count`` different architectures, or all candidates where they are fewer.

    Raises:
        UsageError: the count is not a whole number >= 1, or there is no candidate.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise UsageError(wrong("number of architectures to measure", count, "a whole number >= 1"))
    pool = _pool(knowledge, max(NUM_CANDIDATES, 4 * count), rng, candidates)
    model = knowledge.models()[0]
    variances = np.exp(knowledge.expectation(model).logs)
    rows = knowledge.rows(pool)
    covariance = np.tensordot(variances[:-1], knowledge.kernels(model, rows, rows), 1)
    return [pool[place] for place in greedy(covariance, float(variances[-1]), count)]


def greedy(covariance: np.ndarray, noise: float, count: int) -> list[int]:
    """Places that lower the mean variance most, one after the other.

    Args:
        covariance: between candidates, shape (m, m).
        noise: variance of a measurement, > 0.
        count: how many places.

    Example:
        >>> greedy(np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 0.5]]), 0.1, 2)
        [0, 2]
    """
    left = np.array(covariance)
    chosen: list[int] = []
    for _ in range(min(count, len(left))):
        gain = np.square(left).sum(axis=0) / (np.maximum(np.diag(left), 0.0) + noise)
        gain[chosen] = -1.0
        best = int(np.argmax(gain))
        chosen.append(best)
        left -= np.outer(left[:, best], left[best]) / (max(left[best, best], 0.0) + noise)
    return chosen


def _pool(
    knowledge: Knowledge, most: int, rng: np.random.Generator, candidates: Sequence[Architecture] | None
) -> list[Architecture]:
    space = knowledge.descriptors.space
    if candidates is None:
        return list(dict.fromkeys(space.sample(rng) for _ in range(most)))
    different = list(dict.fromkeys(candidates))
    if not different:
        raise UsageError(wrong("candidates to measure", 0, "at least one architecture"))
    order = rng.permutation(len(different))[:most] if len(different) > most else np.arange(len(different))
    return [different[place] for place in order.tolist()]
