"""Architectures as vectors of fixed length, for predictors and kernels.

``one-hot``
    A block for every choice of the space, in the order of the declaration. Categorical: a 1 at the value. Subset: a 1
    at each value taken. Integer and real: the number scaled to [0, 1] over its range, over the logarithm with ``log``.
    The last entry of each block is 1 where the choice is no decision of the architecture, the rest of it then 0.
``adjacency``
    The operation graph, padded to the largest of the space: a one-hot kind for each vertex, then the upper triangle of
    the adjacency matrix, row by row.
``ordinal``
    Two entries for every choice among numbers, in the order of the declaration: the place of the value among all it can
    take, scaled to [0, 1] (integers and reals: the scaled number), and a 1 where the choice is no decision of the
    architecture, the first then 0.5. Without such choices it is empty.
``operation``
    How often each operation stands in the network, by a hash of its kind with its arguments and by one of its kind
    alone. `OPERATION_DIMENSION` entries.
``path``
    How many paths of operations lead from the input to the output, by a hash of the operations on the way, as
    log(1 + count). `PATH_DIMENSION` entries; each path falls on one of them.
``statistics``
    What `netwright.space.graph_statistics` says of the operation graph: counts, shortest and longest ways through sets
    of operations, what feeds what, degrees, sums of arguments. Each is told as a normal quantile: where the
    architecture stands among `NUM_SAMPLED` random ones, the same ones in every process; operations that do not occur
    in these are not told apart.

References:
    C. White, W. Neiswanger and Y. Savani, 2021, BANANAS (path encoding). We count paths and hash them, so that one
    length serves all spaces; the number of paths may be exponential in the depth, the work is not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import cast

import numpy as np

from netwright.errors import SpaceError, unknown
from netwright.space.diagram import Diagram
from netwright.space.expressions import Choice, Dependent, Integer, Real, Subset
from netwright.space.graph import OperationGraph, operation_graph
from netwright.space.graph_statistics import Vocabulary, graph_statistics
from netwright.space.nodes import Cell, Node, OneOf, Op, Repeat, child_nodes
from netwright.space.program import Program
from netwright.space.quantiles import StandardQuantiles
from netwright.space.resolve import resolve
from netwright.space.trampoline import Recursion, gather, run
from netwright.space.values import Continuous, Listed, Subsets, typed, values_of
from netwright.types import Architecture, Value, digest

PATH_DIMENSION = 512
OPERATION_DIMENSION = 128
NUM_KEPT = 512
"""Networks whose graphs are remembered, so that each is laid out once for all its encodings."""

NUM_SAMPLED = 128
KINDS = ("one-hot", "ordinal", "adjacency", "operation", "path", "statistics")


class Encoder:
    """Encodes the architectures of one program.

    Args:
        program: the compiled space.
        diagram: of the space, counted.
        sample: draws an architecture of the space.
    """

    def __init__(
        self, program: Program, diagram: Diagram, sample: Callable[[np.random.Generator], Architecture]
    ) -> None:
        self._program = program
        self._diagram = diagram
        self._sample = sample
        self._graph = lru_cache(maxsize=NUM_KEPT)(self._laid_out)  # several encodings of an architecture share it

    def encode(self, arch: Architecture, kind: str) -> np.ndarray:
        """See `SearchSpace.encode`.

        Raises:
            SpaceError: the kind is unknown, or there is no network to encode.
        """
        if kind == "one-hot":
            return np.concatenate([block.encode(arch) for block in self._blocks] or [np.zeros(0)])
        if kind == "ordinal":
            return np.concatenate([block.place(arch) for block in self._blocks if block.is_ordinal] or [np.zeros(0)])
        if kind not in KINDS:
            raise SpaceError(unknown("encoding", kind, KINDS))
        if self._program.root is None:
            raise SpaceError(f"the space has no network to encode as {kind!r}; take 'one-hot'")
        graph = self._graph(arch)
        if kind == "operation":
            return operation_counts(graph)
        if kind == "statistics":
            return self._statistics(graph)
        return path_counts(graph) if kind == "path" else self._adjacency(graph)

    def _laid_out(self, arch: Architecture) -> OperationGraph:
        assert self._program.root is not None
        return operation_graph(resolve(self._program.root, arch))

    @cached_property
    def _statistics(self) -> Callable[[OperationGraph], np.ndarray]:
        rng = np.random.Generator(np.random.PCG64(0))
        graphs = [self._laid_out(self._sample(rng)) for _ in range(NUM_SAMPLED)]
        vocabulary = Vocabulary.of(graphs)
        quantiles = StandardQuantiles(np.stack([graph_statistics(graph, vocabulary) for graph in graphs]))
        return lambda graph: quantiles(graph_statistics(graph, vocabulary)[None])[0]

    @cached_property
    def _blocks(self) -> tuple[Block, ...]:
        return tuple(Block(choice, self._bounds) for choice in self._program.choices.values())

    @cached_property
    def _bounds(self) -> dict[str, tuple[float, float]]:
        """Range of every integer and real choice over all architectures."""
        bounds: dict[str, tuple[float, float]] = {}
        for choice in self._program.choices.values():
            if isinstance(choice.domain, Real):
                bounds[choice.name] = (choice.domain.low, choice.domain.high)
            elif isinstance(choice.domain, Integer):
                bounds[choice.name] = self._diagram.bounds(choice.name)
        return bounds

    # --- adjacency ---

    @cached_property
    def _kinds(self) -> tuple[str, ...]:
        kinds = {node.kind for node in self._program.nodes if isinstance(node, Op)}
        extra = {"input", "output", "sum", "mean", "multiply", "concat", "nothing", "cell-input"}
        return tuple(sorted((kinds | extra) - {"seq", "identity"}))

    @cached_property
    def _most_vertices(self) -> int:
        assert self._program.root is not None
        return 2 + run(_most_vertices(self._program.root, {}))

    def _adjacency(self, graph: OperationGraph) -> np.ndarray:
        most = self._most_vertices
        kinds = np.zeros((most, len(self._kinds)))
        number = {kind: index for index, kind in enumerate(self._kinds)}
        places = [*range(len(graph) - 1), most - 1]  # the output always stands last
        for place, kind in zip(places, graph.kinds, strict=True):
            kinds[place, number[kind]] = 1.0
        matrix = np.zeros((most, most))
        for source, target in graph.edges:
            matrix[places[source], places[target]] += 1.0
        return np.concatenate([kinds.ravel(), matrix[np.triu_indices(most, 1)]])


class Block:
    """The entries of one choice in the one-hot encoding; the last one says that it is inactive."""

    def __init__(self, choice: Choice, bounds: dict[str, tuple[float, float]]) -> None:
        self.name = choice.name
        self._range = bounds.get(choice.name)
        self._log = bool(getattr(choice.domain, "log", False))
        self._several = isinstance(choice.domain, Subset)
        self._values: tuple[Value, ...] = () if self._range is not None else _all_values(choice)
        self._index = {typed(value): index for index, value in enumerate(self._values)}

    @property
    def is_ordinal(self) -> bool:
        """Whether it is a choice among numbers."""
        numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in self._values)
        return self._range is not None or (not self._several and numbers)

    def place(self, arch: Architecture) -> np.ndarray:
        """Place of the value among all it can take, and whether it is inactive."""
        if self.name not in arch:
            return np.array([0.5, 1.0])
        if self._range is not None:
            return self.encode(arch)
        order = sorted(cast(tuple[float, ...], self._values))
        return np.array([order.index(cast(float, arch[self.name])) / max(1, len(order) - 1), 0.0])

    def encode(self, arch: Architecture) -> np.ndarray:
        """The entries for an architecture."""
        entries = np.zeros(1 + (len(self._values) if self._range is None else 1))
        if self.name not in arch:
            entries[-1] = 1.0
        elif self._range is not None:
            entries[0] = _scaled(cast(float, arch[self.name]), *self._range, log=self._log)
        else:
            value = arch[self.name]
            for part in cast(tuple[Value, ...], value) if self._several else (value,):
                entries[self._index[typed(part)]] = 1.0
        return entries


def _scaled(value: float, low: float, high: float, *, log: bool) -> float:
    return 0.5 if low == high else Continuous(low, high, log and low > 0).share(value)


def operation_counts(graph: OperationGraph, dimension: int = OPERATION_DIMENSION) -> np.ndarray:
    """How often each operation and each kind of operation occurs, by their hashes.

    Args:
        graph: of a network.
        dimension: length of the result.

    Returns:
        float64 array of shape (dimension,).
    """
    counts = np.zeros(dimension)
    for vertex in graph.vertices:
        if vertex.kind not in ("input", "output"):
            counts[_place(vertex.label, dimension)] += 1.0
            counts[_place(f"kind {vertex.kind}", dimension)] += 1.0
    return counts


@lru_cache(maxsize=4096)
def _place(text: str, dimension: int) -> int:
    return int(digest(text), 16) % dimension


def path_counts(graph: OperationGraph, dimension: int = PATH_DIMENSION) -> np.ndarray:
    """Logarithm of 1 + the number of paths from input to output, by hash of the labels on the way.

    Args:
        graph: of a network.
        dimension: length of the result.

    Returns:
        float64 array of shape (dimension,).
    """
    start = np.zeros(dimension)
    start[0] = 1.0
    counts: list[np.ndarray] = []
    for vertex in graph.vertices:
        if vertex.kind == "input":
            counts.append(start)
            continue
        incoming = sum((counts[i] for i in vertex.inputs), np.zeros(dimension))
        plain = vertex.kind in ("sum", "output", "concat", "mean", "multiply")
        counts.append(incoming if plain else incoming[_permutation(vertex.label, dimension)])
    return cast(np.ndarray, np.log1p(counts[-1]))


@lru_cache(maxsize=4096)
def _permutation(label: str, dimension: int) -> np.ndarray:
    """Where a label takes the hash of a path: a permutation, so that different paths stay apart as far as they can."""
    return np.random.default_rng(int(digest(label), 16)).permutation(dimension)


def _all_values(choice: Choice) -> tuple[Value, ...]:
    if isinstance(choice.domain, Dependent):
        rows = [value for _, row in choice.domain.table for value in row]
        return tuple({typed(value): value for value in rows}.values())
    values = values_of(choice, {})
    assert isinstance(values, (Listed, Subsets))
    return values.values


def _most_vertices(node: Node, known: dict[int, int]) -> Recursion[int]:
    """The most vertices that a node can become."""
    if id(node) not in known:
        inner: list[int] = yield gather(_most_vertices(child, known) for child in child_nodes(node))
        if isinstance(node, OneOf):
            known[id(node)] = max(inner)
        elif isinstance(node, Cell):
            known[id(node)] = sum(inner) + len(node.nodes) + 1 + node.num_inputs
        else:
            known[id(node)] = sum(inner) + (not isinstance(node, Repeat) and node.kind not in ("seq", "identity"))
    return known[id(node)]
