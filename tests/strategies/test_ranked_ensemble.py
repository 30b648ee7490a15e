"""The ranked ensemble: whom it trusts, and what it predicts."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.predictors.features import Features
from netwright.predictors.gaussian_process import GaussianProcess
from netwright.predictors.ranks import ranks_as_normal
from netwright.predictors.surrogate import Surrogate
from netwright.strategies.earlier_studies import Lesson
from netwright.strategies.ranked_ensemble import RankedEnsemble, leave_one_out, rank_weights
from netwright.testing import cell_space
from netwright.types import Architecture

SPACE = cell_space()


def score(architecture: Architecture) -> float:
    return sum({"nor_conv_3x3": 2, "nor_conv_1x1": 1, "none": -1}.get(str(v), 0) for v in architecture.values())


def make(*scales: float, shuffled: bool = False) -> tuple[RankedEnsemble, Features, list[Architecture]]:
    """An ensemble with a lesson for each scale of the true scores, and architectures it has not seen."""
    rng = np.random.default_rng(0)
    features = Features(SPACE, rng)
    lessons = []
    for scale in scales:
        some = [SPACE.sample(rng) for _ in range(60)]
        scores = scale * np.array([score(a) for a in some])
        lessons.append(Lesson(some, ranks_as_normal(rng.permutation(scores) if shuffled else scores)))
    return RankedEnsemble(features, rng, lessons), features, [SPACE.sample(rng) for _ in range(40)]


def learn(ensemble: RankedEnsemble, features: Features, some: list[Architecture]) -> None:
    numbers, targets = features.numbers(some), ranks_as_normal(np.array([score(a) for a in some]))
    ensemble.tune(numbers, targets)
    ensemble.condition(numbers, targets)


def test_it_is_a_surrogate() -> None:
    """It has the methods of the protocol."""
    assert isinstance(make()[0], Surrogate)


def test_a_like_study_is_trusted_and_unlike_ones_are_not() -> None:
    """Of equal, inverted and permuted scores, the first gets nearly all of the weight from eight observations."""
    ensemble, features, new = make(1.0, -1.0)
    learn(ensemble, features, new[:8])
    assert ensemble.weights[0] > 0.8
    assert ensemble.weights[1] < 0.01
    unlike, features, new = make(1.0, 1.0, 1.0, shuffled=True)
    learn(unlike, features, new[:20])
    assert unlike.weights[-1] > 0.9


def test_weights_are_shares() -> None:
    """They sum to one, whatever the number of observations."""
    for count in (1, 2, 3, 12, 40):
        ensemble, features, new = make(1.0, -1.0)
        learn(ensemble, features, new[:count])
        assert ensemble.weights.sum() == pytest.approx(1.0)
        assert (ensemble.weights >= 0).all()


def test_a_like_study_predicts_better_than_few_observations() -> None:
    """With eight observations the ensemble ranks thirty other architectures better than a model without a lesson."""
    with_lesson, alone = make(1.0), make()
    correlations = []
    for ensemble, features, new in (with_lesson, alone):
        learn(ensemble, features, new[:8])
        mean, std = ensemble.predict(features.numbers(new[8:]))
        assert (std > 0).all()
        correlations.append(np.corrcoef(mean, [score(a) for a in new[8:]])[0, 1])
    assert correlations[0] > correlations[1]
    assert correlations[0] > 0.9


def test_pending_architectures_are_no_evidence() -> None:
    """Appending believed observations leaves the weights as they were."""
    ensemble, features, new = make(1.0, -1.0)
    learn(ensemble, features, new[:8])
    before = ensemble.weights.copy()
    numbers, targets = features.numbers(new[:8]), ranks_as_normal(np.array([score(a) for a in new[:8]]))
    pending = features.numbers(new[8:12])
    ensemble.condition(np.concatenate([numbers, pending]), np.concatenate([targets, np.zeros(4)]))
    assert before.tolist() == ensemble.weights.tolist()


def test_leaving_one_out_is_what_it_says() -> None:
    """The formula gives what processes predict that have not seen the observation."""
    rng = np.random.default_rng(0)
    points, targets = rng.random((7, 2)), rng.standard_normal(7)
    distances = [((points[:, None] - points) ** 2).sum(-1)]
    process = GaussianProcess(1)
    expected = []
    for left_out in range(7):
        rest = np.delete(np.arange(7), left_out)
        process.condition([distances[0][np.ix_(rest, rest)]], targets[rest])
        expected.append(process.predict([distances[0][[left_out]][:, rest]])[0][0])
    np.testing.assert_allclose(leave_one_out(process, distances, targets), expected, atol=1e-4)


def test_models_no_better_than_a_coin_have_little_weight() -> None:
    """Of five that rank at random hardly any is trusted, even where the present model ranks worse than chance."""
    rng = np.random.default_rng(0)
    own = []
    for _ in range(20):
        targets = rng.standard_normal(30)
        own.append(rank_weights(rng.standard_normal((5, 30)), -targets, targets, rng)[-1])
    assert np.mean(own) > 0.7
