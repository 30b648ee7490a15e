"""One id for networks that are the same, however their nodes are numbered.

Two architectures share an id exactly if their operation graphs (`graph`) are isomorphic and they are trained with the
same values. Isomorphic graphs compute the same functions with the same weights; the order of inputs is kept where it
matters (``concat``), and a vertex that is read twice stays different from two equal vertices, which have weights of
their own.

The canonical labelling is found by colour refinement and, where that leaves ties, by individualising one vertex after
the other, keeping the smallest certificate; ties that an automorphism explains are followed once.

References:
    B. D. McKay and A. Piperno, 2014, Practical graph isomorphism, II. We use their search tree with the simplest target
    cell and a test for automorphisms at first leaves only, which suffices for graphs of some hundred vertices.
    X. Dong and Y. Yang, 2020, NAS-Bench-201. Their count of 6,466 unfolds shared nodes into trees and lets a zero pass
    through operations; neither keeps the function of a network, so we do not (see the tests for the numbers).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

from netwright.space.graph import OperationGraph, Vertex, operation_graph
from netwright.space.terms import Term
from netwright.types import Value, canonical_json, digest, to_json_value

Colours = tuple[int, ...]
Order = tuple[int, ...]
Certificate = tuple[tuple[str, tuple[int, ...]], ...]


def canonical_id(term: Term | None, training: Mapping[str, Value]) -> str:
    """16 hex digits of a network and the values it is trained with.

    Args:
        term: the network without choices; None where there is none.
        training: values of the training arguments.
    """
    network = None if term is None else certificate(operation_graph(term))
    values = {name: to_json_value(value) for name, value in training.items()}
    return digest(canonical_json([network, values]))


def certificate(graph: OperationGraph) -> Certificate:
    """A description of a graph that is equal exactly for isomorphic graphs: label and inputs in canonical order."""
    return _Labelling(graph.vertices).best()


class _Labelling:
    """The search for the canonical order of one graph's vertices."""

    def __init__(self, vertices: Sequence[Vertex]) -> None:
        self._vertices = vertices
        self._automorphisms: list[dict[int, int]] = []
        self._readers: list[list[tuple[int, int]]] = [[] for _ in vertices]
        for target, vertex in enumerate(vertices):
            for position, source in enumerate(vertex.inputs):
                self._readers[source].append((target, position if vertex.ordered else -1))

    def best(self) -> Certificate:
        """The smallest certificate of those in question."""
        return self._search(self._refine(tuple(_code(v.label) for v in self._vertices)))

    def _refine(self, colours: Colours) -> Colours:
        """Tell vertices apart by what they read and what reads them, until nothing new is told apart."""
        distinct = 0
        while distinct < len(set(colours)) < len(colours):
            distinct = len(set(colours))
            colours = self._backward(self._forward(colours))
        return colours

    def _forward(self, colours: Colours) -> Colours:
        new: list[int] = []
        for vertex, colour in zip(self._vertices, colours, strict=True):
            code = colour
            if vertex.ordered:
                for source in vertex.inputs:
                    code = _mixed(code + new[source])
            else:
                code += sum([_mixed(new[source]) for source in vertex.inputs])
            new.append(_mixed(code))
        return tuple(new)

    def _backward(self, colours: Colours) -> Colours:
        new = list(colours)
        for number in reversed(range(len(new))):
            read_by = sum([_mixed(new[target] + position) for target, position in self._readers[number]])
            new[number] = _mixed(_mixed(colours[number]) + read_by)
        return tuple(new)

    def _search(self, colours: Colours) -> Certificate:
        ties = self._ties(colours)
        if not ties:
            return self._leaf(colours)
        best: Certificate | None = None
        first_leaves: dict[tuple[Certificate, Colours], Order] = {}
        found_before = len(self._automorphisms)
        followed: list[int] = []
        for vertex in ties:
            if vertex in self._orbit(followed, found_before):
                continue
            followed.append(vertex)
            inner = self._refine(self._mark(colours, vertex))
            first, order = self._first_leaf(inner)
            if first in first_leaves:  # an automorphism that keeps the colours takes an earlier one to this one
                self._automorphisms.append(dict(zip(first_leaves[first], order, strict=True)))
                continue
            first_leaves[first] = order
            found = self._search(inner)
            if best is None or found < best:
                best = found
        assert best is not None
        return best

    def _orbit(self, vertices: Sequence[int], since: int) -> set[int]:
        """Where the automorphisms found since take vertices; all of them keep what was individualised by then."""
        reached, pending = set(vertices), list(vertices)
        while pending:
            at = pending.pop()
            for automorphism in self._automorphisms[since:]:
                if automorphism[at] not in reached:
                    reached.add(automorphism[at])
                    pending.append(automorphism[at])
        return reached

    def _first_leaf(self, colours: Colours) -> tuple[tuple[Certificate, Colours], Order]:
        while ties := self._ties(colours):
            colours = self._refine(self._mark(colours, ties[0]))
        return (self._leaf(colours), tuple(sorted(colours))), self._order(colours)

    def _ties(self, colours: Colours) -> list[int]:
        """The vertices of the first colour that several have; of twins, which read and are read alike, only one."""
        counted = Counter(colours)
        shared = sorted((n, colour) for colour, n in counted.items() if n > 1)
        if not shared:
            return []
        members = [number for number, colour in enumerate(colours) if colour == shared[0][1]]
        twins: dict[object, int] = {}
        for number in members:
            vertex = self._vertices[number]
            twins.setdefault((vertex.inputs, tuple(sorted(self._readers[number]))), number)
        return list(twins.values())

    @staticmethod
    def _mark(colours: Colours, vertex: int) -> Colours:
        return (*colours[:vertex], _mixed(colours[vertex] + 1), *colours[vertex + 1 :])

    @staticmethod
    def _order(colours: Colours) -> Order:
        return tuple(sorted(range(len(colours)), key=lambda number: colours[number]))

    def _leaf(self, colours: Colours) -> Certificate:
        order = self._order(colours)
        place = {number: index for index, number in enumerate(order)}
        rows = []
        for number in order:
            vertex = self._vertices[number]
            inputs = [place[i] for i in vertex.inputs]
            rows.append((vertex.label, tuple(inputs if vertex.ordered else sorted(inputs))))
        return tuple(rows)


def _mixed(number: int) -> int:
    """Scatter a number over 64 bits. Colours that meet by chance are told apart by the search."""
    number = (number ^ number >> 32) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
    return number ^ number >> 29


@lru_cache(maxsize=65_536)
def _code(label: str) -> int:
    return int(digest(label), 16)
