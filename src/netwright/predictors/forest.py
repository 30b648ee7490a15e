"""A random forest over the rows of architectures, with scikit-learn's trees."""

from __future__ import annotations

import numpy as np

from netwright.predictors.boosted_trees import require_sklearn
from netwright.predictors.conformal import LeftOut
from netwright.predictors.model import LEAST_SPREAD, Lesson
from netwright.predictors.trees import Trees

NUM_TREES = 120
FEATURES_A_SPLIT = 1 / 3


def fit_forest(lesson: Lesson, rng: np.random.Generator) -> tuple[Trees, LeftOut]:
    """Fit a random forest; an observation's left-out prediction is that of the trees that did not draw it.

    Args:
        lesson: what to learn.
        rng: what trees draw.

    Raises:
        MissingDependencyError: scikit-learn is not installed.

    References:
        L. Breiman, 2001, "Random Forests"; with all its trees, the mean of a third of them is noisier, which makes
        intervals somewhat too wide: U. Johansson et al., 2014, "Regression Conformal Prediction with Random Forests".
    """
    require_sklearn("a random forest")
    from sklearn.tree import DecisionTreeRegressor

    count = len(lesson.targets)
    trees, drawn = [], np.zeros((NUM_TREES, count), dtype=bool)
    for number in range(NUM_TREES):
        chosen = rng.integers(0, count, count)
        drawn[number, chosen] = True
        tree = DecisionTreeRegressor(max_features=FEATURES_A_SPLIT, random_state=int(rng.integers(2**31)))
        trees.append([(tree.fit(lesson.rows[chosen], lesson.targets[chosen]).tree_, 1.0, 0.0)])
    forest = Trees.of(trees)
    return forest, left_out(forest.members(lesson.rows), drawn)


def left_out(predicted: np.ndarray, seen: np.ndarray) -> LeftOut:
    """Mean and spread over the members that did not see an observation; over all where every one did.

    Args:
        predicted: shape (members, n).
        seen: shape (members, n).
    """
    unseen = ~seen
    unseen[:, unseen.sum(axis=0) < 2] = True
    kept = np.ma.masked_array(predicted, mask=~unseen)
    return LeftOut(kept.mean(axis=0).filled(0.0), kept.std(axis=0, ddof=1).filled(0.0) + LEAST_SPREAD)
