"""Repeats until the time is certain, and a machine that is not quiet."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pytest

from netwright.evaluation.latency import timing
from netwright.evaluation.latency.timing import Runs, interval, parts_differ_by, repeat, time_repeatedly


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else runs on this machine."""
    monkeypatch.setattr(timing, "_busy_s", lambda: None)


def test_the_budget_is_kept() -> None:
    """A function slower than the budget is measured once or twice, not twenty times, and that is said."""
    began_s = time.perf_counter()
    found = time_repeatedly(lambda: time.sleep(0.2), 0.1)
    assert time.perf_counter() - began_s < 1.0
    assert 1 <= found.repeats + found.set_aside <= 2
    assert "run(s) fitted into the time" in found.noise


def test_a_steady_time_needs_few_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeats stop as soon as the interval is narrow, 20 are made and a quarter of a second has gone by."""
    clock_s = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock_s[0])

    def run(took_s: float) -> None:
        clock_s[0] += took_s

    assert len(repeat(lambda: run(0.01), budget_s=30.0).times_s) == 30
    assert len(repeat(lambda: run(0.1), budget_s=30.0).times_s) == 20
    took_s = iter(0.001 + 0.009 * np.random.default_rng(0).random(10_000))
    assert sum(repeat(lambda: run(next(took_s)), budget_s=2.0).times_s) == pytest.approx(1.75, abs=0.02)


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
    few = Runs(times_s, times_s > 5, np.zeros(40))
    assert few.kept().tolist() == [1.0] * 20


def test_waiting_is_taken_off_where_most_runs_were_interrupted() -> None:
    """Runs longer than a turn on the processor keep what they took without the waiting, never less than nothing."""
    times_s, interrupted = np.asarray([1.0] * 20 + [9.0] * 20), np.arange(40) >= 5
    waited_s = np.where(times_s > 5, 8.0, 0.0)
    waited_s[-1] = 10.0
    assert Runs(times_s, interrupted, waited_s).kept().tolist() == [1.0] * 39 + [1e-7]


def test_an_interrupted_run_counts_what_the_process_did(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a run of 9 s during which this process used 2 s, it waited for 7 s; a run that was left alone did not wait."""
    for lost, expected in (([0, 3], (9.0, True, 7.0)), ([3, 3], (9.0, False, 0.0))):
        switches, wall_s, used_s = iter(lost), iter([0.0, 9.0]), iter([1.0, 3.0])
        monkeypatch.setattr(timing.resource, "getrusage", lambda _, s=switches: SimpleNamespace(ru_nivcsw=next(s)))
        monkeypatch.setattr(timing.time, "perf_counter", lambda w=wall_s: next(w))
        monkeypatch.setattr(timing.time, "process_time", lambda u=used_s: next(u))
        assert timing._time_once(lambda: None) == expected


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
    runs = Runs(np.asarray(times_ms) / 1e3, np.asarray(interrupted), np.zeros(len(times_ms)))
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
