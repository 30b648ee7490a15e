"""Boosted trees over the rows of architectures: the models of a repeated cross-validation, with scikit-learn's trees.

The surrogate of the searches (`netwright.predictors.boosted_trees`) is another: it is fitted in a fraction of the time,
to half as much.
"""

from __future__ import annotations

import numpy as np

from netwright.predictors.boosted_trees import require_sklearn
from netwright.predictors.conformal import LeftOut
from netwright.predictors.forest import left_out
from netwright.predictors.model import Lesson
from netwright.predictors.trees import Trees

FOLDS = 5
ROUNDS = 3
"""How often observations are divided, and so how many models leave each of them out."""

NUM_TREES = 40
RATE = 0.15
DEPTH = 3
FEATURES_A_SPLIT = 0.1
SHARE = 0.7
"""Of the observations that a tree sees."""


def fit_boosting(lesson: Lesson, rng: np.random.Generator) -> tuple[Trees, LeftOut]:
    """Fit boosted trees to all parts but one of the observations, for every part; their mean predicts.

    Args:
        lesson: what to learn.
        rng: parts, and what trees draw.

    Raises:
        MissingDependencyError: scikit-learn is not installed.

    References:
        J. Friedman, 2002, "Stochastic Gradient Boosting". R. Barber et al., 2021, "Predictive Inference with the
        Jackknife+", section 3 (errors of a cross-validation).
    """
    require_sklearn("boosted trees")
    from sklearn.ensemble import GradientBoostingRegressor

    count = len(lesson.targets)
    folds = min(FOLDS, count)
    parts = [rng.permutation(count) % folds for _ in range(ROUNDS)]
    seen = np.concatenate([part != np.arange(folds)[:, None] for part in parts])
    members = []
    for chosen in seen:
        model = GradientBoostingRegressor(
            n_estimators=NUM_TREES,
            learning_rate=RATE,
            max_depth=DEPTH,
            max_features=FEATURES_A_SPLIT,
            subsample=SHARE,
            random_state=int(rng.integers(2**31)),
        ).fit(lesson.rows[chosen], lesson.targets[chosen])
        begin = float(lesson.targets[chosen].mean())
        trees = [(tree.tree_, RATE, begin if first == 0 else 0.0) for first, (tree,) in enumerate(model.estimators_)]
        members.append(trees)
    boosted = Trees.of(members)
    return boosted, left_out(boosted.members(lesson.rows), seen)
