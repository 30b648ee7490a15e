"""What a model-guided search has seen: trials, and which of them can be compared with each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netwright.predictors.ranks import ranks
from netwright.strategies.operators import Score, Scorer, Tier
from netwright.types import Architecture, Constraint, Fidelity, Objective, Trial

FEWEST_FEASIBLE = 3
"""With fewer feasible trials it is learnt from infeasible ones how to come nearer to the limits."""

MOST_LEARNT = 512
"""Observations a model is made of at most: the best half of them, and some of the others. A proposal then takes as long
after ten thousand trials as after five hundred."""

AUGMENTATION = 0.05
"""Weight of the sum beside the maximum in the scalar of several objectives."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What is remembered of a trial."""

    trial_id: int
    architecture: Architecture
    fidelity: Fidelity
    score: Score


class Experience:
    """Scored trials in the order in which they were told.

    Args:
        objectives: what is to be good.
        constraints: limits.

    Attributes:
        num_feasible: trials that kept the limits.
    """

    def __init__(self, objectives: Sequence[Objective], constraints: Sequence[Constraint]) -> None:
        self._score = Scorer(tuple(objectives), tuple(constraints))
        self._all: list[Observation] = []
        self._groups: dict[tuple[Tier, Fidelity], list[Observation]] = {}
        self._selections: dict[str, list[int]] = {}
        self.num_feasible = 0

    def __len__(self) -> int:
        return len(self._all)

    @property
    def architectures(self) -> list[Architecture]:
        """Those of all trials, in the order in which they were told."""
        return [observation.architecture for observation in self._all]

    def add(self, trial: Trial) -> None:
        """Score and keep a trial."""
        seen = Observation(trial.id, trial.architecture, trial.fidelity, self._score(trial))
        self._all.append(seen)
        self.num_feasible += seen.score.tier is Tier.FEASIBLE
        if seen.score.tier is Tier.FEASIBLE or np.isfinite(seen.score.excess):
            self._groups.setdefault((seen.score.tier, seen.fidelity), []).append(seen)

    def comparable(self, rng: np.random.Generator) -> list[Observation]:
        """Observations of the best tier there is, at the fidelity that most of them have; at most `MOST_LEARNT`."""
        for tier in (Tier.FEASIBLE, Tier.INFEASIBLE):
            sizes = Counter({f: len(group) for (t, f), group in self._groups.items() if t is tier})
            if sizes.total() >= (FEWEST_FEASIBLE if tier is Tier.FEASIBLE else 1):
                fidelity = sizes.most_common(1)[0][0]
                group = self._groups[tier, fidelity]
                return [group[i] for i in self._select(f"{tier.name} {fidelity}", group, rng)]
        return []

    def utility(self, known: Sequence[Observation], rng: np.random.Generator) -> np.ndarray:
        """One number for each observation, the larger the better; several objectives under random weights; (n,).

        References:
            J. Knowles, 2006, ParEGO, equation 2. Deviation of ours: objectives are scalarised by their ranks.
        """
        if known[0].score.tier is not Tier.FEASIBLE:
            return np.array([-o.score.excess for o in known])
        values = np.array([o.score.values for o in known])
        if values.shape[1] == 1:
            return np.asarray(-values[:, 0])
        shares = np.stack([ranks(column) for column in values.T], axis=1) / len(known)
        weighted = shares * rng.dirichlet(np.ones(values.shape[1]))
        return np.asarray(-weighted.max(axis=1) - AUGMENTATION * weighted.sum(axis=1))

    def classes(self, rng: np.random.Generator) -> tuple[list[Architecture], np.ndarray]:
        """Architectures, and whether each was feasible; at most `MOST_LEARNT` of them."""
        chosen = [self._all[i] for i in self._select("all", self._all, rng)]
        return [o.architecture for o in chosen], np.array([o.score.tier is Tier.FEASIBLE for o in chosen])

    def _select(self, name: str, group: Sequence[Observation], rng: np.random.Generator) -> Sequence[int]:
        """All, or where they are too many the best ones and some of the others, chosen anew after each tenth."""
        if len(group) <= MOST_LEARNT:
            return range(len(group))
        selection = self._selections.get(name, [])
        newest = selection[-1] + 1 if selection else 0
        if not selection or len(selection) + len(group) - newest > 1.1 * MOST_LEARNT:
            order = sorted(range(len(group)), key=lambda i: _order(group[i].score))
            half = MOST_LEARNT // 2
            others = rng.choice(len(group) - half, size=half, replace=False) + half
            selection = sorted(order[:half] + [order[i] for i in others.tolist()])
            newest = len(group)
        selection = [*selection, *range(newest, len(group))]
        self._selections[name] = selection
        return selection


def _order(score: Score) -> tuple[int, float, tuple[float, ...]]:
    return score.tier, score.excess, score.values
