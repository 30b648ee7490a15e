"""DARTS: a normal and a reduction cell, shared by the whole network, each node of which reads two earlier ones.

References:
    Liu, Simonyan and Yang (2019), DARTS: Differentiable Architecture Search. The space is that of its genotypes, in
    which no edge is "none". Where we deviate: no auxiliary head; batch norms of pooling edges are left out.
"""

from __future__ import annotations

from netwright.errors import SpaceError, wrong
from netwright.nn.blocks import factorized_reduce
from netwright.nn.layers import (
    avg_pool,
    batch_norm,
    conv,
    depthwise_conv,
    global_pool,
    identity,
    linear,
    max_pool,
    relu,
    separable_conv,
)
from netwright.nn.spaces.images import require_image
from netwright.nn.structures import cell, cell_chain, cell_node, edge, joint, one_of, seq, stage_width
from netwright.space import SearchSpace
from netwright.space.declarations import contains, subset
from netwright.space.nodes import Cell, Node, Op


def darts(
    input_shape: tuple[int, ...] = (3, 32, 32),
    num_outputs: int = 10,
    *,
    channels: int = 16,
    num_cells: int = 8,
    num_nodes: int = 4,
) -> SearchSpace:
    """Make the space; with its defaults (180 * 7**8)**2 = 1.08e18 architectures.

    Each node reads two of the cell's two inputs and its earlier nodes (``normal.inputs{node}``), each through one of
    seven operations (``normal.op{source}-{node}``); the same for ``reduce``.

    Args:
        input_shape: (C, H, W).
        num_outputs: classes.
        channels: of the first cells; doubled by each of the two reductions. 16 in the paper's search, 36 afterwards.
        num_cells: cells in all, >= 3; those at a third and two thirds reduce. 8 in the paper's search, 20 afterwards.
        num_nodes: inner nodes of a cell; 4 in the paper.

    Raises:
        SpaceError: a shape or a number cannot be.

    Example:
        >>> darts().count() == (1 * 3 * 6 * 10 * 7**8) ** 2
        True
    """
    require_image(input_shape, num_outputs)
    if num_cells < 3:
        raise SpaceError(wrong("num_cells", num_cells, ">= 3, so that there is room for two reductions"))
    reductions = (num_cells // 3, 2 * num_cells // 3)
    plan: list[tuple[int, int]] = []
    for number in range(num_cells):
        reductions_so_far = sum(1 for r in reductions if r <= number)
        plan.append((int(number in reductions), channels * 2**reductions_so_far))
    cells = [joint(_cell("normal", num_nodes, 1)), joint(_cell("reduce", num_nodes, 2))]
    stem = seq(conv(3 * channels, bias=False), batch_norm())
    return SearchSpace(seq(stem, cell_chain(cells, plan), global_pool(), linear(num_outputs)))


def _cell(name: str, num_nodes: int, stride: int) -> Cell:
    """A cell of two inputs; edges from these have the stride."""
    nodes = []
    for number in range(2, 2 + num_nodes):
        inputs = subset(f"{name}.inputs{number}", range(number), 2, 2)
        edges = [
            edge(
                source,
                _operation(f"{name}.op{source}-{number}", stride if source < 2 else 1),
                present=contains(inputs, source),
            )
            for source in range(number)
        ]
        nodes.append(cell_node(*edges))
    return cell(*nodes, num_inputs=2, output="concat")


def _operation(name: str, stride: int) -> Node:
    return one_of(
        name,
        {
            "max_pool_3x3": max_pool(3, stride),
            "avg_pool_3x3": avg_pool(3, stride),
            "skip_connect": identity() if stride == 1 else factorized_reduce(stage_width()),
            "sep_conv_3x3": _separable(3, stride),
            "sep_conv_5x5": _separable(5, stride),
            "dil_conv_3x3": _dilated(3, stride),
            "dil_conv_5x5": _dilated(5, stride),
        },
    )


def _separable(kernel: int, stride: int) -> Op:
    """ReLU, separable convolution and batch norm, twice; the stride is in the first."""
    return seq(
        relu(),
        separable_conv(stage_width(), kernel, stride, bias=False),
        batch_norm(),
        relu(),
        separable_conv(stage_width(), kernel, bias=False),
        batch_norm(),
    )


def _dilated(kernel: int, stride: int) -> Op:
    depthwise = depthwise_conv(kernel, stride, dilation=2, bias=False)
    return seq(relu(), depthwise, conv(stage_width(), kernel=1, bias=False), batch_norm())
