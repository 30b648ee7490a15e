"""What a verification found: the comparisons of outputs, the metrics measured again, and what failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

from netwright.types import Json

Runtime = Literal["torch", "onnxruntime"]
FORBID: dict[str, object] = {"extra": "forbid", "strict": True, "allow_inf_nan": False}
"""How pydantic validates the records of a card: no unknown keys, no conversions, no NaN."""

_FILES: Mapping[Runtime, str] = {"torch": "model.py with weights.safetensors", "onnxruntime": "model.onnx"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Outputs of an exported file against the outputs recorded when it was exported.

    Args:
        runtime: what computed them.
        batch: how many inputs it got at once.
        max_abs_difference: largest absolute difference; infinity and NaN are written as the largest float.
        tolerance: what is allowed.
        equal: whether they are equal bit for bit.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = FORBID

    runtime: Runtime
    batch: int
    max_abs_difference: float
    tolerance: float
    equal: bool

    def to_dict(self) -> dict[str, Json]:
        """JSON object that says in words what was compared with what, and how it came out.

        Example:
            >>> shown = Comparison("onnxruntime", 1, 2e-6, 1e-4, equal=False).to_dict()
            >>> shown["within_tolerance"], shown["equal_bit_for_bit"]
            (True, False)
        """
        inputs = "fixed inputs one at a time" if self.batch == 1 else f"{self.batch} fixed inputs together"
        return {
            "compared": f"outputs of {_FILES[self.runtime]} for {inputs}, with those of the network of the search",
            "runtime": self.runtime,
            "batch": self.batch,
            "max_abs_difference": self.max_abs_difference,
            "tolerance": self.tolerance,
            "within_tolerance": self.max_abs_difference <= self.tolerance,
            "equal_bit_for_bit": self.equal,
        }


@dataclass(frozen=True, slots=True)
class Remeasured:
    """Right answers counted again through an exported file.

    Args:
        split: ``validation`` or ``test``.
        runtime: what computed the outputs.
        examples: number of examples.
        correct: right answers now.
        recorded: right answers according to the card's accuracy; None where the card has none.
        tolerance: how many may differ: borderline examples that another order of summation decides otherwise.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = FORBID

    split: str
    runtime: Runtime
    examples: int
    correct: int
    recorded: float | None
    tolerance: int

    def to_dict(self) -> dict[str, Json]:
        """JSON object with what came out: ``within_tolerance``, None where there is nothing to compare with."""
        kept = None if self.recorded is None else abs(self.recorded - self.correct) <= self.tolerance
        return {
            "compared": f"right answers of {_FILES[self.runtime]} on the {self.split} split, with the card's accuracy",
            **asdict(self),
            "within_tolerance": kept,
        }


@dataclass(frozen=True, slots=True)
class Rescored:
    """A metric measured again through an exported file, where it is no count of right answers.

    Args:
        split: ``validation`` or ``test``.
        runtime: what computed the outputs.
        examples: number of examples.
        metric: its name.
        value: what it is now.
        recorded: according to the card; None where the card has none.
        tolerance: by how much the two may differ: what one example in a thousand that is decided otherwise makes.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = FORBID

    split: str
    runtime: Runtime
    examples: int
    metric: str
    value: float
    recorded: float | None
    tolerance: float

    @property
    def is_kept(self) -> bool | None:
        """Whether both agree; None where there is nothing to compare with."""
        return None if self.recorded is None else abs(self.recorded - self.value) <= self.tolerance

    def to_dict(self) -> dict[str, Json]:
        """JSON object with what came out."""
        return {
            "compared": f"{self.metric} of {_FILES[self.runtime]} on the {self.split} split, with the card's",
            **asdict(self),
            "within_tolerance": self.is_kept,
        }


@dataclass(frozen=True, slots=True)
class Check:
    """The result of a verification.

    Args:
        passed: whether nothing failed.
        comparisons: of the outputs, one a runtime and batch.
        remeasured: of the accuracy, one a split and runtime; empty where no examples were given.
        rescored: of other metrics, the same.
        failures: what is wrong, with the numbers, one sentence each.
        notes: what was not checked and why, and what a reader should know (an edited file that was allowed).
        params: number of trained parameters of the network as loaded.
        versions: of torch, python and onnxruntime that did the checking.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = FORBID

    passed: bool
    comparisons: tuple[Comparison, ...] = ()
    remeasured: tuple[Remeasured, ...] = ()
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    params: int | None = None
    versions: tuple[tuple[str, str], ...] = ()
    rescored: tuple[Rescored, ...] = ()

    @property
    def metric_measured_again(self) -> bool:
        """Whether a metric of the card was compared with one measured now."""
        recorded = [*(one.recorded for one in self.remeasured), *(one.recorded for one in self.rescored)]
        return any(value is not None for value in recorded)

    def to_dict(self) -> dict[str, Json]:
        """JSON object of it all, with ``metric_measured_again``; comparisons say in words what was compared."""
        return {
            **asdict(self),
            "metric_measured_again": self.metric_measured_again,
            "comparisons": [one.to_dict() for one in self.comparisons],
            "remeasured": [one.to_dict() for one in self.remeasured],
            "rescored": [one.to_dict() for one in self.rescored],
        }
