"""Gradient norm: how strongly the first weights would be changed.

References:
    M. Abdelfattah et al., 2021, "Zero-Cost Proxies for Lightweight NAS", section 3.2: the sum over layers of the
    Euclidean norm of the loss's gradient by a layer's weights. Here all weights of two dimensions or more count
    (recurrent ones and embeddings too), there those of convolutions and linear layers.
"""

from __future__ import annotations

from netwright.evaluation.proxies.base import Need, Proxy
from netwright.evaluation.proxies.probe import Probe


def grad_norm(probe: Probe) -> float:
    """Sum over weights of the norms of their gradients.

    Args:
        probe: with labels.
    """
    return sum(float(gradient.norm()) for gradient in probe.gradients.values())


PROXY = Proxy("grad_norm", grad_norm, frozenset({Need.LABELS, Need.WEIGHTS}), "Abdelfattah et al., 2021")
