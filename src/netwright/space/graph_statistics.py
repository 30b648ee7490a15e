"""Statistics of an architecture's graph, of one length for all architectures of any space.

What the operation graph of a decided network (`netwright.space.graph`) says in numbers: how often each operation
occurs, how short and how long its ways through sets of operations are, what feeds what, how many edges meet where.
Networks that are the same up to the numbering of nodes, skips and dead parts have the same statistics. Chains, cells
and nested spaces are treated alike. Knows no scores, no models and no names of operations.

References:
    G. Kadlecova, J. Lukasik, M. Pilat, P. Vidnerova, M. Safari, R. Neruda and F. Hutter, 2024, "Surprisingly Strong
    Performance Prediction with Neural Graph Features", section 3.1: operation counts, shortest paths over allowed
    operations, most operations on a path, degrees of nodes. Deviations of ours: operations are vertices and skips are
    edges in every space; with more than `MOST_SUBSETS` operations the sets are single ones, pairs, all but one, and
    all; the fewest operations on a path, what feeds what, sums of numeric arguments, and what stands on an average way
    (`netwright.space.way_statistics`) are added.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations
from types import MappingProxyType

import numpy as np

from netwright.space.graph import OperationGraph, Vertex
from netwright.space.way_statistics import way_names, way_statistics

MOST_OPERATIONS = 10
"""Operations told apart; where there are more with their arguments, kinds are, and the rarest are one."""

MOST_SUBSETS = 5
"""Up to so many operations all their sets are looked at."""

OTHER = "(other)"
JOINTS = frozenset({"input", "output", "sum", "concat", "mean", "multiply", "cell-input"})
"""Vertices that are no operations."""

NO_PATH = 64.0
"""The length of a path that does not exist, and of the longest that are told apart; models see ranks of it."""

_NUMBER = re.compile(r"(\w+)=(-?\d+(?:\.\d+)?(?:e-?\d+)?)(?=[,)])")


@dataclass(frozen=True)
class Vocabulary:
    """The operations of a space, and the sets of them that paths are looked for in.

    Args:
        operations: labels or kinds, sorted; the last may be `OTHER`.
        by_label: whether they are told apart by their arguments too.
        arguments: (kind, name) of numeric arguments, sorted.

    Example:
        >>> vocabulary = Vocabulary(("conv", "pool"), False, ())
        >>> vocabulary.sets
        ((), (0,), (1,), (0, 1))
    """

    operations: tuple[str, ...]
    by_label: bool
    arguments: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, graphs: Sequence[OperationGraph]) -> Vocabulary:
        """What occurs in the graphs of some architectures."""
        vertices = [v for graph in graphs for v in graph.vertices if v.kind not in JOINTS]
        labels = Counter(v.label for v in vertices)
        by_label = len(labels) <= MOST_OPERATIONS
        counted = labels if by_label else Counter(v.kind for v in vertices)
        kept = sorted(counted, key=lambda name: (-counted[name], name))
        if len(kept) > MOST_OPERATIONS:
            kept = [*sorted(kept[: MOST_OPERATIONS - 1]), OTHER]
        arguments = {(v.kind, name) for v in set(vertices) for name in numeric_arguments(v.label)}
        return cls(tuple(kept if OTHER in kept else sorted(kept)), by_label, tuple(sorted(arguments)))

    @cached_property
    def sets(self) -> tuple[tuple[int, ...], ...]:
        """Sets of operations by their numbers, smaller ones first, the empty one among them."""
        count = len(self.operations)
        sizes: Iterable[int] = range(count + 1) if count <= MOST_SUBSETS else sorted({0, 1, 2, count - 1, count})
        return tuple(chosen for size in sizes for chosen in combinations(range(count), size))

    @cached_property
    def members(self) -> np.ndarray:
        """Whether an operation (row) is in a set (column); float64, shape (operations, sets)."""
        found = np.zeros((len(self.operations), len(self.sets)))
        for column, chosen in enumerate(self.sets):
            found[list(chosen), column] = 1.0
        return found

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.operations)}

    def number(self, vertex: Vertex) -> int | None:
        """Which operation a vertex is; None for one that joins others, and for one that is not known."""
        if vertex.kind in JOINTS or not self.operations:
            return None
        name = vertex.label if self.by_label else vertex.kind
        return self._numbers.get(name, self._numbers.get(OTHER))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the statistics, in their order."""
        ends = [*self.operations, "end"]
        sets = ["{" + ", ".join(self.operations[i] for i in chosen) + "}" for chosen in self.sets]
        return (
            *(f"count of {name}" for name in self.operations),
            *(f"{what} {name}" for what in ("fewest", "most", "shortest path in", "longest path in") for name in sets),
            *way_names(self.operations, sets),
            *(f"{left} feeds {right}" for left in ends for right in ends),
            "vertices", "edges", "depth", "joints", "edges into joints", "most edges into a vertex",
            "most edges out of a vertex", "mean edges out of a vertex",
            *(f"{what} {name} of {kind}" for kind, name in self.arguments for what in ("sum of", "mean of", "most")),
        )  # fmt: skip


