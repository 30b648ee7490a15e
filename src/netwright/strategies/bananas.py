"""BANANAS: an ensemble of networks predicts scores, and what a draw from its predictions likes best is trained next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from netwright.predictors.network_ensemble import NetworkEnsemble
from netwright.predictors.score_ranks import Scores
from netwright.strategies.model_search import ModelSearch
from netwright.types import Architecture, Constraint, Objective, Proposal

if TYPE_CHECKING:
    from netwright.space import SearchSpace


def independent_thompson(mean: np.ndarray, std: np.ndarray, _best: float, rng: np.random.Generator) -> np.ndarray:
    """A draw from each architecture's own normal distribution, as an `Acquisition`.

    References:
        C. White, W. Neiswanger and Y. Savani, 2021, "BANANAS", section 4 (independent Thompson sampling).
    """
    return rng.normal(mean, std)


class Bananas(ModelSearch):
    """Predictor-guided search with an ensemble of networks, over one or several objectives and constraints.

    Args:
        space: where to search.
        seed: of all randomness, >= 0.
        objectives: one, or several.
        constraints: limits.
        initial: proposed first.
        num_initial: proposals, ``initial`` included, before the first model, >= 1.
        scores: tells label-free scores of an architecture; see `ModelSearch`.

    References:
        C. White, W. Neiswanger and Y. Savani, 2021, "BANANAS: Bayesian Optimization with Neural Architectures for
        Neural Architecture Search", algorithm 1 (t_0 = 10 random architectures; mutations of the best as candidates).
        Deviations of ours: candidates are also random; the rest is that of `ModelSearch` and `NetworkEnsemble`.
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
        super().__init__(
            space,
            seed=seed,
            objectives=objectives,
            constraints=constraints,
            initial=initial,
            num_initial=num_initial,
            scores=scores,
            surrogate=NetworkEnsemble,
            acquisition=independent_thompson,
            distant=False,
        )
