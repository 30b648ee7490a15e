"""How the strategies that evolve make a new architecture out of those they have.

Knows architectures only through the space's mutation and crossover, and no population: who may be a parent is the
strategy's matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from netwright.errors import SpaceError
from netwright.strategies.operators import Score, Tier
from netwright.strategies.pool import Pool
from netwright.types import Architecture, Proposal

TRIES = 20
"""Children made before a random architecture is taken instead. They are duplicates only when the neighbourhood of the
population is used up; from half of the tries on, two decisions are changed."""


@dataclass(frozen=True, slots=True)
class Individual:
    """A member of a population: the trial it came from, and how that ended."""

    trial_id: int
    architecture: Architecture
    score: Score


def new_child(
    pool: Pool, select: Callable[[], Individual], crossover: float, *, may_pair_with_itself: bool = False
) -> Proposal | None:
    """A child that is new; None where that fails, or where the selected failed and nothing can be learned yet.

    Args:
        pool: knows what is new, and holds space and randomness.
        select: gives a parent.
        crossover: probability that there are two of them.
        may_pair_with_itself: whether the same parent, selected twice, counts as two.
    """
    for number in range(TRIES):
        parent = select()
        if parent.score.tier is Tier.FAILED:
            return None
        other = select() if crossover and pool.rng.random() < crossover else None
        if other is parent and not may_pair_with_itself:
            other = None
        child = _child(pool, parent, other, k=1 if number < TRIES // 2 else 2)
        if child is not None and pool.claim(child.architecture):
            return child
    return None


def _child(pool: Pool, parent: Individual, other: Individual | None, k: int) -> Proposal | None:
    """A child with ``k`` decisions mutated; None where no architecture of the space is that."""
    architecture, origin = parent.architecture, "mutation"
    parents: tuple[int, ...] = (parent.trial_id,)
    if other is not None:
        architecture = pool.space.crossover(architecture, other.architecture, pool.rng)
        parents, origin = (parent.trial_id, other.trial_id), "crossover"
    try:
        return Proposal(pool.space.mutate(architecture, pool.rng, k), parents=parents, origin=origin)
    except SpaceError:
        return None
