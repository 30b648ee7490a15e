"""ZiCo: gradients that are large and agree from one batch to the next.

References:
    G. Li et al., 2023, "ZiCo: Zero-shot NAS via Inverse Coefficient of Variation on Gradients" (its definition of ZiCo,
    and its code): the sum over layers of log(sum over weights of mean |gradient| / standard deviation of the gradient),
    over batches. The batches are two, halves of one of at most 32 examples; the standard deviation is that of the
    population, and weights whose gradients do not vary are left out, as in the code. Every weight of two dimensions or
    more counts, there those of convolutions and linear layers.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from netwright.evaluation.proxies.base import Need, Proxy
from netwright.evaluation.proxies.probe import Probe, gradients_of

MOST_EXAMPLES = 32
"""In both batches together: more examples change the order of networks little, and cost in proportion."""


def zico(probe: Probe) -> float:
    """Sum over weights of the logarithm of what their gradients' inverse coefficients of variation add up to.

    A weight whose gradients are alike in both batches (always zero, say) counts nothing.

    Args:
        probe: with labels and at least two examples.
    """
    size = min(len(probe.inputs), MOST_EXAMPLES) // 2
    first, second = (_gradients(probe, slice(half * size, (half + 1) * size)) for half in range(2))
    told = [_steadiness(a, b) for a, b in zip(first, second, strict=True)]
    return sum(math.log(value) for value in told if value > 0)


def _gradients(probe: Probe, part: slice) -> list[Tensor]:
    assert probe.labels is not None  # a need of the proxy
    loss = F.cross_entropy(probe.forward(probe.inputs[part]), probe.labels[part])
    found = gradients_of(loss, list(probe.weights.values()))
    return [gradient.detach() for gradient in found]


def _steadiness(a: Tensor, b: Tensor) -> float:
    """Sum of mean |gradient| / standard deviation over the weights whose two gradients differ."""
    std = (a - b).abs() / 2
    mean = (a.abs() + b.abs()) / 2
    return float(torch.where(std > 0, mean / std, 0.0).sum())


PROXY = Proxy("zico", zico, frozenset({Need.LABELS, Need.WEIGHTS, Need.SEVERAL}), "Li et al., 2023")
