"""The ensemble of networks: its gradients against differences, what it learns, and when it is unsure."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.errors import UsageError
from netwright.predictors import network_ensemble as module
from netwright.predictors.features import Features
from netwright.predictors.network_ensemble import Adam, NetworkEnsemble, gradients, outputs
from netwright.predictors.surrogate import CannotLearn, Surrogate
from netwright.testing import example_spaces


class Points:
    """Rows of a table in the place of features."""

    def __init__(self, rows: np.ndarray) -> None:
        self.table = rows.astype(np.float32)

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        return self.table[numbers]


def bits(count: int, width: int = 8, seed: int = 0) -> tuple[Points, np.ndarray]:
    """Random bits, and a score that adds some of them and has one interaction; of mean 0 and variance 1."""
    rows = np.random.default_rng(seed).integers(0, 2, (count, width)).astype(float)
    scores = rows @ np.linspace(-1, 1, width) + rows[:, 0] * rows[:, 1]
    return Points(rows), (scores - scores.mean()) / scores.std()


def made(points: Points, seed: int = 0, **options: int) -> NetworkEnsemble:
    return NetworkEnsemble(points, np.random.default_rng(seed), **options)  # type: ignore[arg-type]


def test_it_is_a_surrogate() -> None:
    """It has the methods of the protocol."""
    assert isinstance(made(bits(4)[0]), Surrogate)


def test_gradients_are_those_of_finite_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    """For random weights of three layers, in double precision, each entry's slope agrees with a central difference."""
    monkeypatch.setattr(module, "WIDTHS", (4, 3))
    points, targets = bits(6, width=5)
    weights = [w.astype(float) + 0.1 for w in made(points)._fresh(5)]
    inputs, minds = points.table.astype(float), np.random.default_rng(1).dirichlet(np.ones(6), 5)

    def losses() -> np.ndarray:
        return np.asarray((np.abs(outputs(weights, inputs)[-1][:, :, 0] - targets) * minds).sum(axis=1))

    for weight, slope in zip(weights, gradients(weights, inputs, targets, minds), strict=True):
        for place in np.ndindex(weight.shape[1:]):
            at = (slice(None), *place)
            weight[at] += 1e-6
            above = losses()
            weight[at] -= 2e-6
            below = losses()
            weight[at] += 1e-6
            np.testing.assert_allclose((above - below) / 2e-6, slope[at], atol=1e-6)


def test_a_first_step_of_adam_is_the_rate_against_the_sign() -> None:
    """Bias correction makes the first step as long as the rate, whatever the slope's size."""
    weight = np.zeros(2)
    Adam([weight]).step([weight], [np.array([3.0, -0.001])], rate=0.5)
    assert [-0.5, 0.5] == pytest.approx(weight.tolist(), rel=1e-4)


def test_it_ranks_what_it_has_not_seen() -> None:
    """After 60 of 200 architectures it ranks the others with a correlation above 0.9."""
    points, targets = bits(200)
    model = made(points)
    model.tune(np.arange(60), targets[:60])
    mean, std = model.predict(np.arange(60, 200))
    assert np.corrcoef(mean, targets[60:])[0, 1] > 0.9
    assert (std > 0).all()


def test_it_is_less_sure_of_what_is_unlike_the_observed() -> None:
    """Members disagree more where the features lie far from those observed than on the observed themselves."""
    near = np.random.default_rng(0).normal(size=(40, 4))
    model = made(Points(np.concatenate([near, 4 * near])))
    model.tune(np.arange(40), near[:, 0])
    assert 2 * model.predict(np.arange(40))[1].mean() < model.predict(np.arange(40, 80))[1].mean()


def test_its_doubt_is_as_large_as_its_errors() -> None:
    """Errors on held-out architectures with noise lie around one of the standard deviations that were told."""
    points, scores = bits(460)
    noisy = scores + np.random.default_rng(5).normal(0, 0.5, 460)
    model = made(points)
    model.tune(np.arange(60), noisy[:60])
    mean, std = model.predict(np.arange(60, 460))
    assert 0.7 < np.sqrt(np.mean(((noisy[60:] - mean) / std) ** 2)) < 1.4


def test_further_observations_are_taken_in_without_tuning() -> None:
    """An architecture that scored far off what was predicted is predicted nearer to it after `condition`."""
    points, targets = bits(80)
    model = made(points)
    model.tune(np.arange(40), targets[:40])
    before, _ = model.predict(np.array([50]))
    model.condition(np.array([*range(40), 50, 50, 50]), np.append(targets[:40], [before[0] + 2] * 3))
    after, _ = model.predict(np.array([50]))
    assert after[0] > before[0] + 0.3


def test_conditioning_on_what_it_was_tuned_on_changes_nothing() -> None:
    """The same observations are no reason to train on, and conditioning begins from the tuned weights each time."""
    points, targets = bits(50)
    model = made(points)
    model.tune(np.arange(30), targets[:30])
    tuned = model.predict(np.arange(50))[0].tolist()
    model.condition(np.arange(40), targets[:40])
    assert tuned != model.predict(np.arange(50))[0].tolist()
    model.condition(np.arange(30), targets[:30])
    assert tuned == model.predict(np.arange(50))[0].tolist()


def test_the_generator_decides_all() -> None:
    """Equal seeds give equal predictions, others do not."""
    points, targets = bits(30)
    found = []
    for seed in (3, 3, 4):
        model = made(points, seed)
        model.tune(np.arange(20), targets[:20])
        found.append(model.predict(np.arange(30))[0].tolist())
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_observations_that_tell_nothing_apart() -> None:
    """Equal scores, and equal architectures, give finite predictions and positive deviations."""
    points, targets = bits(20)
    for numbers, scores in ((np.arange(20), np.zeros(20)), (np.zeros(20, dtype=int), targets)):
        model = made(points)
        model.tune(numbers, scores)
        mean, std = model.predict(np.arange(20))
        assert np.isfinite(mean).all()
        assert (std > 0).all()


@pytest.mark.parametrize("name", ["nested", "mixed", "small_cell"])
def test_it_learns_over_the_features_of_any_space(name: str) -> None:
    """Conditional, numeric and cell spaces give predictions of the right shape."""
    space, rng = example_spaces()[name], np.random.default_rng(0)
    features = Features(space, rng)
    numbers = features.numbers([space.sample(rng) for _ in range(12)])
    model = NetworkEnsemble(features, rng)
    model.tune(numbers, rng.normal(size=12))
    assert [(12,), (12,)] == [a.shape for a in model.predict(numbers)]


def test_what_cannot_be_is_refused() -> None:
    """One member, conditioning before tuning, and scores that make training diverge."""
    points, _ = bits(5)
    with pytest.raises(UsageError, match="num_members must be >= 2, got 1"):
        made(points, num_members=1)
    with pytest.raises(CannotLearn, match="tuned before it is conditioned"):
        made(points).condition(np.arange(5), np.zeros(5))
    with pytest.raises(CannotLearn, match="training on 5 observations diverged"):
        made(points).tune(np.arange(5), np.full(5, np.nan))
