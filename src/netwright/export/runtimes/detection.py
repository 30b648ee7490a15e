"""What an exported ``model.py`` does with a detector: read an image of any size, print the boxes found in it.

See `netwright.export.runtime` for what *copied* means.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch.nn import functional as F

from netwright.export.runtime import load, one_line, printable, read_values, say, with_channels

INPUT_SHAPE: tuple[int, ...] = (3, 128, 160)
CLASS_NAMES: tuple[str, ...] = ()
GREY: float = 114 / 255

# ---------------------------------------------------------------- copied where the network detects objects

THRESHOLD, LEAST = 0.3, 0.05  # boxes that are less sure are not printed, or given by model.onnx
LEAST_SCORED = 0.01  # boxes that are less sure do not count where the network is scored
OVERLAP = 0.6  # of two boxes of a class that overlap by more (intersection over union) the surer one is kept
MOST_BEFORE, MOST_BOXES = 2000, 100  # boxes that suppression looks at and leaves


def letterbox(images: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Scale images (N, C, H, W) to fit into the network's input, at the top left; also give the factor."""
    images = with_channels(images)
    height, width = images.shape[2:]
    factor = min(INPUT_SHAPE[1] / height, INPUT_SHAPE[2] / width)
    size = [
        max(1, min(limit, round(factor * side))) for side, limit in ((height, INPUT_SHAPE[1]), (width, INPUT_SHAPE[2]))
    ]
    if size != [height, width]:
        images = F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
    right, bottom = INPUT_SHAPE[2] - size[1], INPUT_SHAPE[1] - size[0]
    return F.pad(images, (0, right, 0, bottom), value=GREY), factor


def find(outputs: torch.Tensor, least: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Boxes (N, 4), scores (N,) and class numbers (N,) of one image's outputs (P, 4 + classes), the surest first."""
    scores = outputs[:, 4:].sigmoid()
    points, labels = (scores >= least).nonzero(as_tuple=True)
    sure = scores[points, labels]
    order = sure.argsort(descending=True, stable=True)[:MOST_BEFORE]
    boxes, sure, labels = outputs[points[order], :4], sure[order], labels[order]
    kept = suppress(boxes, labels)
    return boxes[kept], sure[kept], labels[kept]


def suppress(boxes: torch.Tensor, labels: torch.Tensor) -> list[int]:
    """The first ``MOST_BOXES`` rows that no earlier kept row of the same class overlaps; they come the surest first."""
    left, top, right, bottom = boxes.T.contiguous()  # a column is faster than a row
    areas = (right - left).clamp(min=0) * (bottom - top).clamp(min=0)
    dropped, kept = torch.zeros(len(boxes), dtype=torch.bool), list[int]()
    for row in range(len(boxes)):
        if len(kept) == MOST_BOXES:
            break
        if dropped[row]:
            continue
        kept.append(row)
        wide = torch.minimum(right[row], right) - torch.maximum(left[row], left)
        high = torch.minimum(bottom[row], bottom) - torch.maximum(top[row], top)
        inner = wide.clamp(min=0) * high.clamp(min=0)
        covered = inner >= OVERLAP * (areas[row] + areas - inner).clamp(min=1e-9)
        dropped |= covered & (labels == labels[row])
    return kept


def compact(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Make of outputs (N, P, 4 + classes) the boxes that are scored, (N, 6 x ``MOST_BOXES``): corners, score, class.

    Rows of -1 stand where fewer are found. Targets are not needed.
    """
    kept = torch.full((len(outputs), MOST_BOXES, 6), -1.0)
    for rows, answer in zip(kept, outputs, strict=True):
        boxes, scores, labels = find(answer, LEAST_SCORED)
        rows[: len(boxes)] = torch.cat([boxes, scores[:, None], labels[:, None].to(boxes.dtype)], 1)
    return kept.flatten(1)


def detect(path: str | Path, least: float = THRESHOLD) -> list[tuple[str, float, list[float]]]:
    """Class, score, and left, top, right and bottom in pixels of the file, of all boxes found; the surest first."""
    images = read_values(path)
    ready, factor = letterbox(images)
    height, width = images.shape[2:]
    with torch.inference_mode():
        boxes, scores, labels = find(load()(ready)[0], least)
    boxes = (boxes / factor).clamp(min=0).minimum(torch.tensor([width, height, width, height]))
    return [
        (CLASS_NAMES[label], score, box)
        for label, score, box in zip(labels.tolist(), scores.tolist(), boxes.tolist(), strict=True)
    ]


def finish_onnx(path: str | Path) -> None:
    """Give the network in an ONNX file, whose ``output`` stays, a second output ``detections``.

    It has a row for each box that is found and not suppressed: number of the image in the batch, class number, score,
    and left, top, right and bottom in pixels of the network's input.
    """
    import onnx
    from onnx import helper

    model = onnx.load(path)
    floats = {"overlap": [OVERLAP], "least": [LEAST]}
    numbers = {"most": [MOST_BOXES], "zero": [0], "one": [1], "two": [2], "four": [4], "end": [1 << 62]}
    numbers |= {"class_columns": [0, 1], "point_columns": [0, 2]}
    for names, kind in ((floats, onnx.TensorProto.FLOAT), (numbers, onnx.TensorProto.INT64)):
        model.graph.initializer.extend(
            helper.make_tensor(f"nms_{name}", kind, [len(values)], values) for name, values in names.items()
        )
    for operator, inputs, output, options in (
        ("Slice", "output nms_zero nms_four nms_two", "nms_boxes", {}),
        ("Slice", "output nms_four nms_end nms_two", "nms_logits", {}),
        ("Sigmoid", "nms_logits", "nms_by_point", {}),
        ("Transpose", "nms_by_point", "nms_scores", {"perm": [0, 2, 1]}),
        ("NonMaxSuppression", "nms_boxes nms_scores nms_most nms_overlap nms_least", "nms_kept", {}),
        ("GatherND", "nms_scores nms_kept", "nms_kept_scores", {}),
        ("Unsqueeze", "nms_kept_scores nms_one", "nms_score", {}),
        ("Gather", "nms_kept nms_point_columns", "nms_points", {"axis": 1}),
        ("GatherND", "nms_boxes nms_points", "nms_corners", {}),
        ("Gather", "nms_kept nms_class_columns", "nms_labels", {"axis": 1}),
        ("Cast", "nms_labels", "nms_label", {"to": onnx.TensorProto.FLOAT}),
        ("Concat", "nms_label nms_score nms_corners", "detections", {"axis": 1}),
    ):
        model.graph.node.append(helper.make_node(operator, inputs.split(), [output], **options))
    shape: list[str | int | None] = ["found", 7]
    model.graph.output.append(helper.make_tensor_value_info("detections", onnx.TensorProto.FLOAT, shape))
    onnx.checker.check_model(model)
    onnx.save(model, path)


def main(arguments: list[str]) -> int:
    """Print a line for each box found in an image file: class, score, left, top, right, bottom in its pixels."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("usage: python model.py IMAGE\n")
        return 2
    try:
        found = detect(arguments[0])
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{one_line(error)}\n")
        return 2
    rows = [(printable(name), f"{score:.4f}", *(f"{value:.1f}" for value in box)) for name, score, box in found]
    say(map("\t".join, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
