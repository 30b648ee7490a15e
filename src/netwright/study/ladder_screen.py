"""The rungs of the ladder that train no network: a pool of random ones, ranked by proxies, shared weights, a predictor.

The best of the pool take turns with what the strategy proposes, and every third of the pool is drawn at random. What a
network was said to be worth is noted before it is trained; said and found are compared over the networks that were not
chosen for what was said of them, so that the comparison is honest. Networks that a search tries first in any case are
scored, too, since they are the first that tell what scores are worth. A rung that is no better than the size is
dropped. Where there are proxies, they choose which of the pool are scored with shared weights. Of these two, the one
that is measured to be worth more ranks the pool, shared weights until then; and as soon as it can, a predictor that
knows the scores of both.

Knows no clocks and no processes: scores are given to it. Its state is a function of them and of what it was told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from netwright.evaluation.ladder import (
    ASSUMED,
    FEWEST,
    SHARED,
    believed,
    is_worth_nothing,
    passing_share,
)
from netwright.evaluation.scored import Scored
from netwright.evaluation.scoring import sample_architectures
from netwright.predictors.inputs import Inputs
from netwright.predictors.predictor import Predictor
from netwright.study.pool_scores import PoolScores
from netwright.study.rung_audit import RungAgreement, measure_agreement
from netwright.types import Architecture, Fidelity, Metrics, Proposal

if TYPE_CHECKING:
    from netwright.space import SearchSpace

PROXIES = "proxies"
PREDICTOR = "predictor"
POOL = "pool"
OF_POOL = (PROXIES, SHARED, PREDICTOR, POOL)
"""Origins of networks that were chosen by a rung, or from the pool by chance."""

UNSCORED = 48
"""Networks in a pool that is not scored."""

RANDOM_EVERY = 3
FEWEST_LEARNT = 6
MOST_LEARNT = 200
"""Networks that the predictor is made of at least, and at most: the newest, so that proposals do not get slower."""

MOST_NOTED = 64
"""Networks that the predictor is judged by at most: what is known of it by then does not change any more."""

GROWTH = 1.1
"""A predictor is made anew when there are more networks by this factor."""

JUDGED_AGAIN = 1.05
"""Rungs are judged again when there are more networks by this factor."""

FEWEST_PASSING = 3


class Screen:
    """Chooses which networks of a pool are trained next.

    Args:
        space: where the pool is drawn from; what it does not admit is not in it.
        seed: of the draw.
        tried: networks that the search tries in any case.
        num_to_score: networks that are to be scored by proxies; 0 without that rung.
        num_to_share: networks that are to be scored with shared weights; 0 without that rung.
        predictor: whether a model of what was trained ranks the pool.
        cost_ratio: what the shortest training of a network costs, for each unit that its scores cost.
        most_s: wall seconds that the scoring may take.

    Attributes:
        dropped: rungs that are not used any more.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int = 0,
        tried: Sequence[Architecture] = (),
        num_to_score: int = 0,
        num_to_share: int = 0,
        predictor: bool = True,
        cost_ratio: float = 30.0,
        most_s: float = math.inf,
    ) -> None:
        self._space, self._seed, self._tried = space, seed, tuple(tried)
        self._cost_ratio = cost_ratio
        self.num_to_score, self.num_to_share, self.most_s = num_to_score, num_to_share, most_s
        wanted = {PROXIES: num_to_score, SHARED: num_to_share, PREDICTOR: predictor}
        self.living = [rung for rung, is_wanted in wanted.items() if is_wanted]
        self.dropped: list[str] = []
        self._scores = PoolScores()
        self._predicted: dict[Architecture, float] = {}
        self._chosen: set[Architecture] = set()
        self._values: dict[Architecture, float] = {}
        self._sizes: dict[Architecture, Metrics] = {}
        self._num_picked = self._num_judged = 0
        self._predictor: Predictor | None = None
        self._found: dict[str, RungAgreement] = {}

    @cached_property
    def pool(self) -> tuple[Architecture, ...]:
        """The networks that it chooses among, in the order of the draw; each network once."""
        count = max(self.num_to_score, self.num_to_share) or UNSCORED
        return tuple(sample_architectures(self._space, count, self._seed))

    @property
    def to_score(self) -> tuple[Architecture, ...]:
        """Networks whose scores by proxies are wanted, in the order in which they are."""
        return tuple(dict.fromkeys((*self._tried, *self.pool)))

    @property
    def to_share(self) -> tuple[Architecture, ...]:
        """Networks whose scores with shared weights are wanted.

        Those that are tried in any case; then of the pool two that proxies rank best, one by chance, and so on; without
        proxies all by chance.
        """
        worth = self._scores.worth(PROXIES)
        by_chance = list(self.pool)
        best = sorted(by_chance, key=lambda a: -worth.get(a, -math.inf)) if PROXIES in self.living and worth else []
        chosen: dict[Architecture, None] = {}
        while len(chosen) < min(self.num_to_share, len(self.pool)):
            row = best if best and len(chosen) % RANDOM_EVERY != RANDOM_EVERY - 1 else by_chance
            chosen[next(a for a in row if a not in chosen)] = None
        return tuple(dict.fromkeys((*self._tried, *chosen)))

    def fill(self, scored: Sequence[Scored], rung: str = PROXIES) -> str:
        """Take the scores of a rung, as far as there are any; what is to be told of them.

        With too few, or where none is a number, there is no such rung.
        """
        told, why_not = self._scores.fill(rung, scored)
        if not why_not and rung == SHARED and len(set(self._scores.worth(rung).values())) == 1:
            why_not = f"all {len(scored)} networks score the same with shared weights"
        return self.leave_out(rung, why_not) if why_not else f"ladder: {told}"

    def leave_out(self, rung: str, why: str) -> str:
        """Do without a rung from the beginning; what is to be told of it."""
        self._drop(rung)
        return f"ladder: no {rung}: {why}"

    def pick(self, is_new: Callable[[Architecture], bool], fidelity: Fidelity) -> Proposal | None:
        """The network of the pool that is to be trained next; None where none is.

        Args:
            is_new: whether a network may be proposed.
            fidelity: of its training.
        """
        if not self.living or not self.pool or self._num_picked >= self.num_passing:
            return None
        left = [a for a in self.pool if is_new(a)]
        origin, worth = self._ranking(left)
        if not left or not origin:
            return None
        if self._num_picked % RANDOM_EVERY == RANDOM_EVERY - 1:
            origin, chosen = POOL, left[0]  # the pool is in the order of its draw
        else:
            chosen = left[int(np.argmax(worth))]
            self._chosen.add(chosen)
        self._num_picked += 1
        return Proposal(chosen, fidelity, origin=origin)

    @property
    def num_passing(self) -> int:
        """How many of the pool are trained, by what its ranking is worth as far as that is known."""
        return max(FEWEST_PASSING, math.ceil(self.passing * len(self.pool)))

    @property
    def passing(self) -> float:
        """The same as a share; none where no network of the space is admitted."""
        if not self.pool:
            return 0.0
        known = [self._found[rung] for rung in self.living if rung in self._found]
        tau = max((believed(found.tau, found.num) for found in known), default=believed(math.nan, 0))
        num = len(self.pool)
        return passing_share(tau, self._cost_ratio, num * (1 + self._cost_ratio / 3), max(1, num // FEWEST_PASSING))

    def note(self, architecture: Architecture) -> None:
        """Note what the predictor says of a network that is about to be trained, whoever proposed it."""
        if PREDICTOR in self.living and architecture not in self._predicted and len(self._predicted) < MOST_NOTED:
            told = self._predict([architecture])
            if told is not None:
                self._predicted[architecture] = float(told[0])

    def learn(self, architecture: Architecture, value: float, metrics: Metrics) -> None:
        """Take in what a network came to in the shortest training.

        Args:
            architecture: which.
            value: larger is better.
            metrics: sizes among them.
        """
        self._values[architecture], self._sizes[architecture] = value, metrics
        if self._predictor is not None and len(self._values) >= GROWTH * len(self._predictor):
            self._predictor = None

    def forget(self) -> None:
        """Forget all results, since the shortest training is another one from now on."""
        self._num_judged = 0
        self._values.clear()
        self._predicted.clear()
        self._found.clear()
        self._predictor = None

    def judge(self, high: Fidelity) -> list[str]:
        """Compare the rungs with the shortest training, and drop one that is worth nothing; what is to be told."""
        if len(self._values) < JUDGED_AGAIN * self._num_judged:
            return []
        self._num_judged = len(self._values)
        told = []
        for rung in tuple(self.living):
            said = self._predicted if rung == PREDICTOR else self._scores.worth(rung)
            found = measure_agreement(rung, high, said, self._not_chosen(), self._sizes)
            if found is None:
                continue
            self._found[rung] = found = replace(found, num_random=found.num)
            if found.num >= FEWEST and is_worth_nothing(found.tau, found.upper, found.size_tau, found.num):
                self._found[rung] = replace(found, dropped=True)
                self._drop(rung)
                told.append(f"ladder: {rung} dropped, no better than size: {found}")
        return told

    @property
    def agreements(self) -> tuple[RungAgreement, ...]:
        """What is known of each rung, dropped ones included."""
        return tuple(
            found if found.dropped else replace(found, passing=self.passing)
            for found in (self._found[rung] for rung in (PROXIES, SHARED, PREDICTOR) if rung in self._found)
        )

    def _not_chosen(self) -> dict[Architecture, float]:
        """What networks came to that no rung chose."""
        return {a: value for a, value in self._values.items() if a not in self._chosen}

    def _drop(self, rung: str) -> None:
        self.living = [name for name in self.living if name != rung]
        self.dropped.append(rung)
        self._predictor = None  # which may have seen its scores

    def _ranking(self, left: Sequence[Architecture]) -> tuple[str, Sequence[float]]:
        """Which rung ranks the rest of the pool, and what it says; the predictor as soon as it can."""
        told = self._predict(left) if PREDICTOR in self.living and left else None
        if told is not None:
            return PREDICTOR, told
        rankings = [(rung, [self._scores.worth(rung).get(a, -math.inf) for a in left]) for rung in self._by_worth()]
        known = (ranking for ranking in rankings if max(ranking[1], default=-math.inf) > -math.inf)
        return next(known, rankings[0] if rankings else ("", []))

    def _by_worth(self) -> list[str]:
        """The rungs that score, by what they are worth as far as that is known; until then the dearer one first."""
        scoring = [rung for rung in (SHARED, PROXIES) if rung in self.living]
        found = {rung: self._found[rung] for rung in scoring if rung in self._found}
        taus = {rung: believed(found[rung].tau, found[rung].num) if rung in found else ASSUMED for rung in scoring}
        return sorted(scoring, key=lambda rung: -taus[rung])

    def _predict(self, architectures: Sequence[Architecture]) -> list[float] | None:
        """Predictions; None while too little was trained for them."""
        if self._predictor is None:
            newest = list(self._values)[-MOST_LEARNT:]
            if len({self._space.canonical_id(a) for a in newest}) < FEWEST_LEARNT:
                return None
            self._predictor = Predictor(self._space, kind="process", seed=self._seed, inputs=self._inputs)
            self._predictor.fit(newest, [self._values[a] for a in newest])
        told: list[float] = self._predictor.predict(architectures).mean.tolist()
        return told

    @property
    def _inputs(self) -> Inputs:
        """What the predictor sees of a network: its graph, and its scores as long as they are worth something."""
        rungs = tuple(rung for rung in self.living if self._scores.worth(rung))
        if rungs not in self._made:
            scores = self._scores.named(rungs) if rungs else None
            self._made[rungs] = Inputs(self._space, self._seed, scores, among=self.pool)
        return self._made[rungs]

    @cached_property
    def _made(self) -> dict[tuple[str, ...], Inputs]:
        return {}
