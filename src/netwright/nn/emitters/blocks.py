"""Blocks of several layers: sequences, stages, residual and parallel branches, squeeze-excite, MobileNet blocks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from netwright.nn.code import IDENTITY, Code, Lit, call, placed, sequence
from netwright.nn.emitters.basics import NORMS, activation_layer, drop_path_layer, linear_flow, norm_layer
from netwright.nn.emitters.convolutions import conv_layer, plain, point, read_window
from netwright.nn.emitters.padding import keep_padding
from netwright.nn.site import Emitted, Flow, Site

COMBINE = ("sum", "concat", "multiply", "mean")


def _seq(site: Site) -> Emitted:
    flow, parts = site.flow, []
    for index in range(len(site.term.children)):
        emitted = site.child(index, flow)
        flow = emitted.flow
        parts.append(emitted.code)
    return Emitted(sequence(*parts), flow)


def _stages(site: Site) -> Emitted:
    """Write a body again and again at growing widths; what leads from one stage to the next may be given."""
    widths = site.row("widths")
    repeats = site.integer("repeats", default=1)
    flows, parts = site.flows, []
    for stage, width in enumerate(widths):
        between = site.term.children[1:] if stage else ()
        for number, child in enumerate((*between, *site.term.children[:1] * repeats)):
            copy = f"{site.copy}[{stage}.{number - len(between)}]"
            emitted = site.emit_term(child, flows, f"{site.path}[{stage}]", width=width, copy=copy)
            flows = (emitted.flow,)
            parts.append(emitted.code)
    return Emitted(sequence(*parts), flows[0])


def join(site: Site, flows: list[Flow], combine: str) -> Flow:
    """What comes out when flows are combined; rejects those that do not fit together."""
    layouts: tuple[Flow, ...] = tuple(f for f in flows if f.layout) or (flows[0],)
    padded = all(f.padded for f in flows)
    first = replace(flows[0], layout=layouts[0].layout, depth=max(f.depth for f in flows), padded=padded)
    shapes = ", ".join(str(f.shape) for f in flows)
    if combine != "concat":
        if any(f.shape != first.shape for f in flows):
            site.fail(f"cannot {combine} branches of shapes {shapes}; make them equal, or combine='concat'")
        return first
    alike = [replace(f, layout=first.layout) for f in flows]
    if any(f.rank != first.rank or f.spatial != first.spatial for f in alike):
        site.fail(f"cannot concat branches of shapes {shapes}; all but the channels must be equal")
    return first.with_channels(sum(f.channels for f in alike))


def _parallel(site: Site) -> Emitted:
    combine = site.word("combine", COMBINE, "sum")
    branches = [site.child(index) for index in range(len(site.term.children))]
    if not branches:
        site.fail("needs at least one branch")
    flow = join(site, [b.flow for b in branches], combine)
    if len(branches) == 1:
        return Emitted(branches[0].code, flow)
    codes = tuple(b.code for b in branches)
    if combine == "concat":
        return Emitted(call("Concat", *codes, dim=flow.channel_dim), flow)
    return Emitted(call({"sum": "Sum", "mean": "Mean", "multiply": "Product"}[combine], *codes), flow)


def _residual(site: Site) -> Emitted:
    body = site.child(0)
    mode = site.word("shortcut", ("auto", "identity", "projection", "given"), "auto")
    site.need_float()
    if len(site.term.children) > 1:
        given = site.child(1)
        shortcut, flow = given.code, join(site, [body.flow, given.flow], "sum")
    elif body.flow.shape == site.flow.shape and mode != "projection":
        shortcut, flow = IDENTITY, join(site, [body.flow, site.flow], "sum")
    elif mode == "identity":
        site.fail(f"its body gives {body.flow.shape}, so x + body(x) cannot be; take shortcut='auto'")
    else:
        projected = _projection(site, body.flow)
        shortcut, flow = projected.code, join(site, [body.flow, projected.flow], "sum")
    named: dict[str, Code] = {} if shortcut == IDENTITY else {"shortcut": shortcut}
    block = call("Residual", body.code, **named)
    return Emitted(sequence(block, activation_layer(site, flow, default="identity")), flow)


def _projection(site: Site, target: Flow) -> Emitted:
    """A shortcut that gives the shape of ``target``: 1 x 1 convolution and norm, or linear."""
    flow = site.flow if site.flow.layout else replace(site.flow, layout=target.layout)
    if flow.rank != target.rank or (target.channels_last and flow.spatial != target.spatial):
        site.fail(f"no shortcut leads from {flow.shape} to {target.shape}; make the body keep the extent")
    if target.channels_last:
        ends = (Lit(flow.shape[-1], "in_features"), Lit(target.channels, "out_features"))
        linear = placed(call("nn.Linear", *ends), site.place("shortcut"))
        return Emitted(keep_padding(flow, linear), linear_flow(site, flow, target.channels))
    dims = flow.rank - 1
    window = point(dims)
    stride = tuple(max(1, -(-a // b)) for a, b in zip(flow.spatial, target.spatial, strict=True))
    reached = tuple((a - 1) // s + 1 for a, s in zip(flow.spatial, stride, strict=True))
    before: Code = IDENTITY
    if reached != target.spatial:
        before = call(f"nn.AdaptiveAvgPool{dims}d", Lit(plain(target.spatial), "output_size"))
        flow = flow.reshaped((flow.channels, *target.spatial))
    else:
        window = replace(window, stride=stride)
    conv = conv_layer(site, flow, target.channels, window, bias=False, role="shortcut")
    norm = norm_layer(site, conv.flow, "batch", role="shortcut norm")
    code = sequence(before, conv.code, norm)
    return Emitted(keep_padding(site.flow, code) if site.flow.spatial == target.spatial else code, conv.flow)


def _squeeze_excite(site: Site) -> Emitted:
    site.need_channels_first(2)
    return Emitted(_squeeze_excite_layer(site, site.flow, site.integer("reduction", default=4)), site.flow)


def _squeeze_excite_layer(site: Site, flow: Flow, reduction: int) -> Code:
    channels, hidden = flow.channels, max(1, flow.channels // reduction)
    weights = 2 * channels * hidden
    site.tally.add(params=weights + channels + hidden, macs=weights, values=channels + hidden + flow.size)
    layer = call("SqueezeExcite", Lit(channels, "channels"), Lit(hidden, "hidden_channels"))
    return placed(layer, site.place("squeeze excite"))


def _conv_norm_act(site: Site) -> Emitted:
    dims = site.dims()
    site.need_channels_first(dims)
    norm = site.word("norm", NORMS, "batch")
    conv = conv_layer(
        site,
        site.flow,
        site.integer("channels"),
        read_window(site, dims),
        groups=site.integer("groups", default=1),
        bias=norm == "none",
    )
    normed = norm_layer(site, conv.flow, norm)
    return Emitted(sequence(conv.code, normed, activation_layer(site, conv.flow)), conv.flow)


def _project(site: Site) -> Emitted:
    """Bring an image to a number of channels by a 1 x 1 convolution with norm and ReLU; nothing where it has them."""
    dims = site.dims()
    site.need_channels_first(dims)
    channels = site.integer("channels")
    if channels == site.flow.channels:
        return Emitted(IDENTITY, site.flow)
    conv = conv_layer(site, site.flow, channels, point(dims), bias=False)
    normed = norm_layer(site, conv.flow, "batch")
    return Emitted(sequence(conv.code, normed, activation_layer(site, conv.flow)), conv.flow)


def _mbconv(site: Site) -> Emitted:
    """MobileNetV2's inverted residual; with ``se`` MobileNetV3's and EfficientNet's."""
    site.need_channels_first(2)
    flow, channels = site.flow, site.integer("channels")
    hidden = max(1, round(flow.channels * site.number("expand", 0.1, 64.0, 4.0)))
    window = read_window(site, 2)
    reduction = site.integer("se", minimum=0, default=0)
    norm = site.word("norm", NORMS, "batch")
    parts: list[Code] = []
    if hidden != flow.channels:
        expand = conv_layer(site, flow, hidden, point(2), bias=False, role="expand")
        parts += [
            expand.code,
            norm_layer(site, expand.flow, norm, role="expand norm"),
            activation_layer(site, expand.flow, default="relu6"),
        ]
        flow = expand.flow
    spread = conv_layer(site, flow, hidden, window, groups=hidden, bias=False)
    parts += [spread.code, norm_layer(site, spread.flow, norm), activation_layer(site, spread.flow, default="relu6")]
    if reduction:
        parts.append(_squeeze_excite_layer(site, spread.flow, reduction))
    shrink = conv_layer(site, spread.flow, channels, point(2), bias=False, role="shrink")
    parts += [shrink.code, norm_layer(site, shrink.flow, norm, role="shrink norm")]
    if shrink.flow.shape != site.flow.shape:
        return Emitted(sequence(*parts), shrink.flow)
    parts.append(drop_path_layer(site, shrink.flow, site.number("drop_path", 0.0, 0.99, 0.0)))
    return Emitted(call("Residual", sequence(*parts)), shrink.flow)


