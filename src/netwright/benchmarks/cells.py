"""The cell of NAS-Bench-201 and its kin: one operation on each of its edges, sums at its nodes.

The cell stands for the network: what is around it is the same for all architectures, and so tells none from another.
Cells that are the same up to the numbering of nodes, dead parts and skips share a canonical id.

References:
    X. Dong and Y. Yang, 2020, "NAS-Bench-201".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netwright.errors import DataError, wrong
from netwright.space import Cell, CellNode, Edge, OneOf, Op, SearchSpace, choice, equal

EMPTY, SKIP = "none", "skip_connect"
"""What the files call no connection and a connection without operation."""


def cell_space(edges: Mapping[str, tuple[int, int]], operations: Sequence[str]) -> SearchSpace:
    """Declare the space of cells.

    Args:
        edges: source and target node of every edge, by the name of its decision; node 0 is the input.
        operations: what an edge may be; ``none``, ``skip_connect`` and ``identity`` have their meaning, all else is an
            operation.

    Raises:
        DataError: an edge does not lead to a later node, or a node has no edge.

    Example:
        >>> cell_space({"edge0-1": (0, 1), "edge0-2": (0, 2), "edge1-2": (1, 2)}, ["none", "conv"]).count()
        8
    """
    for name, (source, target) in edges.items():
        if not 0 <= source < target:
            raise DataError(wrong(f"edge {name!r}", (source, target), "from a node to a later one"))
    last = max(target for _, target in edges.values())
    nodes = []
    for node in range(1, last + 1):
        into = tuple(_edge(name, source, operations) for name, (source, target) in edges.items() if target == node)
        if not into:
            raise DataError(f"node {node} of the cell has no edge; give one")
        nodes.append(CellNode(into))
    return SearchSpace(Cell(1, tuple(nodes)))


def _edge(name: str, source: int, operations: Sequence[str]) -> Edge:
    selector = choice(name, operations)
    kinds = {EMPTY: "zero", SKIP: "identity"}
    branches = tuple((operation, Op(kinds.get(operation, operation))) for operation in operations)
    return Edge(source, OneOf(selector, branches), present=~equal(selector, EMPTY) if EMPTY in operations else None)
