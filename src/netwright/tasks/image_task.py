"""What tasks on labelled images share: from files to arrays, splits, classes, and the networks in front of a search.

It knows the data and how it is split; it does not know how networks are trained, nor what a loss is. Images are kept
as ``uint8`` wherever nothing is lost by it. The test part is read by `ImageTask.test` only: before that, its header
(shape, type, file names) and its labels' values are checked, so that a search does not end in an error that was there
from the start, but its images are not touched.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError
from netwright.space.terms import OpTerm, Term
from netwright.tasks.augmentation import Augmentation, shift_pixels
from netwright.tasks.base import Direction, ExportInfo
from netwright.tasks.formats.array_files import ArrayFiles
from netwright.tasks.formats.parts import Array, ArrayPart, Layout, Part, RawData, printable
from netwright.tasks.pixels import PixelFormat, Shape, image_shape, moments, update_digest
from netwright.tasks.splits import TEST_SEED, SplitOptions
from netwright.types import Architecture, Json, Objective, Value

if TYPE_CHECKING:
    from torch import Tensor, nn

    from netwright.space import SearchSpace
    from netwright.tasks.base import Reference

_log = logging.getLogger(__name__)

Labelled = tuple[Array, NDArray[Any]]
"""Images (N, C, H, W) as stored, ``uint8`` or ``float32``, and their targets: class numbers (N,), or (N, C) of 0, 1."""

_SHOWN = 5


class Labels(Protocol):
    """The classes of a task, and how labels become targets, such as `netwright.tasks.labels.Classes`."""

    @property
    def values(self) -> tuple[int, ...] | tuple[str, ...]:
        """The label of each class."""

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each class."""

    def encode(self, labels: Array, where: str) -> NDArray[Any]:
        """Targets (N, ...)."""


