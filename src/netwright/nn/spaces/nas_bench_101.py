"""NAS-Bench-101: a module that is any graph of up to seven vertices and nine edges.

References:
    Ying et al. (2019), NAS-Bench-101: Towards Reproducible Neural Architecture Search. Where we deviate: all inner
    vertices have the same number of channels (the module's, divided by the vertices the output joins, rounded down, and
    a 1 x 1 projection where a rest is left), so that no channels are cut off between them.
"""

from __future__ import annotations

from collections.abc import Mapping

from netwright.errors import SpaceError, wrong
from netwright.nn.arguments import Size
from netwright.nn.blocks import conv_norm_act, project
from netwright.nn.layers import global_pool, linear, max_pool
from netwright.nn.spaces.images import require_image
from netwright.nn.structures import cell, cell_node, edge, one_of, seq, stage_width, stages
from netwright.space import SearchSpace
from netwright.space.declarations import flag, maximum, total
from netwright.space.expressions import Expr
from netwright.space.nodes import Cell, CellNode, Node


def nas_bench_101(
    input_shape: tuple[int, ...] = (3, 32, 32),
    num_outputs: int = 10,
    *,
    channels: int = 128,
    num_stacks: int = 3,
    num_modules: int = 3,
    num_vertices: int = 7,
    max_edges: int = 9,
) -> SearchSpace:
    """Make the space; with its defaults 169,093,980 architectures, many of which are the same graph.

    An architecture says for each pair of vertices whether an edge leads from the one to the other (``edge{i}-{j}``),
    and the operation of each inner vertex. The paper's 423,624 are those that are left when vertices without a path
    from the input or to the output are cut off (as building does) and isomorphic graphs are counted once. A graph
    without any path is rejected when it is built.

    Args:
        input_shape: (C, H, W).
        num_outputs: classes.
        channels: of the first stack; each further one has twice as many.
        num_stacks: stacks, with pooling between them.
        num_modules: modules of each stack; the searched graph is the same in all.
        num_vertices: with input and output.
        max_edges: most edges.

    Raises:
        SpaceError: a shape or a number cannot be.

    Example:
        >>> nas_bench_101(num_vertices=3).count()
        24
    """
    require_image(input_shape, num_outputs)
    if num_vertices < 3:
        raise SpaceError(wrong("num_vertices", num_vertices, ">= 3 (an input, an output and one between)"))
    pairs = [(i, j) for j in range(1, num_vertices) for i in range(j)]
    edges = {(i, j): flag(f"edge{i}-{j}") for i, j in pairs}
    widths = [channels * 2**stack for stack in range(num_stacks)]
    body = stages(_module(edges, num_vertices), widths, repeats=num_modules, between=max_pool(2))
    network = seq(conv_norm_act(channels), body, global_pool(), linear(num_outputs))
    return SearchSpace(network, constraints=[total(list(edges.values())) <= max_edges])


def _module(edges: Mapping[tuple[int, int], Expr], num_vertices: int) -> Cell:
    """The module. Inner vertices add up what comes in; the output sets it side by side."""
    output = num_vertices - 1
    inner = stage_width(maximum(1, total([_as_number(edges[i, output]) for i in range(1, output)])))
    vertices: list[CellNode] = []
    for vertex in range(1, output):
        incoming = [edge(0, conv_norm_act(inner, kernel=1), present=edges[0, vertex])]
        incoming += [edge(i, present=edges[i, vertex]) for i in range(1, vertex)]
        vertices.append(cell_node(*incoming, then=_operation(f"op{vertex}", inner)))
    join = cell_node(*(edge(i, present=edges[i, output]) for i in range(1, output)), combine="concat")
    past = edge(0, conv_norm_act(stage_width(), kernel=1), present=edges[0, output])
    return cell(*vertices, join, cell_node(edge(output, project(stage_width())), past))


def _as_number(condition: Expr) -> Expr:
    return condition + 0


def _operation(name: str, channels: Size) -> Node:
    return one_of(
        name,
        {
            "conv3x3-bn-relu": conv_norm_act(channels),
            "conv1x1-bn-relu": conv_norm_act(channels, kernel=1),
            "maxpool3x3": max_pool(3, stride=1),
        },
    )
