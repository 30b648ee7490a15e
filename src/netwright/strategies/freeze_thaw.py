"""Search over fidelities with a model of the learning curve: many architectures a little, the promising ones further.

    1. A Gaussian process over architectures and fidelities (`fidelity_process`) learns how much a short training says.
    2. From that and the costs follows how many evaluations each fidelity gets (`fidelity_allocation`): none where it
       says too little for what it costs.
    3. At the fidelity that is due, the architecture is evaluated from which the largest improvement at the full
       fidelity is expected: a new one, or one that is frozen at a lower fidelity and is thawed.

The file is the loop of these three; it knows architectures only through the space.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import UsageError, wrong
from netwright.predictors.surrogate import CannotLearn
from netwright.strategies.base import Exhausted
from netwright.strategies.fidelity_allocation import ladder
from netwright.strategies.fidelity_experience import FidelityExperience, Progress
from netwright.strategies.learning_curves import LearningCurves
from netwright.strategies.model_search import FEWEST
from netwright.strategies.pool import Pool, collect
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial

if TYPE_CHECKING:
    from netwright.space import SearchSpace

HEAD_START = 2
"""So many full evaluations' share of cheap ones comes before the first full evaluation: what is trained fully while
little is known is soon beaten, and is most of the cost of a short search."""


class FreezeThaw:
    """Gaussian-process search over architectures and fidelities.

    Args:
        space: where to search.
        seed: of all randomness, >= 0.
        objectives: one, or several by random weights over ranks.
        constraints: limits; infeasible and failed trials are never promoted.
        initial: proposed first, at their own fidelity where it is one of the search's, else at the cheapest.
        fidelities: the cheapest first, the last is the full one. Of many, a few far apart are used.
        num_initial: proposals before the first model, >= 1.

    Attributes:
        num_fallbacks: how often a random architecture was proposed since no model could be made.

    References:
        K. Swersky, J. Snoek and R. Adams, 2014, "Freeze-Thaw Bayesian Optimization"; K. Kandasamy et al., 2016,
        "Gaussian Process Bandit Optimisation with Multi-fidelity Evaluations". Deviations: which fidelity comes next is
        decided by shares (`fidelity_allocation`) instead of an entropy or a bound; ranks take the place of values.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int = 0,
        objectives: Sequence[Objective] = (Objective("accuracy", "max"),),
        constraints: Sequence[Constraint] = (),
        initial: Sequence[Proposal | Architecture] = (),
        fidelities: Sequence[Fidelity] = (Fidelity(),),
        num_initial: int = 5,
    ) -> None:
        if num_initial < 1:
            raise UsageError(wrong("num_initial", num_initial, ">= 1"))
        costs = [fidelity.cost for fidelity in fidelities]
        if not costs or costs != sorted(costs):
            raise UsageError(wrong("fidelities", list(fidelities), "at least one, the cheapest first"))
        self._space = space
        self._pool = Pool(space, seed, initial)
        self._fidelities = ladder(fidelities)
        self._seen = FidelityExperience(space, self._fidelities, objectives, constraints)
        self._num_initial = num_initial
        self._num_proposed = 0
        self._curves: LearningCurves | None = None
        self.num_fallbacks = 0

    @property
    def fidelities(self) -> tuple[Fidelity, ...]:
        """Those in use, the cheapest first."""
        return self._fidelities

    def ask(self, n: int) -> Sequence[Proposal]:
        return collect(n, self._propose)

    def tell(self, trials: Sequence[Trial]) -> None:
        self._pool.admit(trials)
        for trial in trials:
            self._seen.add(trial)

    def _propose(self) -> Proposal | None:
        proposal = self._initial() or self._modelled() or self._unmodelled()
        if proposal is not None:
            self._num_proposed += 1
            self._seen.ask(proposal.architecture, self._seen.level_of(proposal.fidelity))
        return proposal

    def _initial(self) -> Proposal | None:
        proposal = self._pool.next_initial()
        if proposal is None or proposal.fidelity in self._fidelities:
            return proposal
        return Proposal(proposal.architecture, self._fidelities[0], proposal.parents, proposal.origin)

    def _unmodelled(self) -> Proposal | None:
        """A random new architecture at the lowest level of use, or else what can go on; None to wait for it."""
        try:
            return Proposal(self._pool.sample(), self._fidelities[self._seen.lowest_of_use()], origin="random")
        except Exhausted:
            for level in range(len(self._fidelities)):
                for progress in self._seen.promotable(level):
                    return self._promotion(progress, level)
            if self._seen.pending:
                return None
            raise

    def _promotion(self, progress: Progress, level: int) -> Proposal:
        parents = () if progress.trial_id is None else (progress.trial_id,)
        return Proposal(progress.architecture, self._fidelities[level], parents=parents, origin="promotion")

    def _modelled(self) -> Proposal | None:
        """The best architecture at the level that is due; None where there is no model yet, or nothing new."""
        if max(self._num_proposed, len(self._seen.every)) < self._num_initial:
            return None
        learnt = self._seen.learnt(self._pool.rng)
        if len(learnt.targets) < FEWEST:
            return None
        if self._curves is None:
            self._curves = LearningCurves(self._space, self._pool.rng, [f.cost for f in self._fidelities])
        try:
            self._curves.learn(learnt, self._seen.pending)
            return self._choose(self._curves, self._due(self._curves.shares))
        except CannotLearn:
            self.num_fallbacks += 1
            return None

    def _due(self, shares: np.ndarray) -> int:
        """The level that is most behind its share of the evaluations."""
        counts = self._seen.counts + 1
        counts[-1] += HEAD_START
        shares = np.where(np.arange(len(shares)) < self._seen.lowest_of_use(), 0.0, shares)
        with np.errstate(divide="ignore"):
            return int(np.argmin(counts / shares))

    def _choose(self, curves: LearningCurves, level: int) -> Proposal | None:
        frozen = {curves.features.numbers([p.architecture])[0]: p for p in self._seen.promotable(level)}
        old = np.array(sorted(frozen), dtype=np.intp)
        new = curves.new_candidates()
        candidates = np.concatenate([old, new])
        worth = curves.improvement(candidates)
        worth = worth + curves.feasibility(*self._seen.every.classes(self._pool.rng), candidates)
        for number in candidates[np.argsort(-worth, kind="stable")].tolist():
            if number in frozen:
                return self._promotion(frozen[number], level)
            architecture = curves.features.architecture(number)
            if self._pool.claim(architecture):
                return Proposal(architecture, self._fidelities[level], origin="model")
        return None
