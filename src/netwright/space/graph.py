"""A decided network as a graph of operation instances.

Sequences are laid out, identities are edges, zeros vanish from sums, sums of sums are one sum; what does not reach the
output, and what nothing reaches, is gone, as a network is built without it. Each operation instance stays a vertex of
its own: a vertex that is read twice is one set of weights, two equal vertices are two. Sums and their like have no
weights, and equal ones are one vertex.

Knows no operation but ``identity`` and ``zero``; an operation with others inside it (a residual block) reads its input
and the output of each of them, in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeGuard

from netwright.space.terms import CellTerm, OpTerm, Term
from netwright.space.trampoline import Recursion, gather, run
from netwright.types import Value, canonical_json, digest, to_json_value

UNORDERED = frozenset({"sum", "mean", "multiply"})
WEIGHTLESS = frozenset({"sum", "mean", "multiply", "concat", "zero", "nothing"})
ASSOCIATIVE = frozenset({"sum", "multiply", "concat"})


@dataclass(frozen=True)
class Vertex:
    """An operation instance.

    Args:
        kind: of the operation; ``input``, ``output``, ``sum``, ``concat``, ``mean`` and ``multiply`` included.
        label: the kind with its arguments.
        inputs: numbers of the vertices it reads, each smaller than its own.
    """

    kind: str
    label: str
    inputs: tuple[int, ...] = ()

    @property
    def ordered(self) -> bool:
        """Whether the order of the inputs matters."""
        return self.kind not in UNORDERED


@dataclass(frozen=True)
class OperationGraph:
    """The operations of a network and what each reads.

    Vertex 0 is the input of the network, the last is its output; every vertex reads smaller numbers only.

    Args:
        vertices: in topological order.
    """

    vertices: tuple[Vertex, ...]

    def __len__(self) -> int:
        return len(self.vertices)

    @property
    def labels(self) -> tuple[str, ...]:
        """Kind and arguments of every vertex."""
        return tuple(vertex.label for vertex in self.vertices)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kind of every vertex."""
        return tuple(vertex.kind for vertex in self.vertices)

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """(source, target) of every edge, by target; as often as the target reads the source."""
        return tuple((source, target) for target, vertex in enumerate(self.vertices) for source in vertex.inputs)


def operation_graph(term: Term) -> OperationGraph:
    """Lay a decided network out as a graph.

    Example:
        >>> conv = OpTerm("conv", (("width", 16),))
        >>> graph = operation_graph(OpTerm("seq", children=(conv, OpTerm("identity"), OpTerm("relu"))))
        >>> graph.labels, graph.edges
        (('input', 'conv(width=16)', 'relu', 'output'), ((0, 1), (1, 2), (2, 3)))
    """
    layout = _Layout()
    start = layout.add("input", "input")
    end = run(layout.lay(term, start))
    return OperationGraph(_reaching(layout.vertices, layout.add("output", "output", (end,))))


def label_of(term: OpTerm) -> str:
    """Kind and arguments of an operation as text; the order of the arguments does not matter."""
    args = _arguments(term.args, repr(term.args)) if term.args else ""
    kind = term.kind if term.target is None else f"{term.kind}:{term.target.__module__}.{term.target.__qualname__}"
    return f"{kind}({args})" if args else kind


@lru_cache(maxsize=4096)
def _arguments(args: tuple[tuple[str, Value], ...], spelled: str) -> str:
    """Arguments as text; ``spelled`` tells 1, 1.0 and True apart, which are equal."""
    return ", ".join(f"{name}={canonical_json(to_json_value(value))}" for name, value in sorted(args))


