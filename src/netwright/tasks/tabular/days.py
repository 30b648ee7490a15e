"""An ISO date in a cell as a number of days. Knows no tables.

What stands below the line marked *copied* is written into exported networks that read tables, see
`netwright.export.runtime`; it uses the standard library alone.
"""

from __future__ import annotations

import math
import re
from datetime import date

# ---------------------------------------------------------------- copied where the network takes rows of a table

DATE = re.compile(
    "([0-9]{4})-([0-9]{2})-([0-9]{2})"
    "(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2}(?:[.][0-9]{1,9})?))?(?:Z|([+-][0-9]{2}):?([0-9]{2}))?)?"
)
FIRST_DAY = 719163


def days_of(cell: str) -> float:
    """Days since the start of 1970 of an ISO date or date-time; NaN of anything else."""
    found = DATE.fullmatch(cell)
    if found is None:
        return math.nan
    year, month, day, hour, minute, second, ahead, more = found.groups("0")
    try:
        whole = date(int(year), int(month), int(day)).toordinal() - FIRST_DAY
    except ValueError:
        return math.nan
    if int(hour) > 23 or int(minute) > 59 or float(second) >= 61:
        return math.nan
    offset = 60 * int(ahead) + int(f"{ahead[0]}{more}" if ahead != "0" else 0)
    return whole + (3600 * int(hour) + 60 * (int(minute) - offset) + float(second)) / 86400
