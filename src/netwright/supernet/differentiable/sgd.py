"""SGD with momentum for shared tensors that come and grow while they are trained, by place.

Knows no networks. (An optimiser of torch would have to be made anew whenever a tensor is another one, and imports its
compiler first, which takes longer than a short search.)
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from netwright.nn.places import Place
from netwright.nn.slices import put
from netwright.supernet.bank import Bank


@dataclass
class PlacedSgd:
    """Steps down gradients with Nesterov momentum; tensors without a gradient stay as they are.

    Args:
        bank: the shared tensors.
        momentum: in [0, 1).
        weight_decay: >= 0.
        kept: momentum by place.

    References:
        Sutskever, Martens, Dahl, Hinton (2013), On the importance of initialization and momentum in deep learning, in
        the form of `torch.optim.SGD` with ``nesterov=True``.
    """

    bank: Bank
    momentum: float
    weight_decay: float
    kept: dict[Place, Tensor] = field(default_factory=dict)

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Change the tensors, and forget their gradients.

        Args:
            rate: of learning.
        """
        for place, tensor in self.bank.items():
            if tensor.grad is None:
                continue
            gradient = tensor.grad.add(tensor, alpha=self.weight_decay)
            velocity = self.kept.get(place)
            if velocity is None:
                velocity = gradient.clone()
            else:
                velocity = _grown(velocity, tensor, place).mul_(self.momentum).add_(gradient)
            self.kept[place] = velocity
            tensor.sub_(gradient.add(velocity, alpha=self.momentum), alpha=rate)
            tensor.grad = None


def _grown(velocity: Tensor, like: Tensor, place: Place) -> Tensor:
    """What was kept of a tensor, with zeros for what it has grown by."""
    if velocity.shape == like.shape:
        return velocity
    grown = torch.zeros_like(like, requires_grad=False)
    put(grown, velocity, place)
    return grown
