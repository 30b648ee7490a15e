"""A space in which everything is a choice: depth, widths, kernels, operations, skip connections, attention, recurrence.

It shows what can be declared; nothing in it is from a paper.
"""

from __future__ import annotations

from netwright.nn.blocks import mbconv, squeeze_excite
from netwright.nn.layers import (
    activation,
    batch_norm,
    conv,
    depthwise_conv,
    dropout,
    global_pool,
    group_norm,
    identity,
    layer_norm,
    linear,
    max_pool,
    separable_conv,
)
from netwright.nn.sequences import attention, gru, lstm, transformer_block
from netwright.nn.spaces.images import require_image
from netwright.nn.structures import concat, one_of, optional, over_positions, repeat, residual, seq
from netwright.space import SearchSpace
from netwright.space.declarations import choice, flag, real
from netwright.space.expressions import Choice
from netwright.space.nodes import Node


def free_form(
    input_shape: tuple[int, ...] = (3, 32, 32), num_outputs: int = 10, *, max_depth: int = 12, min_width: int = 8
) -> SearchSpace:
    """Make the space; with its defaults 2.6e45 architectures (times a real number, the dropout).

    The number of blocks is a choice; each block decides its operation with all its sizes, whether it is pooled before,
    whether a shortcut leads around it, or whether it adds its channels to those it gets (dense connection).

    Args:
        input_shape: (C, H, W).
        num_outputs: classes.
        max_depth: most blocks.
        min_width: fewest channels; all widths are multiples of it.

    Raises:
        SpaceError: a shape or a number cannot be.

    Example:
        >>> len(free_form(max_depth=1, min_width=8).choices)
        20
    """
    require_image(input_shape, num_outputs)
    widths = [min_width * factor for factor in (1, 2, 3, 4)]
    stem = conv(
        choice("stem.width", widths), kernel=choice("stem.kernel", [3, 5, 7]), stride=choice("stem.stride", [1, 2])
    )
    head = one_of(
        "head",
        {
            "pool": global_pool(choice("head.mode", ["avg", "max"])),
            "hidden": seq(global_pool(), linear(choice("head.width", [32, 64, 128])), activation("relu")),
        },
    )
    body = repeat("depth", lambda i: _block(f"block{i}", widths), 1, max_depth)
    drop = dropout(real("dropout", 0.0, 0.5))
    return SearchSpace(seq(stem, batch_norm(), activation("relu"), body, head, drop, linear(num_outputs)))


def _block(name: str, widths: list[int]) -> Node:
    pool = optional(flag(f"{name}.pool"), max_pool(2))
    operation = _operation(name, widths)
    connected = one_of(
        f"{name}.connection",
        {"plain": operation, "residual": residual(operation), "dense": concat(identity(), operation)},
    )
    return seq(pool, connected)


def _operation(name: str, widths: list[int]) -> Node:
    width, kernel = choice(f"{name}.width", widths), choice(f"{name}.kernel", [1, 2, 3, 5])
    return one_of(
        f"{name}.op",
        {
            "conv": _normed(name, conv(width, kernel, groups=choice(f"{name}.groups", [1, 2, 4]), bias=False)),
            "separable": _normed(name, separable_conv(width, kernel, bias=False)),
            "depthwise": _normed(name, seq(squeeze_excite(), depthwise_conv(kernel, bias=False))),
            "mbconv": mbconv(width, kernel, expand=choice(f"{name}.expand", [1, 2, 4])),
            "attention": over_positions(seq(layer_norm(), attention(heads=choice(f"{name}.heads", [1, 2, 4])))),
            "transformer": over_positions(transformer_block(choice(f"{name}.heads", [1, 2, 4]), expand=2)),
            "recurrent": over_positions(_recurrent(name, width)),
        },
    )


def _normed(name: str, operation: Node) -> Node:
    norm = one_of(f"{name}.norm", {"batch": batch_norm(), "group": group_norm(4), "layer": layer_norm()})
    return seq(operation, norm, activation(choice(f"{name}.activation", ["relu", "gelu", "hardswish"])))


def _recurrent(name: str, width: Choice) -> Node:
    both = flag(f"{name}.bidirectional")
    return one_of(
        f"{name}.recurrent",
        {"lstm": lstm(width, bidirectional=both), "gru": gru(width, bidirectional=both)},
    )
