"""What a detector learns: which points answer for which box, how sure they should be, and how well boxes fit.

Notation: B images, P points of all maps, M boxes of an image (padded), C classes. Boxes are left, top, right, bottom in
pixels.

References:
    Feng et al. (2021), Task-aligned One-stage Object Detection, section 3.2 (which points answer, and how sure
    they should be). We deviate: alignment is ``score**0.5 * IoU**6``, and a small box takes the nearest point of the
    finest map where it holds none.
    Li et al. (2020), Generalized Focal Loss, equation 6 (quality focal loss).
    Rezatofighi et al. (2019), Generalized Intersection over Union, equation 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

TOPK = 10
SCORE_POWER, IOU_POWER = 0.5, 6.0
FOCUS = 2.0
BOX_WEIGHT = 2.0
_TINY = 1e-9
_MOST_PAIRS = 1 << 22
"""Pairs of a box and a point that are looked at together."""

_LEAST = torch.finfo(torch.float32).tiny
"""Alignments are sixth powers: those of a box of three pixels are far below `_TINY`, and count all the same."""


@dataclass(frozen=True)
class Assigned:
    """What points should answer.

    Args:
        scores: (B, P, C), 0 where no box is answered for.
        boxes: (B, P, 4), anything where none is.
        weights: (B, P), 0 where none is.
    """

    scores: Tensor
    boxes: Tensor
    weights: Tensor


def map_points(extents: tuple[tuple[int, int], ...], strides: tuple[int, ...]) -> Tensor:
    """Where the points of all maps lie: (P, 3), centre x, centre y and stride in pixels."""
    parts = []
    for (height, width), stride in zip(extents, strides, strict=True):
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        centres = (torch.stack([x, y], 2).reshape(-1, 2) + 0.5) * stride
        parts.append(torch.cat([centres, torch.full((height * width, 1), float(stride))], 1))
    return torch.cat(parts)


def overlaps(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Intersection over union, and the generalised one, of boxes (..., 4) that broadcast against each other."""
    inner = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    outer = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    union = (a[..., 2:] - a[..., :2]).clamp(min=0).prod(-1) + (b[..., 2:] - b[..., :2]).clamp(min=0).prod(-1) - inner
    iou = inner / union.clamp(min=_TINY)
    return iou, iou - (outer - union) / outer.clamp(min=_TINY)


@torch.no_grad()
def assign(outputs: Tensor, targets: Tensor, points: Tensor) -> Assigned:
    """Decide which points answer for which box: those that already do best, among those inside it.

    Args:
        outputs: (B, P, 4 + C): boxes and logits.
        targets: (B, M, 5): boxes and class numbers; -1 for rows that are none.
        points: as `map_points` gives them.
    """
    boxes, logits = outputs[..., :4], outputs[..., 4:]
    wanted, classes = targets[..., :4], targets[..., 4].long()
    is_box = classes >= 0
    inside = _inside(wanted, points) & is_box[..., None]
    iou, _ = overlaps(boxes[:, None], wanted[:, :, None])
    index = classes.clamp(min=0)[..., None].expand(-1, -1, boxes.shape[1])
    score = logits.sigmoid().transpose(1, 2).gather(1, index)
    aligned = score**SCORE_POWER * iou**IOU_POWER * inside
    best = aligned.topk(min(TOPK, aligned.shape[-1]), -1)
    chosen = torch.zeros_like(inside).scatter_(-1, best.indices, True) & inside
    owner = (iou * chosen).max(1).indices
    chosen &= F.one_hot(owner, wanted.shape[1]).transpose(1, 2).bool()  # a point answers for one box
    aligned, held = aligned * chosen, iou * chosen
    sure = aligned / aligned.amax(-1, keepdim=True).clamp(min=_LEAST) * held.amax(-1, keepdim=True)
    weights = sure.sum(1)
    label = classes.clamp(min=0).gather(1, owner)
    scores = F.one_hot(label, logits.shape[-1]) * weights[..., None]
    return Assigned(scores, wanted.gather(1, owner[..., None].expand(-1, -1, 4)), weights)


def _assigned(outputs: Tensor, targets: Tensor, points: Tensor) -> Assigned:
    """As `assign`, of so few images at once that a batch full of boxes does not fill the memory."""
    step = max(1, _MOST_PAIRS // (targets.shape[1] * len(points)))
    parts = [assign(*few, points) for few in zip(torch.split(outputs, step), torch.split(targets, step), strict=True)]
    return Assigned(
        torch.cat([part.scores for part in parts]),
        torch.cat([part.boxes for part in parts]),
        torch.cat([part.weights for part in parts]),
    )


def _inside(wanted: Tensor, points: Tensor) -> Tensor:
    """Whether a point lies in a box, (B, M, P); of the finest map also the one that is nearest to its middle."""
    x, y, stride = points.unbind(1)
    left, top, right, bottom = wanted[..., None].unbind(2)
    inside = (x > left) & (x < right) & (y > top) & (y < bottom)
    middle_x, middle_y, half = (left + right) / 2, (top + bottom) / 2, stride / 2
    near = ((x - middle_x).abs() <= half) & ((y - middle_y).abs() <= half) & (stride == stride.min())
    return inside | near


def detection_loss(outputs: Tensor, targets: Tensor, points: Tensor, smoothing: float = 0.0) -> Tensor:
    """Quality focal loss of the scores and twice the generalised IoU loss of the boxes, for each box answered for.

    Args:
        outputs: (B, P, 4 + C).
        targets: (B, M, 5).
        points: as `map_points` gives them.
        smoothing: share of what is wanted that is given up.
    """
    held = (targets[..., 4] >= 0).any(0)
    held[0] = True
    found = _assigned(outputs.detach(), targets[:, held], points)  # what no image has would take time and memory
    wanted = found.scores * (1 - smoothing)
    logits = outputs[..., 4:]
    entropy = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    scores = ((logits.sigmoid() - wanted).abs() ** FOCUS * entropy).sum()
    _, giou = overlaps(outputs[..., :4], found.boxes)
    boxes = ((1 - giou) * found.weights).sum()
    total: Tensor = (scores + BOX_WEIGHT * boxes) / found.weights.sum().clamp(min=1.0)
    return total
