"""Plain: how far the loss would fall, to first order, if the weights were scaled down together.

References:
    M. Abdelfattah et al., 2021, "Zero-Cost Proxies for Lightweight NAS" (its code; the paper names it only there): the
    sum over weights of weight times gradient, signs kept. Here all weights of two dimensions or more count, there
    those of convolutions and linear layers.
"""

from __future__ import annotations

from netwright.evaluation.proxies.base import Need, Proxy
from netwright.evaluation.proxies.probe import Probe


def plain(probe: Probe) -> float:
    """Sum over weights of weight times gradient.

    Args:
        probe: with labels.
    """
    return sum(float((probe.weights[name].detach() * grad).sum()) for name, grad in probe.gradients.items())


PROXY = Proxy("plain", plain, frozenset({Need.LABELS, Need.WEIGHTS}), "Abdelfattah et al., 2021")
