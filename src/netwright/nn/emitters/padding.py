"""Padding of sequences: positions that hold no token are rows of zeros, and stay rows of zeros.

An embedding with padding gives zeros for token 0. What follows knows padding by its zeros, so that no mask is passed
from one operation to the next: what would fill these rows runs inside the helper ``KeepPadding``, which gives zeros
where zeros came in; attention, recurrent layers that read backwards, and pooling over all positions leave them out. So
what a network says of a sequence does not depend on how much padding follows it. A position whose features all become
zero on the way, by an activation, say, counts as padding from there on. Operations that change the positions,
and classes of one's own, end it: after them padding is what they made of it.
"""

from __future__ import annotations

from dataclasses import replace

from netwright.nn.code import IDENTITY, Code, call
from netwright.nn.site import Emitted, Flow, Tally

KEEPERS = frozenset(
    {
        *("embedding", "seq", "stages", "residual", "parallel", "activation", "dropout", "drop_path", "identity"),
        *("zero", "to_sequence", "to_channels"),
    }
)
"""Operations that give zeros for zeros, or whose parts see to it."""

FILLING = frozenset({"sigmoid", "hardsigmoid", "softmax"})
"""Activations that do not."""


def kept(kind: str, flow: Flow, emitted: Emitted, tally: Tally) -> Emitted:
    """What was written for an operation on ``flow``, so that rows of zeros are still the padding after it.

    Args:
        kind: of the operation.
        flow: what comes in.
        emitted: what was written.
        tally: counts what is added.
    """
    out = emitted.flow
    if not out.padded or kind in KEEPERS or emitted.code == IDENTITY:
        return emitted
    if (out.rank, out.layout, out.spatial) != (flow.rank, flow.layout, flow.spatial) or not flow.padded:
        return Emitted(emitted.code, replace(out, padded=False))
    tally.add(values=out.size)
    return Emitted(keep_padding(flow, emitted.code), out)


def keep_padding(flow: Flow, code: Code) -> Code:
    """An expression that gives zeros where zeros come in, if they are padding."""
    return call("KeepPadding", code, dim=flow.channel_dim) if flow.padded and code != IDENTITY else code
