"""Convolutions: ordinary, depthwise, separable, transposed.

"Same" padding gives ``ceil(extent / stride)`` for every kernel: symmetric inside the layer where the kernel is odd,
by a padding layer before it where it is even.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from netwright.errors import wrong
from netwright.nn.code import Code, Lit, call, placed, sequence
from netwright.nn.site import Emitted, Flow, Site


def plain(sizes: tuple[int, ...]) -> int | tuple[int, ...]:
    """One number where all sizes are equal."""
    return sizes[0] if len(set(sizes)) == 1 else sizes


@dataclass(frozen=True)
class Window:
    """How a convolution looks at its input; one number for each dimension of the extent.

    Args:
        kernel: points it looks at.
        stride: step from one look to the next.
        dilation: distance between the points.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]


def point(dims: int) -> Window:
    """The window of a 1 x 1 convolution."""
    return Window((1,) * dims, (1,) * dims, (1,) * dims)


def read_window(site: Site, dims: int) -> Window:
    """Arguments ``kernel`` (3 where none is given), ``stride`` and ``dilation``."""
    return Window(
        kernel=site.integers("kernel", dims, default=3),
        stride=site.integers("stride", dims, default=1),
        dilation=site.integers("dilation", dims, default=1),
    )


def conv_layer(
    site: Site,
    flow: Flow,
    out_channels: int,
    window: Window,
    *,
    groups: int = 1,
    bias: bool = True,
    padding: str | tuple[int, ...] = "same",
    role: str = "conv",
) -> Emitted:
    """Write a convolution on ``flow`` for any emitter that needs one, and count it.

    Args:
        site: the operation it belongs to.
        flow: what comes in, channels first.
        out_channels: what it gives.
        window: kernel, stride and dilation.
        groups: must divide the channels on both sides.
        bias: whether a bias is added.
        padding: ``same``, ``valid``, or what is padded on both sides of each dimension.
        role: of the convolution in the operation.

    Raises:
        BuildError: the groups or the kernel do not fit the input.
    """
    kernel, stride, dilation = window.kernel, window.stride, window.dilation
    dims = len(kernel)
    site.need_dims(dims)
    _check_groups(site, flow.channels, out_channels, groups)
    reach = tuple(d * (k - 1) for k, d in zip(kernel, dilation, strict=True))
    inside, before = _padding(padding, reach)
    padded = tuple(e + 2 * p for e, p in zip(flow.spatial, inside, strict=True))
    padded = tuple(e + left + right for e, (left, right) in zip(padded, before, strict=True))
    if any(e <= r for e, r in zip(padded, reach, strict=True)):
        site.fail(f"kernel {kernel} with dilation {dilation} is larger than the padded input {padded}")
    extent = tuple((e - r - 1) // s + 1 for e, r, s in zip(padded, reach, stride, strict=True))
    options: dict[str, Code] = {"kernel_size": Lit(plain(kernel), "kernel_size")}
    options |= _unless_default("stride", stride, 1) | _unless_default("padding", inside, 0)
    options |= _unless_default("dilation", dilation, 1) | _unless_default("groups", (groups,), 1)
    if not bias:
        options["bias"] = Lit(False, "bias")
    channels = (Lit(flow.channels, "in_channels"), Lit(out_channels, "out_channels"))
    layer = placed(call(f"nn.Conv{dims}d", *channels, **options), site.place(role))
    pad: Code | None = None
    if any(left or right for left, right in before):
        pad = call(f"nn.ZeroPad{dims}d", Lit(tuple(n for pair in reversed(before) for n in pair), "padding"))
    code = sequence(pad, layer) if pad else layer
    if pad:
        site.tally.add(values=flow.channels * math.prod(padded))
    out = flow.reshaped((out_channels, *extent), "channels first", deeper=1)
    weights = flow.channels // groups * out_channels * math.prod(kernel)
    site.tally.add(params=weights + out_channels * bias, macs=weights * math.prod(extent), values=out.size)
    return Emitted(code, out)


def _padding(
    padding: str | tuple[int, ...], reach: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """What the layer pads on both sides, and what is padded before it on the left and right of each dimension."""
    nothing = tuple((0, 0) for _ in reach)
    if isinstance(padding, tuple):
        return padding, nothing
    if padding == "valid":
        return tuple(0 for _ in reach), nothing
    if all(r % 2 == 0 for r in reach):
        return tuple(r // 2 for r in reach), nothing
    return tuple(0 for _ in reach), tuple((r // 2, r - r // 2) for r in reach)


def _unless_default(name: str, values: tuple[int, ...], default: int) -> dict[str, Code]:
    return {} if all(v == default for v in values) else {name: Lit(plain(values), name)}


def _check_groups(site: Site, in_channels: int, out_channels: int, groups: int) -> None:
    for what, channels in (("input", in_channels), ("output", out_channels)):
        if channels % groups:
            site.fail(f"groups={groups} does not divide the {channels} {what} channels; make it a divisor of both")


def read_padding(site: Site, dims: int) -> str | tuple[int, ...]:
    """Argument ``padding``: ``same``, ``valid`` or whole numbers."""
    value = site.term.arg("padding", "same")
    if isinstance(value, str):
        return site.word("padding", ("same", "valid"), "same")
    return site.integers("padding", dims, minimum=0)


def _conv(site: Site) -> Emitted:
    dims = site.dims()
    site.need_channels_first(dims)
    return conv_layer(
        site,
        site.flow,
        site.integer("channels"),
        read_window(site, dims),
        groups=site.integer("groups", default=1),
        bias=site.flag("bias", True),
        padding=read_padding(site, dims),
    )


def _depthwise_conv(site: Site) -> Emitted:
    dims = site.dims()
    site.need_channels_first(dims)
    channels = site.flow.channels
    return conv_layer(
        site,
        site.flow,
        channels * site.integer("multiplier", default=1),
        read_window(site, dims),
        groups=channels,
        bias=site.flag("bias", True),
    )


def _separable_conv(site: Site) -> Emitted:
    dims = site.dims()
    site.need_channels_first(dims)
    channels, bias = site.flow.channels, site.flag("bias", True)
    depthwise = conv_layer(site, site.flow, channels, read_window(site, dims), groups=channels, bias=False)
    pointwise = conv_layer(site, depthwise.flow, site.integer("channels"), point(dims), bias=bias, role="pointwise")
    return Emitted(sequence(depthwise.code, pointwise.code), pointwise.flow)


def _transposed_conv(site: Site) -> Emitted:
    dims = site.dims()
    site.need_channels_first(dims)
    channels, groups = site.integer("channels"), site.integer("groups", default=1)
    _check_groups(site, site.flow.channels, channels, groups)
    stride = site.integers("stride", dims, default=2)
    kernel = site.integers("kernel", dims, default=plain(stride))
    if any(k < s or (s == 1 and k % 2 == 0) for k, s in zip(kernel, stride, strict=True)):
        site.fail(wrong("kernel", kernel, f">= stride {stride}, and odd where the stride is 1"))
    padding = tuple(math.ceil((k - s) / 2) for k, s in zip(kernel, stride, strict=True))
    rest = tuple((k - s) % 2 for k, s in zip(kernel, stride, strict=True))
    options: dict[str, Code] = {"kernel_size": Lit(plain(kernel), "kernel_size")}
    options |= _unless_default("stride", stride, 1) | _unless_default("padding", padding, 0)
    options |= _unless_default("output_padding", rest, 0) | _unless_default("groups", (groups,), 1)
    if not site.flag("bias", True):
        options["bias"] = Lit(False, "bias")
    ends = (Lit(site.flow.channels, "in_channels"), Lit(channels, "out_channels"))
    layer = placed(call(f"nn.ConvTranspose{dims}d", *ends, **options), site.place("conv"))
    extent = tuple(e * s for e, s in zip(site.flow.spatial, stride, strict=True))
    out = site.flow.reshaped((channels, *extent), "channels first", deeper=1)
    weights = site.flow.channels * channels // groups * math.prod(kernel)
    bias = channels if site.flag("bias", True) else 0
    site.tally.add(params=weights + bias, macs=weights * math.prod(site.flow.spatial), values=out.size)
    return Emitted(layer, out)


EMITTERS: Mapping[str, Callable[[Site], Emitted]] = {
    "conv": _conv,
    "depthwise_conv": _depthwise_conv,
    "separable_conv": _separable_conv,
    "transposed_conv": _transposed_conv,
}
