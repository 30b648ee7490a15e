"""Small search spaces that have, each, something a strategy may stumble over.

Declared with the space's own nodes and no backend: they can be searched, not built.
"""

from __future__ import annotations

from netwright.benchmarks.cells import cell_space as of_cells
from netwright.space.declarations import choice, flag, integer, real, subset
from netwright.space.expressions import Operand
from netwright.space.nodes import Node, OneOf, Op, Repeat, freeze_args, selector_from
from netwright.space.search_space import SearchSpace

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""The operations of NAS-Bench-201, named as in its files."""


def tiny_space() -> SearchSpace:
    """Six architectures, soon exhausted."""
    return SearchSpace(_op("conv", width=choice("width", [8, 16, 24]), bias=flag("bias")))


def nested_space() -> SearchSpace:
    """Decisions that exist only in some architectures: branches, a depth, a constraint."""
    width = choice("width", [8, 16, 32])

    def block(i: int) -> Node:
        kernel = choice(f"kernel{i}", [3, 5])
        branches = (("conv", _op("conv", width=width, kernel=kernel)), ("skip", _op("identity")))
        return OneOf(selector_from(f"block{i}", ("conv", "skip")), branches)

    depth = integer("depth", 1, 3)
    blocks = Repeat(depth, tuple(block(i) for i in range(3)))
    small = (width * depth) <= 64
    return SearchSpace(blocks, constraints=[small])


def mixed_space() -> SearchSpace:
    """Infinitely many architectures: a real choice beside a range, a subset and a flag."""
    return SearchSpace(
        _op("dropout", rate=real("rate", 0.0, 0.5), units=integer("units", 16, 256, 16, log=True)),
        training={
            "lr": real("lr", 1e-4, 1e-1, log=True),
            "augment": subset("augment", ["flip", "crop", "mixup"], 1, 2),
            "clip": flag("clip"),
        },
    )


def small_cell_space() -> SearchSpace:
    """A cell of two nodes, 27 strings, of which many are the same network."""
    return _cell_space(2, ("none", "skip_connect", "nor_conv_3x3"))


def cell_space() -> SearchSpace:
    """The cell of NAS-Bench-201: 15,625 strings, fewer architectures up to isomorphism. Decisions: edge0 to edge5.

    References:
        X. Dong and Y. Yang, 2020, "NAS-Bench-201". Edges in the order of its strings: 0-1, 0-2, 1-2, 0-3, 1-3, 2-3.
    """
    return _cell_space(3, OPERATIONS)


def example_spaces() -> dict[str, SearchSpace]:
    """The spaces the suites use by default, by name."""
    return {
        "tiny": tiny_space(),
        "nested": nested_space(),
        "mixed": mixed_space(),
        "small_cell": small_cell_space(),
        "cell": cell_space(),
    }


def _cell_space(num_nodes: int, operations: tuple[str, ...]) -> SearchSpace:
    pairs = [(source, node) for node in range(1, num_nodes + 1) for source in range(node)]
    return of_cells({f"edge{number}": pair for number, pair in enumerate(pairs)}, operations)


def _op(kind: str, **args: Operand) -> Op:
    return Op(kind, freeze_args(args))
