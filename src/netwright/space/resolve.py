"""From a declaration and an architecture's decisions to a `Term`: the network without choices.

Knows nothing of what operations compute.
"""

from __future__ import annotations

from collections.abc import Mapping

from netwright.errors import SpaceError
from netwright.space.nodes import Cell, CellNode, Node, OneOf, Op, Repeat
from netwright.space.program import depth_of, evaluate_argument, is_present, uncovered
from netwright.space.terms import CellTerm, NodeTerm, OpTerm, Term
from netwright.space.trampoline import Recursion, gather, run
from netwright.space.values import typed
from netwright.types import Value


def resolve(node: Node, decisions: Mapping[str, Value], *, sited: bool = False, site: str = "net") -> Term:
    """Replace every choice by its decision.

    A one-of becomes its branch, a repeat a ``seq`` of its items, a cell keeps the nodes and edges that are present.

    Args:
        node: the declaration.
        decisions: a valid architecture.
        sited: let operations know where they stand in the declaration (`OpTerm.site`): by the number of a child, the
            value of a branch, and the numbers of a cell's nodes as declared.
        site: where the declaration itself stands, if it is a part of another.

    Example:
        >>> from netwright.space.declarations import choice
        >>> from netwright.space.nodes import Op
        >>> conv = Op("conv", (("width", choice("w", [16, 32]) * 2),))
        >>> resolve(conv, {"w": 32})
        OpTerm(kind='conv', args=(('width', 64),), children=(), target=None)
        >>> resolve(Op("seq", children=(conv, conv)), {"w": 32}, sited=True).children[1].site
        'net.1'
    """
    return run(_resolve(node, decisions, site if sited else ""))


def _resolve(node: Node, decisions: Mapping[str, Value], site: str) -> Recursion[Term]:
    if isinstance(node, Cell):
        cell: Term = yield _resolve_cell(node, decisions, site)
        return cell
    if isinstance(node, OneOf):
        key, branch = branch_of(node, decisions)
        term: Term = yield _resolve(branch, decisions, site and f"{site}.{key!r}")
        return term
    if isinstance(node, Op) and not node.children:
        return _leaf(node, decisions, site)
    inner = node.items[: depth_of(node, decisions)] if isinstance(node, Repeat) else node.children
    children: list[Term] = []
    for i, child in enumerate(inner):
        place = site and f"{site}.{i}"
        if isinstance(child, Op) and not child.children:
            children.append(_leaf(child, decisions, place))
        else:
            children.append((yield _resolve(child, decisions, place)))
    if isinstance(node, Repeat):
        return OpTerm("seq", children=tuple(children), site=site)
    args = tuple((name, evaluate_argument(arg, decisions)) for name, arg in node.args)
    return OpTerm(node.kind, args, tuple(children), node.target, site)


def _leaf(node: Op, decisions: Mapping[str, Value], site: str) -> OpTerm:
    """An operation with none inside it."""
    args = tuple((name, evaluate_argument(arg, decisions)) for name, arg in node.args)
    return OpTerm(node.kind, args, (), node.target, site)


def branch_of(node: OneOf, decisions: Mapping[str, Value]) -> tuple[Value, Node]:
    """The branch that is taken, after the value it stands for.

    Raises:
        SpaceError: no branch stands for the selector's value.
    """
    value = node.selector.evaluate(decisions)
    for key, branch in node.branches:
        if typed(key) == typed(value):
            return key, branch
    raise SpaceError(uncovered(node, value))


def _resolve_cell(cell: Cell, decisions: Mapping[str, Value], site: str) -> Recursion[Term]:
    numbers = {number: number for number in range(cell.num_inputs)}  # old number of a present node: its new one
    terms: list[NodeTerm] = []
    read: set[int] = set()
    for old, node in enumerate(cell.nodes, start=cell.num_inputs):
        if not is_present(node.present, decisions):
            continue
        term: NodeTerm = yield _resolve_cell_node(node, numbers, decisions, site and f"{site}.n{old}")
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
    node: CellNode, numbers: Mapping[int, int], decisions: Mapping[str, Value], site: str
) -> Recursion[NodeTerm]:
    present = [(i, e) for i, e in enumerate(node.edges) if e.source in numbers and is_present(e.present, decisions)]
    ops: list[Term] = yield gather(_resolve(edge.op, decisions, site and f"{site}.e{i}") for i, edge in present)
    edges = tuple((numbers[edge.source], op) for (_, edge), op in zip(present, ops, strict=True))
    op = (yield _resolve(node.op, decisions, site and f"{site}.op")) if node.op is not None else None
    return NodeTerm(edges, node.combine, op)
