"""Tests of a trial that misbehaves among 20: it ends alone, as what it is, and the other 19 notice nothing."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from among_twenty import FAILED, INFEASIBLE, check, measure
from execution_helpers import evaluator, run_all

from netwright.execution import IsolatedExecutor, Limits, memory
from netwright.types import TrialState


def _raise(error: BaseException) -> object:
    raise error


class _Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class OutOfMemoryError(RuntimeError):
    """Named as torch's for GPUs."""


def _grow() -> object:
    blocks = []
    while True:
        blocks.append(bytearray(8 << 20))
        time.sleep(0.01)


def _grow_in_child() -> object:
    if os.fork() == 0:
        os.setsid()
        _grow()
    time.sleep(60)
    return None


def _grow_in_child_of_a_daemon() -> object:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            if os.fork() == 0:
                _grow()
            time.sleep(60)
        os._exit(0)
    time.sleep(60)
    return None


def _grow_over_its_own_limit() -> object:
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + (64 << 20), resource.RLIM_INFINITY))
    return [bytearray(8 << 20) for _ in range(100)]


def _out_of_torch_memory() -> object:
    raise RuntimeError("[enforce fail at alloc_cpu.cpp:114] . DefaultCPUAllocator: can't allocate memory: 9 bytes")


def _return_in_fork() -> object:
    os.fork()
    return {"accuracy": 0.5}


@pytest.mark.parametrize(
    ("misbehave", "state", "message"),
    [
        (lambda: _raise(ValueError("bad width")), FAILED, "ValueError: bad width"),
        (lambda: _raise(KeyboardInterrupt()), FAILED, "KeyboardInterrupt"),
        (lambda: _raise(_Unspeakable()), FAILED, "its message cannot be made: RuntimeError"),
        (lambda: _raise(ValueError("x" * 10**7)), FAILED, "ValueError: xxx"),
        (lambda: sys.exit(0), FAILED, "SystemExit: 0"),
        (lambda: os._exit(0), FAILED, "left with exit code 0 and gave no result"),
        (lambda: os._exit(3), FAILED, "left with exit code 3 and gave no result"),
        (lambda: ctypes.string_at(0), FAILED, "killed by SIGSEGV"),
        (os.abort, FAILED, "killed by SIGABRT"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), FAILED, "killed by SIGKILL"),
        (lambda: os.kill(0, signal.SIGTERM) or time.sleep(60), FAILED, "killed by SIGTERM"),
        (lambda: os.closerange(3, 1000), FAILED, "gave no result|returns"),
        (lambda: os.closerange(0, 1000), FAILED, "gave no result|returns"),
        (lambda: _raise(MemoryError()), INFEASIBLE, "out of memory: MemoryError"),
        (_out_of_torch_memory, INFEASIBLE, "out of memory: RuntimeError: .*DefaultCPUAllocator"),
        (lambda: _raise(OutOfMemoryError("no 2.00 GiB left")), INFEASIBLE, "out of memory: OutOfMemoryError: no 2.00"),
        (lambda: _raise(RuntimeError("CUDA out of memory.")), INFEASIBLE, "out of memory: RuntimeError: CUDA out of"),
        (lambda: bytearray(1 << 50), INFEASIBLE, "out of memory: MemoryError"),
        (_grow_over_its_own_limit, INFEASIBLE, "out of memory: MemoryError"),
        (lambda: sys.setrecursionlimit(50) or {"accuracy": eval("1+" * 500 + "1")}, FAILED, "RecursionError"),
        (lambda: [sys.stdin.read()], FAILED, r"what an evaluator returns must be a mapping .* got \[''\]"),
        (input, FAILED, "EOFError: EOF when reading a line"),
        (lambda: {"accuracy": float("nan")}, FAILED, "metric 'accuracy' must be finite, got nan"),
    ],
)
@pytest.mark.long
def test_a_trial_ends_alone_and_as_what_it_is(misbehave: Callable[[], object], state: TrialState, message: str) -> None:
    """Whatever a trial does to itself gives its state and a first line that says why."""
    found, error = check(misbehave)
    assert found is state
    assert len(error) < 20_000
    assert re.search(message, error.split("\n")[0])


