"""What an evaluator gave back, judged: valid numbers, a broken limit, or a failure with its cause in one line.

Knows nothing of processes. Everything here runs beside the evaluator, so that odd objects never leave the trial.
"""

from __future__ import annotations

import contextlib
import errno
import math
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from numbers import Real

from netwright.errors import ConstraintViolation, TrialError, wrong
from netwright.execution.base import Outcome
from netwright.execution.messages import Message
from netwright.types import TrialState

DISK_FULL = " (the disk is full)"
"""How the first line of a trial's error ends where it was for want of space: the machine's fault, not a network's."""

Ranges = Mapping[str, tuple[float, float]]

_MAX_METRICS = 1000
_MAX_NAME = 200
_MAX_DETAILS = 8000
_MAX_ERROR = 40_000
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "DefaultCPUAllocator: not enough memory", "bad_alloc")


def validate(returned: object, ranges: Ranges) -> dict[str, float]:
    """Check what an evaluator returned.

    Args:
        returned: anything.
        ranges: smallest and largest possible value by metric name; accuracy is in [0, 1] where nothing else is said,
            other metrics may be any finite number.

    Returns:
        The metrics as floats.

    Raises:
        TrialError: it is no mapping of names to finite real numbers within their ranges; names the metric.

    Example:
        >>> validate({"accuracy": 1.73}, {"accuracy": (0, 1)})
        Traceback (most recent call last):
        netwright.errors.TrialError: metric 'accuracy' must be in [0, 1], got 1.73; mend the evaluator
    """
    if not isinstance(returned, Mapping) or not 0 < len(returned) <= _MAX_METRICS:
        raise TrialError(wrong("what an evaluator returns", returned, f"a mapping of 1 to {_MAX_METRICS} metrics"))
    known = {"accuracy": (0.0, 1.0), **ranges}
    return {_name(name): _number(name, value, known) for name, value in returned.items()}


def check_ending(message: Message, ranges: Ranges) -> Message:
    """Check what a trial's process says of its end, which is no better than the trial: anything may have written it.

    Args:
        message: with ``state``, ``metrics`` and ``error``.
        ranges: as of `validate`.

    Returns:
        These three alone, valid: metrics of a finished trial as `validate` wants them, of another one any numbers.

    Raises:
        TrialError: one of them is missing or wrong; names it.
    """
    state, metrics, error = message.get("state"), message.get("metrics"), message.get("error")
    if state not in list(TrialState):
        raise TrialError(wrong("state", state, f"one of {', '.join(TrialState)}"))
    if not isinstance(error, str):
        raise TrialError(wrong("error", error, "text"))
    if state == TrialState.FINISHED:
        return {"state": state, "metrics": dict(validate(metrics, ranges)), "error": ""}
    known = _numbers(metrics) if isinstance(metrics, dict) else {}
    if not isinstance(metrics, dict) or known.keys() != metrics.keys() or len(known) > _MAX_METRICS:
        raise TrialError(wrong("metrics", metrics, f"an object of at most {_MAX_METRICS} numbers"))
    return {"state": state, "metrics": dict(known), "error": error[:_MAX_ERROR]}


def _name(name: object) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME or not name.isprintable():
        raise TrialError(wrong("metric name", name, f"printable text of 1 to {_MAX_NAME} characters"))
    return str(name)


def _as_float(name: str, value: object) -> float:
    if not _is_number(value):
        kind = type(value).__name__
        raise TrialError(wrong(f"metric {name!r}", value, "a number", f"convert this {kind} with float() or .item()"))
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError as error:
        raise TrialError(wrong(f"metric {name!r}", value, "a number a float can hold")) from error


def _number(name: str, value: object, ranges: Ranges) -> float:
    number = _as_float(name, value)
    if not math.isfinite(number):
        raise TrialError(wrong(f"metric {name!r}", number, "finite", "the training diverged, or divided by zero"))
    low, high = ranges.get(name, (-math.inf, math.inf))
    if not low <= number <= high:
        raise TrialError(wrong(f"metric {name!r}", number, f"in [{low:g}, {high:g}]", "mend the evaluator"))
    return number


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _numbers(metrics: Mapping[str, object]) -> dict[str, float]:
    """Those of the metrics that are numbers, finite or not, under a valid name."""
    found = {}
    for name, value in metrics.items():
        with contextlib.suppress(TrialError):
            found[_name(name)] = _as_float(str(name), value)
    return found


def require(outcome: Outcome, names: Sequence[str]) -> Outcome:
    """Turn a finished outcome that lacks one of the metrics ``names`` into a failed one that says so."""
    missing = [name for name in names if name not in outcome.metrics]
    if outcome.state is not TrialState.FINISHED or not missing:
        return outcome
    near = get_close_matches(missing[0], outcome.metrics, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    error = f"the evaluator reported no metric {missing[0]!r}{hint} It reported: {', '.join(sorted(outcome.metrics))}"
    return replace(outcome, state=TrialState.FAILED, metrics={}, error=error)


def judge_exception(error: BaseException) -> tuple[TrialState, dict[str, float], str]:
    """Say what an exception out of an evaluator means.

    Returns:
        State, metrics known in spite of it, and the text: one line of cause, then the traceback, cut to a few kB.
    """
    if isinstance(error, ConstraintViolation):
        return TrialState.INFEASIBLE, _numbers({**error.metrics, error.metric: error.value}), _text(error)
    cause = _first_line(error)
    if is_out_of_memory(error):
        return TrialState.INFEASIBLE, {}, f"out of memory: {cause}\n{_details(error)}"
    ending = DISK_FULL if is_disk_full(error) else ""
    return TrialState.FAILED, {}, f"{cause}{ending}\n{_details(error)}"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception, or what caused it, says that memory ran out, in Python, on a CPU or on a GPU."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MemoryError) or type(seen).__name__ == "OutOfMemoryError":
            return True
        if isinstance(seen, RuntimeError) and any(sign in _text(seen) for sign in _OUT_OF_MEMORY):
            return True
        seen = seen.__cause__
    return False


def is_disk_full(error: BaseException) -> bool:
    """Whether an exception, or what caused it, says that a disk is full, or a person's share of it used up."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        seen = seen.__cause__
    return False


def _first_line(error: BaseException) -> str:
    lines = _text(error).splitlines() or [""]
    kind = type(error).__name__
    return f"{kind}: {lines[0][:500]}" if lines[0] else kind


def _text(error: BaseException) -> str:
    try:
        return str(error)[:100_000]
    except Exception as broken:  # noqa: BLE001 - an exception of a trial may be unable to say what it is
        return f"(its message cannot be made: {type(broken).__name__})"


def _details(error: BaseException) -> str:
    try:
        text = "".join(traceback.format_exception(error, limit=-30))
    except Exception as broken:  # noqa: BLE001 - see _text
        return f"(its traceback cannot be made: {type(broken).__name__})"
    quarter = _MAX_DETAILS // 4
    return text if len(text) <= _MAX_DETAILS else f"{text[:quarter]}\n... cut ...\n{text[-3 * quarter :]}"
