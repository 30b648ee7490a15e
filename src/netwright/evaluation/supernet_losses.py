"""What a subnet learns from the answers of another: divergences between two distributions over classes.

Pure functions of tensors. Written for gradients: what they return has the value of the divergence and the gradient that
the paper gives for it, in which the weights of the classes are constants.

References:
    Hinton, Vinyals, Dean (2015), *Distilling the knowledge in a neural network*.
    Wang, Gong, Li, Liu, Chandra (2021), *AlphaNet: improved training of supernets with alpha-divergence*: the
    divergence, its gradient with clipped ratios, and the larger of two of them (with -1, 1 and a clip of 5 as there).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Divergence = Literal["kl", "alpha"]
DIVERGENCES: tuple[Divergence, ...] = ("kl", "alpha")

ALPHAS = (-1.0, 1.0)
CLIP = 5.0
_NEAR = 1e-6


def divergence(kind: Divergence, student: Tensor, teacher: Tensor) -> Tensor:
    """Mean divergence over a batch.

    Args:
        kind: ``kl``, or ``alpha`` for the larger of two alpha-divergences of each example.
        student: logits (B, C); gradients flow into them.
        teacher: probabilities (B, C), constants.

    Returns:
        A scalar. Of ``kl`` the cross entropy, whose gradient is that of the divergence.
    """
    if kind == "kl":
        return -(teacher * torch.log_softmax(student, dim=1)).sum(dim=1).mean()
    low, high = (alpha_divergence(student, teacher, alpha) for alpha in ALPHAS)
    return torch.where(low.detach() > high.detach(), low, high).mean()


def alpha_divergence(student: Tensor, teacher: Tensor, alpha: float, clip: float = CLIP) -> Tensor:
    """Alpha-divergence of each example: sum of q [(p / q)^alpha - 1] / (alpha (alpha - 1)); p teaches, q learns.

    Its limits are KL(p, q) at 1 and KL(q, p) at 0. The ratios to the power alpha are clipped in value and gradient, so
    that a class to which one of the two gives nearly nothing does not decide alone.

    Args:
        student: logits (B, C).
        teacher: probabilities (B, C).
        alpha: any real number.
        clip: most that a ratio to the power alpha counts; infinite for no clipping.

    Returns:
        (B,) values; their gradient is -sum of q (p / q)^alpha grad(log q) / alpha, and at 0 that of KL(q, p).

    Example:
        >>> p = torch.tensor([[0.5, 0.5]])
        >>> alpha_divergence(torch.log(torch.tensor([[0.25, 0.75]])), p, 2.0).item() > 0
        True
    """
    log_q = torch.log_softmax(student, dim=1)
    with torch.no_grad():
        q = log_q.exp()
        log_ratio = torch.log(teacher.clamp_min(torch.finfo(teacher.dtype).tiny)) - log_q
        powered = torch.exp((alpha * log_ratio).clamp(max=80.0)).clamp(max=clip)
        if abs(alpha) < _NEAR:
            value, weight = -(q * log_ratio).sum(dim=1), q * (log_ratio - 1)
        elif abs(alpha - 1) < _NEAR:
            value, weight = (q * powered * log_ratio).sum(dim=1), q * powered
        else:
            value = (q * (powered - 1)).sum(dim=1) / (alpha * (alpha - 1))
            weight = q * powered / alpha
    surrogate = -(weight * log_q).sum(dim=1)
    return value + (surrogate - surrogate.detach())
