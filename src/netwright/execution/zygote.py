"""The warm parent: a process without threads that loads what trials need once; `Supervisor` then forks them from it.

It obeys the driver through one socket and ends with it. Knows nothing of which trial comes next.
"""

from __future__ import annotations

import faulthandler
import gc
import logging
import os
import signal
import socket
import sys
import traceback
from pathlib import Path

from netwright.evaluation.base import Evaluator
from netwright.execution import processes
from netwright.execution.base import Limits
from netwright.execution.child import seed_all
from netwright.execution.messages import Message, pack
from netwright.execution.supervisor import Supervisor


def serve(
    evaluator: Evaluator,
    channel: socket.socket,
    limits: Limits,
    threads: int,
    log_dir: Path | None,
    temporary: Path,
    lock: int,
) -> None:
    """Be the warm parent until the driver closes the channel; then leave the process. Never returns.

    Args:
        evaluator: called in the children.
        channel: to the driver.
        limits: of a trial.
        threads: of numerical libraries in a trial.
        log_dir: where the output of trials is kept; None keeps the end of a failed one's in its error.
        temporary: folder for the temporary folders of trials; removed at the end.
        lock: open file by which that folder is known to be in use.
    """
    code = 70
    try:
        os.setsid()
        parent = os.getppid()
        processes.die_with_parent()
        _log_to_stderr()
        processes.take_files(keep=(channel.fileno(), lock))  # the store of the driver, its log, its other channels
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
            os.environ[name] = str(threads)
        faulthandler.enable(2)  # a crashed trial says where
        problem = _prepare(evaluator)
        channel.sendall(pack({"kind": "ready", **problem}))
        processes.outlive_parent()  # from here on the end of the channel tells, and leaves time to clean up
        if os.getppid() == parent and not problem:
            Supervisor(evaluator, channel, limits, threads, log_dir, temporary, lock).run()
        code = 0
    except (BrokenPipeError, ConnectionResetError):
        code = 0
    except BaseException:  # noqa: BLE001 - a forked process must never run its parent's code to the end
        traceback.print_exc()
    finally:
        os._exit(code)


def _log_to_stderr() -> None:
    """Send log records where a trial's output is kept: the driver's own handlers are not for trials to write to."""
    loggers = [entry for entry in logging.root.manager.loggerDict.values() if isinstance(entry, logging.Logger)]
    for logger in [logging.root, *loggers]:
        logger.handlers.clear()
    logging.root.addHandler(_StderrHandler())


class _StderrHandler(logging.Handler):
    """Writes to what stderr is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(self.format(record) + "\n")


def _prepare(evaluator: Evaluator) -> Message:
    """Let the evaluator load what it needs; what went wrong, if anything."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        getattr(evaluator, "prepare", lambda: None)()
    except BaseException as error:  # noqa: BLE001 - the worker boundary: the driver raises it again
        return {"error": str(error), "type": type(error).__name__, "details": traceback.format_exc()[-8000:]}
    seed_all(0)  # what this loads is loaded once, not in every child
    gc.collect()
    gc.freeze()  # a collection in a child would touch, and so copy, every page of ours
    return {}
