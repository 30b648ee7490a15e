"""A weighted sum of tensors as one operation, which makes no copy of what has no weight.

Knows nothing of networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def combine(plain: Sequence[Tensor], weighted: Sequence[Tensor], weights: Tensor | None) -> Tensor:
    """``sum(plain) + sum(weights[i] * weighted[i])``.

    Args:
        plain: tensors of one shape; may be empty where ``weighted`` is not.
        weighted: tensors of that shape.
        weights: shape (len(weighted),); None where there are none.

    Example:
        >>> ones = torch.ones(2)
        >>> combine([ones, ones], [ones], torch.tensor([0.5])).tolist()
        [2.5, 2.5]
    """
    if not weighted or weights is None:
        if len(plain) == 1:
            return plain[0]
        weights, weighted = torch.empty(0), ()
    out: Tensor = _Combine.apply(weights, len(plain), *plain, *weighted)  # type: ignore[no-untyped-call]
    return out


class _Combine(torch.autograd.Function):
    """The sum; its backward is made of differentiable operations, so that it can be differentiated again."""

    @staticmethod
    def forward(ctx: Any, weights: Tensor, num_plain: int, *tensors: Tensor) -> Tensor:
        ctx.num_plain = num_plain
        plain, weighted = tensors[:num_plain], tensors[num_plain:]
        ctx.save_for_backward(weights, *(weighted if weights.requires_grad else ()))
        factors = weights.tolist()
        if len(plain) > 1:
            out = plain[0] + plain[1]
            rest = plain[2:]
        else:
            out = plain[0].clone() if plain else weighted[0] * factors[0]
            rest = ()
        for value in rest:
            out.add_(value)
        done = 0 if plain else 1
        for factor, value in zip(factors[done:], weighted[done:], strict=True):
            out.add_(value, alpha=factor)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        weights, *weighted = ctx.saved_tensors
        num_plain, needed = ctx.num_plain, ctx.needs_input_grad[2:]
        by_weights = (
            torch.stack([_dot(grad, value) for value in weighted]) if ctx.needs_input_grad[0] and weighted else None
        )
        own = [grad if need else None for need in needed[:num_plain]]
        factors: Sequence[Tensor | float] = weights.unbind() if torch.is_grad_enabled() else weights.tolist()
        scaled = [grad * f if need else None for need, f in zip(needed[num_plain:], factors, strict=True)]
        return (by_weights, None, *own, *scaled)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Sum of the products, in the order in which the first lies in memory."""
    if a.dim() == 4 and not a.is_contiguous():
        a, b = a.permute(0, 2, 3, 1), b.permute(0, 2, 3, 1)
    return torch.dot(a.reshape(-1), b.reshape(-1))
