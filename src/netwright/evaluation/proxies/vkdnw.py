"""VKDNW: layers with weights, and how evenly what is known of their weights is spread.

References:
    O. Tybl and L. Neumann, 2025, "Training-free Neural Architecture Search through Variance of Knowledge of Deep
    Network Weights", equation 12: number of layers + entropy (equation 11) of the deciles of the eigenvalues of the
    Fisher information (equations 8 to 10) of one weight a layer. Differences: only convolutions and linear layers (in
    the authors' code every parameter, scales and shifts of norms too); the weight is the centre of a kernel (there its
    first); the Fisher information is that of 16 real examples (there 64 random inputs), estimated from `DRAWS` draws an
    example (there from a root of the covariance of a label), and BatchNorm uses the statistics of the batch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from netwright.evaluation.proxies.base import Need, Proxy
from netwright.evaluation.proxies.probe import Probe
from netwright.evaluation.proxies.sample_gradients import fisher_gradients

MOST_EXAMPLES = 16
DRAWS = 2
"""Times 16 examples they make 32 rows: the spectrum is that of so many layers, evenly spaced."""


def vkdnw(probe: Probe) -> float:
    """Number of layers + entropy of the deciles of the eigenvalues, which is at most log(9), about 2.2.

    Args:
        probe: of a network with convolutions or linear layers.

    Raises:
        CapabilityError: it has none.
    """
    rows = fisher_gradients(probe, MOST_EXAMPLES, DRAWS)
    return rows.shape[1] + spread(rows)


def spread(rows: Tensor) -> float:
    """Entropy, in nats, of the nine deciles of the eigenvalues of the mean outer product of rows.

    Args:
        rows: shape (n, layers). Of more than n layers, n are taken, evenly spaced.

    Returns:
        In [0, log 9]; NaN where all deciles are zero or one is not finite.

    Example:
        >>> spread(torch.eye(20)), math.log(9)
        (2.1972245773362196, 2.1972245773362196)
    """
    count = min(rows.shape)
    places = torch.linspace(0, rows.shape[1] - 1, count).round().long()
    chosen = rows[:, places].double()
    if not count or not bool(torch.isfinite(chosen).all()):
        return math.nan
    values = torch.linalg.svdvals(chosen) ** 2
    deciles = torch.quantile(values, torch.arange(1, 10, dtype=torch.float64) / 10)
    if not float(deciles.sum()) > 0:
        return math.nan
    shares = deciles / deciles.sum()
    return float(-torch.special.xlogy(shares, shares).sum())


PROXY = Proxy("vkdnw", vkdnw, frozenset({Need.WEIGHTS}), "Tybl and Neumann, 2025")
