"""Numbers as people read them. Knows metrics by their names only."""

from __future__ import annotations

import math

_STEPS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def number(metric: str, value: float) -> str:
    """A metric's number as people read it.

    Example:
        >>> number("accuracy", 0.93456), number("params", 78123.0), number("latency_ms", 1.234)
        ('0.9346', '78.1k', '1.234')
    """
    if not math.isfinite(value):
        return str(value)
    if metric == "epochs":
        return f"{value:.3g}"
    if metric.endswith(("params", "macs", "_bytes")):
        for step, suffix in _STEPS:
            if abs(value) >= step:
                return f"{value / step:.1f}{suffix}"
        return f"{value:.0f}"
    return f"{value:.4g}" if abs(value) >= 1000 else f"{value:.4f}".rstrip("0").rstrip(".")
