"""Search spaces of the literature, of operations that are only counted."""

from __future__ import annotations

import itertools

import numpy as np

from netwright.space import (
    Cell,
    CellNode,
    Edge,
    Node,
    OneOf,
    Op,
    Repeat,
    SearchSpace,
    choice,
    contains,
    flag,
    integer,
    subset,
    total,
)

OPS_201 = {"none": "zero", "skip": "identity", "conv1": "conv1", "conv3": "conv3", "pool": "pool"}


def one_of(name: str, kinds: dict[str, str]) -> Node:
    """One of operations without arguments."""
    return OneOf(choice(name, list(kinds)), tuple((key, Op(kind)) for key, kind in kinds.items()))


def nasbench201() -> SearchSpace:
    """Dong and Yang 2020: four nodes, five operations on each edge."""
    return SearchSpace(
        Cell(1, tuple(CellNode(tuple(Edge(i, one_of(f"{i}-{j}", OPS_201)) for i in range(j))) for j in (1, 2, 3)))
    )


def nasbench101(most: int = 7) -> SearchSpace:
    """Ying et al. 2019: 2 to ``most`` vertices, at most nine edges, three operations, every inner vertex in use."""
    flags = {(i, j): flag(f"{i}-{j}") for j in range(1, most) for i in range(j)}
    vertices = integer("vertices", 2, most)
    rules = [total(list(flags.values())) <= 9]
    nodes = []
    for j in range(1, most):
        edges = tuple(Edge(i, Op("identity"), flags[i, j]) for i in range(j))
        rules.append(total([flags[i, j] for i in range(j)]) >= 1)
        if j == most - 1:
            nodes.append(CellNode(edges))
        else:
            rules.append(total([flags[j, k] for k in range(j + 1, most)]) >= 1)
            op = one_of(f"op{j}", {"conv1": "conv1", "conv3": "conv3", "pool": "pool"})
            nodes.append(CellNode(edges, op=op, present=vertices >= j + 2))
    return SearchSpace(Cell(1, tuple(nodes)), constraints=rules)


def darts_cell(prefix: str) -> Cell:
    """Liu et al. 2019: four nodes, each of two earlier values through one of seven operations, then concatenated."""
    kinds = {name: name for name in ("sep3", "sep5", "dil3", "dil5", "max3", "avg3", "skip")}
    nodes = []
    for j in range(2, 6):
        inputs = subset(f"{prefix}.inputs{j}", list(range(j)), 2, 2)
        edges = tuple(Edge(i, one_of(f"{prefix}.op{i}-{j}", kinds), contains(inputs, i)) for i in range(j))
        nodes.append(CellNode(edges))
    return Cell(2, tuple(nodes), "concat")


def mobile() -> SearchSpace:
    """MobileNet-like: depths, shared widths, kernels, expansions, squeeze-excite, skips."""
    parts: list[Node] = []
    for stage in range(5):
        width = choice(f"width{stage}", [16 * (stage + 1), 24 * (stage + 1)])
        blocks: list[Node] = []
        for i in range(4):
            name = f"{stage}.{i}"
            args = (
                ("width", width),
                ("kernel", choice(f"kernel{name}", [3, 5, 7])),
                ("hidden", width * choice(f"expand{name}", [3, 6])),
            )
            squeeze = OneOf(flag(f"squeeze{name}"), ((False, Op("identity")), (True, Op("squeeze"))))
            blocks.append(Op("seq", (), (Op("mbconv", args), squeeze)))
        parts.append(Repeat(integer(f"depth{stage}", 2, 4), tuple(blocks)))
    return SearchSpace(Op("seq", (), tuple(parts)))


def everything() -> SearchSpace:
    """Depth, widths, kernels, operations, skip connections and recurrent parts are all choices."""
    width = choice("width", [16, 32])
    nodes: list[CellNode] = []
    for j in range(1, 5):
        body = {
            "conv": Op("conv", (("width", width), ("kernel", choice(f"kernel{j}", [3, 5])))),
            "recurrent": Op(
                "recurrent",
                (("width", width), ("cell", choice(f"cell{j}", ["gru", "lstm"])), ("both", flag(f"both{j}"))),
            ),
        }
        op = OneOf(choice(f"kind{j}", list(body)), tuple(body.items()))
        skips = tuple(Edge(i, Op("identity"), flag(f"skip{i}-{j}")) for i in range(j - 1))
        nodes.append(CellNode((*skips, Edge(j - 1, Op("identity"))), op=op, present=integer("depth", 1, 4) >= j))
    return SearchSpace(Cell(1, tuple(nodes)))


def count_101(most: int) -> tuple[int, int]:
    """Number of NAS-Bench-101's cells as written, and up to isomorphism, by brute force over adjacency matrices.

    Isomorphism classes of graphs by the smallest key over all permutations of the inner vertices; labellings of each
    by Burnside's lemma.
    """
    written = classes = 0
    for n in range(2, most + 1):
        matrices = _matrices_101(n)
        written += len(matrices) * 3 ** (n - 2)
        weights = 2 ** np.arange(n * n, dtype=np.int64)
        permutations = [(0, *p, n - 1) for p in itertools.permutations(range(1, n - 1))]
        keys = np.stack([matrices[:, p][:, :, p].reshape(-1, n * n) @ weights for p in map(list, permutations)])
        _, first = np.unique(keys.min(axis=0), return_index=True)
        cycles = np.array([_cycles(p) - 2 for p in permutations])
        same = keys[:, first] == keys[0, first]
        fixed = (same * 3 ** cycles[:, None]).sum(axis=0)
        classes += int((fixed // same.sum(axis=0)).sum())
    return written, classes


def _matrices_101(n: int) -> np.ndarray:
    rows, columns = np.triu_indices(n, 1)
    codes = np.arange(2 ** len(rows), dtype=np.int64)
    bits = np.zeros(len(codes), dtype=np.int64)
    for position in range(len(rows)):
        bits += codes >> position & 1
    codes = codes[bits <= 9]
    matrices = np.zeros((len(codes), n, n), dtype=np.int64)
    for position, (i, j) in enumerate(zip(rows, columns, strict=True)):
        matrices[:, i, j] = codes >> position & 1
    used = (matrices.sum(axis=1)[:, 1:] > 0).all(axis=1) & (matrices.sum(axis=2)[:, :-1] > 0).all(axis=1)
    return matrices[used]


def _cycles(permutation: tuple[int, ...]) -> int:
    left, count = set(range(len(permutation))), 0
    while left:
        at = left.pop()
        count += 1
        while (at := permutation[at]) in left:
            left.remove(at)
    return count
