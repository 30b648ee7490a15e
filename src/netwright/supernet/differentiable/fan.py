"""What the edges of a cell that leave one node have in common is computed once.

Operations without weights (activations, pooling) run once for all edges; convolutions of one kind with their norms run
as one with more channels; the weights of the mixture go into the factors of the norms; and everything that arrives at a
node is added up at once. The result is the same sum of the same operations: no operation is approximated. Used where
all branches are mixed; a single path (GDAS) has nothing in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from netwright.nn.code import flat
from netwright.supernet.differentiable.box import FEW, averaged, is_box
from netwright.supernet.differentiable.combine import combine
from netwright.supernet.differentiable.mixing import Factors, Mixing
from netwright.supernet.differentiable.modules import steps_of
from netwright.supernet.differentiable.operation import Operation, Run
from netwright.supernet.differentiable.partial import Partial, shuffled
from netwright.supernet.differentiable.soft import Mixture, Nothing, Soft, Zeros, zeros

if TYPE_CHECKING:
    from netwright.supernet.differentiable.cells import CellEdge, RelaxedNode

_RANDOM = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


@dataclass
class Arriving:
    """What arrives at a node.

    Args:
        values: in the order in which they are added up.
        weighted: which of them have a weight.
        factors: what makes these weights.
    """

    values: list[Tensor] = field(default_factory=list)
    weighted: list[bool] = field(default_factory=list)
    factors: list[Factors] = field(default_factory=list)

    def add(self, value: Tensor, factors: Factors | None = None) -> None:
        """One more; without factors it has its weight already."""
        self.values.append(value)
        self.weighted.append(factors is not None)
        if factors is not None:
            self.factors.append(factors)

    def total(self, mix: Mixing) -> Tensor:
        """Their sum."""
        return combine(self.values, self.weighted, mix.stacked(tuple(self.factors)) if self.factors else None)


@dataclass(frozen=True)
class Strand:
    """One operation on one edge.

    Args:
        node: which it leads to.
        factors: what makes its weight.
        shared: steps without weights at its beginning, and what they are written as.
        convolution: its only layer with weights, if it is a convolution and a norm.
        norm: behind it.
        kind: what makes two of them one with more channels.
        soft: all of it, where it is anything else; run by itself.
    """

    node: int
    factors: Factors
    shared: tuple[tuple[str, nn.Module], ...] = ()
    convolution: nn.Conv2d | None = None
    norm: nn.BatchNorm2d | None = None
    kind: str = ""
    soft: Soft | None = None


class Stack:
    """Convolutions of one kind with their norms, run as one.

    Args:
        strands: at least one.
    """

    def __init__(self, strands: Sequence[Strand]) -> None:
        self.strands = list(strands)
        self.factors = tuple(s.factors for s in strands)
        self.convolutions = [s.convolution for s in strands if s.convolution is not None]
        self.norms = [s.norm for s in strands if s.norm is not None]
        self.mean = torch.cat([_statistic(norm.running_mean) for norm in self.norms])
        self.var = torch.cat([_statistic(norm.running_var) for norm in self.norms])
        self._means = self.mean.chunk(len(self.norms))
        for norm, mean, var in zip(self.norms, self._means, self.var.chunk(len(self.norms)), strict=True):
            norm.running_mean, norm.running_var = mean, var

    @property
    def is_current(self) -> bool:
        """Whether the norms still keep their statistics in the stack's: moving a network to a device parts them."""
        return self.norms[0].running_mean is self._means[0]

    @property
    def nodes(self) -> tuple[int, ...]:
        """Where each of them leads."""
        return tuple(strand.node for strand in self.strands)

    def __call__(self, x: Tensor, mix: Mixing) -> Tensor:
        """What each of them gives, weighted, side by side along the channels."""
        first, norm, count = self.convolutions[0], self.norms[0], len(self.norms)
        weight = first.weight if count == 1 else torch.cat([c.weight for c in self.convolutions])
        out = F.conv2d(x, weight, None, first.stride, first.padding, first.dilation)
        scale = mix.stacked(self.factors).repeat_interleave(norm.num_features)
        gain = torch.cat([n.weight for n in self.norms]) * scale
        shift = torch.cat([n.bias for n in self.norms]) * scale
        return F.batch_norm(out, self.mean, self.var, gain, shift, norm.training, norm.momentum or 0.0, norm.eps)


