"""Regression by a sum of kernels: against the textbook, with gross errors, with almost nothing measured."""

from __future__ import annotations

import numpy as np
from scipy.optimize import check_grad

from netwright.predictors.latency.process import Expectation, Posterior, _loss, fit

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(30, 3))
LINEAR = INPUTS @ np.array([1.0, -0.5, 0.0])
KERNELS = np.stack([INPUTS @ INPUTS.T, np.ones((30, 30))])
EXPECTED = Expectation(np.log([1.0, 1.0, 0.1]), np.ones(3))


def posterior(targets: np.ndarray) -> Posterior:
    return Posterior(KERNELS, targets, EXPECTED.logs, np.ones(30))


def test_left_out_predictions_are_those_without_the_measurement() -> None:
    """The closed form of leaving one out equals fitting without it."""
    targets = LINEAR + RNG.normal(size=30)
    others = np.arange(1, 30)
    without = Posterior(KERNELS[:, others][:, :, others], targets[1:], EXPECTED.logs, np.ones(29))
    mean, variance = without.predict(KERNELS[:, :1, 1:], np.array([KERNELS[0, :1, 0], [1.0]]))
    left_mean, left_variance = posterior(targets).left_out()
    np.testing.assert_allclose([mean[0], variance[0] + 0.1], [left_mean[0], left_variance[0]], rtol=1e-5)


def test_the_gradient_is_that_of_the_loss() -> None:
    """Finite differences agree with it."""
    targets, local = LINEAR + RNG.normal(size=30), 1 + RNG.random(30)

    def loss(logs: np.ndarray) -> float:
        return _loss(logs, KERNELS, targets, local, EXPECTED)[0]

    def gradient(logs: np.ndarray) -> np.ndarray:
        return _loss(logs, KERNELS, targets, local, EXPECTED)[1]

    assert check_grad(loss, gradient, np.log([0.5, 2.0, 0.3])) < 1e-4


def test_gross_errors_move_little() -> None:
    """Of 30 measurements 3 are off by 20: the function is found to a tenth of what they are off by."""
    off = LINEAR.copy()
    off[:3] += 20.0
    found, _ = fit(KERNELS, off, EXPECTED).predict(KERNELS[:, 3:], np.stack([np.diag(k)[3:] for k in KERNELS]))
    assert float(np.abs(found - LINEAR[3:]).max()) < 0.5


def test_one_measurement_is_enough() -> None:
    """The expectation speaks where little is measured: finite predictions, and certain ones at no place."""
    one = fit(KERNELS[:, :1, :1], np.array([0.3]), EXPECTED)
    mean, variance = one.predict(KERNELS[:, :, :1], np.stack([np.diag(k) for k in KERNELS]))
    assert np.isfinite(mean).all()
    assert (variance > 0).all()


def test_targets_that_are_all_zero_are_no_error() -> None:
    """Constant measurements give a constant function."""
    mean, _ = fit(KERNELS, np.zeros(30), EXPECTED).predict(KERNELS, np.stack([np.diag(k) for k in KERNELS]))
    assert np.array_equal(np.zeros(30), mean)
