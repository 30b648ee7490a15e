"""Detectors: what they learn, how they are scored, what augmentation does to boxes, and their export."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import netwright as nw
from netwright import nn
from netwright.export.runtimes import detection as runtime
from netwright.supernet import Supernet
from netwright.tasks.detection import losses
from netwright.tasks.detection.augmentation import BoxAugmentation
from netwright.tasks.detection.letterbox import CROWD
from netwright.tasks.detection.losses import assign, detection_loss, map_points, overlaps
from netwright.tasks.detection.references import detection_references, narrowed_detectors
from netwright.tasks.detection.scoring import Scorer, detections, suppress
from netwright.tasks.detection.space import STRIDES, detection_space, map_extents

CANVAS = (64, 96)
POINTS = map_points(map_extents(CANVAS), STRIDES)


def targets_of(*boxes: tuple[float, float, float, float, int]) -> torch.Tensor:
    padded = torch.full((1, 4, 5), -1.0)
    for row, box in enumerate(boxes):
        padded[0, row] = torch.tensor(box)
    return padded


def outputs_at(boxes: torch.Tensor, logits: float = -4.0) -> torch.Tensor:
    return torch.cat([boxes.expand(1, len(POINTS), 4), torch.full((1, len(POINTS), 2), logits)], 2)


def test_overlaps_are_those_of_the_papers_definition() -> None:
    """Two squares of side 2 that share a quarter; two that are apart."""
    a = torch.tensor([[0.0, 0, 2, 2], [0, 0, 1, 1]])
    b = torch.tensor([[1.0, 1, 3, 3], [2, 0, 3, 1]])
    iou, giou = overlaps(a, b)
    assert iou.tolist() == pytest.approx([1 / 7, 0.0])
    assert giou.tolist() == pytest.approx([1 / 7 - 2 / 9, -1 / 3])


def test_points_inside_a_box_answer_for_it_and_the_best_is_the_surest() -> None:
    """Those with the best boxes are chosen, each for one box, and none for padding."""
    wanted = targets_of((8, 8, 40, 40, 1), (60, 20, 90, 60, 0))
    boxes = torch.cat([POINTS[:, :2] - 16, POINTS[:, :2] + 16], 1)
    found = assign(outputs_at(boxes), wanted, POINTS)
    answering = found.weights[0] > 0
    middle = POINTS[answering, :2]
    assert ((middle > 8) & (middle < torch.tensor([90.0, 60.0]))).all()
    first = (found.boxes[0] == wanted[0, 0, :4]).all(1) & answering
    best = int(found.weights[0].masked_fill(~first, 0).argmax())
    assert (POINTS[best, :2] - 24).abs().max() <= 4
    iou, _ = overlaps(boxes, wanted[0, 0, :4].expand_as(boxes))
    assert float(found.weights[0].masked_fill(~first, 0).max()) == pytest.approx(float(iou[first].max()))
    assert found.scores[0, first, 0].sum() == 0


def test_a_box_that_holds_no_point_is_not_lost() -> None:
    """The nearest point of the finest map answers."""
    found = assign(outputs_at(torch.tensor([[12.0, 12, 18, 18]])), targets_of((14, 14, 17, 17, 0)), POINTS)
    assert int((found.weights > 0).sum()) >= 1


def test_a_small_box_is_learned_as_surely_as_it_overlaps() -> None:
    """The surest point of a box of three pixels should be as sure as its overlap, however small its sixth power is."""
    boxes = torch.cat([POINTS[:, :2] - 16, POINTS[:, :2] + 16], 1)
    found = assign(outputs_at(boxes), targets_of((14, 14, 17, 17, 0)), POINTS)
    assert float(found.weights.max()) == pytest.approx(9 / 1024, rel=1e-4)


def test_rows_that_no_image_of_a_batch_has_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An image with thousands of boxes elsewhere costs a batch without them neither time nor its loss."""
    generator = torch.Generator().manual_seed(0)
    boxes = torch.cat([POINTS[:, :2] - 20, POINTS[:, :2] + 20], 1) + torch.rand(len(POINTS), 4, generator=generator)
    outputs = torch.cat([boxes, torch.randn(len(POINTS), 2, generator=generator)], 1).expand(3, -1, -1).clone()
    few = torch.full((3, 4, 5), -1.0)
    few[0, 0], few[0, 2] = torch.tensor([8.0, 8, 40, 40, 1]), torch.tensor([60.0, 20, 90, 60, 0])
    few[1, 3] = torch.tensor([14.0, 14, 17, 17, 0])
    many = torch.full((3, 900, 5), -1.0)
    many[:, [0, 5, 600, 899]] = few
    wide, seen = losses.assign(outputs, many, POINTS), []
    monkeypatch.setattr(losses, "assign", lambda *arguments: seen.append(arguments[1]) or assign(*arguments))
    gradients = []
    for targets in (few, many):
        leaf = outputs.clone().requires_grad_()
        loss = detection_loss(leaf, targets, POINTS)
        loss.backward()
        gradients.append((loss.detach(), leaf.grad))
    assert [tuple(targets.shape) for targets in seen] == [(3, 3, 5), (3, 3, 5)]
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))
    found = assign(outputs, seen[1], POINTS)
    assert torch.equal(found.scores, wide.scores)
    assert torch.equal(found.weights, wide.weights)
    assert torch.equal(found.boxes * found.weights[..., None], wide.boxes * wide.weights[..., None])


