"""The logarithm of the expected hypervolume improvement, against integration, simulation and known limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import UsageError
from netwright.strategies.acquisition import log_expected_improvement
from netwright.strategies.hypervolume_improvement import log_expected_hypervolume_improvement

FRONT = np.array([[0.2, 1.4], [0.9, 0.8], [1.5, 0.1], [0.5, 0.5]])  # the last is dominated
REFERENCE = np.array([-0.5, -0.3])


def random_case(k: int, points: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Means, deviations, front and reference of so many objectives."""
    rng = np.random.default_rng(seed)
    front = rng.normal(size=(points, k))
    return rng.normal(size=(4, k)), rng.uniform(0.2, 1.0, size=(4, k)), front, np.full(k, -1.5)


def simulated(
    mean: np.ndarray, std: np.ndarray, front: np.ndarray, reference: np.ndarray, draws: int = 3000
) -> tuple[float, float]:
    """Mean improvement by random draws of one prediction, and its standard error."""
    moocore = pytest.importorskip("moocore")

    def volume(points: np.ndarray) -> float:
        inside = points[(points > reference).all(axis=1)]
        return float(moocore.hypervolume(-inside, ref=-reference)) if len(inside) else 0.0

    drawn = mean + std * np.random.default_rng(1).normal(size=(draws, len(mean)))
    added = np.array([volume(np.vstack([front, point])) for point in drawn]) - volume(front)
    return float(added.mean()), float(added.std() / np.sqrt(draws))


def test_two_objectives_equal_numerical_integration() -> None:
    """On a fine grid, the density times the added area sums to the same."""
    mean, std = np.array([0.8, 0.6]), np.array([0.5, 0.3])
    axes = [np.linspace(m - 8 * s, m + 8 * s, 1601) for m, s in zip(mean, std, strict=True)]
    weights = [np.exp(-0.5 * ((axis - m) / s) ** 2) for axis, m, s in zip(axes, mean, std, strict=True)]
    weights = [w / w.sum() for w in weights]
    steps = FRONT[np.argsort(FRONT[:, 0])][[0, 2, 3]]
    begins, ends = np.array([REFERENCE[0], *steps[:, 0]]), np.array([*steps[:, 0], np.inf])
    floors = np.array([*steps[:, 1], REFERENCE[1]])
    widths = np.maximum(np.minimum(axes[0][:, None], ends) - begins, 0)
    heights = np.maximum(axes[1][:, None] - floors, 0)
    expected = float(weights[0] @ (widths @ heights.T) @ weights[1])
    actual = log_expected_hypervolume_improvement(mean[None], std[None], FRONT, REFERENCE)
    assert [math.log(expected)] == pytest.approx(actual.tolist(), abs=1e-5)


@pytest.mark.parametrize(("k", "points", "inexact"), [(2, 12, 0.0), (3, 10, 0.0), (4, 6, 0.0), (5, 12, 0.15)])
def test_any_number_of_objectives_equals_simulation(k: int, points: int, inexact: float) -> None:
    """Random draws agree within 4 standard errors, of five objectives, of which three are sampled, within 15 % more."""
    means, stds, front, reference = random_case(k, points, seed=k)
    actual = np.exp(log_expected_hypervolume_improvement(means, stds, front, reference)).tolist()
    for mean, std, improvement in zip(means, stds, actual, strict=True):
        expected, error = simulated(mean, std, front, reference)
        assert abs(expected - improvement) < 4 * error + inexact * expected + 1e-4


def test_an_objective_without_spread_beyond_the_front_leaves_that_of_the_others() -> None:
    """A third objective that is certain to be 2 above a reference, in which the front is equal, doubles two."""
    means, stds, front, reference = random_case(2, 8, seed=0)
    third = [np.full((4, 1), 2.0), np.full((4, 1), 1e-6), np.full((8, 1), 5.0), np.zeros(1)]
    with_third = [np.concatenate([a, b], axis=-1) for a, b in zip((means, stds, front, reference), third, strict=True)]
    two = log_expected_hypervolume_improvement(means, stds, front, reference)
    three = log_expected_hypervolume_improvement(*with_third)
    assert (two + math.log(2)).tolist() == pytest.approx(three.tolist(), abs=1e-9)


