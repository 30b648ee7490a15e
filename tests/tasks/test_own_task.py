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

import netwright as nw
from netwright.errors import CapabilityError, SpecError
from netwright.export import examine, scoring_of
from netwright.tasks import load_task

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


def test_examples_of_a_part_are_as_many_as_targets() -> None:
    """Parts of unlike length, and empty ones, are no data."""
    from netwright.errors import DataError
    from netwright.tasks.learning import LearningTask

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
