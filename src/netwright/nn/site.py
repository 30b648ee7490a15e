"""What an emitter is given: the operation, what flows into it, and where in the network it stands.

Emitters read arguments through `Site`, whose errors name the operation, its path and the shapes. Knows no torch.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal, NoReturn, Protocol

from netwright.errors import BuildError, wrong
from netwright.nn.code import Code
from netwright.space.terms import OpTerm, Term
from netwright.types import Value

Layout = Literal["", "channels first", "channels last"]


@dataclass(frozen=True)
class Flow:
    """What passes between two operations.

    Args:
        shape: without the batch; images are (C, H, W), sequences (L, D), vectors (D,).
        dtype: of its values, as torch names it (``float32``, ``int64``).
        layout: where the channels are, if an operation has settled it; images are always channels first.
        depth: longest chain of layers with weight matrices so far.
        padded: whether positions that hold no token are zeros, see `netwright.nn.emitters.padding`.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    layout: Layout = ""
    depth: int = 0
    padded: bool = False

    @property
    def is_float(self) -> bool:
        """Whether gradients can pass."""
        return "float" in self.dtype

    @property
    def rank(self) -> int:
        """Number of dimensions, without the batch."""
        return len(self.shape)

    @property
    def channels_last(self) -> bool:
        """Whether the channels are the last dimension."""
        return self.rank == 1 or self.layout == "channels last"

    @property
    def channels(self) -> int:
        """Number of channels (features)."""
        return self.shape[-1] if self.channels_last else self.shape[0]

    @property
    def spatial(self) -> tuple[int, ...]:
        """The shape without the channels."""
        return self.shape[:-1] if self.channels_last else self.shape[1:]

    @property
    def channel_dim(self) -> int:
        """Dimension of the channels in a batch."""
        return self.rank if self.channels_last else 1

    @property
    def size(self) -> int:
        """Number of values of one example."""
        return math.prod(self.shape)

    def reshaped(self, shape: tuple[int, ...], layout: Layout | None = None, deeper: int = 0) -> Flow:
        """The flow after an operation that changes the shape."""
        return replace(self, shape=shape, layout=self.layout if layout is None else layout, depth=self.depth + deeper)

    def with_channels(self, channels: int, spatial: tuple[int, ...] | None = None, deeper: int = 0) -> Flow:
        """The flow with other channels, and perhaps another extent, in the same layout."""
        extent = self.spatial if spatial is None else spatial
        shape = (*extent, channels) if self.channels_last else (channels, *extent)
        return self.reshaped(shape, deeper=deeper)

    def __str__(self) -> str:
        return f"{self.shape} {self.dtype}"


@dataclass(frozen=True)
class Emitted:
    """The expression of an operation, and what flows out of it."""

    code: Code
    flow: Flow


@dataclass
class Tally:
    """Size of a network, counted while it is written, for one example.

    Args:
        params: parameters.
        frozen_params: of which are not trained.
        buffer_values: values kept with the weights that are no parameters.
        macs: multiply-accumulates.
        activation_values: values that modules give.
        eval_only: layers that run in evaluation mode only.
    """

    params: int = 0
    frozen_params: int = 0
    buffer_values: int = 0
    macs: int = 0
    activation_values: int = 0
    eval_only: int = 0

    def add(
        self, *, params: int = 0, macs: int = 0, values: int = 0, buffers: int = 0, frozen: int = 0, eval_only: int = 0
    ) -> None:
        """Count one more layer."""
        self.params += params
        self.macs += macs
        self.activation_values += values
        self.buffer_values += buffers
        self.frozen_params += frozen
        self.eval_only += eval_only


STAGE_WIDTH = "@stage_width"
"""First of a pair (this, divisor): a size that is the width of the stage, divided and rounded down."""


class EmitTerm(Protocol):
    """Emits an operation inside another."""

    def __call__(
        self, term: Term, flows: tuple[Flow, ...], path: str, *, width: int | None = ..., copy: str = ...
    ) -> Emitted:
        """Emit it; ``width`` and ``copy`` are those around it, if they are others than before (see `Site`)."""


