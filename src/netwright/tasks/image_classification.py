"""Image classification: from labelled images to arrays, splits, classes, and the question a search answers.

It knows the data and how it is split; it does not know how networks are trained. Images are kept as ``uint8`` wherever
nothing is lost by it. The test part is read by `ImageClassification.test` only: before that, its header (shape, type,
file names) and its labels' values are checked, so that a search does not end in an error that was there from the start,
but its images are not touched.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError, SpecError, wrong
from netwright.space.terms import OpTerm, Term
from netwright.tasks.augmentation import Augmentation, mirroring_helps, shift_pixels
from netwright.tasks.base import Direction, ExportInfo
from netwright.tasks.formats import read
from netwright.tasks.formats.parts import Array, ArrayPart, Layout, Part, RawData, ReadOptions, printable
from netwright.tasks.labels import Classes
from netwright.tasks.losses import class_loss, class_scores
from netwright.tasks.pixels import PixelFormat, Shape, image_shape, moments
from netwright.tasks.splits import TEST_SEED, TEST_SHARE, SplitOptions, split_off
from netwright.types import Architecture, Objective, Value

if TYPE_CHECKING:
    from torch import Tensor, nn

    from netwright.space import SearchSpace
    from netwright.tasks.base import Reference

_log = logging.getLogger(__name__)

Labelled = tuple[Array, NDArray[np.int64]]
"""Images (N, C, H, W) as stored, ``uint8`` or ``float32``, and their class numbers (N,)."""

_SHOWN = 5


class ImageClassification:
    """A set of labelled images, split, and checked before anything is trained. Make one with `load` or `from_arrays`.

    Args:
        raw: the set as its format gives it.
        layout: order of the axes of four-dimensional arrays.
        split: how missing parts are split off.

    Raises:
        DataError: the data cannot be used; says which part, how many values or rows, and the first of them.

    Example:
        >>> task = ImageClassification.load("digits", seed=0)
        >>> task.input_shape, task.num_classes, task.train()[0].dtype.name, task.test_reads
        ((1, 8, 8), 10, 'uint8', 0)
    """

    name = "image-classification"
    objective = Objective("accuracy", "max")
    directions: Mapping[str, Direction] = MappingProxyType({"accuracy": "max"})
    classifies = True
    input_dtype = "float32"
    full_epochs: float | None = None
    lengths = None
    metric_ranges: Mapping[str, tuple[float, float]] = MappingProxyType(
        {"accuracy": (0.0, 1.0), "loss": (0.0, float("inf"))}
    )

    def __init__(self, raw: RawData, *, layout: Layout = "auto", split: SplitOptions | None = None) -> None:
        self.split = split or SplitOptions()
        self.data_name = printable(raw.name)
        self._layout = layout if raw.layout == "auto" else raw.layout
        _check_counts(raw)
        self.classes = Classes.learn(raw.train.labels(), f"labels of {raw.train.where}")
        train, validation, self._test_part = self._split(raw)
        self._given = (raw.validation is not None, raw.test is not None)
        parts = [(part, part.images()) for part in (train, validation)]
        shape = self._shape(train)
        self.input_shape: tuple[int, ...] = shape[:3]
        self._pixels = PixelFormat.learn([(images, part.where) for part, images in parts])
        self._train, self._validation = (
            (self._pixels.encode(images, self._shape(part), part.where), self._encode_labels(part))
            for part, images in parts
        )
        self.mean, self.std = moments(self._train[0], self.scale)
        self.notes = (*raw.notes, *self._check_classes())
        for note in self.notes:
            _log.warning("%s: %s", self.data_name, note)
        self._test_reads = 0

    @classmethod
    def load(
        cls,
        data: str | Path,
        *,
        seed: int = 0,
        validation_share: float | None = None,
        test_share: float = TEST_SHARE,
        layout: Layout = "auto",
        image_size: int | tuple[int, int] | None = None,
    ) -> ImageClassification:
        """Load and check labelled images.

        Args:
            data: ``digits``, a ``.npz`` file, a folder of class folders, or a folder of MNIST's idx files.
            seed: of the validation split; see `SplitOptions`, also for the two shares.
            validation_share: where the data has no validation part.
            test_share: where the data has no test part.
            layout: ``HWC`` or ``CHW`` where the shape of an array does not tell.
            image_size: pixels, or (height, width), that image files are resized to.

        Raises:
            DataError: the data cannot be used.
            SpecError: an option is wrong.
            MissingDependencyError: scikit-learn (digits) or Pillow (image files) is not installed.
        """
        if layout not in ("auto", "HWC", "CHW"):
            raise SpecError(wrong("layout", layout, "'auto', 'HWC' or 'CHW'"))
        split = SplitOptions(seed, validation_share, test_share)
        return cls(read(data, ReadOptions(layout, _size(image_size))), layout=layout, split=split)

    @classmethod
    def from_arrays(
        cls,
        train: tuple[Array, Array],
        test: tuple[Array, Array] | None = None,
        validation: tuple[Array, Array] | None = None,
        *,
        layout: Layout = "auto",
        split: SplitOptions | None = None,
    ) -> ImageClassification:
        """Make a task of arrays in memory: images and labels of each part, in the forms that an npz file may hold.

        Example:
            >>> x, y = np.arange(2560).reshape(40, 8, 8) % 256, np.arange(40) % 2
            >>> ImageClassification.from_arrays((x, y)).num_classes
            2
        """
        parts = [
            None if pair is None else ArrayPart(f"the {name} part", np.asarray(pair[0]), np.asarray(pair[1]))
            for name, pair in (("training", train), ("validation", validation), ("test", test))
        ]
        assert parts[0] is not None
        return cls(RawData("arrays", parts[0], parts[1], parts[2]), layout=layout, split=split)

    @property
    def num_classes(self) -> int:
        """Number of classes C."""
        return len(self.classes.values)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class; labels that are numbers print as such."""
        return self.classes.names

    @property
    def scale(self) -> float:
        """What stored values are divided by before a network sees them: 255 or 1, but for unusual sources."""
        return self._pixels.scale

    @property
    def output_shape(self) -> tuple[int, ...]:
        """One logit a class."""
        return (self.num_classes,)

    @property
    def work(self) -> float:
        """Pixels of an image."""
        return float(math.prod(self.input_shape[1:]))

    @property
    def test_reads(self) -> int:
        """How often `test` was called in this process; 0 until the end of a search."""
        return self._test_reads

    @property
    def num_scored(self) -> int:
        """Images that the end of a search scores: validation and test. Of the test part the header alone is read."""
        return len(self._validation[1]) + self._test_part.header().shape[0]

    def train(self) -> Labelled:
        """Training images (N, C, H, W), not scaled, and class numbers (N,). Not a copy: do not write to them."""
        return self._train

    def validation(self) -> Labelled:
        """Validation images and class numbers, as `train`."""
        return self._validation

    def test(self) -> Labelled:
        """Read the test part, for the last step of a search. Each call reads it again, and is counted.

        Raises:
            DataError: its images cannot be read, or have other values than the training images.
        """
        self._test_reads += 1
        part = self._test_part
        return self._pixels.encode(part.images(), self._shape(part), part.where), self._encode_labels(part)

    def fingerprint(self) -> str:
        """Digest of the training and validation data, classes and split; the test part is not read for it."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        shapes = [[str(a.dtype), list(a.shape)] for pair in (self._train, self._validation) for a in pair]
        facts = [self.name, shapes, [str(v) for v in self.classes.values], self.scale, self.split.seed]
        state = hashlib.blake2b(json.dumps(facts).encode(), digest_size=16)
        for array in (*self._train, *self._validation):
            state.update(array.data)
        return state.hexdigest()

    def export_info(self) -> ExportInfo:
        """What an exported network must know."""
        return ExportInfo(
            task=self.name,
            input_shape=self.input_shape,
            scale=self.scale,
            class_names=self.class_names,
            mean=self.mean,
            std=self.std,
            value_range=self._pixels.value_range,
            output_shape=self.output_shape,
            runtime="image",
        )

    @cached_property
    def mirrors(self) -> bool:
        """Whether classes survive mirroring, see `netwright.tasks.augmentation.mirroring_helps`."""
        return mirroring_helps(*self._train, self.num_classes)

    def to_input(self, stored: Tensor) -> Tensor:
        """Stored pixels (B, C, H, W) as network input: float32, divided by the scale, channels last in memory."""
        import torch

        return stored.to(torch.float32).div_(self.scale).contiguous(memory_format=torch.channels_last)

    def augmentation(self, shift: float, flip: bool) -> Augmentation:
        """Random shifts and mirroring."""
        return Augmentation(shift_pixels(shift, *self.input_shape[-2:]), flip)

    def final_scores(self, network: nn.Module, part: str) -> Mapping[str, float]:
        """Accuracy is all there is."""
        return {}

    def recipe(self) -> Mapping[str, Value]:
        """The recipe's defaults were measured on this task."""
        return {}

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Mean cross entropy in nats."""
        return class_loss(outputs, targets, label_smoothing)

    def scores(self, answers: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """``accuracy`` and ``loss``."""
        return class_scores(answers)

    def default_space(self) -> SearchSpace:
        from netwright.tasks.image_spaces import image_space

        return image_space(self.input_shape, self.num_classes)

    def references(self) -> tuple[Reference, ...]:
        from netwright.tasks.image_spaces import image_references

        return image_references(self.default_space())

    def portfolio(self) -> tuple[Architecture, ...]:
        from netwright.tasks.image_spaces import image_portfolio

        return image_portfolio(self.default_space())

    def narrowed(self, admits: Callable[[Architecture], bool]) -> tuple[Reference, ...]:
        from netwright.tasks.image_spaces import narrowed

        return narrowed(self.default_space(), admits)

    def network(self, space: SearchSpace, arch: Architecture) -> Term:
        """The network of an architecture with the normalisation of this data in front.

        Args:
            space: what ``arch`` is a point of.
            arch: the architecture.

        Returns:
            A term whose input is stored values divided by `scale`, float32 (N, C, H, W).
        """
        return self.normalised(space.resolve(arch))

    def normalised(self, network: Term) -> Term:
        """A network with the normalisation of this data in front of it."""
        normalise = OpTerm("normalize", (("mean", self.mean), ("std", self.std)))
        return OpTerm("seq", children=(normalise, network))

    def data_line(self) -> str:
        """What is learned from, in one line: how many images of which shape, classes, and where each part comes from.

        Example:
            >>> ImageClassification.load("digits").data_line().split("; ")[0]
            'digits: 1 x 8 x 8, 10 classes'
        """
        sizes = len(self._validation[1]), self._test_part.header().shape[0]
        parts = [
            f"{name} {size} ({'given' if given else f'split off by seed {seed}'})"
            for name, size, given, seed in zip(
                ("validation", "test"), sizes, self._given, (self.split.seed, TEST_SEED), strict=True
            )
        ]
        shape = " x ".join(map(str, self.input_shape))
        counts = ", ".join([f"train {len(self._train[1])}", *parts])
        return f"{self.data_name}: {shape}, {self.num_classes} classes; {counts}"

    def summary(self) -> str:
        """What a person checks before a search: counts, shapes, classes, notes. The test images are not read."""
        (x, y), (_, y_val) = self._train, self._validation
        channels, height, width = self.input_shape
        counts = np.bincount(y, minlength=self.num_classes)
        names = ", ".join(f"{n!r} {c}" for n, c in zip(self.class_names[:20], counts[:20].tolist(), strict=True))
        shape = f"{channels} x {height} x {width} (channels x height x width), {x.dtype}"
        sizes = f"train {len(y)}, validation {len(y_val)}, test {self._test_part.header().shape[0]}"
        lines = [
            f"{self.name} on {self.data_name}: {self.num_classes} classes",
            f"images: {shape}; {sizes}",
            f"classes (training images): {names}{', ...' if self.num_classes > 20 else ''}",
            *(f"note: {note}" for note in self.notes),
        ]
        return "\n".join(lines)

    def _split(self, raw: RawData) -> tuple[Part, Part, Part]:
        """Split off the parts that the data does not have, and check the headers of those it has."""
        train, needed = raw.train, 1 + (raw.test is None) + (raw.validation is None)
        self._check_enough(self._encode_labels(train), needed, train.where)
        shape = self._shape(train)
        if len(train.header().shape) == 4:  # what the training part's shape tells holds for all parts
            self._layout = "HWC" if shape.channels_last else "CHW"
        for part in (raw.validation, raw.test):
            if part is not None:
                self._check_header(part, train, shape)
                self._encode_labels(part)
        validation, test = raw.validation, raw.test
        if test is None:
            train, test = split_off(train, self._encode_labels(train), self.split.test_share, TEST_SEED)
        if validation is None:
            labels = self._encode_labels(train)
            train, validation = split_off(train, labels, self.split.share_for(len(labels)), self.split.seed)
        return train, validation, test

    def _encode_labels(self, part: Part) -> NDArray[np.int64]:
        return self.classes.encode(part.labels(), f"labels of {part.where}")

    def _shape(self, part: Part) -> Shape:
        return image_shape(part.header().shape, self._layout, part.where)

    def _check_header(self, part: Part, train: Part, shape: Shape) -> None:
        """Images of another size, number of channels or kind of numbers than the training part's are refused."""
        other = self._shape(part)
        if other[:3] != shape[:3]:
            raise DataError(
                f"{part.where} has images of {_by(other)} (channels x height x width), {train.where} of {_by(shape)}; "
                "convert them to the same size and number of channels"
            )
        kinds = [p.header().dtype for p in (part, train)]
        if (kinds[0].kind == "f") != (kinds[1].kind == "f"):
            raise DataError(f"{part.where} is {kinds[0]}, {train.where} is {kinds[1]}; save both as one type and range")

    def _check_enough(self, labels: NDArray[np.int64], needed: int, where: str) -> None:
        """Each class needs an example for each part that is split off, and one to train on."""
        counts = np.bincount(labels, minlength=self.num_classes).tolist()
        few = [f"{name!r} has {c}" for name, c in zip(self.class_names, counts, strict=True) if c < needed]
        if few:
            raise DataError(
                f"{where}: {len(few)} class(es) have fewer than the {needed} examples that splitting needs: "
                f"{', '.join(few[:_SHOWN])}; add examples or remove these classes"
            )

    def _check_classes(self) -> list[str]:
        """Say which classes a part lacks; that is allowed, since accuracy is still defined."""
        notes = []
        for part, labels in (("validation", self._validation[1]), ("test", self._encode_labels(self._test_part))):
            absent = sorted(set(range(self.num_classes)) - set(labels.tolist()))
            names = ", ".join(repr(self.class_names[number]) for number in absent[:_SHOWN])
            if absent:
                notes.append(f"{len(absent)} class(es) have no {part} images: {names}")
        return notes


def _check_counts(raw: RawData) -> None:
    """Images and labels of each part must be as many."""
    for part in (raw.train, raw.validation, raw.test):
        if part is None:
            continue
        num_images, labels = part.header().shape[:1], part.labels()
        if not num_images:
            raise DataError(f"{part.where} is a single number; give an array of images (N, H, W)")
        if num_images != labels.shape[:1]:
            raise DataError(
                f"{part.where}: {num_images[0]} images, but labels of shape {labels.shape}; one label an image"
            )


def _by(shape: Shape) -> str:
    return " x ".join(str(n) for n in shape[:3])


def _size(image_size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    """Bring the option to (height, width)."""
    if image_size is None:
        return None
    size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(size) != 2 or not all(isinstance(n, int) and 1 <= n <= 4096 for n in size):
        raise SpecError(wrong("image_size", image_size, "a number of pixels, or height and width, from 1 to 4096"))
    return size[0], size[1]
