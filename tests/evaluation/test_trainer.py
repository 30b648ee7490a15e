"""The evaluator that trains, on scikit-learn's digits and on tiny made-up data."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import netwright.evaluation.training as training
from netwright import nn
from netwright.errors import ConstraintViolation, SpecError, TrialError
from netwright.evaluation import Evaluator, LatencySpec, Recipe, TrainerOptions, TrainingEvaluator
from netwright.nn.building import build
from netwright.space import SearchSpace, choice, real
from netwright.tasks.image_classification import ImageClassification
from netwright.types import Architecture, Constraint, Fidelity


@pytest.fixture(scope="module")
def task(bright_rows: tuple[np.ndarray, np.ndarray]) -> ImageClassification:
    return ImageClassification.from_arrays(bright_rows, layout="HWC")


def space(training_choices: Mapping[str, object] | None = None) -> SearchSpace:
    width = choice("width", [4, 8, 64])
    root = nn.seq(nn.conv_norm_act(width, stride=2), nn.conv_norm_act(8), nn.flatten(), nn.linear(4))
    return SearchSpace(root, training=training_choices)  # type: ignore[arg-type]


def evaluator(task: ImageClassification, folder: Path, *limits: str, **options: object) -> TrainingEvaluator:
    return TrainingEvaluator(
        task,
        space(),
        work_dir=folder,
        constraints=[Constraint.parse(limit) for limit in limits],
        options=TrainerOptions(**options),  # type: ignore[arg-type]
    )


ARCH = Architecture({"width": 8})
SHORT = Fidelity(epochs=2)


def scores(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if name not in ("train_time_s", "latency_ms")}


@pytest.fixture
def never_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any training is an error."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("it was trained")

    monkeypatch.setattr(training, "train", refuse)


def test_it_keeps_the_protocol(task: ImageClassification, tmp_path: Path) -> None:
    """It is an evaluator, declares every metric it gives, and gives numbers in the declared ranges."""
    pytest.importorskip("onnxruntime")
    quantised = LatencySpec(runtime="onnxruntime", precision="int8")
    made = evaluator(task, tmp_path, latency=LatencySpec(budget_s=0.05), quantised=quantised)
    made.prepare()
    metrics = made(ARCH, fidelity=SHORT, seed=0)
    assert isinstance(made, Evaluator)
    assert set(metrics) == set(made.metric_ranges)
    assert all(made.metric_ranges[name][0] <= value <= made.metric_ranges[name][1] for name, value in metrics.items())
    assert metrics["epochs"] == 2
    assert metrics["accuracy"] > 0.9


def test_digits_are_learned_in_seconds(tmp_path: Path) -> None:
    """Three epochs of a small network on scikit-learn's digits give more than 95 % of the validation images."""
    pytest.importorskip("sklearn")
    digits = ImageClassification.load("digits", seed=0)
    root = nn.seq(
        nn.conv_norm_act(16),
        nn.conv_norm_act(32, stride=2),
        nn.conv_norm_act(64, stride=2),
        nn.global_pool(),
        nn.linear(10),
    )
    made = TrainingEvaluator(digits, SearchSpace(root), work_dir=tmp_path)
    assert made(Architecture({}), fidelity=Fidelity(epochs=3), seed=0)["accuracy"] > 0.95


def test_the_same_arguments_give_the_same_metrics(task: ImageClassification, tmp_path: Path) -> None:
    """Equal in another folder, and equal again in the same one with its checkpoints; another seed differs."""
    first, again = (scores(evaluator(task, tmp_path / name)(ARCH, fidelity=SHORT, seed=3)) for name in "ab")
    third = scores(evaluator(task, tmp_path / "a")(ARCH, fidelity=SHORT, seed=3))
    other = scores(evaluator(task, tmp_path / "a")(ARCH, fidelity=SHORT, seed=4))
    assert first == again == third
    assert first["loss"] != other["loss"]


