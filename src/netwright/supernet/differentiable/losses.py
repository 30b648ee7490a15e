"""What a network answers to a batch, its loss, and how much of it is right; what cannot be is said in our words.

Knows no methods.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from netwright.errors import UsageError, wrong
from netwright.tasks.losses import joined

Loss = Callable[[Tensor, Tensor], Tensor]
"""Of what a network says and what is right; a scalar."""

IGNORED = -100
"""Label that cross-entropy passes over."""


def answered(network: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """What a network in training mode says of a batch.

    Args:
        network: takes a batch.
        x: shape (B, ...).

    Raises:
        UsageError: it is a single example, of which a norm knows no statistics.
    """
    try:
        return network(x)
    except ValueError as error:
        if len(x) != 1:
            raise
        cure = "leave out a last batch that is not full (drop_last=True), or make batches larger"
        raise UsageError(wrong("examples of a batch", 1, f">= 2, since {error}", cure)) from error


def loss_of(out: Tensor, y: Tensor, given: Loss | None) -> Tensor:
    """The loss of a batch.

    Args:
        out: what the network says, shape (B, classes, ...) for cross-entropy.
        y: what is right; labels of shape (B, ...) for cross-entropy.
        given: a loss of one's own; None for cross-entropy.

    Raises:
        UsageError: a label is none of the classes.

    Example:
        >>> import torch
        >>> round(loss_of(torch.zeros(2, 4), torch.tensor([0, 3]), None).item(), 4)
        1.3863
    """
    if given is not None:
        return given(out, y)
    if y.dim() == out.dim() - 1 and y.numel() and not y.is_floating_point():
        low, high = (int(end) for end in y.aminmax())
        if low < 0 or high >= out.shape[1]:
            _require_labels(y, out.shape[1])
    return F.cross_entropy(out, y)


def _require_labels(y: Tensor, num_classes: int) -> None:
    odd = y[((y < 0) & (y != IGNORED)) | (y >= num_classes)]
    if odd.numel():
        cure = "number the classes from 0 on, or let the network give a number for each"
        allowed = f"in [0, {num_classes}), of which the network gives a number each"
        raise UsageError(wrong("a label", int(odd.flatten()[0]), allowed, cure))


def share_right(out: Tensor, y: Tensor) -> float:
    """Share of a batch whose largest output is its label; NaN where it is no classification.

    Args:
        out: logits (B, C), or (B, L, C) of each member of an ensemble.
        y: labels (B,).
    """
    if out.dim() not in (2, 3) or y.dim() != 1 or y.is_floating_point():
        return math.nan
    return float((joined(out.detach()).argmax(dim=1) == y).float().mean())
