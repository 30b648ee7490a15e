"""The gradient by the architecture weights that sees how the weights would follow: second-order DARTS.

With one step of the weights, ``w' = w - rate * grad_w train(w, a)``, it is that of ``valid(w', a)`` by ``a``. Knows
only two losses and what they are differentiated by.

References:
    Liu et al. (2019), DARTS, equations 7 and 8. The step is the plain one of equation 7, without momentum and weight
    decay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Loss = Callable[[Sequence[Tensor], Sequence[Tensor]], Tensor]
"""A loss of weights and architecture weights."""

DISTANCE = 0.01
"""How far the weights are moved for the finite difference, divided by the norm of the gradient."""

_TINY = 1e-12


def exact(train: Loss, valid: Loss, weights: Sequence[Tensor], arch: Sequence[Tensor], rate: float) -> list[Tensor]:
    """The gradient by differentiating through the step.

    Args:
        train: loss that the weights follow.
        valid: loss that the architecture weights follow.
        weights: w; they need gradients.
        arch: a; they need gradients.
        rate: of the step, >= 0.

    Returns:
        One tensor for each of ``arch``.

    Example:
        >>> w, a = torch.tensor([1.0], requires_grad=True), torch.tensor([2.0], requires_grad=True)
        >>> train = lambda ws, archs: (ws[0] - archs[0]).square().sum() / 2
        >>> valid = lambda ws, archs: ws[0].square().sum() / 2
        >>> [g.tolist() for g in exact(train, valid, [w], [a], 0.5)]
        [[0.75]]
    """
    steps = torch.autograd.grad(train(weights, arch), weights, create_graph=True, allow_unused=True)
    moved = [w if g is None else w - rate * g for w, g in zip(weights, steps, strict=True)]
    found = torch.autograd.grad(valid(moved, arch), arch, allow_unused=True)
    return [torch.zeros_like(a) if g is None else g for g, a in zip(found, arch, strict=True)]


def finite_difference(
    train: Callable[[], Tensor],
    valid: Callable[[], Tensor],
    weights: Sequence[Tensor],
    arch: Sequence[Tensor],
    rate: float,
) -> tuple[list[Tensor], Tensor]:
    """The gradient by the paper's finite difference, with weights that are changed in place and come back.

    Args:
        train: loss that the weights follow, of the tensors as they are.
        valid: loss that the architecture weights follow, of the tensors as they are.
        weights: w; they need gradients.
        arch: a; they need gradients.
        rate: of the step, >= 0.

    Returns:
        One tensor for each of ``arch``; and the validation loss after the step.
    """
    before = [w.detach().clone() for w in weights]
    steps = torch.autograd.grad(train(), weights, allow_unused=True)
    with torch.no_grad():
        for w, g in zip(weights, steps, strict=True):
            if g is not None:
                w.sub_(g, alpha=rate)
    loss = valid()
    found = torch.autograd.grad(loss, [*arch, *weights], allow_unused=True)
    direct, toward = found[: len(arch)], found[len(arch) :]
    norm = float(torch.sqrt(sum(((g * g).sum() for g in toward if g is not None), torch.zeros(()))))
    distance = DISTANCE / max(norm, _TINY)
    sides = []
    for sign in (1.0, -1.0):
        with torch.no_grad():
            for w, kept, g in zip(weights, before, toward, strict=True):
                w.copy_(kept if g is None else kept + sign * distance * g)
        sides.append(torch.autograd.grad(train(), arch, allow_unused=True))
    with torch.no_grad():
        for w, kept in zip(weights, before, strict=True):
            w.copy_(kept)
    gradients = []
    for a, own, plus, minus in zip(arch, direct, *sides, strict=True):
        total = torch.zeros_like(a) if own is None else own.clone()
        if plus is not None and minus is not None:
            total -= rate * (plus - minus) / (2 * distance)
        gradients.append(total)
    return gradients, loss.detach()
