"""A ranked ensemble of surrogates: those of earlier studies help as far as they rank the present observations well.

Every earlier study has a Gaussian process of its own, made once. A further one learns from the present study. Their
predictions are averaged with weights that are the probability that a model puts the present observations in the
right order best of all. The model of an unlike study puts them in a wrong order, and so has hardly any weight.

Knows architectures as the numbers of `Features`, no strategy, no space and no trials.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from netwright.predictors.features import Features
from netwright.predictors.gaussian_process import GaussianProcess
from netwright.predictors.gaussian_surrogate import GaussianProcessSurrogate
from netwright.predictors.surrogate import CannotLearn, Surrogate
from netwright.strategies.earlier_studies import Lesson

NUM_RESAMPLES = 256
"""Bootstrap samples that weights are the mean of."""

MOST_WEIGHED = 64
"""Observations by which models are weighed at most, the best half of them, since the cost grows with their square."""

RIDGE = 0.05
"""Variance that predictions of an earlier model are taken to have beyond that at the observed architectures, so that
hardly differing ones are not blown up."""

FEWEST_WEIGHED = 3
"""With fewer observations earlier models share the weight evenly."""


class Line(NamedTuple):
    """How the predictions of an earlier model are brought to the scale of the present scores."""

    centre: float
    slope: float

    def bring(self, mean: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation on the present scale."""
        return self.slope * (mean - self.centre), self.slope * std


