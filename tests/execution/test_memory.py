"""Tests of how much memory processes use: the sum, the exact figure, and when the exact one is read."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from netwright.execution.memory import EXACT_EVERY_S, Gauge, exact_bytes, pause_s, resident_bytes, rough_bytes

PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1 << 20


class Kernel:
    """Tells of processes as the kernel would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def tell(self, pid: int, *, resident: int, files: int = 0, exact: int | None = None) -> None:
        """Say what a process uses, in MiB; no exact figure where the process does not let itself be looked into."""
        place = self.folder / str(pid)
        place.mkdir(exist_ok=True)
        (place / "statm").write_text(f"9999 {resident * MIB // PAGE} {files * MIB // PAGE} 1 0 9999 0\n")
        (place / "smaps_rollup").unlink(missing_ok=True)
        if exact is not None:
            (place / "smaps_rollup").write_text(
                f"55e000-7ffd000 ---p 00000000 00:00 0   [rollup]\nRss: 1 kB\nPss: {exact << 10} kB\nPss_Dirty: 3 kB\n"
            )


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


def test_the_exact_figure_is_the_sum_of_proportional_sizes(kernel: Kernel) -> None:
    """Processes that share count what they share once; one that is gone counts nothing."""
    kernel.tell(1, resident=300, exact=150)
    kernel.tell(2, resident=300, exact=160)
    assert (600 * MIB, 310 * MIB) == (rough_bytes([1, 2, 3], kernel.folder), exact_bytes([1, 2, 3], kernel.folder))


def test_a_process_that_cannot_be_looked_into_counts_with_what_is_its_own(kernel: Kernel) -> None:
    """Where the kernel refuses the exact figure, resident memory without files stands for it."""
    kernel.tell(1, resident=300, files=100)
    kernel.tell(2, resident=300, exact=160)
    assert 360 * MIB == exact_bytes([1, 2], kernel.folder)


def test_below_the_limit_the_sum_will_do(kernel: Kernel) -> None:
    """The exact figure is not read where even the sum is not over the limit."""
    kernel.tell(1, resident=300, exact=1)
    assert 300 * MIB == Gauge(kernel.folder).weigh([1], 300 * MIB, 0.0)


def test_over_the_limit_the_exact_figure_decides(kernel: Kernel) -> None:
    """The sum alone never ends a trial; the exact figure does."""
    gauge = Gauge(kernel.folder)
    kernel.tell(1, resident=900, exact=200)
    assert 200 * MIB == gauge.weigh([1], 500 * MIB, 0.0)
    kernel.tell(1, resident=1201, exact=501)
    assert 501 * MIB == gauge.weigh([1], 500 * MIB, 0.1)


def test_the_exact_figure_is_read_again_only_where_it_may_matter(kernel: Kernel) -> None:
    """Not while the sum grows by less than was left; again after a while, and where other processes take part."""
    gauge = Gauge(kernel.folder)
    kernel.tell(1, resident=900, exact=200)
    assert 200 * MIB == gauge.weigh([1], 500 * MIB, 10.0)
    kernel.tell(1, resident=1000, exact=7)
    assert 300 * MIB == gauge.weigh([1], 500 * MIB, 10.1)
    assert 7 * MIB == gauge.weigh([1], 500 * MIB, 10.0 + EXACT_EVERY_S)
    kernel.tell(1, resident=1000, exact=600)  # what was shared no longer is
    assert 7 * MIB == gauge.weigh([1], 500 * MIB, 10.1 + EXACT_EVERY_S)
    kernel.tell(2, resident=0, exact=0)
    assert 600 * MIB == gauge.weigh([1, 2], 500 * MIB, 10.1 + EXACT_EVERY_S)


def test_forked_processes_share_what_they_do_not_write() -> None:
    """What this system really says of four processes with 64 MiB in common: the sum counts them four times."""
    data = bytearray(b"x") * (64 * MIB)
    before = exact_bytes([os.getpid()])
    ready, tell = os.pipe()
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            os.write(tell, b"x")
            signal.pause()
        children.append(child)
    try:
        assert b"xxx" == b"".join(os.read(ready, 1) for _ in children)
        pids = [os.getpid(), *children]
        assert rough_bytes(pids) > 4 * len(data)
        assert resident_bytes(pids) > 4 * len(data)
        assert abs(exact_bytes(pids) - before) < len(data)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        os.close(ready)
        os.close(tell)


@pytest.mark.parametrize(
    ("used", "cost_s", "pause"),
    [(10, 0.001, 0.1), (10, 0.02, 0.2), (10, 1.0, 0.25), (60, 0.001, 0.02), (60, 0.004, 0.04), (60, 1.0, 0.05)],
)
def test_a_slow_look_at_memory_delays_the_next_one_only_a_little(used: int, cost_s: float, pause: float) -> None:
    """However slow a look was, a trial near its limit is looked at again before it can take a tenth of a gigabyte."""
    assert pause_s(used * MIB, 100 * MIB, cost_s) == pytest.approx(pause)
