"""Searches over processes: equal results however many there are, and a death that takes one search with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from comparison_helpers import Square

from netwright.comparison import Settings
from netwright.comparison.contestants import Contestant
from netwright.comparison.journal import Ending, SearchRun
from netwright.comparison.parallel import Task, Work, num_cores, run_tasks
from netwright.comparison.settings import make_rules
from netwright.comparison.truth import find_truth
from netwright.errors import UsageError
from netwright.space import SearchSpace
from netwright.strategies import RandomSearch
from netwright.types import Proposal

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of fork beside threads, Python 3.12


def make_work(queries: int = 30) -> Work:
    rules = make_rules(Square(), Settings(queries=queries))
    return Work(Square(), rules, find_truth(Square(), rules))


def timeless(runs: Sequence[SearchRun]) -> list[SearchRun]:
    return [replace(run, ask_s=(), tell_s=()) for run in runs]


class Deadly(RandomSearch):
    """Ends its process in one seed."""

    def __init__(self, space: SearchSpace, *, seed: int = 0, **options: object) -> None:
        super().__init__(space, seed=seed)
        self._seed = seed

    def ask(self, n: int) -> Sequence[Proposal]:
        if self._seed == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._seed == 2:
            os._exit(7)
        return super().ask(n)


def test_results_do_not_depend_on_the_number_of_processes() -> None:
    """One, two and five processes give the same records in the same order, with workers and without."""
    contestants = [Contestant(name, name) for name in ("random", "evolution", "local")]
    tasks = [Task(c, seed, workers) for seed in range(4) for c in contestants for workers in (None, 3)]
    expected = timeless(run_tasks(make_work(), tasks, 1))
    for jobs in (2, 5):
        assert expected == timeless(run_tasks(make_work(), tasks, jobs))


def test_a_process_that_dies_takes_one_search_with_it() -> None:
    """The dead ones are named with how they ended; all others are there."""
    tasks = [Task(Contestant("deadly", Deadly), seed) for seed in range(6)]
    runs = run_tasks(make_work(), tasks, 2)
    assert [0, 1, 2, 3, 4, 5] == [run.seed for run in runs]
    assert [1, 2] == [run.seed for run in runs if run.ended is Ending.CRASHED]
    assert "killed by SIGKILL" in runs[1].error
    assert "exit code 7" in runs[2].error
    assert runs[3].values


def test_the_listener_is_told_of_each_search() -> None:
    """With how many have ended of how many."""
    seen: list[tuple[int, int]] = []
    tasks = [Task(Contestant("random", "random"), seed) for seed in range(3)]
    run_tasks(make_work(), tasks, 2, lambda ended, total, run: seen.append((ended, total)))
    assert [(1, 3), (2, 3), (3, 3)] == seen


@pytest.mark.parametrize("jobs", [0, -1, 1.5, True])
def test_a_wrong_number_of_jobs_is_refused(jobs: int) -> None:
    """Before anything runs."""
    with pytest.raises(UsageError, match="jobs must be a whole number >= 1"):
        run_tasks(make_work(), [], jobs)


def test_cores_are_counted() -> None:
    """At least the one this runs on."""
    assert num_cores() >= 1


SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
from comparison_helpers import Square
from netwright.comparison import Settings, compare
print("go", flush=True)
compare(Square(side=60), "evolution", Settings(queries=3000, seeds=2000, stop_at_optimum=False), jobs=2)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
def test_no_process_outlives_a_comparison_that_is_killed(number: signal.Signals) -> None:
    """Each looks for its parent between two searches."""
    folder = str(Path(__file__).parent)
    parent = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(folder=folder)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert parent.stdout is not None
    parent.stdout.readline()
    assert wait_for(lambda: len(children(parent.pid)) == 2)
    helpers = children(parent.pid)
    parent.send_signal(number)
    parent.wait(30)
    parent.stdout.close()
    assert wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in helpers))


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def wait_for(condition: Callable[[], bool], limit_s: float = 60.0) -> bool:
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        if condition():
            return True
        time.sleep(0.1)
    return False
