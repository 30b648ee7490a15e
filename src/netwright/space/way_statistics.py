"""How many ways lead through a network, and what stands on an average one: further statistics of a graph.

Two averages: over all paths from input to output, each counted once, and over the walk back from the output that takes
each edge with the share of the variance that comes by it, if every operation gives variance 1 and a joint adds up what
it gets, as in networks with normalisation. The second is near to what depth is at initialisation: beside a direct way,
a long one counts for half. Knows no space.

References:
    A. Veit, M. Wilber and S. Belongie, 2016, "Residual Networks Behave Like Ensembles of Relatively Shallow Networks"
    (what an average path meets). The walk is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netwright.space.graph import OperationGraph

MOST_PATHS = 1e12
"""Numbers of paths beyond are told apart no more."""


@dataclass(frozen=True, slots=True)
class _Ways:
    """Ways from the input to a vertex.

    Args:
        weight: number of paths, or variance.
        first: mean number of each operation on them, shape (operations,).
        second: mean square of these numbers, shape (operations,).
    """

    weight: float
    first: np.ndarray
    second: np.ndarray

    def spread(self) -> np.ndarray:
        """Standard deviations of the numbers."""
        return np.asarray(np.sqrt(np.maximum(self.second - self.first**2, 0.0)))

    def through(self, operation: int, weight: float) -> _Ways:
        """The ways behind an operation."""
        step = np.zeros(len(self.first))
        step[operation] = 1.0
        return _Ways(weight, self.first + step, self.second + step * (2 * self.first + 1))


def way_names(operations: Sequence[str], sets: Sequence[str]) -> tuple[str, ...]:
    """Names of the statistics of `way_statistics`, in their order."""
    of_kind = [
        f"{what} {name} {where}"
        for where in ("on a path", "on a walk back")
        for what in ("mean", "spread of")
        for name in operations
    ]
    return (*(f"log paths in {name}" for name in sets), *of_kind, "mean length of a walk back", "variance")


def way_statistics(graph: OperationGraph, numbers: Sequence[int | None], members: np.ndarray) -> np.ndarray:
    """Statistics of the ways through a graph.

    Args:
        graph: of a network.
        numbers: which operation each vertex is, None for what joins others.
        members: whether an operation (row) is in a set (column), shape (operations, sets).

    Returns:
        Finite float64 array: the logarithm of 1 + the number of paths of nothing but operations of each set; mean and
        standard deviation of the number of each operation on a path; the same on a walk back; the mean length of a
        walk, and the variance at the end.
    """
    num_operations, num_sets = members.shape
    allowed: list[np.ndarray] = []
    paths: list[_Ways] = []
    walks: list[_Ways] = []
    for vertex, number in zip(graph.vertices, numbers, strict=True):
        if vertex.kind == "input":
            allowed.append(np.ones(num_sets))
            paths.append(_Ways(1.0, np.zeros(num_operations), np.zeros(num_operations)))
            walks.append(paths[-1])
            continue
        count = sum((allowed[i] for i in vertex.inputs), np.zeros(num_sets))
        path = _joined([paths[i] for i in vertex.inputs], num_operations)
        walk = _joined([walks[i] for i in vertex.inputs], num_operations)
        if number is not None:
            count = count * members[number]
            path, walk = path.through(number, path.weight), walk.through(number, 1.0)
        allowed.append(np.minimum(count, MOST_PATHS))
        paths.append(path)
        walks.append(walk)
    path, walk = paths[-1], walks[-1]
    ends = [float(walk.first.sum()), walk.weight]
    return np.concatenate([np.log1p(allowed[-1]), path.first, path.spread(), walk.first, walk.spread(), ends])


def _joined(ways: Sequence[_Ways], num_operations: int) -> _Ways:
    """The ways that come together, each weighted by its share."""
    total = sum(way.weight for way in ways)
    first, second = np.zeros(num_operations), np.zeros(num_operations)
    for way in ways if total > 0 else ():
        first += way.weight / total * way.first
        second += way.weight / total * way.second
    return _Ways(min(total, MOST_PATHS), first, second)
