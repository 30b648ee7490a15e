"""Inside a trial's process: make it a place of its own, call the evaluator, send one message, leave.

The trial's output goes to a pipe its parent reads. The result goes through another pipe, written by this module alone,
so that nothing a trial prints can pass for one.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path

from netwright.evaluation.base import Evaluator
from netwright.execution import memory, processes
from netwright.execution.base import Job, Limits
from netwright.execution.messages import Message, pack
from netwright.execution.outcomes import judge_exception, validate
from netwright.types import TrialState


@dataclass(frozen=True, slots=True)
class Place:
    """Where a trial runs.

    Args:
        parent: process id of the warm parent.
        mark: by which its descendants are known, see `processes.mark`.
        folder: its own folder for temporary files; removed when it ends.
        result: file descriptor for the message.
        output: file descriptor for stdout and stderr.
        foreign: file descriptors that are none of its business.
        threads: of numerical libraries.
        limits: of the trial.
    """

    parent: int
    mark: int
    folder: Path
    result: int
    output: int
    foreign: tuple[int, ...]
    threads: int
    limits: Limits


def run_trial(evaluator: Evaluator, job: Job, place: Place) -> None:
    """Run a job and leave the process; never returns."""
    pid = os.getpid()
    code = 70
    try:
        _settle(place)
        seed_all(job.seed)
        message = _evaluate(evaluator, job)
        with contextlib.suppress(Exception):  # the evaluator may have closed or replaced them
            sys.stdout.flush()
            sys.stderr.flush()
        if os.getpid() == pid:  # a process the evaluator forked may come back through here
            _send(place.result, message)
        code = 0
    except BaseException:  # noqa: BLE001 - what is not the evaluator's fault is told by the output
        traceback.print_exc()
    finally:
        os._exit(code)


def _evaluate(evaluator: Evaluator, job: Job) -> Message:
    state, metrics, error = TrialState.FINISHED, {}, ""
    try:
        returned = evaluator(job.architecture, fidelity=job.fidelity, seed=job.seed, **job.options)
        metrics = validate(returned, getattr(evaluator, "metric_ranges", {}))
    except BaseException as raised:  # noqa: BLE001 - the worker boundary: whatever happens ends this trial alone
        state, metrics, error = judge_exception(raised)
    return {"state": state.value, "metrics": dict(metrics), "error": error}


def _send(fd: int, message: Message) -> None:
    data = pack(message)
    while data:
        data = data[os.write(fd, data) :]


def _settle(place: Place) -> None:
    """Leave everything shared behind: signals, terminal, session, temporary folder, threads."""
    os.setsid()
    processes.die_with_parent()
    if os.getppid() != place.parent:  # it died before the line above
        os._exit(70)
    processes.mark(place.mark)
    processes.prefer_as_victim()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for fd in place.foreign:
        os.close(fd)
    _redirect(place.output)
    tempfile.tempdir = str(place.folder)
    os.environ["TMPDIR"] = str(place.folder)
    _limit_memory(place.limits.memory_bytes)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(place.threads)


def _redirect(output: int) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(nothing)
    os.close(output)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - open until the process ends
    for name, fd in (("stdout", 1), ("stderr", 2)):
        stream = open(fd, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _limit_memory(limit: int | None) -> None:
    """Refuse absurd allocations at once; the limit itself is watched from outside, where it can be measured."""
    if limit is None or not processes.LINUX:
        return
    import resource

    most = memory.data_bytes() + 2 * limit + (1 << 30)
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if hard == resource.RLIM_INFINITY or most <= hard:
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def seed_all(seed: int) -> None:
    """Seed the global generators of this process, for evaluators that use them without seeding."""
    random.seed(seed)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed(seed % 2**32)
    if (torch := sys.modules.get("torch")) is not None:
        torch.manual_seed(seed % 2**63)
