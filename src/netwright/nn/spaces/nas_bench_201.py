"""NAS-Bench-201: a cell of four nodes with one of five operations on each of its six edges.

References:
    Dong and Yang (2020), NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search.
"""

from __future__ import annotations

from netwright.nn.blocks import conv_norm_act
from netwright.nn.layers import avg_pool, batch_norm, conv, global_pool, identity, linear, relu, zero
from netwright.nn.spaces.images import require_image
from netwright.nn.structures import dense_cell, one_of, residual, seq, stage_width, stages
from netwright.space import SearchSpace
from netwright.space.nodes import Node, Op


def nas_bench_201(
    input_shape: tuple[int, ...] = (3, 32, 32), num_outputs: int = 10, *, channels: int = 16, num_cells: int = 5
) -> SearchSpace:
    """Make the space: 5**6 = 15,625 architectures.

    The searched cell is the same everywhere; the network is the paper's: a stem, three stages of ``num_cells`` cells,
    residual blocks of stride 2 between them, pooling and a linear layer. The decision of the edge from node i to
    node j is ``edge{i}-{j}``.

    Args:
        input_shape: (C, H, W).
        num_outputs: classes.
        channels: of the first stage; 16 in the paper.
        num_cells: of each stage; 5 in the paper.

    Raises:
        SpaceError: a shape or a number cannot be.

    Example:
        >>> nas_bench_201().count()
        15625
    """
    require_image(input_shape, num_outputs)
    cell = dense_cell(4, lambda i, j: _edge(f"edge{i}-{j}"))
    body = stages(cell, [channels, 2 * channels, 4 * channels], repeats=num_cells, between=_reduction())
    stem, last = seq(conv(channels, bias=False), batch_norm()), seq(batch_norm(), relu())
    return SearchSpace(seq(stem, body, last, global_pool(), linear(num_outputs)))


def _edge(name: str) -> Node:
    return one_of(
        name,
        {
            "none": zero(),
            "skip_connect": identity(),
            "nor_conv_1x1": _relu_conv_norm(kernel=1),
            "nor_conv_3x3": _relu_conv_norm(),
            "avg_pool_3x3": avg_pool(3, stride=1),
        },
    )


def _relu_conv_norm(kernel: int = 3, stride: int = 1) -> Op:
    return seq(relu(), conv_norm_act(stage_width(), kernel, stride, activation="identity"))


def _reduction() -> Op:
    body = seq(_relu_conv_norm(stride=2), _relu_conv_norm())
    return residual(body, seq(avg_pool(2), conv(stage_width(), kernel=1, bias=False)))
