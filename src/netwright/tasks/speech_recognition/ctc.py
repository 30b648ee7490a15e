"""Connectionist temporal classification: the loss, two decoders, and how many frames a transcript needs.

Outputs are (B, L, U): for each of L frames a logit for each of U units, unit 0 being the blank. A row of targets is
``frames, count, units...``, padded with -1: how many input frames the recording has, and its transcript. The frames of
the output that count are those that the recording reaches: ``ceil(frames / stride)``. Knows no audio and no network.

References:
    Graves, Fernández, Gomez, Schmidhuber (2006), *Connectionist Temporal Classification*: the loss (torch's), best-path
    decoding (section 3.2). Hannun, Maas, Jurafsky, Ng (2014), *First-Pass Large Vocabulary Continuous Speech
    Recognition using Bi-Directional Recurrent DNNs*, algorithm 1: prefix beam search; ours has no language model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from netwright.tasks.speech_recognition.units import BLANK, UNKNOWN

if TYPE_CHECKING:
    from torch import Tensor

FRAMES, COUNT, UNITS = 0, 1, 2
"""Columns of a row of targets; the units begin at the last."""


def frames_needed(units: Sequence[int]) -> int:
    """Output frames that a transcript needs at least: one a unit, and a blank between two alike.

    Example:
        >>> frames_needed([3, 5, 5])
        4
    """
    return len(units) + sum(a == b for a, b in pairwise(units))


def output_frames(frames: Tensor, stride: int) -> Tensor:
    """Frames of the output that count, for those (B,) of the input."""
    return (frames + (stride - 1)).div(stride, rounding_mode="floor")


def ctc_loss(outputs: Tensor, targets: Tensor, stride: int) -> Tensor:
    """Mean over recordings of the negative log-likelihood a unit, in nats.

    A recording whose frames are too few for its transcript does not count. Units that are not known are left out.

    Args:
        outputs: logits (B, L, U).
        targets: rows of targets (B, C).
        stride: input frames a frame of the output stands for.
    """
    import torch
    import torch.nn.functional as F

    lengths = output_frames(targets[:, FRAMES], stride).clamp(max=outputs.shape[1])
    units = targets[:, UNITS:]
    valid = (torch.arange(units.shape[1], device=units.device) < targets[:, COUNT, None]) & (units < UNKNOWN)
    counts = valid.sum(1)
    losses = F.ctc_loss(
        outputs.float().log_softmax(2).transpose(0, 1),
        units[valid],
        lengths,
        counts,
        blank=BLANK,
        reduction="none",
        zero_infinity=True,
    )
    return (losses / counts.clamp(min=1)).mean()


def greedy(outputs: Tensor, frames: Tensor, stride: int) -> list[list[int]]:
    """The most probable unit of each frame, repetitions joined, blanks left out.

    Args:
        outputs: logits (B, L, U).
        frames: of the input (B,).
        stride: input frames a frame of the output stands for.
    """
    import torch

    lengths = output_frames(frames, stride).tolist()
    found = []
    for row, length in zip(outputs.argmax(2), lengths, strict=True):
        path = torch.unique_consecutive(row[: int(length)]).tolist()
        found.append([unit for unit in path if unit != BLANK])
    return found


def beam(log_probabilities: NDArray[np.floating], width: int = 8) -> list[int]:
    """Prefix beam search: the most probable transcript found, summed over its alignments.

    Args:
        log_probabilities: (L, U), of the frames that count.
        width: prefixes kept after each frame; of each frame as many units besides are looked at.

    Returns:
        Its units.
    """
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -math.inf)}  # ends in blank, ends in its last unit
    for frame in log_probabilities:
        likely = [int(u) for u in np.argsort(-frame, kind="stable")[: width + 1] if u != BLANK][:width]
        grown: dict[tuple[int, ...], tuple[float, float]] = {}
        for prefix, (blank, unit) in beams.items():
            both = _add(blank, unit)
            _grow(grown, prefix, both + float(frame[BLANK]), -math.inf)
            if prefix:
                _grow(grown, prefix, -math.inf, unit + float(frame[prefix[-1]]))
            for u in likely:
                before = blank if prefix and u == prefix[-1] else both
                _grow(grown, (*prefix, u), -math.inf, before + float(frame[u]))
        kept = sorted(grown.items(), key=lambda item: -_add(*item[1]))[:width]
        beams = dict(kept)
    best = max(beams.items(), key=lambda item: _add(*item[1]))
    return list(best[0])


def _grow(
    beams: dict[tuple[int, ...], tuple[float, float]], prefix: tuple[int, ...], blank: float, unit: float
) -> None:
    was_blank, was_unit = beams.get(prefix, (-math.inf, -math.inf))
    beams[prefix] = (_add(was_blank, blank), _add(was_unit, unit))


def _add(a: float, b: float) -> float:
    """Logarithm of the sum of two probabilities given as logarithms."""
    high, low = (a, b) if a >= b else (b, a)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))
