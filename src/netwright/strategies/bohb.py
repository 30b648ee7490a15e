"""BOHB: Hyperband's brackets, with new architectures from a model of what the good ones have that the others have not.

The model is a pair of kernel densities (`densities`) over the choices of the space.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import UsageError, wrong
from netwright.strategies.brackets import Brackets
from netwright.strategies.densities import Kernels, draw
from netwright.strategies.operators import Score, Scorer, Tier, best_first_order
from netwright.strategies.pool import Pool
from netwright.strategies.rung_monitor import RungMonitor
from netwright.strategies.rungs import FULL
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial

if TYPE_CHECKING:
    from netwright.space import SearchSpace

GOOD_SHARE = 0.15
NUM_DRAWN = 64
WIDER = 3.0
"""Numbers are drawn from kernels wider than those they are judged by, by this factor."""

MOST_NEEDED = 16
"""Observations that are needed of good and of other architectures at most, however many choices there are."""

MOST_OTHERS = 256
"""The newest of the other architectures that the density of them is made of."""

RANK_AGAIN = 1.01
"""Observations are ranked again when they are more by this factor: below 100 each time."""


class BOHB(Brackets):
    """Brackets of successive halving with a model, over one or several objectives and constraints.

    Args:
        space: where to search.
        seed: of all randomness, >= 0.
        objectives: one, or several by Pareto rank and crowding.
        constraints: limits; infeasible trials are among those not to be like.
        initial: proposed first.
        fidelities: the cheapest first, the full one last. With the default of one it is a search by kernel densities.
        eta: how much more a rung costs than the one below it, about, where the fidelities allow it; > 1.
        random_share: of new architectures that are drawn evenly from the space, in [0, 1].
        monitor: judges the rungs; one with its defaults when absent.

    Attributes:
        monitor: judges the rungs; `agreements` tell what it knows.
        dropped: fidelities that misled, in the order in which they were dropped.

    Raises:
        UsageError: an option is out of range.

    References:
        S. Falkner, A. Klein and F. Hutter, 2018, "BOHB: Robust and Efficient Hyperparameter Optimization at Scale",
        algorithm 2. Deviations: the brackets are those of `Hyperband`, with its monitor; kernels stand on the choices
        an architecture has, and are drawn from by a walk through the space; at most 16 good ones are asked for before
        there is a model, whatever the number of choices; failed and infeasible trials are observations, the worst.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int = 0,
        objectives: Sequence[Objective] = (Objective("accuracy", "max"),),
        constraints: Sequence[Constraint] = (),
        initial: Sequence[Proposal | Architecture] = (),
        fidelities: Sequence[Fidelity] = FULL,
        eta: float = 3.0,
        random_share: float = 1 / 3,
        monitor: RungMonitor | None = None,
    ) -> None:
        if not 0 <= random_share <= 1:
            raise UsageError(wrong("random_share", random_share, "in [0, 1]"))
        score = Scorer(tuple(objectives), tuple(constraints))
        super().__init__(
            space,
            lambda rungs: DensitySource(space, Pool(space, seed, initial), score, rungs, random_share),
            fidelities,
            eta=eta,
            num_brackets=len(fidelities),
            seed=seed,
            objectives=objectives,
            constraints=constraints,
            monitor=monitor,
        )


class DensitySource:
    """New architectures that are likely among the good ones and unlikely among the others.

    Args:
        space: where from.
        pool: of the same space; says which are new.
        score: compares trials.
        rungs: fidelities, the lowest first; the model is made at the highest one that has enough trials.
        random_share: of architectures that are drawn evenly.
    """

    def __init__(
        self, space: SearchSpace, pool: Pool, score: Scorer, rungs: Sequence[Fidelity], random_share: float
    ) -> None:
        self._space = space
        self._pool = pool
        self._score = score
        self._random_share = random_share
        self._kernels = Kernels(space)
        self._needed = min(self._kernels.num_choices + 1, MOST_NEEDED)
        self._seen = {fidelity: Observations() for fidelity in rungs}

    def new(self, level: int) -> Proposal:
        """The next initial architecture, else one of the model or a random one, whatever the bracket."""
        del level
        proposal = self._pool.next_initial()
        if proposal is None and self._pool.rng.random() >= self._random_share:
            proposal = self._modelled()
        return proposal or self._pool.sample_proposal()

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn from trials."""
        self._pool.admit(trials)
        for trial in trials:
            if trial.fidelity in self._seen:
                self._seen[trial.fidelity].add(trial.architecture, self._score(trial))

    def _modelled(self) -> Proposal | None:
        """Of some drawn near good ones, the one whose density among them is largest beside that among the others."""
        enough = (seen for seen in reversed(self._seen.values()) if seen.num_ended >= self._needed + 2)
        seen = next(enough, None)
        if seen is None:
            return None
        good, others = seen.split(self._needed)
        spreads = self._kernels.spreads(self._kernels.rows(good))
        drawn = [self._draw(good, spreads) for _ in range(NUM_DRAWN)]
        found = list(dict.fromkeys(a for a in drawn if a is not None))
        if not found:
            return None
        ratio = self._log_density(found, good) - self._log_density(found, others)
        best_first = (found[i] for i in np.argsort(-ratio, kind="stable").tolist())
        chosen = next((a for a in best_first if self._pool.claim(a)), None)
        return None if chosen is None else Proposal(chosen, origin="model")

    def _log_density(self, architectures: Sequence[Architecture], centres: Sequence[Architecture]) -> np.ndarray:
        points, rows = self._kernels.rows(architectures), self._kernels.rows(centres)
        return self._kernels.log_density(points, rows, self._kernels.spreads(rows))

    def _draw(self, good: Sequence[Architecture], spreads: np.ndarray) -> Architecture | None:
        rng = self._pool.rng
        centre = good[int(rng.integers(len(good)))]
        return draw(self._space, self._kernels.decide_near(centre, self._kernels.wider(spreads, WIDER), rng))


class Observations:
    """Scored architectures at one fidelity, ranked now and then."""

    def __init__(self) -> None:
        self._architectures: list[Architecture] = []
        self._scores: list[Score] = []
        self._order: list[int] = []
        self.num_ended = 0

    def add(self, architecture: Architecture, score: Score) -> None:
        """Take one in; `num_ended` counts those that did not fail."""
        self._architectures.append(architecture)
        self._scores.append(score)
        self.num_ended += score.tier is not Tier.FAILED

    def split(self, at_least: int) -> tuple[list[Architecture], list[Architecture]]:
        """The good ones, a share of all but at least so many, and the others, at least so many again."""
        if len(self._scores) > RANK_AGAIN * len(self._order):
            self._order = best_first_order(self._scores)
        count = len(self._order)
        num_good = min(max(at_least, int(GOOD_SHARE * count)), MOST_OTHERS)
        num_others = min(max(at_least, count - num_good), MOST_OTHERS)
        others = sorted(self._order[-max(at_least, count - num_good) :])[-num_others:]
        return [self._architectures[i] for i in self._order[:num_good]], [self._architectures[i] for i in others]
