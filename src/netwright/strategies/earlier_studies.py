"""Earlier studies, and what they say about the architectures of the present space.

The spaces may differ: a decision whose choice has the same name and the same value here carries over. What the earlier
study decides and the present space does not is dropped; what only the present space decides is drawn. Knows no model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from netwright.predictors.ranks import ranks, ranks_as_normal
from netwright.space.draws import below, weighted
from netwright.space.values import Continuous
from netwright.strategies.experience import Experience, Observation
from netwright.strategies.operators import Scorer, Tier, best_first_order
from netwright.types import Architecture, Constraint, Fidelity, Objective, Trial, Value

if TYPE_CHECKING:
    from netwright.space import SearchSpace
    from netwright.space.walk import Step

FEWEST = 3
"""Trials that a study teaches anything with at least."""


@dataclass(frozen=True, slots=True)
class EarlierStudy:
    """A study that has ended, or goes on elsewhere.

    Args:
        name: for people.
        trials: what was evaluated.
    """

    name: str
    trials: tuple[Trial, ...]


@dataclass(frozen=True, slots=True)
class CarriedStudy:
    """An earlier study in terms of the present space.

    Args:
        name: of the study.
        trials: those whose architecture has a counterpart, which takes its place.
        num_left_out: how many have none.
    """

    name: str
    trials: tuple[Trial, ...]
    num_left_out: int


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What an earlier study says about architectures of the present space.

    Args:
        architectures: at least `FEWEST`; one may come twice.
        targets: what they scored, shape (n,), larger is better: normal quantiles of ranks.
    """

    architectures: Sequence[Architecture]
    targets: np.ndarray


def carry_over(study: EarlierStudy, space: SearchSpace, rng: np.random.Generator) -> CarriedStudy:
    """Find the counterparts of the architectures of an earlier study.

    An architecture has none where a choice that the earlier study knows has a value which is not open here, or was not
    decided there, where no decision at all carries over, or where a constraint is broken.

    Args:
        study: what was evaluated earlier.
        space: the present one.
        rng: draws the decisions that the earlier study does not know, so that none of their values is favoured.

    Example:
        >>> from netwright.space import Op, SearchSpace, choice
        >>> from netwright.types import Proposal, TrialState
        >>> space = SearchSpace(Op("conv", (("width", choice("width", [8, 16])),)))
        >>> proposals = [Proposal(Architecture({"width": width})) for width in (8, 9)]
        >>> trials = [Trial(i, proposal, 0, TrialState.FINISHED) for i, proposal in enumerate(proposals)]
        >>> carried = carry_over(EarlierStudy("first", tuple(trials)), space, np.random.default_rng(0))
        >>> [trial.architecture["width"] for trial in carried.trials], carried.num_left_out
        ([8], 1)
    """
    known = frozenset(name for trial in study.trials for name in trial.architecture)
    found = [_counterpart(trial.architecture, known, space, rng) for trial in study.trials]
    carried = tuple(
        replace(trial, proposal=replace(trial.proposal, architecture=architecture))
        for trial, architecture in zip(study.trials, found, strict=True)
        if architecture is not None
    )
    return CarriedStudy(study.name, carried, len(study.trials) - len(carried))


def _counterpart(
    decisions: Mapping[str, Value], known: frozenset[str], space: SearchSpace, rng: np.random.Generator
) -> Architecture | None:
    walk, num_carried = space.walk(), 0
    while (step := walk.step) is not None:
        name = step.choice.name
        if name in decisions and step.options.position(decisions[name]) is not None:
            walk.take(decisions[name])
            num_carried += 1
        elif name in known:
            return None
        else:
            walk.take(_drawn(step, rng))
    return walk.architecture() if num_carried else None


def _drawn(step: Step, rng: np.random.Generator) -> Value:
    """An option, as likely as architectures lie behind it."""
    if isinstance(step.options, Continuous):
        return step.options.at_share(rng.random())
    if step.weights is not None:
        return step.options.at(weighted(rng, step.weights))
    return step.options.at(below(rng, step.options.size))


def lessons_of(
    study: CarriedStudy, objectives: Sequence[Objective], constraints: Sequence[Constraint], rng: np.random.Generator
) -> list[Lesson]:
    """What a study teaches: one lesson, or with several objectives one of all together and then one of each.

    Only feasible trials at the fidelity that most of them have are compared. A study without the metrics of the
    objectives, with fewer than `FEWEST` such trials or with equal scores teaches nothing.

    Args:
        study: what was evaluated earlier.
        objectives: of the present study.
        constraints: of the present study.
        rng: chooses among very many trials.
    """
    experience = Experience(tuple(objectives), tuple(constraints))
    for trial in study.trials:
        experience.add(trial)
    known = experience.comparable(rng)
    if len(known) < FEWEST or known[0].score.tier is not Tier.FEASIBLE:
        return []
    architectures = [o.architecture for o in known]
    lessons = [Lesson(architectures, ranks_as_normal(utility)) for utility in _utilities(known)]
    return [lesson for lesson in lessons if lesson.targets.any()]


def longest_first(
    study: CarriedStudy, objectives: Sequence[Objective], constraints: Sequence[Constraint]
) -> dict[Architecture, Fidelity]:
    """Networks within the limits with their longest trainings: those trained longest first, of these the best first.

    Args:
        study: what was evaluated earlier.
        objectives: of the present study.
        constraints: of the present study.
    """
    score = Scorer(tuple(objectives), tuple(constraints))
    scores = [score(trial) for trial in study.trials]
    feasible = [study.trials[i] for i in best_first_order(scores) if scores[i].tier is Tier.FEASIBLE]
    found: dict[Architecture, Fidelity] = {}
    for trial in sorted(feasible, key=lambda trial: -trial.fidelity.cost):
        found.setdefault(trial.architecture, trial.fidelity)
    return found


def _utilities(known: Sequence[Observation]) -> list[np.ndarray]:
    """Numbers of which larger is better, each of shape (n,)."""
    columns = [-column for column in np.array([o.score.values for o in known]).T]
    if len(columns) == 1:
        return columns
    together = np.sum([ranks(column) for column in columns], axis=0)
    return [together, *columns]
