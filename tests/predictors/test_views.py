"""Views take turns, each tuned when its turn comes, and equal ones are one."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.predictors.features import Features
from netwright.predictors.gaussian_surrogate import GaussianProcessSurrogate
from netwright.predictors.surrogate import Surrogate
from netwright.predictors.views import VIEWS, Views
from netwright.space import Op, SearchSpace, choice
from netwright.testing import cell_space


def numbered(space: SearchSpace, count: int) -> Features:
    rng = np.random.default_rng(0)
    features = Features(space, rng)
    while len(features) < count:
        features.numbers([space.sample(rng) for _ in range(count)])
    return features


def test_a_cell_is_seen_in_two_ways() -> None:
    """The first view has no flow, the second has; ordinals and scores that the space lacks are in neither."""
    views = Views(numbered(cell_space(), 60), np.random.default_rng(0))
    assert isinstance(views, Surrogate)
    assert [model.parts for model in views.models] == [
        ("one-hot", "operation", "path"),
        ("one-hot", "operation", "path", "flow", "spread"),
    ]


def test_a_space_without_paths_has_one_view() -> None:
    """Where no part tells the views apart there is one model, and nothing is tuned twice."""
    space = SearchSpace(training={"a": choice("a", [1, 2, 3]), "b": choice("b", ["x", "y", "z"])})
    assert len(Views(numbered(space, 6), np.random.default_rng(0)).models) == 1


def test_a_chain_has_no_flow_of_its_own() -> None:
    """What an average path meets is, in a chain, what there is: the part is left out."""
    layers = [Op("conv", (("width", choice(f"w{i}", [8, 16, 24])),)) for i in range(4)]
    features = numbered(SearchSpace(Op("seq", children=tuple(layers))), 60)
    assert "flow" not in features.parts
    assert "spread" not in features.parts


def test_each_view_is_tuned_in_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tuning costs as much as with one model: the view that predicts is tuned, the other when it is asked."""
    tuned: list[int] = []
    original = GaussianProcessSurrogate.tune

    def counted(self: GaussianProcessSurrogate, numbers: np.ndarray, targets: np.ndarray) -> None:
        tuned.append(len(self.parts))
        original(self, numbers, targets)

    monkeypatch.setattr(GaussianProcessSurrogate, "tune", counted)
    rng = np.random.default_rng(0)
    views = Views(numbered(cell_space(), 60), rng, VIEWS)
    targets = rng.normal(size=20)
    predicted = []
    for count in (10, 11, 12):
        views.tune(np.arange(count), targets[:count])
        views.condition(np.arange(count), targets[:count])
        predicted.append(views.predict(np.arange(20, 50))[0])
    assert tuned == [3, 5, 3]
    assert not np.allclose(predicted[0], predicted[1])
