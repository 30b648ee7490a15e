"""Layers that read a concatenation in which channels move: two networks share weights there that mean different things.

Of a layer's inputs the first channels are shared. Behind a concatenation the first ones are those of its first branch;
where that branch is wider in another network, the channels of the next one begin later. Here it is only found where
this happens, by following channels from branch to layer in some networks. Knows no weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from netwright.errors import BuildError
from netwright.nn.emitters import emit
from netwright.nn.items import INPUT, Chain, Graph, Item, Join, Layer, items_of, sets_channels, width_after
from netwright.nn.networks import Networks
from netwright.nn.site import Flow, Tally
from netwright.types import Architecture

Runs = tuple[tuple[str, int], ...]
"""Where channels come from: branches and how many channels of each, in order; nothing where that is not known."""


def moved_layers(networks: Networks, architectures: Iterable[Architecture]) -> tuple[str, ...]:
    """Places of layers whose inputs at one number are channels of different branches in different networks.

    Args:
        networks: of a space.
        architectures: that are looked at; what cannot be built is passed over.

    Returns:
        Places, sorted.

    Example:
        >>> from netwright import nn
        >>> from netwright.space import SearchSpace, choice
        >>> side_by_side = nn.concat(nn.conv(choice("a", [2, 4])), nn.conv(choice("b", [2, 4])))
        >>> networks = Networks(SearchSpace(nn.seq(side_by_side, nn.conv(3))), input_shape=(1, 4, 4))
        >>> moved_layers(networks, networks.space.enumerate())
        ('net.1:conv',)
    """
    origins: dict[str, list[tuple[str, int]]] = {}
    moved: set[str] = set()
    for architecture in architectures:
        flow = Flow(networks.input_shape, networks.input_dtype)
        try:
            code = emit(networks.term(architecture), (flow,), "", tally=Tally()).code
        except BuildError:
            continue
        following = _Following()
        following.sequence(items_of(code), (("", flow.channels),))
        for place, runs in following.inputs.items():
            now = [(branch, number) for branch, count in runs for number in range(count)]
            before = origins.setdefault(place, now)
            common = min(len(before), len(now))
            if before[:common] != now[:common]:
                moved.add(place)
            if len(now) > len(before):
                origins[place] = now
    return tuple(sorted(moved))


def remark_on(places: tuple[str, ...]) -> str:
    """What is said of such layers; empty where there is none."""
    if not places:
        return ""
    layers = "1 layer reads" if len(places) == 1 else f"{len(places)} layers read"
    return (
        f"{layers} a concatenation whose channels move with the width of a branch, so that its weights mean "
        f"different things in different networks ({places[0]}{', ...' if len(places) > 1 else ''})"
    )


@dataclass
class _Following:
    """Follows channels through a network, and keeps what flows into each layer with weights."""

    inputs: dict[str, Runs] = field(default_factory=dict)

    def sequence(self, items: tuple[Item, ...], runs: Runs) -> Runs:
        for item in items:
            runs = self.item(item, runs)
        return runs

    def item(self, item: Item, runs: Runs) -> Runs:
        if isinstance(item, Layer):
            return self.layer(item, runs)
        if isinstance(item, Join):
            return self.join(item, {INPUT: runs}, numbered=True)
        if isinstance(item, Graph):
            return self.graph(item, (runs,))
        return self.chain(item, runs)

    def layer(self, layer: Layer, runs: Runs) -> Runs:
        if layer.place and runs:
            self.inputs[layer.place] = runs
        inner = self.sequence(layer.body, runs) if layer.body else runs
        if layer.is_own or not runs:
            count = width_after((layer,), 0) if sets_channels(layer) and not layer.is_own else 0
            return (("", count),) if count else ()
        if layer.body and layer.func != "Recurrent":
            return inner
        if layer.func in ("TakeChannels", "nn.PixelShuffle", "nn.Unflatten") or layer.kind == "Permute":
            return ()
        if not sets_channels(layer) or layer.func == "SelfAttention":
            return runs
        count = width_after((layer,), sum(n for _, n in runs))
        return (("", count),) if count else ()

    def join(self, join: Join, values: Mapping[str, Runs], *, numbered: bool) -> Runs:
        """What several branches give; those of a cell have names, of others numbers."""
        given = [(b.source, self.sequence(b.items, values.get(b.source, ()))) for b in join.branches]
        if join.kind != "concat":
            known = [runs for _, runs in given if runs]
            return max(known, key=len, default=())
        if not all(runs for _, runs in given):
            return ()
        named = [(str(number) if numbered else source, runs) for number, (source, runs) in enumerate(given)]
        return tuple((f"{name}/{branch}", count) for name, runs in named for branch, count in runs)

    def graph(self, graph: Graph, inputs: tuple[Runs, ...]) -> Runs:
        values = dict(zip(graph.inputs, inputs * len(graph.inputs), strict=False))
        out: Runs = ()
        for name, node in graph.nodes:
            out = self.sequence(node.items, self.join(node.join, values, numbered=False))
            values[name] = out
        return out

    def chain(self, chain: Chain, runs: Runs) -> Runs:
        first, second = runs, runs
        for before0, before1, cell in chain.cells:
            given = self.sequence(before0, first), self.sequence(before1, second)
            graph = cell[0] if len(cell) == 1 and isinstance(cell[0], Graph) else None
            out = self.graph(graph, given) if graph is not None else self.sequence(cell, given[0])
            first, second = second, out
        return second
