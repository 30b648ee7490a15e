"""Regularized (aging) evolution: the oldest die, the best of a few have children.

Knows architectures only through the space's mutation and crossover.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from netwright.errors import UsageError, wrong
from netwright.strategies.children import Individual, new_child
from netwright.strategies.operators import Scorer, best_first_order, tournament
from netwright.strategies.pool import Pool, collect
from netwright.types import Architecture, Constraint, Objective, Proposal, Trial

if TYPE_CHECKING:
    from netwright.space import SearchSpace


class RegularizedEvolution:
    """Regularized evolution, asynchronous, over one or several objectives and constraints.

    The first ``population`` proposals are ``initial`` and random ones. From then on, each is a child of the winner of
    a tournament in the population of the youngest trials. Infeasible trials compete by how far they are beyond the
    limits; failed trials lose against all others and age out like them.

    Args:
        space: where to search.
        seed: of all randomness, >= 0.
        objectives: one, or several by Pareto rank.
        constraints: limits; feasible trials beat infeasible ones.
        initial: proposed first.
        population: how many of the youngest trials may have children, >= 1. The default of 20 suits searches of tens
            to hundreds of trials: evolution is random search until the first population is complete (the paper's 100
            suits 20,000 trials).
        tournament: how many are drawn for one tournament, 1 to ``population``. With the default of 10 the parent is
            among the best fifth of the population in nine of ten draws: a population that ages quickly has to be
            greedy. On NAS-Bench-201 it halves the regret of 5 (``benchmarks/strategies_nb201.py``).
        crossover: probability in [0, 1] that a child has two parents before it is mutated.

    References:
        E. Real et al., 2019, "Regularized Evolution for Image Classifier Architecture Search", algorithm 1.
        Deviations: canonical duplicates are made anew; children start as soon as any trial ended, so that workers
        never wait; crossover, objectives and constraints are added.
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
        tournament: int = 10,
        crossover: float = 0.0,
    ) -> None:
        if tournament < 1:
            raise UsageError(wrong("tournament", tournament, ">= 1"))
        if population < tournament:
            cure = "raise population or lower tournament"
            raise UsageError(wrong("population", population, f">= tournament ({tournament})", cure))
        if not 0 <= crossover <= 1:
            raise UsageError(wrong("crossover", crossover, "in [0, 1]"))
        self._score = Scorer(tuple(objectives), tuple(constraints))
        self._population: deque[Individual] = deque(maxlen=population)
        self._size = population
        self._tournament = tournament
        self._crossover = crossover
        self._places: list[int] = []
        self._pool = Pool(space, seed, initial)

    def ask(self, n: int) -> Sequence[Proposal]:
        return collect(n, self._propose)

    def tell(self, trials: Sequence[Trial]) -> None:
        self._pool.admit(trials)
        for trial in trials:
            self._population.append(Individual(trial.id, trial.architecture, self._score(trial)))
        self._places = []

    def _propose(self) -> Proposal:
        proposal = self._pool.next_initial()
        if proposal is None and self._population and self._pool.num_seen >= self._size:
            proposal = new_child(self._pool, self._select, self._crossover, may_pair_with_itself=True)
        return proposal or self._pool.sample_proposal()

    def _select(self) -> Individual:
        if not self._places:
            self._places = [0] * len(self._population)
            for place, number in enumerate(best_first_order([i.score for i in self._population])):
                self._places[number] = place
        return self._population[tournament(self._places, self._tournament, self._pool.rng)]
