"""How the layers of tables take over weights: tokens of columns, and the members of an ensemble.

As in `layers`: each function writes the child's tensors, notes what cannot be kept, and says what flows out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from netwright.inheritance.channels import FREE, Channels
from netwright.inheritance.layers import Desk, Take, require_inputs, rows_for, same, seen, told
from netwright.nn.items import Layer


def column_vector(desk: Desk, parent: Layer, child: Layer, channels: Channels, want: Channels | None) -> Channels:
    """A row of a table as a vector, which has no weights; one side may have further columns behind the other's."""
    theirs, mine = _columns(parent), _columns(child)
    if theirs == mine or not _begin_alike(desk, child, theirs, mine):
        return Channels()
    of, count = (numbers + sum(categories) for numbers, categories in (theirs, mine))
    index = np.where(np.arange(count) < of, np.arange(count), FREE)
    return Channels.made(index, of)


def column_tokens(desk: Desk, parent: Layer, child: Layer, channels: Channels, want: Channels | None) -> Channels:
    """A token for each column: its features may be more; frequencies may not differ, since a ReLU is behind them."""
    features = parent.number(2), child.number(2)
    rows = rows_for(desk, *features, want)
    theirs, mine = _columns(parent), _columns(child)
    is_longer = theirs != mine and _begin_alike(desk, child, theirs, mine)
    told(desk, child, "features", *features)
    for what in ("frequencies", "bins"):
        same(desk, child, what, parent.number(what, 0), child.number(what, 0))
    desk.draft.columns(parent, child, "waves")
    for name in ("weight", "bias", "sine", "cosine", "pieces", "table"):
        desk.draft.columns(parent, child, name, rows)
    return replace(Channels.made(rows, features[0], last=True), begins_alike=is_longer)


_Columns = tuple[int, tuple[int, ...]]


def _columns(layer: Layer) -> _Columns:
    """Numbers, and categories of each other column, that a layer looks at."""
    numbers, categories = layer.arg(0), layer.arg(1)
    assert isinstance(numbers, int)
    assert isinstance(categories, tuple)
    return numbers, tuple(n for n in categories if isinstance(n, int))


def _begin_alike(desk: Desk, child: Layer, theirs: _Columns, mine: _Columns) -> bool:
    """Whether columns differ only by further ones behind; notes what that means."""
    common = min(len(theirs[1]), len(mine[1]))
    if theirs[0] != mine[0] or theirs[1][:common] != mine[1][:common]:
        same(desk, child, "columns", theirs, mine)
        return False
    told(desk, child, "columns", theirs[0] + len(theirs[1]), mine[0] + len(mine[1]))
    return True


# --- members of an ensemble --------------------------------------------------------------------------------------


def members(desk: Desk, parent: Layer, child: Layer, channels: Channels, want: Channels | None) -> Channels:
    """What each member multiplies its inputs with."""
    channels = seen(desk, parent, child, channels, parent.number(1), child.number(1))
    same(desk, child, "members", parent.number(0), child.number(0))
    desk.draft.columns(parent, child, "weight", channels.known[0])
    return replace(channels.bounded(), last=True)


def member_linear(desk: Desk, parent: Layer, child: Layer, channels: Channels, want: Channels | None) -> Channels:
    """A linear layer of each member; those that the parent did not have keep their own."""
    channels = seen(desk, parent, child, channels, parent.number(1), child.number(1))
    rows = rows_for(desk, parent.number(2), child.number(2), want)
    same(desk, child, "members", parent.number(0), child.number(0))
    told(desk, child, "features", parent.number(2), child.number(2))
    theirs, mine = desk.draft.both(parent, child, "weight")
    values, copied, complete = mine.clone(), 0, True
    for number in range(min(len(theirs), len(mine))):
        of_member, own = theirs[number].transpose(0, 1), mine[number].transpose(0, 1)
        matrix, count, whole = desk.draft.matrix(of_member, own, rows, channels)
        values[number] = matrix.transpose(0, 1)
        copied, complete = copied + count, complete and whole
    desk.draft.put(child, "weight", values, copied)
    desk.draft.columns(parent, child, "bias", rows)
    require_inputs(desk, child, complete)
    return Channels.made(rows, parent.number(2), last=True)


COLUMNS: Mapping[str, Take] = {
    "ColumnVector": column_vector,
    "ColumnTokens": column_tokens,
    "Members": members,
    "MemberLinear": member_linear,
}
