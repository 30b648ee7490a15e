"""From a detector's outputs to boxes, and from boxes to mean average precision by a COCO evaluator.

Scores are in pixels of the canvas: images are scaled alike in both directions, which leaves every overlap as it is.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from netwright.errors import MissingDependencyError
from netwright.tasks.detection.letterbox import CROWD

if TYPE_CHECKING:
    from torch import Tensor

LEAST_SCORE = 0.01
OVERLAP = 0.6
MOST_BEFORE, MOST_BOXES = 2000, 100
"""Boxes that suppression looks at and leaves. About ten points answer for each object: with fewer, images that are full
of objects would lose some before it."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Detections:
    """Boxes that were found in an image, the surest first.

    Args:
        boxes: (N, 4) left, top, right, bottom in pixels.
        scores: (N,) in [0, 1].
        labels: (N,) class numbers.
    """

    boxes: Floats
    scores: Floats
    labels: NDArray[np.int64]


def detections(
    outputs: NDArray[np.floating],
    least: float = LEAST_SCORE,
    overlap: float = OVERLAP,
    canvas: tuple[int, int] | None = None,
) -> Detections:
    """The boxes of an image, class by class without those that a surer one covers.

    Args:
        outputs: (P, 4 + C): boxes and logits.
        least: lowest score.
        overlap: least intersection over union at which the less sure of two boxes of a class is dropped.
        canvas: height and width in pixels, to which boxes are clipped; None to leave them.

    Returns:
        At most `MOST_BOXES`, out of the `MOST_BEFORE` surest.
    """
    scores = 1 / (1 + np.exp(-np.clip(outputs[:, 4:].astype(np.float64), -60, 60)))
    points, labels = np.nonzero(scores >= least)
    flat = scores[points, labels]
    order = np.argsort(-flat, kind="stable")[:MOST_BEFORE]
    boxes, flat, labels = outputs[points[order], :4].astype(np.float64), flat[order], labels[order]
    kept = suppress(boxes, labels, overlap)
    found = boxes[kept] if canvas is None else _clipped(boxes[kept], canvas)
    return Detections(found, flat[kept], labels[kept].astype(np.int64))


def listed(compacted: NDArray[np.floating], canvas: tuple[int, int]) -> Detections:
    """The boxes of an image as `netwright.export.runtimes.detection.compact` lists them.

    Args:
        compacted: (6 x `MOST_BOXES`,): corners, score and class of each, -1 where there are fewer.
        canvas: height and width in pixels, to which boxes are clipped.
    """
    rows = compacted.reshape(-1, 6).astype(np.float64)
    rows = rows[rows[:, 4] >= 0]
    return Detections(_clipped(rows[:, :4], canvas), rows[:, 4], rows[:, 5].astype(np.int64))


def _clipped(boxes: Floats, canvas: tuple[int, int]) -> Floats:
    return np.clip(boxes, 0, [canvas[1], canvas[0], canvas[1], canvas[0]])


def suppress(boxes: Floats, labels: NDArray[np.int64], overlap: float, most: int = MOST_BOXES) -> NDArray[np.int64]:
    """The first ``most`` rows that no earlier kept row of the same class overlaps; rows come the surest first."""
    left, top, right, bottom = (np.ascontiguousarray(column) for column in boxes.T)  # a column is faster than a row
    areas = np.maximum(right - left, 0) * np.maximum(bottom - top, 0)
    rows, kept = np.arange(len(boxes)), list[int]()
    while len(rows) and len(kept) < most:
        kept.append(int(rows[0]))
        wide = np.minimum(right[0], right) - np.maximum(left[0], left)
        high = np.minimum(bottom[0], bottom) - np.maximum(top[0], top)
        inner = np.maximum(wide, 0) * np.maximum(high, 0)
        covered = inner >= overlap * np.maximum(areas[0] + areas - inner, 1e-9)
        stay = ~(covered & (labels == labels[0]))
        stay[0] = False
        left, top, right, bottom, areas, labels, rows = (
            values[stay] for values in (left, top, right, bottom, areas, labels, rows)
        )
    return np.array(kept, dtype=np.int64)


@dataclass
class Scorer:
    """Collects outputs and boxes, and scores them all together.

    Args:
        class_names: C names.
        canvas: height and width.
    """

    class_names: Sequence[str]
    canvas: tuple[int, int]
    _truth: list[NDArray[np.float32]] = field(default_factory=list)
    _found: list[Detections] = field(default_factory=list)

    def add(self, outputs: Tensor, targets: Tensor) -> None:
        """Add the answers of a batch.

        Args:
            outputs: (B, P, 4 + C), or (B, 6 x `MOST_BOXES`) as `listed` takes them.
            targets: (B, M, 5) boxes.
        """
        for answer, boxes in zip(outputs.detach().cpu().numpy(), targets.cpu().numpy(), strict=True):
            found = listed(answer, self.canvas) if answer.ndim == 1 else detections(answer, canvas=self.canvas)
            self._found.append(found)
            self._truth.append(boxes[boxes[:, 4] != -1])

    def scores(self) -> dict[str, float]:
        """``map``: mean average precision over overlaps .5 to .95; ``map50``: at .5. 0 where there are no boxes.

        As COCO has it, what is found within a crowd of its class counts neither way.

        Raises:
            MissingDependencyError: faster-coco-eval is not installed.
        """
        require_evaluator()
        from faster_coco_eval import COCO, COCOeval_faster

        results = [
            {"image_id": n, "category_id": int(label), "bbox": _corner_and_size(box), "score": float(score)}
            for n, d in enumerate(self._found, 1)
            for box, score, label in zip(d.boxes, d.scores, d.labels + 1, strict=True)
        ]
        if not results or not any(map(len, self._truth)):
            return {"map": 0.0, "map50": 0.0}
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO(self._annotations())
            run = COCOeval_faster(truth, truth.loadRes(results), "bbox", print_function=_silent)
            run.evaluate()
            run.accumulate()
            run.summarize()
        return {"map": max(0.0, float(run.stats[0])), "map50": max(0.0, float(run.stats[1]))}

    def _annotations(self) -> dict[str, object]:
        height, width = self.canvas
        images = [{"id": n + 1, "height": height, "width": width, "file_name": ""} for n in range(len(self._truth))]
        boxes = [(n, box) for n, rows in enumerate(self._truth, 1) for box in rows]
        annotations = [
            {
                "id": number,
                "image_id": n,
                "category_id": 1 + int(box[4] if box[4] >= 0 else CROWD - box[4]),
                "bbox": _corner_and_size(box),
                "area": float((box[2] - box[0]) * (box[3] - box[1])),
                "iscrowd": int(box[4] < 0),
            }
            for number, (n, box) in enumerate(boxes, 1)
        ]
        categories = [{"id": n, "name": name} for n, name in enumerate(self.class_names, 1)]
        return {"info": {}, "images": images, "annotations": annotations, "categories": categories}


def _corner_and_size(box: NDArray[np.floating]) -> list[float]:
    left, top, right, bottom = map(float, box[:4])
    return [left, top, right - left, bottom - top]


def _silent(*_: object) -> None:
    """Take what the evaluator would print."""


def require_evaluator() -> None:
    """Say what is missing before anything is trained.

    Raises:
        MissingDependencyError: faster-coco-eval is not installed.
    """
    if find_spec("faster_coco_eval") is None:
        raise MissingDependencyError("faster-coco-eval", "detection", "scoring a detector")
