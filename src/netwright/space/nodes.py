"""What a search space is made of: operations, and the structures that choose among and repeat them.

A declaration is a tree of these nodes. `resolve`d with an architecture it becomes a `Term`: the same tree without
choices, from which a network is built. Nothing here knows what an operation computes; the torch binding (`nn`) gives
operations their meaning through `Backend`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Union

from netwright.errors import SpaceError, wrong
from netwright.space.expressions import Categorical, Choice, Expr
from netwright.types import Value

if TYPE_CHECKING:
    from netwright.space.search_space import SearchSpace
    from netwright.space.terms import Term

Arg = Union[Expr, Value, tuple["Arg", ...]]


class Backend(Protocol):
    """Gives operations their meaning; `SearchSpace.build` and its kin pass to it. `nn` provides the one for torch."""

    def build(self, term: Term, *, input_shape: tuple[int, ...], seed: int, input_dtype: str) -> object:
        """Build a plain model with weights drawn from ``seed``."""

    def source(self, term: Term, *, input_shape: tuple[int, ...], input_dtype: str) -> str:
        """Write the model as self-contained source text."""

    def supernet(self, space: SearchSpace, *, input_shape: tuple[int, ...], seed: int, input_dtype: str) -> object:
        """Make all networks of a space with shared weights."""


@dataclass(frozen=True, eq=False)
class Op:
    """An operation: its kind, arguments that may be expressions, and the operations inside it.

    Args:
        kind: name of the operation in its backend, such as ``conv``; ``class`` for a class of one's own.
        args: arguments in the order they are written.
        children: operations inside it (of a sequence, a residual block, parallel branches).
        backend: gives it its meaning; None for operations that are only counted.
        target: the class of one's own.
    """

    kind: str
    args: tuple[tuple[str, Arg], ...] = ()
    children: tuple[Node, ...] = ()
    backend: Backend | None = None
    target: type | None = None


@dataclass(frozen=True, eq=False)
class OneOf:
    """The branch that belongs to the selector's value. Decisions inside exist only where their branch is taken.

    Args:
        selector: usually a choice of its own; may be shared, or any expression.
        branches: value of the selector and what then stands here. Every value the selector can have is covered.
    """

    selector: Expr
    branches: tuple[tuple[Value, Node], ...]

    def __post_init__(self) -> None:
        if not self.branches:
            raise SpaceError(wrong("branches", {}, "at least one branch"))


@dataclass(frozen=True, eq=False)
class Repeat:
    """The first ``depth`` of the items, one after the other. Decisions in the others do not exist."""

    depth: Expr | int
    items: tuple[Node, ...]


@dataclass(frozen=True, eq=False)
class Edge:
    """A connection inside a cell.

    Args:
        source: number of the node it comes from; the cell's inputs are the first nodes.
        op: what is applied on the way.
        present: whether it is there at all; decisions on it exist only then. None means always.
    """

    source: int
    op: Node
    present: Expr | bool | None = None


@dataclass(frozen=True, eq=False)
class CellNode:
    """A node of a cell: what comes in by its edges is combined, and an operation may be applied to the result.

    Args:
        edges: from earlier nodes.
        combine: ``sum``, ``concat``, ``mean`` or ``multiply``.
        op: applied after combining; None for none.
        present: whether the node is there at all; decisions in it exist only then. None means always.
    """

    edges: tuple[Edge, ...]
    combine: str = "sum"
    op: Node | None = None
    present: Expr | bool | None = None


@dataclass(frozen=True, eq=False)
class Cell:
    """A directed acyclic graph with choices on its edges, nodes and inputs.

    Nodes are numbered: first the inputs, then ``nodes`` in order; an edge comes from a lower number.

    Args:
        num_inputs: how many values come in; all are the cell's one input unless ``preprocess`` makes them differ.
        nodes: the inner nodes.
        output: ``last`` (value of the last node that is present), ``concat`` or ``sum`` or ``mean`` (of all inner
            nodes that are present), ``loose`` (concat of the present inner nodes that nobody reads).
        backend: as of an operation.
    """

    num_inputs: int
    nodes: tuple[CellNode, ...]
    output: str = "last"
    backend: Backend | None = None

    def __post_init__(self) -> None:
        for number, node in enumerate(self.nodes, start=self.num_inputs):
            for edge in node.edges:
                if not 0 <= edge.source < number:
                    raise SpaceError(wrong(f"source of an edge into node {number}", edge.source, f"0 to {number - 1}"))


Node = Union[Op, OneOf, Repeat, Cell]


def find_backend(node: Node) -> Backend | None:
    """The first backend among the operations of a declaration, depth first; None if nothing has one."""
    pending = [node]
    while pending:
        node = pending.pop()
        if isinstance(node, (Op, Cell)) and node.backend is not None:
            return node.backend
        pending.extend(reversed(child_nodes(node)))
    return None


def child_nodes(node: Node) -> tuple[Node, ...]:
    """The nodes directly inside a node, in the order in which their decisions are taken."""
    if isinstance(node, Op):
        return node.children
    if isinstance(node, OneOf):
        return tuple(branch for _, branch in node.branches)
    if isinstance(node, Repeat):
        return node.items
    inner: list[Node] = []
    for cell_node in node.nodes:
        inner.extend(edge.op for edge in cell_node.edges)
        if cell_node.op is not None:
            inner.append(cell_node.op)
    return tuple(inner)


def selector_from(name_or_choice: str | Expr, values: tuple[Value, ...]) -> Expr:
    """Make the selector of a `OneOf`: a new categorical choice for a name, anything else as it is."""
    return Choice(name_or_choice, Categorical(values)) if isinstance(name_or_choice, str) else name_or_choice


def freeze_args(args: Mapping[str, object]) -> tuple[tuple[str, Arg], ...]:
    """Turn keyword arguments into what an `Op` keeps: lists become tuples, at any depth; expressions stay."""
    return tuple((name, _freeze(value)) for name, value in args.items())


def _freeze(value: object) -> Arg:
    if isinstance(value, (list, tuple)):
        return tuple(_freeze(v) for v in value)
    if value is None or isinstance(value, (bool, int, float, str, Expr)):
        return value
    raise SpaceError(wrong("argument", value, "a plain value, a choice or an expression of choices"))
