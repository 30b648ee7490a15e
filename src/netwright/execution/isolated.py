"""The executor that gives every trial a process of its own, forked from a warm parent: the driver's side of it.

Whatever a trial does to itself (raise, exit, crash, hang, take all memory, fork, print a gigabyte) ends that trial
alone. Knows nothing of strategies and stores.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import shutil
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Self, cast

from netwright import errors
from netwright.errors import CapabilityError, SearchError, SpecError, wrong
from netwright.evaluation.base import Evaluator
from netwright.execution import processes
from netwright.execution.base import Job, Limits, Outcome
from netwright.execution.messages import Inbox, Message, pack, parent_message
from netwright.execution.zygote import serve
from netwright.temporary import make_temporary
from netwright.types import TrialState

_log = logging.getLogger(__name__)
_PATIENCE_S = 5.0
_MOST_RESTARTS = 5
_PIECE = 1 << 16


class IsolatedExecutor:
    """Runs jobs in forked processes.

    Construct it before this process runs torch operations and before it starts threads: the warm parent is forked at
    once, so that the evaluator reaches it as it is (lambdas and closures will do), and a fork copies no threads. Open
    files do not reach it, so that no trial can write to the driver's: what an evaluator reads from, its ``prepare()``
    opens.

    Args:
        evaluator: called in each trial's process. Its ``prepare()``, if any, runs once in the warm parent.
        workers: trials at once.
        limits: of each trial.
        threads_per_worker: threads of numerical libraries in a trial.
        log_dir: folder for a log file a trial (made when absent); None keeps none.

    Raises:
        CapabilityError: this system cannot fork.
        SpecError: an argument is out of range.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        workers: int = 1,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        threads_per_worker: int = 1,
        log_dir: Path | None = None,
    ) -> None:
        if not hasattr(os, "fork"):
            raise CapabilityError("isolated trials need a system that can fork (Linux, macOS); use InProcessExecutor")
        if not 1 <= workers <= 500:
            raise SpecError(wrong("workers", workers, "from 1 to 500"))
        if threads_per_worker < 1:
            raise SpecError(wrong("threads_per_worker", threads_per_worker, ">= 1"))
        if log_dir is not None:
            log_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.workers = workers
        self._evaluator = evaluator
        self._limits = limits
        self._threads = _safe_threads(threads_per_worker)
        self._log_dir = log_dir
        self._waiting: deque[Job] = deque()
        self._sent: dict[int, Job] = {}
        self._begun: set[int] = set()  # of those sent
        self._pids: dict[int, int] = {}
        self._suspects: set[int] = set()  # ran when a warm parent died; run again one at a time
        self._outcomes: list[Outcome] = []
        self._restarts = 0  # since a trial ended
        self._closed = False
        self._start()

    @property
    def parent_pid(self) -> int:
        """Process id of the warm parent."""
        return self._pid

    def submit(self, job: Job) -> None:
        """Queue a job; returns at once."""
        if self._closed:
            raise SearchError("the executor is closed; make a new one")
        self._waiting.append(job)
        self._dispatch()

    def wait(self, timeout_s: float | None = None) -> Sequence[Outcome]:
        """Outcomes of jobs that ended; waits up to ``timeout_s`` (None: until one ends) if there is none yet.

        Raises:
            UsageError: the evaluator's ``prepare()`` raised it.
            SearchError: ``prepare()`` failed otherwise, or the warm parent keeps dying.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._outcomes and (self._sent or self._waiting):
            left = None if deadline is None else deadline - time.monotonic()
            if not self._pump(None if left is None else max(0.0, left)) and left is not None and left <= 0:
                break
        ended, self._outcomes = self._outcomes, []
        return ended

    def close(self) -> None:
        """Kill what runs, drop what waits, free everything. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        self._waiting.clear()
        self._sent.clear()
        self._end_parent()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _start(self) -> None:
        for stream in (sys.stdout, sys.stderr):  # what is buffered would be written twice
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        self._temporary, lock = make_temporary()
        self._channel, other = socket.socketpair()
        self._inbox = Inbox()
        self._ready = False
        self._pid = os.fork()
        if self._pid == 0:
            self._channel.close()
            serve(self._evaluator, other, self._limits, self._threads, self._log_dir, self._temporary, lock)
        other.close()
        os.close(lock)  # the warm parent holds it
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._channel, selectors.EVENT_READ)

    def _dispatch(self) -> None:
        """Hand jobs to the warm parent as long as a worker is free; a suspect runs alone."""
        while self._waiting and len(self._sent) < self.workers:
            alone = self._waiting[0].trial_id in self._suspects or bool(self._suspects & self._sent.keys())
            if alone and self._sent:
                return
            job = self._waiting.popleft()
            self._sent[job.trial_id] = job
            message: Message = {
                "trial_id": job.trial_id,
                "architecture": job.architecture.to_json(),
                "epochs": job.fidelity.epochs,
                "data_share": job.fidelity.data_share,
                "seed": job.seed,
            }
            if job.parent is not None:
                message["parent"] = parent_message(job.parent)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # seen as its end by the next wait
                self._channel.sendall(pack(message))

    def _pump(self, timeout_s: float | None) -> bool:
        """Wait for something from the warm parent and take it in; whether there was anything."""
        if not self._selector.select(timeout_s):
            return False
        try:
            piece = self._channel.recv(_PIECE)
        except ConnectionResetError:
            piece = b""
        if not piece:
            self._parent_died()
        self._inbox.feed(piece)
        for message in self._inbox:
            self._take(message)
        self._dispatch()
        return True

    def _take(self, message: Message) -> None:
        if message["kind"] == "ready":
            self._ready = True
            if "error" in message:
                self.close()
                raise _error_of_prepare(message)
        if message["kind"] == "problem":
            _log.warning("%s", message["text"])
        if message["kind"] == "started":
            self._begun.add(cast(int, message["trial_id"]))
        if message["kind"] == "pid":
            self._pids[cast(int, message["trial_id"])] = cast(int, message["pid"])
        if message["kind"] == "ended":
            trial_id = cast(int, message["trial_id"])
            del self._sent[trial_id]
            self._begun.discard(trial_id)
            self._pids.pop(trial_id, None)
            self._suspects.discard(trial_id)
            self._restarts = 0
            self._outcomes.append(
                Outcome(
                    trial_id,
                    TrialState(cast(str, message["state"])),
                    cast(dict[str, float], message["metrics"]),
                    cast(str, message["error"]),
                    cast(float, message["duration_s"]),
                )
            )

    def _parent_died(self) -> None:
        """Start a new warm parent; run again what ran, once, and one at a time, so that a culprit gives itself away."""
        self._end_parent()
        self._restarts += 1
        if self._restarts > _MOST_RESTARTS:
            self._closed = True
            raise SearchError(
                f"the warm parent of trials died {self._restarts} times in a row; see the system's log (dmesg)"
            )
        _log.warning("the warm parent of trials died; starting another")
        for trial_id, job in reversed(self._sent.items()):
            if trial_id in self._suspects:
                error = "interrupted twice: the warm parent of trials died while it ran"
                self._outcomes.append(Outcome(trial_id, TrialState.FAILED, {}, error))
                self._suspects.discard(trial_id)
            else:
                self._waiting.appendleft(job)
                self._suspects |= {trial_id} & self._begun
        self._sent.clear()
        self._begun.clear()
        self._start()

    def _end_parent(self) -> None:
        """Close the channel, which ends the warm parent and all trials; by force if that takes too long."""
        self._selector.close()
        self._channel.close()
        deadline = time.monotonic() + (_PATIENCE_S if self._ready else 0.0)
        while os.waitpid(self._pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > deadline:
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
                break
            time.sleep(0.001)
        for pid in self._pids.values():
            processes.kill_group(pid)
        self._pids.clear()
        shutil.rmtree(self._temporary, ignore_errors=True)  # where the warm parent could not


def _safe_threads(threads: int) -> int:
    """One thread where torch is loaded and threads run: its pool does not survive a fork, and trials would hang."""
    if threads > 1 and "torch" in sys.modules and processes.num_threads() > 1:
        _log.warning("torch was used before trials were set up: they run with 1 thread each instead of %d", threads)
        return 1
    return threads


def _error_of_prepare(message: Message) -> errors.NetwrightError:
    kind = getattr(errors, str(message["type"]), None)
    if isinstance(kind, type) and issubclass(kind, errors.UsageError) and kind is not errors.MissingDependencyError:
        return kind(str(message["error"]))
    if message["type"] == "MissingDependencyError":
        return errors.UsageError(str(message["error"]))
    cause = f"{message['type']}: {message['error']}"
    return SearchError(f"the evaluator cannot be prepared: {cause}\n{message['details']}")
