"""The Gaussian process against formulas written out, and its hyper-parameters against data of known ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.stats import norm

from netwright.predictors.gaussian_process import GaussianProcess, SingularCovariance, _Pairs
from netwright.strategies.acquisition import log_expected_improvement


def line(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Squared distances of points on a line in two scales, shape (2, n, n), and a smooth function of them."""
    x = np.sort(np.random.default_rng(seed).uniform(0, 4, count))
    squared = (x[:, None] - x) ** 2
    targets = np.sin(2 * x)
    return np.stack([squared, squared / 9]), (targets - targets.mean()) / targets.std()


def test_predictions_are_those_of_the_formula() -> None:
    """Mean and variance equal k K^-1 y and k(0) - k K^-1 k, written out with an inverse."""
    distances, targets = line(12)
    model = GaussianProcess(2)
    seen, asked = np.arange(8), np.arange(8, 12)
    model.condition(distances[:, seen][:, :, seen], targets[seen])
    mean, std = model.predict(distances[:, asked][:, :, seen])

    def kernel(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return sum(0.5 * np.exp(-distances[p][np.ix_(rows, columns)]) for p in range(2))  # type: ignore[return-value]

    inverse = np.linalg.inv(kernel(seen, seen) + (0.01 + 1e-6) * np.eye(8))
    cross = kernel(asked, seen)
    np.testing.assert_allclose(cross @ inverse @ targets[seen], mean, rtol=1e-8)
    np.testing.assert_allclose(np.sqrt(1 - np.diag(cross @ inverse @ cross.T)), std, rtol=1e-6)


@pytest.mark.parametrize("straight", [(), (1,), (0, 1)])
def test_the_gradient_of_the_likelihood_is_that_of_finite_differences(straight: tuple[int, ...]) -> None:
    """In ten random places the analytic gradient agrees with differences."""
    distances, targets = line(15)
    model = GaussianProcess(2, straight)
    pairs = _Pairs(distances, straight)
    rng = np.random.default_rng(1)
    for _ in range(10):
        place = model.log_parameters + rng.normal(0, 0.7, 5 + len(straight))
        value = lambda t: model._loss(t, pairs, targets)[0]  # noqa: E731
        slope = lambda t: model._loss(t, pairs, targets)[1]  # noqa: E731
        assert check_grad(value, slope, place) < 1e-3


def test_tuning_raises_the_likelihood_and_finds_what_is_noise() -> None:
    """For a smooth function the noise falls under a hundredth, for shuffled targets it takes most of the variance."""
    distances, targets = line(40)
    smooth, shuffled = GaussianProcess(2), GaussianProcess(2)
    before = smooth._loss(smooth.log_parameters, _Pairs(distances), targets)[0]
    smooth.tune(distances, targets)
    assert smooth._loss(smooth.log_parameters, _Pairs(distances), targets)[0] < before
    assert math.exp(smooth.log_parameters[-1]) < 0.01
    noise = np.random.default_rng(0).permutation(targets)
    shuffled.tune(distances, noise)
    assert math.exp(shuffled.log_parameters[-1]) > 0.1


def test_equal_points_do_not_break_it() -> None:
    """Twenty times the same architecture has a covariance of ones; the noise on its diagonal carries it."""
    model = GaussianProcess(1)
    model.condition([np.zeros((20, 20))], np.zeros(20))
    mean, std = model.predict([np.zeros((1, 20))])
    assert mean[0] == 0
    assert std[0] < 0.1


def test_a_covariance_that_is_none_is_reported() -> None:
    """Distances that no points have (negative ones) give a matrix that is not positive, and a named exception."""
    model = GaussianProcess(1)
    with pytest.raises(SingularCovariance, match="no Cholesky factor of a covariance of 3 observations"):
        model.condition([np.full((3, 3), -4.0) + 4.0 * np.eye(3)], np.zeros(3))


@pytest.mark.parametrize("score", [-1e6, -300.0, -30.0, -5.0, -1.0, -0.999, 0.0, 2.0, 30.0])
def test_the_improvement_is_right_near_and_finite_far(score: float) -> None:
    """Where the plain formula holds it is met; beyond, the logarithm follows the tail, and is never infinite."""
    (found,) = log_expected_improvement(np.array([score * 2.0]), np.array([2.0]), best=0.0)
    if score > -5.5:
        plain = 2 * (score * norm.cdf(score) + norm.pdf(score))
        assert math.isclose(math.log(plain), found, rel_tol=1e-6)
    else:
        tail = norm.logpdf(score) - 2 * math.log(abs(score)) + math.log(2)
        assert math.isclose(tail, found, rel_tol=1e-2)


def test_the_improvement_grows_with_mean_and_deviation() -> None:
    """More mean or more deviation is never less worth, across the seam of the two formulas."""
    means = np.linspace(-12, 3, 2001)
    assert (np.diff(log_expected_improvement(means, np.ones_like(means), 0.0)) > 0).all()
    stds = np.linspace(0.05, 3, 2001)
    assert (np.diff(log_expected_improvement(np.full_like(stds, -1.0), stds, 0.0)) > 0).all()


def test_a_straight_part_goes_on_where_a_curved_one_returns_to_the_mean() -> None:
    """As far beyond six points on a line as these reach, a straight part is nearer to the line than a curved one."""
    x = np.linspace(0, 2.5, 11)
    distances = ((x[:, None] - x) ** 2)[None]
    targets = x - x[:6].mean()
    curved, straight = GaussianProcess(1), GaussianProcess(1, [0])
    errors = []
    for model in (curved, straight):
        model.tune(distances[:, :6, :6], targets[:6])
        model.condition(distances[:, :6, :6], targets[:6])
        mean, _ = model.predict(distances[:, 10:, :6])
        errors.append(abs(float(mean[0] - targets[10])))
    assert errors[1] < errors[0] * 2 / 3