def _tensor() -> object:
    import torch

    return {"accuracy": torch.tensor(0.99, requires_grad=True)}


NONSENSE: Mapping[int, tuple[Callable[[], object], str]] = {
    1: (lambda: {"accuracy": math.inf}, "metric 'accuracy' must be finite, got inf"),
    2: (lambda: {"accuracy": math.nan}, "metric 'accuracy' must be finite, got nan"),
    3: (lambda: {"accuracy": None}, "metric 'accuracy' must be a number, got None"),
    4: (lambda: {"accuracy": "0.99"}, "metric 'accuracy' must be a number, got '0.99'"),
    5: (lambda: {"accuracy": 0.99 + 0j}, "metric 'accuracy' must be a number, got (0.99+0j)"),
    6: (_tensor, "convert this Tensor with float() or .item()"),
    8: (lambda: {"accuracy": 1.73}, "metric 'accuracy' must be in [0, 1], got 1.73"),
    9: (lambda: {"accuracy": 0.99, "extra": object()}, "metric 'extra' must be a number"),
    11: (lambda: {"accuracy": 0.99, 3: 1.0}, "metric name must be printable text"),
    12: (lambda: {"accuracy": True}, "metric 'accuracy' must be a number, got True"),
    13: (lambda: None, "what an evaluator returns must be a mapping of 1 to 1000 metrics, got None"),
    14: (lambda: "accuracy: 0.99", "what an evaluator returns must be a mapping"),
    15: (lambda: 0.99, "what an evaluator returns must be a mapping"),
    17: (lambda: {f"m{i}": 0.99 for i in range(1001)}, "what an evaluator returns must be a mapping"),
}


def test_nonsense_fails_its_trial_and_is_never_a_number() -> None:
    """Not finite, no number, out of range, or no mapping: no metric comes of it; the trials between are unharmed."""

    def function(number: int, seed: int) -> object:
        return NONSENSE[number][0]() if number in NONSENSE else measure(number, seed)

    with IsolatedExecutor(evaluator(function), workers=2) as executor:
        outcomes = run_all(executor, range(20))
    with IsolatedExecutor(evaluator(measure), workers=2) as executor:
        expected = run_all(executor, range(20))
    for number, outcome in outcomes.items():
        if number not in NONSENSE:
            assert (TrialState.FINISHED, expected[number].metrics) == (outcome.state, outcome.metrics)
        else:
            assert (FAILED, {}) == (outcome.state, outcome.metrics)
            assert NONSENSE[number][1] in outcome.error.split("\n")[0]


@pytest.mark.parametrize("grow", [_grow, _grow_in_child, _grow_in_child_of_a_daemon])
def test_a_trial_over_its_memory_is_infeasible(grow: Callable[[], object]) -> None:
    """Memory of a trial and of all it started counts; over the limit it broke a constraint, by name and number."""
    state, error = check(grow, Limits(time_s=60, memory_bytes=500 << 20))
    assert state is INFEASIBLE
    told = re.match(r"memory_bytes is (\S+), the limit is 5\.24288e\+08", error)
    assert told is not None
    assert float(told[1]) > 500 << 20  # by how much depends on how far it grows between two looks
    assert error.endswith("the limit is 5.24288e+08")


