"""Bayesian optimisation over architectures: a Gaussian process says which network is worth training next.

The loop is that of `netwright.strategies.model_search`, the model that of `netwright.strategies.gaussian_process`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netwright.strategies.model_search import ModelSearch
from netwright.strategies.score_ranks import Scores
from netwright.types import Architecture, Constraint, Objective, Proposal

if TYPE_CHECKING:
    from netwright.space import SearchSpace


class BayesianOptimization(ModelSearch):
    """Gaussian-process search with expected improvement, over one or several objectives and constraints.

    Args:
        space: where to search.
        seed: of all randomness, >= 0.
        objectives: one, or several.
        constraints: limits.
        initial: proposed first.
        num_initial: proposals, ``initial`` included, before the first model, >= 1.
        scores: tells label-free scores of an architecture; see `ModelSearch`.

    References:
        B. Ru et al., 2021, NAS-BOWL (kernels over structure); see `ModelSearch` for the rest.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int = 0,
        objectives: Sequence[Objective] = (Objective("accuracy", "max"),),
        constraints: Sequence[Constraint] = (),
        initial: Sequence[Proposal | Architecture] = (),
        num_initial: int = 5,
        scores: Scores | None = None,
    ) -> None:
        super().__init__(
            space,
            seed=seed,
            objectives=objectives,
            constraints=constraints,
            initial=initial,
            num_initial=num_initial,
            scores=scores,
        )
