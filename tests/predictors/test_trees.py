"""Flat trees: they predict what scikit-learn's do."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.predictors.boosting import FOLDS, ROUNDS, fit_boosting
from netwright.predictors.forest import fit_forest
from netwright.predictors.model import Lesson
from netwright.predictors.trees import Trees

sklearn = pytest.importorskip("sklearn")


def lesson(count: int = 80) -> Lesson:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(count, 6))
    targets = rows[:, 0] * 2 + (rows[:, 1] > 0) + 0.1 * rng.normal(size=count)
    return Lesson(rows, (targets - targets.mean()) / targets.std(), [np.arange(6)])


def test_they_are_scikit_learns_trees() -> None:
    """A boosted model and a tree, as members, predict what scikit-learn says of new rows."""
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.tree import DecisionTreeRegressor

    known = lesson()
    new = np.random.default_rng(1).normal(size=(200, 6))
    boosted = GradientBoostingRegressor(n_estimators=12, random_state=0).fit(known.rows, known.targets)
    single = DecisionTreeRegressor(random_state=0).fit(known.rows, known.targets)
    begin = float(known.targets.mean())
    members = [
        [(tree.tree_, 0.1, begin if first == 0 else 0.0) for first, (tree,) in enumerate(boosted.estimators_)],
        [(single.tree_, 1.0, 0.0)],
    ]
    told = Trees.of(members).members(new)
    assert boosted.predict(new) == pytest.approx(told[0], abs=1e-12)
    assert single.predict(new).tolist() == told[1].tolist()


@pytest.mark.parametrize("fit", [fit_forest, fit_boosting])
def test_left_out_predictions_did_not_see_their_observation(fit: object) -> None:
    """Targets that nothing tells apart: what is left out does not follow them, what is fitted does."""
    assert callable(fit)
    rng = np.random.default_rng(0)
    noise = Lesson(rng.normal(size=(80, 6)), rng.normal(size=80), [np.arange(6)])
    model, left_out = fit(noise, np.random.default_rng(0))
    assert np.corrcoef(left_out.mean, noise.targets)[0, 1] < 0.3
    assert np.corrcoef(model.predict(noise.rows)[0], noise.targets)[0, 1] > 0.6


def test_members_of_the_cross_validation() -> None:
    """There is one for each part of each round; their mean is the prediction."""
    known = lesson(40)
    model, _ = fit_boosting(known, np.random.default_rng(0))
    assert isinstance(model, Trees)
    members = model.members(known.rows)
    assert FOLDS * ROUNDS == len(members)
    assert members.mean(axis=0).tolist() == model.predict(known.rows)[0].tolist()