class RankedEnsemble:
    """An ensemble of Gaussian processes; see `netwright.predictors.surrogate.Surrogate`.

    Args:
        features: of the architectures.
        rng: source of randomness.
        lessons: of earlier studies; one that no model can be made of is left out.

    Attributes:
        weights: of the earlier models, then of the present one; shape (number of models,), of sum 1.

    References:
        M. Feurer, B. Letham, F. Hutter and E. Bakshy, 2022, "Practical Transfer Learning for Bayesian Optimization"
        (RGPE): ranking loss under the bootstrap, leave-one-out predictions of the present model, and models that are
        no better than it dropped at random, so that many unlike ones do not dilute the weights. Deviations: targets
        are normal quantiles of ranks; what is dropped is drawn for every bootstrap sample and not once, which gives
        the mean of the weights instead of a noisy draw, and without regard to a budget, which a strategy does not
        know; an earlier model has to rank better than chance as well, since of few observations the present model
        predicts each to be like the others, and so ranks worse than chance; an earlier model is brought to the scale
        of the present observations by a regression on its predictions.
    """

    def __init__(self, features: Features, rng: np.random.Generator, lessons: Sequence[Lesson]) -> None:
        self._features = features
        self._rng = rng
        self._present = GaussianProcessSurrogate(features, rng)
        self._earlier = [model for lesson in lessons if (model := _learnt(features, rng, lesson)) is not None]
        self._observed = np.zeros(0, dtype=np.intp)
        self._targets = np.zeros(0)
        self._lines = [Line(0.0, 1.0)] * len(self._earlier)
        self.weights = np.full(len(self._earlier) + 1, 1 / (len(self._earlier) + 1))

    def tune(self, numbers: np.ndarray, targets: np.ndarray) -> None:
        self._present.tune(numbers, targets)

    def condition(self, numbers: np.ndarray, targets: np.ndarray) -> None:
        self._present.condition(numbers, targets)
        known = len(self._observed)
        is_same = np.array_equal(numbers[:known], self._observed) and np.array_equal(targets[:known], self._targets)
        if not is_same or not known:  # otherwise only pending ones were appended, whose scores are no evidence
            self._observed, self._targets = numbers, targets
            self._weigh(numbers, targets)

    def predict(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation; see `Surrogate.predict`."""
        present = self._present.predict(numbers)
        if not self._earlier:
            return present
        earlier = [line.bring(*m.predict(numbers)) for m, line in zip(self._earlier, self._lines, strict=True)]
        means, stds = (np.stack(arrays) for arrays in zip(*earlier, present, strict=True))
        mean = self.weights @ means
        return mean, np.sqrt(np.maximum(self.weights**2 @ stds**2, 1e-12))

    def _weigh(self, numbers: np.ndarray, targets: np.ndarray) -> None:
        if not self._earlier:
            return
        chosen = _chosen(targets, self._rng)
        numbers, targets = numbers[chosen], targets[chosen]
        means = [model.predict(numbers)[0] for model in self._earlier]
        self._lines = [line_through(mean, targets) for mean in means]
        if len(numbers) < FEWEST_WEIGHED:
            self.weights = np.full(len(self._earlier) + 1, 1 / (len(self._earlier) + 1))
            return
        own = leave_one_out(self._present.process, self._features.distances(numbers, numbers), targets)
        self.weights = rank_weights(np.stack(means), own, targets, self._rng)


def _learnt(features: Features, rng: np.random.Generator, lesson: Lesson) -> Surrogate | None:
    model = GaussianProcessSurrogate(features, rng)
    numbers = features.numbers(lesson.architectures)
    try:
        model.tune(numbers, lesson.targets)
        model.condition(numbers, lesson.targets)
    except CannotLearn:
        return None
    return model


def line_through(mean: np.ndarray, targets: np.ndarray) -> Line:
    """The regression of present scores on what an earlier model predicts; a falling one is taken to be level.

    Args:
        mean: predictions, shape (n,).
        targets: present scores of mean 0, shape (n,).
    """
    apart = mean - mean.mean()
    return Line(float(mean.mean()), max(0.0, float(apart @ targets / (apart @ apart + len(mean) * RIDGE))))


def _chosen(targets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Numbers of the observations that models are weighed by: all, or the best and some of the others."""
    if len(targets) <= MOST_WEIGHED:
        return np.arange(len(targets))
    order = np.argsort(-targets, kind="stable")
    half = MOST_WEIGHED // 2
    return np.sort(np.concatenate([order[:half], rng.permutation(order[half:])[:half]]))


def leave_one_out(process: GaussianProcess, distances: Sequence[np.ndarray], targets: np.ndarray) -> np.ndarray:
    """What a Gaussian process predicts for each observation from all others.

    Args:
        process: whose hyper-parameters are taken.
        distances: between the observed, an array of shape (n, n) for each part.
        targets: shape (n,).

    Returns:
        Means, shape (n,).

    References:
        C. E. Rasmussen and C. Williams, 2006, "Gaussian Processes for Machine Learning", equation 5.12.
    """
    covariance = process.covariance(distances) + (process.noise + 1e-6) * np.eye(len(targets))
    inverse = np.linalg.pinv(covariance, hermitian=True)
    return np.asarray(targets - inverse @ targets / np.diag(inverse))


def rank_weights(earlier: np.ndarray, own: np.ndarray, targets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How probable it is that a model ranks best.

    Args:
        earlier: what earlier models predict for the observations, shape (models, n).
        own: what the present model predicts for each of them without having seen it, shape (n,).
        targets: what they scored, shape (n,).
        rng: source of randomness.

    Returns:
        Weights of the earlier models, then of the present one; shape (models + 1,), of sum 1.

    Example:
        >>> scores = np.linspace(-1, 1, 12)
        >>> weights = rank_weights(np.stack([scores, -scores]), np.zeros(12), scores, np.random.default_rng(0))
        >>> weights.round(2).tolist()
        [1.0, 0.0, 0.0]
    """
    drawn = rng.multinomial(len(targets), np.full(len(targets), 1 / len(targets)), size=NUM_RESAMPLES)
    losses = np.stack([_misranked(mean, mean, targets, drawn) for mean in earlier])
    last = _misranked(own, targets, targets, drawn)
    num_pairs = len(targets) ** 2 - np.sum(drawn**2, axis=1)
    is_good = losses < np.minimum(last, num_pairs * _chance(len(targets), len(earlier)))
    is_kept = is_good & (rng.random(losses.shape) < is_good.mean(axis=1)[:, None])
    losses = np.where(is_kept, losses, np.inf)
    all_losses = np.concatenate([losses, last[None]])
    is_best = all_losses == all_losses.min(axis=0)
    return np.asarray((is_best / is_best.sum(axis=0)).mean(axis=1))


def _misranked(left: np.ndarray, right: np.ndarray, targets: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Pairs of each bootstrap sample that are in the wrong order; shape (samples,).

    A pair (i, j) is right where ``left[i] < right[j]`` just when ``targets[i] < targets[j]``; ``drawn`` tells how often
    each observation is in a sample, shape (samples, n).
    """
    wrong = (left[:, None] < right) != (targets[:, None] < targets)
    return np.asarray(np.einsum("si,ij,sj->s", drawn, wrong.astype(float), drawn, optimize=True))


def _chance(num_observations: int, num_models: int) -> float:
    """Share of misranked pairs that an earlier model has to stay below.

    Of one unlike model the share is one half, and by one standard deviation less in one case of six; the best of many
    unlike ones is about ``sqrt(2 log(models))`` deviations below.

    References:
        M. Kendall, 1938, "A New Measure of Rank Correlation" (the variance of tau where there is no correlation).
    """
    n = num_observations
    deviation = np.sqrt(2 * (2 * n + 5) / (9 * n * (n - 1)))
    return float(1 - deviation * np.sqrt(1 + 2 * np.log(num_models))) / 2
