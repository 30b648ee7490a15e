"""The card of an exported network: what it is, how good it is, where it comes from, and what was checked.

A card is data that anybody may have written. Nothing of it is used as a path or run; `Card.from_json` refuses what is
not a card of ours. Knows nothing of torch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Literal, Union

from netwright.errors import SpecError, shorten, wrong
from netwright.export.check import FORBID, Check
from netwright.types import Architecture, Constraint, Objective, Scalar

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FORMAT: Literal["netwright-card-1"] = "netwright-card-1"
FileName = Literal["model.py", "weights.safetensors", "model.onnx"]
MAX_CARD_BYTES = 16 << 20
Decision = Union[Scalar, list[object]]
"""A decision as JSON has it; lists hold decisions."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A constraint, what the network has, and whether it holds.

    Args:
        metric: name of the limited quantity.
        relation: ``<=`` or ``>=``.
        bound: what is allowed.
        value: what the network has; None where it was not measured.
        holds: whether it is kept; None where it was not measured.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = FORBID

    metric: str
    relation: Literal["<=", ">="]
    bound: float
    value: float | None
    holds: bool | None

    @classmethod
    def of(cls, constraint: Constraint, metrics: Mapping[str, float]) -> Limit:
        """Look up what a constraint limits.

        Example:
            >>> Limit.of(Constraint.parse("params<=200k"), {"params": 78_000.0}).holds
            True
        """
        value = metrics.get(constraint.metric)
        kept = (
            None
            if value is None
            else (value <= constraint.bound if constraint.relation == "<=" else value >= constraint.bound)
        )
        return cls(constraint.metric, constraint.relation, constraint.bound, value, kept)


@dataclass(frozen=True, slots=True)
class Compared:
    """The best hand-made reference network, and by how much the found one is better.

    Args:
        name: of the reference.
        metrics: of the reference.
        metric: the one compared.
        margin: how much better the found network is: positive where it is better, in either direction.
        beaten: whether ``margin`` > 0.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = FORBID

    name: str
    metrics: dict[str, float]
    metric: str
    margin: float
    beaten: bool

    @classmethod
    def of(cls, name: str, metrics: Mapping[str, float], found: Mapping[str, float], objective: Objective) -> Compared:
        """Compare a reference with what was found.

        Example:
            >>> Compared.of("resnet", {"accuracy": 0.5}, {"accuracy": 0.75}, Objective("accuracy", "max")).margin
            0.25
        """
        margin = objective.sign * (metrics[objective.metric] - found[objective.metric]) + 0.0  # 0.0 instead of -0.0
        return cls(name, dict(metrics), objective.metric, margin, margin > 0)


@dataclass(frozen=True, slots=True)
class Latency:
    """How fast the network answers, and what that was measured on.

    Args:
        runtime: such as ``torch`` or ``onnxruntime``, with its version.
        batch: examples a call.
        threads: of the runtime.
        machine: processor and system.
        median_ms: milliseconds a call, median over repeats.
        p90_ms: 90th percentile.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = FORBID

    runtime: str
    batch: int
    threads: int
    machine: str
    median_ms: float
    p90_ms: float


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A trial the network descends from: its id, its parents' ids, and where it came from (``mutation``)."""

    __pydantic_config__: ClassVar[dict[str, object]] = FORBID

    trial: int
    parents: tuple[int, ...] = ()
    origin: str = ""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """An exported file: its SHA-256 in hexadecimal, and its size."""

    __pydantic_config__: ClassVar[dict[str, object]] = FORBID

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Probe:
    """The outputs on fixed inputs that were computed by the network of the search, in the searching process.

    Args:
        seed: of the inputs (see `netwright.export.probe.probe_inputs`).
        batch: number of inputs.
        num_values: bound of integer inputs.
        threads: of torch when they were computed.
        shape: of the outputs.
        sha256: of the outputs' bytes as float64, little-endian.
        values: the first outputs, at most 4,096, in C order.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = FORBID

    seed: int
    batch: int
    num_values: int
    threads: int
    shape: tuple[int, ...]
    sha256: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class InputRecord:
    """The network's input: shape without the batch, dtype, and how raw values are scaled (see `ExportInfo`)."""

    __pydantic_config__: ClassVar[dict[str, object]] = FORBID

    shape: tuple[int, ...]
    dtype: str
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Export:
    """What `export_network` itself adds to a card.

    Args:
        input: of the network.
        files: by their names.
        probe: outputs to compare with.
        opset: of the ONNX file; None without one.
        onnx_note: why there is no ONNX file; empty with one.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = FORBID

    input: InputRecord
    files: dict[FileName, FileRecord]
    probe: Probe
    opset: int | None = None
    onnx_note: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """Everything said about an exported network.

    Args:
        task: name of the task.
        metrics: numbers by metric name: ``test_accuracy``, ``validation_accuracy``, ``params``, ``macs`` and so on.
        architecture: the decisions, as JSON values.
        class_names: names of the outputs; `export_network` fills them in where they are empty.
        constraints: the limits of the search and whether they hold.
        latency: how it was measured, where it was.
        reference: the best hand-made network and the difference, where there was one.
        seed: of the search.
        trial: id of the trial; None for a network that no search found.
        lineage: the trial and those it descends from, the youngest first.
        data: fingerprint of the data.
        versions: of netwright, torch, python and so on, of the search; the export fills in those missing.
        export: written by `export_network`.
        check: result of the verification at export.
        remarks: what whoever uses the network should know, such as that it was not trained fully.
        task_options: options with which the task's data was read.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = FORBID

    task: str
    metrics: dict[str, float]
    architecture: dict[str, Decision]
    class_names: tuple[str, ...] = ()
    constraints: tuple[Limit, ...] = ()
    latency: Latency | None = None
    reference: Compared | None = None
    seed: int | None = None
    trial: int | None = None
    lineage: tuple[Ancestor, ...] = ()
    data: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    export: Export | None = None
    check: Check | None = None
    remarks: tuple[str, ...] = ()
    task_options: dict[str, str | int | float | bool] = field(default_factory=dict)
    format: Literal["netwright-card-1"] = FORMAT

    def __post_init__(self) -> None:
        Architecture(self.architecture)  # refuses objects among the decisions
        for name, value in self.metrics.items():
            if not math.isfinite(value):
                raise SpecError(wrong(f"metrics[{name!r}]", value, "finite", "leave out what was not measured"))

    def to_json(self) -> str:
        """Indented JSON text, keys in the order of the fields, in ASCII."""
        return json.dumps(asdict(self), indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Card:
        """Read what `to_json` wrote.

        Raises:
            SpecError: it is anything else: no JSON, another format, an unknown key, a value of another type.

        Example:
            >>> card = Card("image-classification", {"params": 78000}, {"width": 16})
            >>> Card.from_json(card.to_json()) == card
            True
        """
        from pydantic import ValidationError

        if len(text) > MAX_CARD_BYTES:
            raise SpecError(wrong("card.json", f"{len(text)} bytes", f"at most {MAX_CARD_BYTES} bytes"))
        try:
            return _adapter().validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
            cure = "give the folder that an export wrote, unchanged"
            raise SpecError(
                f"card.json: {shorten(where)}: {first['msg']}, got {shorten(first['input'])}{more}; {cure}"
            ) from None


@cache
def _adapter() -> TypeAdapter[Card]:
    from pydantic import TypeAdapter

    return TypeAdapter(Card)
