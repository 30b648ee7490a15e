"""The Gaussian process over rows: its gradient, what it predicts, and what it says of what it leaves out."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.predictors.graph_process import _conditioned, _misfit, _without_one, fit_process, pair
from netwright.predictors.model import Lesson

LOGS = np.array([0.2, -0.3, -1.0, -2.0, -0.7])


def lesson(count: int = 12) -> Lesson:
    rng = np.random.default_rng(0)
    rows = 0.4 * rng.normal(size=(count, 5))
    targets = rows[:, 0] - 2 * rows[:, 1] ** 2 + rows[:, 3] + 0.01 * rng.normal(size=count)
    return Lesson(rows, (targets - targets.mean()) / targets.std(), [np.arange(3), np.arange(3, 5)])


def test_the_gradient_is_that_of_the_misfit() -> None:
    """Differences of the marginal likelihood agree with the slopes of all five hyper-parameters."""
    known = lesson()
    pairs = [pair(known.rows[:, block], known.rows[:, block]) for block in known.blocks]
    _, slopes = _misfit(LOGS, pairs, known.targets)
    for place in range(len(LOGS)):
        step = np.eye(len(LOGS))[place] * 1e-5
        up, down = (_misfit(LOGS + sign * step, pairs, known.targets)[0] for sign in (1, -1))
        assert (up - down) / 2e-5 == pytest.approx(slopes[place], rel=1e-4, abs=1e-6)


def test_left_out_is_what_a_process_without_it_predicts() -> None:
    """The closed form agrees with conditioning on all others."""
    known = lesson()
    told = _without_one(_conditioned(LOGS, known), known.targets)
    for place in range(3):
        others = np.delete(np.arange(12), place)
        process = _conditioned(LOGS, Lesson(known.rows[others], known.targets[others], known.blocks))
        mean, spread = process.predict(known.rows[[place]])
        assert told.mean[place] == pytest.approx(mean[0])
        assert told.spread[place] == pytest.approx(spread[0], rel=1e-3)


def test_it_learns_a_smooth_function() -> None:
    """With 150 observations, more than are tuned without each part, new ones correlate with more than .95."""
    known = lesson(300)
    some = Lesson(known.rows[:150], known.targets[:150], known.blocks)
    process, left_out = fit_process(some, np.random.default_rng(0))
    assert np.corrcoef(process.predict(known.rows[150:])[0], known.targets[150:])[0, 1] > 0.95
    assert np.corrcoef(left_out.mean, some.targets)[0, 1] > 0.95
