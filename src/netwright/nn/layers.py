"""Declarations of layers: what people write in a search space. Every argument may be a choice or an expression.

Input sizes are never given; they are found when a network is built. A declaration is data and imports no torch. An
argument that cannot be is refused where it is written, with `SpaceError`; what only an architecture decides, when it is
built, with `BuildError`.
"""

from __future__ import annotations

from typing import Literal

from netwright.errors import SpaceError, wrong
from netwright.nn.arguments import Flag, Size, Word, flag, make_op, number, size, word
from netwright.nn.emitters.basics import ACTIVATIONS
from netwright.nn.emitters.pooling import MODES
from netwright.space.expressions import Expr
from netwright.space.nodes import Arg, Op

Padding = Expr | int | tuple[int, ...] | Literal["same", "valid"]


def conv(
    channels: Size,
    kernel: Size = 3,
    stride: Size = 1,
    *,
    padding: Padding = "same",
    dilation: Size = 1,
    groups: Size = 1,
    bias: Flag = True,
    dims: int | None = None,
) -> Op:
    """Declare a convolution over (C, L), (C, H, W) or (C, D, H, W).

    Args:
        channels: output channels.
        kernel: extent of the kernel; one number, or one for each dimension.
        stride: step.
        padding: ``same`` gives ``ceil(extent / stride)`` for every kernel, ``valid`` none; or numbers.
        dilation: distance between the kernel's points.
        groups: must divide input and output channels, or building is rejected.
        bias: whether a bias is added; leave it out before a norm.
        dims: 1, 2 or 3; the input's if not given.

    Raises:
        SpaceError: an argument cannot be.

    Example:
        >>> conv(16, kernel=5, stride=2).kind
        'conv'
    """
    return make_op(
        "conv",
        {
            "channels": size("channels", channels),
            "kernel": size("kernel", kernel),
            "stride": size("stride", stride),
            "padding": _padding(padding),
            "dilation": size("dilation", dilation),
            "groups": size("groups", groups),
            "bias": flag("bias", bias),
            "dims": dims if dims is None else word("dims", str(dims), ("1", "2", "3")) and dims,
        },
    )


def _padding(padding: object) -> Arg:
    if isinstance(padding, str):
        return word("padding", padding, ("same", "valid"))
    if isinstance(padding, Expr):
        return padding
    return size("padding", padding, minimum=0)


def conv1d(channels: Size, kernel: Size = 3, stride: Size = 1, **options: Arg) -> Op:
    """Declare a convolution over (C, L); options as of `conv`."""
    return conv(channels, kernel, stride, dims=1, **options)  # type: ignore[arg-type]  # conv checks them


def conv2d(channels: Size, kernel: Size = 3, stride: Size = 1, **options: Arg) -> Op:
    """Declare a convolution over (C, H, W); options as of `conv`."""
    return conv(channels, kernel, stride, dims=2, **options)  # type: ignore[arg-type]  # conv checks them


def conv3d(channels: Size, kernel: Size = 3, stride: Size = 1, **options: Arg) -> Op:
    """Declare a convolution over (C, D, H, W); options as of `conv`."""
    return conv(channels, kernel, stride, dims=3, **options)  # type: ignore[arg-type]  # conv checks them


def depthwise_conv(
    kernel: Size = 3, stride: Size = 1, *, dilation: Size = 1, multiplier: Size = 1, bias: Flag = True
) -> Op:
    """Declare a convolution of each channel by itself; ``multiplier`` output channels for each.

    Example:
        >>> depthwise_conv(5, stride=2).kind
        'depthwise_conv'
    """
    args: dict[str, object] = {"kernel": size("kernel", kernel), "stride": size("stride", stride)}
    args |= {"dilation": size("dilation", dilation), "multiplier": size("multiplier", multiplier)}
    return make_op("depthwise_conv", {**args, "bias": flag("bias", bias)})


def separable_conv(channels: Size, kernel: Size = 3, stride: Size = 1, *, dilation: Size = 1, bias: Flag = True) -> Op:
    """Declare a depthwise convolution followed by a 1 x 1 convolution to ``channels``.

    References:
        Chollet (2017), Xception: Deep Learning with Depthwise Separable Convolutions.
    """
    args: dict[str, object] = {"channels": size("channels", channels), "kernel": size("kernel", kernel)}
    args |= {"stride": size("stride", stride), "dilation": size("dilation", dilation)}
    return make_op("separable_conv", {**args, "bias": flag("bias", bias)})


def transposed_conv(
    channels: Size, kernel: Size | None = None, stride: Size = 2, *, groups: Size = 1, bias: Flag = True
) -> Op:
    """Declare a transposed convolution, which multiplies the extent by ``stride``; its kernel is not smaller."""
    args: dict[str, object] = {"channels": size("channels", channels)}
    if kernel is not None:
        args["kernel"] = size("kernel", kernel)
    args |= {"stride": size("stride", stride), "groups": size("groups", groups)}
    return make_op("transposed_conv", {**args, "bias": flag("bias", bias)})


