"""Layers that a child has and its parent does not: weights with which they change nothing, or give zeros.

An inserted sequence is to be the identity; a branch that is added to a sum is to be zero. What cannot be either, or
would never learn (what stands before a ReLU that gives zeros gets no gradient), is refused.

References:
    Chen, Goodfellow, Shlens (2016), Net2Net, section 2.2 (identity layers behind idempotent activations; a batch norm
    is given the statistics that it undoes).
    Wei, Wang, Rui, Chen (2016), Network Morphism, section 5 (which activations may be inserted).
    Elsken, Metzen, Hutter (2018), Simple and Efficient Architecture Search for CNNs, section 3 (branches in a sum;
    theirs have a factor of their own, ours a last layer of zeros).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from netwright.inheritance.channels import FREE, Channels, Index, Lost, side_by_side, spread_over
from netwright.inheritance.layers import EPS, Desk
from netwright.inheritance.matching import ACTIVATIONS, does_nothing
from netwright.nn.items import INPUT, Branch, Item, Join, Layer, width_after

POSITIVE_IDENTITY = ("nn.ReLU", "nn.LeakyReLU", "nn.ELU")
"""Activations that leave what is not negative as it is."""

LIVELY = ("nn.GELU", "nn.SiLU", "nn.Mish", "nn.ELU", "nn.SELU", "nn.Hardswish", "nn.LeakyReLU", "nn.Tanh")
"""Activations that are zero at zero, and have a slope there."""

KEEPS_ZERO = (
    "MaxPool",
    "AvgPool",
    "AdaptiveAvgPool",
    "AdaptiveMaxPool",
    "Upsample",
    "Flatten",
    "Unflatten",
    "GlobalPool",
    "PaddedPool",
)
_MOVES = ("ToSequence", "ToChannels", "Permute", "nn.PixelShuffle", "TakeChannels")

GATE = 0.5
"""What an inserted squeeze-excite multiplies by: the middle of its gate, where its slope is, with zero weights."""


# --- nothing changes ---------------------------------------------------------------------------------------------


def make_identity(desk: Desk, items: Sequence[Item], channels: Channels) -> Channels:
    """Give layers weights with which they pass on what comes in; they may add channels.

    Raises:
        Lost: they cannot.
    """
    for item in items:
        channels = _identity(desk, item, channels)
    return channels


def _identity(desk: Desk, item: Item, channels: Channels) -> Channels:
    if does_nothing(item):
        return channels
    if isinstance(item, Join):
        return _identity_join(desk, item, channels)
    if not isinstance(item, Layer):
        raise Lost("a cell is not the identity")
    if item.func in ACTIVATIONS:
        return _identity_activation(item, channels) if desk.strict else channels
    if item.func == "OverPositions":
        return replace(make_identity(desk, item.body, replace(channels, last=True)), last=channels.last)
    make = next((make for kind, make in _IDENTITIES.items() if item.kind.startswith(kind)), None)
    if make is None:
        raise Lost(f"{item.kind} is not the identity")
    return make(desk, item, channels)


def _identity_activation(item: Layer, channels: Channels) -> Channels:
    if channels.low >= 0 and item.func in POSITIVE_IDENTITY:
        return channels
    highest = channels.high * (1.0 if channels.scale is None else float(channels.scale.max(initial=0.0)))
    if channels.low >= 0 and item.func == "nn.ReLU6" and highest <= 6:
        return channels
    raise Lost(f"{item.kind} changes what flows here")


def _known(desk: Desk, channels: Channels, count: int) -> Channels:
    """The channels as an inserted layer sees them."""
    if channels.index is None or channels.scale is None:
        return replace(channels.at(count, count, desk.draft.fill), low=channels.low, high=channels.high)
    return channels.at(channels.of * count // max(1, len(channels.index)), count, desk.draft.fill)


def _identity_conv(desk: Desk, item: Layer, channels: Channels) -> Channels:
    weight = desk.draft.mine(item, "weight")
    assert weight is not None
    dims = weight.dim() - 2
    channels = _known(desk, channels, item.number(0))
    kernel, dilation = tuple(weight.shape[2:]), item.numbers("dilation", 1, dims)
    pads = item.before or tuple((p, p) for p in item.numbers("padding", 0, dims))
    keeps = all(sum(pad) == d * (k - 1) and pad[0] % d == 0 for pad, d, k in zip(pads, dilation, kernel, strict=True))
    if set(item.numbers("stride", 1, dims)) != {1} or not keeps:
        raise Lost("it changes the extent")
    source, found = _passed_on(desk, item, channels)
    groups, outs, ins = item.number("groups", 1), weight.shape[0], weight.shape[1]
    group = np.arange(outs) // (outs // groups)
    if any(source[j] >= 0 and source[j] // ins != group[j] for j in range(outs)):
        raise Lost("its groups are in the way")
    values = weight.clone()
    middle = tuple(pad[0] // d for pad, d in zip(pads, dilation, strict=True))
    for j in np.flatnonzero(source >= 0):
        values[j] = 0
        values[j, int(source[j]) % ins][middle] = 1
    desk.draft.put(item, "weight", values, 0)
    desk.draft.fill_with(item, "bias", 0.0)
    return found


def _identity_linear(desk: Desk, item: Layer, channels: Channels) -> Channels:
    weight = desk.draft.mine(item, "weight")
    assert weight is not None
    channels = _known(desk, channels, item.number(0))
    source, found = _passed_on(desk, item, channels)
    values = weight.clone()
    for j in np.flatnonzero(source >= 0):
        values[j] = 0
        values[j, int(source[j])] = 1
    desk.draft.put(item, "weight", values, 0)
    desk.draft.fill_with(item, "bias", 0.0)
    return replace(found, last=True)


def _passed_on(desk: Desk, item: Layer, channels: Channels) -> tuple[Index, Channels]:
    """Which input each output is to be, and what flows out."""
    index, scale = channels.known
    ins, outs = item.number(0), item.number(1)
    if item.is_depthwise:
        times = outs // ins
        source = np.where(np.arange(outs) % times == 0, np.arange(outs) // times, FREE)
    elif outs < ins:
        raise Lost(f"{ins} channels do not fit into {outs}")
    else:
        source = spread_over(ins, outs, desk.draft.fill)
    carried = np.where(source >= 0, index[source], FREE)
    return source, replace(channels, index=carried, scale=np.where(source >= 0, scale[source], 1.0))


def _identity_batch_norm(desk: Desk, item: Layer, channels: Channels) -> Channels:
    """Statistics, and what undoes them: those that are to be expected here, so that a training changes little, too."""
    import torch

    channels = _known(desk, channels, item.number(0))
    index, scale = channels.known
    mean, variance = np.zeros(len(index)), np.ones(len(index))
    if channels.moments is not None:
        kept = index >= 0
        mean[kept] = channels.moments[0][index[kept]] * scale[kept]
        variance[kept] = channels.moments[1][index[kept]] * scale[kept] ** 2
    values = {"weight": np.sqrt(variance + EPS), "bias": mean, "running_mean": mean, "running_var": variance}
    for name, column in values.items():
        own = desk.draft.mine(item, name)
        if own is not None:
            desk.draft.put(item, name, torch.from_numpy(column).to(own.dtype), 0)
    return channels


def _constant_gate(desk: Desk, item: Layer, channels: Channels) -> Channels:
    """A gate that is the same for all channels; who reads them makes up for it."""
    desk.draft.fill_with(item, "expand.weight", 0.0)
    desk.draft.fill_with(item, "expand.bias", 0.0)
    return _known(desk, channels, item.number(0)).times(GATE)


def _no_positions(desk: Desk, item: Layer, channels: Channels) -> Channels:
    desk.draft.fill_with(item, "weight", 0.0)
    return channels


_IDENTITIES: Mapping[str, Callable[[Desk, Layer, Channels], Channels]] = {
    **dict.fromkeys(("Conv1d", "Conv2d", "Conv3d"), _identity_conv),
    "Linear": _identity_linear,
    "BatchNorm": _identity_batch_norm,
    "SqueezeExcite": _constant_gate,
    "PositionalEmbedding": _no_positions,
}


def _identity_join(desk: Desk, item: Join, channels: Channels) -> Channels:
    """One branch passes on what comes in; the others give zeros, or stand beside it."""
    if item.kind not in ("sum", "mean", "concat"):
        raise Lost("a product is not the identity")
    reasons: list[str] = []
    for branch in sorted(item.branches, key=lambda branch: len(branch.items)):
        saved = desk.draft.save()
        try:
            found = make_identity(desk, branch.items, channels)
            if item.kind == "concat":
                return _beside(item, branch, found)
            for other in item.branches:
                if other is not branch:
                    make_zero(desk, other.items)
            if item.kind == "mean" and found.scale is None:
                raise Lost("how many channels there are is not known")
            return found.times(1 / len(item.branches)) if item.kind == "mean" else found
        except Lost as lost:
            desk.draft.restore(saved)
            reasons.append(str(lost))
    raise Lost(reasons[0] if reasons else "it has no branch")


def _beside(item: Join, kept: Branch, channels: Channels) -> Channels:
    """The branch that passes on what comes in, among others that are new."""
    if channels.index is None:
        raise Lost("how many channels there are is not known")
    count = len(channels.index)
    parts = []
    for branch in item.branches:
        width = width_after(branch.items, count) if branch is not kept else count
        if width is None:
            raise Lost("how many channels a branch has is not known")
        free = Channels.made(np.full(width, FREE), 0)
        parts.append((channels, 0, True) if branch is kept else (free, 0, False))
    return replace(side_by_side(parts), of=channels.of)


# --- nothing comes out -------------------------------------------------------------------------------------------


def make_zero(desk: Desk, items: Sequence[Item]) -> None:
    """Give layers weights with which they give zeros, and from which they can learn.

    Raises:
        Lost: they cannot.
    """
    for item in reversed(items):
        if _zero(desk, item):
            return
    raise Lost("without weights it is not zero")


def _zero(desk: Desk, item: Item) -> bool:
    """Make a last item zero; False where that is up to what stands before it."""
    if isinstance(item, Join):
        for branch in item.branches:
            if branch.source != INPUT:
                raise Lost("a cell is not zero")
            make_zero(desk, branch.items)
        return True
    if not isinstance(item, Layer):
        raise Lost("a cell is not zero")
    if item.func == "Zero":
        return True
    if item.func in LIVELY or does_nothing(item) or item.func == "SqueezeExcite":
        return False
    if any(item.kind.startswith(kind) for kind in KEEPS_ZERO) or item.func in _MOVES:
        return False
    if item.func == "OverPositions":
        make_zero(desk, item.body)
        return True
    if item.func in ACTIVATIONS:
        raise Lost(f"{item.kind} after zeros gives no gradient")
    return _zero_weights(desk, item)


def _zero_weights(desk: Desk, item: Layer) -> bool:
    if item.func == "ChannelsLast":
        return _zero_weights(desk, cast(Layer, item.body[0]))
    if item.func == "Recurrent":
        _zero_recurrent(desk, cast(Layer, item.body[0]))
        return True
    names = {"SelfAttention": "out.", "FactorizedReduce": "norm."}
    if not (item.kind.startswith(("Conv", "Linear")) or "Norm" in item.kind or item.kind in names):
        raise Lost(f"{item.kind} is not zero")
    prefix = names.get(item.kind, "")
    desk.draft.fill_with(item, f"{prefix}weight", 0.0)
    desk.draft.fill_with(item, f"{prefix}bias", 0.0)
    return True


def _zero_recurrent(desk: Desk, item: Layer) -> None:
    """Zero what is written into the state: an LSTM's third gate (``g``), a GRU's third (``n``), all of an RNN."""
    last = item.number("num_layers", 1) - 1
    gate, gates = {"LSTM": (2, 4), "GRU": (2, 3), "RNN": (0, 1)}[item.kind]
    for way in ("", "_reverse") if item.arg("bidirectional") else ("",):
        for name in ("weight_ih_", "weight_hh_", "bias_ih_", "bias_hh_"):
            full = f"{name}l{last}{way}"
            before = desk.draft.mine(item, full)
            assert before is not None
            values = before.clone()
            values.chunk(gates)[gate].zero_()
            desk.draft.put(item, full, values, 0)
