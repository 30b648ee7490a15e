"""Search guided by gradient-boosted trees whose intervals are calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netwright.predictors.boosted_trees import BoostedTrees, require_sklearn
from netwright.predictors.score_ranks import Scores
from netwright.strategies.model_search import ModelSearch
from netwright.types import Architecture, Constraint, Objective, Proposal

if TYPE_CHECKING:
    from netwright.space import SearchSpace


class BoostedSearch(ModelSearch):
    """Predictor-guided search with boosted trees and expected improvement, over objectives and constraints.

    Args:
        space: where to search.
        seed: of all randomness, >= 0.
        objectives: one, or several.
        constraints: limits.
        initial: proposed first.
        num_initial: proposals, ``initial`` included, before the first model, >= 1.
        scores: tells label-free scores of an architecture; see `ModelSearch`.

    Raises:
        MissingDependencyError: scikit-learn is not installed.

    References:
        See `BoostedTrees` for the model and `ModelSearch` for the search.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int = 0,
        objectives: Sequence[Objective] = (Objective("accuracy", "max"),),
        constraints: Sequence[Constraint] = (),
        initial: Sequence[Proposal | Architecture] = (),
        num_initial: int = 10,
        scores: Scores | None = None,
    ) -> None:
        require_sklearn("the strategy of boosted trees")
        super().__init__(
            space,
            seed=seed,
            objectives=objectives,
            constraints=constraints,
            initial=initial,
            num_initial=num_initial,
            scores=scores,
            surrogate=BoostedTrees,
            distant=False,
        )
