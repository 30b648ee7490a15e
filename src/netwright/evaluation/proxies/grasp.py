"""GraSP: how much the flow of gradients depends on the weights.

References:
    C. Wang et al., 2020, "Picking Winning Tickets Before Training by Preserving Gradient Flow" (its importance of a
    weight, and its code); M. Abdelfattah et al., 2021, "Zero-Cost Proxies for Lightweight NAS", section 3.2: the sum
    over weights of -weight x (H g), with g the gradient of the loss and H its Hessian, both on one batch and at
    temperature 1 as in the second paper's code (that of the first divides the outputs by 200, and draws the weights of
    linear layers anew). All weights of two dimensions or more count.
"""

from __future__ import annotations

import torch
from torch import Tensor

from netwright.errors import CapabilityError
from netwright.evaluation.proxies.base import Need, Proxy
from netwright.evaluation.proxies.probe import Probe, gradients_of

LOST = ("torch::autograd::Error", "torch::autograd::NotImplemented")
"""Names of torch's nodes that stand where a formula is missing."""


def grasp(probe: Probe) -> float:
    """Minus the sum over weights of weight times what the Hessian makes of the gradient.

    Args:
        probe: with labels.

    Raises:
        CapabilityError: the network has an operation that has no second derivative in torch.
    """
    weights = list(probe.weights.values())
    try:
        first = gradients_of(probe.loss, weights, create_graph=True)
        flow = torch.stack([(grad.detach() * grad).sum() for grad in first]).sum()
        _require_whole(flow)
        second = gradients_of(flow, weights)
    except RuntimeError as error:  # torch's way to say that a formula is missing; NotImplementedError is one
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise CapabilityError(f"an operation of it cannot be derived twice: {error}") from error
    return -sum(float((weight.detach() * hg).sum()) for weight, hg in zip(weights, second, strict=True))


def _require_whole(value: Tensor) -> None:
    """Refuse a graph with an end where torch lost the way, since gradients through it would silently be zero."""
    seen, waiting = set(), [value.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name() in LOST:
            raise CapabilityError("an operation of it can be derived once only")
        waiting += [parent for parent, _ in node.next_functions]


PROXY = Proxy("grasp", grasp, frozenset({Need.LABELS, Need.WEIGHTS}), "Wang et al., 2020; Abdelfattah et al., 2021")
