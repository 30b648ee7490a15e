"""What the tests of executors share."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from netwright.execution import Executor, Job, Outcome
from netwright.types import Architecture, Fidelity, Metrics

Function = Callable[[int, int], object]
"""From the number of a trial and its seed to what an evaluator returns."""


def evaluator(function: Function) -> Callable[..., Metrics]:
    """An evaluator from a plain function."""

    def evaluate(arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
        return function(int(arch["number"]), seed)  # type: ignore[arg-type, return-value]

    return evaluate


def jobs(numbers: Iterable[int]) -> list[Job]:
    """A job a number."""
    return [Job(number, Architecture({"number": number}), Fidelity(), 1000 + number) for number in numbers]


def run_all(executor: Executor, numbers: Iterable[int]) -> dict[int, Outcome]:
    """Run a job a number; outcomes by number."""
    waiting = {job.trial_id for job in jobs(numbers)}
    for job in jobs(waiting):
        executor.submit(job)
    found: dict[int, Outcome] = {}
    begin = time.monotonic()
    while len(found) < len(waiting):
        for outcome in executor.wait(1.0):
            assert outcome.trial_id in waiting - found.keys()
            found[outcome.trial_id] = outcome
        assert time.monotonic() - begin < 100
    return found


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_dead(pids: Iterable[int], timeout_s: float = 5.0) -> list[int]:
    """Wait until processes are gone; those that are not."""
    deadline = time.monotonic() + timeout_s
    left = list(pids)
    while left and time.monotonic() < deadline:
        left = [pid for pid in left if alive(pid)]
        time.sleep(0.01)
    return left


def note_pid(folder: Path) -> None:
    """Leave this process's id in a folder."""
    (folder / str(os.getpid())).touch()


def noted_pids(folder: Path) -> list[int]:
    """All ids left in a folder."""
    return [int(path.name) for path in folder.iterdir()]


def leave_daemons(folder: Path, count: int, others: int = 0) -> None:
    """Start processes that leave group, session and parent, and ignore what can be ignored.

    They note their ids in a folder; this waits for them and for ``others`` that do so, too.
    """
    for _ in range(count):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                    signal.signal(number, signal.SIG_IGN)
                note_pid(folder)
                time.sleep(600)
            os._exit(0)
    while len(noted_pids(folder)) < count + others:
        time.sleep(0.01)
