"""Random search, and its finite cousin, the grid.

The baseline every other strategy has to beat. Knows nothing of what trials scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netwright.errors import CapabilityError
from netwright.strategies.pool import Pool, collect, is_infinite
from netwright.types import Architecture, Constraint, Objective, Proposal, Trial

if TYPE_CHECKING:
    from netwright.space import SearchSpace

ACCURACY = (Objective("accuracy", "max"),)


class RandomSearch:
    """Architectures drawn uniformly, canonical duplicates removed.

    Args:
        space: where to search.
        seed: of all randomness, >= 0.
        objectives: accepted and not used.
        constraints: accepted and not used.
        initial: proposed first.

    References:
        L. Li and A. Talwalkar, 2019, "Random Search and Reproducibility for Neural Architecture Search". Deviation:
        isomorphic architectures are drawn once, so it is a stronger baseline than drawing with replacement.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int = 0,
        objectives: Sequence[Objective] = ACCURACY,
        constraints: Sequence[Constraint] = (),
        initial: Sequence[Proposal | Architecture] = (),
    ) -> None:
        self._pool = Pool(space, seed, initial)

    def ask(self, n: int) -> Sequence[Proposal]:
        return collect(n, lambda: self._pool.next_initial() or self._pool.sample_proposal())

    def tell(self, trials: Sequence[Trial]) -> None:
        self._pool.admit(trials)


class GridSearch:
    """Every architecture of a finite space once, in the space's own order.

    Args:
        space: where to search.
        seed: accepted and not used, there is no randomness.
        objectives: accepted and not used.
        constraints: accepted and not used.
        initial: proposed first.

    Raises:
        CapabilityError: the space is infinite.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int = 0,
        objectives: Sequence[Objective] = ACCURACY,
        constraints: Sequence[Constraint] = (),
        initial: Sequence[Proposal | Architecture] = (),
    ) -> None:
        if is_infinite(space):
            raise CapabilityError(
                "the grid strategy needs a finite search space, and this one has choices of real numbers; "
                "use the random strategy, or choose among a list of numbers"
            )
        self._pool = Pool(space, seed, initial)

    def ask(self, n: int) -> Sequence[Proposal]:
        return collect(n, self._propose)

    def tell(self, trials: Sequence[Trial]) -> None:
        self._pool.admit(trials)

    def _propose(self) -> Proposal | None:
        initial = self._pool.next_initial()
        if initial is not None:
            return initial
        architecture = self._pool.sweep()
        return None if architecture is None else Proposal(architecture, origin="grid")
