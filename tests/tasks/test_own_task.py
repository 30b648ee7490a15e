"""A task of a person's own: a data set, a loss, a metric and a space, from Python and as FILE.py:NAME."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import netwright as nw
from netwright.errors import CapabilityError, DataError, SpecError, StudyMismatchError
from netwright.export import examine, scoring_of
from netwright.study.preflight import require_learning, require_networks
from netwright.tasks import load_task
from netwright.tasks.learning import ClassifyingTask, LearningTask

OWN = """
import numpy as np
from sklearn.datasets import load_diabetes

import netwright as nw
from netwright import nn
from netwright.tasks.learning import LearningTask
from netwright.types import Objective


class Diabetes(LearningTask):
    name, objective, directions = "diabetes", Objective("rmse", "min"), {"rmse": "min"}

    @classmethod
    def load(cls, data, *, seed=0, scale: float = 100.0):
        x, y = load_diabetes(return_X_y=True)
        rows = np.random.default_rng(seed).permutation(len(y))
        x, y = (20 * x).astype("float32"), (y[:, None] / np.float64(scale)).astype("float32")
        parts = [(x[r], y[r]) for r in np.split(rows, [300, 370])]
        return cls(*parts, data_name=data, seed=seed)

    def loss(self, outputs, targets, label_smoothing=0.0):
        return ((outputs - targets) ** 2).mean()

    def scores(self, answers):
        errors = [((outputs - targets) ** 2).flatten() for outputs, targets in answers]
        mean = sum(float(e.sum()) for e in errors) / sum(len(e) for e in errors)
        return {"rmse": mean**0.5, "loss": mean}

    def recipe(self):
        return {"optimizer": "adamw", "learning_rate": 0.01}

    def default_space(self):
        width = nw.choice("width", [8, 16, 32])
        layers = nn.repeat("depth", lambda i: nn.seq(nn.linear(width), nn.relu()), 1, 2)
        return nw.SearchSpace(nn.seq(layers, nn.linear(1)))
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "mine.py"
    path.write_text(OWN, encoding="utf-8")
    return path


@pytest.mark.long
def test_it_is_searched_exported_and_checked_by_its_own_metric(file: Path, tmp_path: Path) -> None:
    """The metric decides, is better where it is less, and is measured again through the files."""
    result = nw.search(
        task=f"{file}:Diabetes",
        data="clinic",
        task_options={"scale": 50.0},
        budget="4 trials",
        max_epochs=4,
        out=tmp_path / "run",
    )
    assert [(o.metric, o.direction) for o in result.objectives] == [("rmse", "min")]
    finished = [t.metrics["rmse"] for t in result.front]
    assert result.best.metrics["rmse"] == min(finished)
    card = json.loads((tmp_path / "run" / "best" / "card.json").read_text(encoding="utf-8"))
    again = {(one["split"], one["runtime"]): one for one in card["check"]["rescored"]}
    assert set(again) == {(s, r) for s in ("validation", "test") for r in ("torch", "onnxruntime")}
    assert all(abs(one["value"] - one["recorded"]) <= one["tolerance"] < 0.1 for one in again.values())
    assert card["task_options"] == {"scale": 50.0}
    task = load_task(f"{file}:Diabetes", "clinic", scale=50.0)
    check = examine(tmp_path / "run" / "best", examples={"test": task.test()}, scoring=scoring_of(task))
    assert check.passed
    wrong = load_task(f"{file}:Diabetes", "clinic", scale=10.0)
    assert not examine(tmp_path / "run" / "best", examples={"test": wrong.test()}, scoring=scoring_of(wrong)).passed


@pytest.mark.long
def test_a_task_given_as_an_object_is_asked_for_again(file: Path, tmp_path: Path) -> None:
    """A resume finishes with the object, and says what is missing without it."""
    task = load_task(f"{file}:Diabetes", "clinic")
    first = nw.search(task=task, budget="3 trials", max_epochs=2, out=tmp_path / "run")
    with pytest.raises(SpecError, match=r"'diabetes' was given as an object.*task="):
        nw.resume(tmp_path / "run", budget="4 trials")
    second = nw.resume(tmp_path / "run", budget="4 trials", task=load_task(f"{file}:Diabetes", "clinic"))
    assert second.num_trials > first.num_trials
    assert math.isfinite(second.best.metrics["rmse"])


