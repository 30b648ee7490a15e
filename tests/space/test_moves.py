"""Steps from one architecture to another, case by case; their laws are in test_space_laws.py."""

from __future__ import annotations

import numpy as np
import pytest
from declared import op, seq

from netwright.errors import SpaceError
from netwright.space import Node, OneOf, Op, SearchSpace, choice, integer, real, total
from netwright.types import Architecture


def test_moves_of_reals() -> None:
    """A neighbour moves a real to one of five points; a mutation draws another; a crossover takes a parent's."""
    space = SearchSpace(op("a", r=real("r", 0.0, 1.0), c=choice("c", [1, 2])))
    a, b = space.architecture({"r": 0.5, "c": 1}), space.architecture({"r": 0.25, "c": 2})
    assert [n["r"] for n in space.neighbours(a) if n["c"] == 1] == pytest.approx([0.1, 0.3, 0.7, 0.9])
    assert [n["r"] for n in space.neighbours(a) if n["c"] == 2] == [0.5]
    rng = np.random.default_rng(0)
    for _ in range(20):
        child = space.mutate(a, rng, 2)
        assert child["r"] != 0.5
        assert child["c"] == 2
        assert space.crossover(a, b, rng)["r"] in (0.5, 0.25)


def test_mutation_says_when_nothing_can_change() -> None:
    """No child with so many changes, or an impossible number, is an error with the cure."""
    space = SearchSpace(op("o", a=choice("a", [1]), b=choice("b", [1, 2])))
    arch = space.architecture({"a": 1, "b": 1})
    rng = np.random.default_rng(0)
    assert space.mutate(arch, rng) == space.architecture({"a": 1, "b": 2})
    with pytest.raises(
        SpaceError, match=r"no architecture differs .* in exactly 2 decisions that both have; take a smaller k"
    ):
        space.mutate(arch, rng, 2)
    with pytest.raises(SpaceError, match="k must be a whole number >= 1, got 0"):
        space.mutate(arch, rng, 0)


def test_mutation_takes_decisions_evenly() -> None:
    """A branch with a million completions is not mutated into more often than a kernel is changed."""
    inner = op("big", **{f"w{i}": integer(f"w{i}", 0, 9) for i in range(6)})
    body = seq(
        OneOf(choice("op", ["skip", "big"]), (("skip", Op("identity")), ("big", inner))), op("c", k=choice("k", [3, 5]))
    )
    space = SearchSpace(body)
    arch = space.architecture({"op": "skip", "k": 3})
    rng = np.random.default_rng(0)
    kept = sum(space.mutate(arch, rng)["op"] == "skip" for _ in range(400))
    assert 140 < kept < 260


def test_mutation_takes_values_evenly() -> None:
    """Of two new branches the one with a million completions is not taken more often; inside it all are drawn."""
    inner = op("big", **{f"w{i}": integer(f"w{i}", 0, 9) for i in range(6)})
    branches: dict[str, Node] = {"skip": Op("identity"), "small": Op("small"), "big": inner}
    space = SearchSpace(OneOf(choice("op", list(branches)), tuple(branches.items())))
    rng = np.random.default_rng(0)
    children = [space.mutate(space.architecture({"op": "skip"}), rng) for _ in range(400)]
    assert 140 < sum(child["op"] == "small" for child in children) < 260
    assert {child["w5"] for child in children if "w5" in child} == set(range(10))


def test_moves_refuse_what_is_not_in_the_space(space: SearchSpace) -> None:
    """Neighbours, mutation and crossover of a foreign architecture name the wrong decision."""
    foreign = Architecture({"op": "nothing", "epochs": 1})
    good = space.architecture({"op": "skip", "epochs": 1})
    rng = np.random.default_rng(0)
    for call in (
        lambda: space.neighbours(foreign),
        lambda: space.mutate(foreign, rng),
        lambda: space.crossover(good, foreign, rng),
        lambda: space.resolve(foreign),
        lambda: space.canonical_id(foreign),
        lambda: space.encode(foreign),
    ):
        with pytest.raises(SpaceError, match="decision 'op' must be one of"):
            call()


def test_crossover_mixes() -> None:
    """Both parents' values are taken, and constraints that a naive mix would break hold."""
    widths = [integer(f"w{i}", 0, 9) for i in range(6)]
    space = SearchSpace(op("o", w=tuple(widths)), constraints=[total(widths) <= 9])
    a = space.architecture({f"w{i}": 3 if i < 3 else 0 for i in range(6)})
    b = space.architecture({f"w{i}": 3 if i >= 3 else 0 for i in range(6)})
    rng = np.random.default_rng(0)
    children = {space.crossover(a, b, rng) for _ in range(100)}
    assert len(children) > 10
    assert all(space.contains(c) for c in children)
