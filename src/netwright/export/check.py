"""What a verification found: the comparisons of outputs, the metrics measured again, and what failed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

from netwright.types import Json

Runtime = Literal["torch", "onnxruntime"]
FORBID: dict[str, object] = {"extra": "forbid", "strict": True, "allow_inf_nan": False}
"""How pydantic validates the records of a card: no unknown keys, no conversions, no NaN."""


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


@dataclass(frozen=True, slots=True)
class Check:
    """The result of a verification.

    Args:
        passed: whether nothing failed.
        comparisons: of the outputs, one a runtime.
        remeasured: of the metrics, one a split and runtime.
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

    def to_dict(self) -> dict[str, Json]:
        """JSON object of it all."""
        return asdict(self)
