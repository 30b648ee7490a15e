"""Latency: measured, repeated, described."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from netwright.errors import CapabilityError, MissingDependencyError, SpecError
from netwright.evaluation.latency import (
    RUNTIMES,
    Latency,
    LatencySpec,
    RuntimeName,
    Unavailable,
    measure_latency,
    measure_several,
    require_runtime,
    runtimes,
)
from netwright.evaluation.machine import describe_machine


class Sleeper(nn.Module):
    """Takes a known time."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.batches: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.batches.append(x.shape[0])
        time.sleep(self.seconds)
        return x


class Branching(nn.Module):
    """Its flow of control depends on the data."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2 if float(x.sum()) > 0 else x - 1


class Sorting(nn.Module):
    """Uses an operation that ONNX has no words for."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.qr(x.flatten(1) @ x.flatten(1).T + torch.eye(x.shape[0]))[0]


def small_network(width: int = 8) -> nn.Sequential:
    """A convolution, a norm, a rectifier and a classifier of three classes for images (2, 8, 8)."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.Flatten(), nn.Linear(64 * width, 3)
    )


def needs(runtime: RuntimeName) -> LatencySpec:
    """A quick measurement in a runtime; the test is skipped where it is not installed."""
    spec = LatencySpec(runtime=runtime, budget_s=0.3)
    try:
        require_runtime(spec)
    except MissingDependencyError as error:
        pytest.skip(str(error))
    return spec


def test_a_known_time_is_measured() -> None:
    """A network that sleeps 5 ms has a median of hardly more, within its own interval, below its p90."""
    found = measure_latency(Sleeper(0.005), (1, 2, 2), LatencySpec(batch=3, budget_s=0.4))
    assert 5.0 <= found.median_ms < 8.0
    assert found.interval_ms[0] <= found.median_ms <= found.interval_ms[1]
    assert found.median_ms <= found.p90_ms
    assert found.repeats >= 20


def test_a_batch_larger_than_memory_is_refused() -> None:
    """With the argument and a cure."""
    with pytest.raises(SpecError, match=r"batch must be few enough examples of shape \(1, 2, 2\) .*; give a smaller"):
        measure_latency(Sleeper(0.0), (1, 2, 2), LatencySpec(batch=10**15, budget_s=0.1))


def test_the_batch_is_what_was_asked_for() -> None:
    """Each run passes that many images, in evaluation mode, and threads are put back."""
    model = Sleeper(0.0).train()
    before = torch.get_num_threads()
    measure_latency(model, (1, 2, 2), LatencySpec(batch=4, threads=2, budget_s=0.05))
    assert set(model.batches) == {4}
    assert not model.training
    assert torch.get_num_threads() == before


def test_threads_are_put_back_after_an_error() -> None:
    """A network that raises leaves the number of threads as it was, and its error is not hidden."""
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        measure_latency(nn.Linear(3, 2), (4,), LatencySpec(threads=before + 1, budget_s=0.05))
    assert torch.get_num_threads() == before


def test_random_state_is_left_as_found() -> None:
    """Measuring draws nothing from torch's or numpy's global generators."""
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    for runtime in ("torch", "onnxruntime"):
        measure_latency(nn.Flatten(), (2, 8, 8), replace(needs(runtime), budget_s=0.05))
    assert expected == torch.rand(1)


@pytest.mark.parametrize("runtime", ["torch", "onnxruntime", "openvino"])
def test_two_networks_rank_by_their_work(runtime: RuntimeName) -> None:
    """A network with sixteen times the work is slower in each runtime."""
    spec = needs(runtime)
    small, large = (
        nn.Sequential(nn.Conv2d(8, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 8, 3, padding=1))
        for width in (8, 128)
    )
    slow, fast = (measure_latency(model, (8, 32, 32), spec).median_ms for model in (large, small))
    assert slow > 2 * fast


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")  # torch's own, while it compiles
@pytest.mark.parametrize("runtime", ["torch.compile", "executorch"])
def test_slow_compilers_measure_too(runtime: RuntimeName) -> None:
    """A small network is compiled, gives the outputs of PyTorch, and has a latency with an interval."""
    found = measure_latency(small_network(), (2, 8, 8), needs(runtime))
    assert 0 < found.interval_ms[0] <= found.median_ms <= found.interval_ms[1] < 1000
    assert found.repeats >= 3


@pytest.mark.parametrize("runtime", ["torch", "onnxruntime", "openvino"])
@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (nn.Flatten(), (2, 8, 8)),  # without parameters
        (Branching(), (2, 8, 8)),
        (nn.Sequential(nn.Flatten(), nn.BatchNorm1d(128)), (2, 8, 8)),  # a batch of one, in training mode before
        (nn.Sequential(nn.Linear(4, 4), nn.Tanh()), (4,)),  # without ReLU
    ],
    ids=["no-parameters", "branching", "batch-norm", "no-relu"],
)
def test_odd_networks_are_measured(runtime: RuntimeName, model: nn.Module, shape: tuple[int, ...]) -> None:
    """Networks without parameters, without ReLU, with branches, or with statistics of a batch have a latency."""
    found = measure_latency(model.train(), shape, needs(runtime))
    assert found.median_ms > 0


@pytest.mark.filterwarnings("ignore")
def test_a_network_that_does_not_export_leaves_the_other_runtimes() -> None:
    """The runtime is named as unavailable for it, with the reason; torch goes on."""
    specs = [needs("onnxruntime"), LatencySpec(budget_s=0.1)]
    refused, measured = measure_several(Sorting(), (3,), specs)
    assert isinstance(refused, Unavailable)
    assert refused.reason.startswith("the network does not export to ONNX: ")
    assert not refused.missing
    assert isinstance(measured, Latency)


def test_a_missing_runtime_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not installed is named with the command that installs it; the others are measured."""
    monkeypatch.setattr(runtimes.importlib.util, "find_spec", lambda name: None)
    missing, measured = measure_several(
        nn.Flatten(), (2,), [LatencySpec(runtime="openvino"), LatencySpec(budget_s=0.05)]
    )
    assert isinstance(missing, Unavailable)
    assert missing.missing
    expected = "latency in openvino needs the package 'onnx', which is not installed; "
    assert missing.reason == expected + "install it with: pip install 'netwright[openvino]'"
    assert isinstance(measured, Latency)


