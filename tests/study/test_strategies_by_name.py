"""Strategies of a search by name: those that decide on fidelities get the rungs, others are wrapped in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from netwright.errors import SpecError
from netwright.space import SearchSpace
from netwright.spec import SearchSpec
from netwright.strategies import FreezeThaw, Hyperband, SuccessiveHalving
from netwright.strategies.rung_sense import RungSense
from netwright.study import setup
from netwright.study.ladder_strategy import Ladder
from netwright.study.settings import Settings
from netwright.study.setup import Parts, searcher, task_parts
from netwright.types import Objective

GOALS = (Objective("accuracy", "max"),)


def parts_of(folder: Path, **options: object) -> Parts:
    given: dict[str, object] = {
        "task": "image-classification",
        "data": "digits",
        "budget": "9 trials",
        "min_epochs": 1.0,
        "max_epochs": 9.0,
        "eta": 3,
        "out": str(folder / "run"),
    }
    spec = SearchSpec.from_options(**{**given, **options})
    return task_parts(spec, Settings.of(spec), {})


@pytest.mark.parametrize(
    ("name", "ladder", "expected"),
    [
        ("hyperband", "default", Hyperband),
        ("freeze-thaw", "none", FreezeThaw),
        ("evolution", "none", SuccessiveHalving),
        ("auto", "none", SuccessiveHalving),
        ("evolution", "default", Ladder),
        ("auto", "default", Ladder),
        ("auto", "short,full", Ladder),
    ],
)
def test_each_gets_the_rungs_of_the_plan(name: str, ladder: str, expected: type, tmp_path: Path) -> None:
    """Three rungs up to the longest training, whoever promotes."""
    parts = parts_of(tmp_path, strategy=name, ladder=ladder)
    assert type(parts.strategy) is expected
    asked = parts.strategy.ask(1)
    assert asked[0].fidelity.epochs == 1.0
    assert name in parts.searched_by or name == "auto"


@pytest.mark.parametrize(
    ("options", "epochs"),
    [
        ({"ladder": "short,full"}, [1.0, 3.0]),
        ({"ladder": "full"}, [9.0]),
        ({"ladder": "long,full", "max_epochs": 27.0}, [3.0, 9.0]),
        ({"ladder": "default", "max_epochs": 27.0}, [1.0, 3.0, 9.0]),
        ({"halving": False}, [9.0]),
    ],
)
def test_the_rungs_that_are_chosen_are_trained(options: dict[str, object], epochs: list[float], tmp_path: Path) -> None:
    """Where all are trained as long as the longest, no finalist is left to train longer."""
    ladder = parts_of(tmp_path, **options).ladder
    assert ladder is not None
    assert epochs == [fidelity.epochs for fidelity in ladder.fidelities]


def test_where_going_on_is_dear_noise_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From 1 to 9 epochs; to 3 epochs probes are many."""
    made: list[int] = []

    class Noted(RungSense):
        def __init__(self, space: SearchSpace, seed: int) -> None:
            super().__init__(space, seed)
            made.append(seed)

    monkeypatch.setattr(setup, "RungSense", Noted)
    parts_of(tmp_path, ladder="short,long,full", max_epochs=27.0, seed=7)
    assert [] == made
    parts_of(tmp_path, ladder="short,full", max_epochs=27.0, seed=7)
    assert [7] == made


def test_rungs_for_a_strategy_that_has_its_own_are_refused(tmp_path: Path) -> None:
    """Two halvings, one within the other, would be neither."""
    with pytest.raises(SpecError, match="ladder must be left out with the strategy hyperband, got 'short,full'"):
        parts_of(tmp_path, strategy="hyperband", ladder="short,full")


@pytest.mark.parametrize(
    ("options", "scored", "living"),
    [
        ({"budget": "10m"}, True, ["proxies", "predictor"]),
        ({"budget": "60s"}, False, ["predictor"]),
        ({"budget": "10m", "ladder": "proxies,short"}, True, ["proxies"]),
        ({"budget": "10m", "ladder": "short"}, False, None),
        ({"budget": "10m", "objectives": ["accuracy", "params"]}, False, None),
    ],
)
def test_the_pool_follows_from_rungs_budget_and_objectives(
    options: dict[str, object], scored: bool, living: list[str] | None, tmp_path: Path
) -> None:
    """Proxies want time, and the pool is for accuracy alone; the same every time."""
    ladders = [parts_of(tmp_path, min_epochs=None, max_epochs=None, **options).ladder for _ in range(2)]
    first, again = (None if ladder is None else ladder.screen for ladder in ladders)
    assert living == (None if first is None else first.living)
    if first is not None:
        assert again is not None
        assert scored == (first.num_to_score > 0)
        assert first.pool == again.pool


def test_auto_is_told_with_its_reason() -> None:
    """A search says what it was searched by, and why."""
    assert searcher("auto", GOALS) == "strategy: bayesian, since a model of what was evaluated needs the fewest trials"
    assert searcher("ppo", GOALS) == "strategy: ppo"