def linear(features: Size, *, bias: Flag = True) -> Op:
    """Declare a linear layer on vectors (D,), or on each position of sequences (L, D)."""
    return make_op("linear", {"features": size("features", features), "bias": flag("bias", bias)})


# --- norms and activations ---------------------------------------------------------------------------------------


def batch_norm() -> Op:
    """Declare batch normalisation of each channel.

    References:
        Ioffe and Szegedy (2015), Batch Normalization.
    """
    return make_op("batch_norm", {})


def layer_norm() -> Op:
    """Declare layer normalisation over the channels of each position; images keep their channels first.

    References:
        Ba, Kiros and Hinton (2016), Layer Normalization; on images as in Liu et al. (2022), A ConvNet for the 2020s.
    """
    return make_op("layer_norm", {})


def group_norm(groups: Size = 8) -> Op:
    """Declare group normalisation; ``groups`` must divide the channels, or building is rejected.

    References:
        Wu and He (2018), Group Normalization.
    """
    return make_op("group_norm", {"groups": size("groups", groups)})


def rms_norm() -> Op:
    """Declare root-mean-square normalisation over the channels of each position.

    References:
        Zhang and Sennrich (2019), Root Mean Square Layer Normalization.
    """
    return make_op("rms_norm", {})


def activation(name: Word) -> Op:
    """Declare an activation by name, which may be a choice.

    Args:
        name: relu, relu6, gelu, silu, mish, elu, selu, hardswish, hardsigmoid, leaky_relu, sigmoid, tanh, softmax
            (over the channels) or identity.

    Example:
        >>> from netwright.space import choice
        >>> either = activation(choice("act", ["relu", "gelu"]))
    """
    return make_op("activation", {"name": word("name", name, ACTIVATIONS)})


def relu() -> Op:
    """Declare a rectified linear unit."""
    return activation("relu")


def gelu() -> Op:
    """Declare a Gaussian error linear unit.

    References:
        Hendrycks and Gimpel (2016), Gaussian Error Linear Units.
    """
    return activation("gelu")


def silu() -> Op:
    """Declare a sigmoid linear unit (swish).

    References:
        Elfwing, Uchibe and Doya (2018), Sigmoid-Weighted Linear Units; Ramachandran et al. (2017), Searching for
        Activation Functions.
    """
    return activation("silu")


def hardswish() -> Op:
    """Declare a piecewise-linear swish.

    References:
        Howard et al. (2019), Searching for MobileNetV3, section 5.2.
    """
    return activation("hardswish")


def leaky_relu() -> Op:
    """Declare a rectified linear unit with slope 0.1 below zero."""
    return activation("leaky_relu")


def sigmoid() -> Op:
    """Declare a sigmoid."""
    return activation("sigmoid")


def tanh() -> Op:
    """Declare a hyperbolic tangent."""
    return activation("tanh")


def softmax() -> Op:
    """Declare a softmax over the channels."""
    return activation("softmax")


def dropout(p: Expr | float = 0.5, *, whole_channels: Flag = False) -> Op:
    """Declare dropout with probability ``p``; of whole channels where asked for.

    References:
        Srivastava et al. (2014), Dropout; of whole channels: Tompson et al. (2015), Efficient Object Localization.
    """
    return make_op("dropout", {"p": number("p", p, 0.0, 1.0), "whole_channels": flag("whole_channels", whole_channels)})


def drop_path(p: Expr | float = 0.1) -> Op:
    """Declare stochastic depth: whole examples are dropped with probability ``p``. Stands last in a residual body.

    References:
        Huang et al. (2016), Deep Networks with Stochastic Depth.
    """
    return make_op("drop_path", {"p": number("p", p, 0.0, 0.99)})


# --- pooling -----------------------------------------------------------------------------------------------------


def max_pool(kernel: Size = 2, stride: Size | None = None, *, padding: Padding = "same") -> Op:
    """Declare the maximum over windows; the stride is the kernel if not given."""
    return _pool("max_pool", kernel, stride, padding)


def avg_pool(kernel: Size = 2, stride: Size | None = None, *, padding: Padding = "same") -> Op:
    """Declare the mean over windows, padding not counted; the stride is the kernel if not given."""
    return _pool("avg_pool", kernel, stride, padding)


def _pool(kind: str, kernel: Size, stride: Size | None, padding: Padding) -> Op:
    args: dict[str, object] = {"kernel": size("kernel", kernel)}
    if stride is not None:
        args["stride"] = size("stride", stride)
    return make_op(kind, {**args, "padding": _padding(padding)})


def global_pool(mode: Word = "avg") -> Op:
    """Declare the mean (``avg``) or maximum (``max``) over all positions; gives a vector (C,)."""
    return make_op("global_pool", {"mode": word("mode", mode, MODES)})


def adaptive_pool(extent: Size, mode: Word = "avg") -> Op:
    """Declare pooling to a given extent."""
    return make_op("adaptive_pool", {"extent": size("extent", extent), "mode": word("mode", mode, MODES)})


