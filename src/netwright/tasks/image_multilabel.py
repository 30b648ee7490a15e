"""The task ``image-multilabel``: any number of labels an image.

A network has one logit a label; its sigmoid is the probability. Networks are compared by mean average precision, which
asks for an order of the images only; ``micro_f1`` says how good the labels with a probability above .5 are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError
from netwright.tasks.augmentation import mirrored_answers
from netwright.tasks.formats import label_table, read
from netwright.tasks.formats.array_files import ArrayFiles
from netwright.tasks.formats.parts import Array, Layout, Part, RawData, ReadOptions
from netwright.tasks.image_copies import split_pictures
from netwright.tasks.image_options import image_size_of, pretrained_file, require_layout
from netwright.tasks.image_task import ImageTask, Labels, arrays
from netwright.tasks.loaded import remembered
from netwright.tasks.losses import binary_loss
from netwright.tasks.metrics import require_metrics
from netwright.tasks.multilabel import LabelSets, label_metrics, stratified_sets
from netwright.tasks.splits import TEST_SHARE, SplitOptions
from netwright.types import Objective, Value

if TYPE_CHECKING:
    from torch import Tensor

_KEPT = 0.9
"""Part of what is recognised that must still be where images are mirrored."""

_SMALLEST = 2


class ImageMultilabel(ImageTask):
    """Images with several labels each, split, and checked. Make one with `load` or `from_arrays`.

    Example:
        >>> x, y = np.arange(2560).reshape(40, 8, 8) % 256, np.array([[1, 0], [1, 1]] * 20)
        >>> task = ImageMultilabel.from_arrays((x, y))
        >>> task.class_names, task.output_shape, task.train()[1].shape
        (('0', '1'), (2,), (24, 2))
    """

    name = "image-multilabel"
    objective = Objective("mean_average_precision", "max")
    directions = MappingProxyType({"mean_average_precision": "max", "micro_f1": "max"})
    metric_ranges: Mapping[str, tuple[float, float]] = MappingProxyType(
        {"mean_average_precision": (0.0, 1.0), "micro_f1": (0.0, 1.0), "loss": (0.0, float("inf"))}
    )
    runtime = "image-labels"

    @classmethod
    @remembered
    def load(
        cls,
        data: str | Path,
        *,
        seed: int = 0,
        validation_share: float | None = None,
        test_share: float = TEST_SHARE,
        layout: Layout = "auto",
        image_size: int | str | tuple[int, int] | None = None,
        cache: str | Path = "",
        pretrained: str | Path = "",
    ) -> ImageMultilabel:
        """Load and check images with labels.

        Args:
            data: a CSV file beside its images, a folder with ``train.csv``, ``labels.csv`` or a CSV file a part
                (`netwright.tasks.formats.label_table`), or a ``.npz`` file whose labels are (N, C) of 0 and 1.
            seed: of the validation split; see `SplitOptions`, also for the two shares.
            validation_share: where the data has no validation part.
            test_share: where the data has no test part.
            layout: ``HWC`` or ``CHW`` where the shape of an array does not tell.
            image_size: pixels, or (height, width), that image files are resized to; as text ``96`` or ``96x64``.
            cache: a folder in whose files images are kept instead of memory.
            pretrained: a safetensors file whose weights each training begins with, where names and shapes agree.

        Raises:
            DataError: the data cannot be used.
            SpecError: an option is wrong.
            MissingDependencyError: scikit-learn, or Pillow (image files), is not installed.
        """
        require_metrics("mean average precision", "vision")
        require_layout(layout)
        split, files, size = (
            SplitOptions(seed, validation_share, test_share),
            ArrayFiles.named(cache),
            image_size_of(image_size),
        )
        tables = label_table.tables_in(data)
        if tables is not None:
            raw = label_table.read(tables, size, files)
        else:
            raw = read(data, ReadOptions(layout, size, files))
        return cls(raw, layout=layout, split=split, cache=files, pretrained=pretrained_file(pretrained))

    @classmethod
    def from_arrays(
        cls,
        train: tuple[Array, Array],
        test: tuple[Array, Array] | None = None,
        validation: tuple[Array, Array] | None = None,
        *,
        layout: Layout = "auto",
        split: SplitOptions | None = None,
    ) -> ImageMultilabel:
        """Make a task of arrays in memory: images, and labels (N, C) of 0 and 1, of each part.

        Raises:
            DataError: the data cannot be used.
            MissingDependencyError: scikit-learn is not installed.
        """
        require_metrics("mean average precision", "vision")
        return cls(arrays(train, test, validation), layout=layout, split=split)

    def recipe(self) -> Mapping[str, Value]:
        """Without label smoothing, which takes most labels for more frequent than they are."""
        return {"label_smoothing": 0.0}

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Mean binary cross entropy in nats over images and labels."""
        return binary_loss(outputs, targets, label_smoothing)

    def scores(self, answers: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """``mean_average_precision``, ``micro_f1`` and ``loss``."""
        import torch

        pairs = [(outputs.detach().float().cpu(), targets.cpu()) for outputs, targets in answers]
        outputs, targets = (torch.cat(several) for several in zip(*pairs, strict=True))
        metrics = label_metrics(outputs.numpy(), targets.numpy().astype(np.uint8))
        return {**metrics, "loss": float(binary_loss(outputs, targets))}

    def _learn(self, raw: RawData) -> Labels:
        return LabelSets.learn(raw.train.labels(), raw.class_names, f"labels of {raw.train.where}")

    def _counts(self, targets: NDArray[Any]) -> NDArray[np.int64]:
        return np.asarray(targets.sum(axis=0, dtype=np.int64))

    def _check_enough(self, targets: NDArray[Any], needed: int, where: str) -> None:
        if len(targets) < max(needed, _SMALLEST):
            raise DataError(
                f"{where}: {len(targets)} image(s), fewer than the {max(needed, _SMALLEST)} that are needed"
            )

    def _split_off(self, part: Part, targets: NDArray[Any], share: float, seed: int) -> tuple[Part, Part]:
        return split_pictures(part, targets, lambda labels: stratified_sets(labels, share, seed))

    def _mirrors(self) -> bool:
        """Whether labels of mirrored images are found at least 0.9 times as well, beyond what guessing gives."""
        images, targets = self._train
        found = mirrored_answers(images, targets.astype(np.float64), self.num_classes)
        if found is None:
            return False
        plain, mirrored, rows = found
        wanted = targets[rows]
        chance = float(wanted.mean(axis=0)[wanted.any(axis=0)].mean()) if wanted.any() else 0.0
        scores = [label_metrics(answers, wanted)["mean_average_precision"] - chance for answers in (plain, mirrored)]
        return scores[1] >= _KEPT * scores[0]

    def _check_classes(self) -> list[str]:
        """Also say which labels every training image has."""
        targets = self._train[1]
        everywhere = [n for n, c in zip(self.class_names, self._counts(targets), strict=True) if c == len(targets)]
        notes = super()._check_classes()
        return [*notes, f"every training image has {', '.join(map(repr, everywhere[:5]))}"] if everywhere else notes