@lru_cache(maxsize=4096)
def numeric_arguments(label: str) -> Mapping[str, float]:
    """Arguments of an operation that are numbers, by name, from its label.

    Example:
        >>> dict(numeric_arguments('conv(kernel=3, padding="same", width=16)'))
        {'kernel': 3.0, 'width': 16.0}
    """
    return MappingProxyType({name: float(value) for name, value in _NUMBER.findall(label)})


def graph_statistics(graph: OperationGraph, vocabulary: Vocabulary) -> np.ndarray:
    """The statistics of a graph; their names are `Vocabulary.names`.

    Args:
        graph: of a network.
        vocabulary: of its space; operations that are not in it are passed through.

    Returns:
        Finite float64 array of shape (names,).
    """
    numbers = [vocabulary.number(vertex) for vertex in graph.vertices]
    counts = np.bincount([n for n in numbers if n is not None], minlength=len(vocabulary.operations))
    return np.concatenate(
        [
            counts.astype(np.float64),
            _paths(graph, numbers, vocabulary.members),
            way_statistics(graph, numbers, vocabulary.members),
            _links(graph, numbers, len(vocabulary.operations)),
            _shape(graph),
            _argument_statistics(graph, vocabulary.arguments),
        ]
    )


def _paths(graph: OperationGraph, numbers: Sequence[int | None], members: np.ndarray) -> np.ndarray:
    """For each set: fewest and most of its operations on a path, shortest and longest path of nothing else.

    One pass over the vertices. A path that does not exist has the length `NO_PATH` as a shortest, and -1 as a longest.
    """
    num_sets = members.shape[1]
    nothing = np.array([np.inf, -np.inf, np.inf, -np.inf])[:, None].repeat(num_sets, axis=1)
    blocked = np.array([0.0, 0.0, np.inf, -np.inf])[:, None]
    found: list[np.ndarray] = []
    for vertex, number in zip(graph.vertices, numbers, strict=True):
        if vertex.kind == "input":
            found.append(np.zeros((4, num_sets)))
            continue
        into = np.stack([found[i] for i in vertex.inputs]) if vertex.inputs else nothing[None]
        here = into.min(axis=0)
        here[1::2] = into[:, 1::2].max(axis=0)
        if number is not None:
            inside = members[number] > 0
            here = np.where(inside, here + 1, here + blocked)
        found.append(here)
    ends = found[-1]
    ends[::2] = np.minimum(ends[::2], NO_PATH)
    ends[1::2] = np.clip(ends[1::2], -1, NO_PATH)
    return ends.ravel()


def _links(graph: OperationGraph, numbers: Sequence[int | None], count: int) -> np.ndarray:
    """How often an operation feeds another, joints between them left out; the ends of the network are the last."""
    links = np.zeros((count + 1, count + 1))
    sources: list[np.ndarray] = []  # how often each operation, or the input, is what a vertex gives
    for vertex, number in zip(graph.vertices, numbers, strict=True):
        fed = np.zeros(count + 1)
        for i in vertex.inputs:
            fed += sources[i]
        target = count if vertex.kind == "output" else number
        if target is not None:
            links[:, target] += fed
        if vertex.kind == "input" or number is not None:
            fed = np.zeros(count + 1)
            fed[count if number is None else number] = 1.0
        sources.append(np.minimum(fed, 1e9))
    return links.ravel()


def _shape(graph: OperationGraph) -> np.ndarray:
    """Sizes and degrees, whatever the operations are."""
    inputs = [len(vertex.inputs) for vertex in graph.vertices]
    out = Counter(source for source, _ in graph.edges)
    joints = [len(v.inputs) for v in graph.vertices if v.kind in JOINTS and v.kind not in ("input", "output")]
    depths: list[int] = []
    for vertex in graph.vertices:
        depths.append((vertex.kind not in JOINTS) + max((depths[i] for i in vertex.inputs), default=0))
    mean_out = sum(out.values()) / max(1, len(out))
    return np.array(
        [
            len(graph), sum(inputs), depths[-1], len(joints), sum(joints), max(inputs), max(out.values(), default=0),
            mean_out,
        ],
        dtype=np.float64,
    )  # fmt: skip


def _argument_statistics(graph: OperationGraph, arguments: Sequence[tuple[str, str]]) -> np.ndarray:
    """Sum, mean and maximum of each numeric argument over the operations of its kind; zeros where there is none."""
    values: dict[tuple[str, str], list[float]] = {}
    for vertex in graph.vertices:
        for name, value in numeric_arguments(vertex.label).items() if vertex.kind not in JOINTS else ():
            values.setdefault((vertex.kind, name), []).append(value)
    found = np.zeros((len(arguments), 3))
    for row, argument in enumerate(arguments):
        if of_argument := values.get(argument):
            found[row] = sum(of_argument), sum(of_argument) / len(of_argument), max(of_argument)
    return found.ravel()
