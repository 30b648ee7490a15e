"""Layers without an extent: linear, norms, activations, dropout, and the ones that do nothing or give zeros."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from netwright.nn.code import IDENTITY, Call, Code, Lit, call, placed
from netwright.nn.emitters.padding import FILLING, keep_padding
from netwright.nn.site import Emitted, Flow, Site
from netwright.types import Value

ACTIVATIONS: Mapping[str, Call] = MappingProxyType(
    {
        "relu": Call("nn.ReLU"),
        "relu6": Call("nn.ReLU6"),
        "gelu": Call("nn.GELU"),
        "silu": Call("nn.SiLU"),
        "mish": Call("nn.Mish"),
        "elu": Call("nn.ELU"),
        "selu": Call("nn.SELU"),
        "hardswish": Call("nn.Hardswish"),
        "hardsigmoid": Call("nn.Hardsigmoid"),
        "leaky_relu": call("nn.LeakyReLU", negative_slope=0.1),
        "sigmoid": Call("nn.Sigmoid"),
        "tanh": Call("nn.Tanh"),
        "softmax": call("nn.Softmax", dim=-1),
        "identity": IDENTITY,
    }
)
NORMS = ("batch", "layer", "group", "rms", "none")


def norm_layer(site: Site, flow: Flow, name: str, groups: int = 8, *, role: str = "norm") -> Code:
    """Write the norm of that name for a flow; ``none`` is the identity."""
    if name == "none":
        return IDENTITY
    params = flow.channels * (1 if name == "rms" else 2)
    site.tally.add(params=params, values=flow.size, buffers=2 * flow.channels + 1 if name == "batch" else 0)
    if name == "batch":
        return placed(_batch(site, flow), site.place(role))
    if name == "group":
        if flow.channels_last and flow.rank > 1:
            site.fail("group norm needs channels first; use layer_norm() on sequences")
        if flow.channels % groups:
            site.fail(f"groups={groups} does not divide the {flow.channels} channels; make it a divisor")
        return placed(call("nn.GroupNorm", Lit(groups, "num_groups"), Lit(flow.channels, "channels")), site.place(role))
    layer = call("nn.LayerNorm" if name == "layer" else "nn.RMSNorm", Lit(flow.channels, "channels"))
    layer = placed(layer, site.place(role))
    return layer if flow.channels_last else call("ChannelsLast", layer)


def _batch(site: Site, flow: Flow) -> Call:
    if flow.rank > 4:
        site.fail(f"batch norm takes at most 4 dimensions, gets {flow.rank}")
    if flow.channels_last and flow.rank > 1:
        site.fail("batch norm needs channels first, gets a sequence (L, D); use layer_norm()")
    return call(f"nn.BatchNorm{max(flow.rank - 1, 1)}d", Lit(flow.channels, "channels"))


def _norm_emitter(name: str) -> Callable[[Site], Emitted]:
    def emit_norm(site: Site) -> Emitted:
        site.need_float()
        flow = site.flow
        if name in ("layer", "rms") and flow.rank == 2 and not flow.layout:
            flow = flow.reshaped(flow.shape, "channels last")
        return Emitted(norm_layer(site, flow, name, site.integer("groups", default=8)), flow)

    return emit_norm


def activation_layer(site: Site, flow: Flow, name: str = "activation", default: str = "relu") -> Code:
    """Write the activation that an argument names, on ``flow``; softmax runs over the channels."""
    word = site.word(name, ACTIVATIONS, default)
    site.tally.add(values=0 if word == "identity" else flow.size)
    code = call("nn.Softmax", dim=1) if word == "softmax" and not flow.channels_last else ACTIVATIONS[word]
    return keep_padding(flow, code) if word in FILLING else code


def _activation(site: Site) -> Emitted:
    site.need_float()
    return Emitted(activation_layer(site, site.flow, "name"), site.flow)


def linear_flow(site: Site, flow: Flow, features: int) -> Flow:
    """What a linear layer gives; counts it, with its bias."""
    weights = flow.shape[-1] * features
    out = flow.reshaped((*flow.shape[:-1], features), "channels last" if flow.rank == 2 else "", deeper=1)
    bias = features if site.flag("bias", True) else 0
    site.tally.add(params=weights + bias, macs=weights * math.prod(flow.shape[:-1]), values=out.size)
    return out


def _linear(site: Site) -> Emitted:
    site.need_float()
    flow = site.flow
    if flow.rank > 2:
        site.fail("needs a vector or a sequence; put global_pool() or flatten() before it")
    if flow.layout == "channels first" and flow.rank == 2:
        site.fail("needs a sequence (L, D), gets channels first (C, L); put to_sequence() or flatten() before it")
    features = site.integer("features")
    options: dict[str, Value] = {} if site.flag("bias", True) else {"bias": False}
    code = call("nn.Linear", Lit(flow.shape[-1], "in_features"), Lit(features, "out_features"), **options)
    return Emitted(placed(code, site.place("linear")), linear_flow(site, flow, features))


def _dropout(site: Site) -> Emitted:
    site.need_float()
    p = site.number("p", 0.0, 1.0, 0.5)
    if p == 0.0:
        return Emitted(IDENTITY, site.flow)
    site.tally.add(values=site.flow.size)
    dims = site.flow.rank - 1
    whole = site.flag("whole_channels") and 1 <= dims <= 3 and not site.flow.channels_last
    return Emitted(call(f"nn.Dropout{dims}d" if whole else "nn.Dropout", Lit(p, "p")), site.flow)


def _drop_path(site: Site) -> Emitted:
    site.need_float()
    p = site.number("p", 0.0, 0.99, 0.1)
    return Emitted(drop_path_layer(site, site.flow, p), site.flow)


def drop_path_layer(site: Site, flow: Flow, p: float) -> Code:
    """Write stochastic depth; nothing where its probability is 0."""
    if not p:
        return IDENTITY
    site.tally.add(values=flow.size)
    return call("DropPath", Lit(p, "p"))


def _identity(site: Site) -> Emitted:
    return Emitted(IDENTITY, site.flow)


def _zero(site: Site) -> Emitted:
    site.tally.add(values=site.flow.size)
    return Emitted(Call("Zero"), site.flow)


EMITTERS: Mapping[str, Callable[[Site], Emitted]] = {
    "activation": _activation,
    "batch_norm": _norm_emitter("batch"),
    "layer_norm": _norm_emitter("layer"),
    "group_norm": _norm_emitter("group"),
    "rms_norm": _norm_emitter("rms"),
    "linear": _linear,
    "dropout": _dropout,
    "drop_path": _drop_path,
    "identity": _identity,
    "zero": _zero,
}
