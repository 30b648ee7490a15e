"""Object detection as a task: annotated images on canvases, losses, scores and the space of detectors."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from netwright.errors import DataError, SpecError, one_line, wrong
from netwright.space import SearchSpace
from netwright.space.terms import OpTerm
from netwright.tasks.base import Direction, Examples, ExportInfo, Reference
from netwright.tasks.detection.annotations import Annotated, Repairs, class_names, repaired
from netwright.tasks.detection.augmentation import BoxAugmentation
from netwright.tasks.detection.letterbox import GREY, box_targets, canvas_size, load_images
from netwright.tasks.detection.reading import read_annotations
from netwright.tasks.detection.references import detection_references, narrowed_detectors
from netwright.tasks.detection.scoring import Scorer, require_evaluator
from netwright.tasks.detection.space import STRIDES, detection_space, map_extents
from netwright.tasks.detection.splitting import split_images
from netwright.tasks.formats.image_files import read_headers, require_depth
from netwright.tasks.learning import LearningTask
from netwright.tasks.loaded import remembered
from netwright.tasks.numbering import OUTPUTS, Numbering, classes
from netwright.tasks.pixels import moments
from netwright.tasks.splits import TEST_SHARE, SplitOptions
from netwright.types import Architecture, Objective, Value

if TYPE_CHECKING:
    from torch import Tensor

_log = logging.getLogger(__name__)
_FLIPS = ("horizontal", "both", "none")
_FULL_IMAGES, _FULL_EPOCHS = 30_000, (12, 150)
"""Images that a full training shows, in so many passes: COCO's usual schedule has 12, small sets gain from many."""

_LEAST_STEPS = 100
"""Below which detectors find nothing yet, and all are alike."""


