"""NSGA-II: evolution over several objectives by Pareto rank, and room along the front.

Knows architectures only through the space's mutation and crossover, and trials only through their scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netwright.errors import UsageError, wrong
from netwright.strategies.children import Individual, new_child
from netwright.strategies.operators import Scorer, best_first_order, tournament
from netwright.strategies.pool import Pool, collect
from netwright.types import Architecture, Constraint, Objective, Proposal, Trial

if TYPE_CHECKING:
    from netwright.space import SearchSpace


class NSGA2:
    """NSGA-II, asynchronous, over one or several objectives and constraints.

    The first ``population`` proposals are ``initial`` and random ones. From then on, each is a child of two winners of
    tournaments between two members of the population. Every trial that ends joins the population, and the worst
    member leaves it: failed ones first, then the infeasible by how far they are beyond the limits, then those of the
    worst Pareto rank, and of these the one with the least room around it.

    Args:
        space: where to search.
        seed: of all randomness, >= 0.
        objectives: one, or several.
        constraints: limits; feasible trials beat infeasible ones.
        initial: proposed first.
        population: how many of the best trials may have children, >= 2. The default of 20 suits searches of tens to
            hundreds of trials (the paper's 100 suits 25,000).
        crossover: probability in [0, 1] that a child has two parents before it is mutated; the paper's 0.9.

    References:
        K. Deb, A. Pratap, S. Agarwal and T. Meyarivan, 2002, "A Fast and Elitist Multiobjective Genetic Algorithm:
        NSGA-II", sections III and VI (constraints). Deviations: one child at a time instead of a generation, so that
        workers never wait (J. Durillo et al., 2009, "On the Effect of the Steady-State Selection Scheme in
        Multi-Objective Genetic Algorithms"); canonical duplicates are made anew; one decision is mutated, not each
        with the probability of one over their number.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int = 0,
        objectives: Sequence[Objective] = (Objective("accuracy", "max"),),
        constraints: Sequence[Constraint] = (),
        initial: Sequence[Proposal | Architecture] = (),
        population: int = 20,
        crossover: float = 0.9,
    ) -> None:
        if population < 2:
            raise UsageError(wrong("population", population, ">= 2"))
        if not 0 <= crossover <= 1:
            raise UsageError(wrong("crossover", crossover, "in [0, 1]"))
        self._score = Scorer(tuple(objectives), tuple(constraints))
        self._best_first: list[Individual] = []
        self._size = population
        self._crossover = crossover
        self._pool = Pool(space, seed, initial)

    def ask(self, n: int) -> Sequence[Proposal]:
        return collect(n, self._propose)

    def tell(self, trials: Sequence[Trial]) -> None:
        self._pool.admit(trials)
        for trial in trials:
            self._take_in(Individual(trial.id, trial.architecture, self._score(trial)))

    def _take_in(self, new: Individual) -> None:
        """Add a member to the population, and let the worst one go where that is one too many."""
        everyone = [*self._best_first, new]
        order = best_first_order([individual.score for individual in everyone])
        self._best_first = [everyone[i] for i in order[: self._size]]

    def _propose(self) -> Proposal:
        proposal = self._pool.next_initial()
        if proposal is None and self._best_first and self._pool.num_seen >= self._size:
            proposal = new_child(self._pool, self._select, self._crossover)
        return proposal or self._pool.sample_proposal()

    def _select(self) -> Individual:
        return self._best_first[tournament(range(len(self._best_first)), 2, self._pool.rng)]