def test_a_promoted_trial_goes_on_to_the_same_result(task: ImageClassification, tmp_path: Path) -> None:
    """Longer after shorter equals longer alone, and the shorter one's weights stay."""
    made = evaluator(task, tmp_path / "a")
    made(ARCH, fidelity=SHORT, seed=0)
    before = made.weights_path(ARCH, SHORT, 0).read_bytes()
    promoted = made(ARCH, fidelity=Fidelity(epochs=5), seed=0)
    alone = evaluator(task, tmp_path / "b")(ARCH, fidelity=Fidelity(epochs=5), seed=0)
    assert scores(promoted) == scores(alone)
    assert made.weights_path(ARCH, SHORT, 0).read_bytes() == before


def test_saved_weights_score_as_reported(task: ImageClassification, tmp_path: Path) -> None:
    """The saved state, loaded into a network built anew, gives the reported accuracy and loss."""
    made = evaluator(task, tmp_path)
    metrics = made(ARCH, fidelity=SHORT, seed=0)
    model = build(task.network(space(), ARCH), input_shape=task.input_shape, seed=99)
    model.load_state_dict(load_file(made.weights_path(ARCH, SHORT, 0)))
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    found = training.evaluate(model, made._images(*task.validation()))
    assert found == {"accuracy": metrics["accuracy"], "loss": metrics["loss"]}


@pytest.mark.usefixtures("never_trains")
@pytest.mark.parametrize(
    ("limit", "metric"),
    [("params<=100", "params"), ("macs<=1k", "macs"), ("memory_bytes<=1Ki", "memory_bytes"), ("depth<=2", "depth")],
)
def test_sizes_are_checked_before_training(task: ImageClassification, tmp_path: Path, limit: str, metric: str) -> None:
    """A network over a limit is infeasible, with its sizes, and is never trained."""
    with pytest.raises(ConstraintViolation, match=rf"{metric} is .*, the limit is") as caught:
        evaluator(task, tmp_path, limit)(ARCH, fidelity=SHORT, seed=0)
    assert caught.value.metric == metric
    assert set(caught.value.metrics) == {"params", "macs", "memory_bytes", "depth", "train_cost"}
    assert caught.value.metrics[metric] == caught.value.value > caught.value.bound


def test_a_trained_network_is_scored_in_8_bits_too(task: ImageClassification, tmp_path: Path) -> None:
    """Its accuracy in int8 is a metric like others, near that in float32, and the training is the same with it."""
    pytest.importorskip("onnxruntime")
    plain = evaluator(task, tmp_path / "plain")(ARCH, fidelity=SHORT, seed=0)
    made = evaluator(task, tmp_path / "int8", quantised=LatencySpec(runtime="onnxruntime", precision="int8"))
    found = dict(made(ARCH, fidelity=SHORT, seed=0))
    assert found.pop("int8_accuracy") == pytest.approx(plain["accuracy"], abs=0.1)
    assert scores(found) == scores(plain)
    assert plain["accuracy"] > 0.5


@pytest.mark.usefixtures("never_trains")
def test_latency_is_measured_and_checked_before_training(task: ImageClassification, tmp_path: Path) -> None:
    """A limit on latency is measured, after the sizes, and a network that is too slow is never trained."""
    made = evaluator(task, tmp_path, "latency_ms<=0.0001", latency=LatencySpec(budget_s=0.05))
    with pytest.raises(ConstraintViolation, match="latency_ms is") as caught:
        made(ARCH, fidelity=SHORT, seed=0)
    assert caught.value.metrics["latency_ms"] == caught.value.value > 0


