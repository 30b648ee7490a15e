"""A task of ours that is given as an object from Python: what it was loaded with is known to a resume and the card."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

import netwright as nw
from netwright.cli.main import run as netwright
from netwright.errors import SpecError, StudyMismatchError
from netwright.tasks.loaded import read_with
from netwright.tasks.tabular import TabularClassification

HEAD = ("age", "pay", "kind", "note")


class Frame:
    """A data frame whose target is not its last column."""

    columns = HEAD

    def __init__(self, count: int = 120) -> None:
        rng = np.random.default_rng(0)
        age, pay, note = rng.normal(size=(3, count))
        kind = np.where(age + 0.1 * pay > 0.5, "high", "low")
        self._cells = dict(zip(HEAD, (age, pay, kind, note), strict=True))

    def __getitem__(self, name: str) -> np.ndarray:
        return self._cells[name]


def test_the_options_of_a_load_are_known(tmp_path: Path) -> None:
    """Those that were given; names in a list as a text, and neither data nor seed."""
    task = TabularClassification.load(Frame(), target="kind", seed=3, balanced=True, ignored=["note", "pay"])  # type: ignore[arg-type]
    assert read_with(task) == {"target": "kind", "balanced": True, "ignored": "note,pay"}
    assert read_with(TabularClassification(task.rows)) == {}
    of_numpy = TabularClassification.load(Frame(), target="kind", validation_share=np.float64(0.25))
    assert yaml.safe_dump(dict(read_with(of_numpy))) == "target: kind\nvalidation_share: 0.25\n"
    of_path = nw.ImageClassification.load("digits", cache=tmp_path)
    assert read_with(of_path) == {"cache": str(tmp_path)}


def test_options_beside_an_object_are_refused(tmp_path: Path) -> None:
    """They would do nothing."""
    task = TabularClassification.load(Frame(), target="kind")
    with pytest.raises(SpecError, match=r"task_options must be left out where the task is an object.*load\(\)"):
        nw.search(task=task, task_options={"balanced": True}, budget="2 trials", out=tmp_path / "run")


@pytest.mark.long
def test_a_resume_is_given_the_task_with_the_same_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the object, or with another loss, it does not go on; the card's options verify what was exported."""
    run, data = tmp_path / "run", Frame()
    task = TabularClassification.load(data, target="kind", balanced=True)
    first = nw.search(task=task, objectives="balanced_accuracy", budget="2 trials", max_epochs=2, out=run)
    with pytest.raises(SpecError, match=r"'tabular-classification' was given as an object.*task="):
        nw.resume(run, budget="3 trials")
    with pytest.raises(
        StudyMismatchError, match=r"task_options was .*balanced.*load the task that is given with these"
    ):
        nw.resume(run, budget="3 trials", task=TabularClassification.load(data, target="kind"))
    again = TabularClassification.load(data, target="kind", balanced=True)
    assert nw.resume(run, budget="3 trials", task=again).num_trials > first.num_trials
    card = json.loads((run / "best" / "card.json").read_text(encoding="utf-8"))
    assert card["task_options"] == {"target": "kind", "balanced": True}
    table = tmp_path / "people.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEAD)
        writer.writerows(zip(*(data[name].tolist() for name in HEAD), strict=True))
    assert netwright(["verify", str(run / "best"), "--data", str(table)]) == 0
    assert "verified: it does what it did in the search" in capsys.readouterr().out
    assert netwright(["verify", str(run / "best"), "--data", str(table), "--task-option", "ignored=pay"]) != 0
