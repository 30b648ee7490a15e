"""How a layer of a child takes over the weights of the same layer of its parent: convolutions, linear layers, norms.

Each function is given the two layers and what flows into them, writes the child's tensors, and says what flows out.
What cannot be kept is noted, and the weights are taken over as far as they go.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from netwright.inheritance.channels import Channels, Index, Lost, even_copies, spread_over
from netwright.inheritance.draft import Draft
from netwright.inheritance.report import Notes
from netwright.nn.items import Layer

if TYPE_CHECKING:
    import torch


class Desk(Protocol):
    """What the functions of this file work with."""

    draft: Draft
    notes: Notes
    strict: bool


Take = Callable[[Desk, Layer, Layer, Channels, "Channels | None"], Channels]


def seen(desk: Desk, parent: Layer, child: Layer, channels: Channels, of: int, count: int) -> Channels:
    """The channels as a layer with so many inputs sees them; where they do not fit, as if they had been widened."""
    try:
        return channels.at(of, count, desk.draft.fill)
    except Lost as lost:
        desk.notes.lost(child.place, f"{of} -> {count} inputs", str(lost))
        return Channels().at(of, count, desk.draft.fill)


def rows_for(desk: Desk, of: int, count: int, want: Channels | None) -> Index:
    """Where a layer keeps the parent's outputs: where the sum that it is part of needs them, if it is part of one."""
    fits = want is not None and want.index is not None and (want.of, len(want.index)) == (of, count)
    if fits and want is not None and want.index is not None and not want.is_scaled:
        return want.index
    return spread_over(of, count, desk.draft.fill)


def same(desk: Desk, child: Layer, name: str, theirs: object, mine: object) -> None:
    """Note an argument that has to be the same and is not."""
    if theirs != mine:
        desk.notes.lost(child.place, f"{name} {theirs} -> {mine}", "it computes something else")


def told(desk: Desk, child: Layer, what: str, theirs: object, mine: object) -> None:
    """Note a size that may differ; a smaller one has no room for all that the parent had."""
    if isinstance(theirs, int) and isinstance(mine, int) and mine < theirs and what != "groups":
        desk.notes.lost(child.place, f"{theirs} -> {mine} {what}", "it is narrower")
    elif theirs != mine:
        desk.notes.kept(child.place, f"{theirs} -> {mine} {what}")


def require_inputs(desk: Desk, child: Layer, complete: bool) -> None:
    """Note that inputs of the parent are missing."""
    if not complete:
        desk.notes.lost(child.place, "inputs of the parent are missing", "the layers before it are narrower")


# --- convolutions ------------------------------------------------------------------------------------------------


def conv(desk: Desk, parent: Layer, child: Layer, channels: Channels, want: Channels | None) -> Channels:
    """A convolution; depthwise ones keep the order of their inputs."""
    theirs, mine = desk.draft.both(parent, child, "weight")
    dims = mine.dim() - 2
    same(desk, child, "stride", parent.numbers("stride", 1, dims), child.numbers("stride", 1, dims))
    channels = seen(desk, parent, child, channels, parent.number(0), child.number(0))
    told(desk, child, "channels", parent.number(1), child.number(1))
    told(desk, child, "groups", _groups(parent), _groups(child))
    theirs = _in_window(desk, parent, child, theirs, mine)
    if parent.is_depthwise and child.is_depthwise:
        rows = _depthwise_rows(parent, child, channels)
        _put_depthwise(desk, child, theirs, mine, rows, channels)
    else:
        rows = rows_for(desk, parent.number(1), child.number(1), want)
        _put_grouped(desk, parent, child, _dense(parent, theirs), rows, channels)
    _put_bias(desk, parent, child, rows)
    return Channels.made(rows, parent.number(1))


def _groups(layer: Layer) -> int | str:
    """Number of groups; one a channel is the same operation however many there are."""
    return "depthwise" if layer.is_depthwise else layer.number("groups", 1)


def _offsets(layer: Layer, kernel: tuple[int, ...]) -> list[list[int]]:
    """How far from the middle each point of a kernel looks, a dimension."""
    dims = len(kernel)
    dilation, padding = layer.numbers("dilation", 1, dims), layer.numbers("padding", 0, dims)
    left = [begin for begin, _ in layer.before] or list(padding)
    return [[point * step - lead for point in range(k)] for k, step, lead in zip(kernel, dilation, left, strict=True)]


