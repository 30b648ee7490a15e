"""Goes through a parent and a child side by side, and gives the child weights from the parent's.

At each point it knows which of the parent's channels the child's channels are. Paired layers take over weights;
inserted ones are made to change nothing; added branches are made zero, or stand beside the others as new channels.
Where the function cannot be kept it says why, and goes on as well as it can.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import cast

import numpy as np

from netwright.inheritance.blocks import BLOCKS, own
from netwright.inheritance.channels import Channels, Lost
from netwright.inheritance.columns import COLUMNS
from netwright.inheritance.draft import Draft
from netwright.inheritance.graphs import GRAPHS
from netwright.inheritance.inserted import GATE, make_identity, make_zero
from netwright.inheritance.joins import chain, graph, join, name_of, where
from netwright.inheritance.layers import TAKES
from netwright.inheritance.matching import ACTIVATIONS, branch_likeness, steps
from netwright.inheritance.report import Notes
from netwright.inheritance.transfer import inherit
from netwright.nn.items import (
    INPUT,
    WHOLES,
    Branch,
    Chain,
    Graph,
    Item,
    Join,
    Layer,
    places_in,
    sets_channels,
)

BOUNDS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "nn.ReLU": (0.0, math.inf),
        "nn.ReLU6": (0.0, 6.0),
        "nn.Sigmoid": (0.0, 1.0),
        "nn.Hardsigmoid": (0.0, 1.0),
        "nn.Softmax": (0.0, 1.0),
        "nn.Tanh": (-1.0, 1.0),
    }
)
"""Between which values what an activation gives lies."""

HOMOGENEOUS = ("nn.ReLU", "nn.LeakyReLU")
"""Activations through which a positive factor passes."""

Values = Mapping[str, Channels]

_TAKES = MappingProxyType({**TAKES, **BLOCKS, **COLUMNS, **GRAPHS})


@dataclass
class Walk:
    """The walk through two networks.

    Args:
        draft: the child's tensors.
        notes: what was found.
        strict: False while layers that cannot be the identity are given weights that make them nearly that.
    """

    draft: Draft
    notes: Notes
    strict: bool = True

    # --- sequences ---------------------------------------------------------------------------------------------

    def sequence(
        self, parent: Sequence[Item], child: Sequence[Item], channels: Channels, want: Channels | None = None
    ) -> Channels:
        """Go through two lists of items.

        Args:
            parent: of the parent.
            child: of the child.
            channels: what flows in.
            want: the order in which channels are needed at the end; None where any will do.

        Returns:
            What flows out.
        """
        found = steps(parent, child)
        setters = [number for number, step in enumerate(found) if any(map(sets_channels, step.child))]
        before: list[Item] = []
        for number, step in enumerate(found):
            needed = want if setters and number == setters[-1] else None
            if step.is_pair:
                channels = self.pair(step.parent[0], step.child[0], channels, needed)
            else:
                channels = self.gap(step.parent, step.child, channels, needed, before)
            before += step.child
        return channels

    def pair(self, parent: Item, child: Item, channels: Channels, want: Channels | None) -> Channels:
        """An item that both have."""
        if isinstance(child, Join):
            return join(self, cast(Join, parent), child, {INPUT: channels}, {INPUT: INPUT}, want)
        if isinstance(child, Graph):
            return graph(self, cast(Graph, parent), child, (channels,), want)
        if isinstance(child, Chain):
            return chain(self, cast(Chain, parent), child, channels)
        return self.layer(cast(Layer, parent), child, channels, want)

    def layer(self, parent: Layer, child: Layer, channels: Channels, want: Channels | None) -> Channels:
        """A layer that both have."""
        if child.is_own:
            return own(self, parent, child, channels, want)
        if child.func in WHOLES:
            return self.by_place(parent, child, "of other layers", "what flows inside is not followed")
        take = _TAKES.get(child.kind)
        if take is not None:
            return take(self, parent, child, channels, want)
        if child.func in ACTIVATIONS:
            return self.activation(parent, child, channels)
        if child.body:
            inner = replace(channels, last=True) if child.func == "OverPositions" else channels
            return replace(self.sequence(parent.body, child.body, inner, want), last=channels.last)
        if child.place:
            return self.by_place(parent, child, "of another form", "what it does to channels is not known")
        return self.moved(parent, child, channels)

    def by_place(self, parent: Layer, child: Layer, what: str, why: str) -> Channels:
        """A layer in which channels cannot be followed: what both have at one place is taken over.

        Args:
            parent: of the parent.
            child: of the child.
            what: is noted of it where the two differ.
            why: its function is not kept then.
        """
        self.fall_back((child,))
        if (parent.place, parent.call) != (child.place, child.call):
            self.notes.lost(where(child), f"{child.kind} {what}", why)
        return Channels(last=True)

    def activation(self, parent: Layer, child: Layer, channels: Channels) -> Channels:
        """An activation works on each channel alone; a factor passes through few of them."""
        low, high = BOUNDS.get(child.func, (-math.inf, math.inf))
        if (parent.func, parent.call.args) != (child.func, child.call.args):
            self.notes.lost(where(child), f"{parent.kind} -> {child.kind}", "another activation")
        elif channels.is_scaled and child.func not in HOMOGENEOUS:
            self.notes.lost(where(child), child.kind, "a factor does not pass through it")
            channels = replace(channels, scale=np.ones_like(channels.scale))
        if child.func == "nn.ReLU":
            return channels.rectified()
        return channels.bounded(max(low, min(channels.low, 0.0)) if low < 0 else low, high)

    def moved(self, parent: Layer, child: Layer, channels: Channels) -> Channels:
        """A layer without weights: pooling, another form, zeros."""
        place = where(child)
        if parent.call.args != child.call.args or parent.func != child.func:
            self.notes.lost(place, f"{parent.kind} -> {child.kind}", "it computes something else")
        if child.func == "Propagate":
            return channels.bounded(0.0 if channels.low >= 0 else -math.inf)
        if child.func in ("ToSequence", "ToChannels"):
            return replace(channels, last=child.func == "ToSequence")
        if child.func in ("nn.Unflatten", "Permute", "nn.Softmax", "Normalize", "nn.PixelShuffle", "TakeChannels"):
            if not channels.is_exact:
                self.notes.lost(place, child.kind, "it mixes channels with new ones")
            low, high = (0.0, 1.0) if child.func == "nn.Softmax" else (-math.inf, math.inf)
            return Channels(low=low, high=high, last=channels.last)
        return replace(channels, moments=None)

    def gap(
        self,
        parent: tuple[Item, ...],
        child: tuple[Item, ...],
        channels: Channels,
        want: Channels | None,
        before: Sequence[Item],
    ) -> Channels:
        """Items of one that stand against none, or others, of the other; ``before`` are the child's before them."""
        if not child:
            names = ", ".join(name_of(item) for item in parent)
            self.notes.lost(where(parent[0]), f"{names} is gone", "what it did is gone")
            return Channels(last=channels.last) if any(map(sets_channels, parent)) else channels
        if len(child) == 1 and isinstance(child[0], Join) and parent:
            return self.wrapped(parent, child[0], channels, want)
        if len(parent) == 1 and isinstance(parent[0], Join):
            return self.unwrapped(parent[0], child, channels, want)
        what = f"{', '.join(map(name_of, child))} inserted"
        saved = self.draft.save()
        try:
            if parent and not _is_zero(parent):
                raise Lost(f"{', '.join(map(name_of, parent))} was there")
            if parent:
                make_zero(self, child)
                self.notes.kept(where(child[0]), what)
                return replace(channels, low=0.0, high=0.0)
            found = make_identity(self, child, channels)
            found = self.folded(found, channels, child, before)
        except Lost as lost:
            self.draft.restore(saved)
            self.notes.lost(where(child[0]), what, str(lost))
            return self.nearly(parent, child, channels)
        self.notes.kept(where(child[0]), what)
        return found

    def nearly(self, parent: Sequence[Item], child: Sequence[Item], channels: Channels) -> Channels:
        """Layers that change what flows: as little as they can, where nothing else was there."""
        saved = self.draft.save()
        self.strict = False
        try:
            if not parent:
                return make_identity(self, child, channels).bounded()
        except Lost:
            self.draft.restore(saved)
        finally:
            self.strict = True
        self.fall_back(child)
        changes = any(map(sets_channels, (*child, *parent)))
        return Channels(last=channels.last) if changes else channels.bounded()

    def folded(self, found: Channels, channels: Channels, child: Sequence[Item], before: Sequence[Item]) -> Channels:
        """Let the layer before an inserted gate make up for it, where there is one that can."""
        if not found.is_scaled or channels.is_scaled or len(child) != 1:
            return found
        for item in reversed(before):
            if not isinstance(item, Layer):
                return found
            if item.func in HOMOGENEOUS:
                continue
            if item.is_conv or item.kind.startswith(("BatchNorm", "Linear")):
                for name in ("weight", "bias"):
                    values = self.draft.mine(item, name)
                    if values is not None:
                        self.draft.put(item, name, values / GATE)
                return replace(found, scale=channels.scale, index=channels.index)
            return found
        return found

    def fall_back(self, child: Sequence[Item]) -> None:
        """Give layers that have no partner what the parent has at their places."""
        places = places_in(tuple(child))
        mine = {place: tensor.clone() for place, tensor in self.draft.child.items() if place.layer in places}
        for place, tensor in mine.items():
            copied = inherit({place: tensor}, self.draft.parent).values
            if copied:
                self.draft.child[place], self.draft.copied[place] = tensor, copied

    # --- branches ----------------------------------------------------------------------------------------------

    def wrapped(self, parent: tuple[Item, ...], child: Join, channels: Channels, want: Channels | None) -> Channels:
        """A join in the child where the parent has what one of its branches does."""
        alike = [(branch_likeness(Branch(INPUT, parent), branch), n) for n, branch in enumerate(child.branches)]
        best = min(((cost, n) for cost, n in alike if cost is not None), default=None)
        if best is None:
            names = ", ".join(map(name_of, parent))
            self.notes.lost(where(child), f"{name_of(child)} in place of {names}", "it computes something else")
            self.fall_back((child,))
            return Channels(last=channels.last)
        branches = [Branch(INPUT, parent)]
        return join(self, Join(child.kind, tuple(branches)), child, {INPUT: channels}, {INPUT: INPUT}, want)

    def unwrapped(self, parent: Join, child: tuple[Item, ...], channels: Channels, want: Channels | None) -> Channels:
        """What was one branch of several in the parent."""
        alike = [(branch_likeness(branch, Branch(INPUT, child)), n) for n, branch in enumerate(parent.branches)]
        best = min(((cost, n) for cost, n in alike if cost is not None), default=None)
        gone = "the other branches are gone"
        self.notes.lost(where(child[0]), f"{', '.join(map(name_of, child))} in place of {name_of(parent)}", gone)
        if best is None:
            self.fall_back(child)
            return Channels(last=channels.last)
        found = self.sequence(parent.branches[best[1]].items, child, channels, want)
        return Channels(last=channels.last) if parent.kind == "concat" else found


def _is_zero(items: Sequence[Item]) -> bool:
    return len(items) == 1 and isinstance(items[0], Layer) and items[0].func == "Zero"
