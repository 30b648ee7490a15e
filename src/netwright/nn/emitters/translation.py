"""Encoder-decoder networks: layers of an encoder, layers of a decoder that read the encoder's, and both together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from netwright.nn.code import Code, Items, Lit, call, placed, sequence
from netwright.nn.emitters.basics import activation_layer, linear_flow, norm_layer
from netwright.nn.site import Emitted, Flow, Site
from netwright.space.terms import OpTerm, Term

MIXERS = ("attention", "convolution", "recurrent")
POSITIONS = 0.3
"""Standard deviation of the vectors of positions at first, beside those of tokens, which have 1."""


def _encoder_layer(site: Site) -> Emitted:
    flow = _sequence(site)
    code = call(
        "EncoderLayer",
        norm_layer(site, flow, "layer", role="first norm"),
        _mixer(site, flow, "Source"),
        norm_layer(site, flow, "layer", role="second norm"),
        _mlp(site, flow),
        **_dropout(site, flow),
    )
    return Emitted(code, flow.reshaped(flow.shape, deeper=4))


def _decoder_layer(site: Site) -> Emitted:
    if len(site.flows) < 2:
        site.fail("reads layers of an encoder; put it into nn.encoder_decoder(...)")
    flow, memories = _sequence(site), site.flows[1:]
    reads = sorted({max(0, len(memories) - back) for back in site.row("links")})
    code = call(
        "DecoderLayer",
        norm_layer(site, flow, "layer", role="first norm"),
        _mixer(site, flow, "Target"),
        norm_layer(site, flow, "layer", role="cross norm"),
        _cross_attention(site, flow, memories[0], len(reads)),
        norm_layer(site, flow, "layer", role="second norm"),
        _mlp(site, flow),
        Lit(tuple(reads), "reads"),
        **_dropout(site, flow),
    )
    depth = max(flow.depth, *(memories[number].depth for number in reads))
    return Emitted(code, replace(flow, depth=depth + 6))


def _sequence(site: Site) -> Flow:
    site.need_sequence()
    return site.flow.reshaped(site.flow.shape, "channels last")


def _dropout(site: Site, flow: Flow) -> dict[str, float]:
    dropout = site.number("dropout", 0.0, 0.99, 0.0)
    site.tally.add(values=2 * flow.size if dropout else 0)
    return {"dropout": dropout} if dropout else {}


def _mixer(site: Site, flow: Flow, side: str) -> Code:
    """What mixes the positions: of a source in both directions, of a target forwards only."""
    kind = site.word("mixer", MIXERS, "attention")
    length, features = flow.shape
    if kind == "attention":
        heads = _heads(site, flow, "heads")
        weights = 4 * features * features
        macs = weights * length + 2 * length * length * features
        site.tally.add(params=weights + 4 * features, macs=macs, values=4 * flow.size)
        return placed(call(f"{side}Attention", Lit(features, "features"), heads=heads), site.place("attention"))
    if kind == "convolution":
        kernel = site.integer("kernel", default=3)
        if kernel % 2 == 0:
            site.fail(f"kernel={kernel} has no middle; make it odd")
        weights = (3 * features + kernel) * features
        site.tally.add(params=weights + 4 * features, macs=weights * length, values=5 * flow.size)
        layer = call(f"{side}Convolution", Lit(features, "features"), kernel_size=kernel)
        return placed(layer, site.place("convolution"))
    if side == "Target":
        return call("TargetRecurrent", _gru(site, flow, features, "recurrent"))
    if features % 2:
        site.fail(f"two directions do not divide the {features} features; make them even")
    half = features // 2
    return call("SourceRecurrent", _gru(site, flow, half, "forwards"), _gru(site, flow, half, "backwards"))


def _gru(site: Site, flow: Flow, hidden: int, role: str) -> Code:
    weights = 3 * (flow.channels + hidden) * hidden
    site.tally.add(params=weights + 6 * hidden, macs=weights * flow.shape[0], values=flow.shape[0] * hidden)
    layer = call("nn.GRU", Lit(flow.channels, "in_features"), Lit(hidden, "out_features"), batch_first=True)
    return placed(layer, site.place(role))


def _cross_attention(site: Site, flow: Flow, memory: Flow, num_read: int) -> Code:
    heads = _heads(site, flow, "cross_heads")
    length, features = flow.shape
    positions = num_read * memory.shape[0]
    own, theirs = 2 * features * features, 2 * memory.channels * features
    macs = own * length + theirs * positions + 2 * length * positions * features
    values = 2 * flow.size + 2 * positions * features + (positions * memory.channels if num_read > 1 else 0)
    site.tally.add(params=own + theirs + 4 * features, macs=macs, values=values)
    ends = (Lit(features, "features"), Lit(memory.channels, "memory_features"))
    return placed(call("CrossAttention", *ends, heads=heads), site.place("cross attention"))


def _heads(site: Site, flow: Flow, name: str) -> int:
    heads = site.integer(name, default=4)
    if flow.channels % heads:
        site.fail(f"{name}={heads} does not divide the {flow.channels} features; make it a divisor")
    return heads


def _mlp(site: Site, flow: Flow) -> Code:
    hidden = site.integer("hidden")
    wide = linear_flow(site, flow, hidden)
    activation = activation_layer(site, wide, default="relu")
    linear_flow(site, wide, flow.channels)
    first = call("nn.Linear", Lit(flow.channels, "in_features"), Lit(hidden, "out_features"))
    second = call("nn.Linear", Lit(hidden, "in_features"), Lit(flow.channels, "out_features"))
    return sequence(placed(first, site.place("widen")), activation, placed(second, site.place("narrow")))


def _encoder_decoder(site: Site) -> Emitted:
    if site.flow.is_float or site.flow.rank != 1:
        site.fail("needs a row of tokens (L,); build with input_dtype='int64'")
    source_length = site.integer("source_length")
    target_length = site.flow.shape[0] - source_length
    if target_length < 1:
        site.fail(f"source_length={source_length} leaves no tokens of a target")
    encoder, decoder = site.term.children
    dropout = site.number("dropout", 0.0, 0.99, 0.0)
    flow, source = _tokens(site, "source", source_length, dropout)
    memories: list[Flow] = []
    inner: list[Code] = []
    for index, layer in enumerate(_layers(site, encoder, "encoder")):
        emitted = site.emit_term(layer, (flow,), f"{site.path}.encoder[{index}]")
        flow = emitted.flow
        memories.append(flow)
        inner.append(emitted.code)
    encoder_norm = norm_layer(site, memories[-1], "layer", role="encoder norm")
    site.tally.add(values=(len(memories) - 1) * flow.size)
    flow, target = _tokens(site, "target", target_length, dropout)
    outer: list[Code] = []
    for index, layer in enumerate(_layers(site, decoder, "decoder")):
        emitted = site.emit_term(layer, (flow, *memories), f"{site.path}.decoder[{index}]")
        flow = emitted.flow
        outer.append(emitted.code)
    decoder_norm = norm_layer(site, flow, "layer", role="decoder norm")
    count = site.integer("target_tokens")
    out = flow.reshaped((target_length, count), deeper=1)
    site.tally.add(macs=flow.size * count, values=out.size)
    named = {"dropout": dropout} if dropout else {}
    parts = (*source, Items(tuple(inner)), encoder_norm, *target, Items(tuple(outer)), decoder_norm)
    return Emitted(call("EncoderDecoder", Lit(source_length, "source_length"), *parts, **named), out)


def _layers(site: Site, term: Term, side: str) -> tuple[Term, ...]:
    """The layers of one side; each is an operation of its kind."""
    whole = isinstance(term, OpTerm) and term.kind == "seq"
    layers = term.children if isinstance(term, OpTerm) and whole else (term,)
    if not layers or any(not isinstance(layer, OpTerm) or layer.kind != f"{side}_layer" for layer in layers):
        site.fail(f"its {side} must be nn.{side}_layer(...), or several of them in nn.seq or nn.repeat")
    return layers


def _tokens(site: Site, side: str, length: int, dropout: float) -> tuple[Flow, tuple[Code, Code]]:
    """The table of tokens and the vectors of positions of one side, and what flows out of them."""
    count, features = site.integer(f"{side}_tokens", 3), site.integer(f"{side}_features")
    site.tally.add(params=(count + length) * features, values=(3 if dropout else 2) * length * features)
    table = call("nn.Embedding", Lit(count, "num_embeddings"), Lit(features, "features"))
    positions = call("PositionalEmbedding", Lit(length, "length"), Lit(features, "features"), std=POSITIONS)
    codes = placed(table, site.place(f"{side} tokens")), placed(positions, site.place(f"{side} positions"))
    return Flow((length, features), "float32", "channels last", site.flow.depth + 1), codes


EMITTERS: Mapping[str, Callable[[Site], Emitted]] = {
    "encoder_layer": _encoder_layer,
    "decoder_layer": _decoder_layer,
    "encoder_decoder": _encoder_decoder,
}
