"""Losses and scores that several tasks share. Torch is imported when one is used, so that loading data needs none."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

Answers = Iterable[tuple["Tensor", "Tensor"]]
"""Outputs of a network and the targets that belong to them, batch by batch."""


def class_loss(outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross entropy in nats.

    Args:
        outputs: logits (B, C), or (B, L, C) for one answer a position, or of each of L members.
        targets: class numbers (B,), of members, too, or (B, L); negative ones do not count.
        label_smoothing: share of a target's weight that all classes divide.
    """
    import torch.nn.functional as F

    if outputs.ndim == 2:
        return F.cross_entropy(outputs, targets, label_smoothing=label_smoothing)
    if targets.ndim == 1:
        targets = targets[:, None].expand(outputs.shape[:2])
    logits, wanted = outputs.flatten(0, -2), targets.flatten()
    losses = F.cross_entropy(logits, wanted.clamp(min=0), label_smoothing=label_smoothing, reduction="none")
    counts = (wanted >= 0).to(losses.dtype)
    total: Tensor = (losses * counts).sum() / counts.sum().clamp(min=1)
    return total


def joined(outputs: Tensor) -> Tensor:
    """Logits (B, C) of an ensemble whose members gave (B, L, C): the log of their mean probabilities."""
    if outputs.ndim == 2:
        return outputs
    return outputs.log_softmax(2).logsumexp(1) - math.log(outputs.shape[1])


def class_scores(answers: Answers) -> dict[str, float]:
    """Score class numbers.

    Args:
        answers: logits (B, C) and class numbers (B,).

    Returns:
        ``accuracy`` in [0, 1] and ``loss``, the mean cross entropy in nats (without label smoothing).
    """
    import torch.nn.functional as F

    right, loss, count = 0, 0.0, 0
    for outputs, targets in answers:
        right += int((outputs.argmax(1) == targets).sum())
        loss += float(F.cross_entropy(outputs, targets, reduction="sum"))
        count += len(targets)
    return {"accuracy": right / count, "loss": loss / count}


def weighted_class_loss(
    outputs: Tensor, targets: Tensor, weights: Sequence[float], label_smoothing: float = 0.0
) -> Tensor:
    """Mean over the batch of each example's cross entropy in nats times the weight of its class.

    It is divided by the number of examples, not by the sum of their weights: so the parts of a batch can be averaged,
    whatever classes are in them.

    Args:
        outputs: logits (B, C).
        targets: class numbers (B,).
        weights: of the classes (C,), 1 on average over the training examples.
        label_smoothing: share of a target's weight that all classes divide.
    """
    import torch.nn.functional as F

    losses = F.cross_entropy(outputs, targets, label_smoothing=label_smoothing, reduction="none")
    total: Tensor = (losses * outputs.new_tensor(weights)[targets]).mean()
    return total


def binary_loss(outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean binary cross entropy in nats over examples and labels.

    Args:
        outputs: logits (B, C).
        targets: (B, C) of 0 and 1, any type.
        label_smoothing: share of a target that becomes 1/2.
    """
    import torch.nn.functional as F

    wanted = targets.to(outputs.dtype) * (1 - label_smoothing) + label_smoothing / 2
    return F.binary_cross_entropy_with_logits(outputs, wanted)


def balanced_scores(answers: Answers, num_classes: int) -> dict[str, float]:
    """Score class numbers, where classes may be of very different size.

    Args:
        answers: logits (B, C) and class numbers (B,).
        num_classes: C.

    Returns:
        As `class_scores`, and ``balanced_accuracy``: the mean over the classes that occur of the part of their
        examples that is answered right.
    """
    import torch
    import torch.nn.functional as F

    right, seen = torch.zeros(num_classes, dtype=torch.int64), torch.zeros(num_classes, dtype=torch.int64)
    loss, count = 0.0, 0
    for outputs, targets in answers:
        hits = targets[outputs.argmax(1) == targets]
        right += torch.bincount(hits.cpu(), minlength=num_classes)
        seen += torch.bincount(targets.cpu(), minlength=num_classes)
        loss += float(F.cross_entropy(outputs, targets, reduction="sum"))
        count += len(targets)
    recalls = right[seen > 0].double() / seen[seen > 0]
    return {
        "accuracy": int(right.sum()) / count,
        "balanced_accuracy": float(recalls.mean()),
        "loss": loss / count,
    }
