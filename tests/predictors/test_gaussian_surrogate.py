"""What the surrogate keeps from one proposal to the next gives the predictions that a fresh model gives."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.predictors.features import Features
from netwright.predictors.gaussian_process import GaussianProcess
from netwright.predictors.gaussian_surrogate import LATELY, MANY_ROWS, MOST_ROWS, MOST_TUNED, GaussianProcessSurrogate
from netwright.predictors.surrogate import CannotLearn, Surrogate
from netwright.testing import cell_space


@pytest.fixture
def features() -> Features:
    """400 random cells, numbered from 0."""
    space, rng = cell_space(), np.random.default_rng(0)
    made = Features(space, rng)
    while len(made) < 400:
        made.numbers([space.sample(rng) for _ in range(400 - len(made))])
    return made


def fresh(
    features: Features, surrogate: GaussianProcessSurrogate, seen: np.ndarray, targets: np.ndarray, asked: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Predictions of a model of the same hyper-parameters that keeps nothing."""
    model = GaussianProcess(len(features.parts), surrogate.process.straight)
    model.log_parameters = surrogate.process.log_parameters
    model.condition(features.distances(seen, seen), targets)
    return model.predict(features.distances(asked, seen))


def test_it_is_a_surrogate(features: Features) -> None:
    """It has the three methods of the protocol."""
    assert isinstance(GaussianProcessSurrogate(features, np.random.default_rng(0)), Surrogate)


def test_what_is_kept_changes_no_prediction(features: Features) -> None:
    """Over 60 random steps (more observations, fewer, others, new hyper-parameters) it predicts like a fresh model."""
    rng = np.random.default_rng(1)
    surrogate = GaussianProcessSurrogate(features, rng)
    values = rng.normal(size=400)
    seen = np.arange(5)
    for step in range(60):
        kind = rng.integers(5)
        if kind == 0 and len(seen) > 6:
            seen = seen[: int(rng.integers(3, len(seen)))]
        elif kind == 1:
            seen = np.concatenate([seen[:3], rng.permutation(200)[:10]])
        else:
            seen = np.concatenate([seen, rng.integers(0, 200, size=int(rng.integers(1, 4)))])
        if step % 20 == 0:
            surrogate.tune(seen, values[seen])
        surrogate.condition(seen, values[seen])
        asked = rng.permutation(400)[:50]
        mean, std = surrogate.predict(asked)
        expected_mean, expected_std = fresh(features, surrogate, seen, values[seen], asked)
        np.testing.assert_allclose(expected_mean, mean, atol=1e-5)
        np.testing.assert_allclose(expected_std, std, atol=1e-4)


def test_targets_may_change_alone(features: Features) -> None:
    """The same observations with other targets need no new factor, and give the predictions of the new targets."""
    rng = np.random.default_rng(2)
    surrogate = GaussianProcessSurrogate(features, rng)
    seen, asked = np.arange(20), np.arange(20, 60)
    for _ in range(3):
        targets = rng.normal(size=20)
        surrogate.condition(seen, targets)
        mean, _ = surrogate.predict(asked)
        np.testing.assert_allclose(fresh(features, surrogate, seen, targets, asked)[0], mean, atol=1e-5)


@pytest.mark.long
def test_kept_candidates_are_limited(features: Features) -> None:
    """More candidates than are kept are predicted as well as few, and what is kept stays below the limit."""
    space, rng = cell_space(), np.random.default_rng(3)
    surrogate = GaussianProcessSurrogate(features, rng)
    seen, targets = np.arange(8), rng.normal(size=8)
    surrogate.condition(seen, targets)
    surrogate.predict(np.arange(400))
    many = features.numbers([space.sample(rng) for _ in range(MOST_ROWS)])
    surrogate.predict(many)
    assert len(surrogate._rows) <= MOST_ROWS
    mean, _ = surrogate.predict(np.arange(400))
    np.testing.assert_allclose(fresh(features, surrogate, seen, targets, np.arange(400))[0], mean, atol=1e-5)


def test_candidates_that_are_not_asked_for_any_more_are_dropped(features: Features) -> None:
    """Candidates move on; those of long ago do not cost each further observation, and predictions stay right."""
    space, rng = cell_space(), np.random.default_rng(6)
    surrogate = GaussianProcessSurrogate(features, rng)
    numbers = features.numbers([space.sample(rng) for _ in range(2 * MANY_ROWS)])
    for count in range(8, 20):
        seen, targets = np.arange(count), rng.normal(size=count)
        surrogate.condition(seen, targets)
        asked = numbers[100 * (count - 8) : 100 * (count - 8) + 900]
        mean, std = surrogate.predict(asked)
        expected_mean, expected_std = fresh(features, surrogate, seen, targets, asked)
        np.testing.assert_allclose(expected_mean, mean, atol=1e-5)
        np.testing.assert_allclose(expected_std, std, atol=1e-4)
        assert len(surrogate._rows) <= 900 + 100 * (LATELY + 1)
    assert numbers[0] not in surrogate._rows


def test_many_observations_are_tuned_from_some(features: Features, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hyper-parameters of 400 observations are found from `MOST_TUNED` of them."""
    sizes = []
    monkeypatch.setattr(GaussianProcess, "tune", lambda self, distances, targets: sizes.append(len(targets)))
    surrogate = GaussianProcessSurrogate(features, np.random.default_rng(4))
    surrogate.tune(np.arange(400), np.random.default_rng(5).normal(size=400))
    assert sizes == [MOST_TUNED]


def test_what_cannot_be_factorised_is_said(features: Features, monkeypatch: pytest.MonkeyPatch) -> None:
    """A covariance that is singular whatever is added to it raises CannotLearn, and the next good one works."""
    surrogate = GaussianProcessSurrogate(features, np.random.default_rng(6))
    with monkeypatch.context() as planted:
        planted.setattr(GaussianProcess, "covariance", lambda self, d: np.full(d[0].shape, -1.0))
        with pytest.raises(CannotLearn, match="covariance of 5 observations"):
            surrogate.condition(np.arange(5), np.arange(5.0))
    surrogate.condition(np.arange(5), np.arange(5.0))
    assert np.isfinite(surrogate.predict(np.arange(9))[0]).all()


def test_a_nearly_singular_covariance_gets_more_on_its_diagonal(
    features: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where 1e-6 on the diagonal is too little, up to 1e-2 is tried."""
    shifted = GaussianProcess.covariance

    def planted(self: GaussianProcess, distances: list[np.ndarray]) -> np.ndarray:
        covariance = shifted(self, distances)
        return covariance - 0.011 * np.eye(len(covariance))  # what the noise of 0.01 and 1e-6 do not make up for

    monkeypatch.setattr(GaussianProcess, "covariance", planted)
    surrogate = GaussianProcessSurrogate(features, np.random.default_rng(7))
    twice = np.array([0, 1, 2, 0, 1, 2])
    surrogate.condition(twice, np.arange(6.0))
    assert surrogate._jitter > 1e-6
