"""What most tasks have in common: derive from one of these and say what is different.

`LearningTask` holds examples and answers everything a search asks; a subclass gives a loss, scores and a space.
`ClassifyingTask` adds what all tasks share whose targets are one class number an example.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError, SpecError, wrong
from netwright.space import SearchSpace
from netwright.space.terms import OpTerm, Term
from netwright.tasks.base import Augmenting, Direction, Examples, ExportInfo, Reference, Task
from netwright.tasks.batch_size import epochs_of, fitting_batch_size
from netwright.tasks.losses import class_loss, class_scores
from netwright.tasks.numbering import OUTPUTS, Numbering, classes
from netwright.types import Architecture, Objective, Value

if TYPE_CHECKING:
    from torch import Tensor, nn

PIXELS = 784.0
"""An example of a task that does not say what it costs counts as much as an image of 28 x 28."""

_VALUES_AT_ONCE = 1 << 22
"""Values of examples that are looked at together."""


class LearningTask:
    """Examples in memory, and defaults for all that a search asks of a task.

    A subclass sets ``name``, ``objective`` and ``directions`` and gives `loss`, `scores` and `default_space`.

    Args:
        train: inputs (N, ...) as stored, and targets (N, ...).
        validation: the same, to compare networks on.
        test: the same, read at the end only; a function where reading it is to wait until then.
        num_test: how many test examples there are, where ``test`` is a function.
        data_name: for people.
        seed: of the splits, for the fingerprint.
        notes: what a person should know of the data.

    Raises:
        DataError: a part is empty, has not as many targets as inputs, is no array of numbers, or holds NaN or infinite
            values.
    """

    name: ClassVar[str] = ""
    objective: ClassVar[Objective]
    directions: ClassVar[Mapping[str, Direction]]
    metric_ranges: ClassVar[Mapping[str, tuple[float, float]]] = MappingProxyType({})
    classifies: ClassVar[bool] = False
    input_dtype: ClassVar[str] = "float32"
    mirrors = False
    full_epochs: float | None = None
    least_steps: ClassVar[int] = 0
    """Steps of a training below which networks are ranked badly, all alike or by how fast they begin; 0 to go by the
    examples."""
    final_examples: float = 0.0
    """What `final_scores` costs: so many training examples are learned from in the same time."""
    class_names: tuple[str, ...] = ()

    def __init__(
        self,
        train: Examples,
        validation: Examples,
        test: Examples | Callable[[], Examples],
        *,
        num_test: int | None = None,
        data_name: str = "arrays",
        seed: int = 0,
        notes: tuple[str, ...] = (),
    ) -> None:
        self._train, self._validation, self._test = train, validation, test
        self._num_test = num_test if callable(test) and num_test is not None else 0
        self.data_name, self.seed, self.notes = data_name, seed, notes
        self.test_reads = 0
        parts = {"training": train, "validation": validation}
        if not callable(test):
            parts["test"], self._num_test = test, len(test[1])
        for part, (inputs, targets) in parts.items():
            if len(inputs) == 0 or len(inputs) != len(targets):
                raise DataError(f"the {part} part has {len(inputs)} inputs and {len(targets)} targets; one each, > 0")
            for what, array in (("inputs", inputs), ("targets", targets)):
                _require_numbers(array, f"{what} of the {part} part")
                _require_finite(array, f"{what} of the {part} part")

    # --- data

    def train(self) -> Examples:
        """Training examples, as stored. Not a copy: do not write to them."""
        return self._train

    def validation(self) -> Examples:
        """Validation examples, as `train`."""
        return self._validation

    def test(self) -> Examples:
        """The test examples; each call is counted."""
        self.test_reads += 1
        return self._test() if callable(self._test) else self._test

    @property
    def num_scored(self) -> int:
        """Validation and test examples."""
        return len(self._validation[1]) + self._num_test

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example as the network gets it."""
        return tuple(self._train[0].shape[1:])

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of a network's outputs for one example; that of the targets unless a subclass says otherwise."""
        return tuple(self._train[1].shape[1:])

    @property
    def work(self) -> float:
        """What one example costs, in pixels of an image."""
        return PIXELS

    @property
    def least_epochs(self) -> float | None:
        """Passes below which networks are ranked badly: as many as make `least_steps`; None to go by the examples."""
        if not self.least_steps:
            return None
        count = len(self._train[1])
        given = self.recipe().get("batch_size")
        batch_size = given if isinstance(given, int) else fitting_batch_size(count)
        return min(self.full_epochs or math.inf, epochs_of(self.least_steps, count, batch_size))

    @cached_property
    def _fingerprint(self) -> str:
        shapes = [[str(a.dtype), list(a.shape)] for pair in (self._train, self._validation) for a in pair]
        state = hashlib.blake2b(json.dumps([self.name, shapes, self.seed]).encode(), digest_size=16)
        for array in (*self._train, *self._validation):
            state.update(np.ascontiguousarray(array).data)
        return state.hexdigest()

    def fingerprint(self) -> str:
        """Digest of the training and validation data; the test part is not read for it."""
        return self._fingerprint

    def data_line(self) -> str:
        """What is learned from, in one line."""
        shape = " x ".join(map(str, self.input_shape)) or "1"
        counts = f"train {len(self._train[1])}, validation {len(self._validation[1])}, test {self._num_test}"
        return f"{self.data_name}: {shape}; {counts}"

    def summary(self) -> str:
        """What a person checks before a search."""
        return "\n".join([f"{self.name} on {self.data_line()}", *(f"note: {note}" for note in self.notes)])

    @property
    def lengths(self) -> NDArray[Any] | None:
        """(N,) by which training examples are put together; None where all are alike."""
        return None

    @property
    def numbering(self) -> Numbering:
        """What the numbers of tokens and classes stand for, which are others in other data."""
        return {OUTPUTS: classes(self.class_names)} if self.class_names else {}

    def tests_what_was_learned(self, there: Task) -> bool:
        """Whether something may be validated or tested on here that another reading of the same data trains on.

        Here: whether an input is trained on there, and not here. Where options change the inputs, that is all of them.

        Args:
            there: the task, read from the same data with another seed or other options.
        """
        return trains_on_others(there, self)

    # --- learning

    def to_input(self, stored: Tensor) -> Tensor:
        """A batch of stored values as the network gets it: real numbers as float32, tokens as int64."""
        import torch

        return stored.to(torch.int64 if self.input_dtype == "int64" else torch.float32)

    def augmentation(self, shift: float, flip: bool) -> Augmenting | None:
        """What is done to training examples: nothing, here."""
        return None

    def final_scores(self, network: nn.Module, part: str) -> Mapping[str, float]:
        """What is measured of the best network alone: nothing, here."""
        return {}

    def recipe(self) -> Mapping[str, Value]:
        """Numbers of the recipe that differ from the defaults: none, here."""
        return {}

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """What training lowers."""
        raise NotImplementedError

    def scores(self, answers: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Metrics of outputs, ``loss`` among them; the same however examples are cut into batches."""
        raise NotImplementedError

    # --- networks

    def network(self, space: SearchSpace, arch: Architecture) -> Term:
        """The network of an architecture with what this data needs in front of it."""
        return self.normalised(space.resolve(arch))

    def normalised(self, network: Term) -> Term:
        """A network with what this data needs in front of it: `front`, where a subclass gives it."""
        front = self.front()
        return network if front is None else OpTerm("seq", children=(front, network))

    def front(self) -> OpTerm | None:
        """An operation in front of every network, such as a normalisation."""
        return None

    def default_space(self) -> SearchSpace:
        """The search space used when none is given."""
        raise SpecError(f"the task {self.name} has no search space of its own; give one (space)")

    def references(self) -> tuple[Reference, ...]:
        """Hand-made networks, points of the default space."""
        return ()

    def portfolio(self) -> tuple[Architecture, ...]:
        """Points of the default space that did well on other data."""
        return ()

    def narrowed(self, admits: Callable[[Architecture], bool]) -> tuple[Reference, ...]:
        """Hand-made networks that are not admitted, made smaller: none, here."""
        return ()

    def export_info(self) -> ExportInfo:
        """What an exported network must know."""
        return ExportInfo(
            task=self.name,
            input_shape=self.input_shape,
            class_names=self.class_names,
            input_dtype=self.input_dtype,
            output_shape=self.output_shape,
            runtime="array",
        )


class ClassifyingTask(LearningTask):
    """A task whose targets are one class number an example.

    Args:
        train: inputs (N, ...) as stored, and class numbers (N,) from 0; or (N, L), of which negative ones do not count.
        validation: the same.
        test: the same, or a function that reads it.
        class_names: of the classes in the order of their numbers.
        others: as of `LearningTask`.

    Raises:
        DataError: as of `LearningTask`, or targets are no class numbers.
    """

    objective = Objective("accuracy", "max")
    directions = MappingProxyType({"accuracy": "max"})
    metric_ranges = MappingProxyType({"accuracy": (0.0, 1.0), "loss": (0.0, float("inf"))})
    classifies = True

    def __init__(
        self,
        train: Examples,
        validation: Examples,
        test: Examples | Callable[[], Examples],
        class_names: tuple[str, ...],
        **others: object,
    ) -> None:
        super().__init__(train, validation, test, **others)  # type: ignore[arg-type]
        self.class_names = class_names
        self._train = self._numbered(train, "training")
        self._validation = self._numbered(validation, "validation")
        if not callable(test):
            self._test = self._numbered(test, "test")

    def test(self) -> Examples:
        """The test examples; each call is counted."""
        return self._numbered(super().test(), "test")

    def _numbered(self, examples: Examples, part: str) -> Examples:
        """Examples whose targets are class numbers as int64."""
        inputs, targets = examples
        return inputs, class_numbers(targets, len(self.class_names), f"targets of the {part} part")

    @property
    def num_classes(self) -> int:
        """Number of classes C."""
        return len(self.class_names)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """One logit a class."""
        return (self.num_classes,)

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Mean cross entropy in nats."""
        return class_loss(outputs, targets, label_smoothing)

    def scores(self, answers: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """``accuracy`` and ``loss``."""
        return class_scores(answers)


def trains_on_others(there: Task, here: Task) -> bool:
    """Whether a task trains on an input that another does not train on.

    Args:
        there: whose training inputs are looked for.
        here: among whose training inputs.
    """
    theirs, ours = there.train()[0], here.train()[0]
    if (theirs.dtype, theirs.shape[1:]) != (ours.dtype, ours.shape[1:]):
        return True
    known = set(map(_digest, ours))
    return any(_digest(row) not in known for row in theirs)


def _digest(row: NDArray[Any]) -> bytes:
    return hashlib.blake2b(row.tobytes(), digest_size=16).digest()


def any_moved(learned: Iterable[str], known: Collection[str], held_out: Collection[str]) -> bool:
    """Whether something that was learned, and is not learned here, is held out here.

    Example:
        >>> any_moved("abc", "ab", "cd"), any_moved("abc", "ab", "d")
        (True, False)
    """
    return not set(learned).difference(known).isdisjoint(held_out)


def class_numbers(targets: NDArray[Any], num_classes: int, what: str) -> NDArray[np.int64]:
    """Check class numbers.

    Args:
        targets: numbers (N,) of the classes from 0; or (N, L), of which negative ones do not count.
        num_classes: C.
        what: they are called in messages.

    Returns:
        The same as int64, which losses take.

    Raises:
        DataError: one is no whole number, or none of a class.

    Example:
        >>> class_numbers(np.array([0.0, 2.0]), 3, "targets")
        array([0, 2])
    """
    below = 0 if targets.ndim == 1 else np.iinfo(np.int64).min
    strange = (targets >= num_classes) | (targets < below)
    if targets.dtype.kind == "f":
        strange |= targets != np.rint(targets)
    if strange.any():
        allowed = f"class numbers from 0 to {num_classes - 1}" + (" (negative ones do not count)" if below else "")
        first = targets[strange][0].item()
        raise DataError(wrong(what, first, allowed, "number the classes in the order of class_names"))
    return targets.astype(np.int64, copy=False)


def _require_numbers(array: object, what: str) -> None:
    """Refuse what is no array of numbers, such as tensors, lists and texts."""
    dtype = getattr(array, "dtype", None)
    if not isinstance(dtype, np.dtype) or dtype.kind not in "biuf":
        got = f"{type(array).__name__} of {dtype}" if dtype is not None else type(array).__name__
        cure = "give tensor.numpy() for tensors, and numbers for texts"
        raise DataError(f"{what} must be a numpy array of numbers, got {got}; {cure}")


def _require_finite(array: NDArray[Any], what: str) -> None:
    if array.dtype.kind != "f":
        return
    step = max(1, _VALUES_AT_ONCE // max(1, math.prod(array.shape[1:])))
    for start in range(0, len(array), step):  # in pieces: a view of overlapping windows is larger than what it shows
        finite = np.isfinite(array[start : start + step])
        if not finite.all():
            first = start + int(np.flatnonzero(~finite.reshape(len(finite), -1).all(axis=1))[0])
            raise DataError(f"{what}: example {first} has values that are not finite; mend or leave out such examples")


def cost_in_pixels(values: float) -> float:
    """What an example of so many positions costs beside an image of as many pixels; at least that of 8 x 8.

    Example:
        >>> cost_in_pixels(10), cost_in_pixels(1000)
        (64.0, 1000.0)
    """
    return float(max(64.0, math.ceil(values)))
