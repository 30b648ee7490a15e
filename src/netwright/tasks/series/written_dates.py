"""Dates in more of the ways in which people write them, put as ISO has them. Knows no tables."""

from __future__ import annotations

import re
from collections.abc import Mapping

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_NAME = "(?P<name>[A-Za-z]{3,9})"
_DAY = "(?P<day>[0-9]{1,2})"
_YEAR = "(?P<year>(?:1[5-9]|2[0-2])[0-9]{2})"
_SHORT_YEAR = "(?P<year>[0-9]{2})"
_CLOCK = "(?P<clock>(?:T|,? )[0-9].*)?"
_FORMS = tuple(
    re.compile(form)
    for form in (
        f"{_DAY}[ -]{_NAME}[.]?[ -]{_YEAR}{_CLOCK}",  # 29-Dec-2023, 29 December 2023
        f"{_DAY}-{_NAME}-{_SHORT_YEAR}{_CLOCK}",  # 29-Dec-23
        f"{_NAME}[.]? {_DAY},? {_YEAR}{_CLOCK}",  # Dec 29, 2023
        f"{_NAME}[ -]{_YEAR}",  # Dec 2023
        f"{_NAME}-{_SHORT_YEAR}",  # Dec-23; a number behind a blank may be that of a day
        f"{_YEAR}[-/.](?P<month>[0-9]{{1,2}})(?:[-/.]{_DAY}{_CLOCK})?",  # 2023-12, 2023/1/5
        f"{_YEAR}[ -]?Q(?P<quarter>[1-4])",  # 2023Q4
        f"Q(?P<quarter>[1-4])[ /-]{_YEAR}",  # Q4 2023
    )
)


def as_iso(cell: str) -> str:
    """A date with the name of its month, with digits left out, or of a month or quarter alone, as ISO has it.

    A month or a quarter stands for its first day. What is no such date is given back as it is.

    Example:
        >>> as_iso("29-Dec-2023"), as_iso("Dec 5, 2023"), as_iso("2023/1/5 8:00"), as_iso("2023-12"), as_iso("Q4 2023")
        ('2023-12-29', '2023-12-05', '2023-01-05 8:00', '2023-12-01', '2023-10-01')
        >>> as_iso("soon"), as_iso("Mar 24"), as_iso("2023-12-29T10:00")
        ('soon', 'Mar 24', '2023-12-29T10:00')
    """
    found = next(filter(None, (form.fullmatch(cell) for form in _FORMS)), None)
    return cell if found is None else _joined(found.groupdict(), cell)


def _joined(part: Mapping[str, str | None], cell: str) -> str:
    """The parts of a date as ISO has them; the cell itself where the name is of no month."""
    if name := part.get("name"):
        month = next((n for n, full in enumerate(_MONTHS, start=1) if full.startswith(name.lower())), 0)
    elif quarter := part.get("quarter"):
        month = 3 * int(quarter) - 2
    else:
        month = int(part["month"] or 0)
    if not month:
        return cell
    year = int(part["year"] or 0)
    if year < 100:
        year += 1900 if year > 68 else 2000
    return f"{year:04d}-{month:02d}-{int(part.get('day') or 1):02d}{part.get('clock') or ''}"
