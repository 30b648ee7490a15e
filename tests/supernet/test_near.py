"""What is looked at around an architecture: all neighbours where they are few, else some of each decision."""

from __future__ import annotations

import numpy as np
import pytest

from netwright import nn
from netwright.nn.networks import Networks
from netwright.space import Node, SearchSpace, choice, integer, real
from netwright.supernet.near import MOST_LISTED, MOST_VALUES, near
from netwright.supernet.sampling import ends
from netwright.types import Architecture


def nested() -> SearchSpace:
    """Up to six blocks of three sizes each: what a deeper network may decide are millions of ways."""

    def block(i: int) -> Node:
        sizes = choice(f"kernel{i}", [1, 3, 5]), choice(f"expand{i}", [1, 2, 3]), choice(f"se{i}", [0, 2, 4])
        return nn.mbconv(8, sizes[0], expand=sizes[1], se=sizes[2])

    return SearchSpace(nn.seq(nn.conv(8), nn.repeat("depth", block, 1, 6), nn.global_pool(), nn.linear(4)))


def smallest(space: SearchSpace) -> Architecture:
    return space.architecture({"depth": 1, "kernel0": 1, "expand0": 1, "se0": 0})


def test_few_neighbours_are_all_looked_at() -> None:
    """As the space lists them."""
    space = nested()
    deep = space.sample(np.random.default_rng(0))
    assert deep["depth"] == 6
    found = near(space, deep)
    assert found == list(space.neighbours(deep))
    assert len(found) <= MOST_LISTED


@pytest.mark.timeout(60)
def test_of_many_some_of_each_decision_are_looked_at() -> None:
    """Every value of every decision, and of what is new little; all are architectures of the space."""
    space = nested()
    found = near(space, smallest(space))
    assert len(found) == len(set(found)) < 50
    assert smallest(space) not in found
    assert all(space.contains(a) for a in found)
    for name, values in {"kernel0": {3, 5}, "expand0": {2, 3}, "se0": {2, 4}, "depth": {2, 3, 4, 5, 6}}.items():
        assert {a[name] for a in found} - {smallest(space)[name]} == values


@pytest.mark.timeout(60)
def test_the_ends_of_a_nested_space_are_found() -> None:
    """The largest network and the smallest, in a moment."""
    space = nested()
    largest, least = ends(Networks(space, input_shape=(3, 8, 8)))
    assert largest["depth"] == 6
    assert {largest[f"{name}{i}"] for name, i in ((n, i) for n in ("kernel", "expand") for i in range(6))} == {3, 5}
    assert (least["depth"], least["kernel0"], least["expand0"]) == (1, 1, 1)


def test_of_long_ranges_both_ends_and_what_is_beside_are_looked_at() -> None:
    """Also of real numbers."""
    space = SearchSpace(training={"a": integer("a", 1, 10**6), "b": integer("b", 3, 10**9), "c": real("c", 0.1, 0.9)})
    here = space.architecture({"a": 5, "b": 5000, "c": 0.5})
    found = near(space, here)
    assert all(space.contains(other) for other in found)
    assert {1, 4, 6, 10**6} <= {other["a"] for other in found}
    assert {3, 4999, 5001, 10**9} <= {other["b"] for other in found}
    assert {0.1, 0.9} <= {other["c"] for other in found}
    assert len({other["b"] for other in found}) <= MOST_VALUES + 1


def test_constraints_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that one excludes is not looked at, or what it excludes is decided anew."""
    monkeypatch.setattr("netwright.supernet.near.MOST_LISTED", 3)
    a, b = choice("a", [1, 2, 3, 4]), choice("b", [1, 2, 3, 4])
    space = SearchSpace(training={"a": a, "b": b}, constraints=[a <= b])
    found = near(space, space.architecture({"a": 2, "b": 3}))
    assert all(space.contains(other) for other in found)
    assert {(1, 3), (3, 3), (2, 2), (2, 4)} <= {(other["a"], other["b"]) for other in found}
