"""The default strategy: which one suits a space, its objectives, its fidelities and the number of trials, and why.

It holds no algorithm; the figures its rules rest on are in docs/figures.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from netwright.errors import UsageError, wrong
from netwright.predictors.score_ranks import Scores
from netwright.strategies.asha import Asha
from netwright.strategies.base import Strategy
from netwright.strategies.bayesian import BayesianOptimization
from netwright.strategies.evolution import RegularizedEvolution
from netwright.strategies.nsga3 import NSGA3
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal

if TYPE_CHECKING:
    from netwright.space import SearchSpace

MANY_TRIALS = 20_000
"""From so many trials on a model of some hundred observations has little to add, and its time counts."""

MANY_OBJECTIVES = 4
ENOUGH_FOR_DIRECTIONS = 500
"""Trials that NSGA-III needs to fill the directions it searches in."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What ``auto`` stands for in a search.

    Args:
        name: of the strategy.
        reason: in words, for people.
    """

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}, since {self.reason}"


def choose(
    objectives: Sequence[Objective], fidelities: Sequence[Fidelity] = (), num_trials: int | None = None
) -> Choice:
    """Choose a strategy.

    Args:
        objectives: what is to be good.
        fidelities: those an evaluation may have; one or none where all are full.
        num_trials: how many there will be at most; None where that is not known.

    Example:
        >>> str(choose([Objective("accuracy", "max")]))
        'bayesian, since a model of what was evaluated needs the fewest trials'
    """
    if num_trials is not None and num_trials >= MANY_TRIALS:
        return Choice("evolution", f"{num_trials} trials are more than a model learns from")
    enough = num_trials is not None and num_trials >= ENOUGH_FOR_DIRECTIONS
    if len(objectives) >= MANY_OBJECTIVES and enough:
        return Choice("nsga3", f"{len(objectives)} objectives and {num_trials} trials fill a front of many directions")
    if len(fidelities) > 1:
        found = f"there are {len(fidelities)} fidelities: all are trained a little, the better ones longer"
        return Choice("asha", f"{found}; a model of what was evaluated proposes them")
    return Choice("bayesian", "a model of what was evaluated needs the fewest trials")


def auto(
    space: SearchSpace,
    *,
    seed: int = 0,
    objectives: Sequence[Objective] = (Objective("accuracy", "max"),),
    constraints: Sequence[Constraint] = (),
    initial: Sequence[Proposal | Architecture] = (),
    fidelities: Sequence[Fidelity] = (),
    num_trials: int | None = None,
    scores: Scores | None = None,
) -> Strategy:
    """Make the strategy that `choose` chooses.

    Args:
        space: where to search.
        seed: of all randomness, >= 0.
        objectives: one, or several.
        constraints: limits.
        initial: proposed first.
        fidelities: those an evaluation may have, the cheapest first.
        num_trials: how many there will be at most; None where that is not known.
        scores: tells label-free scores of an architecture, where the strategy can use them.

    Raises:
        UsageError: an argument is wrong.
    """
    if num_trials is not None and num_trials < 1:
        raise UsageError(wrong("num_trials", num_trials, ">= 1"))
    name = choose(objectives, fidelities, num_trials).name
    if name == "asha":
        return Asha(
            space,
            seed=seed,
            objectives=objectives,
            constraints=constraints,
            initial=initial,
            fidelities=fidelities,
            inner=partial(BayesianOptimization, scores=scores),
            predictable=True,
        )
    if name == "bayesian":
        return BayesianOptimization(
            space, seed=seed, objectives=objectives, constraints=constraints, initial=initial, scores=scores
        )
    make = NSGA3 if name == "nsga3" else RegularizedEvolution
    return make(space, seed=seed, objectives=objectives, constraints=constraints, initial=initial)
