"""How long a network takes for one batch, measured: warm-up, repeats until the number is certain, spread, machine.

Runtimes: ``torch`` (eager) and ``onnxruntime`` where it is installed. Knows nothing of training and constraints.
"""

from __future__ import annotations

import io
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from netwright.errors import CapabilityError, MissingDependencyError, SpecError, unknown, wrong
from netwright.evaluation.machine import Machine, describe_machine

if TYPE_CHECKING:
    from torch import nn

Runtime = Literal["torch", "onnxruntime"]
RUNTIMES: tuple[Runtime, ...] = ("torch", "onnxruntime")

_MIN_REPEATS = 20
_BLOCK = 10
_NARROW = 0.02
_NOISY = 0.10
_Z = 1.96


@dataclass(frozen=True, slots=True)
class LatencySpec:
    """What latency is meant.

    Args:
        batch: images at once, >= 1.
        threads: of the runtime, >= 1.
        runtime: ``torch`` or ``onnxruntime``.
        budget_s: most seconds spent on one network, > 0.

    Raises:
        SpecError: one of them is wrong.
    """

    batch: int = 1
    threads: int = 1
    runtime: Runtime = "torch"
    budget_s: float = 1.5

    def __post_init__(self) -> None:
        if self.runtime not in RUNTIMES:
            raise SpecError(unknown("runtime", str(self.runtime), RUNTIMES))
        for name in ("batch", "threads"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise SpecError(wrong(name, value, "a whole number >= 1"))
        if not 0 < self.budget_s < math.inf:
            raise SpecError(wrong("budget_s", self.budget_s, "> 0 and finite"))


@dataclass(frozen=True, slots=True)
class Latency:
    """A measured latency of one batch.

    Args:
        median_ms: half of the repeats were faster.
        p90_ms: nine in ten were faster.
        interval_ms: 95 % confidence interval of the median (by order statistics).
        repeats: measured runs.
        spec: what was measured.
        machine: where.
        noisy: the medians of ten consecutive parts of the measurement spread by more than 10 %: do not trust it.
    """

    median_ms: float
    p90_ms: float
    interval_ms: tuple[float, float]
    repeats: int
    spec: LatencySpec
    machine: Machine
    noisy: bool

    def __str__(self) -> str:
        low, high = self.interval_ms
        note = "; NOISY machine" if self.noisy else ""
        return (
            f"{self.median_ms:.3f} ms ({low:.3f} to {high:.3f}, p90 {self.p90_ms:.3f}, {self.repeats} repeats, batch "
            f"{self.spec.batch}, {self.spec.threads} thread(s), {self.spec.runtime}; {self.machine}{note})"
        )


def measure_latency(model: nn.Module, input_shape: tuple[int, ...], spec: LatencySpec | None = None) -> Latency:
    """Measure how long a network takes for one batch on the CPU.

    A fifth of the budget at most is warm-up. Runs are repeated, at least 20 times where the budget allows, until the
    confidence interval of the median is narrower than 2 % of it or the budget is spent.

    Args:
        model: is put into evaluation mode.
        input_shape: of one example, such as (3, 32, 32).
        spec: batch, threads, runtime, budget.

    Raises:
        MissingDependencyError: the runtime is not installed.
        CapabilityError: the network cannot be exported to the runtime.
    """
    spec = spec or LatencySpec()
    x = np.random.default_rng(0).random((spec.batch, *input_shape), dtype=np.float32)
    model.eval()
    run, close = (_torch_runner if spec.runtime == "torch" else _onnx_runner)(model, x, spec)
    try:
        times = np.asarray(_repeat(run, spec.budget_s)) * 1e3
    finally:
        close()
    median, p90 = (float(v) for v in np.percentile(times, (50, 90)))
    return Latency(median, p90, _interval(np.sort(times)), len(times), spec, describe_machine(), _is_noisy(times))


def _repeat(run: Callable[[], object], budget_s: float) -> list[float]:
    start_s = time.perf_counter()
    run()
    while time.perf_counter() - start_s < min(0.2 * budget_s, 0.25):
        run()
    times: list[float] = []
    while True:
        for _ in range(_BLOCK):
            before_s = time.perf_counter()
            run()
            after_s = time.perf_counter()
            times.append(after_s - before_s)
            if after_s - start_s > budget_s:
                return times
        if len(times) >= _MIN_REPEATS:
            low, high = _interval(np.sort(np.asarray(times)))
            if high - low <= _NARROW * float(np.median(times)):
                return times


def _interval(ordered: NDArray[np.float64]) -> tuple[float, float]:
    """95 % interval of the median from order statistics (normal approximation of the binomial)."""
    count = len(ordered)
    half = _Z * math.sqrt(count) / 2
    low, high = math.floor(count / 2 - half), math.ceil(count / 2 + half)
    return float(ordered[max(0, low)]), float(ordered[min(count - 1, high)])


def _is_noisy(times: NDArray[np.float64]) -> bool:
    medians = [float(np.median(part)) for part in np.array_split(times, min(10, max(1, len(times) // 5)))]
    return (max(medians) - min(medians)) > _NOISY * float(np.median(times))


def _torch_runner(
    model: nn.Module, x: NDArray[np.float32], spec: LatencySpec
) -> tuple[Callable[[], object], Callable[[], None]]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(spec.threads)
    tensor = torch.from_numpy(x)

    def run() -> object:
        with torch.inference_mode():
            return model(tensor)

    return run, lambda: torch.set_num_threads(threads)


def _onnx_runner(
    model: nn.Module, x: NDArray[np.float32], spec: LatencySpec
) -> tuple[Callable[[], object], Callable[[], None]]:
    try:
        import onnx  # noqa: F401
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError(error.name or "onnxruntime", "onnx", "latency in onnxruntime") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = spec.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(_to_onnx(model, x), options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: x}
    return (lambda: cast(object, session.run(None, feed))), lambda: None


def _to_onnx(model: nn.Module, x: NDArray[np.float32]) -> bytes:
    import torch

    buffer = io.BytesIO()
    exporter: Any = torch.onnx.export
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter warns of its own future
            exporter(model, (torch.from_numpy(x),), buffer, dynamo=False)
    except (RuntimeError, torch.onnx.OnnxExporterError) as error:
        raise CapabilityError(f"latency in onnxruntime: the network does not export to ONNX: {error}") from error
    return buffer.getvalue()
