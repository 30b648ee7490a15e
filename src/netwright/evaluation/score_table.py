"""What the scores of a sample of architectures say about the proxies, without any training.

Do they agree, do they merely repeat size, how often do they fail. Knows no networks and no files; `netwright score`
prints it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netwright.evaluation.rank_statistics import Column, explained, spearman, spearman_interval, top_share
from netwright.evaluation.scored import SIZES, Scored

TOP = 0.1
"""Share of the best within which a proxy is looked at once more: over all architectures, broken ones decide."""

FEWEST_TOP = 10
"""So many architectures must be in it, or nothing is said of it."""


@dataclass(frozen=True, slots=True)
class ProxySummary:
    """What a sample tells of one proxy.

    Args:
        name: of the proxy.
        with_size: its Spearman correlation with params, macs and depth, by name; NaN where there is none.
        explained_by_size: share of the variance of its ranks that those of the three sizes explain, in [0, 1].
        top_with_params: its correlation with params within its own best tenth; NaN where that is too few to say.
        num_not_finite: architectures that it gave no finite number for.
        reasons: why it was not usable, and for how many architectures.
        best: number of the architecture that it likes best; None where it tells none apart.
    """

    name: str
    with_size: dict[str, float]
    explained_by_size: float
    top_with_params: float
    num_not_finite: int
    reasons: dict[str, int]
    best: int | None


class ScoreTable:
    """The scores of a sample of architectures.

    Args:
        names: of the scores.
        scored: the architectures, at least one.

    Example:
        >>> from netwright.types import Architecture
        >>> sizes = [{"params": 1.0 * w, "macs": 2.0 * w, "depth": 1.0} for w in range(9)]
        >>> rows = [Scored(Architecture({"w": w}), {"a": w**2}, size, {}) for w, size in enumerate(sizes)]
        >>> table = ScoreTable(["a"], rows)
        >>> summary = table.summary("a")
        >>> summary.with_size["params"], summary.explained_by_size, summary.best
        (1.0, 1.0, 8)
    """

    def __init__(self, names: Sequence[str], scored: Sequence[Scored]) -> None:
        self.names, self.scored = tuple(names), tuple(scored)
        self._columns = {name: _column([row.values.get(name, math.nan) for row in scored]) for name in self.names}
        self._sizes = {name: _column([row.sizes.get(name, math.nan) for row in scored]) for name in SIZES}

    def column(self, name: str) -> Column:
        """A score, or a size, of each architecture, shape (architectures,)."""
        return self._columns[name] if name in self._columns else self._sizes[name]

    @property
    def usable(self) -> tuple[str, ...]:
        """Scores that tell at least two architectures apart: an ensemble of others would say nothing."""
        return tuple(name for name in self.names if len(set(self._finite(name).tolist())) > 1)

    @property
    def errors(self) -> Counter[str]:
        """How many architectures could not be built or run, by the reason."""
        return Counter(row.error for row in self.scored if row.error)

    @property
    def time_s(self) -> float:
        """Mean processor seconds that an architecture took."""
        return sum(row.time_s for row in self.scored) / len(self.scored)

    def correlation(self, a: str, b: str) -> float:
        """Spearman's correlation of two scores or sizes, over the architectures that both are finite for."""
        return spearman(self.column(a), self.column(b))

    def interval(self, a: str, b: str) -> tuple[float, float]:
        """The 95 % interval of `correlation`."""
        both = np.isfinite(self.column(a)) & np.isfinite(self.column(b))
        return spearman_interval(self.correlation(a, b), int(both.sum()))

    def summary(self, name: str) -> ProxySummary:
        """What the sample tells of one proxy."""
        column = self._columns[name]
        top = top_share(column, TOP)
        ranked = np.where(np.isfinite(column), column, -np.inf)
        return ProxySummary(
            name=name,
            with_size={size: self.correlation(name, size) for size in SIZES},
            explained_by_size=explained(column, list(self._sizes.values())),
            top_with_params=spearman(column[top], self._sizes["params"][top]) if top.sum() >= FEWEST_TOP else math.nan,
            num_not_finite=int((~np.isfinite(column)).sum()),
            reasons=dict(Counter(row.unusable[name] for row in self.scored if name in row.unusable).most_common()),
            best=int(np.argmax(ranked)) if np.isfinite(column).any() and len(set(ranked.tolist())) > 1 else None,
        )

    def _finite(self, name: str) -> Column:
        column = self._columns[name]
        return column[np.isfinite(column)]


def _column(values: list[float]) -> Column:
    return np.array(values, dtype=np.float64)
