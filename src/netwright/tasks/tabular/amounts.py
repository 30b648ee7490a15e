"""Numbers as people write them: with a decimal comma, groups of thousands, a currency or a per cent sign.

Knows no tables.

What stands below the line marked *copied* is written into exported networks that read tables, see
`netwright.export.runtime`; it uses the standard library alone.
"""

from __future__ import annotations

import re

# ---------------------------------------------------------------- copied where the network takes cells of a file


def amount_form(mark: str, groups: str) -> re.Pattern[str]:
    """What a number looks like whose decimal mark is a point or a comma, and whose thousands may stand apart."""
    group = rf"[{groups} '\u2019\u00a0\u202f]"
    whole = rf"[0-9]*|[1-9][0-9]{{0,2}}(?P<group>{group})[0-9]{{3}}(?:(?P=group)[0-9]{{3}})*"
    power = r"(?:[eE][-+]?[0-9]+)?"
    return re.compile(
        rf"(?=[^0-9eE]*[0-9])(?P<sign>[-+\u2212]?)\s?(?P<before>[€$£¥₹]?)\s?(?P<minus>[-+\u2212]?)"
        rf"(?P<whole>{whole})(?:[{mark}](?P<part>[0-9]+))?(?P<power>{power})\s?(?P<unit>[€$£¥₹%]?)"
    )


AMOUNTS = {".": amount_form(".", ","), ",": amount_form(",", ".")}


def amount_in(cell: str, mark: str) -> re.Match[str] | None:
    """The parts of a number with a decimal mark; brackets around it, as in accounts, are not part of it."""
    in_brackets = len(cell) > 2 and cell[0] == "(" and cell[-1] == ")"
    return AMOUNTS[mark].fullmatch(cell[1:-1] if in_brackets else cell)


def plain_number(cell: str, mark: str) -> str:
    """A number that is written with a decimal mark as Python writes it, without its unit; another cell as it is."""
    found = amount_in(cell, mark)
    if found is None:
        return cell
    below = found.string != cell or not {"-", "\u2212"}.isdisjoint(found["sign"] + found["minus"])
    whole = re.sub("[^0-9]", "", found["whole"]) or "0"
    part = f".{found['part']}" if found["part"] else ""
    return f"{'-' if below else ''}{whole}{part}{found['power']}"
