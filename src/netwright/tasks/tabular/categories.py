"""Numbers of categories, in whichever way these are written. Knows no tables.

What stands below the line marked *copied* is written into exported networks that read tables, see
`netwright.export.runtime`; it uses the standard library alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

# ---------------------------------------------------------------- copied where the network takes rows of a table


def alike(cell: str) -> str:
    """A text that is the same for ways of writing a number or a truth value: ``1`` and ``1.0``, but not ``01``."""
    if cell.lower() in ("true", "false"):
        return cell.lower()
    try:
        value = float(cell)
    except ValueError:
        return cell
    digits = cell.lstrip("+-")
    is_code = "_" in cell or (digits[:1] == "0" and digits[1:2].isdecimal())
    return cell if is_code or not math.isfinite(value) or abs(value) >= 2**53 else repr(value)


def codes_of(values: Sequence[str]) -> dict[str, int]:
    """Numbers of categories from 1 on, by how they are written, and by what that is alike where it is so for one."""
    codes = {value: code for code, value in enumerate(values, start=1)}
    times = Counter(map(alike, values))
    for value in values:
        if times[alike(value)] == 1:
            codes.setdefault(alike(value), codes[value])
    return codes


def code_of(cell: str, codes: dict[str, int]) -> int:
    """The number of a category; 0 of one that there is not."""
    return codes.get(cell, codes.get(alike(cell), 0))