def _statistic(kept: Tensor | None) -> Tensor:
    assert kept is not None
    return kept


class Fan:
    """All edges of a cell that leave one node.

    Args:
        strands: their operations.
        partial: one channel in so many is mixed, the others pass by; 1 for all.
        halves: whether those that pass by are halved in extent.
        passing: by node: what makes the weight of the channels that pass by.
    """

    def __init__(
        self, strands: Sequence[Strand], partial: int, *, halves: bool, passing: Mapping[int, Factors]
    ) -> None:
        stacks: dict[str, list[Strand]] = {}
        self.rest: list[Strand] = []
        for strand in strands:
            if strand.convolution is None:
                self.rest.append(strand)
            else:
                stacks.setdefault(strand.kind, []).append(strand)
        self.stacks = [Stack(alike) for alike in stacks.values()]
        self.partial, self.halves, self.passing = partial, halves, passing

    @property
    def is_current(self) -> bool:
        """Whether it still belongs to the network as it is."""
        return all(stack.is_current for stack in self.stacks)

    def __call__(self, x: Tensor, mix: Mixing, mixed: Sequence[Arriving], passed: Sequence[Arriving]) -> None:
        """Run all edges, and add what arrives at each node."""
        if self.partial > 1:
            few = x.shape[1] // self.partial
            x, others = x[:, :few], x[:, few:]
            others = F.max_pool2d(others, 2) if self.halves else others
            for node, factors in self.passing.items():
                _add(passed[node], others, factors, mix)
        known: dict[str, Tensor] = {}
        sums: dict[tuple[tuple[int, ...], torch.Size], Tensor] = {}
        for stack in self.stacks:
            out = stack(self._shared(x, stack.strands[0], known), mix)
            key = stack.nodes, out.shape
            sums[key] = sums[key].add_(out) if key in sums else out  # what a norm gives is not needed by its backward
        for (nodes, _), out in sums.items():
            for node, part in zip(nodes, out.chunk(len(nodes), dim=1) if len(nodes) > 1 else (out,), strict=True):
                mixed[node].add(part)
        for strand in self.rest:
            if strand.soft is None:
                _add(mixed[strand.node], self._shared(x, strand, known), strand.factors, mix)
            else:
                mixed[strand.node].add(strand.soft(x, mix, mix.product(strand.factors)))

    def _shared(self, x: Tensor, strand: Strand, known: dict[str, Tensor]) -> Tensor:
        """The value after the steps without weights, each of which runs once.

        Of part of the channels there is no plain network whose bits are to be met.
        """
        key = ""
        for text, module in strand.shared:
            key = f"{key} {text}"
            if key not in known:
                quick = self.partial > 1 and x.shape[1] < FEW and is_box(module)
                known[key] = averaged(x) if quick else module(x)
            x = known[key]
        return x


def _add(arriving: Arriving, value: Tensor, factors: Factors, mix: Mixing) -> None:
    arriving.add(value, None if mix.product(factors) is None else factors)


class FannedCell:
    """A cell, run by what leaves its nodes.

    Args:
        num_inputs: of the cell.
        nodes: its inner nodes; all add up what comes in.
    """

    def __init__(self, num_inputs: int, nodes: Sequence[RelaxedNode]) -> None:
        self.num_inputs, self.nodes = num_inputs, list(nodes)
        self.fans: list[list[Fan]] = [[] for _ in range(num_inputs + len(self.nodes))]
        self.shuffles: list[int] = [1] * len(self.nodes)
        for source in range(len(self.fans)):
            groups: dict[tuple[int, bool], list[tuple[int, RelaxedNode, CellEdge]]] = {}
            for number, node in enumerate(self.nodes):
                for edge in node.cell_edges():
                    if edge.source == source:
                        soft = edge.soft
                        key = (soft.partial, soft.halves) if isinstance(soft, Partial) else (1, False)
                        groups.setdefault(key, []).append((number, node, edge))
                        self.shuffles[number] = max(self.shuffles[number], key[0])
            self.fans[source] = [_fan(edges, *key) for key, edges in groups.items()]

    @property
    def is_current(self) -> bool:
        """Whether it still belongs to the network as it is."""
        return all(fan.is_current for fans in self.fans for fan in fans)

    def values(self, inputs: Sequence[Tensor], mix: Mixing) -> list[Tensor]:
        """The values of all nodes, inputs first."""
        mixed = [Arriving() for _ in self.nodes]
        passed = [Arriving() for _ in self.nodes]
        values = list(inputs)
        for source in range(self.num_inputs + len(self.nodes)):
            if source >= self.num_inputs:
                number = source - self.num_inputs
                values.append(self._value(number, mixed[number], passed[number], inputs[0], mix))
            for fan in self.fans[source]:
                fan(values[source], mix, mixed, passed)
        return values

    def _value(self, number: int, mixed: Arriving, passed: Arriving, like: Tensor, mix: Mixing) -> Tensor:
        node, partial = self.nodes[number], self.shuffles[number]
        if partial > 1:
            others = passed.total(mix)
            few = others.shape[1] // (partial - 1)
            sum_ = mixed.total(mix) if mixed.values else zeros(others, (few, *others.shape[2:]))
            out = shuffled(sum_, others)
        elif not mixed.values:
            out = zeros(like, node.shape)
        else:
            out = mixed.total(mix)
        return out if node.after is None else node.after(out, mix)


