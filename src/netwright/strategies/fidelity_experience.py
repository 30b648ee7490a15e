"""What a search over fidelities has seen: every architecture's evaluations, and which is under way.

Knows no model. An architecture is known by its canonical id, so that isomorphic ones are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from netwright.predictors.ranks import ranks_as_normal
from netwright.strategies.experience import Experience, Observation
from netwright.strategies.operators import Scorer, Tier
from netwright.types import Architecture, Constraint, Fidelity, Objective, Trial

if TYPE_CHECKING:
    from netwright.space import SearchSpace

NOWHERE = -1
"""The level of an architecture that was evaluated at a fidelity that is none of the search's."""

MOST_LEARNT = 384
"""Observations a model is made of at most: the best ones of each level, and some of the others."""

FEWEST_FEASIBLE = 3
"""With fewer feasible trials it is learnt from infeasible ones how to come nearer to the limits."""


@dataclass(slots=True)
class Progress:
    """How far an architecture got.

    Args:
        architecture: which.
        level: the highest it was asked or told at.
        trial_id: of the highest evaluation that ended; None while there is none.
        num_pending: evaluations under way.
        is_open: whether a higher level may still be worth it: no evaluation failed or broke a limit.
    """

    architecture: Architecture
    level: int = NOWHERE
    trial_id: int | None = None
    told_level: int = NOWHERE
    num_pending: int = 0
    is_open: bool = True


@dataclass(frozen=True, eq=False, slots=True)
class Learnt:
    """What a model learns from.

    Args:
        architectures: of each observation, n of them.
        levels: shape (n,).
        targets: the larger the better, of mean 0 and variance about 1 within a level; shape (n,).
    """

    architectures: Sequence[Architecture]
    levels: np.ndarray
    targets: np.ndarray


@dataclass(eq=False, slots=True)
class _Level:
    fidelity: Fidelity
    tiers: dict[Tier, list[Observation]] = field(default_factory=dict)
    num_asked: int = 0


class FidelityExperience:
    """Trials at several fidelities.

    Args:
        space: of the architectures.
        fidelities: the levels, the cheapest first.
        objectives: what is to be good.
        constraints: limits.
    """

    def __init__(
        self,
        space: SearchSpace,
        fidelities: Sequence[Fidelity],
        objectives: Sequence[Objective],
        constraints: Sequence[Constraint],
    ) -> None:
        self._space = space
        self._score = Scorer(tuple(objectives), tuple(constraints))
        self._levels = [_Level(fidelity) for fidelity in fidelities]
        self._progress: dict[str, Progress] = {}
        self._pending: dict[tuple[str, int], Architecture] = {}
        self.every = Experience(objectives, constraints)

    @property
    def counts(self) -> np.ndarray:
        """Evaluations at each level, pending ones among them; shape (levels,)."""
        return np.array([level.num_asked for level in self._levels])

    @property
    def pending(self) -> list[tuple[Architecture, int]]:
        """Architectures under way, each with its level."""
        return [(architecture, level) for (_, level), architecture in self._pending.items()]

    def level_of(self, fidelity: Fidelity) -> int:
        """Which level a fidelity is; one that says nothing is the full one."""
        if fidelity == Fidelity():
            return len(self._levels) - 1
        return next((i for i, level in enumerate(self._levels) if level.fidelity == fidelity), NOWHERE)

    def lowest_of_use(self) -> int:
        """The lowest level at which not every evaluation failed; a metric may be known at the full one only."""
        for number, level in enumerate(self._levels[:-1]):
            sizes = {tier: len(seen) for tier, seen in level.tiers.items()}
            if sizes.get(Tier.FAILED, 0) < FEWEST_FEASIBLE or len(sizes) > 1:
                return number
        return len(self._levels) - 1

    def ask(self, architecture: Architecture, level: int) -> None:
        """Note that an architecture is under way at a level."""
        canonical_id = self._space.canonical_id(architecture)
        progress = self._progress.setdefault(canonical_id, Progress(architecture))
        progress.level = max(progress.level, level)
        progress.num_pending += 1
        self._levels[level].num_asked += 1
        self._pending[canonical_id, level] = architecture

    def add(self, trial: Trial) -> None:
        """Take an ended trial in, asked for or not."""
        level, canonical_id = self.level_of(trial.fidelity), self._space.canonical_id(trial.architecture)
        progress = self._progress.setdefault(canonical_id, Progress(trial.architecture))
        if self._pending.pop((canonical_id, level), None) is not None:
            progress.num_pending -= 1
        elif level != NOWHERE:
            self._levels[level].num_asked += 1
        progress.level = max(progress.level, level)
        if progress.trial_id is None or level >= progress.told_level:
            progress.trial_id, progress.told_level = trial.id, level
        score = self._score(trial)
        progress.is_open &= score.tier is Tier.FEASIBLE
        self.every.add(trial)
        if level != NOWHERE:
            seen = Observation(trial.id, trial.architecture, trial.fidelity, score)
            self._levels[level].tiers.setdefault(score.tier, []).append(seen)

    def promotable(self, level: int) -> list[Progress]:
        """Architectures that ended below a level, may go on, and are not under way."""
        return [p for p in self._progress.values() if p.is_open and not p.num_pending and p.level < level]

    def learnt(self, rng: np.random.Generator) -> Learnt:
        """What can be learnt from, each level's ranks as normal quantiles; several objectives under random weights."""
        tier = Tier.FEASIBLE
        if sum(len(level.tiers.get(tier, ())) for level in self._levels) < FEWEST_FEASIBLE:
            tier = Tier.INFEASIBLE
        seed = int(rng.integers(2**63))
        found: list[tuple[Architecture, int, float]] = []
        for number, level in enumerate(self._levels):
            known = [o for o in level.tiers.get(tier, ()) if np.isfinite(o.score.excess)]
            if not known:
                continue
            same_weights = np.random.Generator(np.random.PCG64(seed))
            targets = ranks_as_normal(self.every.utility(known, same_weights))
            found += [(known[i].architecture, number, float(targets[i])) for i in self._most(targets)]
        return Learnt(
            [a for a, _, _ in found], np.array([n for _, n, _ in found], np.intp), np.array([t for *_, t in found])
        )

    def _most(self, targets: np.ndarray) -> list[int]:
        """Which observations of a level are learnt from: all, or the best and some of the others, in their order."""
        most = MOST_LEARNT // len(self._levels)
        if len(targets) <= most:
            return list(range(len(targets)))
        order = np.argsort(-targets, kind="stable")
        others = order[most // 2 :]
        evenly = others[np.linspace(0, len(others) - 1, most - most // 2).astype(np.intp)]
        return sorted([*order[: most // 2].tolist(), *evenly.tolist()])
