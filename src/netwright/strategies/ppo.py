"""Proximal policy optimisation: a controller learns from batches of trials, several times from each, in small steps.

Knows architectures only through the walks of a controller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import UsageError, wrong
from netwright.policies.adam import Adam
from netwright.policies.baseline import Baseline
from netwright.policies.controller import FACTORS, Episode
from netwright.strategies.policy_search import (
    MEMORY,
    Author,
    Ranking,
    require_positive,
    require_weight,
)
from netwright.strategies.pool import collect
from netwright.types import Architecture, Constraint, Objective, Proposal, Trial

if TYPE_CHECKING:
    from netwright.space import SearchSpace


class ProximalPolicy:
    """A controller trained by proximal policy optimisation with the clipped objective, asynchronous.

    Whenever ``batch`` trials were told, the controller takes ``epochs`` steps up the gradient of the mean of
    ``min(ratio * advantage, clipped ratio * advantage)``, plus that of the entropy, where ``ratio`` is how much more
    likely the policy makes an architecture than before these steps. The reward is the trial's rank among the youngest,
    the advantage by how much it is above a moving average.

    Args:
        space: where to search.
        seed: of all randomness, >= 0.
        objectives: one, or several by Pareto rank.
        constraints: limits; feasible trials rank above infeasible ones.
        initial: proposed first; they are learned from like all others.
        batch: trials that are learned from together, 1 to 200.
        epochs: steps with one batch, >= 1.
        clip: by how much the ratio may leave 1 and still be rewarded, in (0, 1).
        rate: of learning, > 0. Zoph's 0.00035 suits 20,000 trials, the default hundreds.
        decay: of the moving average, in [0, 1): the share of its old value that it keeps in a trial.
        entropy: weight of the entropy, >= 0.
        size: of the controller's state, >= 1.

    References:
        J. Schulman et al., 2017, "Proximal Policy Optimization Algorithms", equation 7;
        B. Zoph et al., 2018, "Learning Transferable Architectures for Scalable Image Recognition", appendix A.2.
        Deviations: rewards are cubed ranks; an architecture is proposed once: where a sure policy repeats itself, it is
        drawn from hotter; the policy that drew a batch is taken to be the one before the steps, though trials that
        ended late were drawn by an older one; no value function, as all reward comes at the end.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int = 0,
        objectives: Sequence[Objective] = (Objective("accuracy", "max"),),
        constraints: Sequence[Constraint] = (),
        initial: Sequence[Proposal | Architecture] = (),
        batch: int = 4,
        epochs: int = 4,
        clip: float = 0.2,
        rate: float = 0.1,
        decay: float = 0.9,
        entropy: float = 0.02,
        size: int = 8,
    ) -> None:
        _require_whole("batch", batch, 1, MEMORY)
        _require_whole("epochs", epochs, 1, 1_000)
        require_positive("rate", rate)
        if not 0 < clip < 1:
            raise UsageError(wrong("clip", clip, "in (0, 1)"))
        require_weight("entropy", entropy)
        self._author = Author(space, seed, initial, size)
        self._ranking = Ranking(objectives, constraints)
        self._adam = Adam(rate, FACTORS)
        self._batch = batch
        self._epochs = epochs
        self._clip = clip
        self._baseline = Baseline(decay)
        self._entropy = entropy
        self._waiting: list[tuple[Trial, Episode]] = []

    def ask(self, n: int) -> Sequence[Proposal]:
        return collect(n, self._author.propose)

    def tell(self, trials: Sequence[Trial]) -> None:
        for trial, episode in zip(trials, self._author.admit(trials), strict=True):
            self._waiting.append((trial, episode))
            if len(self._waiting) == self._batch:
                self._learn([t for t, _ in self._waiting], [e for _, e in self._waiting])
                self._waiting = []

    def _learn(self, trials: Sequence[Trial], episodes: Sequence[Episode]) -> None:
        advantages = self._baseline.advantages(self._ranking.rewards(trials))
        if not any(episode.places for episode in episodes):
            return
        controller = self._author.controller
        before = controller.forward(episodes).log_probs
        for _ in range(self._epochs):
            forward = controller.forward(episodes)
            slopes = surrogate_slopes(np.exp(forward.log_probs - before), advantages, self._clip)
            weights = np.full(len(episodes), -self._entropy / len(episodes))
            self._adam.ascend(controller.parameters, controller.gradient(forward, slopes / len(episodes), weights))


def surrogate_slopes(ratios: np.ndarray, advantages: np.ndarray, clip: float) -> np.ndarray:
    """Derivative of the clipped objective by the log-probability of each architecture.

    Args:
        ratios: probability now over probability before, shape (batch,).
        advantages: shape (batch,).
        clip: in (0, 1).

    Returns:
        ``ratio * advantage``, or 0 where the ratio went beyond the clip in the direction that the advantage rewards.

    Example:
        >>> surrogate_slopes(np.array([1.1, 1.5, 1.5]), np.array([1.0, 1.0, -1.0]), 0.2).tolist()
        [1.1, 0.0, -1.5]
    """
    beyond = np.where(advantages > 0, ratios > 1 + clip, ratios < 1 - clip)
    return np.where(beyond, 0.0, ratios * advantages)


def _require_whole(name: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise UsageError(wrong(name, value, f"a whole number from {low} to {high}"))