def test_without_a_front_it_is_the_product_of_the_expected_improvements() -> None:
    """Only the reference is there to be improved upon; and with one objective it is that of one objective."""
    means, stds, front, reference = random_case(3, 0, seed=0)
    each = [log_expected_improvement(means[:, j], stds[:, j], -1.5) for j in range(3)]
    actual = log_expected_hypervolume_improvement(means, stds, front, reference)
    assert sum(each).tolist() == pytest.approx(actual.tolist())  # type: ignore[attr-defined]
    one = log_expected_hypervolume_improvement(means[:, :1], stds[:, :1], np.array([[0.3], [-9.0]]), reference[:1])
    assert log_expected_improvement(means[:, 0], stds[:, 0], 0.3).tolist() == one.tolist()


def test_points_that_do_not_matter_do_not_matter() -> None:
    """Dominated points, repeats and those not above the reference change nothing, nor does the order."""
    means, stds = np.array([[1.0, 1.0], [0.0, 2.0]]), np.full((2, 2), 0.4)
    expected = log_expected_hypervolume_improvement(means, stds, FRONT[:3], REFERENCE)
    more = np.concatenate([FRONT[::-1], FRONT, [[-0.5, 9.0], [9.0, -0.4], [0.2, 1.0]]])
    actual = log_expected_hypervolume_improvement(means, stds, more, REFERENCE)
    assert expected.tolist() == pytest.approx(actual.tolist(), abs=1e-12)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from([2, 3]), st.floats(1.0, 300.0))
def test_it_is_finite_and_rises_with_the_mean_however_far_away(seed: int, k: int, far: float) -> None:
    """Far below the front, where the improvement itself is 0 in floats, candidates can still be told apart."""
    means, stds, front, reference = random_case(k, 7, seed)
    low, lower = (log_expected_hypervolume_improvement(means - d, stds, front, reference) for d in (far, far + 1))
    assert np.isfinite([low, lower]).all()
    assert (low > lower).all()


def test_narrow_boxes_lose_no_digits() -> None:
    """Two points a rounding apart give what one of them gives, near the front and far below it."""
    pair = np.array([[0.5, 0.5], [0.5 + 1e-13, 0.5 - 1e-13]])
    means, stds = np.array([[0.6, 0.6], [-20.0, -20.0], [0.5, -3.0]]), np.full((3, 2), 0.5)
    one = log_expected_hypervolume_improvement(means, stds, pair[:1], np.zeros(2))
    two = log_expected_hypervolume_improvement(means, stds, pair, np.zeros(2))
    assert one.tolist() == pytest.approx(two.tolist(), abs=1e-8)


def test_certain_predictions_add_their_area() -> None:
    """With next to no spread it is the logarithm of the area a point adds, worked out by hand."""
    front, means = np.array([[1.0, 3.0], [2.0, 1.0]]), np.array([[1.5, 2.0], [3.0, 4.0]])
    actual = np.exp(log_expected_hypervolume_improvement(means, np.full((2, 2), 1e-7), front, np.zeros(2)))
    assert [0.5 * 1.0, 3 * 4 - (1 * 3 + 1 * 1)] == pytest.approx(actual.tolist(), abs=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stds": np.ones((2, 3))}, r"shapes of means and stds must be equal"),
        ({"front": np.ones(3)}, r"shapes of front and reference must be \(points, 2\) and \(2,\)"),
        ({"reference": np.array([0.0, np.nan])}, "must be finite numbers"),
        ({"stds": np.zeros((2, 2))}, "stds must be > 0, got 0.0"),
    ],
)
def test_arrays_that_make_no_sense_are_refused(change: dict[str, np.ndarray], message: str) -> None:
    """The error says which array, and what it must be."""
    arguments = {"means": np.ones((2, 2)), "stds": np.ones((2, 2)), "front": FRONT, "reference": REFERENCE} | change
    with pytest.raises(UsageError, match=message):
        log_expected_hypervolume_improvement(**arguments)
