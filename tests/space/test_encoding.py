"""Encodings and operation graphs: fixed lengths, and every entry where it is said to be."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from published import nasbench201
from random_spaces import brute_force, random_space

from netwright.errors import SpaceError
from netwright.space import CellTerm, NodeTerm, OneOf, Op, OpTerm, SearchSpace, choice, flag, integer, real, subset
from netwright.space.encoding import path_counts
from netwright.space.graph import operation_graph


def test_one_hot_entries() -> None:
    """Blocks in the order of declaration, numbers scaled, the last entry of a block for an inactive choice."""
    args = (
        ("k", choice("k", [3, 5])),
        ("n", integer("n", 2, 6)),
        ("w", integer("w", 1, 100, log=True)),
        ("r", real("r", 0.0, 4.0)),
        ("s", subset("s", ["x", "y", "z"])),
    )
    space = SearchSpace(OneOf(flag("on"), ((False, Op("identity")), (True, Op("conv", args)))))
    arch = space.architecture({"on": True, "k": 5, "n": 3, "w": 10, "r": 1.0, "s": ["z", "x"]})
    expected = [*(0, 1, 0), *(0, 1, 0), *(0.25, 0), *(0.5, 0), *(0.25, 0), *(1, 0, 1, 0)]
    assert space.encode(arch).tolist() == pytest.approx(expected)
    off = space.architecture({"on": False})
    assert space.encode(off).tolist() == [*(1, 0, 0), *(0, 0, 1), *(0, 1), *(0, 1), *(0, 1), *(0, 0, 0, 1)]


def test_one_hot_of_dependent_choices() -> None:
    """A dependent choice has an entry for every value of any row; an integer is scaled over all its ranges."""
    width = choice("width", [1, 4])
    kernel = choice("kernel", {1: [3, 5], 4: [5, 7]}, on=width)
    space = SearchSpace(Op("conv", (("k", kernel), ("n", integer("n", 0, width)))))
    arch = space.architecture({"width": 4, "kernel": 7, "n": 1})
    assert space.encode(arch).tolist() == [*(0, 1, 0), *(0, 0, 1, 0), *(0.25, 0)]


def test_one_hot_is_injective() -> None:
    """Different architectures have different one-hot vectors, on random spaces."""
    for seed in range(60):
        declaration = random_space(seed)
        archs = brute_force(declaration)
        if archs:
            space = SearchSpace(declaration.root, constraints=declaration.constraints, training=declaration.training)
            assert len({space.encode(arch).tobytes() for arch in archs}) == len(archs)
            assert len({space.encode(arch, "adjacency").shape for arch in archs}) == 1


def test_adjacency_entries() -> None:
    """Kinds one-hot by vertex, padded, the output last; then the upper triangle."""
    body = Op("seq", (), (Op("a"), OneOf(flag("f"), ((False, Op("identity")), (True, Op("b"))))))
    space = SearchSpace(body)
    names = sorted({"a", "b", "input", "output", "sum", "mean", "multiply", "concat", "nothing", "cell-input"})
    for chosen, kinds in ((True, ["input", "a", "b", "output"]), (False, ["input", "a", None, "output"])):
        vector = space.encode(space.architecture({"f": chosen}), "adjacency")
        one_hot = vector[: 4 * len(names)].reshape(4, len(names))
        assert [names[int(row.argmax())] if row.any() else None for row in one_hot] == kinds
        assert one_hot.sum() == 4 - kinds.count(None)
        triangle = vector[4 * len(names) :].tolist()  # 01 02 03 12 13 23
        assert triangle == ([1, 0, 0, 1, 0, 1] if chosen else [1, 0, 0, 0, 1, 0])


def naive_paths(cell: CellTerm) -> int:
    ways = [1]
    for node in cell.nodes:
        ways.append(sum(ways[source] for source, _ in node.edges))
    return ways[-1]


def test_paths_are_counted() -> None:
    """The counts sum to the number of paths, exponentially many included, and tell operations and their order."""
    double = NodeTerm(((0, OpTerm("conv")), (0, OpTerm("pool"))))
    nodes = [double] + [NodeTerm(((i, OpTerm("conv")), (i, OpTerm("pool")))) for i in range(1, 40)]
    cell = CellTerm(1, tuple(nodes), (40,))
    assert np.expm1(path_counts(operation_graph(cell))).sum() == pytest.approx(2.0**40)
    assert naive_paths(cell) == 2**40
    orders = [OpTerm("seq", children=tuple(map(OpTerm, kinds))) for kinds in itertools.permutations("abc")]
    assert len({path_counts(operation_graph(term)).tobytes() for term in orders}) == 6
    assert path_counts(operation_graph(orders[0])).sum() == pytest.approx(math.log(2))


def test_paths_tell_nasbench201_apart() -> None:
    """Architectures with different sets of paths have different path encodings, in a sample."""
    space = nasbench201()
    rng = np.random.default_rng(0)
    by_code: dict[bytes, set[str]] = {}
    for _ in range(200):
        arch = space.sample(rng)
        by_code.setdefault(space.encode(arch, "path").tobytes(), set()).add(space.canonical_id(arch))
    assert max(len(ids) for ids in by_code.values()) <= 3


def test_graph_keeps_repeats_and_branches() -> None:
    """A residual block reads its input and its body; shared values are one vertex."""
    body = OpTerm("residual", children=(OpTerm("seq", children=(OpTerm("conv"), OpTerm("relu"))),))
    graph = operation_graph(OpTerm("seq", children=(body, OpTerm("pool"))))
    assert graph.labels == ("input", "conv", "relu", "residual", "pool", "output")
    assert graph.edges == ((0, 1), (1, 2), (0, 3), (2, 3), (3, 4), (4, 5))
    assert len(graph) == 6


def test_graph_of_an_architecture_is_that_of_its_term() -> None:
    """The space lays out what it resolves."""
    space = nasbench201()
    arch = space.architecture(
        {"0-1": "conv1", "0-2": "none", "1-2": "skip", "0-3": "pool", "1-3": "none", "2-3": "skip"}
    )
    graph = space.graph(arch)
    assert graph == operation_graph(space.resolve(arch))
    assert graph.kinds == ("input", "conv1", "pool", "sum", "output")


def test_unknown_encodings_are_named() -> None:
    """The known ones are listed, and a space without a network has only the one-hot encoding."""
    space = SearchSpace(None, training={"epochs": integer("epochs", 1, 3)})
    arch = space.architecture({"epochs": 2})
    assert space.encode(arch).tolist() == [0.5, 0.0]
    with pytest.raises(SpaceError, match=r"unknown encoding 'one-hit'; did you mean 'one-hot'\? known: adjacency"):
        space.encode(arch, "one-hit")
    with pytest.raises(SpaceError, match="the space has no network to encode as 'path'; take 'one-hot'"):
        space.encode(arch, "path")


def test_ordinal_entries() -> None:
    """A number's place among all it can take, whatever its spacing; names have none, and inactive ones are marked."""
    args = (
        ("k", choice("k", [7, 3, 5])),
        ("a", choice("a", ["relu", "gelu"])),
        ("n", integer("n", 2, 6)),
        ("b", flag("b")),
    )
    space = SearchSpace(OneOf(flag("on"), ((False, Op("identity")), (True, Op("conv", args)))))
    arch = space.architecture({"on": True, "k": 5, "a": "gelu", "n": 3, "b": True})
    assert space.encode(arch, "ordinal").tolist() == pytest.approx([0.5, 0, 0.25, 0])
    assert space.encode(space.architecture({"on": False}), "ordinal").tolist() == [0.5, 1, 0.5, 1]