class ObjectDetection(LearningTask):
    """Images with boxes, split, and checked before anything is trained. Make one with `load`.

    Inputs are (N, C, H, W) ``uint8``; targets (N, M, 5): left, top, right, bottom in pixels of the canvas and the
    number of the class (a crowd's is negative, see `netwright.tasks.detection.letterbox.box_targets`), rows of -1 where
    an image has fewer than M. A network gives (P, 4 + classes): a box and
    logits for each point of its three maps, see `netwright.nn.decode_boxes`.

    Args:
        parts: training, validation and test images, their boxes repaired.
        options: how images are shown.
        notes: for people.

    Raises:
        DataError: images cannot be read, or a part has no boxes or unknown classes.
    """

    name = "object-detection"
    objective = Objective("map", "max")
    least_steps = _LEAST_STEPS
    directions: ClassVar[Mapping[str, Direction]] = MappingProxyType({"map": "max", "map50": "max"})
    metric_ranges: ClassVar[Mapping[str, tuple[float, float]]] = MappingProxyType(
        {"map": (0.0, 1.0), "map50": (0.0, 1.0), "loss": (0.0, float("inf"))}
    )

    def __init__(
        self,
        parts: Mapping[str, Sequence[Annotated]],
        sizes: Mapping[str, Sequence[tuple[int, int]]],
        *,
        canvas: tuple[int, int],
        channels: int,
        flips: str = "horizontal",
        seed: int = 0,
        data_name: str = "images",
        notes: tuple[str, ...] = (),
    ) -> None:
        train, others = parts["train"], [*parts["val"], *parts["test"]]
        self.class_names = class_names(train, others)
        for part in ("val", "test"):
            if not any(image.boxes for image in parts[part]):
                raise DataError(f"none of the {len(parts[part])} images of the {part} part has a box to be scored by")
        self.canvas, self.flips = canvas, flips
        most = max(len(image.boxes) + len(image.crowds) for images in parts.values() for image in images)

        def examples(part: str) -> Examples:
            files = [image.file for image in parts[part]]
            pixels = load_images(files, sizes[part], canvas, channels)
            return pixels, box_targets(parts[part], sizes[part], canvas, self.class_names, most)

        super().__init__(
            examples("train"),
            examples("val"),
            lambda: examples("test"),
            num_test=len(parts["test"]),
            data_name=data_name,
            seed=seed,
            notes=(*notes, *_absent(parts, self.class_names)),
        )
        self.mirrors = flips != "none"
        self.full_epochs = float(np.clip(round(_FULL_IMAGES / len(parts["train"])), *_FULL_EPOCHS))
        self.mean, self.std = moments(self._train[0], 255.0)
        for note in self.notes:
            _log.warning("%s: %s", self.data_name, note)

    @classmethod
    @remembered
    def load(
        cls,
        data: str | Path,
        *,
        seed: int = 0,
        image_size: int | str | tuple[int, int] | None = None,
        flips: str = "horizontal",
        validation_share: float | None = None,
        test_share: float = TEST_SHARE,
    ) -> ObjectDetection:
        """Load and check images and their boxes.

        Args:
            data: see `netwright.tasks.detection.reading`.
            seed: of the validation split, where the data has none.
            image_size: of the canvases, see `netwright.tasks.detection.letterbox.canvas_size`.
            flips: how training images are mirrored: ``horizontal``, ``both`` (where up and down mean nothing, as under
                a microscope) or ``none``.
            validation_share: where the data has no validation part.
            test_share: where the data has no test part.

        Raises:
            DataError: the data cannot be used; names file and line.
            SpecError: an option is wrong.
            MissingDependencyError: Pillow or faster-coco-eval is not installed.
        """
        if flips not in _FLIPS:
            raise SpecError(wrong("flips", flips, f"one of {', '.join(_FLIPS)}"))
        require_evaluator()
        split = SplitOptions(seed, validation_share, test_share)
        repairs = Repairs()
        images = read_annotations(data, repairs)
        headers = read_headers([image.file for image in images])
        require_depth([image.file for image, header in zip(images, headers, strict=True) if header.deep])
        sizes = [(header.height, header.width) for header in headers]
        images = repaired(images, sizes, repairs)
        parts, told = split_images(images, split)
        return cls(
            {part: [images[row] for row in rows] for part, rows in parts.items()},
            {part: [sizes[row] for row in rows] for part, rows in parts.items()},
            canvas=canvas_size(sizes, image_size),
            channels=1 if all(header.grey for header in headers) else 3,
            flips=flips,
            seed=seed,
            data_name=one_line(Path(data).resolve().name),
            notes=(*repairs.notes(), *told),
        )

    @property
    def num_classes(self) -> int:
        """Number of classes C."""
        return len(self.class_names)

    @property
    def numbering(self) -> Numbering:
        """The four sides of a box, and the name of each class."""
        return {OUTPUTS: (0, 1, 2, 3, *classes(self.class_names))}

    @property
    def extents(self) -> tuple[tuple[int, int], ...]:
        """Height and width of the maps, in points."""
        return map_extents(self.canvas)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """A box and logits for each point of all maps."""
        return (sum(height * width for height, width in self.extents), 4 + self.num_classes)

    @property
    def work(self) -> float:
        """Pixels of an image."""
        return float(self.canvas[0] * self.canvas[1])

    def to_input(self, stored: Tensor) -> Tensor:
        """Pixels (B, C, H, W) from 0 to 255 as network input: float32 from 0 to 1, channels last in memory."""
        import torch

        return (stored.to(torch.float32) / 255.0).contiguous(memory_format=torch.channels_last)

    def augmentation(self, shift: float, flip: bool) -> BoxAugmentation:
        """Scaling, shifts, mirroring and light."""
        return BoxAugmentation(shift=shift, mirror=flip, flip=flip and self.flips == "both")

    def recipe(self) -> Mapping[str, Value]:
        """By single trainings on bccd, see docs/tasks/detection.md."""
        return {"label_smoothing": 0.0, "shift": 0.1}

    @cached_property
    def _points(self) -> Tensor:
        from netwright.tasks.detection.losses import map_points

        return map_points(self.extents, STRIDES)

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Quality focal loss and generalised IoU loss, see `netwright.tasks.detection.losses`."""
        from netwright.tasks.detection.losses import detection_loss

        return detection_loss(outputs, targets, self._points.to(outputs.device), label_smoothing)

    def scores(self, answers: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """``map`` (overlaps .5 to .95), ``map50``, and ``loss``, NaN where outputs are boxes that were found."""
        scorer, loss, count = Scorer(self.class_names, self.canvas), 0.0, 0
        for outputs, targets in answers:
            scorer.add(outputs, targets)
            loss += float(self.loss(outputs, targets)) * len(targets) if outputs.ndim == 3 else math.nan
            count += len(targets)
        return {**scorer.scores(), "loss": loss / count}

    def front(self) -> OpTerm:
        """The normalisation of this data."""
        return OpTerm("normalize", (("mean", self.mean), ("std", self.std)))

    def default_space(self) -> SearchSpace:
        return detection_space(self.input_shape, self.num_classes)

    def references(self) -> tuple[Reference, ...]:
        return detection_references(self.default_space())

    def narrowed(self, admits: Callable[[Architecture], bool]) -> tuple[Reference, ...]:
        return narrowed_detectors(self.default_space(), admits)

    def export_info(self) -> ExportInfo:
        """What an exported network must know."""
        return ExportInfo(
            task=self.name,
            input_shape=self.input_shape,
            scale=255.0,
            class_names=self.class_names,
            mean=self.mean,
            std=self.std,
            output_shape=self.output_shape,
            runtime="detection",
            constants={"GREY": GREY / 255},
        )

    def summary(self) -> str:
        """What a person checks before a search: counts, sizes, classes, notes. The test images are not decoded."""
        lines = [f"{self.name} on {self.data_line()}"]
        for part, (_, targets) in (("training", self._train), ("validation", self._validation)):
            found = targets[..., 4][targets[..., 4] >= 0].astype(int)
            counts = np.bincount(found, minlength=self.num_classes)
            named = ", ".join(f"{n!r} {c}" for n, c in list(zip(self.class_names, counts.tolist(), strict=True))[:20])
            lines.append(f"boxes ({part} images): {named}")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def _absent(parts: Mapping[str, Sequence[Annotated]], names: Sequence[str]) -> list[str]:
    """Say which classes a part lacks: they are not scored there."""
    notes = []
    for part in ("val", "test"):
        there = {box.label for image in parts[part] for box in image.boxes}
        absent = [name for name in names if name not in there]
        if absent:
            named = one_line(", ".join(absent[:5]))
            notes.append(f"{len(absent)} class(es) have no boxes in the {part} part and are not scored there: {named}")
    return notes