def _in_window(desk: Desk, parent: Layer, child: Layer, theirs: torch.Tensor, mine: torch.Tensor) -> torch.Tensor:
    """The parent's weights in a kernel of the child's size: each point where it looks at the same place."""
    kernels = tuple(theirs.shape[2:]), tuple(mine.shape[2:])
    found, wanted = _offsets(parent, kernels[0]), _offsets(child, kernels[1])
    if found == wanted:
        return theirs
    what = f"kernel {_text(kernels[0])} -> {_text(kernels[1])}"
    if all(set(old) <= set(new) for old, new in zip(found, wanted, strict=True)):
        desk.notes.kept(child.place, what)
    else:
        desk.notes.lost(child.place, what, "it sees less")
    wide = theirs
    for dim, (old, new) in enumerate(zip(found, wanted, strict=True), start=2):
        placed = wide.new_zeros((*wide.shape[:dim], len(new), *wide.shape[dim + 1 :]))
        for point in set(old) & set(new):
            placed.select(dim, new.index(point)).copy_(wide.select(dim, old.index(point)))
        wide = placed
    return wide


def _text(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))


def _depthwise_rows(parent: Layer, child: Layer, channels: Channels) -> Index:
    mine, theirs = child.number(1) // child.number(0), parent.number(1) // parent.number(0)
    source, copy = np.divmod(np.arange(child.number(1)), mine)
    label = channels.known[0][source]
    return np.where((label >= 0) & (copy < theirs), label * theirs + copy, -1)


