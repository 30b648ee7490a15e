"""Latency: measured, repeated, described."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from torch import nn

from netwright.errors import SpecError
from netwright.evaluation.latency import LatencySpec, _interval, _is_noisy, _repeat, measure_latency
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


def test_a_known_time_is_measured() -> None:
    """A network that sleeps 5 ms has a median of hardly more, within its own interval, below its p90."""
    found = measure_latency(Sleeper(0.005), (1, 2, 2), LatencySpec(batch=3, budget_s=0.4))
    assert 5.0 <= found.median_ms < 8.0
    assert found.interval_ms[0] <= found.median_ms <= found.interval_ms[1]
    assert found.median_ms <= found.p90_ms
    assert found.repeats >= 20


def test_the_batch_is_what_was_asked_for() -> None:
    """Each run passes that many images, in evaluation mode, and threads are put back."""
    model = Sleeper(0.0).train()
    before = torch.get_num_threads()
    measure_latency(model, (1, 2, 2), LatencySpec(batch=4, threads=2, budget_s=0.05))
    assert set(model.batches) == {4}
    assert not model.training
    assert torch.get_num_threads() == before


def test_the_budget_is_kept() -> None:
    """A network slower than the budget is measured once or twice, not twenty times."""
    began_s = time.perf_counter()
    found = measure_latency(Sleeper(0.2), (1,), LatencySpec(budget_s=0.1))
    assert time.perf_counter() - began_s < 1.0
    assert 1 <= found.repeats <= 2


def test_a_steady_time_needs_few_repeats() -> None:
    """Repeats stop as soon as the interval is narrow."""
    times = _repeat(lambda: time.sleep(0.01), budget_s=30.0)
    assert len(times) <= 200


def test_the_interval_covers_the_median() -> None:
    """In 400 samples of 51, the 95 % interval holds the true median about as often as it says."""
    rng = np.random.default_rng(0)
    covered = sum(low <= 0 <= high for low, high in (_interval(np.sort(rng.normal(size=51))) for _ in range(400)))
    assert 0.92 * 400 <= covered <= 400


def test_a_drifting_machine_is_called_noisy() -> None:
    """Times that rise by half during the measurement are noisy; times that scatter by a percent are not."""
    rng = np.random.default_rng(0)
    steady = 1 + 0.01 * rng.random(200)
    assert _is_noisy(steady) is False
    assert _is_noisy(steady * np.linspace(1, 1.5, 200)) is True


def test_two_networks_rank_by_their_work() -> None:
    """A network with sixteen times the work is slower, in torch and in ONNX Runtime."""
    small, large = (
        nn.Sequential(nn.Conv2d(8, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 8, 3, padding=1))
        for width in (8, 128)
    )
    for runtime in ("torch", "onnxruntime"):
        if runtime == "onnxruntime":
            pytest.importorskip("onnxruntime")
            pytest.importorskip("onnx")
        spec = LatencySpec(runtime=runtime, budget_s=0.3)  # type: ignore[arg-type]
        slow, fast = (measure_latency(model, (8, 32, 32), spec).median_ms for model in (large, small))
        assert slow > 2 * fast


def test_the_number_comes_with_its_machine() -> None:
    """The text says runtime, threads, batch, repeats and the machine."""
    found = measure_latency(Sleeper(0.0), (1,), LatencySpec(budget_s=0.05))
    text = str(found)
    assert all(part in text for part in ("torch", "1 thread(s)", "batch 1", "repeats", found.machine.cpu))
    assert describe_machine().cores >= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 0}, "batch must be a whole number >= 1, got 0"),
        ({"threads": 1.5}, "threads must be a whole number >= 1, got 1.5"),
        ({"budget_s": 0.0}, "budget_s must be > 0 and finite"),
        ({"runtime": "onnx"}, "unknown runtime 'onnx'; known: onnxruntime, torch"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, float], message: str) -> None:
    """Each option has a range, and the message says it."""
    with pytest.raises(SpecError, match=message):
        LatencySpec(**options)  # type: ignore[arg-type]
