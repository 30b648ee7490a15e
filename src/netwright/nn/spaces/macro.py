"""Macro spaces: a chain of stages, whose blocks, widths and depths are choices.

References:
    Tan et al. (2019), MnasNet (blocks of inverted residuals, kernel, expansion, squeeze-excite and depth a stage);
    He et al. (2016), Deep Residual Learning (basic and bottleneck blocks).
"""

from __future__ import annotations

from netwright.nn.blocks import conv_norm_act, mbconv
from netwright.nn.layers import dropout, global_pool, linear
from netwright.nn.spaces.images import require_image
from netwright.nn.structures import one_of, repeat, residual, seq
from netwright.space import SearchSpace
from netwright.space.declarations import choice
from netwright.space.expressions import Choice
from netwright.space.nodes import Node, Op


def mobile_macro(
    input_shape: tuple[int, ...] = (3, 32, 32),
    num_outputs: int = 10,
    *,
    widths: tuple[int, ...] = (16, 24, 40, 80),
    max_depth: int = 4,
) -> SearchSpace:
    """Make a space of MobileNets; with its defaults 1.0e21 architectures.

    Each stage decides its width (0.5, 1 or 1.5 times the given one), its depth, and whether it has squeeze-excite;
    each block of it its kernel (3, 5 or 7) and its expansion (2, 3, 4 or 6). Stages but the first halve the extent.

    Args:
        input_shape: (C, H, W).
        num_outputs: classes.
        widths: channels of each stage.
        max_depth: most blocks of a stage.

    Raises:
        SpaceError: a shape or a number cannot be.

    Example:
        >>> mobile_macro(widths=(16,), max_depth=1).count()
        216
    """
    require_image(input_shape, num_outputs)
    stages = [_mobile_stage(number, width, max_depth) for number, width in enumerate(widths)]
    stem = conv_norm_act(choice("stem.width", [8, 16, 24]), activation="hardswish")
    head = conv_norm_act(4 * widths[-1], kernel=1, activation="hardswish")
    return SearchSpace(seq(stem, *stages, head, global_pool(), dropout(0.1), linear(num_outputs)))


def _mobile_stage(number: int, width: int, max_depth: int) -> Node:
    name = f"stage{number}"
    channels = choice(f"{name}.width", sorted({max(8, round(width * f / 8) * 8) for f in (0.5, 1.0, 1.5)}))
    reduction = choice(f"{name}.se", [0, 4])

    def block(i: int) -> Op:
        return mbconv(
            channels,
            kernel=choice(f"{name}.kernel{i}", [3, 5, 7]),
            stride=2 if number and not i else 1,
            expand=choice(f"{name}.expand{i}", [2, 3, 4, 6]),
            se=reduction,
            activation="hardswish",
        )

    return repeat(f"{name}.depth", block, 1, max_depth)


def resnet_macro(
    input_shape: tuple[int, ...] = (3, 32, 32),
    num_outputs: int = 10,
    *,
    widths: tuple[int, ...] = (16, 32, 64),
    max_depth: int = 5,
) -> SearchSpace:
    """Make a space of residual networks; with its defaults 4.1e10 architectures.

    Each stage decides its width (the given one, or 1.5 or 2 times it), its depth, and its activation; each block
    whether it is basic, a bottleneck, or has grouped convolutions (ResNeXt). Stages but the first halve the extent.

    Args:
        input_shape: (C, H, W).
        num_outputs: classes.
        widths: channels of each stage; multiples of 8.
        max_depth: most blocks of a stage.

    Raises:
        SpaceError: a shape or a number cannot be.

    Example:
        >>> resnet_macro(widths=(16,), max_depth=1).count()
        72
    """
    require_image(input_shape, num_outputs)
    stages = [_residual_stage(number, width, max_depth) for number, width in enumerate(widths)]
    stem = conv_norm_act(choice("stem.width", [16, 32]), kernel=choice("stem.kernel", [3, 5]))
    return SearchSpace(seq(stem, *stages, global_pool(), linear(num_outputs)))


def _residual_stage(number: int, width: int, max_depth: int) -> Node:
    name = f"stage{number}"
    channels = choice(f"{name}.width", [width, width * 3 // 2, width * 2])
    activation = choice(f"{name}.activation", ["relu", "silu"])

    def block(i: int) -> Node:
        stride = 2 if number and not i else 1
        return one_of(
            f"{name}.block{i}",
            {
                "basic": _body(channels, stride, activation, groups=1),
                "grouped": _body(channels, stride, activation, groups=4),
                "bottleneck": _bottleneck(channels, stride, activation),
            },
        )

    return repeat(f"{name}.depth", block, 1, max_depth)


def _body(channels: Choice, stride: int, activation: Choice, groups: int) -> Op:
    first = conv_norm_act(channels, stride=stride, activation=activation)
    second = conv_norm_act(channels, groups=groups, activation="identity")
    return residual(seq(first, second), activation=activation)


def _bottleneck(channels: Choice, stride: int, activation: Choice) -> Op:
    inner = channels // 4
    body = seq(
        conv_norm_act(inner, kernel=1, activation=activation),
        conv_norm_act(inner, stride=stride, activation=activation),
        conv_norm_act(channels, kernel=1, activation="identity"),
    )
    return residual(body, activation=activation)
