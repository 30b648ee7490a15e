"""What the strategies with a controller share: rewards that are ranks, and proposals that are new.

Knows no learning rule: `reinforce` and `ppo` are the two.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import UsageError, wrong
from netwright.policies.controller import Controller, Episode
from netwright.strategies.operators import Score, Scorer, Tier, crowding_distance, pareto_rank
from netwright.strategies.pool import Pool
from netwright.types import Architecture, Constraint, Objective, Proposal, Trial

if TYPE_CHECKING:
    from netwright.space import SearchSpace

MEMORY = 200
"""Youngest trials among which a trial is ranked: what is learned from costs the same however long a search lasts."""

DRAWS = 32
"""Draws from the policy for a new architecture before a uniform one is taken."""

HEATING = 0.1
"""By how much each further draw is hotter. A policy that is sure of itself has proposed all it is sure of; hotter draws
differ from these in a decision or two, where uniform ones would have nothing to do with them."""

POWER = 3
"""Rewards are ranks to this power, as Zoph and Le cube accuracies: what sets the best apart counts more than what sets
the middling apart from the poor."""

Place = tuple[float, ...]
"""Sorts trials, best first; equal for trials that are as good."""


class Ranking:
    """Rewards from 0 for the worst to 1 for the best of the youngest trials; no scale of a metric matters.

    Infeasible trials rank below all feasible ones, by how far they are beyond the limits; failed ones below these. With
    several objectives the feasible are ranked by their Pareto front, then the less crowded first. Trials that are as
    good share the mean of their ranks: trials which all fail are rewarded alike, and nothing is learned from them.

    Args:
        objectives: at least one.
        constraints: limits.
    """

    def __init__(self, objectives: Sequence[Objective], constraints: Sequence[Constraint]) -> None:
        self._score = Scorer(tuple(objectives), tuple(constraints))
        self._scores: deque[Score] = deque(maxlen=MEMORY)

    def rewards(self, trials: Sequence[Trial]) -> np.ndarray:
        """Add trials and reward them, shape (trials,); for a lone trial as for one in the middle.

        Args:
            trials: at most `MEMORY`.
        """
        self._scores.extend(self._score(trial) for trial in trials)
        places = places_of(list(self._scores))
        return np.array([_share_worse(place, places) for place in places[-len(trials) :]]) ** POWER


def _share_worse(place: Place, places: Sequence[Place]) -> float:
    """Share of the other places that are worse; half of those that are as good."""
    if len(places) == 1:
        return 0.5
    worse, equal = sum(other > place for other in places), places.count(place)
    return (worse + 0.5 * (equal - 1)) / (len(places) - 1)


def places_of(scores: Sequence[Score]) -> list[Place]:
    """Where each trial stands among all.

    References:
        K. Deb et al., 2002, NSGA-II, the crowded-comparison operator, for several objectives.
    """
    feasible = [score.values for score in scores if score.tier is Tier.FEASIBLE]
    if not feasible or len(feasible[0]) == 1:
        return [(score.tier, score.excess, *score.values) for score in scores]
    fronts = pareto_rank(feasible)
    room = [0.0] * len(feasible)
    for front in set(fronts):
        members = [i for i, f in enumerate(fronts) if f == front]
        distances = crowding_distance([feasible[i] for i in members])
        for i, distance in zip(members, distances, strict=True):
            room[i] = distance
    crowded = iter(zip(fronts, room, strict=True))
    places: list[Place] = []
    for score in scores:
        front, free = next(crowded) if score.tier is Tier.FEASIBLE else (0, 0.0)
        places.append((score.tier, score.excess, front, -free))
    return places


class Author:
    """Makes new architectures with a controller, and remembers how it came to them.

    Args:
        space: where to search.
        seed: of all randomness, >= 0.
        initial: proposed first.
        size: of the controller's state, >= 1.

    Attributes:
        controller: the policy.
    """

    def __init__(self, space: SearchSpace, seed: int, initial: Sequence[Proposal | Architecture], size: int) -> None:
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise UsageError(wrong("size", size, "a whole number >= 1"))
        self._pool = Pool(space, seed, initial)
        self.controller = Controller(space, np.random.default_rng([seed, 1]), size)
        self._episodes: dict[Architecture, Episode] = {}

    def propose(self) -> Proposal:
        """The next initial architecture, one of the controller, or where it has nothing new a uniform one.

        Raises:
            Exhausted: there is no new one.
        """
        initial = self._pool.next_initial()
        if initial is not None:
            return initial
        for number in range(DRAWS):
            architecture, episode = self.controller.sample(self._pool.rng, 1.0 + HEATING * number)
            if architecture is not None and self._pool.claim(architecture):
                self._episodes[architecture] = episode
                return Proposal(architecture, origin="controller")
        return self._pool.sample_proposal()

    def admit(self, trials: Sequence[Trial]) -> list[Episode]:
        """Take trials as told, and say how the controller comes to each.

        Raises:
            UsageError: a trial was told before.
            SpaceError: a trial that was not asked for is not in the space.
        """
        self._pool.admit(trials)
        return [self._episode(trial.architecture) for trial in trials]

    def _episode(self, architecture: Architecture) -> Episode:
        if architecture in self._episodes:
            return self._episodes.pop(architecture)
        return self.controller.recall(architecture)


def require_positive(name: str, value: float) -> None:
    """Refuse what is not a finite number above 0.

    Raises:
        UsageError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < np.inf:
        raise UsageError(wrong(name, value, "a finite number > 0"))


def require_weight(name: str, value: float) -> None:
    """Refuse what is not a finite number from 0 on.

    Raises:
        UsageError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < np.inf:
        raise UsageError(wrong(name, value, "a finite number >= 0"))