class _Layout:
    """Vertices as they are laid out."""

    def __init__(self) -> None:
        self.vertices: list[Vertex] = []
        self._ranks: dict[int, tuple[int, str]] = {}
        self._weightless: dict[tuple[str, tuple[int, ...]], int] = {}

    def add(self, kind: str, label: str, inputs: Sequence[int] = ()) -> int:
        """A new vertex, or the same as before if it has no weights; returns its number."""
        vertex = Vertex(kind, label, tuple(inputs))
        if kind in WEIGHTLESS and (known := self._weightless.get((label, vertex.inputs))) is not None:
            return known
        self.vertices.append(vertex)
        if kind in WEIGHTLESS:
            self._weightless[label, vertex.inputs] = len(self.vertices) - 1
        return len(self.vertices) - 1

    def _rank(self, number: int) -> tuple[int, str]:
        """Depth of a vertex and a hash of what it is made of: an order that does not depend on numbers."""
        needed, stack = {number}, [number]
        while stack:
            for source in self.vertices[stack.pop()].inputs:
                if source not in needed and source not in self._ranks:
                    needed.add(source)
                    stack.append(source)
        for at in sorted(needed):
            vertex = self.vertices[at]
            below = [self._ranks[i] for i in vertex.inputs]
            codes = [code for _, code in (below if vertex.ordered else sorted(below))]
            code = digest(canonical_json([vertex.label, *codes]))
            self._ranks[at] = (1 + max((depth for depth, _ in below), default=0), code)
        return self._ranks[number]

    def lay(self, term: Term, at: int) -> Recursion[int]:
        """Lay a term out behind vertex ``at``; returns the vertex of its output."""
        if isinstance(term, CellTerm):
            at = yield self._lay_cell(term, at)
            return at
        if term.kind == "seq":
            for child in term.children:
                at = self._leaf(child, at) if _is_leaf(child) else (yield self.lay(child, at))
            return at
        if not term.children:
            return self._leaf(term, at)
        inner: list[int] = yield gather(self.lay(child, at) for child in term.children)
        return self.add(term.kind, label_of(term), (at, *inner))

    def _leaf(self, term: OpTerm, at: int) -> int:
        """Lay out an operation with none inside it."""
        if term.kind == "identity":
            return at
        label = label_of(term)
        if term.kind == "zero" and self.vertices[at].label == label:
            return at  # zero of zero
        return self.add(term.kind, label, (at,))

    def _lay_cell(self, cell: CellTerm, at: int) -> Recursion[int]:
        values: dict[int, int] = {0: at}  # of the nodes that something reaches
        if cell.num_inputs != 1:  # what makes them differ is the backend's
            values = {i: self.add("cell-input", f"cell-input({i})", (at,)) for i in range(cell.num_inputs)}
        for number, node in enumerate(cell.nodes, start=cell.num_inputs):
            edges = [(values[source], op) for source, op in node.edges if source in values]
            if edges:
                incoming: list[int] = yield gather(self.lay(op, source) for source, op in edges)
                out = self.join(node.combine, incoming)
                values[number] = out if node.op is None else (yield self.lay(node.op, out))
        outputs = [values[output] for output in cell.outputs if output in values]
        return self.join(cell.combine, outputs) if outputs else self.add("nothing", "nothing", (at,))

    def join(self, combine: str, inputs: Iterable[int]) -> int:
        """Combine vertices; one alone stands for itself."""
        flat = list(self._flat(combine, inputs))
        if combine == "sum":
            rest = [i for i in flat if self.vertices[i].kind != "zero"]
            flat = rest or [min(flat, key=self._rank)]  # they all are zeros of one shape
        if len(flat) == 1:
            return flat[0]
        return self.add(combine, combine, sorted(flat) if combine in UNORDERED else flat)

    def _flat(self, combine: str, inputs: Iterable[int]) -> Iterable[int]:
        for number in inputs:
            vertex = self.vertices[number]
            if vertex.kind == combine and vertex.label == combine and combine in ASSOCIATIVE:
                yield from vertex.inputs
            else:
                yield number


def _is_leaf(term: Term) -> TypeGuard[OpTerm]:
    return isinstance(term, OpTerm) and not term.children and term.kind != "seq"


def _reaching(vertices: Sequence[Vertex], end: int) -> tuple[Vertex, ...]:
    """The vertices that reach ``end``, renumbered; the input stays in any case."""
    kept, pending = {0}, [end]
    while pending:
        number = pending.pop()
        if number not in kept:
            kept.add(number)
            pending.extend(vertices[number].inputs)
    numbers = {old: new for new, old in enumerate(sorted(kept))}
    return tuple(
        Vertex(vertices[old].kind, vertices[old].label, tuple(numbers[i] for i in vertices[old].inputs))
        for old in sorted(kept)
    )
