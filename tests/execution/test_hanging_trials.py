"""Tests of a trial that hangs among 20: it is killed at its limit with everything it started."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from among_twenty import FAILED, check
from execution_helpers import leave_daemons, note_pid, noted_pids, wait_dead

from netwright.execution import Limits
from netwright.types import TrialState


def _deaf() -> object:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        pass


def _blocked_in_c() -> object:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    return ctypes.CDLL(None).pause()


def _stopped() -> object:
    return os.kill(os.getpid(), signal.SIGSTOP)


def _deadlocked() -> object:
    lock = threading.Lock()
    lock.acquire()
    return lock.acquire()


@pytest.mark.parametrize(
    "hang",
    [lambda: time.sleep(600), _deaf, _blocked_in_c, lambda: threading.Event().wait(), _stopped, _deadlocked],
)
@pytest.mark.long
def test_a_trial_that_hangs_is_killed_at_its_limit(hang: Callable[[], object]) -> None:
    """Sleeping, computing with all signals ignored, or blocked in C: it ends within seconds of its time limit."""
    begin = time.monotonic()
    assert check(hang, Limits(time_s=1.5)) == (FAILED, "time limit of 1.5 s exceeded")
    assert time.monotonic() - begin < 11.5


@pytest.mark.long
def test_the_children_of_a_trial_that_hangs_go_with_it(tmp_path: Path) -> None:
    """Those in its process group, those in sessions of their own and those that ignore signals are killed with it."""

    def hang() -> object:
        if os.fork() == 0:
            note_pid(tmp_path)
            return _deaf()
        leave_daemons(tmp_path, 3, others=1)
        note_pid(tmp_path)
        return time.sleep(600)

    assert check(hang, Limits(time_s=3.0)) == (FAILED, "time limit of 3 s exceeded")
    assert len(noted_pids(tmp_path)) == 5
    assert wait_dead(noted_pids(tmp_path)) == []


@pytest.fixture
def silent_stdin() -> Iterator[None]:
    """The driver's standard input is open and nothing comes from it."""
    kept = os.dup(0)
    read, write = os.pipe()
    os.dup2(read, 0)
    os.close(read)
    yield
    os.dup2(kept, 0)
    os.close(kept)
    os.close(write)


@pytest.mark.usefixtures("silent_stdin")
@pytest.mark.parametrize(
    "read", [lambda: os.read(0, 1), lambda: sys.stdin.read().strip(), lambda: sys.stdin.readline().strip()]
)
@pytest.mark.long
def test_a_trial_that_reads_its_input_finds_none_and_does_not_wait(read: Callable[[], object]) -> None:
    """What is typed is for the driver; a trial reads the end of a file at once."""
    state, error = check(lambda: {"accuracy": 0.5} if not read() else None, Limits(time_s=60.0))
    assert (TrialState.FINISHED, "") == (state, error)


@pytest.mark.long
def test_a_thread_that_runs_on_does_not_hold_a_trial() -> None:
    """A result is the end of a trial, whatever threads it started and did not end."""

    def function() -> object:
        threading.Thread(target=time.sleep, args=(600,), daemon=False).start()
        return {"accuracy": 0.5}

    assert check(function, Limits(time_s=60.0)) == (TrialState.FINISHED, "")
