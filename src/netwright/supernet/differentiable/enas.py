"""ENAS: a controller learns by REINFORCE which architectures are good with weights that all share.

Weights and controller take turns: a step of the weights on a training batch with an architecture that the controller
draws; a step of the controller, whose reward is the accuracy of a few more of its draws on a validation batch. In the
end several architectures are drawn, and the one that is best with shared weights is taken.

References:
    Pham, Guan, Zoph, Le, Dean (2018), Efficient Neural Architecture Search via Parameter Sharing, section 2.2 (a step
    of the weights with one draw; REINFORCE with a moving average as the baseline; reward on a validation batch) and
    the entropy of the policy added to it (section 3). Where we deviate: the two take turns step by step instead of
    epoch by epoch, so that a short search trains both; the controller waits for the weights in the first epochs; all
    draws of a step are scored on the same batch, and those at the end on several; the policy is that of `netwright
    .policies`, over the decisions of any space; draws over a limit are drawn anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netwright.errors import UsageError, wrong
from netwright.policies.adam import Adam
from netwright.policies.baseline import Baseline
from netwright.policies.controller import FACTORS, Controller, Episode
from netwright.space import SearchSpace
from netwright.supernet.differentiable.examples import Batches
from netwright.supernet.differentiable.options import Options, require_whole
from netwright.supernet.differentiable.result import Sampled
from netwright.supernet.differentiable.sampled_course import SampledCourse


@dataclass(frozen=True)
class ControllerOptions:
    """How the controller of ENAS learns and is asked.

    Args:
        draws: architectures that it learns from in a step.
        warm_up: share of the epochs in which only the weights are trained, in [0, 1).
        rate: of learning (Adam), > 0. The paper's .00035 suits a hundred thousand steps, the default hundreds.
        decay: of the baseline, in [0, 1): the share of its old value that it keeps at each reward.
        entropy: weight of the entropy over architectures, in units of accuracy a nat, >= 0.
        size: of the controller's state.
        derived: architectures that are drawn at the end.
        judged_on: validation batches on which these are scored, at most.

    Raises:
        UsageError: a number cannot be.
    """

    draws: int = 4
    warm_up: float = 0.3
    rate: float = 0.05
    decay: float = 0.95
    entropy: float = 1e-3
    size: int = 8
    derived: int = 16
    judged_on: int = 8

    def __post_init__(self) -> None:
        for name in ("draws", "size", "derived", "judged_on"):
            require_whole(name, getattr(self, name), 1)
        for name in ("warm_up", "decay"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(wrong(name, getattr(self, name), "in [0, 1)"))
        if not 0 < self.rate < float("inf"):
            raise UsageError(wrong("rate", self.rate, "> 0 and finite"))
        if not 0 <= self.entropy < float("inf"):
            raise UsageError(wrong("entropy", self.entropy, ">= 0 and finite"))


def enas(
    space: SearchSpace,
    train: Batches,
    valid: Batches,
    options: Options | None = None,
    *,
    controller: ControllerOptions | None = None,
) -> Sampled:
    """Search by ENAS.

    Args:
        space: where to search; any of which a supernet can be made.
        train: batches for the shared weights.
        valid: batches for the rewards; other examples than those of ``train``.
        options: rates, lengths, limits, penalties, alarm. What is of architecture weights (``arch_...``) and of
            relaxed networks (``apart``) does not matter here; the curvature is not measured.
        controller: how it learns.

    Raises:
        UsageError: an option or the batches cannot be.
        SpaceError: the networks of the space cannot share weights.
        TrialError: a loss is not finite, or all networks answer the same.
        SearchError: no architecture keeps the limits.
    """
    options, how = options or Options(), controller or ControllerOptions()
    course = SampledCourse("enas", space, train, options, Controller(space, _rng(options, 0), how.size))
    learner = Reinforce(course.policy, how)
    rng = _rng(options, 1)
    for epoch in course.epochs():
        for batch, other in course.pairs(train, valid):
            course.weight_step(course.draw(rng)[0], batch)
            if epoch >= int(how.warm_up * options.epochs):
                drawn = [course.draw(rng) for _ in range(how.draws)]
                rewards = [course.reward(architecture, other) for architecture, _ in drawn]
                learner.step([episode for _, episode in drawn], rewards)
        course.end_epoch(rng)
    return course.result([course.draw(rng)[0] for _ in range(how.derived)], valid, how.judged_on)


class Reinforce:
    """Steps of a policy towards draws that were rewarded more than those before.

    Args:
        policy: is changed.
        how: rates.
    """

    def __init__(self, policy: Controller, how: ControllerOptions) -> None:
        self._policy, self._how = policy, how
        self._adam = Adam(how.rate, FACTORS)
        self._baseline = Baseline(how.decay)

    def step(self, episodes: Sequence[Episode], rewards: Sequence[float]) -> None:
        """Follow the mean over draws of ``(reward - baseline) * log P``, and the entropy.

        Args:
            episodes: how the policy came to its draws.
            rewards: of each.
        """
        advantages = self._baseline.advantages(np.array(rewards))
        if any(episode.places for episode in episodes):  # else there is nothing to decide
            self._adam.ascend(self._policy.parameters, self.gradient(episodes, advantages))

    def gradient(self, episodes: Sequence[Episode], advantages: np.ndarray) -> dict[str, np.ndarray]:
        """That of the mean of ``advantage * log P - entropy weight * divergence from uniform``.

        Args:
            episodes: how the policy came to its draws.
            advantages: of each, shape (draws,).
        """
        count = len(episodes)
        penalties = np.full(count, -self._how.entropy / count)
        return self._policy.gradient(self._policy.forward(episodes), advantages / count, penalties)


def _rng(options: Options, purpose: int) -> np.random.Generator:
    return np.random.default_rng([options.seed, 9, purpose])
