"""Hyperband: brackets of successive halving that differ in how early they stop, and random architectures.

What early scores say of late ones is not known beforehand: the first bracket trusts them most, the last not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netwright.strategies.brackets import Brackets
from netwright.strategies.pool import Pool
from netwright.strategies.rung_monitor import RungMonitor
from netwright.strategies.rungs import FULL
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial

if TYPE_CHECKING:
    from netwright.space import SearchSpace


class Hyperband(Brackets):
    """Asynchronous Hyperband over one or several objectives and constraints.

    There is a bracket for each rung: it starts its architectures there. The bracket that had least of the budget is the
    next to propose, so that all get the same, as in the paper, however many workers there are.

    Args:
        space: where to search.
        seed: of all randomness, >= 0.
        objectives: one, or several by Pareto rank and crowding.
        constraints: limits; infeasible and failed trials are never promoted.
        initial: proposed first.
        fidelities: the cheapest first, the full one last. With the default of one it is random search.
        eta: how much more a rung costs than the one below it, about, where the fidelities allow it; > 1.
        monitor: judges the rungs; one with its defaults when absent.

    Attributes:
        monitor: judges the rungs; `agreements` tell what it knows.
        dropped: fidelities that misled, in the order in which they were dropped.

    Raises:
        UsageError: an option is out of range.

    Example:
        >>> from netwright.testing.spaces import cell_space
        >>> strategy = Hyperband(cell_space(), fidelities=[Fidelity(epochs=e) for e in (1, 3, 9)])
        >>> [proposal.fidelity.epochs for proposal in strategy.ask(6)]
        [1, 3, 9, 1, 1, 1]

    References:
        L. Li et al., 2018, "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization", algorithm 1; the
        brackets run asynchronously as in L. Li et al., 2020, "A System for Massively Parallel Hyperparameter Tuning",
        section 3.2. Deviations: brackets go on without end and share the budget evenly, instead of one after the other
        with sizes set beforehand; the shares that are promoted, the random promotions and the dropping of rungs are
        those of `Asha`.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int = 0,
        objectives: Sequence[Objective] = (Objective("accuracy", "max"),),
        constraints: Sequence[Constraint] = (),
        initial: Sequence[Proposal | Architecture] = (),
        fidelities: Sequence[Fidelity] = FULL,
        eta: float = 3.0,
        monitor: RungMonitor | None = None,
    ) -> None:
        super().__init__(
            space,
            lambda _: RandomSource(Pool(space, seed, initial)),
            fidelities,
            eta=eta,
            num_brackets=len(fidelities),
            seed=seed,
            objectives=objectives,
            constraints=constraints,
            monitor=monitor,
        )


class RandomSource:
    """New architectures, evenly from the space.

    Args:
        pool: where from.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def new(self, level: int) -> Proposal:
        """The next initial architecture, else a random one, whatever the bracket."""
        del level
        return self._pool.next_initial() or self._pool.sample_proposal()

    def tell(self, trials: Sequence[Trial]) -> None:
        """Take trials as seen."""
        self._pool.admit(trials)
