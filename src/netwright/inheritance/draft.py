"""A child's tensors while they are being worked out, and the one way in which weights pass from a parent to it.

Every layer with a matrix of weights is a map between channels. Rows of the child that are the parent's channels get the
parent's weights, spread over the columns that carry the parent's inputs; their other columns are zero. Rows of new
channels keep their own initial values. Knows no layers; what was written can be taken back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from netwright.inheritance.channels import Channels, Fill, Index, shares
from netwright.nn.items import Layer
from netwright.nn.places import Place

if TYPE_CHECKING:
    import torch

Saved = tuple[dict[Place, "torch.Tensor"], dict[Place, int]]


@dataclass
class Draft:
    """The tensors of a child, by place.

    Args:
        child: as they were initialised; they are replaced, never changed.
        parent: the parent's.
        fill: what becomes of channels that the parent does not have.
        rng: of how weights are divided among copies.
        copied: numbers of each tensor that came from the parent, zeros that keep its function included.
    """

    child: dict[Place, torch.Tensor]
    parent: Mapping[Place, torch.Tensor]
    fill: Fill
    rng: np.random.Generator
    copied: dict[Place, int] = field(default_factory=dict)

    def save(self) -> Saved:
        """What `restore` goes back to."""
        return dict(self.child), dict(self.copied)

    def restore(self, saved: Saved) -> None:
        """Take back what was written since."""
        self.child, self.copied = dict(saved[0]), dict(saved[1])

    def mine(self, layer: Layer, name: str) -> torch.Tensor | None:
        """A tensor of the child's layer; None where it has none of the name."""
        return self.child.get(Place(layer.place, layer.kind, name))

    def theirs(self, layer: Layer, name: str) -> torch.Tensor | None:
        """A tensor of the parent's layer."""
        return self.parent.get(Place(layer.place, layer.kind, name))

    def both(self, parent: Layer, child: Layer, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        """A tensor that the layers of both have: the parent's, the child's."""
        theirs, mine = self.theirs(parent, name), self.mine(child, name)
        assert theirs is not None
        assert mine is not None
        return theirs, mine

    def put(self, layer: Layer, name: str, values: torch.Tensor, copied: int | None = None) -> None:
        """Give the child's layer a tensor.

        Args:
            layer: of the child.
            name: of the tensor.
            values: of the shape and dtype it had.
            copied: how many of the numbers came from the parent; None for all.
        """
        place = Place(layer.place, layer.kind, name)
        before = self.child[place]
        assert before.shape == values.shape, (place, before.shape, values.shape)
        self.child[place] = values.to(before.dtype).contiguous()
        self.copied[place] = values.numel() if copied is None else copied

    def fill_with(self, layer: Layer, name: str, value: float) -> None:
        """Set all numbers of a tensor of the child, if it has it."""
        before = self.mine(layer, name)
        if before is not None:
            self.put(layer, name, before.new_full(before.shape, value))

    def rows(self, parent: Layer, child: Layer, name: str, index: Index, factor: np.ndarray | None = None) -> None:
        """Copy what each channel has a number (or more) of, such as a bias.

        Args:
            parent: layer of the parent; a tensor that it does not have counts as zeros.
            child: layer of the child.
            name: of the tensor, whose first dimension is channels.
            index: (child's rows,) the parent's, or `FREE`, whose values stay.
            factor: (child's rows,) of the parent's values.
        """
        import torch

        mine, theirs = self.mine(child, name), self.theirs(parent, name)
        if mine is None:
            return
        kept = torch.from_numpy(np.flatnonzero(index >= 0))
        values = mine.clone()
        if theirs is None:
            values[kept] = 0
        else:
            values[kept] = scaled(theirs[torch.from_numpy(index[index >= 0])], factor, kept.numpy())
        self.put(child, name, values, len(kept) * (mine.numel() // max(1, len(mine))))

    def columns(
        self, parent: Layer, child: Layer, name: str, index: Index | None = None, factor: np.ndarray | None = None
    ) -> None:
        """Copy what has channels as its last dimension, such as a table of features; of the others what both have.

        Args:
            parent: layer of the parent.
            child: layer of the child; nothing is copied of a tensor that one of them does not have.
            name: of the tensor.
            index: (child's channels,) the parent's, or `FREE`, whose values stay; None for as many as both have.
            factor: (child's channels,) of the parent's values.
        """
        import torch

        mine, theirs = self.mine(child, name), self.theirs(parent, name)
        if mine is None or theirs is None or mine.dim() != theirs.dim():
            return
        common = tuple(slice(min(a, b)) for a, b in zip(mine.shape[:-1], theirs.shape[:-1], strict=True))
        index = np.arange(min(mine.shape[-1], theirs.shape[-1])) if index is None else index
        kept = np.flatnonzero(index >= 0)
        values, source = mine.clone(), theirs[common][..., torch.from_numpy(index[kept])]
        if factor is not None:
            source = source * torch.from_numpy(factor[kept]).to(mine.dtype)
        values[common][..., torch.from_numpy(kept)] = source
        self.put(child, name, values, source.numel())

    def matrix(
        self, theirs: torch.Tensor, mine: torch.Tensor, rows: Index, inputs: Channels
    ) -> tuple[torch.Tensor, int, bool]:
        """The child's weights of a map between channels.

        Args:
            theirs: (parent's outputs, parent's inputs, ...) weights.
            mine: (child's outputs, child's inputs, ...) as they are; the other dimensions as the parent's.
            rows: (child's outputs,) the parent's, or `FREE`.
            inputs: what the child's columns carry.

        Returns:
            (child's outputs, child's inputs, ...), how many numbers came from the parent, and whether every input
            of the parent is there.
        """
        import torch

        index, scale = inputs.known
        kept, columns = np.flatnonzero(rows >= 0), np.flatnonzero(index >= 0)
        complete = len(np.unique(index[columns])) == inputs.of
        factor = shares(index, self.rng.random(len(index))) / scale
        block = theirs[torch.from_numpy(rows[kept])][:, torch.from_numpy(index[columns])]
        block = scaled(block.transpose(0, 1), factor, columns).transpose(0, 1)
        wide = mine.new_zeros((len(kept), *mine.shape[1:]))
        wide[:, torch.from_numpy(columns)] = block
        values = mine.clone()
        values[torch.from_numpy(kept)] = wide
        return values, wide.numel(), complete

    def linear(self, parent: Layer, child: Layer, name: str, rows: Index, inputs: Channels) -> bool:
        """Copy a weight of a layer that is a map between all its channels, such as ``nn.Linear``'s.

        Returns:
            Whether every input of the parent is there.
        """
        theirs, mine = self.both(parent, child, name)
        values, copied, complete = self.matrix(theirs, mine, rows, inputs)
        self.put(child, name, values, copied)
        return complete


def scaled(values: torch.Tensor, factor: np.ndarray | None, chosen: np.ndarray) -> torch.Tensor:
    """Values multiplied row by row; the very same bits where all factors are one.

    Args:
        values: (rows, ...).
        factor: (n,), or None for ones.
        chosen: (rows,) which of the factors are the rows'.
    """
    import torch

    if factor is None or bool((factor[chosen] == 1).all()):
        return values
    column = torch.from_numpy(np.ascontiguousarray(factor[chosen])).to(values.dtype)
    return values * column.reshape(-1, *[1] * (values.dim() - 1))
