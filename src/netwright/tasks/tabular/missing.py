"""Words that stand for a missing value. Knows no tables.

What stands below the line marked *copied* is written into exported networks that read tables, see
`netwright.export.runtime`.
"""

from __future__ import annotations

# ---------------------------------------------------------------- copied where the network takes cells of a file

MISSING = frozenset(
    (
        *("", "?", "na", "n/a", "nan", "-nan", "null", "none", "<na>", "#n/a", "#na", "#n/a n/a", "nat"),
        *("1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"),  # what C on Windows prints for no number
        *("#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!"),  # what cells of spreadsheets say
    )
)
"""What stands for no value, in any case of letters."""
