"""How the layers of tables take over weights: tokens of columns, and the members of an ensemble.

As in `layers`: each function writes the child's tensors, notes what cannot be kept, and says what flows out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from netwright.inheritance.channels import Channels
from netwright.inheritance.layers import Desk, Take, require_inputs, rows_for, same, seen, told
from netwright.nn.items import Layer


def column_vector(desk: Desk, parent: Layer, child: Layer, channels: Channels, want: Channels | None) -> Channels:
    """A row of a table as a vector, which has no weights: the same columns on both sides."""
    same(desk, child, "columns", (parent.arg(0), parent.arg(1)), (child.arg(0), child.arg(1)))
    return Channels()


def column_tokens(desk: Desk, parent: Layer, child: Layer, channels: Channels, want: Channels | None) -> Channels:
    """A token for each column: its features may be more; frequencies may not differ, since a ReLU is behind them."""
    theirs, mine = parent.number(2), child.number(2)
    rows = rows_for(desk, theirs, mine, want)
    same(desk, child, "columns", (parent.arg(0), parent.arg(1)), (child.arg(0), child.arg(1)))
    told(desk, child, "features", theirs, mine)
    for what in ("frequencies", "bins"):
        same(desk, child, what, parent.number(what, 0), child.number(what, 0))
    desk.draft.columns(parent, child, "waves")
    for name in ("weight", "bias", "sine", "cosine", "pieces", "table"):
        desk.draft.columns(parent, child, name, rows)
    return Channels.made(rows, theirs, last=True)


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
