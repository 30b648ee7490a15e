"""How much memory processes use together: a cheap sum everywhere, the exact figure where it decides something.

On Linux the facts come from ``/proc``; elsewhere memory is not seen. Knows nothing of trials.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

PROC = Path("/proc")
EXACT_EVERY_S = 0.5
_PAGE = os.sysconf("SC_PAGE_SIZE")
_EVERY_S = 0.1
_NEAR_LIMIT_EVERY_S = 0.02
_SHARE = 0.1  # of one core's time, for looking at memory
_STRETCH = 2.5  # at most that much rarer where a look is slow: a process can take a gigabyte a second


class Gauge:
    """Weighs processes against a limit, again and again.

    The exact figure costs milliseconds, since the kernel walks all page tables. The sum of resident sizes costs a small
    part of one, and is never too small. The exact figure is read where that sum is over the limit, and then again where
    the sum has grown by what was left, where other processes take part, or after a while.

    Args:
        proc: where the kernel tells of processes.
    """

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = proc
        self._pids: Sequence[int] = ()
        self._excess = 0  # by how much the sum was over the exact figure
        self._exact_again_s = -math.inf

    def weigh(self, pids: Sequence[int], limit: int, now_s: float) -> int:
        """Bytes that processes use together; exact where that is over the limit, else at most a good guess.

        Args:
            pids: of all of them.
            limit: in bytes.
            now_s: any clock.
        """
        rough = rough_bytes(pids, self._proc)
        if rough <= limit:
            return rough
        known = pids == self._pids and now_s < self._exact_again_s
        if known and rough - self._excess <= limit:
            return rough - self._excess
        exact = exact_bytes(pids, self._proc)
        self._pids, self._excess, self._exact_again_s = pids, rough - exact, now_s + EXACT_EVERY_S
        return exact


def pause_s(used: int, limit: int, cost_s: float) -> float:
    """Seconds until the next look: few near the limit, and somewhat more where a look is slow.

    Args:
        used: bytes that were found in use.
        limit: in bytes.
        cost_s: CPU seconds of the last look.

    Example:
        >>> pause_s(used=400 << 20, limit=500 << 20, cost_s=0.05)
        0.05
    """
    often = _NEAR_LIMIT_EVERY_S if used > limit / 2 else _EVERY_S
    return min(max(often, cost_s / _SHARE), _STRETCH * often)


def rough_bytes(pids: Iterable[int], proc: Path = PROC) -> int:
    """Sum of resident sizes: what processes share counts once for each of them."""
    return sum(resident for resident, _ in (_resident_and_files(pid, proc) for pid in pids))


def exact_bytes(pids: Iterable[int], proc: Path = PROC) -> int:
    """Proportional size: of what n processes share (one of them may be a parent that is not asked for) each has 1/n.

    A process that does not let itself be looked into counts with what is resident and no file.
    """
    return sum(_proportional(pid, proc) for pid in pids)


def resident_bytes(pids: Iterable[int]) -> int:
    """Memory of processes that share nothing but files: what each has of its own, and the largest share of files."""
    found = [_resident_and_files(pid, PROC) for pid in pids]
    return sum(resident - files for resident, files in found) + max((files for _, files in found), default=0)


def _resident_and_files(pid: int, proc: Path) -> tuple[int, int]:
    try:
        numbers = (proc / str(pid) / "statm").read_text().split()
    except OSError:  # it is gone
        return 0, 0
    return int(numbers[1]) * _PAGE, int(numbers[2]) * _PAGE


def _proportional(pid: int, proc: Path) -> int:
    try:
        lines = (proc / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        lines = []
    size = next((int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:")), None)
    if size is None:
        resident, files = _resident_and_files(pid, proc)
        return resident - files
    return size


def data_bytes() -> int:
    """Size of this process's private writable mappings: what RLIMIT_DATA limits."""
    return int((PROC / "self" / "statm").read_text().split()[5]) * _PAGE


def oom_kills() -> int:
    """How often the kernel has killed a process because memory ran out, since it started; 0 where it does not say."""
    try:
        text = (PROC / "vmstat").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill ")), 0)
