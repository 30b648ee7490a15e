"""Declarations of blocks of several layers, and of classes of one's own.

Every argument may be a choice or an expression. A declaration is data and imports no torch. An argument that cannot be
is refused where it is written, with `SpaceError`.
"""

from __future__ import annotations

from netwright.errors import SpaceError, wrong
from netwright.nn.arguments import Size, Word, make_op, number, size, word
from netwright.nn.emitters.basics import ACTIVATIONS, NORMS
from netwright.nn.emitters.own import INPUT_SIZE
from netwright.space.expressions import Expr
from netwright.space.nodes import Op
from netwright.types import Value


def conv_norm_act(
    channels: Size,
    kernel: Size = 3,
    stride: Size = 1,
    *,
    dilation: Size = 1,
    groups: Size = 1,
    norm: Word = "batch",
    activation: Word = "relu",
) -> Op:
    """Declare a convolution, a norm and an activation; a bias is added only where there is no norm.

    Args:
        channels: output channels.
        kernel: as of `conv`; the padding is ``same``.
        stride: as of `conv`.
        dilation: as of `conv`.
        groups: as of `conv`.
        norm: ``batch``, ``layer``, ``group``, ``rms`` or ``none``.
        activation: as of `activation`.

    Example:
        >>> conv_norm_act(16, kernel=5, activation="silu").kind
        'conv_norm_act'
    """
    return make_op(
        "conv_norm_act",
        {
            "channels": size("channels", channels),
            "kernel": size("kernel", kernel),
            "stride": size("stride", stride),
            "dilation": size("dilation", dilation),
            "groups": size("groups", groups),
            "norm": word("norm", norm, NORMS),
            "activation": word("activation", activation, ACTIVATIONS),
        },
    )


def squeeze_excite(reduction: Size = 4) -> Op:
    """Declare weights for the channels of an image, from their means.

    References:
        Hu et al. (2018), Squeeze-and-Excitation Networks; the gate is MobileNetV3's hard sigmoid.
    """
    return make_op("squeeze_excite", {"reduction": size("reduction", reduction)})


def mbconv(
    channels: Size,
    kernel: Size = 3,
    stride: Size = 1,
    *,
    expand: Expr | float = 4.0,
    se: Size = 0,
    activation: Word = "relu6",
    norm: Word = "batch",
    drop_path: Expr | float = 0.0,
) -> Op:
    """Declare MobileNet's inverted residual: expand, depthwise, (squeeze-excite,) project; residual where shapes agree.

    Args:
        channels: output channels.
        kernel: of the depthwise convolution.
        stride: of the depthwise convolution.
        expand: hidden channels relative to the input's.
        se: reduction of the squeeze-excite; 0 for none.
        activation: as of `activation`.
        norm: ``batch``, ``layer``, ``group``, ``rms`` or ``none``.
        drop_path: probability of leaving out the body where it is residual.

    References:
        Sandler et al. (2018), MobileNetV2; Howard et al. (2019), Searching for MobileNetV3.
    """
    return make_op(
        "mbconv",
        {
            "channels": size("channels", channels),
            "kernel": size("kernel", kernel),
            "stride": size("stride", stride),
            "expand": number("expand", expand, 0.1, 64.0),
            "se": size("se", se, minimum=0),
            "activation": word("activation", activation, ACTIVATIONS),
            "norm": word("norm", norm, NORMS),
            "drop_path": number("drop_path", drop_path, 0.0, 0.99),
        },
    )


def project(channels: Size) -> Op:
    """Declare a 1 x 1 convolution with batch norm and ReLU where the input has other channels, else nothing."""
    return make_op("project", {"channels": size("channels", channels)})


def factorized_reduce(channels: Size) -> Op:
    """Declare DARTS' halving of an image: ReLU, two shifted 1 x 1 convolutions of stride 2, concat, batch norm.

    References:
        Liu et al. (2019), DARTS; as in the authors' code.
    """
    return make_op("factorized_reduce", {"channels": size("channels", channels, minimum=2)})


def op(cls: type, *, input_size: str = "", **args: Value | Expr) -> Op:
    """Declare a class of one's own (a ``torch.nn.Module``) as an operation; it is used as it is.

    Its forward takes one tensor and gives one, the batch first; what it gives is found by running it once.

    Args:
        cls: the class.
        input_size: name of the class's argument that gets the number of input channels (features), if it wants them.
        args: arguments of the class: plain values, choices or expressions.

    Raises:
        SpaceError: ``cls`` is no class, or an argument is no plain value.

    Example:
        >>> from netwright.space import choice
        >>> class Scale:  # a torch.nn.Module, where there is torch
        ...     def __init__(self, channels: int, factor: float) -> None: ...
        >>> scaled = op(Scale, input_size="channels", factor=choice("factor", [0.5, 1.0]))
    """
    if not isinstance(cls, type):
        raise SpaceError(wrong("cls", cls, "a class", "pass the class itself, not an object of it"))
    given: dict[str, object] = {INPUT_SIZE: input_size, **args} if input_size else dict(args)
    made = make_op("class", given)
    return Op(made.kind, made.args, made.children, made.backend, cls)
