"""A search on a task's images ends in its time, with architectures of the space within the limits."""

from __future__ import annotations

import time
from importlib import import_module

import numpy as np
import pytest
import torch

from netwright import nn
from netwright.errors import UsageError
from netwright.space import SearchSpace, choice
from netwright.supernet.differentiable import AlarmOptions, Batches, EpochRecord, Found, Options, Signs, of_task
from netwright.supernet.differentiable.of_task import derive_architectures
from netwright.tasks.image_classification import ImageClassification
from netwright.types import Architecture, Constraint


@pytest.fixture(scope="module")
def task() -> ImageClassification:
    """Four classes of 8 x 8 images: a bright row in one of four places, in noise."""
    rng = np.random.default_rng(0)
    y = np.arange(480) % 4
    x = rng.integers(0, 160, (480, 8, 8, 1))
    x[np.arange(480), 2 * y] += 80
    return ImageClassification.from_arrays((x.astype(np.uint8), y), layout="HWC")


def space() -> SearchSpace:
    width = choice("width", [4, 8])
    kinds = {"conv": nn.conv_norm_act(width, choice("kernel", [1, 3])), "wide": nn.conv_norm_act(width, 5)}
    return SearchSpace(nn.seq(nn.one_of("kind", kinds), nn.flatten(), nn.linear(4)))


def test_it_ends_in_time_and_keeps_limits(task: ImageClassification) -> None:
    """Several architectures, all different and within the limit; the images of validation and test are not read."""
    began_s = time.monotonic()
    options = Options(epochs=3, arch_learning_rate=0.05, limits=(Constraint.parse("params<=1300"),))
    found = derive_architectures(task, space(), "darts", budget_s=20.0, count=3, options=options)
    assert len(set(found)) == len(found) <= 3
    assert all(space().contains(a) and a["width"] == 4 for a in found)
    assert derive_architectures(task, space(), "gdas", budget_s=2.0)[0] in set(space().enumerate())
    assert time.monotonic() - began_s < 60
    assert task.test_reads == 0


def test_unknown_methods_and_no_time_are_refused(task: ImageClassification) -> None:
    """By name, with the nearest known one."""
    with pytest.raises(UsageError, match="unknown method 'dart'; did you mean 'darts'"):
        derive_architectures(task, space(), "dart", budget_s=1.0)
    with pytest.raises(UsageError, match="budget_s must be > 0"):
        derive_architectures(task, space(), budget_s=0.0)


def test_a_short_time_is_searched_in_ten_epochs_of_a_part_of_the_examples(
    task: ImageClassification, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rates, temperatures and penalties change with the epochs, so there are several however short the time is."""
    monkeypatch.setattr(of_task, "BATCH_SIZE", 2)
    given: list[Options] = []

    def fake(space: SearchSpace, train: Batches, valid: Batches, options: Options | None = None) -> Found:
        assert options is not None
        given.append(options)
        records = []
        for epoch in range(options.epochs):
            steps = sum(time.sleep(0.002) is None for _ in train)
            signs = Signs(0.0, 0.0, "", 0.0, 0.0)
            records.append(EpochRecord(epoch, 0.0, 0.0, 0.0, {}, Architecture({}), signs, steps))
        return Found("fake", Architecture({}), {}, {}, tuple(records), 0.0, None, False, ())

    monkeypatch.setattr(import_module("netwright.supernet.differentiable"), "METHODS", {"fake": fake})
    found = of_task.search_task(task, space(), "fake", Options(alarm=AlarmOptions(stop=True)), budget_s=0.8)
    probe, search = given
    assert (probe.epochs, probe.alarm.stop, search.alarm.stop) == (2, False, True)
    assert search.epochs == 10
    steps = {record.steps for record in found.history}
    assert len(steps) == 1
    num_batches = len(task.train()[1]) // 4
    assert 1 <= steps.pop() < num_batches
    assert of_task.passes(found, task) == pytest.approx(10 * found.history[0].steps / num_batches)


def test_what_follows_an_epoch_takes_time_from_its_steps() -> None:
    """Times are those of the reads; where the ends of epochs would take more than half, there are fewer epochs."""
    pace = of_task.Pace.of([0.0, 5.0, 6.0, 8.0, 9.0, 10.0], 13.0)
    assert pace == of_task.Pace(step_s=1.0, epoch_s=2.0, end_s=3.0)
    assert pace.planned(100.0, 1000) == (10, 8)
    assert pace.planned(20.0, 1000) == (5, 2)
    assert pace.planned(-1.0, 1000) == (1, 1)


def test_no_examples_are_refused() -> None:
    nothing = np.zeros((0, 8, 8, 1), dtype=np.uint8)
    with pytest.raises(UsageError, match="training examples of a half must be >= 1, got 0; give at least two"):
        of_task.InMemory(nothing, np.zeros(0, dtype=np.int64), torch.Tensor.float, 0)
