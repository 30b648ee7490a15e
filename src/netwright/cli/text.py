"""Text for a terminal: made harmless, short and aligned. Knows nothing of searches beyond trials and their numbers."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence

from netwright.readable import number
from netwright.types import Trial, to_json_value

FIRST = ("accuracy", "int8_accuracy", "latency_ms", "params", "macs")
BESIDE = ("loss", "depth", "memory_bytes", "train_cost", "epochs", "train_time_s", "latency_again_ms")
"""Metrics that are shown first, and those that every training gives besides; others are of a task and stand before."""

MOST_OWN = 4

_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-_]|\x9b[0-?]*[ -/]*[@-~]")
_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: object, limit: int = 500) -> str:
    r"""Return one line without terminal escapes, control, formatting and unpaired surrogate characters.

    Args:
        text: anything; what comes from files, classes and errors is never printed without passing here.
        limit: longest result, in characters.

    Example:
        >>> clean("a\x1b[31mred\x1b[0m\nb\u202ec")
        'ared bc'
    """
    plain = _ESCAPE.sub("", re.sub(r"[\t\r\n\v\f\u2028\u2029\x85]+", " ", str(text)))
    kept = "".join(c for c in plain if unicodedata.category(c) not in _HARMFUL)
    return kept if len(kept) <= limit else kept[: limit - 3] + "..."


def clean_indented(line: str) -> str:
    """Clean a line of text and keep its indentation."""
    return " " * (len(line) - len(line.lstrip(" "))) + clean(line.lstrip(" "))


def json_line(value: object) -> str:
    """One line of standard JSON in ASCII; numbers JSON does not have become null."""
    return json.dumps(_finite(value), ensure_ascii=True, allow_nan=False)


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def metrics_text(metrics: Mapping[str, float]) -> str:
    """``accuracy=0.93 params=78.1k``: the metrics people look at first: the task's own, then these."""
    own = sorted(name for name in metrics if name not in {*FIRST, *BESIDE})
    chosen = [*own[:MOST_OWN], *(name for name in FIRST if name in metrics)] or sorted(metrics)
    return " ".join(f"{clean(name, 40)}={number(name, metrics[name])}" for name in chosen)


def duration(seconds: float | None) -> str:
    """A time in at most two units.

    Example:
        >>> duration(75.2), duration(7260), duration(None)
        ('1m15s', '2h01m', '-')
    """
    if seconds is None or not math.isfinite(seconds):
        return "-"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns aligned by spaces, numbers to the right; every cell is cleaned and cut to 60 characters."""
    cells = [[clean(cell, 60) for cell in row] for row in rows]
    widths = [max(len(header), *(len(row[i]) for row in cells), 0) for i, header in enumerate(headers)]
    right = [bool(cells) and all(_is_number(row[i]) for row in cells) for i in range(len(headers))]
    lines = [list(headers), *cells]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"-|-?[0-9.]+(e[-+][0-9]+|[kMG])?", cell) is not None


def trial_object(trial: Trial) -> dict[str, object]:
    """A trial as a JSON object."""
    return {
        "id": trial.id,
        "state": str(trial.state),
        "architecture": {name: to_json_value(value) for name, value in trial.architecture.items()},
        "fidelity": trial.fidelity.to_dict(),
        "metrics": dict(trial.metrics),
        "seed": trial.seed,
        "parents": list(trial.proposal.parents),
        "origin": trial.proposal.origin,
        "error": trial.error,
        "duration_s": trial.duration_s,
        "attempts": trial.attempts,
    }
