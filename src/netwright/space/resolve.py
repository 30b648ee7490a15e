"""From a declaration and an architecture's decisions to a `Term`: the network without choices.

Knows nothing of what operations compute.
"""

from __future__ import annotations

from collections.abc import Mapping

from netwright.errors import SpaceError
from netwright.space.nodes import Cell, CellNode, Node, OneOf, Repeat
from netwright.space.program import depth_of, evaluate_argument, is_present, uncovered
from netwright.space.terms import CellTerm, NodeTerm, OpTerm, Term
from netwright.space.trampoline import Recursion, gather, run
from netwright.space.values import typed
from netwright.types import Value


def resolve(node: Node, decisions: Mapping[str, Value]) -> Term:
    """Replace every choice by its decision.

    A one-of becomes its branch, a repeat a ``seq`` of its items, a cell keeps the nodes and edges that are present.

    Args:
        node: the declaration.
        decisions: a valid architecture.

    Example:
        >>> from netwright.space.declarations import choice
        >>> from netwright.space.nodes import Op
        >>> resolve(Op("conv", (("width", choice("w", [16, 32]) * 2),)), {"w": 32})
        OpTerm(kind='conv', args=(('width', 64),), children=(), target=None)
    """
    return run(_resolve(node, decisions))


def _resolve(node: Node, decisions: Mapping[str, Value]) -> Recursion[Term]:
    if isinstance(node, (OneOf, Cell)):
        inside = (
            _resolve_cell(node, decisions)
            if isinstance(node, Cell)
            else _resolve(branch_of(node, decisions), decisions)
        )
        term: Term = yield inside
        return term
    inner = node.items[: depth_of(node, decisions)] if isinstance(node, Repeat) else node.children
    children: list[Term] = yield gather(_resolve(child, decisions) for child in inner)
    if isinstance(node, Repeat):
        return OpTerm("seq", children=tuple(children))
    args = tuple((name, evaluate_argument(arg, decisions)) for name, arg in node.args)
    return OpTerm(node.kind, args, tuple(children), node.target)


def branch_of(node: OneOf, decisions: Mapping[str, Value]) -> Node:
    """The branch that is taken.

    Raises:
        SpaceError: no branch stands for the selector's value.
    """
    value = node.selector.evaluate(decisions)
    for key, branch in node.branches:
        if typed(key) == typed(value):
            return branch
    raise SpaceError(uncovered(node, value))


def _resolve_cell(cell: Cell, decisions: Mapping[str, Value]) -> Recursion[Term]:
    numbers = {number: number for number in range(cell.num_inputs)}  # old number of a present node: its new one
    terms: list[NodeTerm] = []
    read: set[int] = set()
    for old, node in enumerate(cell.nodes, start=cell.num_inputs):
        if not is_present(node.present, decisions):
            continue
        term: NodeTerm = yield _resolve_cell_node(node, numbers, decisions)
        terms.append(term)
        read.update(source for source, _ in term.edges)
        numbers[old] = cell.num_inputs + len(terms) - 1
    inner = tuple(range(cell.num_inputs, cell.num_inputs + len(terms)))
    if cell.output == "last":
        outputs, combine = inner[-1:], "concat"
    elif cell.output == "loose":
        outputs, combine = tuple(n for n in inner if n not in read), "concat"
    else:
        outputs, combine = inner, cell.output
    return CellTerm(cell.num_inputs, tuple(terms), outputs or (cell.num_inputs - 1,), combine)


def _resolve_cell_node(
    node: CellNode, numbers: Mapping[int, int], decisions: Mapping[str, Value]
) -> Recursion[NodeTerm]:
    present = [e for e in node.edges if e.source in numbers and is_present(e.present, decisions)]
    ops: list[Term] = yield gather(_resolve(edge.op, decisions) for edge in present)
    edges = tuple((numbers[edge.source], op) for edge, op in zip(present, ops, strict=True))
    op = (yield _resolve(node.op, decisions)) if node.op is not None else None
    return NodeTerm(edges, node.combine, op)
