"""Cells of a relaxed network: edges and nodes that may be absent have weights, and so have their operations.

Knows how a cell's nodes are put together; what stands on an edge is made by `compiling`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from netwright.errors import SpaceError
from netwright.space.expressions import Expr
from netwright.space.nodes import Cell, CellNode
from netwright.space.program import is_present, reads
from netwright.space.relaxed import CERTAIN, Case, Event
from netwright.supernet.differentiable.fan import FannedCell, can_fan
from netwright.supernet.differentiable.mixing import Mixing, product
from netwright.supernet.differentiable.partial import partial_mixture
from netwright.supernet.differentiable.soft import Flows, Soft, Zeros, require_alike, total, weighted, zeros

if TYPE_CHECKING:
    from netwright.supernet.differentiable.compiling import Compiler, Part, Where


class CellEdge(nn.Module):
    """An edge: where it comes from, when it is there, and its operation.

    Args:
        source: number of a node.
        number: among the edges of its node.
        present: when it, its source and its node are there.
        soft: the operation.
    """

    def __init__(self, source: int, number: int, present: Event, soft: Soft) -> None:
        super().__init__()
        self.source, self.number, self.present, self.soft = source, number, present, soft


class RelaxedNode(nn.Module):
    """A node: its edges, how they are combined, and what is applied then.

    Args:
        site: in the declaration; edges of nodes may have weights by it.
        edges: those that can be there.
        combine: as of `CellNode`.
        after: applied to what they give; None for nothing.
        shape: of what they give, without the batch.
        channel_dim: of a batch.
    """

    def __init__(
        self,
        site: str,
        edges: Sequence[CellEdge],
        combine: str,
        after: Soft | None,
        shape: tuple[int, ...],
        channel_dim: int,
    ) -> None:
        super().__init__()
        self.site, self.combine, self.shape, self.channel_dim = site, combine, shape, channel_dim
        self.edges = nn.ModuleList(edges)
        self.after = after

    def cell_edges(self) -> list[CellEdge]:
        """Its edges."""
        return [edge for edge in self.edges if isinstance(edge, CellEdge)]

    def forward(self, values: Sequence[Tensor], mix: Mixing) -> Tensor:
        incoming = [self._edge(edge, values, mix) for edge in self.edges if mix.happens(edge.present)]  # type: ignore[arg-type]
        given = [value for value in incoming if value is not None]
        out = self._combined(given, values[0], len(self.edges))
        return out if self.after is None else self.after(out, mix)

    def _edge(self, edge: CellEdge, values: Sequence[Tensor], mix: Mixing) -> Tensor | None:
        if isinstance(edge.soft, Zeros) and self.combine == "sum":
            return None
        scale = product(mix.weight(edge.present), mix.edge_weight(self.site, edge.number))
        out: Tensor = edge.soft(values[edge.source], mix, scale)
        return out

    def _combined(self, given: Sequence[Tensor], like: Tensor, count: int) -> Tensor:
        if not given:
            return zeros(like, self.shape)
        if self.combine == "concat":
            return given[0] if len(given) == 1 else torch.cat(list(given), dim=self.channel_dim)
        out = given[0]
        for value in given[1:]:
            out = out * value if self.combine == "multiply" else out + value
        return out / count if self.combine == "mean" and count > 1 else out


class RelaxedCell(Soft):
    """A cell.

    Args:
        num_inputs: values that come in; all the one input where only one is given.
        nodes: inner nodes.
        outputs: nodes of which the output is made, and when each takes part in it.
        combine: how: ``last`` is a mixture of those that may be the last.
        channel_dim: of a batch.
    """

    def __init__(
        self,
        num_inputs: int,
        nodes: Sequence[RelaxedNode],
        outputs: Sequence[tuple[int, Event]],
        combine: str,
        channel_dim: int,
    ) -> None:
        super().__init__()
        self.num_inputs, self.outputs, self.combine, self.channel_dim = num_inputs, list(outputs), combine, channel_dim
        self.nodes = nn.ModuleList(nodes)
        self._can_fan = can_fan(nodes)
        self._fanned: FannedCell | None = None

    def forward(self, x: Tensor, mix: Mixing, scale: Tensor | None = None) -> Tensor:
        return self.run([x] * self.num_inputs, mix, scale)

    def run(self, inputs: Sequence[Tensor], mix: Mixing, scale: Tensor | None = None) -> Tensor:
        """The output for inputs that may differ."""
        values = self._values(inputs, mix)
        parts = []
        for number, event in self.outputs:
            if mix.happens(event):
                weight = product(mix.weight(event), scale)
                parts.append(values[number] if weight is None else values[number] * weight)
        if len(parts) == 1:
            return parts[0]
        if self.combine in ("concat", "loose"):
            return torch.cat(parts, dim=self.channel_dim)
        out = parts[0]
        for part in parts[1:]:
            out = out + part
        return out / len(parts) if self.combine == "mean" else out

    def _values(self, inputs: Sequence[Tensor], mix: Mixing) -> list[Tensor]:
        """The values of all nodes: with what edges have in common computed once, where all are mixed."""
        if self._can_fan and mix.taken is None:
            if self._fanned is None or not self._fanned.is_current:
                self._fanned = FannedCell(self.num_inputs, [n for n in self.nodes if isinstance(n, RelaxedNode)])
            return self._fanned.values(inputs, mix)
        values = list(inputs)
        for node in self.nodes:
            values.append(node(values, mix))
        return values

    def expected(self, mix: Mixing) -> Tensor:
        costs = []
        for node in self.nodes:
            assert isinstance(node, RelaxedNode)
            costs += [weighted(edge.soft.expected(mix), mix.weight(edge.present)) for edge in node.cell_edges()]
            if node.after is not None:
                costs.append(node.after.expected(mix))
        return total(costs, mix)


def relaxed_cell(compiler: Compiler, cell: Cell, flows: tuple[Flows, ...], where: Where) -> Part:
    """Make a cell.

    Raises:
        SpaceError: the shape of a node, or whether anything reaches it, depends on which edges are there.
    """
    universe = compiler.universe
    given = list(flows) if len(flows) == cell.num_inputs else [flows[0]] * cell.num_inputs
    there: list[tuple[Expr | bool | None, ...]] = [()] * cell.num_inputs
    nodes: list[RelaxedNode] = []
    for number, node in enumerate(cell.nodes, start=cell.num_inputs):
        place = replace(where, site=f"{where.site}.n{number}", path=f"{where.path}.node{number}")
        made, flow = _node(compiler, node, given, there, place)
        nodes.append(made)
        given.append(flow)
        there.append((node.present,))
    inner = range(cell.num_inputs, len(given))
    present = {n: _event(compiler, there[n]) for n in inner}
    outputs = _outputs(compiler, cell, present, there, where)
    used = [given[n].largest for n, _ in outputs]
    require_alike(used, f"the cell at {where.path}")
    names = universe.closure(name for n, _ in outputs for name in given[n].names)
    table = {}
    for case in universe.cases(names):
        parts = [given[n].at(case) for n, _ in outputs]
        channels = sum(f.channels for f in parts) if cell.output in ("concat", "loose") else parts[0].channels
        deepest = max(f.depth for f in parts)
        table[tuple(case.values())] = replace(parts[0].with_channels(channels), depth=deepest)
    out = Flows(names, table).needed()
    return RelaxedCell(cell.num_inputs, nodes, outputs, cell.output, out.largest.channel_dim), out


def _event(compiler: Compiler, conditions: tuple[Expr | bool | None, ...]) -> Event:
    """When all of these hold."""
    names = [c.name for condition in conditions if isinstance(condition, Expr) for c in reads(condition)]
    return compiler.universe.event(names, lambda case: all(is_present(c, case) for c in conditions))


def _node(
    compiler: Compiler,
    node: CellNode,
    given: Sequence[Flows],
    there: Sequence[tuple[Expr | bool | None, ...]],
    where: Where,
) -> tuple[RelaxedNode, Flows]:
    edges: list[CellEdge] = []
    outs: list[Flows] = []
    conditions = []
    for number, edge in enumerate(node.edges):
        condition = (node.present, *there[edge.source], edge.present)
        present = _event(compiler, condition)
        if present.impossible:
            continue
        place = replace(where, site=f"{where.site}.e{number}", path=f"{where.path}.{edge.source}")
        soft, out = partial_mixture(compiler, edge.op, given[edge.source], place)
        edges.append(CellEdge(edge.source, number, present, soft))
        outs.append(out)
        conditions.append(condition)
    _require_reached(compiler, node, conditions, where)
    if node.combine != "sum" and any(not edge.present.certain for edge in edges):
        raise SpaceError(
            f"{where.path}: edges of a node that combines by {node.combine!r} may be absent, so that its shape depends "
            "on which are there; combine by 'sum', or search the space by sampling (a supernet)"
        )
    largest = [out.largest for out in outs]
    require_alike(largest, f"{where.path}, by the edge,")
    if node.combine != "concat" and any(flow.channels != largest[0].channels for flow in largest):
        shapes = " or ".join(str(flow.shape) for flow in dict.fromkeys(largest))
        raise SpaceError(f"{where.path} combines edges of shapes {shapes}; give them the same channels")
    names = compiler.universe.closure(name for out in outs for name in out.names)
    table = {}
    for case in compiler.universe.cases(names):
        parts = [out.at(case) for out in outs]
        channels = sum(f.channels for f in parts) if node.combine == "concat" else parts[0].channels
        table[tuple(case.values())] = replace(parts[0].with_channels(channels), depth=max(f.depth for f in parts))
    flow = Flows(names, table).needed()
    after: Soft | None = None
    shape, channel_dim = flow.largest.shape, flow.largest.channel_dim
    if node.op is not None:
        after, flow = compiler.node(node.op, flow, replace(where, site=f"{where.site}.op"))
    return RelaxedNode(where.site, edges, node.combine, after, shape, channel_dim), flow


def _require_reached(
    compiler: Compiler, node: CellNode, conditions: Sequence[tuple[Expr | bool | None, ...]], where: Where
) -> None:
    """Refuse nodes that may have no edge: what reads them is left out of a plain network, which no weight says."""
    names = [c.name for part in (*conditions, (node.present,)) for e in part if isinstance(e, Expr) for c in reads(e)]

    def lost(case: Case) -> bool:
        return is_present(node.present, case) and not any(all(is_present(c, case) for c in part) for part in conditions)

    if not compiler.universe.event(names, lost).impossible:
        raise SpaceError(
            f"{where.path} may have no edge at all, and is then left out with all that reads it; let one edge always "
            "be there, choose edges by a subset of at least one, or search the space by sampling (a supernet)"
        )


def _outputs(
    compiler: Compiler,
    cell: Cell,
    present: Mapping[int, Event],
    there: Sequence[tuple[Expr | bool | None, ...]],
    where: Where,
) -> list[tuple[int, Event]]:
    if cell.output == "last":
        return _last(compiler, present, there)
    if all(event.certain for event in present.values()):
        read = {edge.source for node in cell.nodes for edge in node.edges}
        kept = [n for n in present if cell.output != "loose" or n not in read]
        return [(n, CERTAIN) for n in kept]
    if cell.output == "sum":
        return list(present.items())
    raise SpaceError(
        f"the cell at {where.path} may lack nodes, so that its {cell.output!r} has another shape or divisor; let its "
        "output be 'sum' or 'last', or search the space by sampling (a supernet)"
    )


def _last(
    compiler: Compiler, present: Mapping[int, Event], there: Sequence[tuple[Expr | bool | None, ...]]
) -> list[tuple[int, Event]]:
    """When each node is the last that is there."""
    found = []
    names = [c.name for n in present for e in there[n] if isinstance(e, Expr) for c in reads(e)]
    for n in present:

        def is_last(case: Case, n: int = n) -> bool:
            return all(is_present(c, case) for c in there[n]) and not any(
                all(is_present(c, case) for c in there[later]) for later in present if later > n
            )

        event = compiler.universe.event(names, is_last)
        if not event.impossible:
            found.append((n, event))
    return found
