"""A search on a task's images ends in its time, with architectures of the space within the limits."""

from __future__ import annotations

import math
import time
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

import netwright as nw
from netwright import nn
from netwright.errors import SpaceError, SpecError, UsageError
from netwright.space import OpTerm, SearchSpace, choice
from netwright.space.terms import Term
from netwright.supernet.differentiable import AlarmOptions, Batches, EpochRecord, Found, Options, Signs, of_task
from netwright.supernet.differentiable.losses import share_right
from netwright.supernet.differentiable.of_task import derive_architectures
from netwright.supernet.differentiable.relaxed import around
from netwright.tasks.image_classification import ImageClassification
from netwright.tasks.learning import ClassifyingTask, LearningTask
from netwright.tasks.losses import Answers
from netwright.types import Architecture, Constraint, Objective


@pytest.fixture(scope="module")
def task(bright_rows: tuple[np.ndarray, np.ndarray]) -> ImageClassification:
    return ImageClassification.from_arrays(bright_rows, layout="HWC")


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


class Sines(LearningTask):
    """Values of a curve, in a unit of their own, from where they are on it."""

    name, objective, directions = "sines", Objective("rmse", "min"), {"rmse": "min"}

    @classmethod
    def made(cls) -> Sines:
        x = np.linspace(-1, 1, 96, dtype=np.float32)[:, None]
        y = 500 + 100 * np.sin(3 * x)
        return cls((x, y), (x, y), (x, y), data_name="curve")

    def normalised(self, network: Term) -> Term:
        """In the unit of the values: what stands behind a network counts."""
        return OpTerm("seq", children=(network, OpTerm("normalize", (("mean", -5.0), ("std", 0.01)))))

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor, label_smoothing: float = 0.0) -> torch.Tensor:
        return ((outputs - targets) / 100).square().mean()

    def scores(self, answers: Answers) -> dict[str, float]:
        errors = torch.cat([(outputs - targets).square().flatten() for outputs, targets in answers])
        return {"rmse": float(errors.mean().sqrt()), "loss": float(errors.mean()) / 1e4}

    def default_space(self) -> SearchSpace:
        width = choice("width", [8, 16])
        kinds = {"curved": nn.seq(nn.linear(width), nn.tanh()), "zero": nn.seq(nn.linear(width), nn.zero())}
        return SearchSpace(nn.seq(nn.one_of("kind", kinds), nn.linear(1)))


@pytest.mark.parametrize("method", ["darts", "enas"])
def test_a_task_without_classes_is_searched_by_its_own_loss(method: str) -> None:
    """With what stands behind its networks, and with no share of right answers."""
    task = Sines.made()
    options = Options(epochs=12, arch_learning_rate=0.1, wrap=task.normalised)
    found = of_task.search_task(task, task.default_space(), method, options, budget_s=1.0, fits=False, travels=False)
    assert found.architecture["kind"] == "curved"
    assert math.isnan(found.accuracy)
    assert found.history[-1].valid_loss < 1.0  # the deviation is 70, the mean 500
    steps = len(task.train()[1]) // 2 // 16
    assert found.history[0].steps == steps
    assert of_task.passes(found, task) == pytest.approx(12)


@pytest.mark.long
def test_a_search_of_a_task_without_classes_says_nothing_of_accuracy(tmp_path: Path) -> None:
    """Its networks are trained and compared by the task's own metric; another one alone is refused."""
    task = Sines.made()
    given = {"task": task, "strategy": "darts", "budget": "2 trials", "max_epochs": 2.0}
    result = nw.search(**given, out=tmp_path / "run")
    assert [goal.metric for goal in result.objectives] == ["rmse"]
    assert math.isfinite(result.best.metrics["rmse"])
    with pytest.raises(SpecError, match="rmse alone with the strategy darts"):
        nw.search(**given, objectives=["params:min"], out=tmp_path / "other")


def test_the_loss_of_the_task_weighs_what_it_weighs(task: ImageClassification) -> None:
    """Not the plain cross entropy, where the task has another loss."""
    seen: list[float] = []

    class Weighted:
        def __getattr__(self, name: str) -> object:
            return getattr(task, name)

        def loss(self, outputs: torch.Tensor, targets: torch.Tensor, label_smoothing: float = 0.0) -> torch.Tensor:
            found = task.loss(outputs, targets) * 3
            seen.append(float(found.detach()))
            return found

    options = Options(epochs=1, wrap=task.normalised)
    of_task.search_task(Weighted(), space(), "darts", options, budget_s=1.0, fits=False)  # type: ignore[arg-type]
    assert seen


def test_members_of_an_ensemble_answer_together() -> None:
    """What they say in training has a dimension more; without labels there is no share."""
    one = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
    assert share_right(one, torch.tensor([0, 0])) == 0.5
    members = torch.stack([one, torch.tensor([[-9.0, 9.0], [0.0, 2.0]])], dim=1)
    assert share_right(members, torch.tensor([1, 1])) == 1.0
    assert math.isnan(share_right(one, torch.zeros(2)))
    assert math.isnan(share_right(members, torch.zeros(2, 2, dtype=torch.int64)))


def test_latency_is_measured_on_networks_of_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are built for whole numbers, as they are trained."""
    from netwright.evaluation.differentiable_job import DifferentiableJob
    from netwright.evaluation.trainer import TrainingEvaluator

    class Words(ClassifyingTask):
        name, input_dtype = "words", "int64"

        def default_space(self) -> SearchSpace:
            return SearchSpace(nn.seq(nn.embedding(9, choice("width", [4, 8])), nn.global_pool(), nn.linear(2)))

    part = np.arange(24).reshape(8, 3) % 9, np.arange(8) % 2
    words = Words(part, part, part, ("a", "b"))
    evaluator = TrainingEvaluator(words, words.default_space(), work_dir=tmp_path)
    monkeypatch.setattr(evaluator, "measure_latencies", lambda model: {"latency_ms": float(len(list(model.modules())))})
    job = DifferentiableJob(evaluator, evaluator.space, "darts", path=tmp_path / "found.json", budget_s=None)
    assert job._latency(evaluator.space.architecture({"width": 4})) > 1


def test_a_network_within_something_is_not_mixed() -> None:
    """What is put before it and behind it is; a window that is brought to a scale and back is around it."""
    inner = OpTerm("relu")
    before, behind = around(lambda network: OpTerm("seq", children=(inner, network, inner, inner)))
    assert (len(before), len(behind)) == (1, 2)
    assert around(lambda network: network) == ((), ())
    with pytest.raises(SpaceError, match="not within something"):
        around(lambda network: OpTerm("reversible_norm", children=(network,)))
