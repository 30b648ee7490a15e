"""What a trial may use, as people write it: ``5m`` of wall time, ``2Gi`` of memory. Knows no specification."""

from __future__ import annotations

import re

from netwright.errors import SpecError, wrong
from netwright.types import parse_seconds

_BYTES = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?)\s*([KMGT]i?)B?\s*", re.IGNORECASE)
_BYTE_UNIT = {"k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "ki": 2.0**10, "mi": 2.0**20, "gi": 2.0**30, "ti": 2.0**40}


def parse_trial_time(text: str) -> float:
    """Wall seconds that ``trial_time_limit`` stands for.

    Raises:
        SpecError: it is no time with a unit, or none at all.
    """
    return parse_seconds("trial_time_limit", text, "90s, 5m or 1h")


def parse_trial_memory(text: str) -> int:
    """Bytes that ``trial_memory_limit`` stands for.

    Raises:
        SpecError: it is no size with a unit.
    """
    match = _BYTES.fullmatch(text) if isinstance(text, str) else None
    size = float(match[1]) * _BYTE_UNIT[match[2].lower()] if match else 0.0
    if not 2.0**20 <= size <= 2.0**60:
        raise SpecError(wrong("trial_memory_limit", text, "a size >= 1Mi such as 500M or 2Gi", "name the unit"))
    return int(size)
