"""How blocks of several matrices take over weights: squeeze-excite, attention, recurrent layers, embeddings.

As in `layers`: each function writes the child's tensors, notes what cannot be kept, and says what flows out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import numpy as np

from netwright.inheritance.channels import FREE, Channels, Index, spread_over
from netwright.inheritance.layers import Desk, Take, put_batch_norm, require_inputs, rows_for, same, seen, told
from netwright.nn.items import Layer

if TYPE_CHECKING:
    import torch

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def squeeze_excite(desk: Desk, parent: Layer, child: Layer, channels: Channels, want: Channels | None) -> Channels:
    """Weights for channels; those of new channels are new."""
    draft = desk.draft
    channels = seen(desk, parent, child, channels, parent.number(0), child.number(0))
    hidden = spread_over(parent.number(1), child.number(1), draft.fill)
    told(desk, child, "hidden channels", parent.number(1), child.number(1))
    complete = draft.linear(parent, child, "reduce.weight", hidden, channels)
    draft.rows(parent, child, "reduce.bias", hidden)
    index, _ = channels.known
    complete &= draft.linear(parent, child, "expand.weight", index, Channels.made(hidden, parent.number(1)))
    draft.rows(parent, child, "expand.bias", index)
    require_inputs(desk, child, complete)
    return channels.bounded(min(0.0, channels.low), max(0.0, channels.high))


def factorized_reduce(desk: Desk, parent: Layer, child: Layer, channels: Channels, want: Channels | None) -> Channels:
    """DARTS' halving: two convolutions whose outputs stand side by side."""
    draft = desk.draft
    channels = seen(desk, parent, child, channels, parent.number(0), child.number(0))
    theirs, mine = parent.number(1), child.number(1)
    told(desk, child, "channels", theirs, mine)
    even = spread_over(theirs // 2, mine // 2, draft.fill)
    odd = spread_over(theirs - theirs // 2, mine - mine // 2, draft.fill)
    complete = draft.linear(parent, child, "even.weight", even, channels)
    complete &= draft.linear(parent, child, "odd.weight", odd, channels)
    require_inputs(desk, child, complete)
    found = Channels.made(np.concatenate([even, np.where(odd >= 0, odd + theirs // 2, FREE)]), theirs)
    put_batch_norm(desk, parent, child, found, "norm.")
    return found


# --- attention ---------------------------------------------------------------------------------------------------


def attention(desk: Desk, parent: Layer, child: Layer, channels: Channels, want: Channels | None) -> Channels:
    """Self-attention: heads may be more, and each wider.

    Where a head is wider, its new keys are zero, so that they add nothing to the scores, and its queries make up for
    the larger number that scores are divided by the root of. New heads, and new values, are read with zero weights.
    """
    draft = desk.draft
    theirs, mine = parent.number(0), child.number(0)
    channels = seen(desk, parent, child, channels, theirs, mine)
    same(desk, child, "causal", parent.arg("causal", False), child.arg("causal", False))
    inner, wider = _heads(desk, parent, child)
    of_weight, weight = draft.both(parent, child, "query_key_value.weight")
    of_bias, bias = draft.both(parent, child, "query_key_value.bias")
    weight, bias, copied, complete = weight.clone(), bias.clone(), 0, True
    for part, factor in enumerate((wider, 1.0, 1.0)):
        out, source = slice(part * mine, (part + 1) * mine), slice(part * theirs, (part + 1) * theirs)
        values, count, whole = draft.matrix(of_weight[source], weight[out], inner, channels)
        kept = np.flatnonzero(inner >= 0)
        values[kept] = values[kept] * factor if factor != 1 else values[kept]
        shift = of_bias[source][inner[kept]]
        bias[out][kept] = shift * factor if factor != 1 else shift
        if part == 1:
            _silence_new_keys(parent, child, inner, values, bias[out])
        weight[out] = values
        copied, complete = copied + count, complete and whole
    draft.put(child, "query_key_value.weight", weight, copied)
    draft.put(child, "query_key_value.bias", bias, 3 * int((inner >= 0).sum()))
    rows = rows_for(desk, theirs, mine, want)
    complete &= draft.linear(parent, child, "out.weight", rows, Channels.made(inner, theirs))
    draft.rows(parent, child, "out.bias", rows)
    require_inputs(desk, child, complete)
    return Channels.made(rows, theirs, last=True)


def _heads(desk: Desk, parent: Layer, child: Layer) -> tuple[Index, float]:
    """(child's features,) the parent's features in the order of heads; what queries are multiplied by."""
    theirs, mine = parent.number("heads"), child.number("heads")
    width, of_width = child.number(0) // mine, parent.number(0) // theirs
    if mine < theirs or width < of_width:
        why = "its heads are fewer" if mine < theirs else f"each is narrower ({of_width} -> {width})"
        desk.notes.lost(child.place, f"{theirs} -> {mine} heads", why)
        return spread_over(parent.number(0), child.number(0), "new"), 1.0
    told(desk, child, "heads", theirs, mine)
    told(desk, child, "features a head", of_width, width)
    head, inside = np.divmod(np.arange(child.number(0)), width)
    known = (head < theirs) & (inside < of_width)
    return np.where(known, head * of_width + inside, FREE), math.sqrt(width / of_width)


def _silence_new_keys(parent: Layer, child: Layer, inner: Index, weight: torch.Tensor, bias: torch.Tensor) -> None:
    """Zero keys of old heads that the parent did not have; those of new heads stay."""
    width = child.number(0) // child.number("heads")
    old = np.arange(len(inner)) // width < parent.number("heads")
    new = np.flatnonzero(old & (inner < 0))
    weight[new] = 0
    bias[new] = 0


# --- recurrent layers --------------------------------------------------------------------------------------------


def recurrent(desk: Desk, parent: Layer, child: Layer, channels: Channels, want: Channels | None) -> Channels:
    """LSTM, GRU or RNN: more hidden units, a second direction."""
    theirs, mine = cast(Layer, parent.body[0]), cast(Layer, child.body[0])
    same(desk, mine, "kind", theirs.kind, mine.kind)
    if theirs.kind != mine.kind:
        return Channels(last=True)
    same(desk, mine, "returns", parent.arg("returns", "sequence"), child.arg("returns", "sequence"))
    channels = seen(desk, theirs, mine, channels, theirs.number(0), mine.number(0))
    told(desk, mine, "hidden units", theirs.number(1), mine.number(1))
    ways = [int(bool(layer.arg("bidirectional"))) + 1 for layer in (theirs, mine)]
    told(desk, mine, "directions", *ways)
    same(desk, mine, "layers", theirs.number("num_layers", 1), mine.number("num_layers", 1))
    hidden = Channels.made(spread_over(theirs.number(1), mine.number(1), desk.draft.fill), theirs.number(1))
    flow, complete = channels, True
    for layer in range(mine.number("num_layers", 1)):
        if layer < theirs.number("num_layers", 1):
            for way in ("", "_reverse")[: min(ways)]:
                complete &= _put_gates(desk, theirs, mine, f"l{layer}{way}", flow, hidden)
        flow = _both_ways(hidden, *ways)
    require_inputs(desk, mine, complete)
    if parent.arg("returns", "sequence") != "sequence":
        return Channels.made(cast(Index, flow.index), flow.of)
    return flow


def _both_ways(hidden: Channels, of_ways: int, ways: int) -> Channels:
    """What one layer gives: the hidden units of each direction."""
    index = cast(Index, hidden.index)
    parts = [np.where(index >= 0, index + way * hidden.of, FREE) for way in range(of_ways)][:ways]
    parts += [np.full(len(index), FREE)] * (ways - len(parts))
    return Channels.made(np.concatenate(parts), hidden.of * of_ways, last=True)


def _put_gates(desk: Desk, parent: Layer, child: Layer, suffix: str, inputs: Channels, hidden: Channels) -> bool:
    """Write the stacked gates of one layer in one direction; says whether all inputs are there."""
    import torch

    draft, index, complete = desk.draft, cast(Index, hidden.index), True
    for name, flow in (("weight_ih_", inputs), ("weight_hh_", hidden)):
        theirs, mine = draft.both(parent, child, name + suffix)
        gates = zip(theirs.chunk(GATES[child.kind]), mine.chunk(GATES[child.kind]), strict=True)
        parts = [draft.matrix(of_gate, gate, index, flow) for of_gate, gate in gates]
        draft.put(child, name + suffix, torch.cat([values for values, _, _ in parts]), sum(n for _, n, _ in parts))
        complete &= all(whole for _, _, whole in parts)
    stacked = [np.where(index >= 0, index + g * hidden.of, FREE) for g in range(GATES[child.kind])]
    for name in ("bias_ih_", "bias_hh_"):
        draft.rows(parent, child, name + suffix, np.concatenate(stacked))
    return complete


# --- embeddings --------------------------------------------------------------------------------------------------


def embedding(desk: Desk, parent: Layer, child: Layer, channels: Channels, want: Channels | None) -> Channels:
    """A row of features for each token; tokens that the parent did not know have new rows."""
    rows = rows_for(desk, parent.number(1), child.number(1), want)
    told(desk, child, "features", parent.number(1), child.number(1))
    told(desk, child, "tokens", parent.number(0), child.number(0))
    desk.draft.columns(parent, child, "weight", rows)
    return Channels.made(rows, parent.number(1), last=True)


def positional_embedding(
    desk: Desk, parent: Layer, child: Layer, channels: Channels, want: Channels | None
) -> Channels:
    """A learned vector for each position."""
    channels = seen(desk, parent, child, channels, parent.number(1), child.number(1))
    same(desk, child, "length", parent.number(0), child.number(0))
    desk.draft.columns(parent, child, "weight", *channels.known)
    return channels.bounded()


def own(desk: Desk, parent: Layer, child: Layer, channels: Channels, want: Channels | None) -> Channels:
    """An operation of one's own: what it does is not known; tensors of the same shape are copied."""
    draft = desk.draft
    names = [place.name for place in draft.child if (place.layer, place.kind) == (child.place, child.kind)]
    pairs = [(name, draft.mine(child, name), draft.theirs(parent, name)) for name in names]
    alike = True
    for name, mine, theirs in pairs:
        assert mine is not None
        if theirs is not None and theirs.shape == mine.shape and theirs.dtype == mine.dtype:
            draft.put(child, name, theirs)
        else:
            alike = False
    if not alike or parent.call.args != child.call.args or not channels.is_exact:
        desk.notes.lost(
            child.place, f"{child.kind}, an operation of one's own, is in another place", "what it does is not known"
        )
        return Channels(last=channels.last)
    return Channels(last=channels.last)


BLOCKS: Mapping[str, Take] = {
    "SqueezeExcite": squeeze_excite,
    "FactorizedReduce": factorized_reduce,
    "SelfAttention": attention,
    "Recurrent": recurrent,
    "Embedding": embedding,
    "PositionalEmbedding": positional_embedding,
}
