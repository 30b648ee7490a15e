"""NASWOT: whether a network with ReLUs maps different inputs to different linear pieces.

References:
    J. Mellor et al., 2021, "Neural Architecture Search without Training" (ICML), equations 1 and 2: the logarithm of
    the determinant of the matrix that counts, for each two examples, the ReLU units that agree on whether they are
    active. Units are those of all ReLUs and ReLU6s, called as modules or as functions. Minus infinity where two
    examples have the same code. Other activations have no codes: networks without ReLU have no score.
"""

from __future__ import annotations

import torch

from netwright.evaluation.proxies.base import Need, Proxy
from netwright.evaluation.proxies.probe import Probe


def naswot(probe: Probe) -> float:
    """Logarithm of the absolute determinant of the matrix of agreements.

    Args:
        probe: of a network with ReLUs.
    """
    return float(torch.linalg.slogdet(probe.agreement).logabsdet)


PROXY = Proxy("naswot", naswot, frozenset({Need.RELU, Need.SEVERAL}), "Mellor et al., 2021")
