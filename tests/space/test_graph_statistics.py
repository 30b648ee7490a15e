"""Statistics of graphs: what they count, that equal networks have equal ones, and that every space has them."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.space.graph import OperationGraph, Vertex
from netwright.space.graph_statistics import JOINTS, NO_PATH, Vocabulary, graph_statistics, numeric_arguments
from netwright.testing import cell_space, example_spaces
from netwright.types import Architecture

VOCABULARY = Vocabulary(("conv", "pool"), False, ())


def diamond() -> OperationGraph:
    """Input to conv to conv, beside a pool, beside nothing; their sum is the output."""
    return OperationGraph(
        (
            Vertex("input", "input"),
            Vertex("conv", "conv", (0,)),
            Vertex("conv", "conv", (1,)),
            Vertex("pool", "pool", (0,)),
            Vertex("sum", "sum", (0, 2, 3)),
            Vertex("output", "output", (4,)),
        )
    )


@pytest.fixture(scope="module")
def told() -> dict[str, float]:
    """Statistics of the diamond by name."""
    return dict(zip(VOCABULARY.names, graph_statistics(diamond(), VOCABULARY).tolist(), strict=True))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("count of conv", 2),
        ("count of pool", 1),
        ("fewest {conv}", 0),
        ("most {conv}", 2),
        ("most {conv, pool}", 2),
        ("shortest path in {}", 0),
        ("longest path in {}", 0),
        ("longest path in {pool}", 1),
        ("longest path in {conv, pool}", 2),
        ("log paths in {}", np.log(2)),
        ("log paths in {conv}", np.log(3)),
        ("log paths in {conv, pool}", np.log(4)),
        ("mean conv on a path", 2 / 3),
        ("mean pool on a walk back", 1 / 3),
        ("spread of pool on a path", np.sqrt(2 / 9)),
        ("variance", 3),
        ("conv feeds conv", 1),
        ("conv feeds end", 1),
        ("end feeds conv", 1),
        ("end feeds end", 1),
        ("pool feeds conv", 0),
        ("edges", 7),
        ("depth", 2),
        ("joints", 1),
        ("edges into joints", 3),
        ("most edges out of a vertex", 3),
    ],
)
def test_a_diamond(told: dict[str, float], name: str, expected: float) -> None:
    """Each statistic of a small graph is what one counts by hand."""
    assert expected == pytest.approx(told[name])


def test_a_path_that_does_not_exist() -> None:
    """Where no path is of pools alone, the shortest is `NO_PATH` long and the longest -1."""
    chain = OperationGraph((Vertex("input", "input"), Vertex("conv", "conv", (0,)), Vertex("output", "output", (1,))))
    told = dict(zip(VOCABULARY.names, graph_statistics(chain, VOCABULARY).tolist(), strict=True))
    assert (NO_PATH, -1.0) == (told["shortest path in {pool}"], told["longest path in {pool}"])
    assert told["shortest path in {conv}"] == 1.0


@pytest.mark.parametrize("name", [n for n, space in example_spaces().items() if space.root is not None])
def test_every_space_has_them(name: str) -> None:
    """All statistics are finite, and as many as there are names."""
    space, rng = example_spaces()[name], np.random.default_rng(0)
    graphs = [space.graph(space.sample(rng)) for _ in range(20)]
    vocabulary = Vocabulary.of(graphs[:10])
    rows = np.stack([graph_statistics(graph, vocabulary) for graph in graphs])
    assert (20, len(vocabulary.names)) == rows.shape
    assert np.isfinite(rows).all()
    assert len(set(vocabulary.names)) == len(vocabulary.names)


def test_equal_networks_have_equal_statistics() -> None:
    """Cells that share a canonical id have the same row."""
    space, rng = cell_space(), np.random.default_rng(0)
    cells = [space.sample(rng) for _ in range(150)]
    vocabulary = Vocabulary.of([space.graph(cell) for cell in cells])
    rows: dict[str, np.ndarray] = {}
    twins = 0
    for cell in dict.fromkeys(cells):
        row = graph_statistics(space.graph(cell), vocabulary)
        network = space.canonical_id(cell)
        twins += network in rows
        assert rows.setdefault(network, row).tolist() == row.tolist()
    assert twins > 5


def test_operations_that_are_not_known_are_passed_through() -> None:
    """A vocabulary of another space finds nothing to count, and the paths."""
    vocabulary = Vocabulary(("dense",), False, ())
    told = dict(zip(vocabulary.names, graph_statistics(diamond(), vocabulary).tolist(), strict=True))
    assert (0.0, 0.0) == (told["count of dense"], told["most {dense}"])


def test_many_operations_are_told_apart_by_kind() -> None:
    """Eleven labels of two kinds are two operations; their arguments are summed up."""
    graph = OperationGraph(
        (
            Vertex("input", "input"),
            *(Vertex("conv", f"conv(width={w})", (w,)) for w in range(10)),
            Vertex("pool", "pool", (10,)),
            Vertex("output", "output", (11,)),
        )
    )
    vocabulary = Vocabulary.of([graph])
    told = dict(zip(vocabulary.names, graph_statistics(graph, vocabulary).tolist(), strict=True))
    assert ("conv", "pool") == vocabulary.operations
    assert (45.0, 4.5, 9.0) == tuple(told[f"{what} width of conv"] for what in ("sum of", "mean of", "most"))


def test_many_kinds_are_ten_at_most() -> None:
    """The rarest of 30 kinds are one operation, and sets are single ones, pairs, all but one, all, and none."""
    operations = [Vertex(f"op{number % 30}", f"op{number % 30}", (number,)) for number in range(60)]
    graph = OperationGraph((Vertex("input", "input"), *operations, Vertex("output", "output", (60,))))
    vocabulary = Vocabulary.of([graph])
    assert (10, "(other)") == (len(vocabulary.operations), vocabulary.operations[-1])
    assert 1 + 10 + 45 + 10 + 1 == len(vocabulary.sets)
    assert 60.0 == graph_statistics(graph, vocabulary)[:10].sum()


def test_exponentially_many_paths_stay_finite() -> None:
    """A chain of 300 doubled edges has finite statistics."""
    vertices = [Vertex("input", "input")]
    for number in range(0, 600, 2):
        vertices += [Vertex("conv", "conv", (number,)), Vertex("sum", "sum", (number, number + 1))]
    graph = OperationGraph((*vertices, Vertex("output", "output", (600,))))
    assert np.isfinite(graph_statistics(graph, VOCABULARY)).all()


def test_arguments_are_read_from_labels() -> None:
    """Numbers are, text and flags are not."""
    assert {"rate": 0.25, "n": -2.0} == numeric_arguments('x(flag=true, kind="a=3", n=-2, rate=0.25)')


def test_an_empty_cell() -> None:
    """A network of nothing has statistics too."""
    space = cell_space()
    cell = Architecture({f"edge{i}": "none" for i in range(6)})
    vocabulary = Vocabulary.of([space.graph(cell)])
    assert np.isfinite(graph_statistics(space.graph(cell), vocabulary)).all()
    assert not set(vocabulary.operations) & JOINTS
