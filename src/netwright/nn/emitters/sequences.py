"""Sequences (L, D): embeddings, attention, transformer blocks, recurrent layers, and bodies run over positions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from netwright.nn.code import IDENTITY, Call, Code, Lit, call, placed, sequence
from netwright.nn.emitters.basics import NORMS, activation_layer, drop_path_layer, linear_flow, norm_layer
from netwright.nn.emitters.padding import keep_padding
from netwright.nn.site import Emitted, Flow, Site
from netwright.types import Value


def _embedding(site: Site) -> Emitted:
    if site.flow.is_float:
        site.fail(f"needs whole numbers, gets {site.flow.dtype}; build with input_dtype='int64'")
    if site.flow.rank > 1:
        site.fail("needs a row of tokens (L,)")
    count, features = site.integer("num_embeddings"), site.integer("features")
    site.tally.add(params=count * features, values=site.flow.size * features)
    code = call("nn.Embedding", Lit(count, "num_embeddings"), Lit(features, "features"))
    code = placed(code, site.place("embedding"))
    padded, std = site.flag("padding"), site.number("std", 0.0, 10.0, 1.0)
    flow = Flow((*site.flow.shape, features), "float32", "channels last", site.flow.depth + 1, padded)
    if padded or std != 1.0:
        code = call("TokenEmbedding", code, std=std, **({"padded": True} if padded else {}))
    site.tally.add(values=flow.size if padded else 0)
    return Emitted(code, flow)


def _sequence_flow(site: Site) -> Flow:
    site.need_sequence()
    return site.flow.reshaped(site.flow.shape, "channels last")


def _positional_embedding(site: Site) -> Emitted:
    flow = _sequence_flow(site)
    site.tally.add(params=flow.size, values=flow.size)
    code = call("PositionalEmbedding", Lit(flow.shape[0], "length"), Lit(flow.channels, "features"))
    return Emitted(placed(code, site.place("positions")), flow)


def _attention_layer(site: Site, flow: Flow) -> Code:
    heads = site.integer("heads", default=4)
    if flow.channels % heads:
        site.fail(f"heads={heads} does not divide the {flow.channels} features; make it a divisor")
    length, features = flow.shape
    weights = 4 * features * features
    macs = weights * length + 2 * length * length * features
    site.tally.add(params=weights + 4 * features, macs=macs, values=4 * flow.size)
    options: dict[str, Value] = {}
    if site.flag("causal"):
        options["causal"] = True
    dropout = site.number("dropout", 0.0, 0.99, 0.0)
    if dropout:
        options["dropout"] = dropout
    if flow.padded and "causal" not in options:  # padding is at the end, which no position sees there
        options["padded"] = True
    layer = call("SelfAttention", Lit(flow.channels, "features"), heads=heads, **options)
    return placed(layer, site.place("attention"))


def _attention(site: Site) -> Emitted:
    flow = _sequence_flow(site)
    return Emitted(_attention_layer(site, flow), flow.reshaped(flow.shape, deeper=2))


def _transformer_block(site: Site) -> Emitted:
    flow = _sequence_flow(site)
    norm = site.word("norm", NORMS, "layer")
    drop_path = site.number("drop_path", 0.0, 0.99, 0.0)
    parts = (
        keep_padding(flow, norm_layer(site, flow, norm, role="first norm")),
        _attention_layer(site, flow),
        drop_path_layer(site, flow, drop_path),
    )
    attention = call("Residual", sequence(*parts))
    mlp = call(
        "Residual",
        sequence(
            norm_layer(site, flow, norm, role="second norm"), *_mlp(site, flow), drop_path_layer(site, flow, drop_path)
        ),
    )
    return Emitted(sequence(attention, mlp), flow.reshaped(flow.shape, deeper=4))


def _mlp(site: Site, flow: Flow) -> tuple[Code, ...]:
    """The two linear layers of a transformer block with what is between them."""
    hidden = max(1, round(flow.channels * site.number("expand", 0.01, 64.0, 4.0)))
    wide = linear_flow(site, flow, hidden)
    activation = activation_layer(site, wide, default="gelu")
    linear_flow(site, wide, flow.channels)
    dropout = site.number("dropout", 0.0, 0.99, 0.0)
    site.tally.add(values=wide.size if dropout else 0)
    drop = call("nn.Dropout", Lit(dropout, "p")) if dropout else IDENTITY
    first = call("nn.Linear", Lit(flow.channels, "in_features"), Lit(hidden, "out_features"))
    second = call("nn.Linear", Lit(hidden, "in_features"), Lit(flow.channels, "out_features"))
    return placed(first, site.place("widen")), activation, drop, placed(second, site.place("narrow"))


def _recurrent_emitter(name: str) -> Callable[[Site], Emitted]:
    def emit_recurrent(site: Site) -> Emitted:
        flow = _sequence_flow(site)
        hidden, layers = site.integer("features"), site.integer("layers", default=1)
        both = site.flag("bidirectional")
        returns = site.word("returns", ("sequence", "last"), "sequence")
        options: dict[str, Value] = {"num_layers": layers} if layers > 1 else {}
        if both:
            options["bidirectional"] = True
        ends = (Lit(flow.channels, "in_features"), Lit(hidden, "out_features"))
        layer = placed(call(f"nn.{name}", *ends, batch_first=True, **options), site.place("recurrent"))
        features = hidden * (2 if both else 1)
        gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[name]
        widths = [flow.channels, *[features] * (layers - 1)]
        weights = sum((width + hidden) * hidden * gates * (features // hidden) for width in widths)
        biases = 2 * hidden * gates * (features // hidden) * layers
        length = flow.shape[0]
        site.tally.add(params=weights + biases, macs=weights * length, values=length * features * layers)
        func = "PaddedRecurrent" if flow.padded and (both or returns == "last") else "Recurrent"
        if returns == "last":
            out = flow.reshaped((features,), "", deeper=layers)
            return Emitted(call(func, layer, returns="last"), out)
        return Emitted(call(func, layer), flow.reshaped((flow.shape[0], features), deeper=layers))

    return emit_recurrent


def _over_positions(site: Site) -> Emitted:
    """Run the body on the positions of an image as a sequence, and give the result the image's form again."""
    site.need_float()
    flow = site.flow
    if flow.rank < 3 and not (flow.rank == 2 and not flow.channels_last):
        site.fail("needs channels first (C, L), (C, H, W) or (C, D, H, W); run the body on it directly")
    length = flow.size // flow.channels
    inner = site.child(0, flow.reshaped((length, flow.channels), "channels last"))
    if inner.flow.rank != 2 or inner.flow.shape[0] != length:
        site.fail(f"its body must keep the {length} positions, gives {inner.flow.shape}")
    out = flow.reshaped((inner.flow.channels, *flow.spatial), "channels first")
    out = out.reshaped(out.shape, deeper=inner.flow.depth - flow.depth)
    return Emitted(call("OverPositions", inner.code), out)


def _reversible_norm(site: Site) -> Emitted:
    """Run the body on a window without its mean and spread, and give these back to what it says."""
    site.need_channels_first(1)
    flow = site.flow
    site.tally.add(values=2 * flow.size)
    inner = site.child(0)
    if inner.flow.rank != 2 or inner.flow.shape[0] > flow.channels:
        site.fail(f"its body must give (channels, steps) of at most {flow.channels} channels, gives {inner.flow.shape}")
    return Emitted(call("ReversibleNorm", inner.code), inner.flow.reshaped(inner.flow.shape, "channels first"))


def _series_norm(site: Site) -> Emitted:
    site.need_channels_first(1)
    site.tally.add(values=site.flow.size)
    return Emitted(Call("SeriesNorm"), site.flow)


EMITTERS: Mapping[str, Callable[[Site], Emitted]] = {
    "embedding": _embedding,
    "positional_embedding": _positional_embedding,
    "attention": _attention,
    "transformer_block": _transformer_block,
    "lstm": _recurrent_emitter("LSTM"),
    "gru": _recurrent_emitter("GRU"),
    "rnn": _recurrent_emitter("RNN"),
    "over_positions": _over_positions,
    "reversible_norm": _reversible_norm,
    "series_norm": _series_norm,
}
