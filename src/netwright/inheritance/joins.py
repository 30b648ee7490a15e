"""Branches that meet: sums, products, channels side by side, and cells, which are made of them.

All branches of a sum have to carry the same channels in the same order; so those that cannot choose go first, and the
others are asked for theirs. New branches give zeros, or have channels of their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol, cast

import numpy as np

from netwright.inheritance.channels import FREE, Channels, Lost, side_by_side
from netwright.inheritance.draft import Draft
from netwright.inheritance.inserted import make_zero
from netwright.inheritance.matching import branch_pairs, paired
from netwright.inheritance.report import Notes
from netwright.nn.items import (
    Branch,
    Chain,
    Graph,
    Item,
    Join,
    Layer,
    layers_of,
    places_in,
    sets_channels,
    width_after,
)

Values = Mapping[str, Channels]


class Walker(Protocol):
    """What goes through the lists of items in branches."""

    draft: Draft
    notes: Notes
    strict: bool

    def sequence(
        self, parent: Sequence[Item], child: Sequence[Item], channels: Channels, want: Channels | None = None
    ) -> Channels:
        """Go through two lists of items; see `netwright.inheritance.walk.Walk`."""

    def fall_back(self, child: Sequence[Item]) -> None:
        """Give layers that have no partner what the parent has at their places."""


def join(
    walk: Walker, parent: Join, child: Join, values: Values, parents: Mapping[str, str], want: Channels | None
) -> Channels:
    """Two joins.

    Args:
        walk: goes through the branches.
        parent: of the parent.
        child: of the child.
        values: what flows at each source of the child's.
        parents: the parent's name of each source of the child's, where it has one.
        want: as of `sequence`.
    """
    if parent.kind != child.kind and len(parent.branches) > 1:
        walk.notes.lost(where(child), f"{parent.kind} -> {child.kind}", "it combines otherwise")
    pairs, gone, new = branch_pairs(
        parent.branches, child.branches, lambda theirs, mine: parents.get(mine.source) == theirs.source
    )
    for _ in gone:
        walk.notes.lost(where(child), f"a branch of a {child.kind} is gone", "what it did is gone")
    if child.kind == "concat":
        return concat(walk, parent, child, values, pairs)
    found: list[Channels] = []
    for theirs, mine in sorted(pairs, key=lambda pair: any(map(sets_channels, pair[1].items))):
        target = found[0] if found else want
        found.append(walk.sequence(theirs.items, mine.items, values[mine.source], target))
    silence(walk, child, new)
    return combined(walk, parent, child, found)


def silence(walk: Walker, child: Join, new: Sequence[Branch]) -> None:
    """Make new branches of a sum zero."""
    for branch in new:
        what = f"a branch added to a {child.kind}: {', '.join(map(name_of, branch.items)) or 'a skip'}"
        saved = walk.draft.save()
        try:
            if child.kind == "product":
                raise Lost("a product with zeros is zero")
            if child.kind == "maximum":
                raise Lost("the greatest of what is there and of zeros is something else")
            make_zero(walk, branch.items)
        except Lost as lost:
            walk.draft.restore(saved)
            walk.notes.lost(where(child, branch), what, str(lost))
            walk.fall_back(branch.items)
        else:
            walk.notes.kept(where(child, branch), what)


def combined(walk: Walker, parent: Join, child: Join, found: Sequence[Channels]) -> Channels:
    """A sum, mean or product: all branches have to have the same channels in the same order."""
    if not found:
        return Channels()
    first = next((channels for channels in found if channels.index is not None), found[0])
    for other in found:
        if not _same_channels(first, other):
            walk.notes.lost(where(child), f"branches of a {child.kind}", "their channels are in different orders")
            return Channels(last=first.last)
    if child.kind == "product":
        scale = None if first.scale is None else math.prod(c.scale for c in found if c.scale is not None)
        return replace(first, scale=cast("np.ndarray | None", scale)).bounded()
    if child.kind == "maximum":
        return first.bounded(max(channels.low for channels in found), max(channels.high for channels in found))
    low, high = sum(channels.low for channels in found), sum(channels.high for channels in found)
    if child.kind == "mean":
        if first.index is None and len(parent.branches) != len(child.branches):
            walk.notes.lost(where(child), "a mean of another number", "how many channels there are is not known")
        first = first.times(len(parent.branches) / len(child.branches))
        low, high = low / len(parent.branches), high / len(parent.branches)
    return first.bounded(low, high)


def concat(walk: Walker, parent: Join, child: Join, values: Values, pairs: Sequence[tuple[Branch, Branch]]) -> Channels:
    """Channels side by side; those of new branches are new."""
    found = {
        _index(child.branches, mine): (
            _index(parent.branches, theirs),
            walk.sequence(theirs.items, mine.items, values[mine.source]),
        )
        for theirs, mine in pairs
    }
    widths = {number: flow.of for number, flow in found.values()}
    parts: list[tuple[Channels, int, bool]] = []
    for place, branch in enumerate(child.branches):
        number, flow = found.get(place, (0, values.get(branch.source, Channels())))
        width = None if flow.index is None else width_after(branch.items, len(flow.index))
        if place in found and flow.index is not None and all(n in widths for n in range(number)):
            parts.append((flow, sum(widths[n] for n in range(number)), True))
        elif place not in found and width is not None:
            parts.append((Channels.made(np.full(width, FREE), 0), 0, False))
            walk.notes.kept(where(child, branch), "a branch beside the others: its channels are new")
        else:
            return _of_unknown_width(walk, parent, child, [flow for _, flow in found.values()])
    return replace(side_by_side(parts), of=sum(widths.values()))


def _of_unknown_width(walk: Walker, parent: Join, child: Join, found: Sequence[Channels]) -> Channels:
    """Branches of which it is not known how many channels they have: all have to be there, and alike."""
    if len(found) < max(len(parent.branches), len(child.branches)) or not all(flow.is_exact for flow in found):
        walk.notes.lost(where(child), "branches side by side", "how many channels each has is not known")
    return Channels()


# --- cells -----------------------------------------------------------------------------------------------------------


def graph(
    walk: Walker, parent: Graph, child: Graph, inputs: Sequence[Channels], want: Channels | None = None
) -> Channels:
    """Two cells: nodes of the same name, or where there are more or fewer, those that have places in common."""
    theirs, mine = dict(parent.nodes), dict(child.nodes)
    parents = {name: name for name in child.inputs} | _node_pairs(parent, child)
    values: dict[str, Channels] = dict(zip(child.inputs, inputs, strict=True))
    last = child.nodes[-1][0]
    for name, node in mine.items():
        needed = want if name == last and not node.items else None
        if name not in parents:
            values[name] = new_node(node.join, node.items, values)
            continue
        source = theirs[parents[name]]
        found = join(walk, source.join, node.join, values, parents, needed)
        values[name] = walk.sequence(source.items, node.items, found, want if name == last else None)
    return values[last]


def new_node(join: Join, items: Sequence[Item], values: Values) -> Channels:
    """A node that the parent does not have: its channels are new."""
    flow = values.get(join.branches[0].source, Channels()) if join.branches else Channels()
    width = None if flow.index is None else width_after((join, *items), len(flow.index))
    return Channels() if width is None else Channels.made(np.full(width, FREE), 0)


def chain(walk: Walker, parent: Chain, child: Chain, channels: Channels) -> Channels:
    """Two chains of cells."""
    if len(parent.cells) != len(child.cells):
        walk.notes.lost(where(child), "another number of cells", "a cell is not the identity")
    before, last = channels, channels
    for theirs, mine in zip(parent.cells, child.cells, strict=False):
        first = walk.sequence(theirs[0], mine[0], before)
        second = walk.sequence(theirs[1], mine[1], last)
        if isinstance(theirs[2][0], Graph) and isinstance(mine[2][0], Graph):
            found = graph(walk, theirs[2][0], mine[2][0], (first, second))
        else:
            found = walk.sequence(theirs[2], mine[2], second)
        before, last = last, found
    return last


def _node_pairs(parent: Graph, child: Graph) -> dict[str, str]:
    """The parent's name of each node of the child."""
    theirs, mine = [name for name, _ in parent.nodes], [name for name, _ in child.nodes]
    if theirs == mine:
        return {name: name for name in mine}
    found = paired(parent.nodes[:-1], child.nodes[:-1], lambda a, b: 0.0 if _alike_nodes(a, b) else None)
    return {mine[j]: theirs[i] for i, j in found} | {mine[-1]: theirs[-1]}


def _alike_nodes(a: tuple[str, object], b: tuple[str, object]) -> bool:
    places = [places_in((node.join, *node.items)) for node in (a[1], b[1])]  # type: ignore[attr-defined]
    return bool(places[0] & places[1]) or (a[0] == b[0] and not (places[0] and places[1]))


def _index(branches: Sequence[Branch], branch: Branch) -> int:
    return next(number for number, other in enumerate(branches) if other is branch)


def _same_channels(a: Channels, b: Channels) -> bool:
    if a.index is None or b.index is None:
        return a.is_exact and b.is_exact
    return np.array_equal(a.index, b.index) and np.allclose(a.known[1], b.known[1], rtol=1e-12, atol=0)


def name_of(item: Item) -> str:
    """What an item is, in a word."""
    return item.kind if isinstance(item, (Layer, Join)) else type(item).__name__.lower()


def where(item: Item, branch: Branch | None = None) -> str:
    """The place of the first layer with weights in it, as far as there is one."""
    inside = (item,) if branch is None else branch.items
    return next((layer.place for layer in layers_of(tuple(inside)) if layer.place), name_of(item))
