"""Strategies of a search by name: those that decide on fidelities get the rungs, others are wrapped in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from netwright.spec import SearchSpec
from netwright.strategies import FreezeThaw, Hyperband, SuccessiveHalving
from netwright.study.settings import Settings
from netwright.study.setup import searcher, task_parts
from netwright.types import Objective

GOALS = (Objective("accuracy", "max"),)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hyperband", Hyperband),
        ("freeze-thaw", FreezeThaw),
        ("evolution", SuccessiveHalving),
        ("auto", SuccessiveHalving),
    ],
)
def test_each_gets_the_rungs_of_the_plan(name: str, expected: type, tmp_path: Path) -> None:
    """Three rungs up to the longest training, whoever promotes."""
    spec = SearchSpec.from_options(
        task="image-classification",
        data="digits",
        budget="9 trials",
        strategy=name,
        min_epochs=1.0,
        max_epochs=9.0,
        eta=3,
        out=str(tmp_path / "run"),
    )
    parts = task_parts(spec, Settings.of(spec), {})
    assert type(parts.strategy) is expected
    asked = parts.strategy.ask(1)
    assert asked[0].fidelity.epochs == 1.0
    assert name in parts.searched_by or name == "auto"


def test_auto_is_told_with_its_reason() -> None:
    """A search says what it was searched by, and why."""
    assert searcher("auto", GOALS) == "strategy: bayesian, since a model of what was evaluated needs the fewest trials"
    assert searcher("ppo", GOALS) == "strategy: ppo"
