"""Moments over the paths of a network equal those of the paths listed one by one."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.space import Op, SearchSpace
from netwright.space.graph import OperationGraph, Vertex, operation_graph
from netwright.space.path_moments import PLAIN, path_moments
from netwright.space.resolve import resolve
from netwright.testing import example_spaces
from netwright.types import digest

DIMENSION = 128


def place(text: str) -> int:
    return int(digest(text), 16) % DIMENSION


def listed(graph: OperationGraph) -> np.ndarray:
    """Operation counts of every path, shape (paths, dimension)."""

    def paths(at: int) -> list[np.ndarray]:
        vertex = graph.vertices[at]
        found = [np.zeros(DIMENSION)] if vertex.kind == "input" else [p for i in vertex.inputs for p in paths(i)]
        if vertex.kind in PLAIN:
            return found
        step = np.zeros(DIMENSION)
        for text in (vertex.label, f"kind {vertex.kind}"):
            step[place(text)] += 1
        return [path + step for path in found]

    return np.array(paths(len(graph) - 1)).reshape(-1, DIMENSION)


@pytest.mark.parametrize("name", [n for n, s in example_spaces().items() if s.root is not None])
def test_moments_are_those_of_the_listed_paths(name: str) -> None:
    """Mean, variance and number of paths, for 60 random architectures of each kind of space."""
    space, rng = example_spaces()[name], np.random.default_rng(0)
    assert space.root is not None
    for _ in range(60):
        graph = space.graph(space.sample(rng))
        counts, moments = listed(graph), path_moments(graph, DIMENSION)
        assert moments.log_count == pytest.approx(np.log1p(len(counts)))
        if len(counts):
            np.testing.assert_allclose(counts.mean(axis=0), moments.mean, atol=1e-9)
            np.testing.assert_allclose(counts.var(axis=0), moments.variance, atol=1e-9)


def test_ten_thousand_doublings_do_not_overflow() -> None:
    """2^10,000 paths of which each meets 5,000 convolutions on average, of two edges in parallel each time."""
    vertices = [Vertex("input", "input", ())]
    for _ in range(10_000):
        at = len(vertices) - 1
        vertices.append(Vertex("conv", "conv", (at,)))
        vertices.append(Vertex("sum", "sum", (at, len(vertices) - 1)))
    vertices.append(Vertex("output", "output", (len(vertices) - 1,)))
    moments = path_moments(OperationGraph(tuple(vertices)), DIMENSION)
    assert moments.log_count == pytest.approx(10_000 * np.log(2))
    assert moments.mean[place("conv")] == pytest.approx(5_000)
    assert moments.variance[place("conv")] == pytest.approx(2_500, rel=1e-3)


def test_without_a_path_all_is_zero() -> None:
    """Of a network whose output nothing reaches."""
    empty = OperationGraph(
        (Vertex("input", "input", ()), Vertex("nothing", "nothing", ()), Vertex("output", "output", (1,)))
    )
    moments = path_moments(empty, DIMENSION)
    assert (moments.log_count, moments.mean.any(), moments.variance.any()) == (0.0, False, False)


def test_a_chain_has_one_path_without_spread() -> None:
    """Its flow is its operations, and the encoding says so."""
    space = SearchSpace(Op("seq", children=(Op("conv"), Op("relu"), Op("conv"))))
    assert space.root is not None
    graph = operation_graph(resolve(space.root, space.architecture({})))
    moments = path_moments(graph, DIMENSION)
    assert moments.mean[place("conv")] == 2.0
    assert not moments.variance.any()
    flow = space.encode(space.architecture({}), "flow")
    np.testing.assert_array_equal(np.append(space.encode(space.architecture({}), "operation"), np.log(2)), flow)