def _put_depthwise(
    desk: Desk, child: Layer, theirs: torch.Tensor, mine: torch.Tensor, rows: Index, channels: Channels
) -> None:
    import torch

    from netwright.inheritance.draft import scaled

    _, scale = channels.known
    kept = np.flatnonzero(rows >= 0)
    values = mine.clone()
    factor = np.repeat(1 / scale, len(rows) // len(scale))
    values[torch.from_numpy(kept)] = scaled(theirs[torch.from_numpy(rows[kept])], factor, kept)
    desk.draft.put(child, "weight", values, len(kept) * math.prod(mine.shape[1:]))


def _dense(parent: Layer, theirs: torch.Tensor) -> torch.Tensor:
    """The weights of a grouped convolution as those of one group: zero between the groups."""
    groups = parent.number("groups", 1)
    if groups == 1:
        return theirs
    outs, ins = theirs.shape[0] // groups, theirs.shape[1]
    dense = theirs.new_zeros((theirs.shape[0], ins * groups, *theirs.shape[2:]))
    for g in range(groups):
        dense[g * outs : (g + 1) * outs, g * ins : (g + 1) * ins] = theirs[g * outs : (g + 1) * outs]
    return dense


def _put_grouped(desk: Desk, parent: Layer, child: Layer, dense: torch.Tensor, rows: Index, channels: Channels) -> None:
    """Write each group of the child; what the parent's row reads has to be within the group."""
    index, scale = channels.known
    _, mine = desk.draft.both(parent, child, "weight")
    values, copied, complete = mine.clone(), 0, True
    groups, of_groups = child.number("groups", 1), parent.number("groups", 1)
    outs, ins = len(rows) // groups, len(index) // groups
    of_outs, of_ins = parent.number(1) // of_groups, parent.number(0) // of_groups
    for g in range(groups):
        out, inner = slice(g * outs, (g + 1) * outs), slice(g * ins, (g + 1) * ins)
        inputs = Channels(index[inner], channels.of, scale[inner])
        values[out], count, _ = desk.draft.matrix(dense, mine[out], rows[out], inputs)
        copied += count
        for group in np.unique(rows[out][rows[out] >= 0] // of_outs):
            needed = np.arange(group * of_ins, (group + 1) * of_ins)
            complete &= bool(np.isin(needed, index[inner]).all())
    desk.draft.put(child, "weight", values, copied)
    require_inputs(desk, child, complete)


def _put_bias(desk: Desk, parent: Layer, child: Layer, rows: Index) -> None:
    desk.draft.rows(parent, child, "bias", rows)
    theirs = desk.draft.theirs(parent, "bias")
    if theirs is not None and desk.draft.mine(child, "bias") is None and bool((theirs != 0).any()):
        desk.notes.lost(child.place, "no bias", "the parent has one")


def transposed_conv(desk: Desk, parent: Layer, child: Layer, channels: Channels, want: Channels | None) -> Channels:
    """A transposed convolution, whose weights are (inputs, outputs, ...)."""
    theirs, mine = desk.draft.both(parent, child, "weight")
    dims = mine.dim() - 2
    same(desk, child, "stride", parent.numbers("stride", 1, dims), child.numbers("stride", 1, dims))
    channels = seen(desk, parent, child, channels, parent.number(0), child.number(0))
    rows = rows_for(desk, parent.number(1), child.number(1), want)
    told(desk, child, "channels", parent.number(1), child.number(1))
    if parent.number("groups", 1) != 1 or child.number("groups", 1) != 1:
        if theirs.shape == mine.shape and channels.is_exact and parent.call.args == child.call.args:
            desk.draft.put(child, "weight", theirs)
        else:
            desk.notes.lost(child.place, "a grouped transposed convolution differs", "its groups are not followed")
    else:
        theirs = _in_window(desk, parent, child, theirs, mine)
        values, copied, complete = desk.draft.matrix(theirs.transpose(0, 1), mine.transpose(0, 1), rows, channels)
        desk.draft.put(child, "weight", values.transpose(0, 1), copied)
        require_inputs(desk, child, complete)
    _put_bias(desk, parent, child, rows)
    return Channels.made(rows, parent.number(1))


def linear(desk: Desk, parent: Layer, child: Layer, channels: Channels, want: Channels | None) -> Channels:
    """A linear layer."""
    channels = seen(desk, parent, child, channels, parent.number(0), child.number(0))
    rows = rows_for(desk, parent.number(1), child.number(1), want)
    told(desk, child, "features", parent.number(1), child.number(1))
    require_inputs(desk, child, desk.draft.linear(parent, child, "weight", rows, channels))
    _put_bias(desk, parent, child, rows)
    return Channels.made(rows, parent.number(1), last=True)


# --- norms -------------------------------------------------------------------------------------------------------


def batch_norm(desk: Desk, parent: Layer, child: Layer, channels: Channels, want: Channels | None) -> Channels:
    """Batch norm, with its statistics; a factor on its inputs is undone."""
    channels = seen(desk, parent, child, channels, parent.number(0), child.number(0))
    put_batch_norm(desk, parent, child, channels)
    weight, bias = desk.draft.theirs(parent, "weight"), desk.draft.theirs(parent, "bias")
    moments = None
    if weight is not None and bias is not None:
        moments = np.stack([bias.double().numpy(), weight.double().numpy() ** 2])
    return replace(Channels.made(channels.known[0], channels.of, last=channels.last), moments=moments)


def put_batch_norm(desk: Desk, parent: Layer, child: Layer, channels: Channels, prefix: str = "") -> None:
    """Write a batch norm; its tensors' names may have a prefix in the layer."""
    index, scale = channels.known
    variance = desk.draft.theirs(parent, f"{prefix}running_var")
    weight_factor = None
    if channels.is_scaled and variance is not None:
        known = variance.double().numpy()[np.maximum(index, 0)]
        weight_factor = np.sqrt(scale**2 * known + EPS) / (scale * np.sqrt(known + EPS))
    desk.draft.rows(parent, child, f"{prefix}weight", index, weight_factor)
    desk.draft.rows(parent, child, f"{prefix}bias", index)
    desk.draft.rows(parent, child, f"{prefix}running_mean", index, scale)
    desk.draft.rows(parent, child, f"{prefix}running_var", index, scale**2)
    steps = desk.draft.theirs(parent, f"{prefix}num_batches_tracked")
    if steps is not None:
        desk.draft.put(child, f"{prefix}num_batches_tracked", steps)


EPS = 1e-5
"""Of torch's norms, as they are written."""


def norm(desk: Desk, parent: Layer, child: Layer, channels: Channels, want: Channels | None) -> Channels:
    """Norms over all channels, or groups of them; they are kept where all channels are, equally often."""
    at = 1 if child.kind == "GroupNorm" else 0
    groups = child.number(0) if child.kind == "GroupNorm" else 1
    if child.kind == "GroupNorm":
        same(desk, child, "groups", parent.number(0), groups)
    channels = seen(desk, parent, child, channels, parent.number(at), child.number(at))
    index, _ = channels.known
    if not channels.is_exact and not even_copies(channels, groups):
        why = "mean and variance are of other channels"
        desk.notes.lost(child.place, f"{parent.number(at)} -> {child.number(at)} channels in {child.kind}", why)
    desk.draft.rows(parent, child, "weight", index)
    desk.draft.rows(parent, child, "bias", index)
    return Channels.made(index, channels.of, last=channels.last)


TAKES: Mapping[str, Take] = {
    **dict.fromkeys(("Conv1d", "Conv2d", "Conv3d"), conv),
    **dict.fromkeys(("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"), transposed_conv),
    "Linear": linear,
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"), batch_norm),
    **dict.fromkeys(("LayerNorm", "RMSNorm", "GroupNorm"), norm),
}
