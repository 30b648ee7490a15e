"""A date in a cell as a number of days. Knows no tables.

What stands below the line marked *copied* is written into exported networks that read tables, see
`netwright.export.runtime`; it uses the standard library alone.
"""

from __future__ import annotations

import math
import re
from datetime import date

# ---------------------------------------------------------------- copied where the network takes rows of a table

CLOCK = (
    "(?:(?:T|,? )(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}(?:[.][0-9]{1,9})?))?"
    "(?: ?(?P<half>[AaPp])[Mm])?(?: ?(?:Z|UTC|GMT)|(?P<ahead>[+-][0-9]{2})(?::?(?P<more>[0-9]{2}))?)?)?"
)
YEAR_FIRST = re.compile("(?P<year>[0-9]{4})(?P<mark>[-/])(?P<one>[0-9]{2})(?P=mark)(?P<two>[0-9]{2})" + CLOCK)
YEAR_LAST = re.compile(
    "(?P<one>[0-9]{1,2})(?P<mark>[-/.])(?P<two>[0-9]{1,2})(?P=mark)(?P<year>[0-9]{4}|[0-9]{2})" + CLOCK
)
FIRST_DAY = 719163


def days_of(cell: str, order: str = "ymd") -> float:
    """Days since the start of 1970 of a date or date-time; NaN of anything else.

    Its parts are in the order ``ymd`` (ISO), ``dmy`` or ``mdy``; years of two digits are 1969 to 2068.
    """
    found = (YEAR_FIRST if order == "ymd" else YEAR_LAST).fullmatch(cell)
    if found is None:
        return math.nan
    part = found.groupdict("0")
    month, day = (part["two"], part["one"]) if order == "dmy" else (part["one"], part["two"])
    year = int(part["year"]) + (0 if len(part["year"]) == 4 else 1900 if int(part["year"]) > 68 else 2000)
    try:
        whole = date(year, int(month), int(day)).toordinal() - FIRST_DAY
    except ValueError:
        return math.nan
    hour, minute, second = int(part["hour"]), int(part["minute"]), float(part["second"])
    if part["half"] != "0":
        hour = hour % 12 + (12 if part["half"] in "Pp" else 0) if 1 <= hour <= 12 else 24
    if hour > 23 or minute > 59 or second >= 61:
        return math.nan
    ahead = part["ahead"]
    offset = 60 * int(ahead) + int(f"{ahead[0]}{part['more']}" if ahead != "0" else 0)
    return whole + (3600 * hour + 60 * (minute - offset) + second) / 86400
