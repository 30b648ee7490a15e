"""Weights of one network of a space for another: what both have is copied, the rest stays as it was initialised.

Layers at one place are one layer in two sizes. Where the child's is larger, the parent's weights are the part of it
that a smaller layer would have; where it is smaller, it takes its part of the parent's. Knows no training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netwright.nn.places import Place
from netwright.nn.slices import put, take

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Inherited:
    """How much of a child came from its parent.

    Args:
        values: numbers that were copied.
        of: numbers that the child has.
        new: places of the child of which the parent has nothing.
    """

    values: int
    of: int
    new: tuple[Place, ...]

    @property
    def share(self) -> float:
        """Part of the child's numbers that were copied; 0 for a child without weights."""
        return self.values / self.of if self.of else 0.0


def inherit(child: Mapping[Place, torch.Tensor], parent: Mapping[Place, torch.Tensor]) -> Inherited:
    """Copy into a child's tensors what they have in common with its parent's.

    Args:
        child: its tensors by place; changed in place.
        parent: its tensors by place.

    Returns:
        How much that was.

    Example:
        >>> import torch
        >>> place = Place("net.0:linear", "Linear", "weight")
        >>> child = {place: torch.zeros(2, 3)}
        >>> inherit(child, {place: torch.ones(4, 2)}).share
        0.6666666666666666
        >>> child[place].tolist()
        [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]]
    """
    import torch

    copied, total, new = 0, 0, []
    with torch.no_grad():
        for place, mine in child.items():
            total += mine.numel()
            theirs = parent.get(place)
            if theirs is None or theirs.dim() != mine.dim() or theirs.dtype != mine.dtype:
                new.append(place)
                continue
            shape = tuple(min(a, b) for a, b in zip(mine.shape, theirs.shape, strict=True))
            part = take(theirs, shape, place)
            put(mine, part, place)
            copied += part.numel()
    return Inherited(copied, total, tuple(new))
