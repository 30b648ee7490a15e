"""The task ``image-classification``: one class an image.

It gives labels, loss and metrics their meaning; what it shares with other tasks on images is `image_task`. Where
classes are of very different size, training can weight them, and the mean recall of the classes is measured besides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError, SpecError, wrong
from netwright.tasks.augmentation import mirroring_helps
from netwright.tasks.formats import read
from netwright.tasks.formats.array_files import ArrayFiles
from netwright.tasks.formats.folder import FolderPart
from netwright.tasks.formats.parts import Array, Layout, Part, RawData, ReadOptions, printable
from netwright.tasks.image_copies import split_pictures
from netwright.tasks.image_options import image_size_of, pretrained_file, require_layout
from netwright.tasks.image_task import ImageTask, Labels, arrays
from netwright.tasks.labels import Classes
from netwright.tasks.loaded import remembered
from netwright.tasks.losses import balanced_scores, class_loss, weighted_class_loss
from netwright.tasks.splits import TEST_SHARE, SplitOptions, stratified_split
from netwright.types import Json, Objective

if TYPE_CHECKING:
    from torch import Tensor

Balance = Literal["none", "loss"]
IMBALANCED = 10.0
"""A class this many times larger than another is worth a note."""

_SHOWN = 5


class ImageClassification(ImageTask):
    """A set of labelled images, split, and checked before anything is trained. Make one with `load` or `from_arrays`.

    Args:
        raw: the set as its format gives it.
        layout: order of the axes of four-dimensional arrays.
        split: how missing parts are split off.
        balance: ``loss`` weights classes in training by the inverse of their number of training images.
        cache: where images are kept in files instead of memory.
        pretrained: weights that each training begins with, see `netwright.evaluation.beginning`.

    Raises:
        DataError: the data cannot be used; says which part, how many values or rows, and the first of them.

    Example:
        >>> task = ImageClassification.load("digits", seed=0)
        >>> task.input_shape, task.num_classes, task.train()[0].dtype.name, task.test_reads
        ((1, 8, 8), 10, 'uint8', 0)
    """

    name = "image-classification"
    objective = Objective("accuracy", "max")
    directions = MappingProxyType({"accuracy": "max", "balanced_accuracy": "max"})
    classifies = True
    metric_ranges: Mapping[str, tuple[float, float]] = MappingProxyType(
        {"accuracy": (0.0, 1.0), "balanced_accuracy": (0.0, 1.0), "loss": (0.0, float("inf"))}
    )

    def __init__(
        self,
        raw: RawData,
        *,
        layout: Layout = "auto",
        split: SplitOptions | None = None,
        balance: Balance = "none",
        cache: ArrayFiles | None = None,
        pretrained: Path | None = None,
    ) -> None:
        self.balance = balance
        super().__init__(raw, layout=layout, split=split, cache=cache, pretrained=pretrained)
        self.class_weights = inverse_frequencies(self._counts(self._train[1]))

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
        balance: Balance = "none",
        cache: str | Path = "",
        pretrained: str | Path = "",
    ) -> ImageClassification:
        """Load and check labelled images.

        Args:
            data: ``digits``, a ``.npz`` file, a folder of class folders, a ``.csv`` file beside its images
                (`netwright.tasks.formats.label_table`), or a folder of MNIST's idx files.
            seed: of the validation split; see `SplitOptions`, also for the two shares.
            validation_share: where the data has no validation part.
            test_share: where the data has no test part.
            layout: ``HWC`` or ``CHW`` where the shape of an array does not tell.
            image_size: pixels, or (height, width), that image files are resized to; as text ``96`` or ``96x64``.
            balance: ``loss`` weights classes in training, ``none`` does not.
            cache: a folder in whose files images are kept instead of memory.
            pretrained: a safetensors file whose weights each training begins with, where names and shapes agree.

        Raises:
            DataError: the data cannot be used.
            SpecError: an option is wrong.
            MissingDependencyError: scikit-learn (digits) or Pillow (image files) is not installed.
        """
        require_layout(layout)
        if balance not in ("none", "loss"):
            raise SpecError(wrong("balance", balance, "'none' or 'loss'"))
        split, files = SplitOptions(seed, validation_share, test_share), ArrayFiles.named(cache)
        weights = pretrained_file(pretrained)
        raw = read(data, ReadOptions(layout, image_size_of(image_size), files))
        return cls(raw, layout=layout, split=split, balance=balance, cache=files, pretrained=weights)

    @classmethod
    def from_arrays(
        cls,
        train: tuple[Array, Array],
        test: tuple[Array, Array] | None = None,
        validation: tuple[Array, Array] | None = None,
        *,
        layout: Layout = "auto",
        split: SplitOptions | None = None,
        balance: Balance = "none",
    ) -> ImageClassification:
        """Make a task of arrays in memory: images and labels of each part, in the forms that an npz file may hold.

        Example:
            >>> x, y = np.arange(2560).reshape(40, 8, 8) % 256, np.arange(40) % 2
            >>> ImageClassification.from_arrays((x, y)).num_classes
            2
        """
        return cls(arrays(train, test, validation), layout=layout, split=split, balance=balance)

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Mean cross entropy in nats; with ``balance`` each image counts by the weight of its class."""
        if self.balance == "none":
            return class_loss(outputs, targets, label_smoothing)
        return weighted_class_loss(outputs, targets, self.class_weights, label_smoothing)

    def scores(self, answers: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """``accuracy``, ``balanced_accuracy`` (mean recall of the classes there are) and ``loss``."""
        return balanced_scores(answers, self.num_classes)

    def _learn(self, raw: RawData) -> Labels:
        return Classes.learn(raw.train.labels(), f"labels of {raw.train.where}")

    def _encode_labels(self, part: Part) -> NDArray[np.int64]:
        """Also say where a label stands that is not known: its row in an array, or its file."""
        place = partial(_file, part) if isinstance(part, FolderPart) else "row {}".format
        return cast("Classes", self.classes).encode(part.labels(), f"labels of {part.where}", place)

    def _counts(self, targets: NDArray[Any]) -> NDArray[np.int64]:
        return np.bincount(targets, minlength=self.num_classes).astype(np.int64)

    def _split_off(self, part: Part, targets: NDArray[Any], share: float, seed: int) -> tuple[Part, Part]:
        return split_pictures(part, targets, lambda labels: stratified_split(labels, share, seed))

    def _mirrors(self) -> bool:
        return mirroring_helps(*self._train, self.num_classes)

    def _facts(self) -> list[Json]:
        return [*super()._facts(), *([] if self.balance == "none" else [f"balance {self.balance}"])]

    def _check_enough(self, targets: NDArray[Any], needed: int, where: str) -> None:
        """Each class needs an example for each part that is split off, and one to train on."""
        counts = self._counts(targets).tolist()
        few = [f"{name!r} has {c}" for name, c in zip(self.class_names, counts, strict=True) if c < needed]
        if few:
            raise DataError(
                f"{where}: {len(few)} class(es) have fewer than the {needed} examples that splitting needs: "
                f"{', '.join(few[:_SHOWN])}; add examples or remove these classes"
            )

    def _check_classes(self) -> list[str]:
        """Also say where one class is many times as large as another."""
        notes, counts = super()._check_classes(), self._counts(self._train[1])
        most, least = int(counts.argmax()), int(counts.argmin())
        if counts[most] < IMBALANCED * counts[least]:
            return notes
        names = self.class_names
        seen = f"{names[most]!r} has {counts[most]} training images, {names[least]!r} {counts[least]}"
        if self.balance == "loss":
            return [*notes, f"the classes are imbalanced: {seen}; training weights them"]
        cure = "--task-option balance=loss weights classes in training, --objective balanced_accuracy compares by it"
        return [*notes, f"the classes are imbalanced: {seen}; {cure}"]


def _file(part: FolderPart, row: int) -> str:
    return printable(str(part.files[row]))


def inverse_frequencies(counts: NDArray[np.int64]) -> tuple[float, ...]:
    """Weight of each class so that all classes count the same in sum, and images 1 on average.

    Args:
        counts: (C,) training images of each class; a class without any gets 0.

    References:
        King, Zeng (2001), Logistic Regression in Rare Events Data (weighting); the numbers are those of scikit-learn's
        ``class_weight="balanced"``.

    Example:
        >>> inverse_frequencies(np.array([90, 10]))
        (0.5555555555555556, 5.0)
    """
    present = counts > 0
    weights = np.where(present, counts.sum() / (present.sum() * np.maximum(counts, 1)), 0.0)
    return tuple(weights.tolist())
