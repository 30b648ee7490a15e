"""Jacobian covariance: whether a network's slopes at different inputs differ.

References:
    J. Mellor et al., 2020, "Neural Architecture Search without Training" (arXiv:2006.04647, version 1), equation 3:
    with correlations between examples of the gradients of the summed outputs by the inputs, and their eigenvalues v,
    the score is -sum(log(v + k) + 1 / (v + k)), k = 1e-5. In float64. Eigenvalues are those of a symmetric matrix and
    those below zero (by rounding) are taken for zero, where the paper's code takes what a general solver gives. Where
    the gradient at an input does not vary, correlations are not defined, and the score is NaN.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from netwright.evaluation.proxies.base import Need, Proxy
from netwright.evaluation.proxies.probe import Probe

SMALL = 1e-5


def jacob_cov(probe: Probe) -> float:
    """How near the correlations of slopes are to those of independent ones.

    Args:
        probe: with inputs that are real numbers, at least two.
    """
    found = correlations(probe.input_gradients)
    if not bool(found.isfinite().all()):
        return math.nan
    shifted = torch.linalg.eigvalsh(found).clamp(min=0) + SMALL
    return -float((shifted.log() + 1 / shifted).sum())


def correlations(rows: Tensor) -> Tensor:
    """Pearson correlations of rows; NaN where a row does not vary.

    Args:
        rows: shape (n, values).

    Returns:
        Shape (n, n), float64, in [-1, 1].

    Example:
        >>> correlations(torch.tensor([[0.0, 1.0], [0.0, 2.0], [1.0, 0.0]])).round(decimals=6).tolist()
        [[1.0, 1.0, -1.0], [1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]]
    """
    wide = rows.double()
    centred = wide - wide.mean(1, keepdim=True)
    scaled = centred / centred.norm(dim=1, keepdim=True)
    found: Tensor = (scaled @ scaled.T).clamp(-1, 1)
    return found


PROXY = Proxy("jacob_cov", jacob_cov, frozenset({Need.REAL_INPUTS, Need.SEVERAL}), "Mellor et al., 2020")
