"""Bayesian optimisation over architectures: a Gaussian process says which network is worth training next.

    1. Architectures are points between which distances are measured (`features`), whatever the space.
    2. A Gaussian process over them (`gaussian_process`) learns from the ranks of what was evaluated.
    3. Of the networks near the best ones, and of random ones, the one of the largest expected improvement
       (`acquisition`) is proposed.

The file is the loop of these three; it knows architectures only through the space.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import SpaceError, UsageError, wrong
from netwright.strategies.acquisition import log_expected_improvement
from netwright.strategies.features import Features
from netwright.strategies.gaussian_process import GaussianProcess, SingularCovariance
from netwright.strategies.operators import Score, Scorer, Tier
from netwright.strategies.pool import Pool, collect
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial

if TYPE_CHECKING:
    from netwright.space import SearchSpace

FEWEST = 3
"""Observations that a model is made of at least."""

NUM_PARENTS = 8
NUM_NEAR = 64
"""Neighbours of one of the best that are looked at; where it has more, `NUM_MUTATIONS` random ones."""

NUM_MUTATIONS = 16
NUM_FAR_PARENTS = 3
NUM_FAR = 32
"""Architectures two decisions away from one of the very best."""

NUM_RANDOM = 200
ALWAYS_TUNED = 25
"""With fewer observations the hyper-parameters are found anew for each proposal, with more after each tenth of them."""

AUGMENTATION = 0.05
"""Weight of the sum beside the maximum in the scalar of several objectives."""

NOISE_OF_CLASSES = 0.01
"""Variance that keeps the class of what was evaluated from being certain."""

HOPELESS = 0.02
"""A candidate whose probability to be feasible is below this comes after all others, whatever it would improve: once
the feasible ones near the best are known their expected improvement falls below any probability."""

LAST = -1e12


@dataclass(frozen=True, slots=True)
class Observation:
    """What is remembered of a trial."""

    trial_id: int
    architecture: Architecture
    fidelity: Fidelity
    score: Score


class BayesianOptimization:
    """Gaussian-process search with expected improvement, over one or several objectives and constraints.

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

    Attributes:
        num_fallbacks: how often a random architecture was proposed since the covariance was singular.

    References:
        C. White et al., 2021, "BANANAS" (mutations of the incumbents as candidates); B. Ru et al., 2021, NAS-BOWL
        (kernels over structure); D. Salinas et al., 2020, "A Quantile-based Approach for Hyperparameter Transfer
        Learning" (ranks as normal quantiles); D. Ginsbourger et al., 2010 (the kriging believer for pending trials);
        J. Knowles, 2006, ParEGO (random weights, equation 2); M. Gelbart et al., 2014 (constraints). Deviation of ours:
        objectives are scalarised by their ranks.
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
    ) -> None:
        if num_initial < 1:
            raise UsageError(wrong("num_initial", num_initial, ">= 1"))
        self._space = space
        self._score = Scorer(tuple(objectives), tuple(constraints))
        self._pool = Pool(space, seed, initial)
        self._num_initial = num_initial
        self._num_proposed = 0
        self._observed: list[Observation] = []
        self._pending: dict[Architecture, None] = {}
        self._features: Features | None = None
        self._model: GaussianProcess | None = None
        self._tuned_at = 0
        self._near: dict[Architecture, list[Architecture]] = {}
        self.num_fallbacks = 0

    def ask(self, n: int) -> Sequence[Proposal]:
        return collect(n, self._propose)

    def tell(self, trials: Sequence[Trial]) -> None:
        self._pool.admit(trials)
        for trial in trials:
            self._pending.pop(trial.architecture, None)
            self._observed.append(Observation(trial.id, trial.architecture, trial.fidelity, self._score(trial)))

    def _propose(self) -> Proposal:
        proposal = self._pool.next_initial() or self._modelled() or self._pool.sample_proposal()
        self._num_proposed += 1
        self._pending[proposal.architecture] = None
        return proposal

    def _modelled(self) -> Proposal | None:
        """The candidate that is expected to improve most; None where there is no model yet."""
        known = self._comparable()
        if max(self._num_proposed, len(self._observed)) < self._num_initial or len(known) < FEWEST:
            return None
        targets = _ranks_as_normal(self._utility(known))
        order = np.argsort(-targets, kind="stable")
        candidates = self._candidates([known[i].architecture for i in order])
        try:
            worth = self._worth(known, targets, candidates)
        except SingularCovariance:
            self.num_fallbacks += 1
            return None
        best_first = (candidates[i] for i in np.argsort(-worth, kind="stable"))
        chosen = next((a for a in best_first if self._pool.claim(a)), None)
        return None if chosen is None else Proposal(chosen, origin="model")

    # --- what is learnt from ---

    def _comparable(self) -> list[Observation]:
        """Observations of the best tier there is, at the fidelity that most of them have."""
        feasible = [o for o in self._observed if o.score.tier is Tier.FEASIBLE]
        if len(feasible) < FEWEST:  # nothing feasible to learn from: come nearer to the limits
            feasible = [o for o in self._observed if o.score.tier is Tier.INFEASIBLE and np.isfinite(o.score.excess)]
        if not feasible:
            return []
        most = Counter(o.fidelity for o in feasible).most_common(1)[0][0]
        return [o for o in feasible if o.fidelity == most]

    def _utility(self, known: Sequence[Observation]) -> np.ndarray:
        """One number for each observation, the larger the better; shape (n,)."""
        if known[0].score.tier is not Tier.FEASIBLE:
            return np.array([-o.score.excess for o in known])
        values = np.array([o.score.values for o in known])
        if values.shape[1] == 1:
            return np.asarray(-values[:, 0])
        ranks = np.stack([_ranks(column) for column in values.T], axis=1) / len(known)
        weights = self._pool.rng.dirichlet(np.ones(values.shape[1]))
        weighted = ranks * weights
        return np.asarray(-weighted.max(axis=1) - AUGMENTATION * weighted.sum(axis=1))

    # --- what may be next ---

    def _candidates(self, best_first: Sequence[Architecture]) -> list[Architecture]:
        """Architectures near the best ones, a little farther from the very best, and random ones."""
        found: dict[Architecture, None] = {}
        for parent in best_first[:NUM_PARENTS]:
            found.update(dict.fromkeys(self._neighbours(parent)))
        for parent in best_first[:NUM_FAR_PARENTS]:
            found.update(dict.fromkeys(self._mutations(parent, NUM_FAR, 2)))
        found.update((self._space.sample(self._pool.rng), None) for _ in range(NUM_RANDOM))
        return list(found)

    def _neighbours(self, parent: Architecture) -> list[Architecture]:
        if parent not in self._near:
            self._near[parent] = list(islice(self._space.neighbours(parent), NUM_NEAR + 1))
        near = self._near[parent]
        return near if len(near) <= NUM_NEAR else self._mutations(parent, NUM_MUTATIONS, 1)

    def _mutations(self, parent: Architecture, count: int, changes: int) -> list[Architecture]:
        try:
            return [self._space.mutate(parent, self._pool.rng, changes) for _ in range(count)]
        except SpaceError:  # so many decisions cannot change at once
            return []

    # --- what they are worth ---

    def _worth(
        self, known: Sequence[Observation], targets: np.ndarray, candidates: Sequence[Architecture]
    ) -> np.ndarray:
        """Logarithm of the expected improvement of feasible candidates; shape (m,)."""
        if self._features is None:
            self._features = Features(self._space, self._pool.rng)
            self._model = GaussianProcess(len(self._features.parts))
        features, model = self._features, self._model
        assert model is not None
        points = features.numbers(candidates)
        seen = features.numbers([o.architecture for o in known])
        between = features.distances(seen, seen)
        if len(known) < ALWAYS_TUNED or len(known) >= 1.1 * self._tuned_at:
            model.tune(between, targets)
            self._tuned_at = len(known)
        model.condition(between, targets)
        if self._pending:
            waiting = features.numbers(list(self._pending))
            believed, _ = model.predict(features.distances(waiting, seen))
            seen, believed = np.concatenate([seen, waiting]), np.concatenate([targets, believed])
            model.condition(features.distances(seen, seen), believed)
        mean, std = model.predict(features.distances(points, seen))
        worth = log_expected_improvement(mean, std, float(targets.max()))
        return np.asarray(worth + self._log_feasibility(features, points))

    def _log_feasibility(self, features: Features, points: np.ndarray) -> np.ndarray:
        """Logarithm of the probability to be feasible, by a model of its own; 0 while all trials were; shape (m,)."""
        from scipy.special import log_ndtr

        good = np.array([o.score.tier is Tier.FEASIBLE for o in self._observed])
        if good.all() or not good.any():
            return np.zeros(len(points))
        seen = features.numbers([o.architecture for o in self._observed])
        classes, marks = GaussianProcess(len(features.parts)), np.where(good, 1.0, -1.0)
        between = features.distances(seen, seen)
        classes.tune(between, marks)
        classes.condition(between, marks)
        mean, std = classes.predict(features.distances(points, seen))
        probability = log_ndtr(mean / np.sqrt(std**2 + NOISE_OF_CLASSES))
        return np.asarray(np.where(probability < np.log(HOPELESS), LAST + probability, probability))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal values sharing the mean of theirs; shape (n,)."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    return np.asarray((ends - (count - 1) / 2)[place])


def _ranks_as_normal(values: np.ndarray) -> np.ndarray:
    """The normal quantiles of the ranks, shape (n,); all 0 for equal values.

    Example:
        >>> _ranks_as_normal(np.array([3.0, 1.0, 2.0])).round(2).tolist()
        [0.97, -0.97, 0.0]
    """
    from scipy.special import ndtri

    return np.asarray(ndtri((_ranks(values) - 0.5) / len(values)))
