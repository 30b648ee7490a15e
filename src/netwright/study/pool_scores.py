"""What the rungs that train nothing say of the networks of the ladder's pool: a table of scores for each rung.

Networks without a number rank last, and are counted. Knows no trials.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from netwright.evaluation.ladder import FEWEST_SCORED
from netwright.evaluation.scored import SIZES, Scored
from netwright.types import Architecture

MOSTLY = 0.95
"""Where some scores tell a number of so many networks, others are left out: they rank networks last for what they are,
such as those without ReLU."""

Scores = Callable[[Architecture], Mapping[str, float]]


class PoolScores:
    """Scores of networks by rung."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[Architecture, Scored]] = {}
        self._worth: dict[str, dict[Architecture, float]] = {}

    def fill(self, rung: str, scored: Sequence[Scored]) -> tuple[str, str]:
        """Take the scores of a rung.

        Args:
            rung: whose.
            scored: networks with their scores, all of the same names.

        Returns:
            What is to be told of them; and why the rung cannot use them, empty where it can.
        """
        from netwright.evaluation.proxies.ensemble import aggregate, num_not_finite

        names = scored[0].values.keys() if scored else ()
        columns = {name: [row.values.get(name, math.nan) for row in scored] for name in names}
        shares = {name: float(np.isfinite(column).mean()) for name, column in columns.items()}
        least = MOSTLY if any(share >= MOSTLY for share in shares.values()) else 0.0
        usable = {name: columns[name] for name, share in shares.items() if share and share >= least}
        if len(scored) < FEWEST_SCORED:
            return "", f"only {len(scored)} were scored in time"
        if not usable:
            return "", "no network has a score"
        self._rows[rung] = {row.architecture: row for row in scored}
        self._worth[rung] = dict(zip(self._rows[rung], aggregate(usable).tolist(), strict=True))
        missing = {name: count for name, count in num_not_finite(columns).items() if count and name in usable}
        told = ", ".join(f"{name} of {count}" for name, count in missing.items())
        note = f"; no number, and ranked last: {told}" if told else ""
        return f"{len(scored)} networks scored by {', '.join(usable)}{note}", ""

    def worth(self, rung: str) -> Mapping[Architecture, float]:
        """What a rung says of each network that it scored, larger is better; empty before it was filled."""
        return self._worth.get(rung, {})

    def named(self, rungs: Sequence[str]) -> Scores:
        """What tells all scores and sizes of a network by these rungs; NaN for those that were not scored.

        Args:
            rungs: that were filled, at least one.
        """
        names = {name: None for rung in rungs for name in next(iter(self._rows[rung].values())).values}

        def tell(architecture: Architecture) -> Mapping[str, float]:
            found: dict[str, float] = dict.fromkeys((*names, *SIZES), math.nan)
            for rung in rungs:
                row = self._rows[rung].get(architecture)
                if row is not None:
                    found |= {**row.values, **row.sizes}
            return found

        return tell