def test_the_size_is_right(task: ImageClassification, tmp_path: Path) -> None:
    """Parameters and multiply-accumulates are those one counts by hand."""
    sizes = evaluator(task, tmp_path).measure_sizes(task.network(space(), ARCH))
    assert sizes["params"] == 9 * 8 + 16 + 9 * 64 + 16 + 128 * 4 + 4
    assert sizes["macs"] == 16 * 9 * 8 + 16 * 9 * 64 + 128 * 4


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory: you tried to"),
        torch.OutOfMemoryError("CUDA out of memory."),
        OSError(12, "Cannot allocate memory"),
    ],
)
def test_running_out_of_memory_is_infeasible(
    task: ImageClassification, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Whichever way memory runs out, the trial is a broken limit on memory, with the sizes known."""

    def run_out(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(training, "train", run_out)
    with pytest.raises(ConstraintViolation, match="memory_bytes is inf") as caught:
        evaluator(task, tmp_path)(ARCH, fidelity=SHORT, seed=0)
    assert caught.value.metrics["params"] == 1196


def test_memory_really_running_out_is_infeasible(task: ImageClassification, tmp_path: Path) -> None:
    """A batch that no machine can hold is a broken limit, not a crash."""
    root = nn.seq(nn.flatten(), nn.linear(2**40), nn.linear(4))
    options = TrainerOptions(memory_bytes=2**62)  # more than there is, so that it is tried
    made = TrainingEvaluator(task, SearchSpace(root), work_dir=tmp_path, options=options)
    with pytest.raises(ConstraintViolation, match="memory_bytes is inf"):
        made(Architecture({}), fidelity=SHORT, seed=0)


@pytest.mark.parametrize(("width", "limit"), [(10**10, None), (10**6, 1 << 20)])
def test_what_cannot_fit_into_memory_is_refused_before_it_is_made(
    task: ImageClassification, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int, limit: int | None
) -> None:
    """More weights than the machine or a trial may hold: infeasible, with the sizes, and nothing is allocated."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("it was made")

    monkeypatch.setattr(TrainingEvaluator, "_build", refuse)
    root = nn.seq(nn.flatten(), nn.linear(width), nn.linear(4))
    options = TrainerOptions(memory_bytes=limit)
    made = TrainingEvaluator(task, SearchSpace(root), work_dir=tmp_path, options=options)
    with pytest.raises(ConstraintViolation, match=r"memory_bytes is .*, the limit is") as caught:
        made(Architecture({}), fidelity=SHORT, seed=0)
    assert caught.value.value == caught.value.metrics["memory_bytes"] > 4 * 4 * 68 * width
    assert caught.value.metrics["params"] == (64 + 1) * width + (width + 1) * 4
    assert limit is None or caught.value.bound == limit


def test_other_errors_stay_errors(task: ImageClassification, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake in the program is not taken for a lack of memory."""

    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(training, "train", fail)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        evaluator(task, tmp_path)(ARCH, fidelity=SHORT, seed=0)


def test_divergence_is_a_failed_trial(task: ImageClassification, tmp_path: Path) -> None:
    """NaN never becomes a metric."""
    recipe = Recipe(optimizer="sgd", learning_rate=100.0, side_learning_rate=100.0, warmup_steps=0)
    root = nn.seq(nn.flatten(), nn.linear(64), nn.linear(64), nn.linear(4))
    made = TrainingEvaluator(task, SearchSpace(root), work_dir=tmp_path, recipe=recipe)
    with pytest.raises(TrialError, match="training diverged"):
        made(Architecture({}), fidelity=Fidelity(epochs=20), seed=0)


def test_a_share_of_the_data_is_a_smaller_training(task: ImageClassification, tmp_path: Path) -> None:
    """An epoch of a quarter of the data has a quarter of the steps."""
    made = evaluator(task, tmp_path)
    counts = [made._batches(Recipe(), Fidelity(1, share), 0).steps_per_epoch for share in (1.0, 0.25)]
    assert counts[0] == 4 * counts[1] + counts[0] % 4
    assert made(ARCH, fidelity=Fidelity(epochs=2, data_share=0.25), seed=0)["epochs"] == 2


def test_a_deadline_ends_the_training(task: ImageClassification, tmp_path: Path) -> None:
    """With a deadline the evaluator returns in time, says how far it came, and its result still is one."""
    deadline_s = time.monotonic() + 5
    made = evaluator(task, tmp_path).with_options(deadline_s=deadline_s)
    metrics = made(ARCH, fidelity=Fidelity(epochs=100_000), seed=0)
    assert time.monotonic() < deadline_s
    assert 1 < metrics["epochs"] < 100_000
    assert metrics["accuracy"] > 0.9


def test_two_processes_give_the_same_metrics(task: ImageClassification, tmp_path: Path) -> None:
    """Sharing the steps changes the time only."""
    one = evaluator(task, tmp_path / "1")(ARCH, fidelity=SHORT, seed=0)
    two = evaluator(task, tmp_path / "2", processes=2)(ARCH, fidelity=SHORT, seed=0)
    assert scores(one) == scores(two)


def test_training_choices_of_the_space_override_the_recipe(task: ImageClassification, tmp_path: Path) -> None:
    """A learning rate that the architecture decides is the one trained with."""
    searched = space({"lr": real("lr", 1e-7, 1e-1, log=True), "batch_size": choice("batch", [16, 32])})
    made = TrainingEvaluator(task, searched, work_dir=tmp_path)
    slow, fast = (
        made(Architecture({"width": 8, "lr": lr, "batch": 16}), fidelity=Fidelity(epochs=3), seed=0)["loss"]
        for lr in (1e-7, 3e-2)
    )
    assert slow > 2 * fast


def test_a_training_choice_that_nobody_reads_is_refused(task: ImageClassification, tmp_path: Path) -> None:
    """A misspelt training choice is found when the evaluator is made."""
    with pytest.raises(SpecError, match=r"unknown training value 'learning_rte'; did you mean 'learning_rate'\?"):
        TrainingEvaluator(task, space({"learning_rte": real("lr", 0.1, 1.0)}), work_dir=tmp_path)


def test_a_limit_on_an_unknown_metric_is_refused(task: ImageClassification, tmp_path: Path) -> None:
    """A limit that could never be checked is an error at once."""
    with pytest.raises(SpecError, match=r"unknown metric in constraint 'parms'; did you mean 'params'\?"):
        evaluator(task, tmp_path, "parms<=10")


def test_a_fidelity_without_epochs_is_refused(task: ImageClassification, tmp_path: Path) -> None:
    """It cannot know how long to train."""
    with pytest.raises(SpecError, match=r"fidelity.epochs must be a number of epochs > 0, got None"):
        evaluator(task, tmp_path)(ARCH, fidelity=Fidelity(), seed=0)


def test_a_limit_on_accuracy_is_checked_after_training(task: ImageClassification, tmp_path: Path) -> None:
    """What only training tells is checked when it is known."""
    with pytest.raises(ConstraintViolation, match="accuracy is") as caught:
        evaluator(task, tmp_path, "accuracy>=1.5")(ARCH, fidelity=SHORT, seed=0)
    assert caught.value.metrics["epochs"] == 2


def test_checkpoints_of_other_data_are_not_used(task: ImageClassification, tmp_path: Path) -> None:
    """In the same folder, another validation split is another training."""
    evaluator(task, tmp_path)(ARCH, fidelity=SHORT, seed=0)
    rng = np.random.default_rng(5)
    x, y = rng.integers(0, 255, (480, 8, 8, 1)).astype(np.uint8), np.arange(480) % 4
    other = ImageClassification.from_arrays((x, y), layout="HWC")
    shared = evaluator(other, tmp_path)(ARCH, fidelity=Fidelity(epochs=4), seed=0)
    alone = evaluator(other, tmp_path / "other")(ARCH, fidelity=Fidelity(epochs=4), seed=0)
    assert scores(shared) == scores(alone)
