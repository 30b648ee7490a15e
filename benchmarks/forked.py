"""Runs one function for many tasks in forked processes, for the other scripts of this folder.

Each process inherits what the function knows, so that spaces and tables need not be sent to it; only results are sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

FORK = get_context("fork")


def in_processes(run: Callable[[Any], Any], tasks: Sequence[Any], jobs: int) -> list[Any]:
    """``run`` of every task, in the order of the tasks.

    Args:
        run: gives something that can be pickled, such as an array.
        tasks: what it is called with.
        jobs: processes; 1 for this one.

    Raises:
        EOFError: a process died; its message stands on standard error.
    """
    if jobs == 1:
        return [run(task) for task in tasks]
    pipes, processes = [], []
    for place in range(jobs):
        receiver, sender = FORK.Pipe(duplex=False)
        process = FORK.Process(target=_share, args=(run, tasks[place::jobs], sender))
        process.start()
        sender.close()
        pipes.append(receiver)
        processes.append(process)
    results = [pipe.recv() for pipe in pipes]
    for process in processes:
        process.join()
    return [results[place % jobs][place // jobs] for place in range(len(tasks))]


def _share(run: Callable[[Any], Any], share: Sequence[Any], sender: Connection) -> None:
    sender.send([run(task) for task in share])
    sender.close()
