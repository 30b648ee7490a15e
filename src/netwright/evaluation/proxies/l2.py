"""L2: how large the first weights are. It knows neither data nor wiring, and so is a baseline.

References:
    M. Abdelfattah et al., 2021, "Zero-Cost Proxies for Lightweight NAS" (its code, ``l2_norm``): the sum over layers
    of the Euclidean norm of a layer's weights. Here all weights of two dimensions or more count, there those of
    convolutions and linear layers.
"""

from __future__ import annotations

from netwright.evaluation.proxies.base import Need, Proxy
from netwright.evaluation.proxies.probe import Probe


def l2(probe: Probe) -> float:
    """Sum of the norms of the weights.

    Args:
        probe: of any network with weights.
    """
    return sum(float(weight.detach().norm()) for weight in probe.weights.values())


PROXY = Proxy("l2", l2, frozenset({Need.WEIGHTS}), "Abdelfattah et al., 2021")
