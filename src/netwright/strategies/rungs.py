"""The rungs of successive halving: which fidelities they are, the brackets made of them, and what is known by rung."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from netwright.errors import UsageError, wrong
from netwright.strategies.operators import Values
from netwright.strategies.successive_halving import Rung
from netwright.types import Fidelity

FULL = (Fidelity(),)
"""What a strategy gets that is not told the fidelities: one, so that nothing is halved."""


@dataclass(eq=False, slots=True)
class Bracket:
    """The rungs of one bracket, the lowest first, its place among all, and what was spent on it."""

    level: int
    rungs: list[Rung]
    spent: float = 0.0

    def rung_at(self, fidelity: Fidelity) -> int | None:
        """Number of a rung."""
        return next((k for k, rung in enumerate(self.rungs) if rung.fidelity == fidelity), None)


@dataclass(eq=False, slots=True)
class Known:
    """An architecture up to isomorphism: where it started, its values by fidelity, and what was asked of it."""

    start: Fidelity
    values: dict[Fidelity, Values] = field(default_factory=dict)
    asked: set[Fidelity] = field(default_factory=set)


def spaced(fidelities: Sequence[Fidelity], eta: float) -> tuple[Fidelity, ...]:
    """Rungs: the full fidelity, and going down always the one nearest to ``1 / eta`` of the cost.

    Fidelities that cost more than ``1 / sqrt(eta)`` of a rung are passed over.

    Args:
        fidelities: the full one has the largest cost.
        eta: > 1.

    Raises:
        UsageError: there is no fidelity, or ``eta`` is not above 1.

    Example:
        >>> [f.epochs for f in spaced([Fidelity(epochs=e) for e in range(1, 101)], 3)]
        [1, 4, 11, 33, 100]
        >>> [f.epochs for f in spaced([Fidelity(epochs=12), Fidelity(epochs=200)], 3)]
        [12, 200]
    """
    if not fidelities:
        raise UsageError(wrong("fidelities", fidelities, "at least one, the cheapest first"))
    if not 1 < eta < math.inf:
        raise UsageError(wrong("eta", eta, "> 1", "3 keeps about one in three"))
    rungs = [max(fidelities, key=lambda f: f.cost)]
    while lower := [f for f in fidelities if f.cost <= rungs[0].cost / math.sqrt(eta)]:
        target = rungs[0].cost / eta
        rungs.insert(0, min(lower, key=lambda f: abs(math.log(f.cost / target))))
    return tuple(rungs)
