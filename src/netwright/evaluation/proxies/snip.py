"""SNIP: how much the loss depends on whether single connections are there.

References:
    N. Lee et al., 2019, "SNIP: Single-shot Network Pruning based on Connection Sensitivity", equation 4 without its
    normalisation; M. Abdelfattah et al., 2021, "Zero-Cost Proxies for Lightweight NAS", equation 1, which sums it: the
    sum over weights of |weight x gradient|. Weights are as the network was built with, where the first paper draws
    them anew with a variance that is the same in all layers. All weights of two dimensions or more count.
"""

from __future__ import annotations

from netwright.evaluation.proxies.base import Need, Proxy
from netwright.evaluation.proxies.probe import Probe


def snip(probe: Probe) -> float:
    """Sum over weights of the size of weight times gradient.

    Args:
        probe: with labels.
    """
    return sum(float((probe.weights[name].detach() * grad).abs().sum()) for name, grad in probe.gradients.items())


PROXY = Proxy("snip", snip, frozenset({Need.LABELS, Need.WEIGHTS}), "Lee et al., 2019; Abdelfattah et al., 2021")
