"""A device elsewhere, by a command of the user's: it gets an ONNX file and prints milliseconds.

The command runs without a shell, in a process group of its own that is killed when its time is up or it has ended.
Its environment has ``NETWRIGHT_BATCH``, ``NETWRIGHT_THREADS`` and ``NETWRIGHT_PRECISION``. It runs several times, so
that a noisy device is noticed. Knows nothing of torch.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from netwright.errors import SpecError, TrialError, one_line, shorten
from netwright.evaluation.latency.spec import LatencySpec, split_command
from netwright.evaluation.latency.timing import Timing, summarise
from netwright.temporary import temporary_folder

FIRST_CALLS, MOST_CALLS = 3, 6
AGREE = 0.05
"""How far calls may lie apart, relative to their median; where they do not agree, as many more are made."""

_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?(?:nan|inf(?:inity)?)", re.IGNORECASE)
_MOST_OUTPUT_BYTES = 1 << 20
_LOOK_EVERY_S = 0.01


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said.

    Args:
        latency_ms: of one batch, > 0.
        device: what the device calls itself; empty where it does not.
    """

    latency_ms: float
    device: str = ""


def measure_on_device(onnx: bytes, spec: LatencySpec) -> tuple[Timing, str]:
    """Let a device measure a network, three times, and three times more where the answers do not agree within 5 %.

    Args:
        onnx: the network, for inputs of ``spec.batch``.
        spec: the command, its time limit, batch and threads.

    Returns:
        The times, noisy where they do not agree; and the name of the device, or else of the program.

    Raises:
        TrialError: the command cannot be run, did not end in time, failed, or printed no latency.
    """
    with temporary_folder() as folder:
        file = folder / "model.onnx"
        file.write_bytes(onnx)
        answers = [ask_device(file, spec) for _ in range(FIRST_CALLS)]
        if _apart(answers) > AGREE:
            answers += [ask_device(file, spec) for _ in range(MOST_CALLS - FIRST_CALLS)]
    apart = _apart(answers)
    noise = [f"{len(answers)} calls of the device differ by {apart:.0%}"] if apart > AGREE else []
    name = next((answer.device for answer in answers if answer.device), spec.device_words[0])
    return summarise(np.asarray([answer.latency_ms for answer in answers]), noise=noise), one_line(name)


def require_program(command: str) -> None:
    """Check that a command is one and that its program exists.

    Raises:
        SpecError: it is not, or does not.
    """
    program = split_command(command)[0]
    if shutil.which(program) is None:
        cure = "give its path, or make it executable"
        raise SpecError(f"device_command: there is no program {shorten(program)} that can be run; {cure}")


def ask_device(file: Path, spec: LatencySpec) -> Answer:
    """Run the command once.

    Raises:
        TrialError: the command did not end in time, failed, or printed no latency.
    """
    words = spec.device_words
    filled = [word.replace("{onnx}", str(file)) for word in words]
    command = filled if filled != list(words) else [*filled, str(file)]
    given = {"BATCH": str(spec.batch), "THREADS": str(spec.threads), "PRECISION": spec.precision}
    environment = {**os.environ, **{f"NETWRIGHT_{name}": value for name, value in given.items()}}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment, start_new_session=True
            )
        except OSError as error:
            raise TrialError(f"{_shown(words)} cannot be run: {error.strerror or error}") from error
        trouble = _await_end(process, out, spec.device_limit_s)
        said = _tail(err)
        if trouble:
            raise TrialError(f"{_shown(words)} {trouble}{f'; it said: {said}' if said else ''}")
        return _parse(_tail(out), words)


def _await_end(process: subprocess.Popen[bytes], out: IO[bytes], limit_s: float) -> str:
    """Wait, then end the whole process group; what went wrong, or nothing."""
    deadline_s = time.monotonic() + limit_s
    trouble = ""
    try:
        # the process is looked at without being reaped, so that its group cannot be another's when it is killed
        while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.monotonic() > deadline_s:
                trouble = f"did not end within {limit_s:g} s and was killed; make it faster, or raise the limit"
                break
            if os.fstat(out.fileno()).st_size > _MOST_OUTPUT_BYTES:
                trouble = "prints without end and was killed; it is to print one latency"
                break
            time.sleep(_LOOK_EVERY_S)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
    if trouble or code == 0:
        return trouble
    return f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"


def _tail(file: IO[bytes]) -> str:
    """The last line that is not empty, of the last 64 KiB."""
    size = os.fstat(file.fileno()).st_size
    file.seek(max(0, size - (1 << 16)))
    lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines()]
    return one_line(next((line for line in reversed(lines) if line), ""))[-2000:]


def _parse(line: str, words: tuple[str, ...]) -> Answer:
    """Read a number, or an object with ``latency_ms`` and perhaps ``device``."""
    allowed = 'its last line must be milliseconds, such as 1.25, or {"latency_ms": 1.25}'
    device = ""
    value: object = float(line) if _NUMBER.fullmatch(line) else None
    if line.startswith("{"):
        with suppress(ValueError, RecursionError):
            found = json.loads(line)
            value, named = found.get("latency_ms"), found.get("device")
            device = named[:100] if isinstance(named, str) else ""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TrialError(f"{_shown(words)} printed {shorten(line) if line else 'nothing'}: {allowed}")
    try:
        latency_ms = float(value)
    except OverflowError:  # a whole number in JSON may have hundreds of digits
        latency_ms = math.inf if value > 0 else -math.inf
    if not (math.isfinite(latency_ms) and latency_ms > 0):
        raise TrialError(f"{_shown(words)} printed a latency of {latency_ms:g} ms: it must be > 0 and finite")
    return Answer(latency_ms, device)


def _apart(answers: list[Answer]) -> float:
    times = [answer.latency_ms for answer in answers]
    return (max(times) - min(times)) / float(np.median(times))


def _shown(words: tuple[str, ...]) -> str:
    return f"device command {shorten(' '.join(words), 80)}"
