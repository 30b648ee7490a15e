"""SynFlow: how much can flow from inputs to outputs through all paths of weights, without data.

References:
    H. Tanaka et al., 2020, "Pruning neural networks without any data by iteratively conserving synaptic flow",
    equations 1 and 2; M. Abdelfattah et al., 2021, "Zero-Cost Proxies for Lightweight NAS", equation 2: with every
    parameter replaced by its absolute value, an input of ones and normalisation left out, the sum over weights of
    weight times gradient of the sum of the outputs. In float64, as there; the logarithm is given, which has the same
    ranks and stays readable. Tokens have no ones: the first example of the batch is used for them. Through what is not
    piecewise linear (GELU, attention, gates) the flow is not conserved from layer to layer; the score is defined there,
    but is not what the paper derives.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from netwright.errors import CapabilityError
from netwright.evaluation.proxies.base import Need, Proxy
from netwright.evaluation.proxies.probe import Probe, gradients_of
from netwright.evaluation.proxies.recording import without_norms


def synflow(probe: Probe) -> float:
    """Logarithm of the flow through all weights.

    Args:
        probe: of any network with weights.
    """
    flow = sum(float(by_weight.sum()) for by_weight in flows(probe).values())
    return math.log(flow) if flow > 0 else -math.inf if flow == 0 else math.nan


def flows(probe: Probe) -> Mapping[str, Tensor]:
    """Flow through each weight, by the weight's name.

    Args:
        probe: of any network with weights.

    Returns:
        Tensors of the weights' shapes, float64.

    Raises:
        CapabilityError: the network cannot be run in float64.
    """
    tensors = {name: p.detach().abs().double().requires_grad_() for name, p in probe.model.named_parameters()}
    buffers = {name: b.double() if b.is_floating_point() else b for name, b in probe.model.named_buffers()}
    one = probe.inputs[:1]
    inputs = torch.ones_like(one, dtype=torch.float64) if one.is_floating_point() else one
    try:
        with without_norms(probe.model):
            total = probe.forward(inputs, {**tensors, **buffers}).sum()
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise CapabilityError(f"it cannot be run in float64, as this needs: {error}") from error
    weights = {name: tensors[name] for name in probe.weights}
    found = gradients_of(total, list(weights.values()))
    return {name: tensor.detach() * gradient for (name, tensor), gradient in zip(weights.items(), found, strict=True)}


PROXY = Proxy("synflow", synflow, frozenset({Need.WEIGHTS}), "Tanaka et al., 2020; Abdelfattah et al., 2021")
