"""Hand-made networks that are too large are made smaller, by one factor, and by their depth last."""

from __future__ import annotations

from collections.abc import Iterator

from netwright import nn
from netwright.tasks.graphs.spaces import GraphSizes, graph_narrowed, graph_references, graph_space
from netwright.tasks.narrowing import admitted, narrowed
from netwright.tasks.tabular.spaces import DEPTHS, SIZES, tabular_references, tabular_space
from netwright.types import Architecture


def test_the_widest_admitted_one_of_each_is_taken() -> None:
    """Within the limit, with its factor; depth is kept where width alone is enough; what is admitted is left alone."""
    space = tabular_space(5, (), 2, classes=True)
    references = tabular_references(space)

    def params(architecture: Architecture) -> int:
        return nn.profile(space.resolve(architecture), input_shape=(5,)).params

    for limit in (5_000, 50_000):
        found = narrowed(space, references, lambda arch, most=limit: params(arch) <= most, SIZES, DEPTHS)
        assert [r.name.partition("-x")[0] for r in found] == [
            r.name for r in references if params(r.architecture) > limit
        ]
        assert all(params(r.architecture) <= limit for r in found)
        assert [r.architecture["mlp.depth"] for r in found if r.name.startswith("mlp")] == [3]
    assert narrowed(space, references, lambda arch: False, SIZES, DEPTHS) == ()


def test_no_network_is_given_twice() -> None:
    """What is a design already, or was given for another, is passed over for the next smaller one."""
    sizes = {"small": 1, "middle": 4, "large": 4}

    def made(size: int) -> Architecture:
        return Architecture({"size": size})

    def smaller(name: str) -> Iterator[tuple[str, Architecture]]:
        yield from ((str(size), made(size)) for size in range(sizes[name] - 1, -1, -1))

    designs = {"small": made(1), "middle": made(5), "large": made(6)}
    found = admitted(designs, smaller, lambda architecture: architecture != made(5) and architecture != made(6))
    assert [("middle-3", made(3)), ("large-2", made(2))] == [(r.name, r.architecture) for r in found]


def test_networks_of_graphs_are_narrowed_where_they_are_not_admitted() -> None:
    """A reference that is admitted already has no smaller form."""
    space = graph_space(GraphSizes(edges=10, inputs=20, entries=60), 3)
    wide = [r for r in graph_references(space) if r.architecture["width"] == 64]
    found = graph_narrowed(space, lambda architecture: architecture["width"] != 64)
    assert [f"{r.name}-32" for r in wide] == [r.name for r in found]
    assert {32} == {r.architecture["width"] for r in found}