def _factorized_reduce(site: Site) -> Emitted:
    """Halve the extent of an image without losing odd positions (DARTS)."""
    site.need_channels_first(2)
    return factorized_reduce_layer(site, site.flow, site.integer("channels", minimum=2))


def factorized_reduce_layer(site: Site, flow: Flow, channels: int, *, role: str = "reduce") -> Emitted:
    """Write DARTS' reduction: ReLU, two shifted 1 x 1 convolutions of stride 2, concat, batch norm."""
    code = call("FactorizedReduce", Lit(flow.channels, "in_channels"), Lit(channels, "out_channels"))
    code = placed(code, site.place(role))
    out = flow.reshaped((channels, *((e + 1) // 2 for e in flow.spatial)), "channels first", deeper=1)
    weights = flow.channels * channels
    macs = weights * math.prod(out.spatial)
    site.tally.add(params=weights + 2 * channels, macs=macs, values=2 * out.size, buffers=2 * channels + 1)
    return Emitted(code, out)


EMITTERS: Mapping[str, Callable[[Site], Emitted]] = {
    "seq": _seq,
    "stages": _stages,
    "project": _project,
    "parallel": _parallel,
    "residual": _residual,
    "squeeze_excite": _squeeze_excite,
    "conv_norm_act": _conv_norm_act,
    "mbconv": _mbconv,
    "factorized_reduce": _factorized_reduce,
}
