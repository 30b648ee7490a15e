"""Model-guided search: a surrogate says which network is worth training next, whatever surrogate that is.

    1. Architectures are points with features (`features`), whatever the space.
    2. A surrogate over them (`surrogate`) learns from the ranks of what was evaluated.
    3. Of the networks near the best ones, and of random ones (`candidates`), the one of the largest acquisition value
       (`acquisition`) is proposed.

The file is the loop of these three; it knows architectures only through the space.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import UsageError, wrong
from netwright.predictors.features import Features
from netwright.predictors.gaussian_surrogate import GaussianProcessSurrogate
from netwright.predictors.score_ranks import ScoreRanks, Scores
from netwright.predictors.surrogate import CannotLearn, Learner, SurrogateFactory
from netwright.strategies.acquisition import log_expected_improvement
from netwright.strategies.aims import CLOSE, DISTANT, UTILITY, Acquisition, Aim, BestValue, LargerFront
from netwright.strategies.candidates import Candidates
from netwright.strategies.experience import Experience, Observation
from netwright.strategies.feasibility import Feasibility
from netwright.strategies.operators import Tier
from netwright.strategies.pool import Pool, collect
from netwright.types import Architecture, Constraint, Objective, Proposal, Trial

if TYPE_CHECKING:
    from netwright.space import SearchSpace

MOST_INITIAL = 6
"""Times ``num_initial`` proposals after which a model is made even if nearly all of them broke a limit."""

FAR_OF = 32
"""Random architectures of which the one farthest from what was proposed is the next of the first proposals."""

FEWEST = 3
"""Observations that a model is made of at least."""

TURNS = (CLOSE, CLOSE, DISTANT, None)
"""With several objectives, from how far beyond a front the hypervolume is measured that proposals enlarge by turns
(None: a better value under random weights). The close point closes the gaps of a front; the distant one and the weights
lengthen it. From where the user looks is not known."""

MOST_MODELLED = 3
"""Objectives up to which each has a model and the hypervolume counts; more become one under random weights, since the
hypervolume of many is dear and says little."""


def expected_improvement(mean: np.ndarray, std: np.ndarray, best: float, _rng: np.random.Generator) -> np.ndarray:
    """The logarithm of the expected improvement, as an `Acquisition`."""
    return log_expected_improvement(mean, std, best)


class ModelSearch:
    """Search guided by a surrogate, over one or several objectives and constraints.

    With one objective a better value is wanted, whatever its scale (`netwright.strategies.aims.BestValue`). With two or
    three, in turns, a larger front (`LargerFront`) and a better value under random weights, drawn anew for each
    proposal; with more, or with an acquisition of one's own, always the latter. Isomorphic architectures are different
    ones then, since they may differ in latency. Pending architectures count as evaluated with what is predicted for
    them. The probability to be feasible multiplies the improvement, once a trial was infeasible or failed.

    Args:
        space: where to search.
        seed: of all randomness, >= 0.
        objectives: one, or several.
        constraints: limits.
        initial: proposed first.
        num_initial: proposals, ``initial`` included and those that broke a limit not, before the first model, >= 1.
        surrogate: makes the models.
        acquisition: says what an evaluation is worth.
        scores: tells label-free scores of an architecture (zero-cost proxies, sizes); the best and the worst among
            random architectures are proposed first, and the model learns what the scores are worth, also that they
            mislead.
        scalarize: a better value under random weights is always wanted, never a larger front; by default with a single
            objective, with more than `MOST_MODELLED`, and with an acquisition of one's own.
        distant: with one objective and without scores, the first proposals are far from each other; otherwise random.

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
        surrogate: SurrogateFactory = GaussianProcessSurrogate,
        acquisition: Acquisition = expected_improvement,
        scores: Scores | None = None,
        scalarize: bool | None = None,
        distant: bool = True,
    ) -> None:
        if num_initial < 1:
            raise UsageError(wrong("num_initial", num_initial, ">= 1"))
        for name, part in (("surrogate", surrogate), ("acquisition", acquisition)):
            if not callable(part):
                raise UsageError(wrong(name, part, "a function or class of your own", "leave it out"))
        self._space = space
        self._by_function = len(objectives) == 1
        self._pool = Pool(space, seed, initial, by_function=self._by_function)
        self._scalarize = _must_scalarize(len(objectives), acquisition) if scalarize is None else scalarize
        self._experience = Experience(tuple(objectives), tuple(constraints))
        self._distant = distant and self._by_function
        self._num_initial = num_initial
        self._num_proposed = 0
        self._pending: dict[Architecture, None] = {}
        self._make_surrogate = surrogate
        self._acquisition = acquisition
        self._scores = scores
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
        """An architecture of which a model learns most: with label-free scores the best and the worst by turns.

        Both ends tell what scores are worth, also where they mislead. Without scores one far from those before, or a
        random one.
        """
        chosen: Proposal | None = None
        if self._may_model():  # and no model can be made
            return self._pool.sample_proposal()
        if self._ranks is not None:
            ends = self._ranks.reference if self._num_proposed % 2 == 0 else self._ranks.reference[::-1]
            chosen = self._claimed(ends, "scores")
        elif self._distant:
            chosen = self._claimed(self._far_off(), "random")
        return chosen or self._pool.sample_proposal()

    def _claimed(self, architectures: Iterable[Architecture], origin: str) -> Proposal | None:
        """A proposal of the first of these that is new; None where none is."""
        chosen = next((a for a in architectures if self._pool.claim(a)), None)
        return None if chosen is None else Proposal(chosen, origin=origin)

    def _far_off(self) -> list[Architecture]:
        """Random architectures, those farthest from the nearest one that was proposed first."""
        known = [*self._pending, *self._experience.architectures]
        drawn = [self._space.sample(self._pool.rng) for _ in range(FAR_OF if known else 1)]
        if not known:
            return drawn
        features = self._learnt.features
        apart = np.sum(features.distances(features.numbers(drawn), features.numbers(known)), axis=0).min(axis=1)
        return [drawn[i] for i in np.argsort(-apart, kind="stable").tolist()]

    def _modelled(self) -> Proposal | None:
        """The candidate that is expected to improve most; None where there is no model yet."""
        if not self._may_model():
            return None
        known = self._experience.comparable(self._pool.rng)
        if len(known) < FEWEST:
            return None
        models = self._learnt
        aim = self._aim(known)
        numbers = models.features.numbers([o.architecture for o in known])
        candidates = models.candidates.around(numbers[aim.near].tolist(), numbers[aim.far].tolist())
        candidates = candidates[~np.isin(candidates, numbers)]
        if not len(candidates):  # all around is known
            return None
        try:
            worth = aim.worth(models.learner, numbers, candidates, models.features.numbers(list(self._pending)))
            worth = worth + models.feasibility.log_probability(*self._experience.classes(self._pool.rng), candidates)
        except CannotLearn:
            self.num_fallbacks += 1
            return None
        best_first = (models.features.architecture(n) for n in candidates[np.argsort(-worth, kind="stable")].tolist())
        chosen = next((a for a in best_first if self._pool.claim(a)), None)
        return None if chosen is None else Proposal(chosen, origin="model")

    def _may_model(self) -> bool:
        """Whether enough was tried; what broke a limit says nothing of what is wanted, and counts for little."""
        tried = max(self._num_proposed, len(self._experience))
        if tried < self._num_initial:
            return False
        answering = self._experience.num_feasible + len(self._pending)
        return answering >= self._num_initial or tried >= MOST_INITIAL * self._num_initial

    def _aim(self, known: Sequence[Observation]) -> Aim:
        beyond = None if self._scalarize else TURNS[self._num_proposed % len(TURNS)]
        if beyond is not None and known[0].score.tier is Tier.FEASIBLE:
            return LargerFront(known, self._pool.rng, beyond)
        return BestValue(known, self._experience, self._acquisition, self._pool.rng)

    @cached_property
    def _ranks(self) -> ScoreRanks | None:
        return None if self._scores is None else ScoreRanks(self._space, self._scores, self._pool.rng)

    @cached_property
    def _learnt(self) -> Models:
        return Models(self._space, self._pool.rng, self._make_surrogate, self._ranks)


def _must_scalarize(num_objectives: int, acquisition: Acquisition) -> bool:
    return not 1 < num_objectives <= MOST_MODELLED or acquisition is not expected_improvement


class Models:
    """What a search has learnt: features, candidates, and the surrogates of what is wanted and of feasibility."""

    def __init__(
        self, space: SearchSpace, rng: np.random.Generator, surrogate: SurrogateFactory, scores: ScoreRanks | None
    ) -> None:
        self.features = Features(space, rng, scores=scores)
        self.candidates = Candidates(space, self.features, rng)
        self.feasibility = Feasibility(self.features, rng)
        self._make = surrogate
        self._rng = rng
        self._learners = {UTILITY: Learner(surrogate(self.features, rng))}

    def learner(self, name: str) -> Learner:
        """The model of something that is wanted, made when it is first asked for."""
        if name not in self._learners:
            self._learners[name] = Learner(self._make(self.features, self._rng))
        return self._learners[name]
