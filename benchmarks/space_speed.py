"""How fast spaces count, sample and move: median CPU milliseconds over calls, on one core.

Run: python benchmarks/space_speed.py [calls]
"""

from __future__ import annotations

import itertools
import math
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from netwright.space import (
    Cell,
    CellNode,
    Edge,
    Node,
    OneOf,
    Op,
    Repeat,
    SearchSpace,
    choice,
    flag,
    integer,
    total,
)

OPS = ("none", "skip", "conv1", "conv3", "pool")


def nasbench201() -> SearchSpace:
    """One cell, five operations on each of six edges."""
    nodes = []
    for target in range(1, 4):
        edges = []
        for source in range(target):
            selector = choice(f"{source}-{target}", list(OPS))
            edges.append(Edge(source, OneOf(selector, tuple((name, Op(name)) for name in OPS))))
        nodes.append(CellNode(tuple(edges)))
    return SearchSpace(Cell(1, tuple(nodes)))


def nasbench101() -> SearchSpace:
    """Up to seven vertices; present nodes, upper-triangular edges, at most nine edges, each inner node in use."""
    count = integer("vertices", 2, 7)
    inner: list[CellNode] = []
    flags = {(i, j): flag(f"{i}-{j}") for j in range(1, 7) for i in range(j)}
    constraints = [total(list(flags.values())) <= 9]
    for j in range(1, 7):
        last = j == 6
        edges = tuple(Edge(i, Op("identity"), flags[i, j]) for i in range(j))
        names = ("conv1", "conv3", "pool")
        op = OneOf(choice(f"op{j}", list(names)), tuple((n, Op(n)) for n in names))
        inner.append(CellNode(edges, op=None if last else op, present=None if last else count >= j + 2))
        constraints.append(total([flags[i, j] for i in range(j)]) >= 1)
        if not last:
            constraints.append(total([flags[j, k] for k in range(j + 1, 7)]) >= 1)
    return SearchSpace(Cell(1, tuple(inner)), constraints=constraints)


def macro(stages: int = 6, depth: int = 4) -> SearchSpace:
    """MobileNet-like: stages with shared width, up to four blocks each with kernel, expansion, squeeze and kind."""

    def block(name: str, width: object) -> Node:
        conv = Op(
            "mbconv",
            (
                ("width", width),
                ("kernel", choice(f"{name}.kernel", [3, 5, 7])),
                ("expand", choice(f"{name}.expand", [3, 4, 6])),
                ("squeeze", flag(f"{name}.squeeze")),
            ),
        )  # type: ignore[arg-type]
        return OneOf(choice(f"{name}.kind", ["mbconv", "skip"]), (("mbconv", conv), ("skip", Op("identity"))))

    parts = []
    for stage in range(stages):
        width = choice(f"s{stage}.width", [16 * (stage + 1) + 8 * k for k in range(4)])
        blocks = tuple(block(f"s{stage}.b{i}", width) for i in range(depth))
        parts.append(Repeat(integer(f"s{stage}.depth", 1, depth), blocks))
    return SearchSpace(Op("seq", (), tuple(parts)))


def monotone(layers: int = 30) -> SearchSpace:
    """Widths that never shrink, and a bound on their sum: constraints between all neighbours and over all layers."""
    widths = [integer(f"w{i}", 1, 16) for i in range(layers)]
    constraints = [b >= a for a, b in itertools.pairwise(widths)]
    convs = tuple(Op("conv", (("width", w),)) for w in widths)
    return SearchSpace(Op("seq", (), convs), constraints=[*constraints, total(widths) <= layers * 8])


def flat(choices: int = 2_000) -> SearchSpace:
    """Thousands of independent choices."""
    return SearchSpace(Op("seq", (), tuple(Op("conv", (("w", choice(f"c{i}", [1, 2, 3])),)) for i in range(choices))))


SPACES: dict[str, Callable[[], SearchSpace]] = {
    "NAS-Bench-201 cell": nasbench201,
    "NAS-Bench-101 cell": nasbench101,
    "MobileNet-like macro": macro,
    "30 monotone widths, bounded sum": monotone,
    "2000 free choices": flat,
}


def median_ms(call: Callable[[], object], calls: int) -> float:
    """Median CPU milliseconds of a call."""
    times = []
    for _ in range(calls):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return 1e3 * statistics.median(times)


def main(calls: int) -> None:
    """Print the table."""
    columns = ("log10 count", "states", "first", "sample", "mutate", "crossover", "id")
    print(f"{'space':32}" + "".join(f"{column:>12}" for column in columns))
    for name, make in SPACES.items():
        rng = np.random.default_rng(0)
        start = time.process_time()
        space = make()
        count = space.count()
        first = 1e3 * (time.process_time() - start)
        a, b = space.sample(rng), space.sample(rng)
        moves: tuple[Callable[[], object], ...] = (
            lambda s=space, r=rng: s.sample(r),
            lambda s=space, r=rng, x=a: s.mutate(x, r),
            lambda s=space, r=rng, x=a, y=b: s.crossover(x, y, r),
            lambda s=space, x=a: s.canonical_id(x),
        )
        times = "".join(f"{median_ms(move, calls):12.3f}" for move in moves)
        print(f"{name:32}{math.log10(count):12.1f}{space.num_states:12}{first:12.1f}{times}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
