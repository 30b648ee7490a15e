"""One network in one runtime, measured: warm-up, repeats until the number is certain, spread, machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import CapabilityError, SpecError, wrong
from netwright.evaluation.latency.base import Array
from netwright.evaluation.latency.device import measure_on_device
from netwright.evaluation.latency.int8 import onnx_of
from netwright.evaluation.latency.runtimes import LOCAL, Prepared, require_runtime
from netwright.evaluation.latency.spec import LatencySpec
from netwright.evaluation.latency.timing import Timing, time_repeatedly
from netwright.evaluation.machine import Machine, describe_machine
from netwright.runtimes import DEVICE
from netwright.types import Json

if TYPE_CHECKING:
    from torch import nn

_SAME = 1e-3
"""Largest difference between the outputs of a runtime and of PyTorch, relative to the largest output (at least 1)."""


@dataclass(frozen=True, slots=True)
class Latency:
    """A measured latency of one batch.

    Args:
        timing: median, spread, and whether the machine was quiet.
        spec: what was measured.
        machine: where: this machine, or what a device elsewhere is called.
    """

    timing: Timing
    spec: LatencySpec
    machine: Machine | str

    @property
    def median_ms(self) -> float:
        """Half of the repeats were faster."""
        return self.timing.median_ms

    @property
    def p90_ms(self) -> float:
        """Nine in ten repeats were faster."""
        return self.timing.p90_ms

    @property
    def interval_ms(self) -> tuple[float, float]:
        """95 % confidence interval of the median."""
        return self.timing.interval_ms

    @property
    def repeats(self) -> int:
        """Measured runs."""
        return self.timing.repeats

    @property
    def noisy(self) -> bool:
        """Whether the machine was at work with something else, or its speed changed: do not trust the number."""
        return bool(self.timing.noise)

    def __str__(self) -> str:
        low, high = self.interval_ms
        note = f"; NOISY machine: {self.timing.noise}" if self.noisy else ""
        precision = "" if self.spec.precision == "float32" else f" {self.spec.precision}"
        return (
            f"{self.median_ms:.3f} ms ({low:.3f} to {high:.3f}, p90 {self.p90_ms:.3f}, {self.repeats} repeats, batch "
            f"{self.spec.batch}, {self.spec.threads} thread(s), {self.spec.runtime}{precision}; {self.machine}{note})"
        )

    def to_dict(self) -> dict[str, Json]:
        """JSON object."""
        machine: Json = self.machine if isinstance(self.machine, str) else {**self.machine.to_dict()}
        timing = {**asdict(self.timing), "interval_ms": list(self.interval_ms)}
        return {**timing, "noisy": self.noisy, "spec": asdict(self.spec), "machine": machine}


def measure_latency(
    model: nn.Module, input_shape: tuple[int, ...], spec: LatencySpec | None = None, *, examples: Array | None = None
) -> Latency:
    """Measure how long a network takes for one batch, on the CPU or on a device elsewhere.

    See `timing.time_repeatedly` for how often it is run, and `device.measure_on_device` for a device.

    Args:
        model: on the CPU; is put into evaluation mode.
        input_shape: of one example, such as (3, 32, 32).
        spec: batch, threads, runtime, precision, budget.
        examples: (N, *input shape) float32 or int64 inputs of the network, N >= 1; needed for int64, and for networks
            whose time depends on the data; random ones in [0, 1) otherwise. The ranges of int8 are measured on them.

    Raises:
        MissingDependencyError: the runtime is not installed.
        CapabilityError: the network cannot be exported to the runtime, or gives other outputs there.
        TrialError: a device elsewhere does not answer with a latency.
        SpecError: the examples do not fit.
    """
    spec = spec or LatencySpec()
    require_runtime(spec)
    inputs = fitting_examples(input_shape, spec, examples)
    model.eval()
    if spec.runtime == DEVICE:
        return Latency(*_on_device(model, inputs, spec))
    with LOCAL[spec.runtime].prepare(model, inputs, spec) as network:
        if spec.precision == "float32":
            require_same(model, network, inputs[: spec.batch], spec)
        timing = time_repeatedly(network.run, spec.budget_s)
    return Latency(timing, spec, describe_machine())


def fitting_examples(input_shape: tuple[int, ...], spec: LatencySpec, examples: Array | None) -> Array:
    """At least a batch of inputs: those given, repeated where they are too few, or random ones.

    Raises:
        SpecError: there are none, they have another shape or dtype, or a batch does not fit into memory.
    """
    try:
        return _fitting_examples(input_shape, spec, examples)
    except MemoryError as error:
        allowed = f"few enough examples of shape {tuple(input_shape)} to fit into memory"
        raise SpecError(wrong("batch", spec.batch, allowed, "give a smaller one")) from error


def _fitting_examples(input_shape: tuple[int, ...], spec: LatencySpec, examples: Array | None) -> Array:
    if examples is None:
        return np.random.default_rng(0).random((spec.batch, *input_shape), dtype=np.float32)
    if len(examples) == 0 or examples.shape[1:] != tuple(input_shape) or examples.dtype not in (np.float32, np.int64):
        shape = ", ".join(map(str, input_shape))
        raise SpecError(wrong("examples", f"{examples.dtype} {examples.shape}", f"float32 or int64 (N >= 1, {shape})"))
    missing = max(0, spec.batch - len(examples))
    return np.concatenate([examples, np.take(examples, range(missing), axis=0, mode="wrap")]) if missing else examples


def require_same(model: nn.Module, network: Prepared, x: Array, spec: LatencySpec) -> None:
    """Check that a runtime computes what PyTorch computes; NaN equals NaN.

    Raises:
        CapabilityError: it does not: a time of something else would be measured.
    """
    if spec.runtime == "torch":
        return
    with LOCAL["torch"].prepare(model, x, spec) as original:
        wanted = original.outputs(x)
    found = network.outputs(x)
    limit = _SAME * max(1.0, float(np.max(np.abs(wanted), initial=0.0, where=np.isfinite(wanted))))
    if found.shape != wanted.shape or not np.allclose(found, wanted, rtol=0.0, atol=limit, equal_nan=True):
        raise CapabilityError(
            f"in {spec.runtime} the network gives other outputs than in PyTorch: shape {found.shape} for {wanted.shape}"
            if found.shape != wanted.shape
            else f"in {spec.runtime} the network gives other outputs than in PyTorch: they differ by "
            f"{float(np.nanmax(np.abs(found - wanted))):.3g}, allowed are {limit:.3g}"
        )


def _on_device(model: nn.Module, inputs: Array, spec: LatencySpec) -> tuple[Timing, LatencySpec, str]:
    timing, name = measure_on_device(onnx_of(model, inputs, spec), spec)
    return timing, spec, name
