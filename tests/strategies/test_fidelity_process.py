"""The Gaussian process over architectures and fidelities: it learns what a level says of another."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.predictors.ranks import ranks_as_normal
from netwright.predictors.surrogate import CannotLearn
from netwright.strategies.fidelity_process import FidelityProcess, Observed

NUM_LOW, NUM_FULL = 40, 12


def points(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(60, 2))


def distances(left: np.ndarray, right: np.ndarray) -> list[np.ndarray]:
    return [np.square(left[:, None] - right).sum(axis=2) / 4]


def observe(low: np.ndarray, full: np.ndarray) -> Observed:
    """Forty architectures at the low level, the twelve best of them at the full one; ranks as targets."""
    best = np.argsort(-low[:NUM_LOW])[:NUM_FULL]
    places = np.concatenate([np.arange(NUM_LOW), best])
    levels = np.repeat([0, 1], [NUM_LOW, NUM_FULL])
    return Observed(places, levels, np.concatenate([ranks_as_normal(low[:NUM_LOW]), ranks_as_normal(full[best])]))


def tuned(seed: int, *, misleads: bool) -> tuple[FidelityProcess, Observed]:
    x = points(seed)
    full = np.sin(x[:, 0]) + x[:, 1]
    low = np.random.default_rng(seed + 1).permutation(full) if misleads else 10 * full + 3
    process, observed = FidelityProcess(1, 2), observe(low, full)
    process.tune(distances(x, x), observed)
    process.condition(distances(x, x), observed)
    return process, observed


@pytest.mark.parametrize("seed", range(3))
def test_a_level_that_ranks_well_is_told_from_one_that_misleads(seed: int) -> None:
    """The correlation with the full level is learnt, although only the best ones were evaluated there."""
    good, bad = (tuned(seed, misleads=misleads)[0].correlations() for misleads in (False, True))
    assert good[0] > 0.8
    assert bad[0] < 0.6


def test_low_observations_tell_where_the_full_level_is_good() -> None:
    """Architectures that were never evaluated fully are ranked by what was seen of them and of others."""
    process, _ = tuned(0, misleads=False)
    x = points(0)
    mean, std = process.predict(distances(x, x), 1)
    truth = np.sin(x[:, 0]) + x[:, 1]
    assert np.corrcoef(mean, truth)[0, 1] > 0.9
    assert (std > 0).all()


def test_the_gradient_is_that_of_the_loss() -> None:
    """The derivative of the posterior by every hyper-parameter agrees with differences."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 2))
    observed = Observed(rng.integers(0, 12, 20), rng.integers(0, 3, 20), rng.normal(size=20))
    process = FidelityProcess(1, 3)
    wide = [d[np.ix_(observed.places, observed.places)] for d in distances(x, x)]
    logs = process.log_parameters + 0.3 * rng.normal(size=len(process.log_parameters))
    steps = 1e-5 * np.eye(len(logs))
    differences = [
        (process._loss(logs + step, wide, observed)[0] - process._loss(logs - step, wide, observed)[0]) / 2e-5
        for step in steps
    ]
    np.testing.assert_allclose(process._loss(logs, wide, observed)[1], differences, rtol=1e-4, atol=1e-5)


def test_a_believed_target_changes_no_mean() -> None:
    """What is predicted for a pending evaluation, taken as observed, leaves the mean where it was."""
    process, observed = tuned(1, misleads=False)
    x = points(1)
    mean, _ = process.predict(distances(x[50:51], x), 1)
    believed = process.target(mean, 1)
    more = Observed(
        np.append(observed.places, 50), np.append(observed.levels, 1), np.append(observed.targets, believed)
    )
    process.condition(distances(x, x), more)
    again, _ = process.predict(distances(x[50:51], x), 1)
    np.testing.assert_allclose(again, mean, atol=1e-6)


def test_a_covariance_without_a_factor_is_said() -> None:
    """Distances that are not numbers end in `CannotLearn`, also while hyper-parameters are looked for."""
    process = FidelityProcess(1, 2)
    observed = Observed(np.arange(4), np.array([0, 0, 1, 1]), np.array([-1.0, 1.0, -1.0, 1.0]))
    bad = [np.full((4, 4), np.nan)]
    process.tune(bad, observed)
    with pytest.raises(CannotLearn, match="4 observations"):
        process.condition(bad, observed)
