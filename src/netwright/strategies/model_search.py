"""Model-guided search: a surrogate says which network is worth training next, whatever surrogate that is.

    1. Architectures are points with features (`features`), whatever the space.
    2. A surrogate over them (`surrogate`) learns from the ranks of what was evaluated.
    3. Of the networks near the best ones, and of random ones (`candidates`), the one of the largest acquisition value
       (`acquisition`) is proposed.

The file is the loop of these three; it knows architectures only through the space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import UsageError, wrong
from netwright.strategies.acquisition import log_expected_improvement
from netwright.strategies.candidates import Candidates
from netwright.strategies.experience import Experience, ranks_as_normal
from netwright.strategies.features import Features
from netwright.strategies.gaussian_surrogate import GaussianProcessSurrogate
from netwright.strategies.pool import Pool, collect
from netwright.strategies.score_ranks import ScoreRanks, Scores
from netwright.strategies.surrogate import CannotLearn, Surrogate, SurrogateFactory
from netwright.strategies.views import Views
from netwright.types import Architecture, Constraint, Objective, Proposal, Trial

if TYPE_CHECKING:
    from netwright.space import SearchSpace

Acquisition = Callable[[np.ndarray, np.ndarray, float, np.random.Generator], np.ndarray]
"""What evaluations are expected to bring, the larger the better, shape (m,): of predicted means and standard
deviations, shape (m,), the best target so far, and a source of randomness."""

SCORED = 3
"""Of the first proposals, so many in a row have the best label-free scores, then one is random."""

FEWEST = 3
"""Observations that a model is made of at least."""

ALWAYS_TUNED = 25
"""With fewer observations hyper-parameters are found anew for each proposal, with more after each tenth of them."""

NOISE_OF_CLASSES = 0.01
"""Variance that keeps the class of what was evaluated from being certain."""

HOPELESS = 0.02
"""A candidate whose probability to be feasible is below this comes after all others, whatever it would improve: once
the feasible ones near the best are known their expected improvement falls below any probability."""

LAST = -1e12


def expected_improvement(mean: np.ndarray, std: np.ndarray, best: float, _rng: np.random.Generator) -> np.ndarray:
    """The logarithm of the expected improvement, as an `Acquisition`."""
    return log_expected_improvement(mean, std, best)


class ModelSearch:
    """Search guided by a surrogate, over one or several objectives and constraints.

    Ranks take the place of the objective's values, so that any increasing transformation of it gives the same search,
    and a few broken networks do not outweigh the differences between good ones. Several objectives become one by
    random weights, drawn anew for each proposal. Pending architectures count as evaluated with what is predicted for
    them. The probability to be feasible multiplies the improvement, once a trial was infeasible or failed.

    Args:
        space: where to search.
        seed: of all randomness, >= 0.
        objectives: one, or several.
        constraints: limits.
        initial: proposed first.
        num_initial: proposals, ``initial`` included, before the first model, >= 1.
        surrogate: makes the model.
        acquisition: says what an evaluation is worth.
        scores: tells label-free scores of an architecture (zero-cost proxies, sizes); the best ones among random
            architectures are proposed first, and the model learns what the scores are worth, also that they mislead.

    Attributes:
        num_fallbacks: how often a random architecture was proposed since no model could be made.

    References:
        C. White et al., 2021, "BANANAS" (mutations of the incumbents as candidates); D. Salinas et al., 2020, "A
        Quantile-based Approach for Hyperparameter Transfer Learning" (ranks as normal quantiles); D. Ginsbourger et
        al., 2010 (the kriging believer for pending trials); M. Gelbart et al., 2014 (constraints).
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int = 0,
        objectives: Sequence[Objective] = (Objective("accuracy", "max"),),
        constraints: Sequence[Constraint] = (),
        initial: Sequence[Proposal | Architecture] = (),
        num_initial: int = 5,
        surrogate: SurrogateFactory = Views,
        acquisition: Acquisition = expected_improvement,
        scores: Scores | None = None,
    ) -> None:
        if num_initial < 1:
            raise UsageError(wrong("num_initial", num_initial, ">= 1"))
        for name, part in (("surrogate", surrogate), ("acquisition", acquisition)):
            if not callable(part):
                raise UsageError(wrong(name, part, "a function or class of your own", "leave it out"))
        self._space = space
        self._pool = Pool(space, seed, initial)
        self._experience = Experience(tuple(objectives), tuple(constraints))
        self._num_initial = num_initial
        self._num_proposed = 0
        self._pending: dict[Architecture, None] = {}
        self._make_surrogate = surrogate
        self._acquisition = acquisition
        self._scores = scores
        self._ranks: ScoreRanks | None = None
        self._models: Models | None = None
        self.num_fallbacks = 0

    def ask(self, n: int) -> Sequence[Proposal]:
        return collect(n, self._propose)

    def tell(self, trials: Sequence[Trial]) -> None:
        self._pool.admit(trials)
        for trial in trials:
            self._pending.pop(trial.architecture, None)
            self._experience.add(trial)

    def _propose(self) -> Proposal:
        proposal = self._pool.next_initial() or self._modelled() or self._first()
        self._num_proposed += 1
        self._pending[proposal.architecture] = None
        return proposal

    def _first(self) -> Proposal:
        """A random architecture, or one of the best label-free scores; of these `SCORED` in a row, then a random one.

        Where the scores mislead the random ones show it.
        """
        if self._scores is not None and self._num_proposed % (SCORED + 1) < SCORED:
            self._ranks = self._ranks or ScoreRanks(self._space, self._scores, self._pool.rng)
            best = next((a for a in self._ranks.reference if self._pool.claim(a)), None)
            if best is not None:
                return Proposal(best, origin="scores")
        return self._pool.sample_proposal()

    def _modelled(self) -> Proposal | None:
        """The candidate that is expected to improve most; None where there is no model yet."""
        if max(self._num_proposed, len(self._experience)) < self._num_initial:
            return None
        known = self._experience.comparable(self._pool.rng)
        if len(known) < FEWEST:
            return None
        models = self._models = self._models or self._begin()
        targets = ranks_as_normal(self._experience.utility(known, self._pool.rng))
        numbers = models.features.numbers([o.architecture for o in known])
        order = np.argsort(-targets, kind="stable")
        candidates = models.candidates.near(numbers[order].tolist())
        candidates = candidates[~np.isin(candidates, numbers)]
        try:
            worth = self._worth(models, numbers, targets, candidates)
        except CannotLearn:
            self.num_fallbacks += 1
            return None
        best_first = (models.features.architecture(n) for n in candidates[np.argsort(-worth, kind="stable")].tolist())
        chosen = next((a for a in best_first if self._pool.claim(a)), None)
        return None if chosen is None else Proposal(chosen, origin="model")

    def _begin(self) -> Models:
        if self._scores is not None and self._ranks is None:
            self._ranks = ScoreRanks(self._space, self._scores, self._pool.rng)
        return Models(self._space, self._pool.rng, self._make_surrogate, self._ranks)

    def _worth(self, models: Models, numbers: np.ndarray, targets: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        """Acquisition values of candidates, with the probability that they are feasible; shape (m,)."""
        models.objective.learn(numbers, targets, models.features.numbers(list(self._pending)))
        mean, std = models.objective.surrogate.predict(candidates)
        worth = self._acquisition(mean, std, float(targets.max()), self._pool.rng)
        return np.asarray(worth + self._log_feasibility(models, candidates))

    def _log_feasibility(self, models: Models, candidates: np.ndarray) -> np.ndarray:
        """Logarithm of the probability to be feasible, by a model of its own; 0 while all trials were; shape (m,)."""
        from scipy.special import log_ndtr

        architectures, good = self._experience.classes(self._pool.rng)
        if good.all() or not good.any():
            return np.zeros(len(candidates))
        numbers = models.features.numbers(architectures)
        models.feasibility.learn(numbers, np.where(good, 1.0, -1.0), np.zeros(0, dtype=np.intp))
        mean, std = models.feasibility.surrogate.predict(candidates)
        probability = log_ndtr(mean / np.sqrt(std**2 + NOISE_OF_CLASSES))
        return np.asarray(np.where(probability < np.log(HOPELESS), LAST + probability, probability))


class Models:
    """What a search has learnt: features, candidates, and the surrogates of the objective and of feasibility."""

    def __init__(
        self, space: SearchSpace, rng: np.random.Generator, surrogate: SurrogateFactory, scores: ScoreRanks | None
    ) -> None:
        self.features = Features(space, rng, scores=scores)
        self.candidates = Candidates(space, self.features, rng)
        self.objective = Learner(surrogate(self.features, rng))
        self.feasibility = Learner(GaussianProcessSurrogate(self.features, rng))


class Learner:
    """A surrogate that is tuned when enough is new, and that takes pending architectures for evaluated."""

    def __init__(self, surrogate: Surrogate) -> None:
        self.surrogate = surrogate
        self._tuned_at = 0

    def learn(self, numbers: np.ndarray, targets: np.ndarray, pending: np.ndarray) -> None:
        """Take in what was evaluated, and what is being evaluated with what is predicted for it.

        Raises:
            CannotLearn: no model can be made.
        """
        if len(numbers) < ALWAYS_TUNED or len(numbers) >= 1.1 * self._tuned_at or len(numbers) < self._tuned_at:
            self.surrogate.tune(numbers, targets)
            self._tuned_at = len(numbers)
        self.surrogate.condition(numbers, targets)
        if len(pending):
            believed, _ = self.surrogate.predict(pending)
            self.surrogate.condition(np.concatenate([numbers, pending]), np.concatenate([targets, believed]))
