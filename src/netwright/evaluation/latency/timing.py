"""Repeats of one call until its time is certain, and whether the machine was quiet meanwhile.

A run during which the system took the processor away from this process is set aside where enough others are left:
its time is that of the other program, too. Where too few are left, as of runs longer than a turn on the processor,
the time during which this process had no core is taken off, and it is said that they were interrupted. Also said are
other programs at work, parts of the measurement that differ, and an interval that stayed wide. Knows nothing of
networks.
"""

from __future__ import annotations

import math
import os
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LEAST_REPEATS = 3
"""With fewer runs nothing is known of their spread, and the number is called noisy."""

_ENOUGH_REPEATS = 20
_LEAST_S = 0.25
_BLOCK = 10
_WARM_SHARE, _WARM_S = 0.2, 0.25
_NARROW = 0.02
_PARTS_DIFFER = 0.10
_WIDE = 0.10
_OTHERS_CORES = 0.5
_KEPT_SHARE, _KEPT = 0.25, 10
_CLOCK_S = 1e-7
_Z = 1.96


@dataclass(frozen=True, slots=True)
class Timing:
    """Times of repeated runs.

    Args:
        median_ms: half of the runs were faster.
        p90_ms: nine in ten were faster.
        interval_ms: 95 % confidence interval of the median by order statistics; of fewer than six runs the range.
        repeats: runs that these are of.
        set_aside: runs that were interrupted, and left out.
        noise: why not to trust the numbers; empty on a quiet machine.
    """

    median_ms: float
    p90_ms: float
    interval_ms: tuple[float, float]
    repeats: int
    set_aside: int = 0
    noise: str = ""


@dataclass(frozen=True, slots=True)
class Runs:
    """What was recorded of each run.

    Args:
        times_s: (runs,) seconds.
        interrupted: (runs,) whether this process lost the processor to another meanwhile.
        waited_s: (runs,) seconds of an interrupted run during which no thread of this process was at work.
    """

    times_s: NDArray[np.float64]
    interrupted: NDArray[np.bool_]
    waited_s: NDArray[np.float64]

    def kept(self) -> NDArray[np.float64]:
        """Times of the runs that were not interrupted; of all, without the waiting, where too few are left."""
        quiet = self.times_s[~self.interrupted]
        enough = len(quiet) >= max(_KEPT, _KEPT_SHARE * len(self.times_s))
        return quiet if enough else np.maximum(self.times_s - self.waited_s, _CLOCK_S)


def time_repeatedly(run: Callable[[], object], budget_s: float) -> Timing:
    """Call a function until its median time is certain, or the time is up.

    A fifth of the budget, at most a quarter of a second, is warm-up. The function is then called for a quarter of a
    second and 20 times at least, until the interval of the median is narrower than 2 % of it. A budget that is too
    short for this is kept, with one run at least, and it is said where so few are left that nothing is known of their
    spread.

    Args:
        run: what is timed.
        budget_s: most seconds, > 0.

    Returns:
        The times, noise included.
    """
    cores = Cores()
    runs = repeat(run, budget_s)
    times_s = runs.kept()
    others = cores.used_by_others()
    return summarise(
        times_s * 1e3, set_aside=len(runs.times_s) - len(times_s), noise=_disturbances(runs, times_s, others)
    )


def summarise(times_ms: NDArray[np.float64], *, set_aside: int = 0, noise: Sequence[str] = ()) -> Timing:
    """Median, spread and interval of times.

    Args:
        times_ms: (runs,) at least one.
        set_aside: how many were left out.
        noise: reasons not to trust them.
    """
    median, p90 = (float(v) for v in np.percentile(times_ms, (50, 90)))
    return Timing(median, p90, interval(np.sort(times_ms)), len(times_ms), set_aside, "; ".join(noise))


