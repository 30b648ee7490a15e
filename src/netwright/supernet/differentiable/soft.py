"""The parts of a relaxed network: modules that are told the weights of the choices with each call.

A `Soft` module computes ``scale * f(x)`` for a mixture f of operations. Knows how parts are put together, not what a
leaf computes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from netwright.errors import SpaceError
from netwright.nn.site import Flow
from netwright.space.relaxed import Event
from netwright.supernet.differentiable.measured import PARTS
from netwright.supernet.differentiable.mixing import Mixing, product
from netwright.types import Value

NUM_PARTS = len(PARTS)


@dataclass(frozen=True)
class Flows:
    """What passes between two parts: its shape, where choices change its channels.

    Args:
        names: the choices that do.
        table: what flows for each combination of their values.
    """

    names: tuple[str, ...]
    table: Mapping[tuple[Value, ...], Flow]

    @classmethod
    def fixed(cls, flow: Flow) -> Flows:
        """A flow that no choice changes."""
        return cls((), {(): flow})

    def at(self, case: Mapping[str, Value]) -> Flow:
        """What flows where the choices have these values."""
        return self.table[tuple(case[name] for name in self.names)]

    @property
    def largest(self) -> Flow:
        """The flow with most channels: the shape of the tensor, the smaller ones being its first channels."""
        return max(self.table.values(), key=lambda flow: flow.channels)

    def needed(self) -> Flows:
        """The same, by those choices only that change something; one layout, and no depth, which is not mixed."""
        names = list(self.names)
        layouts = [flow.layout for flow in self.table.values() if flow.layout]
        layout = layouts[0] if layouts else next(iter(self.table.values())).layout
        table = {key: replace(flow, layout=layout, depth=0) for key, flow in self.table.items()}
        for name in self.names:
            column = names.index(name)
            fewer: dict[tuple[Value, ...], Flow] = {}
            if all(fewer.setdefault(key[:column] + key[column + 1 :], flow) == flow for key, flow in table.items()):
                del names[column]
                table = fewer
        return Flows(tuple(names), table)


class ExtentError(SpaceError):
    """What flows differs in more than its channels, so that it cannot be mixed; whole networks can.

    Args:
        message: what differs, and what to do.
        names: the choices by which it does, as far as they are known.
    """

    def __init__(self, message: str, names: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.names = tuple(names)


def require_alike(flows: Sequence[Flow], where: str, names: Sequence[str] = ()) -> None:
    """Refuse to mix what differs in more than its channels.

    Args:
        flows: what would be mixed.
        where: in the network.
        names: choices by which it may differ, as far as they are known.

    Raises:
        ExtentError: names both shapes, and these choices.
    """
    first = flows[0]
    for flow in flows[1:]:
        same = flow.rank == first.rank and flow.dtype == first.dtype
        if not same or (flow.spatial != first.spatial and flow.rank > 1):
            apart = f"{tuple(names)}" if names else "(...)"
            raise ExtentError(
                f"{where} gives {first} or {flow}, which cannot be mixed; keep the extent the same in all branches, or "
                f"name the choice in apart={apart}, so that the whole network is run once for each of its values",
                names,
            )


def changing_extent(names: Sequence[str], table: Mapping[tuple[Value, ...], Flow]) -> tuple[str, ...]:
    """The choices that change more than the channels of what flows; all, where none does so by itself.

    Args:
        names: of the choices.
        table: what flows for each combination of their values.
    """
    found = []
    for column, name in enumerate(names):
        kinds: dict[tuple[Value, ...], set[object]] = {}
        for key, flow in table.items():
            kind = flow.rank, flow.dtype, flow.spatial if flow.rank > 1 else ()
            kinds.setdefault(key[:column] + key[column + 1 :], set()).add(kind)
        if any(len(different) > 1 for different in kinds.values()):
            found.append(name)
    return tuple(found) or tuple(names)


class Soft(nn.Module):
    """A part of a relaxed network. Abstract."""

    def forward(self, x: Tensor, mix: Mixing, scale: Tensor | None = None) -> Tensor:
        """``scale * f(x)``.

        Args:
            x: shape (B, ...), with the channels of the largest flow in.
            mix: weights of the choices.
            scale: a scalar; None for 1.
        """
        raise NotImplementedError

    def expected(self, mix: Mixing) -> Tensor:
        """What is to be expected under the weights of each of `measured.PARTS`, shape (4,)."""
        raise NotImplementedError


class Nothing(Soft):
    """Passes on what it gets."""

    def forward(self, x: Tensor, mix: Mixing, scale: Tensor | None = None) -> Tensor:
        return x if scale is None else x * scale

    def expected(self, mix: Mixing) -> Tensor:
        return mix.zeros(NUM_PARTS)


class Zeros(Soft):
    """Gives zeros of the shape of what flows out."""

    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self.shape = flow.shape

    def forward(self, x: Tensor, mix: Mixing, scale: Tensor | None = None) -> Tensor:
        return zeros(x, self.shape)

    def expected(self, mix: Mixing) -> Tensor:
        return mix.zeros(NUM_PARTS)


class Chain(Soft):
    """Parts one after the other."""

    def __init__(self, parts: Sequence[Soft]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(part for part in parts if not isinstance(part, Nothing))

    def forward(self, x: Tensor, mix: Mixing, scale: Tensor | None = None) -> Tensor:
        last = len(self.parts) - 1
        if last < 0:
            return x if scale is None else x * scale
        for number, part in enumerate(self.parts):
            x = part(x, mix, scale if number == last else None)
        return x

    def expected(self, mix: Mixing) -> Tensor:
        return total((part.expected(mix) for part in _softs(self.parts)), mix)


class Mixture(Soft):
    """Branches of which a choice takes one: their sum, each with its weight; those that give zeros are left out.

    Args:
        branches: when each is taken, and what it is.
        flows: what flows out of each.
        largest: what flows out of the mixture.
    """

    def __init__(self, branches: Sequence[tuple[Event, Soft]], flows: Sequence[Flow], largest: Flow) -> None:
        super().__init__()
        kept = [(e, soft, flow) for (e, soft), flow in zip(branches, flows, strict=True) if not isinstance(soft, Zeros)]
        self.events = [event for event, _, _ in kept]
        self.branches = nn.ModuleList(soft for _, soft, _ in kept)
        self.flows, self.largest = [flow for _, _, flow in kept], largest

    def forward(self, x: Tensor, mix: Mixing, scale: Tensor | None = None) -> Tensor:
        out: Tensor | None = None
        for event, branch, flow in zip(self.events, self.branches, self.flows, strict=True):
            if mix.happens(event):
                value = padded(branch(x, mix, product(mix.weight(event), scale)), flow, self.largest)
                out = value if out is None else out + value
        return zeros(x, self.largest.shape) if out is None else out

    def expected(self, mix: Mixing) -> Tensor:
        costs = (
            weighted(branch.expected(mix), mix.weight(event))
            for event, branch in zip(self.events, _softs(self.branches), strict=True)
        )
        return total(costs, mix)


class Depths(Soft):
    """Parts one after the other, of which the first few are there; each depth has a weight.

    Args:
        parts: all of them.
        ends: for each number of parts, when it is the depth; impossible for depths that cannot be.
        reached: for each part, when it is there.
        flows: what has flown after each number of parts.
        largest: what flows out.
    """

    def __init__(
        self,
        parts: Sequence[Soft],
        ends: Sequence[Event],
        reached: Sequence[Event],
        flows: Sequence[Flow],
        largest: Flow,
    ) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.ends, self.reached, self.flows, self.largest = list(ends), list(reached), list(flows), largest

    def forward(self, x: Tensor, mix: Mixing, scale: Tensor | None = None) -> Tensor:
        out: Tensor | None = None
        for depth, end in enumerate(self.ends):
            if depth:
                if not mix.happens(self.reached[depth - 1]):
                    break
                x = self.parts[depth - 1](x, mix)
            if not end.impossible and mix.happens(end):
                weight = product(mix.weight(end), scale)
                value = padded(x if weight is None else x * weight, self.flows[depth], self.largest)
                out = value if out is None else out + value
        assert out is not None
        return out

    def expected(self, mix: Mixing) -> Tensor:
        costs = (
            weighted(part.expected(mix), mix.weight(event))
            for event, part in zip(self.reached, _softs(self.parts), strict=True)
        )
        return total(costs, mix)


class Added(Soft):
    """``after(shortcut(x) + body(x))``."""

    def __init__(self, shortcut: Soft, body: Soft, after: Soft, flows: tuple[Flow, Flow]) -> None:
        super().__init__()
        self.shortcut, self.body, self.after, self.flows = shortcut, body, after, flows

    def forward(self, x: Tensor, mix: Mixing, scale: Tensor | None = None) -> Tensor:
        inner = scale if isinstance(self.after, Nothing) else None
        shortcut, body = self.shortcut(x, mix, inner), self.body(x, mix, inner)
        largest = max(self.flows, key=lambda flow: flow.channels)
        both = padded(shortcut, self.flows[0], largest) + padded(body, self.flows[1], largest)
        out: Tensor = self.after(both, mix, None if inner is not None else scale)
        return out

    def expected(self, mix: Mixing) -> Tensor:
        return self.shortcut.expected(mix) + self.body.expected(mix) + self.after.expected(mix)


class Apart(Soft):
    """Whole networks, one for each value of choices that cannot be mixed inside; their answers are mixed.

    Args:
        networks: when each is meant, and what it is.
    """

    def __init__(self, networks: Sequence[tuple[Event, Soft]]) -> None:
        super().__init__()
        self.events = [event for event, _ in networks]
        self.networks = nn.ModuleList(network for _, network in networks)

    def forward(self, x: Tensor, mix: Mixing, scale: Tensor | None = None) -> Tensor:
        outs = [
            network(x, mix, product(mix.weight(event), scale))
            for event, network in zip(self.events, self.networks, strict=True)
            if mix.happens(event)
        ]
        if len({out.shape for out in outs}) > 1:  # of members of an ensemble there may be more or fewer while it learns
            shapes = f"{tuple(outs[0].shape)} and {next(tuple(o.shape) for o in outs if o.shape != outs[0].shape)}"
            raise SpaceError(f"networks of different output shapes, {shapes}, cannot be mixed; fix the choice in apart")
        return outs[0] if len(outs) == 1 else torch.stack(outs).sum(dim=0)

    def expected(self, mix: Mixing) -> Tensor:
        costs = (
            weighted(network.expected(mix), mix.weight(event))
            for event, network in zip(self.events, _softs(self.networks), strict=True)
        )
        return total(costs, mix)


def zeros(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Zeros for a batch like another, laid out in memory as that is."""
    out = like.new_zeros((like.shape[0], *shape))
    channels_last = like.dim() == 4 and out.dim() == 4 and not like.is_contiguous()
    return out.contiguous(memory_format=torch.channels_last) if channels_last else out


def padded(x: Tensor, flow: Flow, largest: Flow) -> Tensor:
    """Channels of zeros behind those of a smaller flow."""
    missing = largest.channels - flow.channels
    if missing <= 0:
        return x
    behind = x.dim() - 1 - flow.channel_dim
    return F.pad(x, (0, 0) * behind + (0, missing))


def weighted(costs: Tensor, weight: Tensor | None) -> Tensor:
    """Costs times the weight of what causes them."""
    return costs if weight is None else costs * weight


def total(costs: Iterable[Tensor], mix: Mixing) -> Tensor:
    """Sum of costs; zeros if there are none."""
    out = mix.zeros(NUM_PARTS)
    for cost in costs:
        out = out + cost
    return out


def _softs(parts: nn.ModuleList) -> list[Soft]:
    return [part for part in parts if isinstance(part, Soft)]
