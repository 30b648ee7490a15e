"""How the layers of graphs take over weights: sparse features, attention of neighbours, deep stacks.

As in `layers`: each function writes the child's tensors, notes what cannot be kept, and says what flows out. The graph
itself lies in buffers that are the same in all networks.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netwright.inheritance.channels import Channels, shares
from netwright.inheritance.layers import Desk, Take, require_inputs, rows_for, same, seen, told
from netwright.nn.items import Layer


def node_linear(desk: Desk, parent: Layer, child: Layer, channels: Channels, want: Channels | None) -> Channels:
    """A linear layer on the sparse features of all nodes, whose weights are (inputs, features)."""
    theirs, mine = parent.number(2), child.number(2)
    rows = rows_for(desk, theirs, mine, want)
    same(desk, child, "inputs", parent.number(1), child.number(1))
    told(desk, child, "features", theirs, mine)
    for name in ("weight", "bias"):
        desk.draft.columns(parent, child, name, rows)
    return Channels.made(rows, theirs, last=True)


def graph_attention(desk: Desk, parent: Layer, child: Layer, channels: Channels, want: Channels | None) -> Channels:
    """Scores of neighbours: wider heads do not look at what is new; another number of heads is another function."""
    theirs, mine = (layer.number(1) * layer.number(2) for layer in (parent, child))
    channels = seen(desk, parent, child, channels, theirs, mine)
    same(desk, child, "heads", parent.number(1), child.number(1))
    told(desk, child, "features a head", parent.number(2), child.number(2))
    index, scale = channels.known
    head, of_head = np.arange(len(index)) // child.number(2), index // parent.number(2)
    if (head != of_head)[index >= 0].any():
        desk.notes.lost(child.place, "features of other heads", "each head sees others than it did")
    factor = shares(index, desk.draft.rng.random(len(index))) / scale
    for name in ("source_weight", "target_weight"):
        of_weight, weight = desk.draft.both(parent, child, name)
        values = of_weight.flatten().double().numpy()[np.maximum(index, 0)] * np.where(index >= 0, factor, 0.0)
        desk.draft.put(child, name, weight.new_tensor(values).reshape(weight.shape), int((index >= 0).sum()))
    require_inputs(desk, child, len(np.unique(index[index >= 0])) == theirs)
    return channels.bounded()


def gcnii(desk: Desk, parent: Layer, child: Layer, channels: Channels, want: Channels | None) -> Channels:
    """A deep stack whose layers add to what comes in, so that channels keep their order."""
    theirs, mine = parent.number(2), child.number(2)
    channels = seen(desk, parent, child, channels, theirs, mine)
    same(desk, child, "layers", parent.number(1), child.number(1))
    for what, default in (("restart", 0.1), ("decay", 0.5)):
        same(desk, child, what, parent.arg(what, default), child.arg(what, default))
    told(desk, child, "features", theirs, mine)
    index, scale = channels.known
    of_weight, weight = desk.draft.both(parent, child, "weight")
    values, copied, complete = weight.clone(), 0, True
    for layer in range(min(len(of_weight), len(weight))):
        of_layer, own = of_weight[layer].transpose(0, 1), weight[layer].transpose(0, 1)
        matrix, count, whole = desk.draft.matrix(of_layer, own, index, channels)
        matrix = matrix * weight.new_tensor(np.where(index >= 0, scale, 1.0))[:, None]
        values[layer] = matrix.transpose(0, 1)
        copied, complete = copied + count, complete and whole
    desk.draft.put(child, "weight", values, copied)
    require_inputs(desk, child, complete)
    return channels.bounded(0.0)


GRAPHS: Mapping[str, Take] = {"NodeLinear": node_linear, "GraphAttention": graph_attention, "GCNII": gcnii}
