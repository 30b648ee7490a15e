"""REINFORCE: a controller learns by trial and error which decisions are rewarded. Where the field began.

Knows architectures only through the walks of a controller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from netwright.policies.adam import Adam
from netwright.policies.baseline import Baseline
from netwright.policies.controller import FACTORS, Episode
from netwright.strategies.policy_search import Author, Ranking, require_positive, require_weight
from netwright.strategies.pool import collect
from netwright.types import Architecture, Constraint, Objective, Proposal, Trial

if TYPE_CHECKING:
    from netwright.space import SearchSpace


class Reinforce:
    """A controller trained by REINFORCE with a moving average of the rewards as its baseline, asynchronous.

    Each told trial is a step up the gradient of ``(reward - baseline) * log P(architecture)`` and of the entropy. The
    reward is the trial's rank among the youngest, so any metric, direction and number of objectives will do.

    Args:
        space: where to search.
        seed: of all randomness, >= 0.
        objectives: one, or several by Pareto rank.
        constraints: limits; feasible trials rank above infeasible ones.
        initial: proposed first; they are learned from like all others.
        rate: of learning, > 0. The paper's 0.0006 suits 20,000 trials, the default hundreds.
        decay: of the baseline, in [0, 1): the share of its old value that it keeps in a step.
        entropy: weight of the entropy, >= 0.
        size: of the controller's state, >= 1.

    References:
        R. Williams, 1992, "Simple statistical gradient-following algorithms for connectionist reinforcement learning";
        B. Zoph and Q. V. Le, 2017, "Neural Architecture Search with Reinforcement Learning", section 3.2.
        Deviations: rewards are cubed ranks; an architecture is proposed once: where a sure policy repeats itself, it is
        drawn from hotter; a single controller takes a step a trial, whatever policy drew it; the entropy (as in H. Pham
        et al., 2018, ENAS) is that over architectures. The controller itself: see `controller`.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int = 0,
        objectives: Sequence[Objective] = (Objective("accuracy", "max"),),
        constraints: Sequence[Constraint] = (),
        initial: Sequence[Proposal | Architecture] = (),
        rate: float = 0.1,
        decay: float = 0.9,
        entropy: float = 0.02,
        size: int = 8,
    ) -> None:
        require_positive("rate", rate)
        require_weight("entropy", entropy)
        self._author = Author(space, seed, initial, size)
        self._ranking = Ranking(objectives, constraints)
        self._adam = Adam(rate, FACTORS)
        self._baseline = Baseline(decay)
        self._entropy = entropy

    def ask(self, n: int) -> Sequence[Proposal]:
        return collect(n, self._author.propose)

    def tell(self, trials: Sequence[Trial]) -> None:
        for trial, episode in zip(trials, self._author.admit(trials), strict=True):
            advantages = self._baseline.advantages(self._ranking.rewards([trial]))
            if episode.places:
                self._learn(episode, advantages)

    def _learn(self, episode: Episode, advantages: np.ndarray) -> None:
        controller = self._author.controller
        forward = controller.forward([episode])
        gradient = controller.gradient(forward, advantages, np.array([-self._entropy]))
        self._adam.ascend(controller.parameters, gradient)