# --- forms -------------------------------------------------------------------------------------------------------


def flatten() -> Op:
    """Declare turning anything into a vector."""
    return make_op("flatten", {})


def reshape(shape: Size) -> Op:
    """Declare giving another shape of as many values; the batch is not counted."""
    return make_op("reshape", {"shape": size("shape", shape)})


def permute(order: tuple[int, ...]) -> Op:
    """Declare another order of the dimensions, counted from 0 without the batch."""
    return make_op("permute", {"order": size("order", order, minimum=0)})


def to_sequence() -> Op:
    """Declare turning (C, H, W), or (C, L), into a sequence (positions, C)."""
    return make_op("to_sequence", {})


def to_channels(extent: Size | None = None) -> Op:
    """Declare turning a sequence (positions, C) into (C, extent...); (C, L) where no extent is given."""
    return make_op("to_channels", {} if extent is None else {"extent": size("extent", extent)})


def patch_embedding(features: Size, patch: Size) -> Op:
    """Declare cutting an image into patches, each a position of a sequence (positions, features).

    References:
        Dosovitskiy et al. (2021), An Image is Worth 16x16 Words, section 3.1; without its class token.
    """
    return make_op("patch_embedding", {"features": size("features", features), "patch": size("patch", patch)})


def upsample(scale: Size = 2, mode: Word = "nearest") -> Op:
    """Declare enlarging the extent: ``nearest`` or ``linear`` (bilinear on images)."""
    return make_op("upsample", {"scale": size("scale", scale), "mode": word("mode", mode, ("nearest", "linear"))})


def pixel_shuffle(scale: Size = 2) -> Op:
    """Declare trading channels for extent; ``scale**2`` must divide the channels.

    References:
        Shi et al. (2016), Real-Time Single Image and Video Super-Resolution (sub-pixel convolution).
    """
    return make_op("pixel_shuffle", {"scale": size("scale", scale)})


def take_channels(channels: Size) -> Op:
    """Declare keeping the first ``channels`` channels (NAS-Bench-101 truncates so)."""
    return make_op("take_channels", {"channels": size("channels", channels)})


def normalize(mean: float | tuple[float, ...], std: float | tuple[float, ...]) -> Op:
    """Declare subtracting a constant and dividing by one, for each channel; both are kept with the weights.

    Args:
        mean: one number, or one for each channel.
        std: the same; > 0.

    Raises:
        SpaceError: one of them is no number, or ``std`` is not > 0.

    Example:
        >>> normalize((0.49, 0.48, 0.45), (0.25, 0.24, 0.26)).kind
        'normalize'
    """
    for name, value in (("mean", mean), ("std", std)):
        parts = value if isinstance(value, (tuple, list)) else (value,)
        if not parts or any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in parts):
            raise SpaceError(wrong(name, value, "a number, or one for each channel"))
        if name == "std" and any(v <= 0 for v in parts):
            raise SpaceError(wrong("std", value, "> 0"))
    return make_op("normalize", {"mean": mean, "std": std})


def decode_boxes(
    heights: tuple[int, ...],
    widths: tuple[int, ...],
    strides: tuple[int, ...],
    *,
    side: float = 2.0,
    log_odds: float = -4.0,
) -> Op:
    """Declare making boxes of what a detector says at every point of its maps, which stand one after the other.

    Takes and gives rows (points, 4 + classes). Before: four numbers of distances, and logits. After: left, top, right
    and bottom in pixels of the input, and logits. A distance is ``softplus(number) * side * stride``, so that an
    untrained detector gives boxes whose size goes with the stride.

    Args:
        heights: of the maps, in points.
        widths: of the same.
        strides: pixels between the points of each map; the first point lies half a stride inside.
        side: see above.
        log_odds: added to the logits: of an object at a point, before anything is learned.

    Raises:
        SpaceError: an argument cannot be.

    References:
        Tian et al. (2019), FCOS, section 3.1 (distances from points; softplus here, an exponential there); Lin et al.
        (2017), Focal Loss, section 3.3 (the log odds; there they are the first value of a bias).

    Example:
        >>> decode_boxes((4, 2), (5, 3), (8, 16)).kind
        'decode_boxes'
    """
    maps = {"heights": size("heights", heights), "widths": size("widths", widths), "strides": size("strides", strides)}
    if len({len(heights), len(widths), len(strides)}) != 1:
        raise SpaceError(wrong("strides", strides, "as many as heights and widths"))
    numbers = {"side": number("side", side, 0.01, 100.0), "log_odds": number("log_odds", log_odds, -20.0, 20.0)}
    return make_op("decode_boxes", {**maps, **numbers})


# --- nothing ----------------------------------------------------------------------------------------------------


def identity() -> Op:
    """Declare doing nothing."""
    return make_op("identity", {})


def zero() -> Op:
    """Declare giving zeros of the input's shape (no connection)."""
    return make_op("zero", {})
