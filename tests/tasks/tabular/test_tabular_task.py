"""Tabular tasks in a search: trained, calibrated, exported, checked, run on a file, compared with a forest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import netwright as nw
from netwright import nn
from netwright.errors import SpecError
from netwright.export import Card, examine, export_network, scoring_of
from netwright.tasks import load_task
from netwright.tasks.tabular import TabularClassification


def table(path: Path, count: int = 240, *, regression: bool = False, wrong: int = 0) -> Path:
    """Ages, jobs and pays, some missing; a class or a value that follows from them; every so many classes are wrong."""
    rng = np.random.default_rng(0)
    rows = ["age,job,pay,target"]
    for row in range(count):
        age, job, pay = int(rng.integers(20, 60)), ["cook", "clerk", "smith"][rng.integers(3)], rng.normal()
        value = age / 10 + 2 * (job == "smith") + 0.5 * pay
        wanted = (
            f"{1000 + 100 * value:.1f}"
            if regression
            else ("high" if (value > 4.6) != (wrong and row % wrong == 0) else "low")
        )
        rows.append(f"{age},{job},{'' if rng.random() < 0.1 else f'{pay:.3f}'},{wanted}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def run_model(folder: Path, text: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """``python model.py FILE`` where netwright cannot be imported."""
    (tmp_path / "ask.csv").write_text(text, encoding="utf-8")
    command = [sys.executable, "-I", str(folder / "model.py"), "ask.csv"]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)


@pytest.mark.long
def test_a_classification_from_data_to_file(tmp_path: Path) -> None:
    """Searched, calibrated, verified, beside a forest; model.py says what it mended."""
    data = table(tmp_path / "a.csv", wrong=12)
    out = tmp_path / "run"
    result = nw.search(task="tabular-classification", data=str(data), budget="3 trials", max_epochs=6, out=out)
    assert result.verified
    card = json.loads((out / "best" / "card.json").read_text(encoding="utf-8"))
    metrics = card["metrics"]
    assert metrics["test_accuracy"] > 0.7
    assert metrics["validation_log_loss"] <= metrics["validation_log_loss_uncalibrated"]
    assert 0 < metrics["forest_test_accuracy"] <= 1
    assert any("no network" in remark for remark in card["remarks"])
    assert load_task("tabular-classification", data).export_info().runtime == "table"

    done = run_model(out / "best", "job,age,pay\nsmith,59,1.0\npilot,21,x\ncook,21,-1\n", tmp_path)
    said = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert (done.returncode, len(said), said[0], said[2]) == (0, 3, "high", "low")
    assert "job: 1 unknown or rare categories count as 'other'" in done.stderr
    assert "pay: 1 cell(s) are no numbers and count as missing" in done.stderr

    lacking = run_model(out / "best", "age,pay\n59,1.0\n", tmp_path)
    assert (lacking.returncode, lacking.stdout) == (2, "")
    assert "lacks the column(s) 'job'" in lacking.stderr
    ragged = run_model(out / "best", "job,age,pay\nsmith,59\n", tmp_path)
    assert "ask.csv, line 2: 2 cells for 3 columns" in ragged.stderr


@pytest.mark.long
def test_model_py_encodes_as_training_did(tmp_path: Path) -> None:
    """The whole table through model.py gives the classes that the task's own rows give."""
    data = table(tmp_path / "a.csv", 120)
    out = tmp_path / "run"
    nw.search(task="tabular-classification", data=str(data), budget="1 trials", max_epochs=1, out=out)
    task = load_task("tabular-classification", data)
    done = run_model(out / "best", data.read_text(encoding="utf-8"), tmp_path)
    names: dict[str, object] = {"__name__": "model", "__file__": str(out / "best" / "model.py")}
    exec(compile((out / "best" / "model.py").read_text(encoding="utf-8"), "model.py", "exec"), names)
    model = names["load"]()  # type: ignore[operator]
    cells, rows = names["read_rows"](data)  # type: ignore[operator]
    encoded, _ = names["encode"](cells, rows, "x")  # type: ignore[operator]
    own = {tuple(np.round(row, 5)) for part in (task.train(), task.validation(), task.test()) for row in part[0]}
    assert own == {tuple(np.round(row, 5)) for row in encoded.numpy()}
    with torch.inference_mode():
        best = model(encoded).argmax(1).tolist()
    assert [task.class_names[i] for i in best] == [line.split("\t")[0] for line in done.stdout.splitlines()]