class ImageTask:
    """A set of labelled images, split, and checked before anything is trained.

    A subclass sets ``name``, ``objective``, ``directions`` and ``metric_ranges`` and gives `loss`, `scores`, and what
    labels are: `_learn`, `_counts`, `_check_enough`, `_split_off`.

    Args:
        raw: the set as its format gives it.
        layout: order of the axes of four-dimensional arrays.
        split: how missing parts are split off.
        cache: where images are kept in files instead of memory.
        pretrained: weights that each training begins with.

    Raises:
        DataError: the data cannot be used; says which part, how many values or rows, and the first of them.
    """

    name: ClassVar[str]
    objective: ClassVar[Objective]
    directions: ClassVar[Mapping[str, Direction]]
    metric_ranges: Mapping[str, tuple[float, float]]
    classifies: ClassVar[bool] = False
    runtime: ClassVar[str] = "image"
    input_dtype = "float32"
    full_epochs: float | None = None
    lengths = None

    def __init__(
        self,
        raw: RawData,
        *,
        layout: Layout = "auto",
        split: SplitOptions | None = None,
        cache: ArrayFiles | None = None,
        pretrained: Path | None = None,
    ) -> None:
        self.split, self._cache, self.pretrained = split or SplitOptions(), cache, pretrained
        self.data_name = printable(raw.name)
        self._layout = layout if raw.layout == "auto" else raw.layout
        _check_counts(raw)
        self.classes = self._learn(raw)
        train, validation, self._test_part = self._split(raw)
        self._given = (raw.validation is not None, raw.test is not None)
        parts = [(part, part.images()) for part in (train, validation)]
        shape = self._shape(train)
        self.input_shape: tuple[int, ...] = shape[:3]
        self._pixels = PixelFormat.learn([(images, part.where) for part, images in parts])
        self._train, self._validation = (
            (self._encode(images, part), self._encode_labels(part)) for part, images in parts
        )
        self.mean, self.std = moments(self._train[0], self.scale)
        self.notes = (*raw.notes, *self._check_classes())
        for note in self.notes:
            _log.warning("%s: %s", self.data_name, note)
        self._test_reads = 0

    # --- what a subclass says of its labels

    def _learn(self, raw: RawData) -> Labels:
        """The classes of the training labels."""
        raise NotImplementedError

    def _counts(self, targets: NDArray[Any]) -> NDArray[np.int64]:
        """Examples of each class (C,)."""
        raise NotImplementedError

    def _check_enough(self, targets: NDArray[Any], needed: int, where: str) -> None:
        """Refuse too few examples to split."""
        raise NotImplementedError

    def _split_off(self, part: Part, targets: NDArray[Any], share: float, seed: int) -> tuple[Part, Part]:
        """Split a part in what is kept and what is taken."""
        raise NotImplementedError

    def _mirrors(self) -> bool:
        """Whether images may be mirrored."""
        raise NotImplementedError

    def _facts(self) -> list[Json]:
        """What else a training depends on, for the fingerprint; nothing where all options are left as they are."""
        return [] if self.pretrained is None else [hashlib.sha256(self.pretrained.read_bytes()).hexdigest()]

    # --- data

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
        """Training images (N, C, H, W), not scaled, and targets (N, ...). Not a copy: do not write to them."""
        return self._train

    def validation(self) -> Labelled:
        """Validation images and targets, as `train`."""
        return self._validation

    def test(self) -> Labelled:
        """Read the test part, for the last step of a search. Each call reads it again, and is counted.

        Raises:
            DataError: its images cannot be read, or have other values than the training images.
        """
        self._test_reads += 1
        part = self._test_part
        return self._encode(part.images(), part), self._encode_labels(part)

    def fingerprint(self) -> str:
        """Digest of the training and validation data, classes and split; the test part is not read for it."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        shapes = [[str(a.dtype), list(a.shape)] for pair in (self._train, self._validation) for a in pair]
        facts = [self.name, shapes, [str(v) for v in self.classes.values], self.scale, self.split.seed, *self._facts()]
        state = hashlib.blake2b(json.dumps(facts).encode(), digest_size=16)
        for array in (*self._train, *self._validation):
            update_digest(state, array)
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
            runtime=self.runtime,
        )

    @cached_property
    def mirrors(self) -> bool:
        """Whether classes survive mirroring, see `netwright.tasks.augmentation.mirroring_helps`."""
        return self._mirrors()

    def to_input(self, stored: Tensor) -> Tensor:
        """Stored pixels (B, C, H, W) as network input: float32, divided by the scale, channels last in memory."""
        import torch

        return stored.to(torch.float32).div_(self.scale).contiguous(memory_format=torch.channels_last)

    def augmentation(self, shift: float, flip: bool) -> Augmentation:
        """Random shifts and mirroring."""
        return Augmentation(shift_pixels(shift, *self.input_shape[-2:]), flip)

    def final_scores(self, network: nn.Module, part: str) -> Mapping[str, float]:
        """The metrics of the search are all there are."""
        return {}

    def recipe(self) -> Mapping[str, Value]:
        """The recipe's defaults were measured on this task."""
        return {}

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
            >>> from netwright.tasks import load_task
            >>> load_task("image-classification", "digits").data_line().split("; ")[0]
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
        counts = self._counts(y)
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
            train, test = self._split_off(train, self._encode_labels(train), self.split.test_share, TEST_SEED)
        if validation is None:
            labels = self._encode_labels(train)
            train, validation = self._split_off(train, labels, self.split.share_for(len(labels)), self.split.seed)
        return train, validation, test

    def _encode(self, images: Array, part: Part) -> Array:
        return self._pixels.encode(images, self._shape(part), part.where, self._cache)

    def _encode_labels(self, part: Part) -> NDArray[Any]:
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

    def _check_classes(self) -> list[str]:
        """Say which classes a part lacks; that is allowed, since the metrics are still defined."""
        notes = []
        for part, labels in (("validation", self._validation[1]), ("test", self._encode_labels(self._test_part))):
            absent = np.flatnonzero(self._counts(labels) == 0).tolist()
            names = ", ".join(repr(self.class_names[number]) for number in absent[:_SHOWN])
            if absent:
                notes.append(f"{len(absent)} class(es) have no {part} images: {names}")
        return notes


def arrays(
    train: tuple[Array, Array], test: tuple[Array, Array] | None, validation: tuple[Array, Array] | None
) -> RawData:
    """The set that arrays in memory are: images and labels of each part."""
    parts = [
        None if pair is None else ArrayPart(f"the {name} part", np.asarray(pair[0]), np.asarray(pair[1]))
        for name, pair in (("training", train), ("validation", validation), ("test", test))
    ]
    assert parts[0] is not None
    return RawData("arrays", parts[0], parts[1], parts[2])


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