def can_fan(nodes: Sequence[RelaxedNode]) -> bool:
    """Whether all nodes add up what comes in, and of part of the channels on all edges of a node or on none."""
    return all(
        node.combine == "sum" and len({isinstance(e.soft, Partial) for e in node.cell_edges()}) == 1 for node in nodes
    )


def _fan(edges: Sequence[tuple[int, RelaxedNode, CellEdge]], partial: int, halves: bool) -> Fan:
    strands: list[Strand] = []
    passing: dict[int, Factors] = {}
    for number, node, edge in edges:
        soft, factors = edge.soft, Factors((edge.present,), node.site, edge.number)
        if isinstance(soft, Partial):
            passing[number] = factors
            soft = soft.mixture
        strands += _strands(number, soft, factors)
    return Fan(strands, partial, halves=halves, passing=passing)


def _strands(node: int, soft: Soft, factors: Factors) -> list[Strand]:
    if isinstance(soft, Zeros):
        return []
    if isinstance(soft, Mixture) and all(flow.channels == soft.largest.channels for flow in soft.flows):
        branches = zip(soft.events, soft.branches, strict=True)
        return [s for event, branch in branches for s in _strands(node, branch, factors.times(event))]  # type: ignore[arg-type]
    if isinstance(soft, Nothing):
        return [Strand(node, factors)]
    if not isinstance(soft, Operation) or len(soft.runs) != 1 or not soft.events[0].certain:
        return [Strand(node, factors, soft=soft)]
    run = soft.runs[0]
    if not isinstance(run, Run) or not run.is_plain or run.flow_out.channels != soft.flow.channels:
        return [Strand(node, factors, soft=soft)]
    return [_plain_strand(node, factors, soft, run)]


def _plain_strand(node: int, factors: Factors, soft: Soft, run: Run) -> Strand:
    steps = list(zip((flat(step) for step in steps_of(run.code)), _opened(run.module), strict=True))
    count = next((i for i, (_, module) in enumerate(steps) if _is_its_own(module)), len(steps))
    shared, rest = tuple(steps[:count]), steps[count:]
    if not rest:
        return Strand(node, factors, shared)
    modules = [module for _, module in rest]
    convolution, norm = modules[0], modules[-1]
    if len(modules) == 2 and isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
        kind = " ".join(text for text, _ in steps)
        if _is_stackable(convolution, norm):
            return Strand(node, factors, shared, convolution, norm, kind)
    return Strand(node, factors, soft=soft)


def _opened(module: nn.Module) -> list[nn.Module]:
    if isinstance(module, nn.Sequential):
        return [inner for part in module for inner in _opened(part)]
    return [module]


def _is_its_own(module: nn.Module) -> bool:
    """Whether each edge has to run it by itself: it has weights, draws, or is none of torch's."""
    has_weights = next(module.parameters(), None) is not None or next(module.buffers(), None) is not None
    return has_weights or isinstance(module, _RANDOM) or not type(module).__module__.startswith("torch.")


def _is_stackable(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> bool:
    plain = convolution.groups == 1 and convolution.bias is None and convolution.padding_mode == "zeros"
    return plain and norm.affine and norm.running_mean is not None
