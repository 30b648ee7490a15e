"""A curve is what was seen, and can be looked at as it was earlier."""

from __future__ import annotations

import math

import pytest

from netwright.errors import SpecError
from netwright.predictors.curves import Curve


def test_a_curve_is_cut_where_it_was() -> None:
    """Up to an epoch between two measurements there are those before it; up to none there is none."""
    curve = Curve((0.5, 1.0, 2.5), (0.1, 0.2, 0.3))
    assert curve.until(2.0) == Curve((0.5, 1.0), (0.1, 0.2))
    assert curve.until(2.5) == curve
    assert (curve.until(0.1), curve.until(0.1).length) == (Curve((), ()), 0.0)


def test_scores_that_are_not_finite_are_counted_at_the_end_and_left_out_within() -> None:
    """NaN inside is a gap, NaN and infinities at the end are a divergence."""
    curve = Curve.of([0.1, math.nan, 0.3, math.inf, math.nan], every=2)
    assert curve.num_diverged == 2
    epochs, scores = curve.finite()
    assert (epochs.tolist(), scores.tolist()) == ([2.0, 6.0], [0.1, 0.3])
    assert Curve.of([math.nan]).num_diverged == 1


@pytest.mark.parametrize("epochs", [(1.0, 1.0), (2.0, 1.0), (0.0, 1.0), (1.0, math.nan), (1.0, math.inf)])
def test_epochs_have_to_rise(epochs: tuple[float, ...]) -> None:
    """Equal, falling, zero and endless epochs are refused, with the one that is wrong."""
    with pytest.raises(SpecError, match="epochs must be finite and >"):
        Curve(epochs, (0.1, 0.2))


def test_each_epoch_has_a_score() -> None:
    """A score too many is refused."""
    with pytest.raises(SpecError, match="scores must be one for each of 1 epochs, got 2"):
        Curve((1.0,), (0.1, 0.2))
