"""Losses and scores of tasks that answer with a token at each position: translation, language modelling.

What stands below the line marked *copied* is written into exported networks, see `netwright.export.runtime`.
Answers are logits (B, T, V), or what an export's check makes of them: (B, T, 2), the log likelihood of the token that
is wanted, and whether it is the likeliest. Targets (B, T) are tokens, and -1 where nothing is wanted.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from netwright.tasks.losses import Answers

MOST_NATS = 50.0
"""A token, in a perplexity: more cannot be told from infinity."""


def token_loss(outputs: Tensor, targets: Tensor, label_smoothing: float, mean_length: float) -> Tensor:
    """Cross entropy in nats, summed over positions and divided by as many as a batch has in the mean.

    So every token counts the same, however long the sentences of its batch are.

    Args:
        outputs: logits (B, t, V) of the first t <= T positions; no target stands behind them.
        targets: (B, T).
        label_smoothing: share of a target's weight that all tokens divide.
        mean_length: of targets, in tokens.
    """
    import torch.nn.functional as F

    wanted = targets[:, : outputs.shape[1]].long()
    total: Tensor = F.cross_entropy(
        outputs.flatten(0, 1), wanted.flatten(), ignore_index=-1, label_smoothing=label_smoothing, reduction="sum"
    )
    return total / (len(targets) * mean_length)


def token_scores(answers: Answers) -> dict[str, float]:
    """``loss`` (nats a token), ``perplexity`` and ``token_accuracy`` (share of tokens that are the likeliest)."""
    loss, right, count = 0.0, 0, 0
    for outputs, targets in answers:
        wanted = targets[:, : outputs.shape[1]].long()
        known = wanted >= 0
        if outputs.shape[2] != 2:
            outputs = compact(outputs, wanted)  # noqa: PLW2901
        told = outputs[known].cpu().double()  # not every device has float64
        loss -= float(told[:, 0].sum())
        right += int((told[:, 1] > 0.5).sum())
        count += len(told)
    mean = loss / max(1, count)
    return {"loss": mean, "perplexity": math.exp(min(mean, MOST_NATS)), "token_accuracy": right / max(1, count)}


# ---------------------------------------------------------------- copied where the network answers with tokens


def compact(outputs: Tensor, targets: Tensor) -> Tensor:
    """Of logits (B, t, V): log likelihood of each target (B, t), and 1 where it is the likeliest; (B, t, 2)."""
    wanted = targets.long().clamp(min=0)[:, :, None]
    likely = outputs.gather(2, wanted)[:, :, 0] - outputs.logsumexp(2)
    return torch.stack([likely, (outputs.argmax(2) == wanted[:, :, 0]).to(likely.dtype)], dim=2)
