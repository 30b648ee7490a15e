"""Candidates near the best: they are near, they grow, and they stay in the space."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.predictors.features import Features
from netwright.strategies.candidates import FIRST_RANDOM, MOST_FAR, MOST_RANDOM, Candidates
from netwright.testing import cell_space, example_spaces
from netwright.types import Architecture

SPACES = example_spaces()


def changes(a: Architecture, b: Architecture) -> int:
    return sum(a[name] != b[name] for name in a)


def test_neighbours_of_the_best_are_among_them() -> None:
    """All 24 neighbours of each of the two cells, networks two decisions away, and 200 random ones."""
    space, rng = cell_space(), np.random.default_rng(0)
    features = Features(space, rng)
    best = [space.sample(rng) for _ in range(2)]
    numbers = features.numbers(best).tolist()
    found = {features.architecture(n) for n in Candidates(space, features, rng).around(numbers, numbers).tolist()}
    assert {near for parent in best for near in space.neighbours(parent)} <= found
    assert sum(min(changes(a, parent) for parent in best) == 2 for a in found) >= 30
    assert len(found) > FIRST_RANDOM


@pytest.mark.long
def test_collections_grow_up_to_their_limits() -> None:
    """What was a candidate stays one while its parent is among the best; random ones give way to younger ones."""
    space, rng = cell_space(), np.random.default_rng(0)
    features = Features(space, rng)
    candidates = Candidates(space, features, rng)
    parent = features.numbers([space.sample(rng)]).tolist()
    before = set(candidates.around(parent, parent).tolist())
    for _ in range(200):
        last = set(candidates.around(parent, parent).tolist())
    assert len(before) < len(last) <= 24 + MOST_FAR + MOST_RANDOM


@pytest.mark.parametrize("name", SPACES)
def test_every_space_has_candidates(name: str) -> None:
    """They are in the space and ascending, also in spaces of a few architectures or of innumerable ones."""
    space, rng = SPACES[name], np.random.default_rng(0)
    features = Features(space, rng)
    candidates = Candidates(space, features, rng)
    for _ in range(5):
        parent = features.numbers([space.sample(rng)]).tolist()
        near = candidates.around(parent, parent)
        assert (np.diff(near) > 0).all()
        assert all(space.contains(features.architecture(n)) for n in near.tolist())
