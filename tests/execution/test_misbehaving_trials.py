"""Tests of a trial that misbehaves among 20: it ends alone, as what it is, and the other 19 notice nothing."""

from __future__ import annotations

import ctypes
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from execution_helpers import evaluator, run_all

from netwright.execution import Executor, InProcessExecutor, IsolatedExecutor, Limits
from netwright.types import TrialState

CULPRIT = 7
FAILED, INFEASIBLE = TrialState.FAILED, TrialState.INFEASIBLE


def measure(number: int, seed: int) -> dict[str, float]:
    """What the others do: they depend on everything a trial may poison."""
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
    return {
        "global": random.random() + np.random.random(),  # noqa: NPY002 - on purpose
        "own": float(np.random.default_rng(seed).random()),
        "place": float(len(str(Path.cwd())) + len(os.environ) + len(os.environ.get("POISON", ""))),
        "handlers": float(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL) + threading.active_count(),
    }


def others(executor: Executor) -> dict[int, dict[str, float]]:
    """What the other 19 measured."""
    outcomes = run_all(executor, range(20))
    assert all(outcomes[n].state is TrialState.FINISHED for n in range(20) if n != CULPRIT)
    return {number: dict(outcomes[number].metrics) for number in range(20) if number != CULPRIT}


def check(misbehave: Callable[[], object], limits: Limits | None = None) -> tuple[TrialState, str]:
    """How the culprit ended; asserts that the others equal a run without it, bit for bit."""

    def function(number: int, seed: int) -> object:
        return misbehave() if number == CULPRIT else measure(number, seed)

    limits = limits or Limits()
    with IsolatedExecutor(evaluator(function), workers=2, limits=limits) as executor:
        outcomes = run_all(executor, range(20))
    with IsolatedExecutor(evaluator(measure), workers=2, limits=limits) as executor:
        expected = others(executor)
    assert {n: dict(o.metrics) for n, o in outcomes.items() if n != CULPRIT} == expected
    return outcomes[CULPRIT].state, outcomes[CULPRIT].error


def _raise(error: BaseException) -> object:
    raise error


class _Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


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


def _out_of_torch_memory() -> object:
    raise RuntimeError("[enforce fail at alloc_cpu.cpp:114] . DefaultCPUAllocator: can't allocate memory: 9 bytes")


def _deaf() -> object:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        pass


def _blocked_in_c() -> object:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    return ctypes.CDLL(None).pause()


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
        (lambda: os.closerange(3, 1000), FAILED, "gave no result|returns"),
        (lambda: _raise(MemoryError()), INFEASIBLE, "out of memory: MemoryError"),
        (_out_of_torch_memory, INFEASIBLE, "out of memory: RuntimeError: .*DefaultCPUAllocator"),
        (lambda: bytearray(1 << 50), INFEASIBLE, "out of memory: MemoryError"),
        (lambda: sys.setrecursionlimit(50) or {"accuracy": eval("1+" * 500 + "1")}, FAILED, "RecursionError"),
        (lambda: [sys.stdin.read()], FAILED, r"what an evaluator returns must be a mapping .* got \[''\]"),
        (lambda: {"accuracy": float("nan")}, FAILED, "metric 'accuracy' must be finite, got nan"),
    ],
)
def test_a_trial_ends_alone_and_as_what_it_is(misbehave: Callable[[], object], state: TrialState, message: str) -> None:
    """Whatever a trial does to itself gives its state and a first line that says why."""
    found, error = check(misbehave)
    assert found is state
    assert len(error) < 20_000
    assert re.search(message, error.split("\n")[0])


@pytest.mark.parametrize("hang", [lambda: time.sleep(600), _deaf, _blocked_in_c, lambda: threading.Event().wait()])
def test_a_trial_that_hangs_is_killed_at_its_limit(hang: Callable[[], object]) -> None:
    """Sleeping, computing with all signals ignored, or blocked in C: it ends within seconds of its time limit."""
    begin = time.monotonic()
    assert check(hang, Limits(time_s=1.5)) == (FAILED, "time limit of 1.5 s exceeded")
    assert time.monotonic() - begin < 11.5


@pytest.mark.parametrize("grow", [_grow, _grow_in_child])
def test_a_trial_over_its_memory_is_infeasible(grow: Callable[[], object]) -> None:
    """Memory of a trial and of all it started counts; over the limit it broke a constraint, by name and number."""
    state, error = check(grow, Limits(time_s=60, memory_bytes=500 << 20))
    assert state is INFEASIBLE
    found = re.match(r"memory_bytes is ([0-9.e+]+), the limit is 5.24288e\+08", error)
    assert found, error
    assert 500 << 20 < float(found[1]) < 1 << 30
    assert error.endswith("the limit is 5.24288e+08")


def _poison() -> object:
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - on purpose
    os.environ["POISON"] = "x"
    os.chdir("/")
    tempfile.tempdir = "/nowhere"
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    shutil.rmtree(os.environ.get("TMPDIR", "/nowhere"), ignore_errors=True)
    return {"accuracy": 0.5}


def test_a_trial_that_poisons_its_process_harms_no_other() -> None:
    """Seeds, environment, cwd, temporary folder, signal handlers and threads of one trial stay its own."""
    assert check(_poison) == (TrialState.FINISHED, "")


def test_the_check_finds_an_executor_that_does_not_isolate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted bug: with trials in one process the poisoned environment shows in the others."""

    def poisoned(number: int, seed: int) -> object:
        if number == CULPRIT:
            monkeypatch.setenv("POISON", "x")
            return {"accuracy": 0.5}
        return measure(number, seed)

    places = [
        {number: metrics["place"] for number, metrics in others(InProcessExecutor(evaluator(function))).items()}
        for function in (poisoned, measure)
    ]
    monkeypatch.delenv("POISON")
    assert places[0] != dict.fromkeys(places[0], places[1][0])


def test_a_process_forked_by_a_trial_that_returns_gives_no_second_result() -> None:
    """When an evaluator forks and both return, one result counts and the other process goes."""
    assert check(_return_in_fork) == (TrialState.FINISHED, "")


def test_files_of_a_trial_go_with_it(tmp_path: Path) -> None:
    """What a trial writes into its temporary folder is gone when it has ended, however it ended."""

    def function(number: int, seed: int) -> object:
        folder = Path(tempfile.mkdtemp())
        (tmp_path / str(number)).write_text(str(folder))
        (folder / "large").write_bytes(bytes(1 << 20))
        return os.abort() if number == CULPRIT else {"accuracy": 0.5}

    with IsolatedExecutor(evaluator(function), workers=2) as executor:
        run_all(executor, range(9))
    folders = [Path(path.read_text()) for path in tmp_path.iterdir()]
    assert [folder.parents[1].exists() for folder in folders] == [False] * 9