@dataclass(frozen=True)
class Site:
    """An operation at its place.

    Args:
        term: the operation.
        flows: what comes in; all but the parts of a chain of cells have one.
        path: its place in the network, such as ``seq[2].residual.conv``.
        emit_term: emits an operation inside it.
        tally: counts the layers written.
        width: channels of the stage around it, if there is one.
        copy: tells apart the times that an operation is written which is declared once.
    """

    term: OpTerm
    flows: tuple[Flow, ...]
    path: str
    emit_term: EmitTerm
    tally: Tally
    width: int | None = None
    copy: str = ""

    def place(self, role: str) -> str:
        """Name of the weights of one of its layers; empty where the network's operations do not know their sites.

        Args:
            role: of the layer in the operation.
        """
        return self.term.site and f"{self.term.site}{self.copy}:{role}"

    @property
    def flow(self) -> Flow:
        """What comes in."""
        return self.flows[0]

    def fail(self, reason: str) -> NoReturn:
        """Reject the operation.

        Raises:
            BuildError: always.
        """
        shapes = ", ".join(str(flow) for flow in self.flows)
        raise BuildError(f"{self.term.kind} at {self.path}: {reason} (input {shapes})")

    def child(self, index: int, flow: Flow | None = None) -> Emitted:
        """Emit an operation inside this one, on what comes in or on another flow."""
        child = self.term.children[index]
        number = f"[{index}]" if len(self.term.children) > 1 else ""
        return self.emit_term(child, self.flows if flow is None else (flow,), f"{self.path}{number}")

    def integer(self, name: str, minimum: int = 1, default: int | None = None) -> int:
        """A whole-number argument; 8.0 counts as 8, which arithmetic on choices may give."""
        value = self._sized(self.term.arg(name, default))
        number = _whole(value)
        if number is None or number < minimum:
            self.fail(wrong(name, value, f"a whole number >= {minimum}"))
        return number

    def _sized(self, value: Value) -> Value:
        """The value, or the number of channels it stands for."""
        if not isinstance(value, tuple) or len(value) != 2 or value[0] != STAGE_WIDTH:
            return value
        divisor = _whole(value[1])
        if self.width is None:
            self.fail("has the width of a stage, and stands in none; put it into nn.stages(...)")
        if divisor is None or divisor < 1:
            self.fail(wrong("divisor", value[1], "a whole number >= 1"))
        return self.width // divisor

    def integers(self, name: str, count: int, minimum: int = 1, default: Value = None) -> tuple[int, ...]:
        """One whole number for each of ``count`` dimensions; a single one stands for all."""
        value = self.term.arg(name, default)
        parts = value if isinstance(value, tuple) else (value,) * count
        numbers = tuple(_whole(part) for part in parts)
        if len(numbers) != count or any(n is None or n < minimum for n in numbers):
            self.fail(wrong(name, value, f"a whole number >= {minimum} or {count} of them"))
        return tuple(n for n in numbers if n is not None)

    def row(self, name: str, minimum: int = 1) -> tuple[int, ...]:
        """As many whole numbers as the argument holds."""
        value = self.term.arg(name)
        return self.integers(name, len(value) if isinstance(value, tuple) else 1, minimum)

    def flag(self, name: str, default: bool = False) -> bool:
        """A yes-or-no argument."""
        value = self.term.arg(name, default)
        if not isinstance(value, bool):
            self.fail(wrong(name, value, "True or False"))
        return value

    def number(self, name: str, low: float, high: float, default: float = 0.0) -> float:
        """A real argument in ``[low, high]``."""
        value = self.term.arg(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            self.fail(wrong(name, value, f"a number in [{low:g}, {high:g}]"))
        return float(value)

    def word(self, name: str, allowed: Collection[str], default: str = "") -> str:
        """An argument that is one of several words."""
        value = self.term.arg(name, default)
        if not isinstance(value, str) or value not in allowed:
            self.fail(wrong(name, value, f"one of {', '.join(sorted(allowed))}"))
        return value

    def need_float(self, cure: str = "put an embedding before it") -> None:
        """Reject whole-number inputs, such as tokens."""
        if not self.flow.is_float:
            self.fail(f"needs real numbers, gets {self.flow.dtype}; {cure}")

    def need_channels_first(self, dims: int) -> None:
        """Reject inputs that are not (C, extent in ``dims`` dimensions), and what torch has no layers for."""
        self.need_float()
        self.need_dims(dims)
        if self.flow.rank != dims + 1:
            form = ("C, L", "C, H, W", "C, D, H, W")[dims - 1]
            self.fail(f"needs ({form}), gets {self.flow.rank} dimensions")
        if self.flow.channels_last:
            self.fail("needs channels first, gets a sequence (L, D); put nn.to_channels() before it")

    def need_dims(self, dims: int) -> None:
        """Reject numbers of extents that torch has no layers for."""
        if not 1 <= dims <= 3:
            self.fail(f"needs 1, 2 or 3 extents besides the channels, gets {dims}")

    def need_sequence(self) -> None:
        """Reject inputs that are not (L, D)."""
        self.need_float()
        if self.flow.rank != 2:
            cure = "use nn.over_positions(...) or nn.to_sequence()" if self.flow.rank > 2 else "keep the sequence"
            self.fail(f"needs a sequence (L, D), gets {self.flow.rank} dimensions; {cure}")
        if self.flow.layout == "channels first":
            self.fail("needs a sequence (L, D), gets channels first (C, L); put nn.to_sequence() before it")

    def dims(self) -> int:
        """Number of extents: argument ``dims``, or what the input has."""
        return self.integer("dims") if self.term.arg("dims") is not None else max(self.flow.rank - 1, 1)


def _whole(value: Value) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, float) and value.is_integer() else None