class Heavy:
    """Has 200 MB in the warm parent; each of its trials starts five processes that read all of it, or write to it."""

    def __init__(self, writing: bool) -> None:
        self.writing = writing

    def prepare(self) -> None:
        self.data = bytearray(b"x") * (200 << 20)

    def __call__(self, arch: object, *, fidelity: object, seed: int) -> Mapping[str, float]:
        children = []
        for _ in range(5):
            child = os.fork()
            if child == 0:
                self._use()
            children.append(child)
        for child in children:
            os.waitpid(child, 0)
        return {"accuracy": 0.5}

    def _use(self) -> None:
        for place in range(0, len(self.data), 4096):
            if self.writing:
                self.data[place] = 0
            assert self.writing or self.data[place] == ord("x")
        time.sleep(60.0 if self.writing else 1.0)
        os._exit(0)


def test_what_processes_share_counts_once() -> None:
    """A trial whose processes read what the warm parent loaded is not over a limit of four times that."""
    with IsolatedExecutor(Heavy(writing=False), limits=Limits(memory_bytes=800 << 20)) as executor:
        outcome = run_all(executor, range(1))[0]
    assert (TrialState.FINISHED, "") == (outcome.state, outcome.error)


def test_what_processes_no_longer_share_counts_for_each() -> None:
    """When they write to it, each has a copy, and together they are over the limit."""
    with IsolatedExecutor(Heavy(writing=True), limits=Limits(memory_bytes=800 << 20)) as executor:
        outcome = run_all(executor, range(1))[0]
    assert outcome.state is INFEASIBLE
    assert outcome.error.startswith("memory_bytes is ")


@pytest.mark.long
def test_an_allocation_far_beyond_the_limit_is_refused_at_once() -> None:
    """Memory is refused even before it is touched, so that no trial can take the machine's between two looks."""

    def ask() -> object:
        return {"accuracy": float(np.empty(5 << 30, np.uint8).size > 0)}

    state, error = check(ask, Limits(memory_bytes=500 << 20))
    assert state is INFEASIBLE
    assert re.match("out of memory: .*MemoryError: Unable to allocate 5.00 GiB", error)


def test_a_trial_killed_by_the_kernel_for_its_memory_is_infeasible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill that the kernel counts as one for want of memory is a broken limit; the next kill is a failure again."""
    count = tmp_path / "count"
    count.write_text("5")
    monkeypatch.setattr(memory, "oom_kills", lambda: int(count.read_text()))

    def function(number: int, seed: int) -> object:
        if number == 1:
            count.write_text("6")
        os.kill(os.getpid(), signal.SIGKILL)

    with IsolatedExecutor(evaluator(function)) as executor:
        outcomes = run_all(executor, range(3))
    assert [FAILED, INFEASIBLE, FAILED] == [outcomes[number].state for number in range(3)]
    assert outcomes[1].error == "out of memory: the kernel killed the trial's process"


@contextlib.contextmanager
def _memory_group(name: str, limit: int) -> Iterator[Path]:
    """A control group that the kernel keeps to so much memory, or a skipped test: that needs rights."""
    base = Path("/sys/fs/cgroup")
    folder = (base / "memory" if (base / "memory").is_dir() else base) / name
    try:
        folder.mkdir()
        file = folder / "memory.limit_in_bytes"
        (file if file.exists() else folder / "memory.max").write_text(str(limit))
    except OSError as error:
        with contextlib.suppress(OSError):
            folder.rmdir()
        pytest.skip(f"no control group can be made: {error}")
    try:
        yield folder
    finally:
        folder.rmdir()


@pytest.mark.long
def test_the_kernels_killer_is_known() -> None:
    """A trial in a control group that takes more memory than the group may is killed by the kernel: infeasible."""
    with _memory_group(f"netwright-test-{os.getpid()}", 200 << 20) as group:

        def grow() -> object:
            (group / "cgroup.procs").write_text(str(os.getpid()))
            return _grow()

        assert check(grow, Limits(time_s=60)) == (INFEASIBLE, "out of memory: the kernel killed the trial's process")


@pytest.mark.long
def test_a_process_forked_by_a_trial_that_returns_gives_no_second_result() -> None:
    """When an evaluator forks and both return, one result counts and the other process goes."""
    assert check(_return_in_fork) == (TrialState.FINISHED, "")
