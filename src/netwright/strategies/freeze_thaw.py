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
from netwright.strategies.acquisition import log_expected_improvement
from netwright.strategies.base import Exhausted
from netwright.strategies.candidates import Candidates
from netwright.strategies.features import Features
from netwright.strategies.fidelity_allocation import ladder, shares
from netwright.strategies.fidelity_experience import FidelityExperience, Learnt, Progress
from netwright.strategies.fidelity_process import FidelityProcess, Observed
from netwright.strategies.gaussian_surrogate import GaussianProcessSurrogate
from netwright.strategies.model_search import ALWAYS_TUNED, FEWEST, HOPELESS, LAST, NOISE_OF_CLASSES, Learner
from netwright.strategies.pool import Pool, collect
from netwright.strategies.surrogate import CannotLearn
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial

if TYPE_CHECKING:
    from netwright.space import SearchSpace


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
        self._curves: Curves | None = None
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
        """A random new architecture at the lowest level; when there is none, what can go on; None to wait for it."""
        try:
            return Proposal(self._pool.sample(), self._fidelities[0], origin="random")
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
        curves = self._curves = self._curves or Curves(self._space, self._pool.rng, len(self._fidelities))
        try:
            curves.learn(learnt, self._seen.pending)
        except CannotLearn:
            self.num_fallbacks += 1
            return None
        return self._choose(curves, self._due(curves.process.correlations()))

    def _due(self, correlations: np.ndarray) -> int:
        """The level that is most behind its share of the evaluations."""
        share = shares([fidelity.cost for fidelity in self._fidelities], correlations.tolist())
        with np.errstate(divide="ignore"):
            return int(np.argmin((self._seen.counts + 1) / share))

    def _choose(self, curves: Curves, level: int) -> Proposal | None:
        frozen = {curves.features.numbers([p.architecture])[0]: p for p in self._seen.promotable(level)}
        old = np.array(sorted(frozen), dtype=np.intp)
        new = curves.new_candidates()
        candidates = np.concatenate([old, new])
        worth = curves.improvement(candidates) + log_feasibility(curves, self._seen, self._pool.rng, candidates)
        for number in candidates[np.argsort(-worth, kind="stable")].tolist():
            if number in frozen:
                return self._promotion(frozen[number], level)
            architecture = curves.features.architecture(number)
            if self._pool.claim(architecture):
                return Proposal(architecture, self._fidelities[level], origin="model")
        return None


class Curves:
    """What a search has learnt: features, candidates, and the model over architectures and levels."""

    def __init__(self, space: SearchSpace, rng: np.random.Generator, num_levels: int) -> None:
        self.features = Features(space, rng)
        self.candidates = Candidates(space, self.features, rng)
        self.feasibility = Learner(GaussianProcessSurrogate(self.features, rng))
        self.process = FidelityProcess(len(self.features.parts), num_levels)
        self._full = num_levels - 1
        self._tuned_at = 0
        self._known = np.zeros(0, dtype=np.intp)
        self._best_first = np.zeros(0, dtype=np.intp)
        self._incumbent = 0.0

    def learn(self, learnt: Learnt, pending: Sequence[tuple[Architecture, int]]) -> None:
        """Take in what was observed, and what is under way with what is predicted for it.

        Raises:
            CannotLearn: no model can be made.
        """
        numbers = self.features.numbers(learnt.architectures)
        count = len(numbers)
        known, places = np.unique(numbers, return_inverse=True)
        observed = Observed(places, learnt.levels, learnt.targets)
        distances = self.features.distances(known, known)
        if count < ALWAYS_TUNED or count >= 1.1 * self._tuned_at or count < self._tuned_at:
            self.process.tune(distances, observed)
            self._tuned_at = count
        self._condition(known, observed)
        if pending:
            self._believe(numbers, learnt, pending)
        mean, _ = self.process.predict(self.features.distances(known, self._known), self._full)
        is_full = np.zeros(len(known), dtype=bool)
        is_full[places[learnt.levels == self._full]] = True
        self._incumbent = float(mean[is_full].max() if is_full.any() else mean.max())
        self._best_first = known[np.argsort(-mean, kind="stable")]

    def _condition(self, known: np.ndarray, observed: Observed) -> None:
        self.process.condition(self.features.distances(known, known), observed)
        self._known = known

    def _believe(self, numbers: np.ndarray, learnt: Learnt, pending: Sequence[tuple[Architecture, int]]) -> None:
        awaited = self.features.numbers([architecture for architecture, _ in pending])
        levels = np.array([level for _, level in pending], dtype=np.intp)
        targets = np.zeros(len(awaited))
        for level in np.unique(levels).tolist():
            at = levels == level
            mean, _ = self.process.predict(self.features.distances(awaited[at], self._known), level)
            targets[at] = self.process.target(mean, level)
        known, places = np.unique(np.concatenate([numbers, awaited]), return_inverse=True)
        merged = np.concatenate([learnt.levels, levels]), np.concatenate([learnt.targets, targets])
        self._condition(known, Observed(places, *merged))

    def new_candidates(self) -> np.ndarray:
        """Numbers of architectures that were not evaluated; some may be isomorphic to one that was."""
        candidates = self.candidates.near(self._best_first.tolist())
        return candidates[~np.isin(candidates, self._known)]

    def improvement(self, numbers: np.ndarray) -> np.ndarray:
        """Logarithm of the expected improvement at the full level; shape (m,)."""
        mean, std = self.process.predict(self.features.distances(numbers, self._known), self._full)
        return log_expected_improvement(mean, std, self._incumbent)


def log_feasibility(
    curves: Curves, seen: FidelityExperience, rng: np.random.Generator, numbers: np.ndarray
) -> np.ndarray:
    """Logarithm of the probability to be feasible, by a model of its own; 0 while all trials were; shape (m,)."""
    from scipy.special import log_ndtr

    architectures, good = seen.every.classes(rng)
    if good.all() or not good.any():
        return np.zeros(len(numbers))
    known = curves.features.numbers(architectures)
    curves.feasibility.learn(known, np.where(good, 1.0, -1.0), np.zeros(0, dtype=np.intp))
    mean, std = curves.feasibility.surrogate.predict(numbers)
    probability = log_ndtr(mean / np.sqrt(std**2 + NOISE_OF_CLASSES))
    return np.asarray(np.where(probability < np.log(HOPELESS), LAST + probability, probability))