@pytest.mark.long
def test_a_regression_is_in_the_unit_of_its_target(tmp_path: Path) -> None:
    """RMSE, MAE and R2 of the test part; the check computes them again; a search for another metric works."""
    data = table(tmp_path / "a.csv", regression=True)
    out = tmp_path / "run"
    nw.search(task="tabular-regression", data=str(data), budget="3 trials", max_epochs=8, objectives="mae", out=out)
    card = json.loads((out / "best" / "card.json").read_text(encoding="utf-8"))
    assert 0 < card["metrics"]["test_mae"] < card["metrics"]["test_rmse"] < 200
    task = load_task("tabular-regression", data)
    assert examine(out / "best", examples={"test": task.test()}, scoring=scoring_of(task)).passed
    done = run_model(out / "best", "age,job,pay\n59,smith,1\n21,cook,-1\n", tmp_path)
    old, young = map(float, done.stdout.split())
    assert 1000 < young < old < 2200


def test_balanced_classes_weigh_the_same(tmp_path: Path) -> None:
    """The loss of a rare class counts as many times more as it is rarer; scores do not."""
    rows = "\n".join(f"{i},{'rare' if i % 10 == 0 else 'usual'}" for i in range(200))
    (tmp_path / "a.csv").write_text("x,y\n" + rows + "\n", encoding="utf-8")
    plain, balanced = (TabularClassification.load(tmp_path / "a.csv", balanced=b) for b in (False, True))
    outputs = torch.zeros(2, 2) + torch.tensor([0.0, 2.0])
    rare, usual = torch.tensor([0, 0]), torch.tensor([1, 1])
    ratio = balanced.loss(outputs, rare) / plain.loss(outputs, rare)
    assert float(ratio) == pytest.approx(5.0, rel=0.02)
    assert float(balanced.loss(outputs, usual) / plain.loss(outputs, usual)) == pytest.approx(0.556, rel=0.02)
    members = outputs[:, None].expand(2, 3, 2)
    assert float(balanced.loss(members, rare)) == pytest.approx(float(balanced.loss(outputs, rare)))
    assert plain.scores([(outputs, rare)]) == balanced.scores([(outputs, rare)])


def test_references_and_portfolio_are_points_of_the_space(tmp_path: Path) -> None:
    """Also where there are only categories, or only numbers."""
    for head, row in (("a,b,y", "{a},{b},{y}"), ("a,y", "{a},{y}"), ("b,y", "{b},{y}")):
        rows = [row.format(a=i, b="uvw"[i % 3], y="no" if i % 2 else "yes") for i in range(40)]
        (tmp_path / "a.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
        task = TabularClassification.load(tmp_path / "a.csv")
        space = task.default_space()
        names = [reference.name for reference in task.references()]
        assert names == ["mlp", "resnet", "ft-transformer"]
        assert {r.architecture["learning_rate"] for r in task.references()} == {task.recipe()["learning_rate"]}
        assert ("bins" in {point.get("input") for point in task.portfolio()}) == ("a" in head)
        for architecture in (*(r.architecture for r in task.references()), *task.portfolio()):
            assert space.contains(architecture)


def test_options_are_checked(tmp_path: Path) -> None:
    """A misspelt word is named."""
    path = table(tmp_path / "a.csv", 40)
    with pytest.raises(SpecError, match="scaling must be quantile or standard"):
        load_task("tabular-classification", path, scaling="robust")
    with pytest.raises(SpecError, match="header must be auto, yes or no"):
        load_task("tabular-classification", path, header="maybe")
    with pytest.raises(SpecError, match="option of the task"):
        load_task("tabular-regression", path, balanced=True)


@pytest.mark.slow
def test_bins_are_written_in_onnx(tmp_path: Path) -> None:
    """A network of the portfolio, exported and compared."""
    pytest.importorskip("onnxruntime")
    task = load_task("tabular-classification", table(tmp_path / "a.csv"))
    point = next(point for point in task.portfolio() if point.get("input") == "bins")
    term = task.network(task.default_space(), point)
    weights = nn.build(term, input_shape=task.input_shape, seed=0).state_dict()
    out = export_network(
        term,
        weights,
        info=task.export_info(),
        out=tmp_path / "out",
        card=Card(task.name, {}, dict(point)),
        examples={"validation": task.validation()},
    )
    assert (out / "model.onnx").is_file()
