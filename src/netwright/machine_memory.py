"""How much memory there is, and whether data fits into it. Knows neither torch nor any data."""

from __future__ import annotations

import os
from pathlib import Path

from netwright.errors import DataError

_CONTAINER_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""Of control groups, version 2 and 1."""

MOST_SHARE = 0.25
"""Of the memory: the most that the examples of a task may take."""


def memory_bytes() -> int:
    """Memory that processes here may use: the machine's, or less where a container's limit is lower."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _CONTAINER_LIMITS:
        try:
            text = path.read_text(encoding="utf-8").strip()  # a number, or "max"
        except OSError:
            continue
        limits += [int(text)] if text.isdecimal() else []
    return min(limits)


def require_room(num_bytes: float, what: str, cure: str) -> None:
    """Refuse examples that would fill the memory, before any is read.

    Args:
        num_bytes: that they take.
        what: they are, in the plural.
        cure: what is done about it.

    Raises:
        DataError: they take more than `MOST_SHARE` of the memory.
    """
    if num_bytes > MOST_SHARE * memory_bytes():
        taken = f"{num_bytes / 2**30:.1f} GiB in memory, more than a quarter of this machine's"
        raise DataError(f"{what} take {taken}; {cure}")
