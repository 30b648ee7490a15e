"""Limits on size and measured latency hold for tasks that are no images, too, before anything is trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netwright.errors import ConstraintViolation
from netwright.evaluation import LatencySpec, TrainerOptions, TrainingEvaluator, training
from netwright.tasks.series import SeriesForecasting
from netwright.tasks.tabular import TabularClassification
from netwright.tasks.text_classification import TextClassification
from netwright.types import Constraint, Fidelity


def table(folder: Path) -> TabularClassification:
    lines = [f"{n / 7},{'ab'[n % 2]},{int(n % 7 > 3)}" for n in range(120)]
    (folder / "a.csv").write_text("\n".join(["x,word,label", *lines]) + "\n", encoding="utf-8")
    return TabularClassification.load(folder / "a.csv")


def texts(folder: Path) -> TextClassification:
    lines = [json.dumps({"text": f"{'good' if n % 2 else 'bad'} thing {n}", "label": n % 2}) for n in range(80)]
    (folder / "a.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return TextClassification.load(folder / "a.jsonl")


def forecast(folder: Path) -> SeriesForecasting:
    np.savez(folder / "a.npz", load=np.sin(np.arange(300.0)))
    return SeriesForecasting.load(folder / "a.npz", horizon=2, window=16)


@pytest.mark.parametrize("make", [table, texts, forecast])
@pytest.mark.parametrize(("metric", "limit"), [("params", 10.0), ("latency_ms", 1e-5)])
def test_a_network_over_a_limit_is_never_trained(
    make: Callable[[Path], Any], metric: str, limit: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its measured value is named; inputs of tokens are real ones, since random numbers are none."""
    monkeypatch.setattr(training, "train", lambda *args, **options: pytest.fail("it was trained"))
    task = make(tmp_path)
    made = TrainingEvaluator(
        task,
        task.default_space(),
        work_dir=tmp_path / "work",
        constraints=[Constraint(metric, "<=", limit)],
        options=TrainerOptions(latency=LatencySpec(budget_s=0.05)),
    )
    with pytest.raises(ConstraintViolation, match=f"{metric} is .*, the limit is") as caught:
        made(task.references()[0].architecture, fidelity=Fidelity(1.0), seed=0)
    assert caught.value.metrics[metric] == caught.value.value > limit
