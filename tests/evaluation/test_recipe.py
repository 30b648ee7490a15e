"""The recipe and its schedule."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import SpecError
from netwright.evaluation.recipe import Recipe, Schedule

LAWS = settings(deadline=None, derandomize=True)
lengths = st.floats(0.1, 40)
steps = st.integers(1, 500)


@LAWS
@given(lengths, st.floats(1, 5), steps)
def test_longer_trainings_share_the_stable_phase(epochs: float, longer: float, steps_per_epoch: int) -> None:
    """Up to the start of the shorter training's decay, a longer one has the same learning rates."""
    short = Recipe().schedule(epochs, steps_per_epoch)
    long = Recipe().schedule(epochs * longer, steps_per_epoch)
    upto = range(short.branch)
    assert [short.factor(s) for s in upto] == [long.factor(s) for s in upto]
    assert long.branch >= short.branch


@LAWS
@given(lengths, steps)
def test_the_learning_rate_falls_to_nearly_zero(epochs: float, steps_per_epoch: int) -> None:
    """The factor is in (0, 1] all along, never rises in the decay, and ends within one step of 0."""
    schedule = Recipe(warmup_steps=0).schedule(epochs, steps_per_epoch)
    factors = [schedule.factor(s) for s in range(schedule.total)]
    assert all(0 < f <= 1 for f in factors)
    assert factors == sorted(factors, reverse=True)
    assert factors[-1] == pytest.approx(1 / (schedule.total - schedule.branch))


@LAWS
@given(st.integers(2, 400), st.data())
def test_a_fitted_schedule_ends_in_time_and_never_jumps_up(total: int, data: st.DataObject) -> None:
    """Whatever time is left, the schedule ends after the steps that fit, and goes on from the learning rate it had."""
    schedule = Schedule(total, branch=data.draw(st.integers(0, total - 1)), warmup=0)
    step = data.draw(st.integers(0, total - 1))
    left = data.draw(st.integers(1, total))
    fitted = schedule.fitted(step, left, planned=total)
    assert fitted.total == min(total, step + left)
    assert fitted.factor(step) <= schedule.factor(step) + 0.51 / left + 1e-9
    assert fitted.factor(step) > 0


def test_nothing_changes_where_the_time_is_enough() -> None:
    """A schedule fitted to as many steps as are left stays as it is, in the stable phase and in the decay."""
    schedule = Schedule(total=100, branch=50, warmup=10)
    assert [schedule.fitted(step, 100 - step, 100) for step in range(100)] == [schedule] * 100


def test_the_decay_keeps_its_share_under_a_deadline() -> None:
    """A stable phase that must end earlier leaves the same share to the decay."""
    assert Schedule(100, 50, 0).fitted(10, 50, 100) == Schedule(60, 30, 0)
    assert Schedule(100, 50, 0).fitted(40, 20, 100) == Schedule(60, 40, 0)


def test_training_values_replace_numbers() -> None:
    """A space's training choices override the recipe; lr is short for learning_rate."""
    recipe = Recipe().override({"lr": 0.5, "batch_size": 32, "flip": True})
    assert (recipe.learning_rate, recipe.batch_size, recipe.flip) == (0.5, 32, True)
    assert recipe.momentum == Recipe().momentum


def test_an_unknown_training_value_is_named_with_the_known_ones() -> None:
    """A misspelt name is answered with the nearest one and all that are known."""
    with pytest.raises(SpecError, match=r"unknown training value 'weight_decy'; did you mean 'weight_decay'\? known: "):
        Recipe().override({"weight_decy": 0.1})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be a number in"),
        ({"learning_rate": float("nan")}, "learning_rate must be a number in"),
        ({"momentum": 1.0}, r"momentum must be a number in \[0, 0.9999\], got 1.0"),
        ({"batch_size": 0}, "batch_size must be a number in"),
        ({"batch_size": 2.5}, "batch_size must be a whole number, got 2.5"),
        ({"label_smoothing": True}, "label_smoothing must be a number"),
        ({"clip_norm": -1.0}, "clip_norm must be > 0, or None for no clipping, got -1.0"),
        ({"optimizer": "adamx"}, "unknown optimizer 'adamx'; did you mean 'adam'"),
    ],
)
def test_numbers_outside_their_range_are_refused(values: dict[str, float], message: str) -> None:
    """Each number has a range, and the message says it."""
    with pytest.raises(SpecError, match=message):
        Recipe().override(values)


@pytest.mark.parametrize(
    ("steps", "branch"), [(2, 1), (132, 66), (400, 200), (800, 200), (1000, 200), (2000, 400), (10_000, 2000)]
)
def test_a_short_training_keeps_the_full_rate_for_half_of_it(steps: int, branch: int) -> None:
    """A training of a few hundred steps decays over its second half, a long one over its last four fifths."""
    assert Recipe().schedule(1, steps).branch == branch
    assert Recipe(stable_steps=0).schedule(1, steps).branch == steps - max(1, round(0.8 * steps))