def repeat(run: Callable[[], object], budget_s: float) -> Runs:
    """Warm up, then time runs; see `time_repeatedly`."""
    start_s = time.perf_counter()
    run()
    while time.perf_counter() - start_s < min(_WARM_SHARE * budget_s, _WARM_S):
        run()
    warm_s = time.perf_counter()
    rows: list[tuple[float, bool, float]] = []
    while True:
        for _ in range(_BLOCK):
            rows.append(_time_once(run))
            if time.perf_counter() - start_s > budget_s:
                return _as_runs(rows)
        long_enough = time.perf_counter() - warm_s >= min(_LEAST_S, budget_s / 2)
        if len(rows) >= _ENOUGH_REPEATS and long_enough and _is_certain(_as_runs(rows)):
            return _as_runs(rows)


def interval(ordered: NDArray[np.float64]) -> tuple[float, float]:
    """95 % interval of the median from order statistics (normal approximation of the binomial).

    Example:
        >>> interval(np.arange(1.0, 101.0))
        (41.0, 61.0)
    """
    count = len(ordered)
    half = _Z * math.sqrt(count) / 2
    low, high = math.floor(count / 2 - half), math.ceil(count / 2 + half)
    return float(ordered[max(0, low)]), float(ordered[min(count - 1, high)])


def parts_differ_by(times: NDArray[np.float64]) -> float:
    """How far the medians of ten consecutive parts lie apart, relative to the median of all."""
    medians = [float(np.median(part)) for part in np.array_split(times, min(10, max(1, len(times) // 5)))]
    return (max(medians) - min(medians)) / float(np.median(times))


class Cores:
    """How many cores other programs use, from its making on. Known on Linux."""

    def __init__(self) -> None:
        self._start_s, self._busy_s, self._own_s = time.perf_counter(), _busy_s(), _own_s()

    def used_by_others(self) -> float:
        """Mean number of cores that were busy with other programs or taken by the host; 0 where it is not known."""
        elapsed_s = time.perf_counter() - self._start_s
        if self._busy_s is None or (busy_s := _busy_s()) is None or elapsed_s <= 0:
            return 0.0
        return max(0.0, (busy_s - self._busy_s - (_own_s() - self._own_s)) / elapsed_s)


def _time_once(run: Callable[[], object]) -> tuple[float, bool, float]:
    lost, used_s = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw, time.process_time()
    before_s = time.perf_counter()
    run()
    took_s = time.perf_counter() - before_s
    used_s = time.process_time() - used_s
    interrupted = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw > lost
    return took_s, interrupted, max(0.0, took_s - used_s) if interrupted else 0.0


def _as_runs(rows: list[tuple[float, bool, float]]) -> Runs:
    times_s, interrupted, waited_s = zip(*rows, strict=True)
    return Runs(np.asarray(times_s), np.asarray(interrupted), np.asarray(waited_s))


def _is_certain(runs: Runs) -> bool:
    times_s = runs.kept()
    low, high = interval(np.sort(times_s))
    return high - low <= _NARROW * float(np.median(times_s))


def _disturbances(runs: Runs, times_s: NDArray[np.float64], others: float) -> list[str]:
    found = []
    if others > _OTHERS_CORES:
        found.append(f"other programs used {others:.1f} core(s)")
    if runs.interrupted.any() and len(times_s) == len(runs.times_s):
        found.append(f"{int(runs.interrupted.sum())} of {len(times_s)} runs were interrupted")
    if len(times_s) < LEAST_REPEATS:
        found.append(f"only {len(times_s)} run(s) fitted into the time")
    apart = parts_differ_by(times_s)
    if apart > _PARTS_DIFFER:
        found.append(f"parts of the measurement differ by {apart:.0%}")
    low, high = interval(np.sort(times_s))
    if high - low > _WIDE * float(np.median(times_s)):
        found.append(f"the interval is {(high - low) / float(np.median(times_s)):.0%} wide")
    return found


def _busy_s() -> float | None:
    """Seconds that all cores together were busy since the start of the system, stolen time included."""
    try:
        fields = [int(text) for text in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]]
    except (OSError, ValueError):
        return None
    user, nice, system, _, _, irq, softirq, steal = (fields + [0] * 8)[:8]
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
