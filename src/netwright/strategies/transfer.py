"""Transfer: a search that begins with what earlier studies have found, and trusts them as far as they prove right.

    1. Earlier trials are told in terms of the present space (`earlier_studies`).
    2. A few of their best architectures are proposed first (`earlier_portfolio`); of a study whose networks were not
       trained equally long, those that its longest trainings say are best.
    3. From then on it is a model-guided search (`model_search`) whose model is an ensemble of those of the earlier
       studies and of the present one, weighed by how well they rank what was evaluated (`ranked_ensemble`).

Labels of earlier studies are queries that somebody has paid for: whoever reports a search reports them beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import UsageError, wrong
from netwright.predictors.features import Features
from netwright.predictors.gaussian_surrogate import GaussianProcessSurrogate
from netwright.strategies.aims import UTILITY
from netwright.strategies.earlier_portfolio import in_turns, make_portfolio
from netwright.strategies.earlier_studies import (
    CarriedStudy,
    EarlierStudy,
    Lesson,
    carry_over,
    lessons_of,
    longest_first,
)
from netwright.strategies.model_search import ModelSearch
from netwright.strategies.pool import Pool
from netwright.strategies.ranked_ensemble import RankedEnsemble
from netwright.types import Architecture, Constraint, Objective, Proposal, Trial

if TYPE_CHECKING:
    from netwright.space import SearchSpace


NUM_INITIAL = 3
"""Proposals before the first model where earlier studies teach something: as few as it can be made of."""

NUM_INITIAL_ALONE = 5
"""The same where they do not, as without them."""


class Transfer(ModelSearch):
    """Model-guided search with a warm start from earlier studies of the same or an overlapping space.

    Without usable earlier studies it is `BayesianOptimization`.

    Args:
        space: where to search.
        seed: of all randomness, >= 0.
        objectives: one, or several; an earlier study without their metrics teaches nothing.
        constraints: limits.
        initial: proposed first.
        num_initial: proposals, ``initial`` and portfolio included, before the first model, >= 1; by default
            `NUM_INITIAL` or `NUM_INITIAL_ALONE`.
        earlier: studies, or the trials of each.
        num_portfolio: how many architectures of the earlier studies are proposed behind ``initial`` at most, >= 0;
            one study whose networks were all trained equally long has a single best one.

    Attributes:
        carried: the earlier studies in terms of the present space, with the number of trials that were left out.
        num_lessons: how many rankings of architectures the earlier studies gave.

    References:
        See `RankedEnsemble` and `make_portfolio`.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int = 0,
        objectives: Sequence[Objective] = (Objective("accuracy", "max"),),
        constraints: Sequence[Constraint] = (),
        initial: Sequence[Proposal | Architecture] = (),
        num_initial: int | None = None,
        earlier: Sequence[EarlierStudy | Sequence[Trial]] = (),
        num_portfolio: int = 3,
    ) -> None:
        if num_portfolio < 0:
            raise UsageError(wrong("num_portfolio", num_portfolio, ">= 0"))
        rng = Pool(space, seed).rng.spawn(1)[0]  # of its own, so that a study more draws nothing else anew
        self.carried: tuple[CarriedStudy, ...] = tuple(
            carry_over(study, space, rng) for study in map(_named, range(len(earlier)), earlier)
        )
        taught = [(s, of_study) for s in self.carried if (of_study := lessons_of(s, objectives, constraints, rng))]
        lessons = [of_study for _, of_study in taught]
        self.num_lessons = sum(map(len, lessons))
        if num_initial is None:
            num_initial = NUM_INITIAL if lessons else NUM_INITIAL_ALONE
        ranked = [longest_first(study, objectives, constraints) for study, _ in taught]
        if all(len(set(networks.values())) == 1 for networks in ranked):
            first = _portfolio(space, [of_study[0] for of_study in lessons], num_portfolio, rng)
        else:
            first = in_turns(ranked, num_portfolio)
        super().__init__(
            space,
            seed=seed,
            objectives=objectives,
            constraints=constraints,
            initial=[*initial, *(Proposal(architecture, origin="earlier study") for architecture in first)],
            num_initial=num_initial,
            surrogate=partial(RankedEnsemble, lessons=[x for of_study in lessons for x in of_study])
            if lessons
            else GaussianProcessSurrogate,
            scalarize=True if lessons else None,  # lessons are about values under weights
        )

    @property
    def weights(self) -> tuple[float, ...]:
        """How far each lesson is trusted, then the present study's own model; empty before there is a model."""
        ensemble = self._learnt.learner(UTILITY).surrogate if "_learnt" in vars(self) else None
        return tuple(ensemble.weights.tolist()) if isinstance(ensemble, RankedEnsemble) else ()


def _named(number: int, study: EarlierStudy | Sequence[Trial]) -> EarlierStudy:
    return study if isinstance(study, EarlierStudy) else EarlierStudy(f"study {number}", tuple(study))


def _portfolio(
    space: SearchSpace, lessons: Sequence[Lesson], size: int, rng: np.random.Generator
) -> list[Architecture]:
    return make_portfolio(lessons, size, Features(space, rng), rng) if lessons and size else []
