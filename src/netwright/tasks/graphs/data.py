"""A graph as a task keeps it, and the repairs that are made of what was read. Knows no files and no networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError
from netwright.tasks.tabular.resolution import divisors

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Features:
    """Features of all nodes, as compressed sparse rows.

    Args:
        num_nodes: N.
        count: features of a node, F.
        rows: (K,) node of each value that is not 0, ascending.
        columns: (K,) its feature.
        values: (K,).
    """

    num_nodes: int
    count: int
    rows: Ints
    columns: Ints
    values: Floats

    @classmethod
    def of_matrix(cls, matrix: NDArray[Any]) -> Features:
        """From a matrix (N, F)."""
        rows, columns = np.nonzero(matrix)
        values = matrix[rows, columns].astype(np.float32)
        return cls(len(matrix), matrix.shape[1], rows.astype(np.int64), columns.astype(np.int64), values)

    @classmethod
    def none(cls, num_nodes: int) -> Features:
        """Nodes that can only be told apart: one feature each."""
        numbers = np.arange(num_nodes)
        return cls(num_nodes, num_nodes, numbers, numbers, np.ones(num_nodes, dtype=np.float32))

    @property
    def density(self) -> float:
        """Share of the values that are not 0."""
        return len(self.values) / max(1, self.num_nodes * self.count)

    def matrix(self) -> Floats:
        """As a matrix (N, F)."""
        found = np.zeros((self.num_nodes, self.count), dtype=np.float32)
        found[self.rows, self.columns] = self.values
        return found

    def rows_of_sum_one(self) -> Features:
        """Each node's values divided by their sum; nodes without any stay as they are."""
        sums = np.bincount(self.rows, self.values, minlength=self.num_nodes)
        scale = np.where(sums == 0, 1.0, sums)[self.rows]
        return Features(self.num_nodes, self.count, self.rows, self.columns, (self.values / scale).astype(np.float32))

    def standardised(self, nodes: Ints) -> Features:
        """Columns brought to mean 0 and deviation 1, by all nodes or some of them, in whichever unit they are."""
        matrix = self.matrix()
        mean = matrix[nodes].mean(0, dtype=np.float64)
        std = matrix[nodes].std(0, dtype=np.float64)
        scale = divisors(mean, std).astype(np.float32)
        return Features.of_matrix((matrix - mean.astype(np.float32)) / scale)


@dataclass(frozen=True)
class Graph:
    """A graph whose nodes have features and, some of them, classes.

    Args:
        name: for people.
        features: of all nodes.
        edges: (2, E) source and target of each, by target and then source; no loops, none twice.
        labels: (N,) class numbers, -1 where none is known.
        class_names: of the classes.
        parts: nodes of train, val and test, disjoint.
        notes: what was mended or is odd.
    """

    name: str
    features: Features
    edges: Ints
    labels: Ints
    class_names: tuple[str, ...]
    parts: Mapping[str, Ints]
    notes: tuple[str, ...] = field(default=())

    @property
    def num_nodes(self) -> int:
        """N."""
        return self.features.num_nodes

    def constants(self) -> dict[str, NDArray[Any]]:
        """What networks hold of it, by the end of the names of their buffers."""
        sources, targets = self.edges
        found = incidence("edges", sources, targets, self.num_nodes, self.num_nodes)
        own = self.features
        found |= incidence("entries", own.columns, own.rows, own.count, own.num_nodes)
        return {**found, "values": own.values}


def incidence(name: str, sources: Ints, targets: Ints, num_sources: int, num_targets: int) -> dict[str, Ints]:
    """Edges in the order of their targets, and how to read them in that of their sources.

    Args:
        name: of the buffers' module.
        sources: (E,) of each edge.
        targets: (E,), ascending.
        num_sources: how many sources there may be.
        num_targets: the same of targets.

    Returns:
        ``sources`` and ``targets`` (E,), ``offsets`` (num_targets,) where a target's edges begin, ``order`` (E,) of the
        edges by source, ``back`` (num_sources,) where a source's edges begin in that order.
    """
    order = np.argsort(sources, kind="stable")
    found = {
        "sources": sources,
        "targets": targets,
        "offsets": np.searchsorted(targets, np.arange(num_targets)),
        "order": order,
        "back": np.searchsorted(sources[order], np.arange(num_sources)),
    }
    return {f"{name}.{key}": np.ascontiguousarray(value, dtype=np.int64) for key, value in found.items()}


def tidy_edges(edges: Ints, num_nodes: int, *, directed: bool, where: str) -> tuple[Ints, tuple[str, ...]]:
    """Leave out loops and what is there twice, and add the other direction of each edge.

    Args:
        edges: (2, E), numbers of nodes that exist.
        num_nodes: N.
        directed: whether edges lead one way only; else the other direction is added.
        where: file, for messages.

    Returns:
        (2, E') by target and then source, and what was done.

    Raises:
        DataError: none is left.
    """
    notes = []
    loops = edges[0] == edges[1]
    if loops.any():
        notes.append(f"{where}: {int(loops.sum())} edge(s) of a node with itself left out; networks add what they need")
    keys = edges[1, ~loops] * num_nodes + edges[0, ~loops]
    unique = np.unique(keys)
    if len(unique) < len(keys):
        notes.append(f"{where}: {len(keys) - len(unique)} edge(s) that are there twice left out")
    if not directed:
        both = np.union1d(unique, unique % num_nodes * num_nodes + unique // num_nodes)
        if len(both) > len(unique):
            notes.append(f"{where}: {len(both) - len(unique)} edge(s) added, the other direction of one that is there")
        unique = both
    if len(unique) == 0:
        raise DataError(
            f"{where}: no edge between two nodes; where nodes have none, use the task tabular-classification"
        )
    found = np.stack([unique % num_nodes, unique // num_nodes])
    alone = num_nodes - len(np.unique(found))
    if alone:
        notes.append(f"{where}: {alone} node(s) have no edge; they are told from their own features")
    return found, tuple(notes)
