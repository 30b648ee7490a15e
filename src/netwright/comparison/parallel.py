"""Many searches over the cores of this machine: each is a task, each process takes the next one when it is free.

A search is a function of its strategy, seed and rules, and is run on one thread of the numerical libraries, so that
results do not depend on how many processes there are. A process that dies takes one search with it, which is recorded
as crashed, and is replaced.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, cast

from netwright.comparison.contestants import Contestant
from netwright.comparison.journal import Ending, SearchRun
from netwright.comparison.run import run_search
from netwright.comparison.simulated import simulate_workers
from netwright.errors import UsageError, wrong

if TYPE_CHECKING:
    from netwright.benchmarks.base import Benchmark
    from netwright.comparison.settings import Rules
    from netwright.comparison.truth import Truth

Listener = Callable[[int, int, SearchRun], None]
"""Is told of each ended search: how many have ended, of how many, and the search."""

POLL_S = 2.0
"""How often an idle process looks whether its parent is still there."""


@dataclass(frozen=True, slots=True)
class Task:
    """One search.

    Args:
        contestant: who searches.
        seed: of the search.
        workers: simulated workers; None for one query after the other, without a clock.
    """

    contestant: Contestant
    seed: int
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What all searches of a comparison share."""

    benchmark: Benchmark
    rules: Rules
    truth: Truth

    def perform(self, task: Task) -> SearchRun:
        """Run one search, on one thread."""
        with _one_thread():
            if task.workers is None:
                return run_search(self.benchmark, task.contestant, self.rules, self.truth, task.seed)
            return simulate_workers(self.benchmark, task.contestant, self.rules, self.truth, task.seed, task.workers)


def num_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_tasks(work: Work, tasks: Sequence[Task], jobs: int, listener: Listener | None = None) -> list[SearchRun]:
    """Run searches over processes.

    The processes are forked on Linux, so that the benchmark is loaded once; elsewhere it is sent to each.

    Args:
        work: what the searches share.
        tasks: the searches.
        jobs: processes, >= 1; with 1 all runs in this one.
        listener: is told of each ended search.

    Returns:
        The records, in the order of ``tasks``.

    Raises:
        UsageError: ``jobs`` is not at least 1, or the benchmark cannot be sent to another process.
    """
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise UsageError(wrong("jobs", jobs, "a whole number >= 1"))
    runs: dict[int, SearchRun] = {}
    results = _in_turn(work, tasks) if min(jobs, len(tasks)) <= 1 else _in_processes(work, tasks, min(jobs, len(tasks)))
    for place, run in results:
        runs[place] = run
        if listener is not None:
            listener(len(runs), len(tasks), run)
    return [runs[place] for place in range(len(tasks))]


def _in_turn(work: Work, tasks: Sequence[Task]) -> Iterator[tuple[int, SearchRun]]:
    for place, task in enumerate(tasks):
        yield place, work.perform(task)


def _in_processes(work: Work, tasks: Sequence[Task], jobs: int) -> Iterator[tuple[int, SearchRun]]:
    """Run tasks in processes of their own; gives each result as it comes."""
    todo = iter(enumerate(tasks))
    team: dict[Connection, Helper] = {}
    try:
        for _ in range(jobs):
            _give(team, Helper.start(work), next(todo, None))
        while team:
            for connection in wait(list(team)):
                helper = team.pop(cast("Connection", connection))
                place, task = helper.busy_with
                run = helper.result()
                _give(team, helper if run else Helper.start(work), next(todo, None))
                yield place, run or helper.obituary(task)
    finally:
        for helper in team.values():
            helper.process.kill()
            helper.process.join()


def _give(team: dict[Connection, Helper], helper: Helper, numbered: tuple[int, Task] | None) -> None:
    """Hand a task to a helper; without one it goes home.

    It is told so: its end of a pipe stays open in the processes that were forked later.
    """
    with suppress(OSError):  # it died; that is seen when its result is read
        helper.connection.send(numbered and numbered[1])
    if numbered is None:
        helper.process.join()
        helper.connection.close()
    else:
        helper.busy_with = numbered
        team[helper.connection] = helper


class Helper:
    """A process that searches, as its parent sees it.

    Args:
        process: the process.
        connection: tasks go in, records come out.

    Attributes:
        busy_with: number of the task it has, and the task.
    """

    def __init__(self, process: BaseProcess, connection: Connection) -> None:
        self.process = process
        self.connection = connection
        self.busy_with: tuple[int, Task]

    @classmethod
    def start(cls, work: Work) -> Helper:
        """Start a process."""
        get = multiprocessing.get_context
        context = get("fork") if sys.platform == "linux" else get("spawn")
        here, there = context.Pipe()
        process = context.Process(target=_serve, args=(work, here, there, os.getpid()), daemon=True)
        try:
            process.start()
        except OSError:
            raise
        except Exception as error:  # pickling raises what it likes, where processes are not forked
            cure = "use one process (jobs=1)"
            raise UsageError(f"the comparison cannot be sent to another process ({error}); {cure}") from error
        there.close()
        return cls(process, here)

    def result(self) -> SearchRun | None:
        """The record it sends; None where it died instead."""
        try:
            run: SearchRun = self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            return None
        return run

    def obituary(self, task: Task) -> SearchRun:
        """The record of a search in which the process died."""
        code = self.process.exitcode or 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        error = f"the process of the search {how}; it ran out of memory, or the strategy ended it"
        return SearchRun(task.contestant.label, task.seed, Ending.CRASHED, error=error)


def _serve(work: Work, parents: Connection, connection: Connection, parent: int) -> None:
    """In a process of its own: search until there are no more tasks, or no parent."""
    parents.close()
    for number in (signal.SIGINT, signal.SIGTERM):  # a person's Ctrl-C ends it without a traceback
        signal.signal(number, signal.SIG_DFL)
    while True:
        while not connection.poll(POLL_S):
            if os.getppid() != parent:
                return
        task: Task | None = connection.recv()
        if task is None:
            return
        connection.send(work.perform(task))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let numerical libraries use one thread, where threadpoolctl (it comes with scikit-learn) is there to say so."""
    limits: AbstractContextManager[object] = nullcontext()
    if find_spec("threadpoolctl") is not None:
        from threadpoolctl import threadpool_limits

        limits = threadpool_limits(1)
    with limits:
        yield
