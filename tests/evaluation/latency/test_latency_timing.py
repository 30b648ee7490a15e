"""Repeats until the time is certain, and a machine that is not quiet."""

from __future__ import annotations

import time

import numpy as np
import pytest

from netwright.evaluation.latency import timing
from netwright.evaluation.latency.timing import Runs, interval, parts_differ_by, repeat, time_repeatedly


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else runs on this machine."""
    monkeypatch.setattr(timing, "_busy_s", lambda: None)


def test_the_budget_is_kept() -> None:
    """A function slower than the budget is called three times after the warm-up, not twenty times."""
    began_s = time.perf_counter()
    found = time_repeatedly(lambda: time.sleep(0.2), 0.1)
    assert time.perf_counter() - began_s < 2.0
    assert found.repeats + found.set_aside == 3


def test_a_steady_time_needs_few_repeats() -> None:
    """Repeats stop as soon as the interval is narrow."""
    assert len(repeat(lambda: time.sleep(0.01), budget_s=30.0).times_s) <= 200


def test_the_interval_covers_the_median() -> None:
    """In 400 samples of 51, the 95 % interval holds the true median about as often as it says."""
    rng = np.random.default_rng(0)
    covered = sum(low <= 0 <= high for low, high in (interval(np.sort(rng.normal(size=51))) for _ in range(400)))
    assert 0.92 * 400 <= covered <= 400


def test_parts_of_a_drifting_machine_differ() -> None:
    """Times that rise by half during the measurement do; times that scatter by a percent do not."""
    steady = 1 + 0.01 * np.random.default_rng(0).random(200)
    assert parts_differ_by(steady) < 0.01
    assert parts_differ_by(steady * np.linspace(1, 1.5, 200)) > 0.3


def test_interrupted_runs_are_set_aside() -> None:
    """Their times are left out where enough others are left, and taken where not."""
    times_s = np.asarray([1.0] * 20 + [9.0] * 20)
    few = Runs(times_s, times_s > 5)
    assert few.kept().tolist() == [1.0] * 20
    most = Runs(times_s, np.arange(40) >= 5)
    assert most.kept().tolist() == times_s.tolist()


@pytest.mark.parametrize(
    ("others", "times_ms", "interrupted", "reason"),
    [
        (0.0, [1.0] * 40, [False] * 40, ""),
        (1.26, [1.0] * 40, [False] * 40, "other programs used 1.3 core(s)"),
        (0.0, [1.0] * 40, [True] * 40, "40 of 40 runs were interrupted"),
        (0.0, [1.0] * 20 + [1.2] * 20, [False] * 40, "parts of the measurement differ by 18%"),
        (0.0, [1.0, 1.5, 3.0], [False] * 3, "the interval is 133% wide"),
    ],
)
def test_each_disturbance_is_said(
    others: float, times_ms: list[float], interrupted: list[bool], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other programs, interrupted runs, a changing speed and a wide interval make a measurement noisy."""
    runs = Runs(np.asarray(times_ms) / 1e3, np.asarray(interrupted))
    monkeypatch.setattr(timing, "repeat", lambda run, budget_s: runs)
    monkeypatch.setattr(timing.Cores, "used_by_others", lambda self: others)
    assert reason in time_repeatedly(lambda: None, 1.0).noise
    assert bool(reason) == bool(time_repeatedly(lambda: None, 1.0).noise)


def test_own_work_is_no_disturbance(quiet: None) -> None:
    """Where the system does not say how busy it is, nobody is accused."""
    cores = timing.Cores()
    assert cores.used_by_others() == 0.0


def test_others_are_what_is_busy_beside_us(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cores busy altogether, less those that this process used, in cores."""
    clock, busy, own = iter([0.0, 2.0]), iter([100.0, 103.0]), iter([10.0, 12.0])
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(timing, "_busy_s", lambda: next(busy))
    monkeypatch.setattr(timing, "_own_s", lambda: next(own))
    cores = timing.Cores()
    assert cores.used_by_others() == 0.5
