"""The weights of all choices in one forward pass, and what they make of events that read several choices.

Weights of a choice sum to 1. Where a path is taken (GDAS), each choice has one value that is run; its weight is 1 and
carries the gradient. Knows no networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from netwright.space.relaxed import Event, Universe
from netwright.types import Architecture

_TINY = 1e-30


@dataclass(frozen=True)
class Factors:
    """What the weight of an operation in a cell is a product of.

    Args:
        events: when its edge and its branch are there.
        site: of the node it leads to, whose edges may have weights.
        edge: number of its edge.
    """

    events: tuple[Event, ...]
    site: str
    edge: int

    def times(self, event: Event) -> Factors:
        """With one more event."""
        return self if event.certain else replace(self, events=(*self.events, event))


class Mixing:
    """Weights of choices by name.

    Args:
        weights: of the values of each choice, in the order of `Universe.values`, shape (V,).
        taken: number of the value that is run, where one path is taken; None where all are mixed.
        edges: weights of the edges of cells' nodes (PC-DARTS), by site of the node, shape (E,).
    """

    def __init__(
        self,
        weights: Mapping[str, Tensor],
        taken: Mapping[str, int] | None = None,
        edges: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.weights, self.taken, self.edges = weights, taken, dict(edges or {})
        self._parts: dict[str, tuple[Tensor, ...]] = {}
        self._known: dict[Event, Tensor] = {}
        self._stacked: dict[tuple[Factors, ...], Tensor] = {}

    @classmethod
    def of(
        cls, universe: Universe, architecture: Architecture, dtype: torch.dtype = torch.float32, *, alone: bool = False
    ) -> Mixing:
        """The weights that are an architecture: 1 for its decisions.

        Args:
            universe: the choices.
            architecture: of the space.
            dtype: of the weights.
            alone: run its path only.
        """
        numbers = {name: universe.number(name, value) for name, value in universe.completed(architecture).items()}
        weights = {}
        for name, number in numbers.items():
            weights[name] = torch.zeros(len(universe.values[name]), dtype=dtype)
            weights[name][number] = 1.0
        return cls(weights, numbers if alone else None)

    def happens(self, event: Event) -> bool:
        """Whether an event can be on the path that is taken; always where all are mixed."""
        if self.taken is None or event.certain:
            return not event.impossible
        return tuple(self.taken[name] for name in event.names) in event.cases

    def weight(self, event: Event) -> Tensor | None:
        """Weight of an event, a scalar; None for one that is certain."""
        if event.certain:
            return None
        if len(event.names) == 1 and len(event.cases) == 1 and not event.allowed:
            name = event.names[0]
            if name not in self._parts:
                self._parts[name] = self.weights[name].unbind()
            return self._parts[name][event.cases[0][0]]
        if event not in self._known:
            self._known[event] = self.case_weights(event).sum()
        return self._known[event]

    def case_weights(self, event: Event) -> Tensor:
        """Weight of each combination of values in which an event is true, shape (cases,)."""
        numbers = torch.tensor(event.cases).reshape(len(event.cases), len(event.names))
        allowed = dict(event.allowed)
        total: Tensor | None = None
        for column, name in enumerate(event.names):
            weight = self.weights[name]
            factor = weight[numbers[:, column]]
            if name in allowed:
                factor = factor / _open(allowed[name], weight).clamp_min(_TINY)
            total = factor if total is None else total * factor
        return self.zeros(len(event.cases)) + 1.0 if total is None else total

    def zeros(self, *shape: int) -> Tensor:
        """Zeros of float32 where the weights are."""
        first = next(iter(self.weights.values()), None)
        return torch.zeros(shape, device=None if first is None else first.device)

    def edge_weight(self, node: str, number: int) -> Tensor | None:
        """Weight of an edge of a cell's node; None where edges have none."""
        if node not in self.edges:
            return None
        key = f"@{node}"
        if key not in self._parts:
            self._parts[key] = self.edges[node].unbind()
        return self._parts[key][number]

    def product(self, factors: Factors) -> Tensor | None:
        """The weight of an operation in a cell; None for 1."""
        return product(*(self.weight(e) for e in factors.events), self.edge_weight(factors.site, factors.edge))

    def stacked(self, factors: tuple[Factors, ...]) -> Tensor:
        """The weights of several operations, shape (len(factors),); made once, since many cells ask for the same."""
        if factors not in self._stacked:
            weights = [self.product(f) for f in factors]
            like = next(iter(self.weights.values()))
            self._stacked[factors] = torch.stack([like.new_ones(()) if w is None else w for w in weights])
        return self._stacked[factors]


def product(*factors: Tensor | None) -> Tensor | None:
    """Product of those that are there; None if none is."""
    total: Tensor | None = None
    for factor in factors:
        if factor is not None:
            total = factor if total is None else total * factor
    return total


def _open(allowed: tuple[tuple[int, ...], ...], weight: Tensor) -> Tensor:
    """The sum of the weights of the values that are open in each case, shape (cases,)."""
    mask = torch.zeros(len(allowed), len(weight), dtype=weight.dtype, device=weight.device)
    for row, numbers in enumerate(allowed):
        mask[row, list(numbers)] = 1.0
    return mask @ weight