def test_training_a_free_output_finds_the_boxes() -> None:
    """The loss has a gradient towards the boxes and falls to near nothing; no boxes at all are legal."""
    wanted = targets_of((8, 8, 40, 40, 1), (60, 20, 90, 60, 0))
    maps = nn.decode_boxes(*zip(*map_extents(CANVAS), strict=True), STRIDES, side=3.0)
    decode = nn.build(nw.SearchSpace(maps).resolve(nw.SearchSpace(maps).architecture({})), input_shape=(len(POINTS), 6))
    raw = torch.zeros(1, len(POINTS), 6, requires_grad=True)
    optimizer = torch.optim.Adam([raw], lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        loss = detection_loss(decode(raw), wanted, POINTS)
        loss.backward()
        optimizer.step()
    found = detections(decode(raw)[0].detach().numpy(), least=0.5)
    assert sorted(found.labels.tolist()) == [0, 1]
    for box, label in zip(found.boxes, found.labels, strict=True):
        target = wanted[0, int(label == 0), :4]
        assert float(overlaps(torch.tensor(box).float(), target)[0]) > 0.9
    empty = detection_loss(decode(raw), targets_of(), POINTS)
    empty.backward()
    assert torch.isfinite(empty)
    assert torch.isfinite(raw.grad).all()


def test_boxes_go_with_their_pixels() -> None:
    """A bright square is found where its box is, whatever was done to both; the same generator does the same."""
    pixels = torch.full((16, 3, *CANVAS), 20, dtype=torch.uint8)
    pixels[:, :, 20:44, 30:70] = 250
    boxes = torch.tensor([30.0, 20, 70, 44, 1]).expand(16, 1, 5)
    how = BoxAugmentation(scale=1.4, shift=0.2, mirror=True, flip=True, light=0.0, gain=0.0)
    shown, moved = how.apply(pixels, boxes, np.random.default_rng(0))
    for image, box in zip(shown, moved[:, 0], strict=True):
        rows, columns = torch.nonzero(image[0] > 135, as_tuple=True)
        seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert [int(v) for v in seen] == pytest.approx(box[:4].tolist(), abs=1.01)
    again, _ = how.apply(pixels, boxes, np.random.default_rng(0))
    assert torch.equal(shown, again)
    _, gone = BoxAugmentation(scale=1.0, shift=0.5, mirror=False).apply(pixels, boxes - 25, np.random.default_rng(1))
    assert (gone[gone[..., 4] < 0] == -1).all()


def test_channels_become_lighter_or_darker_each_by_itself() -> None:
    """By up to the share that is told; of an image of one colour, whatever is in sight has another one."""
    pixels, boxes = torch.full((8, 3, *CANVAS), 114, dtype=torch.uint8), torch.full((8, 1, 5), -1.0)
    shown, _ = BoxAugmentation(light=0.0, gain=0.2).apply(pixels, boxes, np.random.default_rng(0))
    factors = shown[:, :, 30, 40] / 114
    assert bool(((factors >= 0.8) & (factors <= 1.2)).all())
    assert float(factors.std(dim=1).min()) > 0.005
    assert torch.allclose(shown, (114 * factors)[:, :, None, None].expand_as(shown), atol=1e-3)


def test_images_full_of_objects_lose_none_before_suppression() -> None:
    """Ten points answer for each of 60 boxes, those of the last ones less surely; all are found, by model.py too."""
    grid = np.stack(np.meshgrid(np.arange(10) * 20.0, np.arange(6) * 20.0), 2).reshape(-1, 2)
    corners = np.repeat(np.concatenate([grid, grid + 15], 1), 10, axis=0) + np.tile(np.arange(10), 60)[:, None] / 10
    logits = 3 - np.repeat(np.arange(60), 10)[:, None] / 60
    outputs = np.concatenate([corners, logits], 1)
    ours = detections(outputs)
    theirs, _, _ = runtime.find(torch.from_numpy(outputs).float(), 0.3)
    assert len(ours.boxes) == len(theirs) == 60


def test_a_batch_full_of_boxes_is_assigned_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that memory does not grow with images x boxes x points; loss and gradients stay the same bits."""
    generator = torch.Generator().manual_seed(0)
    boxes = torch.cat([POINTS[:, :2] - 20, POINTS[:, :2] + 20], 1) + torch.rand(len(POINTS), 4, generator=generator)
    outputs = torch.cat([boxes, torch.randn(len(POINTS), 2, generator=generator)], 1).expand(5, -1, -1).clone()
    corners = torch.rand(5, 40, 2, generator=generator) * 40
    targets = torch.cat([corners, corners + 20, torch.ones(5, 40, 1)], 2)
    seen, found = [], []
    monkeypatch.setattr(losses, "assign", lambda *given: seen.append(len(given[0])) or assign(*given))
    for pairs in (1 << 22, 2 * 40 * len(POINTS)):
        monkeypatch.setattr(losses, "_MOST_PAIRS", pairs)
        leaf = outputs.clone().requires_grad_()
        loss = detection_loss(leaf, targets, POINTS)
        loss.backward()
        found.append((loss.detach(), leaf.grad))
    assert seen == [5, 2, 2, 1]
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def _suppressed(boxes: np.ndarray, labels: np.ndarray, overlap: float) -> list[int]:
    """What is kept, by its definition."""
    kept: list[int] = []
    for row in range(len(boxes)):
        iou, _ = overlaps(torch.from_numpy(boxes[row]), torch.from_numpy(boxes[kept]))
        if not any(float(value) >= overlap and labels[row] == labels[k] for value, k in zip(iou, kept, strict=True)):
            kept.append(row)
    return kept


def test_suppression_keeps_the_first_that_no_kept_one_covers() -> None:
    """As many as are wanted, of every class, with no boxes too."""
    rng = np.random.default_rng(3)
    for count in (0, 1, 300):
        corner = rng.uniform(0, 60, (count, 2))
        boxes, labels = np.concatenate([corner, corner + rng.uniform(0, 30, (count, 2))], 1), rng.integers(0, 2, count)
        wanted = _suppressed(boxes, labels, 0.4)
        assert suppress(boxes, labels, 0.4, 1000).tolist() == wanted
        assert suppress(boxes, labels, 0.4, 7).tolist() == wanted[:7]


def _row_by_row(boxes: np.ndarray, labels: np.ndarray, overlap: float, most: int) -> list[int]:
    """Suppression, a row of four corners at a time."""
    areas = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(-1)
    left, kept = np.arange(len(boxes)), list[int]()
    while len(left) and len(kept) < most:
        row, left = left[0], left[1:]
        kept.append(int(row))
        low, high = np.maximum(boxes[row, :2], boxes[left, :2]), np.minimum(boxes[row, 2:], boxes[left, 2:])
        inner = np.clip(high - low, 0, None).prod(-1)
        covered = inner >= overlap * np.maximum(areas[row] + areas[left] - inner, 1e-9)
        left = left[~(covered & (labels[left] == labels[row]))]
    return kept


@given(
    count=st.integers(0, 300),
    classes=st.integers(1, 4),
    side=st.sampled_from([3.0, 30.0, 300.0]),
    overlap=st.sampled_from([0.0, 0.3, 0.6, 1.0]),
    most=st.sampled_from([1, 20, 1000]),
    seed=st.integers(0, 999),
)
@settings(max_examples=50, deadline=None)
def test_suppression_by_columns_is_that_by_rows(
    count: int, classes: int, side: float, overlap: float, most: int, seed: int
) -> None:
    """The same rows, with boxes that are equal, inside out, without area, and no numbers; in model.py, too."""
    rng = np.random.default_rng(seed)
    boxes, labels = rng.uniform(-side, side, (count, 4)), rng.integers(0, classes, count)
    boxes[rng.random(count) < 0.1, 2:] += 100
    boxes[::7] = np.round(boxes[::7])
    boxes[::50] = np.nan
    assert suppress(boxes, labels, overlap, most).tolist() == _row_by_row(boxes, labels, overlap, most)
    exported = runtime.suppress(torch.from_numpy(boxes), torch.from_numpy(labels))
    assert exported == _row_by_row(boxes, labels, runtime.OVERLAP, runtime.MOST_BOXES)


def test_boxes_are_clipped_to_the_canvas_where_they_are_scored() -> None:
    """As those of the annotations are; what is on it stays."""
    pytest.importorskip("faster_coco_eval")
    outputs = np.array([[-20.0, -10, 40, 30, 5], [50, 20, 200, 99, 4]])
    assert detections(outputs, canvas=CANVAS).boxes.tolist() == [[0, 0, 40, 30], [50, 20, 96, 64]]
    assert detections(outputs).boxes.tolist() == outputs[:, :4].tolist()
    scorer = Scorer(("a",), CANVAS)
    scorer.add(torch.from_numpy(outputs)[None], targets_of((0, 0, 40, 30, 0), (50, 20, 96, 64, 0)))
    assert scorer.scores()["map"] == pytest.approx(1.0, abs=1e-6)


def test_scores_are_those_of_the_coco_evaluator() -> None:
    """Perfect boxes score 1; boxes that overlap by .7 count up to that overlap; nothing found scores 0."""
    pytest.importorskip("faster_coco_eval")
    wanted = targets_of((8, 8, 40, 40, 1), (60, 20, 90, 60, 0))
    perfect = torch.full((1, 3, 6), -9.0)
    perfect[0, :2, :4] = wanted[0, :2, :4]
    perfect[0, 0, 5], perfect[0, 1, 4] = 5.0, 5.0
    half = perfect.clone()
    half[0, :2, 2] = half[0, :2, 0] + 0.72 * (half[0, :2, 2] - half[0, :2, 0])
    scores = []
    for outputs in (perfect, half, torch.full((1, 3, 6), -9.0)):
        scorer = Scorer(("a", "b"), CANVAS)
        scorer.add(outputs, wanted)
        scores.append(scorer.scores())
    assert scores[0] == pytest.approx({"map": 1.0, "map50": 1.0}, abs=1e-6)
    assert scores[1] == pytest.approx({"map": 0.5, "map50": 1.0}, abs=1e-6)
    assert scores[2] == {"map": 0.0, "map50": 0.0}


def test_what_is_found_in_a_crowd_counts_neither_way() -> None:
    """A box within it is no mistake, where it would be one without; nothing is lost that is not found in it."""
    pytest.importorskip("faster_coco_eval")
    outputs = torch.full((1, 3, 5), -9.0)
    outputs[0, 0, :] = torch.tensor([8.0, 8, 40, 40, 5])
    outputs[0, 1, :] = torch.tensor([60.0, 20, 80, 60, 6])
    scores = []
    for others in ((), ((50, 10, 96, 64, CROWD),), ((50, 10, 96, 64, CROWD - 1),)):
        scorer = Scorer(("a", "b"), CANVAS)
        padded = torch.cat([outputs, torch.full((1, 3, 1), -9.0)], 2)
        scorer.add(padded, targets_of((8, 8, 40, 40, 0), *others))
        scores.append(scorer.scores()["map50"])
    assert scores == pytest.approx([0.5, 1.0, 0.5], abs=1e-6)


def test_crowds_are_not_learned() -> None:
    """Neither loss nor augmentation sees them."""
    boxes = torch.cat([POINTS[:, :2] - 16, POINTS[:, :2] + 16], 1)
    alone, beside = targets_of((8, 8, 40, 40, 1)), targets_of((8, 8, 40, 40, 1), (50, 10, 90, 60, CROWD))
    losses_ = [detection_loss(outputs_at(boxes), targets, POINTS) for targets in (alone, beside)]
    assert torch.equal(losses_[0], losses_[1])
    pixels = torch.zeros((1, 3, *CANVAS), dtype=torch.uint8)
    _, moved = BoxAugmentation(scale=1.0, shift=0.0, mirror=False).apply(pixels, beside, np.random.default_rng(0))
    assert (moved[0, 1] == -1).all()


def test_the_exported_runtime_suppresses_as_the_task_does() -> None:
    """Boxes, scores and classes are the same from both."""
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 50, (200, 2))
    outputs = np.concatenate([corner, corner + rng.uniform(5, 40, (200, 2)), rng.normal(-1, 2, (200, 3))], 1)
    ours = detections(outputs.astype(np.float32), least=0.3)
    boxes, scores, labels = runtime.find(torch.from_numpy(outputs).float(), 0.3)
    assert 10 < len(ours.scores) < 200
    assert labels.tolist() == ours.labels.tolist()
    assert np.allclose(scores, ours.scores, atol=1e-5)
    assert np.allclose(boxes, ours.boxes, atol=1e-4)


def test_every_detector_gives_a_row_a_point() -> None:
    """Random points of the space, and the references, build, run and are counted right."""
    space = detection_space((3, *CANVAS), 2)
    rng = np.random.default_rng(0)
    architectures = [space.sample(rng) for _ in range(6)] + [r.architecture for r in detection_references(space)]
    x = torch.rand(2, 3, *CANVAS)
    for architecture in architectures:
        term = space.resolve(architecture)
        model = nn.build(term, input_shape=(3, *CANVAS), seed=0)
        found = nn.profile(term, input_shape=(3, *CANVAS))
        assert found.params == sum(p.numel() for p in model.parameters())
        outputs = model(x)
        assert tuple(outputs.shape) == (2, len(POINTS), 6)
        assert (outputs[..., 2:4] > outputs[..., :2]).all()
        outputs.sum().backward()


def test_what_is_no_detector_is_refused() -> None:
    """Sides, classes and maps that cannot be are named."""
    with pytest.raises(nw.errors.SpecError, match="multiples of 32"):
        detection_space((3, 60, 96), 2)
    with pytest.raises(nw.errors.SpecError, match="num_classes"):
        detection_space((3, 64, 96), 0)
    with pytest.raises(nw.errors.SpaceError, match="strides"):
        nn.decode_boxes((2,), (2,), (8, 16))
    wrong = nw.SearchSpace(nn.decode_boxes((2,), (2,), (8,)))
    with pytest.raises(nw.errors.BuildError, match="needs a row of 4 distances"):
        nn.build(wrong.resolve(wrong.architecture({})), input_shape=(5, 6))


def test_references_that_are_too_large_are_made_smaller() -> None:
    """The widest that is admitted is given, none twice; where nothing is admitted there is none."""
    space = detection_space((3, *CANVAS), 2)

    def params(architecture: nw.Architecture) -> int:
        return nn.profile(space.resolve(architecture), input_shape=(3, *CANVAS)).params

    found = narrowed_detectors(space, lambda architecture: params(architecture) <= 150_000)
    assert len(found) >= 2
    assert all(params(reference.architecture) <= 150_000 for reference in found)
    assert narrowed_detectors(space, lambda _: False) == ()
    assert narrowed_detectors(space, lambda _: True) == ()


@pytest.mark.long
def test_detectors_share_weights() -> None:
    """The whole space has a supernet, and a detector taken out of it computes the very same."""
    space = detection_space((3, 64, 64), 2)
    supernet = Supernet(space, input_shape=(3, 64, 64))
    rng = np.random.default_rng(0)
    x = torch.rand(2, 3, 64, 64)
    for architecture in (space.sample(rng), space.sample(rng)):
        alone, subnet = supernet.extract(architecture).train(), supernet.subnet(architecture)
        subnet.model.train()
        assert torch.equal(alone(x), subnet(x))
