"""What latency is meant: batch, threads, runtime, precision, and how long measuring may take. Knows no runtime."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass

from netwright.errors import SpecError, unknown, wrong
from netwright.runtimes import DEVICE, INT8_RUNTIMES, PRECISIONS, RUNTIMES, Precision, RuntimeName


@dataclass(frozen=True, slots=True)
class LatencySpec:
    """What latency is meant.

    Args:
        batch: images at once, >= 1.
        threads: of the runtime, >= 1.
        runtime: one of `RUNTIMES`.
        budget_s: most seconds spent on repeats of one network, > 0; one run is always made, and what a runtime does
            before the first one is not counted. A device is bounded by ``device_limit_s``.
        precision: ``float32``, or ``int8`` where the runtime is one of `INT8_RUNTIMES`.
        device_command: for the runtime ``device``: program and arguments, run without a shell. ``{onnx}`` stands for
            the path of the ONNX file, which is the last argument where it does not occur.
        device_limit_s: seconds one call of the command may take, > 0.

    Raises:
        SpecError: one of them is wrong, or they do not fit together.

    Example:
        >>> LatencySpec(runtime="device", device_command="phone-bench --model {onnx}").device_words
        ('phone-bench', '--model', '{onnx}')
    """

    batch: int = 1
    threads: int = 1
    runtime: RuntimeName = "torch"
    budget_s: float = 1.5
    precision: Precision = "float32"
    device_command: str = ""
    device_limit_s: float = 120.0

    def __post_init__(self) -> None:
        if self.runtime not in RUNTIMES:
            raise SpecError(unknown("runtime", str(self.runtime), RUNTIMES))
        if self.precision not in PRECISIONS:
            raise SpecError(unknown("precision", str(self.precision), PRECISIONS))
        for name in ("batch", "threads"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise SpecError(wrong(name, value, "a whole number >= 1"))
        for name in ("budget_s", "device_limit_s"):
            if not 0 < getattr(self, name) < math.inf:
                raise SpecError(wrong(name, getattr(self, name), "> 0 and finite"))
        if self.precision == "int8" and self.runtime not in INT8_RUNTIMES:
            allowed = f"float32 in {self.runtime}"
            raise SpecError(wrong("precision", self.precision, allowed, f"int8 runs in: {', '.join(INT8_RUNTIMES)}"))
        self._check_command()

    def _check_command(self) -> None:
        if self.runtime == DEVICE:
            split_command(self.device_command)
        elif self.device_command:
            allowed = f"empty for the runtime {self.runtime!r}"
            raise SpecError(wrong("device_command", self.device_command, allowed, "name the runtime 'device'"))

    @property
    def device_words(self) -> tuple[str, ...]:
        """The device command as program and arguments."""
        return split_command(self.device_command)


def split_command(command: str, argument: str = "device_command") -> tuple[str, ...]:
    """Split a command into program and arguments as a shell would, and run nothing.

    Args:
        command: the text.
        argument: what messages call it.

    Raises:
        SpecError: it is empty, a quote is not closed, or it holds NUL.

    Example:
        >>> split_command("adb-bench 'my phone' {onnx}")
        ('adb-bench', 'my phone', '{onnx}')
    """
    try:
        words = tuple(shlex.split(command)) if "\0" not in command else ()
    except ValueError as error:
        allowed = f"a program and its arguments ({error})"
        raise SpecError(wrong(argument, command, allowed, "close the quote")) from error
    if not words or not words[0]:
        raise SpecError(wrong(argument, command, "a program and its arguments, such as 'bench.sh {onnx}'"))
    return words
