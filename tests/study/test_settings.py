"""Tests of the options of a search with an evaluator of one's own."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from pathlib import Path

import pytest

import netwright as nw
from netwright.errors import SpecError, UsageError
from netwright.execution import Limits
from netwright.storage import Store
from netwright.study.settings import Settings
from netwright.types import Architecture, Fidelity, Metrics, TrialState

SPACE = nw.SearchSpace(training={"x": nw.integer("x", 0, 30)})


def good(arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
    return {"accuracy": float(arch["x"]) / 30}  # type: ignore[arg-type]


def test_limits_of_a_trial_are_read_as_in_a_specification() -> None:
    """A time and a size with their units, or none."""
    limits = Settings.own({"trial_time_limit": "1.5m", "trial_memory_limit": "2Gi"}).limits
    assert Limits(time_s=90.0, memory_bytes=2 << 30) == limits
    assert Limits() == Settings.own({}).limits


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trial_time_limit": "5 trials"}, "trial_time_limit must be a time such as 90s, 5m or 1h, got '5 trials'"),
        ({"trial_time_limit": "5m, 3 epochs"}, "trial_time_limit must be a time"),
        ({"trial_time_limit": "5"}, "trial_time_limit must be a time"),
        ({"trial_time_limit": 5}, "trial_time_limit must be a time such as 90s, 5m or 1h, got 5; name the unit"),
        ({"trial_memory_limit": "2"}, "trial_memory_limit must be a size >= 1Mi such as 500M or 2Gi, got '2'"),
        ({"trial_memory_limit": 2 << 30}, "trial_memory_limit must be a size .* got 2147483648; name the unit"),
        ({"trial_memory_limit": "2Gi", "isolated": False}, "trial_memory_limit must be left out with isolated=False"),
        ({"trial_time_limit": "2m", "isolated": False}, "trial_time_limit must be left out with isolated=False"),
        ({"isolated": "no"}, "isolated must be True or False, got 'no'"),
        ({"isolated": 0}, "isolated must be True or False, got 0"),
        ({"isolated": None}, "isolated must be True or False, got None"),
        ({"unordered": "yes"}, "unordered must be True or False, got 'yes'"),
        ({"workers": True}, "workers must be a whole number >= 1, got True"),
        ({"seed": -1}, "seed must be a whole number >= 0, got -1"),
        ({"out": 5}, "out must be the path of a folder, or None to keep nothing, got 5"),
        ({"trial_memory": "2Gi"}, "unknown option 'trial_memory'; did you mean 'trial_memory_limit'?"),
    ],
)
def test_a_wrong_option_is_named_and_nothing_is_left(tmp_path: Path, options: dict[str, object], message: str) -> None:
    """It says which option, what it got and what is allowed, before anything is run; no folder is made."""
    with pytest.raises(UsageError, match=message):
        nw.search(space=SPACE, evaluator=good, **{"out": tmp_path / "run", "budget": "3 trials", **options})
    assert [] == list(tmp_path.iterdir())


@pytest.mark.long
def test_the_limits_of_a_trial_hold_and_are_kept_for_a_resume(tmp_path: Path) -> None:
    """A trial over its time fails, and does so after a resume that says nothing of limits."""

    def slow(arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
        time.sleep(60 if int(arch["x"]) % 2 else 0)  # type: ignore[call-overload]
        return good(arch, fidelity=fidelity, seed=seed)

    options = {"trial_time_limit": "1s", "trial_memory_limit": "2Gi", "strategy": "grid"}
    first = nw.search(space=SPACE, evaluator=slow, budget="3 trials", out=tmp_path / "run", **options)
    assert 3 == first.num_trials
    second = nw.resume(tmp_path / "run", space=SPACE, evaluator=slow, budget="5 trials")
    assert 5 == second.num_trials
    assert 0 == int(second.best.architecture["x"]) % 2  # type: ignore[call-overload]


def test_a_trial_over_its_memory_is_infeasible(tmp_path: Path) -> None:
    """The limit of a search with an evaluator of one's own is that of its trials."""

    def large(arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
        data = bytearray(b"x") * ((1 << 30) if arch["x"] == 1 else 1)
        time.sleep(60 if len(data) > 1 else 0)
        return {"accuracy": 0.5}

    options = {"trial_memory_limit": "700Mi", "strategy": "grid", "out": tmp_path / "run"}
    nw.search(space=SPACE, evaluator=large, budget="2 trials", **options)
    with Store.open(tmp_path / "run" / "study.db", read_only=True) as store:
        trials = store.trials()
    assert [0, 1, 2] == [trial.architecture["x"] for trial in trials]
    assert ["", "memory_bytes is", ""] == [trial.error[:15] for trial in trials]
    assert TrialState.INFEASIBLE is trials[1].state


def test_a_search_that_keeps_nothing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a folder of its own it works in a temporary one, which goes; that of a killed one goes with it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def fatal(arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
        os.kill(os.getpid(), signal.SIGKILL)
        return {}

    pid = os.fork()
    if pid == 0:
        nw.search(space=SPACE, evaluator=fatal, budget="3 trials", isolated=False)
    os.waitpid(pid, 0)
    assert ["study.db"] == [path.name for path in tmp_path.glob("*/study.db")]
    nw.search(space=SPACE, evaluator=good, budget="3 trials", isolated=False)
    assert [] == list(tmp_path.iterdir())


def test_an_evaluator_by_its_name_is_a_key_of_the_specification() -> None:
    """In Python, too: what is no name is an evaluator of one's own."""
    with pytest.raises(SpecError, match="unknown evaluator 'superent'; did you mean 'supernet'"):
        nw.search(task="image-classification", data="digits", budget="1 trials", evaluator="superent")