def test_operation_entries() -> None:
    """Every operation is counted twice: with its arguments, and by its kind."""
    conv, wide = Op("conv", (("width", 16),)), Op("conv", (("width", 32),))
    space = SearchSpace(Op("seq", (), (conv, wide, conv, Op("relu"))))
    counts = space.encode(space.architecture({}), "operation")
    assert counts.sum() == 8
    assert sorted(counts[counts > 0]) == [1, 1, 1, 2, 3]
    wider = SearchSpace(Op("seq", (), (conv, wide, wide, Op("relu"))))
    assert np.abs(counts - wider.encode(wider.architecture({}), "operation")).sum() == 2


def test_statistics_are_those_of_the_network_and_the_same_in_every_space_object() -> None:
    """Isomorphic cells have equal statistics, others that differ in function do not; a new object says the same."""
    space, again = nasbench201(), nasbench201()
    rng = np.random.default_rng(0)
    by_id: dict[str, list[np.ndarray]] = {}
    for _ in range(300):
        arch = space.sample(rng)
        coded = space.encode(arch, "statistics")
        np.testing.assert_array_equal(coded, again.encode(arch, "statistics"))
        by_id.setdefault(space.canonical_id(arch), []).append(coded)
    twins = [rows for rows in by_id.values() if len(rows) > 1]
    assert len(twins) > 10
    for rows in twins:
        np.testing.assert_array_equal(rows[0], rows[1])
    different = np.unique(np.stack([rows[0] for rows in by_id.values()]), axis=0)
    assert len(different) > 0.95 * len(by_id)
