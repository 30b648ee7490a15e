"""What an average way through a network meets: moments of operation counts over all paths from input to output.

One pass over the operation graph, whatever the number of paths. Knows no search space.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netwright.space.graph import OperationGraph
from netwright.types import digest

PLAIN = frozenset({"input", "output", "sum", "concat", "mean", "multiply"})
"""Vertices that are no operations of a path."""


@dataclass(frozen=True, slots=True)
class PathMoments:
    """Moments over the paths of a network; all zero where no path leads to the output.

    Args:
        log_count: logarithm of 1 + the number of paths.
        mean: how often each operation stands on a path on average, shape (dimension,).
        variance: how much that differs from path to path, shape (dimension,).
    """

    log_count: float
    mean: np.ndarray
    variance: np.ndarray


def path_moments(graph: OperationGraph, dimension: int) -> PathMoments:
    """Mean and variance of operation counts over all paths from input to output.

    Operations fall on entries by a hash of their kind with its arguments and by one of their kind alone. The recursion
    carries the logarithm of the number of paths into a vertex, and the first two moments over them, so that nothing
    overflows however many there are.

    Args:
        graph: of a network.
        dimension: number of entries.
    """
    logs: list[float] = []
    firsts: list[np.ndarray] = []
    seconds: list[np.ndarray] = []
    for vertex in graph.vertices:
        if vertex.kind == "input":
            log, first, second = 0.0, np.zeros(dimension), np.zeros(dimension)
        else:
            log, first, second = _joined(vertex.inputs, logs, firsts, seconds, dimension)
        if vertex.kind not in PLAIN:
            step = np.zeros(dimension)
            for text in (vertex.label, f"kind {vertex.kind}"):
                step[int(digest(text), 16) % dimension] += 1.0
            second = second + step * (2 * first + step)  # E (x + s)^2
            first = first + step
        logs.append(log)
        firsts.append(first)
        seconds.append(second)
    if logs[-1] == -np.inf:
        return PathMoments(0.0, np.zeros(dimension), np.zeros(dimension))
    variance = np.maximum(seconds[-1] - firsts[-1] ** 2, 0.0)
    return PathMoments(float(np.logaddexp(0.0, logs[-1])), firsts[-1], variance)


def _joined(
    inputs: tuple[int, ...], logs: list[float], firsts: list[np.ndarray], seconds: list[np.ndarray], dimension: int
) -> tuple[float, np.ndarray, np.ndarray]:
    """Moments over the paths that come in by several edges, each weighted by the paths that use it."""
    live = [i for i in inputs if logs[i] > -np.inf]
    if not live:
        return -np.inf, np.zeros(dimension), np.zeros(dimension)
    highest = max(logs[i] for i in live)
    shares = np.exp(np.array([logs[i] - highest for i in live]))
    total = shares.sum()
    weights = shares / total
    first = sum((w * firsts[i] for w, i in zip(weights, live, strict=True)), np.zeros(dimension))
    second = sum((w * seconds[i] for w, i in zip(weights, live, strict=True)), np.zeros(dimension))
    return highest + float(np.log(total)), first, second
