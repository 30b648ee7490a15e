"""The protocol of a task: data, what is learned from it, what is measured on it, and where a search starts.

A task knows its data, the loss of a network's outputs and how to score them; it does not know strategies, stores or
processes, nor how a network is trained. Arrays are numpy until a training loop turns batches into tensors, so that
loading runs no torch operation. `netwright.tasks.learning.LearningTask` has defaults for most of what is asked here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from netwright.space import SearchSpace
from netwright.space.terms import Term
from netwright.types import Architecture, Objective, Value

if TYPE_CHECKING:
    from torch import Tensor, nn

Examples = tuple[NDArray[Any], NDArray[Any]]
"""Inputs (N, *input shape) as stored, and targets (N, ...): class numbers, values, or rows padded to one length."""

Direction = Literal["max", "min"]


@dataclass(frozen=True)
class Reference:
    """A hand-made network a search starts from and is compared with."""

    name: str
    architecture: Architecture


class Augmenting(Protocol):
    """Changes training examples at random."""

    def apply(self, stored: Tensor, targets: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """A batch as it is shown; the generator is drawn from in the same way whatever the examples are."""


@dataclass(frozen=True)
class ExportInfo:
    """What an exported network must know of its data.

    Args:
        task: name of the task.
        input_shape: of one example as the network gets it, without the batch; images are (C, H, W).
        scale: what stored values are divided by before the network sees them.
        class_names: name of each output, where outputs are classes; else empty.
        mean: of each channel of the scaled training inputs; empty where that has no meaning.
        std: standard deviation of the same.
        value_range: lowest and highest network input; an image file's 0 to 255 is mapped linearly to it.
        input_dtype: ``float32``, or ``int64`` for tokens.
        output_shape: of one example's outputs; empty for one output a class.
        runtime: what ``model.py`` can read and print: a name in `netwright.export.runtimes`; empty for arrays alone.
        constants: what that needs to know, by upper-case name; written into ``model.py``.
        num_values: bound of whole-number inputs, such as the size of a vocabulary.
    """

    task: str
    input_shape: tuple[int, ...]
    scale: float = 1.0
    class_names: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    value_range: tuple[float, float] = (0.0, 1.0)
    input_dtype: str = "float32"
    output_shape: tuple[int, ...] = ()
    runtime: str = ""
    constants: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    num_values: int = 2


class Task(Protocol):
    """What a search needs of a task."""

    @property
    def name(self) -> str:
        """As `netwright search --task` takes it."""

    @property
    def objective(self) -> Objective:
        """The main metric, such as accuracy, max."""

    @property
    def directions(self) -> Mapping[str, Direction]:
        """All metrics that `scores` gives but the loss, and in which direction each is better."""

    @property
    def metric_ranges(self) -> Mapping[str, tuple[float, float]]:
        """Least and greatest value of each metric; a value outside is a fault of the trial."""

    @property
    def classifies(self) -> bool:
        """Whether targets are one class number an example, outputs one logit a class, and the metric accuracy."""

    @property
    def data_name(self) -> str:
        """What the data is called, for people."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example as the network gets it, without the batch, such as (3, 32, 32)."""

    @property
    def input_dtype(self) -> str:
        """``float32``, or ``int64`` for tokens."""

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of a network's outputs for one example, such as (10,)."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class; empty where outputs are no classes."""

    @property
    def work(self) -> float:
        """What one example costs to train on beside others, in pixels of an image; only plans follow from it."""

    @property
    def full_epochs(self) -> float | None:
        """Passes after which networks of the default space gain little; None to go by the number of examples."""

    @property
    def lengths(self) -> NDArray[Any] | None:
        """(N,) of the training examples, where those of like lengths are to be trained on together; else None."""

    @property
    def num_scored(self) -> int:
        """Examples that the end of a search scores: validation and test."""

    @property
    def mirrors(self) -> bool:
        """Whether examples may be mirrored left and right; False for what are no images."""

    def train(self) -> Examples:
        """Training examples, as stored. Not a copy: do not write to them."""

    def validation(self) -> Examples:
        """Validation examples, as `train`."""

    def test(self) -> Examples:
        """Read the test examples, for the last step of a search."""

    def to_input(self, stored: Tensor) -> Tensor:
        """A batch of stored values as the network gets it."""

    def augmentation(self, shift: float, flip: bool) -> Augmenting | None:
        """What is done to training examples; None for nothing.

        Args:
            shift: largest shift as part of the smaller side, for images.
            flip: whether to mirror.
        """

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """What training lowers: a scalar, the mean over the batch."""

    def scores(self, answers: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Metrics of a network's outputs, ``loss`` among them; the same however examples are cut into batches.

        Args:
            answers: outputs and their targets, batch by batch; to be read once.
        """

    def final_scores(self, network: nn.Module, part: str) -> Mapping[str, float]:
        """What is measured of the best network alone, and asks it for more than its outputs, such as translations.

        Args:
            network: trained.
            part: of the data, ``test``.
        """

    def recipe(self) -> Mapping[str, Value]:
        """Numbers of the training recipe that differ from the defaults of `netwright.evaluation.recipe.Recipe`."""

    def network(self, space: SearchSpace, arch: Architecture) -> Term:
        """The network of an architecture with what this data needs in front of it."""

    def normalised(self, network: Term) -> Term:
        """A network with what this data needs in front of it."""

    def default_space(self) -> SearchSpace:
        """The search space used when none is given, fitted to the data's shape and number of outputs."""

    def references(self) -> tuple[Reference, ...]:
        """Hand-made networks, points of the default space."""

    def portfolio(self) -> tuple[Architecture, ...]:
        """Points of the default space that did well on other data: tried first, after the references."""

    def narrowed(self, admits: Callable[[Architecture], bool]) -> tuple[Reference, ...]:
        """Those of the references and the portfolio that are not admitted, made smaller until they are."""

    def fingerprint(self) -> str:
        """Digest of the data and its splits; a study refuses to resume on other data."""

    def export_info(self) -> ExportInfo:
        """What an exported network must know."""

    def data_line(self) -> str:
        """What is learned from, in one line."""

    def summary(self) -> str:
        """What a person checks before a search: counts, shapes, examples, notes. The test part is not read for it."""
