"""What the operating system knows of processes: descendants, marks, open files, and how to end all of them.

On Linux the facts come from ``/proc``. Elsewhere descendants that left their process group are not seen.
Knows nothing of trials.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Container
from pathlib import Path

LINUX = sys.platform == "linux"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def prctl(option: int, value: int) -> None:
    """Call the Linux function of that name; nothing elsewhere."""
    if LINUX:
        import ctypes

        ctypes.pythonapi.prctl(option, value, 0, 0, 0)  # pythonapi: any function of this process, found once


def die_with_parent() -> None:
    """Let the kernel kill this process when the thread that forked it ends."""
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def outlive_parent() -> None:
    """Undo `die_with_parent`."""
    prctl(_PR_SET_PDEATHSIG, 0)


def adopt_orphans() -> None:
    """Become the parent of all descendants whose own parent dies, so that daemons cannot get away."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1)


def children(pid: int) -> list[int]:
    """Direct children of a process, zombies included."""
    try:
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return [int(child) for text in lists for child in text.split()]


def descendants(pid: int) -> list[int]:
    """All descendants of a process whose line of parents is alive."""
    found: list[int] = []
    todo = [pid]
    while todo:
        young = children(todo.pop())
        found += young
        todo += young
    return found


def mark(number: int) -> None:
    """Mark this process and everything it will start with a number.

    The mark is the soft limit on POSIX message queues, which is inherited by every descendant and which nobody sets.
    """
    if LINUX:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_MSGQUEUE)[1]
        resource.setrlimit(resource.RLIMIT_MSGQUEUE, (_mark_value(number), hard))


def has_mark(pid: int, number: int) -> bool:
    """Whether a process carries a mark; a process that is gone does not."""
    try:
        lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    except OSError:
        return False
    return any(line.startswith("Max msgqueue size") and line.split()[3] == str(_mark_value(number)) for line in lines)


def _mark_value(number: int) -> int:
    return 1 + number % 800_000  # below the system's usual hard limit, which only a privileged process may raise


def take_files(keep: Container[int]) -> None:
    """Take all open files from this process but stdin, stdout, stderr and those to keep.

    Their numbers stay in use, as files that can be neither read nor written: an object that still believes to own one
    closes that, and not what would have been opened in its place.

    Args:
        keep: file descriptors.
    """
    nothing = os.open(os.devnull, getattr(os, "O_PATH", os.O_WRONLY))
    try:
        fds = [int(path.name) for path in Path("/dev/fd").iterdir()]
    except OSError:
        fds = list(range(4096))
    for fd in fds:
        if fd > 2 and fd != nothing and fd not in keep:
            with contextlib.suppress(OSError):  # not open, such as that of the listing
                os.fstat(fd)
                os.dup2(nothing, fd, inheritable=False)
    os.close(nothing)


def prefer_as_victim() -> None:
    """Ask the kernel to kill this process and its descendants before others when memory runs out."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def end_all(find: Callable[[], list[int]]) -> None:
    """Kill children of this process, and the children they leave to it, until ``find`` finds none, for at most 5 s."""
    deadline = time.monotonic() + 5
    while (pids := find()) and time.monotonic() < deadline:
        for pid in pids:
            kill(pid)
        gone = [pid for pid in pids if _reaped(pid)]
        if not gone:
            time.sleep(0.0005)


def _reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True


def kill(pid: int) -> None:
    """Kill a process; nothing if it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def kill_group(pid: int) -> None:
    """Kill the process group a process leads; nothing if it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def num_threads() -> int:
    """Threads of this process; 1 where the system does not say."""
    try:
        return len(list(Path("/proc/self/task").iterdir()))
    except OSError:
        return 1
