"""Mutations of a space without dependent decisions are those of the guided walk, with the same random numbers."""

from __future__ import annotations

import numpy as np
import pytest

from netwright import nn
from netwright.nn.spaces import nas_bench_201
from netwright.space import SearchSpace, choice, integer, real
from netwright.space.chain import Chain
from netwright.space.moves import Moves

FREE = SearchSpace(
    nn.seq(
        nn.conv(choice("width", [8, 16, 24]), kernel=choice("kernel", [3])),
        nn.one_of("kind", {"a": nn.relu(), "b": nn.identity()}),
        nn.linear(integer("features", 2, 900)),
    ),
    training={"rate": real("rate", 0.1, 0.5)},
)


def _guided(space: SearchSpace) -> Moves:
    moves = Moves(space._program, space._folded[0], ())
    moves._chain = None
    return moves


@pytest.mark.parametrize("changes", [1, 2, 3])
@pytest.mark.parametrize("space", [FREE, nas_bench_201((3, 32, 32), 10)], ids=["free", "nas-bench-201"])
def test_draws_what_the_guided_walk_draws(space: SearchSpace, changes: int) -> None:
    """The same parent, changes and generator give the same child, and leave the generator the same."""
    guided, parents = _guided(space), np.random.default_rng(0)
    assert space._moves._chain is not None
    for seed in range(100):
        parent = space.sample(parents)
        one, other = np.random.default_rng(seed), np.random.default_rng(seed)
        assert guided.mutate(parent, one, changes) == space._moves.mutate(parent, other, changes)
        assert one.random() == other.random()


def test_a_decision_with_one_value_is_not_changed() -> None:
    """Where a decision has no other value, no child changes it."""
    parent = FREE.sample(np.random.default_rng(0))
    chain = Chain.of(FREE._folded[0])
    assert chain is not None
    assert not chain.can_change(parent, {"kernel", "width"})
    assert chain.can_change(parent, {"width", "rate"})


def test_a_space_whose_decisions_depend_on_each_other_is_no_chain() -> None:
    """A branch with a choice of its own makes the diagram branch."""
    space = SearchSpace(nn.one_of("kind", {"conv": nn.conv(choice("width", [8, 16])), "none": nn.relu()}))
    assert Chain.of(space._folded[0]) is None
