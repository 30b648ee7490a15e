"""Canonical ids: equal for isomorphic networks, different for all others."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from published import OPS_201

from netwright.space import Cell, CellNode, CellTerm, Edge, NodeTerm, OneOf, Op, OpTerm, SearchSpace, Term, choice, real
from netwright.space.canonical import canonical_id

LABELS = ("conv", "pool", "identity", "zero")


def id_of(term: Term) -> str:
    return canonical_id(term, {})


def random_cell(rng: np.random.Generator) -> CellTerm:
    """A cell with operations on edges and on nodes, sums, means and concatenations, and unused nodes."""
    num_nodes = int(rng.integers(2, 8))
    nodes = []
    for number in range(1, num_nodes + 1):
        sources = [s for s in range(number) for _ in range(2) if rng.random() < 0.3] or [int(rng.integers(number))]
        edges = tuple((s, OpTerm(str(rng.choice(LABELS)))) for s in sources)
        op = OpTerm(str(rng.choice(["conv", "relu"]))) if rng.random() < 0.5 else None
        nodes.append(NodeTerm(edges, str(rng.choice(["sum", "sum", "mean", "multiply"])), op))
    outputs = sorted(int(n) for n in rng.choice(num_nodes, int(rng.integers(1, num_nodes + 1)), replace=False) + 1)
    return CellTerm(1, tuple(nodes), tuple(outputs), "sum")


def relabelled(cell: CellTerm, rng: np.random.Generator) -> CellTerm:
    """The same cell with its nodes in another topological order and its edges and outputs in another order."""
    left = set(range(1, len(cell.nodes) + 1))
    place = {0: 0}
    nodes: list[NodeTerm] = []
    while left:
        ready = sorted(n for n in left if all(s in place for s, _ in cell.nodes[n - 1].edges))
        taken = int(rng.choice(ready))
        left.remove(taken)
        node = cell.nodes[taken - 1]
        edges = [(place[s], op) for s, op in node.edges]
        nodes.append(NodeTerm(tuple(edges[i] for i in rng.permutation(len(edges))), node.combine, node.op))
        place[taken] = len(nodes)
    return CellTerm(1, tuple(nodes), tuple(place[o] for o in rng.permutation(cell.outputs)), cell.combine)


def check_relabellings(count: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(count // 5):
        cell = random_cell(rng)
        assert {id_of(relabelled(cell, rng)) for _ in range(5)} == {id_of(cell)}


def test_ids_are_invariant_under_relabelling() -> None:
    """Renumbering the nodes of a cell changes nothing: 1,000 relabellings."""
    check_relabellings(1_000)


@pytest.mark.slow
def test_ids_are_invariant_under_ten_thousand_relabellings() -> None:
    """The same 10,000 times."""
    check_relabellings(10_000)


def brute_form(operations: tuple[str, ...]) -> object:
    """What a cell of NAS-Bench-201 computes: the smallest description over all orders of its operation instances."""
    edges = dict(zip([(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)], operations, strict=True))
    instances: list[tuple[str, tuple[object, ...]]] = []
    values: list[tuple[object, ...]] = [("x",)]
    for target in (1, 2, 3):
        terms: list[object] = []
        for source in range(target):
            kind = edges[source, target]
            if kind == "skip":
                terms.extend(values[source])
            elif kind != "none":
                instances.append((kind, values[source]))
                terms.append(len(instances) - 1)
        values.append(tuple(t for t in terms if t != "zero") or ("zero",))
    used: set[object] = set()
    pending = list(values[3])
    while pending:
        term = pending.pop()
        if isinstance(term, int) and term not in used:
            used.add(term)
            pending.extend(instances[term][1])
    kept = [i for i in range(len(instances)) if i in used]
    forms = []
    for order in itertools.permutations(range(len(kept))):
        place: dict[object, str] = {"x": "x", "zero": "zero"} | {k: str(p) for k, p in zip(kept, order, strict=True)}
        rows = sorted((place[k], instances[k][0], sorted(place[t] for t in instances[k][1])) for k in kept)
        forms.append((sorted(place[t] for t in values[3]), rows))
    return str(min(forms))


def cell_201(operations: tuple[str, ...]) -> CellTerm:
    kinds = iter(operations)
    nodes = [NodeTerm(tuple((i, OpTerm(OPS_201[next(kinds)])) for i in range(j))) for j in (1, 2, 3)]
    return CellTerm(1, tuple(nodes), (3,))


def check_partition(kinds: tuple[str, ...]) -> None:
    pairs = [(brute_form(o), id_of(cell_201(o))) for o in itertools.product(kinds, repeat=6)]
    assert len({form for form, _ in pairs}) == len(set(pairs)) == len({canonical for _, canonical in pairs})


def test_ids_are_isomorphism_classes() -> None:
    """Over a whole small space ids are equal exactly where some renumbering makes the networks equal."""
    check_partition(("none", "skip", "conv1"))


@pytest.mark.slow
def test_ids_are_isomorphism_classes_of_more_operations() -> None:
    """The same with a second operation that has weights: 4,096 cells."""
    check_partition(("none", "skip", "conv1", "conv3"))


def layered(reads: list[tuple[int, int]]) -> CellTerm:
    """Convolutions of the input, as many more that each read two of them, and the sum of those."""
    first = [NodeTerm(((0, OpTerm("conv")),)) for _ in reads]
    second = [
        NodeTerm(((1 + a, OpTerm("identity")), (1 + b, OpTerm("identity"))), "sum", OpTerm("conv")) for a, b in reads
    ]
    return CellTerm(1, (*first, *second), tuple(range(1 + len(reads), 1 + 2 * len(reads))), "sum")


def test_graphs_that_refinement_cannot_tell_apart() -> None:
    """A hexagon and two triangles look alike from every vertex and have different ids; renumbered they keep them."""
    ring = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0)]
    pair = [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3)]
    hexagon, triangles = layered(ring), layered(pair)
    both = layered([*ring, *((a + 6, b + 6) for a, b in pair)])
    assert len({id_of(hexagon), id_of(triangles), id_of(both)}) == 3
    rng = np.random.default_rng(0)
    for cell in (hexagon, triangles, both):
        assert {id_of(relabelled(cell, rng)) for _ in range(10)} == {id_of(cell)}


def test_symmetric_cells_are_fast() -> None:
    """Thirty equal branches of two operations are not searched in all their orders."""
    branches = [NodeTerm(((0, OpTerm("conv")),), "sum", OpTerm("relu")) for _ in range(30)]
    start = time.perf_counter()
    id_of(CellTerm(1, tuple(branches), tuple(range(1, 31)), "sum"))
    assert time.perf_counter() - start < 20


def test_shared_is_not_copied() -> None:
    """One convolution read twice has one set of weights; two equal ones have two."""
    conv, pool, skip = OpTerm("conv"), OpTerm("pool"), OpTerm("identity")
    shared = CellTerm(1, (NodeTerm(((0, conv),)), NodeTerm(((1, pool), (1, skip)))), (2,))
    copied = CellTerm(1, (NodeTerm(((0, conv),)), NodeTerm(((0, conv),)), NodeTerm(((1, pool), (2, skip)))), (3,))
    assert id_of(shared) != id_of(copied)


def test_what_does_nothing_does_not_count() -> None:
    """Identities, nested sequences, zeros in sums, nodes that reach nothing or that nothing reaches leave no trace."""
    conv, relu = OpTerm("conv", (("width", 8), ("kernel", 3))), OpTerm("relu")
    plain = OpTerm("seq", children=(conv, relu))
    turned = OpTerm("conv", (("kernel", 3), ("width", 8)))
    same: list[Term] = [
        OpTerm("seq", children=(OpTerm("seq", children=(conv,)), OpTerm("identity"), OpTerm("seq"), relu)),
        OpTerm("seq", children=(turned, relu)),
        CellTerm(1, (NodeTerm(((0, conv),), "concat", relu),), (1,)),
        CellTerm(1, (NodeTerm((), "sum", conv), NodeTerm(((0, conv), (1, conv)), "sum", relu)), (2,)),
        CellTerm(1, (NodeTerm(((0, conv), (0, OpTerm("zero")))), NodeTerm(((1, relu),)), NodeTerm(((1, conv),))), (2,)),
    ]
    assert {id_of(term) for term in same} == {id_of(plain)}


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (OpTerm("conv", (("width", 1),)), OpTerm("conv", (("width", 1.0),))),
        (OpTerm("conv", (("bias", True),)), OpTerm("conv", (("bias", 1),))),
        (OpTerm("seq", children=(OpTerm("a"), OpTerm("b"))), OpTerm("seq", children=(OpTerm("b"), OpTerm("a")))),
        (OpTerm("residual", children=(OpTerm("a"),)), OpTerm("a")),
        (
            OpTerm("seq", children=(OpTerm("a"), OpTerm("residual", children=(OpTerm("b"),)))),
            OpTerm("residual", children=(OpTerm("seq", children=(OpTerm("a"), OpTerm("b"))),)),
        ),
        (OpTerm("class", target=int), OpTerm("class", target=float)),
        (OpTerm("seq", children=(OpTerm("zero"), OpTerm("conv"))), OpTerm("zero")),
        (OpTerm("seq"), OpTerm("zero")),
    ],
)
def test_what_differs_has_another_id(a: Term, b: Term) -> None:
    """Types of arguments, order, nesting, classes and zeros before operations count."""
    assert id_of(a) != id_of(b)


@pytest.mark.parametrize(("combine", "same"), [("sum", True), ("mean", True), ("multiply", True), ("concat", False)])
def test_order_matters_to_concat_alone(combine: str, same: bool) -> None:
    """Channels of a concatenation have an order, terms of a sum have none."""

    def joined(first: str, second: str) -> CellTerm:
        nodes = tuple(NodeTerm(((0, OpTerm(kind)),)) for kind in (first, second))
        return CellTerm(1, nodes, (1, 2), combine)

    assert (id_of(joined("a", "b")) == id_of(joined("b", "a"))) is same
    cell = joined("a", "b")
    assert (id_of(cell) == id_of(CellTerm(1, cell.nodes, (2, 1), combine))) is same


def test_the_same_vertex_twice_is_not_once() -> None:
    """A value added to itself is not itself."""
    skip = OpTerm("identity")
    assert id_of(CellTerm(1, (NodeTerm(((0, skip), (0, skip))),), (1,))) != id_of(OpTerm("seq"))


def test_training_values_are_part_of_the_id() -> None:
    """The same network trained otherwise is another architecture."""
    op = OneOf(choice("op", ["a", "b"]), (("a", Op("conv")), ("b", Op("seq", (), (Op("conv"), Op("identity"))))))
    space = SearchSpace(op, training={"rate": real("rate", 0.1, 1.0)})
    a = space.architecture({"op": "a", "rate": 0.5})
    b = space.architecture({"op": "b", "rate": 0.5})
    c = space.architecture({"op": "a", "rate": 0.25})
    assert space.canonical_id(a) == space.canonical_id(b) != space.canonical_id(c)
    assert a.id != b.id


def test_ids_are_the_same_in_every_process() -> None:
    """A known id, so that a change of the rule is seen."""
    space = SearchSpace(Cell(1, (CellNode((Edge(0, Op("conv")), Edge(0, Op("pool")))), CellNode((Edge(1, Op("a")),)))))
    assert space.canonical_id(space.architecture({})) == "3944514fc9b6eb10"
