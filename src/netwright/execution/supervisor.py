"""Forks trials from the warm parent and watches them: output, time, memory, and everything they leave behind.

Obeys the driver through one socket; when that closes, whatever runs is killed. Knows nothing of which trial comes next.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from netwright.errors import TrialError
from netwright.evaluation.base import Evaluator
from netwright.execution import memory, processes
from netwright.execution.base import Job, Limits
from netwright.execution.child import Place, run_trial
from netwright.execution.logs import CappedLog
from netwright.execution.messages import Inbox, Message, pack, read_parent
from netwright.execution.outcomes import check_ending
from netwright.temporary import keep_temporary
from netwright.types import Architecture, Fidelity, TrialState

_PIECE = 1 << 16
_MOST_PIECES = 128  # above what a pipe and a message can hold
_DEATH_S = 5.0  # a process the kernel does not let die (a lost disk) may not stop all others
_DEATH_POLL_S = 0.0005


@dataclass
class _Running:
    """A trial that runs."""

    trial_id: int
    pid: int
    mark: int  # what it left behind is known by, see `processes.mark`
    folder: Path
    result: int
    output: int
    log: CappedLog
    start: float = field(default_factory=time.monotonic)
    inbox: Inbox = field(default_factory=Inbox)
    gauge: memory.Gauge = field(default_factory=memory.Gauge)
    condemned: bool = False
    reported: bool = False


class Supervisor:
    """Forks trials, watches them, and reports how they ended, until the driver is gone.

    Args:
        evaluator: called in the children.
        channel: to the driver.
        limits: of a trial.
        threads: of numerical libraries in a trial.
        log_dir: where the output of trials is kept; None keeps the end of a failed one's in its error.
        temporary: folder for the temporary folders of trials; removed at the end.
        lock: open file by which that folder is known to be in use.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        channel: socket.socket,
        limits: Limits,
        threads: int,
        log_dir: Path | None,
        temporary: Path,
        lock: int,
    ) -> None:
        self.evaluator, self.channel, self.limits, self.threads, self.log_dir = (
            evaluator, channel, limits, threads, log_dir,
        )  # fmt: skip
        self.running: dict[int, _Running] = {}  # by process id
        self.inbox = Inbox()
        self.outbox = bytearray()
        self.serial = 0
        self.open = True
        self.oom_kills = memory.oom_kills()
        self.next_memory_s = 0.0
        self.temporary, self.lock = temporary, lock
        self.ranges = getattr(evaluator, "metric_ranges", {})
        self.selector = selectors.DefaultSelector()
        self.wake_read, self.wake_write = os.pipe()
        for fd in (self.wake_read, self.wake_write):
            os.set_blocking(fd, False)

    def run(self) -> None:
        """Serve until the driver is gone."""
        processes.adopt_orphans()
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        self.channel.setblocking(False)
        self.selector.register(self.channel, selectors.EVENT_READ)
        self.selector.register(self.wake_read, selectors.EVENT_READ)
        try:
            while self.open:
                self._turn()
        finally:
            self._end_all()
            shutil.rmtree(self.temporary, ignore_errors=True)

    def _turn(self) -> None:
        for key, _ in self.selector.select(self._patience_s()):
            if key.fileobj is self.channel:
                self._receive()
            elif key.fd == self.wake_read:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.wake_read, _PIECE)
            elif (trial := self.running.get(key.data)) is not None and key.fd in (trial.output, trial.result):
                self._read(trial, key.fd)
        self._enforce_limits()
        self._reap()
        self._flush()

    def _patience_s(self) -> float | None:
        """Seconds until something is due without an event."""
        if not self.running:
            return None
        times: list[float] = []
        if self.limits.time_s is not None:
            times += [t.start + self.limits.time_s for t in self.running.values() if not t.condemned]
        if self.limits.memory_bytes is not None:
            times.append(self.next_memory_s)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _receive(self) -> None:
        try:
            piece = self.channel.recv(_PIECE)
        except BlockingIOError:
            return
        except ConnectionResetError:
            piece = b""
        self.open = bool(piece)
        self.inbox.feed(piece)
        for message in self.inbox:
            job = _job(message)
            try:
                self._fork(job)
            except OSError as error:  # no process, pipe or memory left
                ending = _ending(TrialState.FAILED, f"the trial's process cannot be started: {error}")
                self._send({**ending, "kind": "ended", "trial_id": job.trial_id, "duration_s": 0.0})

    def _fork(self, job: Job) -> None:
        self.serial += 1
        folder = self.temporary / str(self.serial)
        self._let_reported_end()
        keep_temporary(self.temporary, self.lock)  # a trial may have taken it away
        folder.mkdir(mode=0o700)
        with contextlib.ExitStack() as writing, contextlib.ExitStack() as failing:
            result, result_write = _pipe(failing, writing)
            output, output_write = _pipe(failing, writing)
            foreign = (*self._descriptors(), result, output)
            place = Place(
                os.getpid(), self.serial, folder, result_write, output_write, foreign, self.threads, self.limits
            )
            self._send({"kind": "started", "trial_id": job.trial_id})
            self._flush()  # the driver must know even if this trial kills us
            log, begin = CappedLog(self.limits.log_bytes), time.monotonic()
            pid = os.fork()
            if pid == 0:
                run_trial(self.evaluator, job, place)
            failing.pop_all()
        trial = _Running(job.trial_id, pid, self.serial, folder, result, output, log, begin)
        for fd in (result, output):
            os.set_blocking(fd, False)
            self.selector.register(fd, selectors.EVENT_READ, pid)
        self.running[pid] = trial
        self._send({"kind": "pid", "trial_id": job.trial_id, "pid": pid})

    def _let_reported_end(self) -> None:
        """Wait until trials that gave a result and left files are gone with them: the next one may need the room."""
        deadline_s = time.monotonic() + _DEATH_S
        while any(t.reported and _has_files(t.folder) for t in self.running.values()) and time.monotonic() < deadline_s:
            time.sleep(_DEATH_POLL_S)
            self._reap()

    def _descriptors(self) -> list[int]:
        """Open files of this process that are none of a trial's business."""
        own = [self.channel.fileno(), self.selector.fileno(), self.wake_read, self.wake_write, self.lock]
        return own + [fd for t in self.running.values() for fd in (t.result, t.output) if fd >= 0]

    def _read(self, trial: _Running, fd: int) -> bool:
        """Take a piece of output or result; whether there may be more."""
        try:
            piece = os.read(fd, _PIECE)
        except BlockingIOError:
            return False
        if not piece:
            self._close(trial, fd)
            return False
        if fd == trial.output:
            trial.log.feed(piece)
        else:
            self._take_result(trial, piece)
        return True

    def _drain(self, trial: _Running, fd: int) -> None:
        """Read what a pipe holds; a process that goes on writing is not followed."""
        for _ in range(_MOST_PIECES):
            if fd < 0 or not self._read(trial, fd):
                return

    def _take_result(self, trial: _Running, piece: bytes) -> None:
        """A result is reported as it comes: taking the process down need not be waited for."""
        try:
            trial.inbox.feed(piece)
            for message in trial.inbox:
                self._report(trial, check_ending(message, self.ranges))
        except (ValueError, TrialError) as error:
            self._report(trial, _ending(TrialState.FAILED, f"the result cannot be read: {error}"))
        if trial.reported:
            processes.kill(trial.pid)

    def _report(self, trial: _Running, message: Message) -> None:
        """Tell the driver how a trial ended; what is said first counts."""
        if not trial.reported:
            trial.reported = True
            self._drain(trial, trial.output)
            self._save_log(trial)
            duration_s = time.monotonic() - trial.start
            self._send({**message, "kind": "ended", "trial_id": trial.trial_id, "duration_s": duration_s})

    def _close(self, trial: _Running, fd: int) -> None:
        self.selector.unregister(fd)
        os.close(fd)
        if fd == trial.output:
            trial.output = -1
        else:
            trial.result = -1

    def _enforce_limits(self) -> None:
        now = time.monotonic()
        if self.limits.time_s is not None:
            for trial in self.running.values():
                if not trial.condemned and now >= trial.start + self.limits.time_s:
                    self._condemn(trial, TrialState.FAILED, f"time limit of {self.limits.time_s:g} s exceeded")
        if self.limits.memory_bytes is not None and now >= self.next_memory_s:
            begin = time.process_time()
            most = max((self._weigh(trial, self.limits.memory_bytes) for trial in self.running.values()), default=0)
            cost_s = time.process_time() - begin
            self.next_memory_s = now + memory.pause_s(most, self.limits.memory_bytes, cost_s)

    def _weigh(self, trial: _Running, limit: int) -> int:
        """End a trial whose processes together use too much; what they use."""
        if trial.condemned:
            return 0
        roots = [trial.pid, *self._orphans(trial.mark)]
        pids = [*roots, *(pid for root in roots for pid in processes.descendants(root))]
        used = trial.gauge.weigh(pids, limit, time.monotonic())
        if used > limit:
            self._condemn(trial, TrialState.INFEASIBLE, f"memory_bytes is {used:g}, the limit is {limit:g}")
        return used

    def _condemn(self, trial: _Running, state: TrialState, error: str) -> None:
        trial.condemned = True
        self._report(trial, _ending(state, f"{error}\n{trial.log.last_lines}".strip()))
        processes.kill_group(trial.pid)
        processes.kill(trial.pid)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            trial = self.running.pop(pid, None)
            if trial is not None:
                self._finish(trial, status)

    def _finish(self, trial: _Running, status: int) -> None:
        """A trial's first process has ended: end the rest of it, and report where it gave no result."""
        processes.kill_group(trial.pid)
        processes.end_all(lambda: self._orphans(trial.mark))
        self._drain(trial, trial.result)
        if not trial.reported:
            self._drain(trial, trial.output)
            self._report(trial, self._explain(trial, status))
        for fd in (trial.output, trial.result):
            if fd >= 0:
                self._close(trial, fd)
        shutil.rmtree(trial.folder, ignore_errors=True)

    def _orphans(self, mark: int) -> list[int]:
        """Descendants of a trial that became children of ours because their own parent died."""
        mine = (pid for pid in processes.children(os.getpid()) if pid not in self.running)
        return [pid for pid in mine if processes.has_mark(pid, mark)]

    def _explain(self, trial: _Running, status: int) -> Message:
        """What it means that a process ended without a result."""
        code = os.waitstatus_to_exitcode(status)
        if code >= 0:
            state, error = TrialState.FAILED, f"the trial's process left with exit code {code} and gave no result"
        elif -code == signal.SIGKILL and self._oom_killed():
            state, error = TrialState.INFEASIBLE, "out of memory: the kernel killed the trial's process"
        else:
            name = signal.Signals(-code).name if -code in signal.valid_signals() else str(-code)
            state, error = TrialState.FAILED, f"the trial's process was killed by {name}"
        return _ending(state, f"{error}\n{trial.log.last_lines}".strip())

    def _oom_killed(self) -> bool:
        """Whether the kernel has killed for want of memory since this was last asked."""
        before, self.oom_kills = self.oom_kills, memory.oom_kills()
        return self.oom_kills > before

    def _save_log(self, trial: _Running) -> None:
        if self.log_dir is None:
            return
        try:
            trial.log.save(self.log_dir / f"trial-{trial.trial_id:06}.log")
        except OSError as error:
            self._send({"kind": "problem", "text": f"the log of trial {trial.trial_id} cannot be written: {error}"})

    def _send(self, message: Message) -> None:
        self.outbox += pack(message)

    def _flush(self) -> None:
        try:
            while self.outbox:
                del self.outbox[: self.channel.send(self.outbox)]
            self.selector.modify(self.channel, selectors.EVENT_READ)
        except BlockingIOError:
            self.selector.modify(self.channel, selectors.EVENT_READ | selectors.EVENT_WRITE)
        except OSError:
            self.open = False

    def _end_all(self) -> None:
        for pid in self.running:
            processes.kill_group(pid)
        processes.end_all(lambda: processes.children(os.getpid()) or self._unreaped())

    def _unreaped(self) -> list[int]:
        """Trials as far as they are known, for systems that list no children."""
        return [pid for pid in self.running if not processes.LINUX]


def _pipe(reading: contextlib.ExitStack, writing: contextlib.ExitStack) -> tuple[int, int]:
    """Both ends of a pipe, and who closes them."""
    read, write = os.pipe()
    reading.callback(os.close, read)
    writing.callback(os.close, write)
    return read, write


def _has_files(folder: Path) -> bool:
    """Whether there is anything in a folder; one that is empty is removed, which is quicker than to look."""
    try:
        folder.rmdir()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _ending(state: TrialState, error: str) -> Message:
    return {"state": state.value, "metrics": {}, "error": error}


def _job(message: Message) -> Job:
    epochs, share = cast(float | None, message["epochs"]), cast(float, message["data_share"])
    return Job(
        cast(int, message["trial_id"]),
        Architecture.from_json(cast(str, message["architecture"])),
        Fidelity(epochs, share),
        cast(int, message["seed"]),
        read_parent(message.get("parent")),
    )
