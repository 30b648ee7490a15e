"""A weighted sum of tensors as one operation, which makes no copy of what has no weight.

Knows nothing of networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def combine(values: Sequence[Tensor], weighted: Sequence[bool], weights: Tensor | None) -> Tensor:
    """Sum of the values, some of them times a weight, added up in their order.

    Args:
        values: at least one, of one shape.
        weighted: which have a weight.
        weights: of those, shape (sum(weighted),); None where there is none.

    Example:
        >>> ones = torch.ones(2)
        >>> combine([ones, ones, ones], [False, True, False], torch.tensor([0.5])).tolist()
        [2.5, 2.5]
    """
    if len(values) == 1 and not weighted[0]:
        return values[0]
    factors = torch.empty(0) if weights is None else weights
    out: Tensor = _Combine.apply(factors, tuple(weighted), *values)  # type: ignore[no-untyped-call]
    return out


class _Combine(torch.autograd.Function):
    """The sum; its backward is made of differentiable operations, so that it can be differentiated again."""

    @staticmethod
    def forward(ctx: Any, weights: Tensor, weighted: tuple[bool, ...], *values: Tensor) -> Tensor:
        ctx.weighted = weighted
        ctx.save_for_backward(weights, *(v for v, is_weighted in zip(values, weighted, strict=True) if is_weighted))
        left = iter(weights.tolist())
        factors = [next(left) if is_weighted else 1.0 for is_weighted in weighted]
        out = values[0].clone() if factors[0] == 1.0 else values[0] * factors[0]
        for value, factor in zip(values[1:], factors[1:], strict=True):
            out.add_(value, alpha=factor)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        weights, *values = ctx.saved_tensors
        by_weights = torch.stack([_dot(grad, v) for v in values]) if ctx.needs_input_grad[0] and values else None
        left = iter(weights.unbind() if torch.is_grad_enabled() else weights.tolist())
        own: list[Tensor | None] = []
        for is_weighted, needed in zip(ctx.weighted, ctx.needs_input_grad[2:], strict=True):
            factor = next(left) if is_weighted else None
            own.append(None if not needed else grad if factor is None else grad * factor)
        return (by_weights, None, *own)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Sum of the products, in the order in which the first lies in memory."""
    if a.dim() == 4 and not a.is_contiguous():
        a, b = a.permute(0, 2, 3, 1), b.permute(0, 2, 3, 1)
    return torch.dot(a.reshape(-1), b.reshape(-1))
