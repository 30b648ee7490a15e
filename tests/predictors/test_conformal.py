"""Intervals from errors that were left out, and the scale of values they are carried to."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.errors import UsageError
from netwright.predictors.conformal import FLOOR, Calibration, LeftOut
from netwright.predictors.target_scale import TargetScale


@pytest.mark.parametrize("count", [20, 50])
def test_they_hold_their_share(count: int) -> None:
    """Errors whose size follows the spread: on average over 400 draws 90 % of further ones are inside, +- 1 %."""
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(400):
        spread = rng.uniform(0.5, 2.0, count + 200)
        errors = 3.0 * spread * rng.normal(size=count + 200)
        calibration = Calibration.of(errors[:count], LeftOut(np.zeros(count), spread[:count]))
        shares.append(np.mean(np.abs(errors[count:]) <= calibration.half_width(spread[count:], 0.9)))
    assert 0.9 == pytest.approx(np.mean(shares), abs=0.01)


def test_they_are_wider_where_the_model_is_less_sure() -> None:
    """Twice the spread beyond the floor is twice the width."""
    calibration = Calibration.of(np.linspace(-1, 1, 40), LeftOut(np.zeros(40), np.ones(40)))
    narrow, wide = calibration.half_width(np.array([1.0, 2.0 + FLOOR]), 0.9)
    assert wide == pytest.approx(2 * narrow)


def test_too_few_errors_bound_nothing() -> None:
    """Eight errors give no 90 % interval, nine do, and eight give an 80 % one."""
    eight, nine = (Calibration(np.arange(1.0, count + 1), 0.0) for count in (8, 9))
    one = np.ones(1)
    assert np.isinf(eight.half_width(one, 0.9)).all()
    assert [9.0] == nine.half_width(one, 0.9).tolist()
    assert [7.2] == pytest.approx(eight.half_width(one, 0.8).tolist())


@pytest.mark.parametrize("coverage", [0.0, 1.0, float("nan")])
def test_a_share_that_is_none(coverage: float) -> None:
    """The coverage is between 0 and 1."""
    with pytest.raises(UsageError, match=r"coverage must be in \(0, 1\)"):
        Calibration(np.ones(20), 0.0).half_width(np.ones(1), coverage)


def test_the_scale_is_a_bijection_that_keeps_the_order() -> None:
    """Values between, at and beyond those observed come back, and larger ones have larger targets."""
    values = np.array([0.1, 0.1, 0.83, 0.9, 0.91, 0.92, 0.95])
    scale = TargetScale.of(values)
    asked = np.linspace(-0.2, 1.2, 57)
    targets = scale.to_targets(asked)
    assert (np.diff(targets) > 0).all()
    assert asked == pytest.approx(scale.to_values(targets))


def test_outliers_do_not_flatten_the_rest() -> None:
    """One value that is far off takes less than half of the range that the others have between them."""
    scale = TargetScale.of(np.array([-1e6, *np.linspace(0.9, 0.95, 20)]))
    assert scale.targets[1] - scale.targets[0] < scale.targets[-1] - scale.targets[1]


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5, 0.5], [1e-300, 2e-300], [0.0, 1e100]])
def test_scales_of_odd_values_are_finite(values: list[float]) -> None:
    """One value, equal ones, tiny and huge ones."""
    scale = TargetScale.of(np.array(values))
    assert np.isfinite(scale.to_targets(np.array(values))).all()
    assert np.isfinite(scale.slopes).all()
    assert min(scale.slopes) > 0