def test_a_runtime_that_computes_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time of other outputs than PyTorch's is none."""
    spec = needs("onnxruntime")
    onnxruntime = pytest.importorskip("onnxruntime")
    original = onnxruntime.InferenceSession.run
    monkeypatch.setattr(
        onnxruntime.InferenceSession, "run", lambda *args: [out + 1 for out in original(*args)], raising=True
    )
    with pytest.raises(CapabilityError, match=r"in onnxruntime the network gives other outputs.* differ by 1, allowed"):
        measure_latency(small_network(), (2, 8, 8), spec)


def test_a_network_that_gives_nan_is_measured() -> None:
    """NaN outputs are the network's own affair: they are the same in the runtime."""
    model = small_network()
    with torch.no_grad():
        model[0].weight.fill_(float("nan"))
    assert measure_latency(model, (2, 8, 8), needs("onnxruntime")).median_ms > 0


def test_the_number_comes_with_its_machine() -> None:
    """The text says runtime, threads, batch, repeats and the machine; the JSON object too."""
    found = measure_latency(Sleeper(0.0), (1,), LatencySpec(budget_s=0.05))
    assert not isinstance(found.machine, str)
    text = str(found)
    assert all(part in text for part in ("torch", "1 thread(s)", "batch 1", "repeats", found.machine.cpu))
    assert describe_machine().cores >= 1
    assert found.to_dict()["machine"] == found.machine.to_dict()


def test_given_examples_are_what_runs() -> None:
    """The first of the examples are passed, and repeated where they are fewer than a batch."""
    seen: list[list[float]] = []

    class Remember(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x[:, 0].tolist())
            return x

    examples = np.asarray([[1.0], [2.0]], dtype=np.float32)
    measure_latency(Remember(), (1,), LatencySpec(batch=3, budget_s=0.01), examples=examples)
    assert seen[0] == [1.0, 2.0, 1.0]


@pytest.mark.parametrize("examples", [np.zeros((0, 2), np.float32), np.zeros((1, 3), np.float32), np.zeros((1, 2))])
def test_examples_that_do_not_fit_are_refused(examples: np.ndarray) -> None:
    """None at all, another shape, and another dtype."""
    with pytest.raises(SpecError, match=r"examples must be float32 or int64 \(N >= 1, 2\), got"):
        measure_latency(nn.Flatten(), (2,), examples=examples)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 0}, "batch must be a whole number >= 1, got 0"),
        ({"batch": True}, "batch must be a whole number >= 1, got True"),
        ({"threads": 1.5}, "threads must be a whole number >= 1, got 1.5"),
        ({"budget_s": 0.0}, "budget_s must be > 0 and finite"),
        ({"budget_s": float("nan")}, "budget_s must be > 0 and finite"),
        ({"runtime": "onnx"}, f"unknown runtime 'onnx'.* known: {', '.join(sorted(RUNTIMES))}"),
        ({"precision": "int4"}, "unknown precision 'int4'; did you mean 'int8'"),
        ({"precision": "int8"}, "precision must be float32 in torch, got 'int8'; int8 runs in: onnxruntime, openvino"),
        ({"runtime": "device"}, "device_command must be a program and its arguments"),
        ({"runtime": "device", "device_command": "run 'x"}, "No closing quotation.*; close the quote"),
        ({"runtime": "device", "device_command": "a\0b"}, "device_command must be a program"),
        ({"runtime": "device", "device_command": "x", "device_limit_s": -1.0}, "device_limit_s must be > 0"),
        ({"device_command": "x"}, "device_command must be empty for the runtime 'torch'"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], message: str) -> None:
    """Each option has a range, and the message says it."""
    with pytest.raises(SpecError, match=message):
        LatencySpec(**options)  # type: ignore[arg-type]