@pytest.mark.long
@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--task", "{}:Nothing"], "Nothing"),
        (["--task", "{}:Diabetes", "--task-option", "scael=3"], "option of the task"),
        (["--task", "{}:Diabetes", "--task-option", "scale"], "NAME=VALUE"),
        (["--task", "{}:Diabetes", "--objective", "rmse"], "rmse:max or rmse:min"),
        (["--task", "{}:Diabetes", "--task-option", "scale=0"], "targets of the training part.*finite"),
        (["--task", "absent.py:Diabetes"], "file that exists"),
    ],
)
def test_what_is_wrong_is_named(file: Path, tmp_path: Path, given: list[str], says: str) -> None:
    """Exit code 2 or 3, one line, nothing left behind."""
    words = [a.format(file) for a in given]
    command = [sys.executable, "-m", "netwright", "search", *words, "--data", "x", "--budget", "2 trials", "--out", "r"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode in (2, 3)
    assert re.search(says, run.stderr)
    assert not (tmp_path / "r").exists()


def test_a_class_that_is_no_task_is_refused_by_what_it_lacks(tmp_path: Path) -> None:
    """What a search would ask it for is named."""
    path = tmp_path / "poor.py"
    path.write_text("class Poor:\n    @classmethod\n    def load(cls, data, *, seed=0):\n        return cls()\n")
    with pytest.raises(CapabilityError, match=r"Poor has no name.*LearningTask"):
        load_task(f"{path}:Poor", "x")


def test_a_loss_and_scores_are_a_tasks_own(tmp_path: Path) -> None:
    """A search would find in each trial that there are none."""
    path = tmp_path / "poor.py"
    path.write_text(OWN.replace("def loss(", "def lost(").replace("def scores(", "def score("), encoding="utf-8")
    with pytest.raises(CapabilityError, match=r"Diabetes has no loss, scores; derive from"):
        load_task(f"{path}:Diabetes", "clinic")


def test_examples_of_a_part_are_as_many_as_targets() -> None:
    """Parts of unlike length, and empty ones, are no data."""
    x, y = np.zeros((3, 2)), np.zeros((2, 1))
    with pytest.raises(DataError, match="training part has 3 inputs and 2 targets"):
        LearningTask((x, y), (x, x), (x, x))


SCALED = """

class Scaled(Diabetes):
    def to_input(self, stored):
        return super().to_input(stored) / 255


class Told(Scaled):
    def export_info(self):
        return super().export_info()
"""


def test_inputs_that_model_py_would_not_make_are_refused_before_a_search(tmp_path: Path) -> None:
    """A to_input of one's own is not in the exported file, unless the task says what is."""
    path = tmp_path / "mine.py"
    path.write_text(OWN + SCALED, encoding="utf-8")
    with pytest.raises(CapabilityError, match=r"Scaled has a to_input\(\) of its own.*model\.py.*front\(\)"):
        load_task(f"{path}:Scaled", "clinic")
    assert load_task(f"{path}:Told", "clinic").name == "diabetes"


def changed(path: Path, old: str, new: str) -> str:
    """Write the task with a piece of its text replaced; its name."""
    assert OWN.count(old) == 1
    path.write_text(OWN.replace(old, new), encoding="utf-8")
    return f"{path}:Diabetes"


def test_targets_and_inputs_that_are_single_numbers_are_refused(tmp_path: Path) -> None:
    """Networks would have no outputs, and a loss of (B, 1) and (B,) one of all pairs."""
    values = changed(tmp_path / "values.py", "(y[:, None] / np.float64(scale))", "(y / np.float64(scale))")
    with pytest.raises(CapabilityError, match=r"Diabetes: targets are numbers \(N,\).*\(N, 1\).*ClassifyingTask"):
        load_task(values, "clinic")
    inputs = changed(tmp_path / "inputs.py", "(20 * x)", "(20 * x[:, 0])")
    with pytest.raises(CapabilityError, match=r"Diabetes: inputs are numbers \(N,\).*\(N, 1\)"):
        load_task(inputs, "clinic")


@pytest.mark.long
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("nn.linear(1)))", "nn.linear(3)))", r"the default space of diabetes: .* gives 3 outputs .*\(1,\)"),
        (
            "return ((outputs - targets) ** 2).mean()",
            "return ((outputs - targets[:5]) ** 2).mean()",
            r"task diabetes: loss\(outputs float32 \(16, 1\), targets float32 \(16, 1\), .* raised RuntimeError",
        ),
        ("** 2).mean()", "** 2).mean(0)[None].repeat(2, 1)", "task diabetes: loss.* must be one number"),
        ("** 2).mean()", "** 2).mean().detach()", "task diabetes: loss.* must be one number that follows"),
        ('{"rmse": mean**0.5,', '{"rsme": mean**0.5,', r"scores\(\) gives no rmse; it gives rsme, loss"),
        (
            "sum(float(e.sum()) for e in errors) / sum(len(e) for e in errors)",
            "float(np.mean([float(e.mean()) for e in errors]))",
            r"scores\(\): rmse is .* for 64 examples at once, .* in batches of 48 and 16; sum over examples",
        ),
    ],
)
def test_what_a_search_could_not_use_is_refused_before_it(tmp_path: Path, old: str, new: str, says: str) -> None:
    """Outputs, loss and scores of a task of one's own; nothing is left behind."""
    task = changed(tmp_path / "mine.py", old, new)
    with pytest.raises(CapabilityError, match=says):
        nw.search(task=task, data="clinic", budget="2 trials", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_example_has_fewer_than_forty_lines() -> None:
    """A data set, a loss, a metric and a space; without the search that it shows."""
    text = (Path(__file__).parents[2] / "examples" / "own_task.py").read_text(encoding="utf-8")
    task = text[text.index("class Denoising") : text.index("def main")].strip()
    assert all(f"def {name}(" in task for name in ("load", "loss", "scores", "default_space"))
    assert len([line for line in task.splitlines() if line.strip()]) < 40


@pytest.mark.long
def test_the_example_scores_alike_however_its_examples_are_cut() -> None:
    """A search asks for some hundred at once, the check of its export for all."""
    from netwright.python_files import import_file

    example = import_file(Path(__file__).parents[2] / "examples" / "own_task.py", "task")
    task = example.Denoising.load("digits")
    targets = torch.from_numpy(task.validation()[1])
    outputs = torch.rand(targets.shape, generator=torch.Generator().manual_seed(0))
    pieces = [(outputs[:240], targets[:240]), (outputs[240:], targets[240:])]
    cut = task.scores(iter(pieces))
    whole = scoring_of(task).scores(outputs.numpy(), targets.numpy())
    assert whole["psnr"] == pytest.approx(cut["psnr"], rel=1e-6)
    require_networks(task, task.default_space(), "S")
    require_learning(task, task.default_space())


@pytest.mark.long
def test_a_loss_may_be_negative(tmp_path: Path) -> None:
    """As likelihoods and similarities are: no range is taken for granted."""
    task = changed(tmp_path / "mine.py", '"loss": mean}', '"loss": mean - 500}')
    result = nw.search(task=task, data="clinic", budget="2 trials", max_epochs=2, out=tmp_path / "run")
    assert result.num_trials >= 2
    assert result.best.metrics["loss"] < 0


@pytest.mark.long
def test_a_task_that_was_edited_does_not_go_on(tmp_path: Path) -> None:
    """One history would hold two metrics."""
    path = tmp_path / "mine.py"
    task = changed(path, "data_name=data", "data_name=data")
    nw.search(task=task, data="clinic", budget="2 trials", max_epochs=2, out=tmp_path / "run")
    changed(path, '"rmse": mean**0.5', '"rmse": mean**0.25')
    with pytest.raises(StudyMismatchError, match=r"code_fingerprint.*the space or the task"):
        nw.resume(tmp_path / "run", budget="3 trials")


@pytest.mark.parametrize(
    ("inputs", "got"),
    [
        (torch.zeros(10, 3), r"Tensor of torch\.float32"),
        ([[0.0]] * 10, "list"),
        (np.array([["a"]] * 10), "ndarray of <U1"),
        (np.array([[None]] * 10), "ndarray of object"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(inputs: object, got: str) -> None:
    """Tensors, lists and texts, with what to give."""
    y = np.zeros((10, 1), dtype=np.float32)
    with pytest.raises(DataError, match=f"inputs of the validation part must be a numpy array of numbers, got {got}"):
        LearningTask((y, y), (inputs, y), (y, y))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (np.array(["a", "b"]), "targets of the test part must be a numpy array of numbers"),
        (np.array([0, 5]), "targets of the test part must be class numbers from 0 to 1, got 5; number the classes"),
        (np.array([0, -1]), "targets of the test part must be class numbers from 0 to 1, got -1"),
        (np.array([0.0, 0.5]), r"targets of the test part must be class numbers from 0 to 1, got 0\.5"),
        (np.array([[0, 3]] * 2), r"from 0 to 1 \(negative ones do not count\), got 3"),
    ],
)
def test_class_numbers_are_those_of_classes(labels: np.ndarray, says: str) -> None:
    """Found when a task is made, not by torch in each trial; also in a test part that is read at the end."""
    x, y = np.zeros((2, 3), dtype=np.float32), np.array([0, 1])
    with pytest.raises(DataError, match=says):
        ClassifyingTask((x, y), (x, y), (x, labels), ("a", "b"))
    if labels.dtype.kind != "U":
        task = ClassifyingTask((x, y), (x, y), lambda: (x, labels), ("a", "b"), num_test=2)
        with pytest.raises(DataError, match=says):
            task.test()


@pytest.mark.parametrize("kind", ["int32", "uint8", "float64", "bool"])
def test_class_numbers_of_any_type_are_taken(kind: str) -> None:
    """Losses take int64 alone."""
    x, y = np.zeros((2, 3), dtype=np.float32), np.array([0, 1]).astype(kind)
    task = ClassifyingTask((x, y), (x, y), lambda: (x, y), ("a", "b"), num_test=2)
    for _, targets in (task.train(), task.validation(), task.test()):
        assert targets.dtype == np.int64
        assert targets.tolist() == [0, 1]
