"""Tests of a search whose trials fail: all of them from the start, many at random, or with numbers that are none."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

import netwright as nw
from netwright.errors import SearchError
from netwright.storage import Store
from netwright.types import Architecture, Fidelity, Metrics, TrialState

SPACE = nw.SearchSpace(training={"x": nw.integer("x", 0, 999)})


def test_a_search_whose_trials_all_fail_stops_and_says_why(tmp_path: Path) -> None:
    """After ten failures it ends with the causes, most frequent first; all ten are stored."""

    def broken(arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
        if seed % 2:
            raise ValueError(f"width {arch['x']} is wrong")
        os._exit(3)

    message = r"the first 10 trials all failed; mend the evaluator and resume. Causes:\n  \d+ x .*\n  \d+ x "
    with pytest.raises(SearchError, match=message) as caught:
        nw.search(space=SPACE, evaluator=broken, budget="200 trials", out=tmp_path / "run")
    assert " x ValueError: width " in str(caught.value)
    assert " x the trial's process left with exit code 3" in str(caught.value)
    with Store.open(tmp_path / "run" / "study.db", read_only=True) as store:
        assert [TrialState.FAILED] * 10 == [trial.state for trial in store.trials()]


@pytest.mark.long
def test_a_search_of_which_a_part_fails_at_random_spends_its_budget(tmp_path: Path) -> None:
    """With 40 % of failures of every kind the budget is reached, and the best is one that finished."""

    def fails(arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
        luck = random.Random(seed).random()
        if luck < 0.1:
            raise RuntimeError("luck")
        if luck < 0.2:
            os.abort()
        if luck < 0.3:
            return {"accuracy": float("nan")}
        return {"accuracy": 173.0 if luck < 0.4 else float(arch["x"]) / 1000}  # type: ignore[arg-type]

    result = nw.search(
        space=SPACE, evaluator=fails, budget="100 trials", workers=2, out=tmp_path / "run", strategy="random"
    )
    with Store.open(tmp_path / "run" / "study.db", read_only=True) as store:
        trials = store.trials()
    states = [trial.state for trial in trials]
    assert (100, 100) == (len(trials), result.num_trials)
    assert {TrialState.FINISHED, TrialState.FAILED} == set(states)
    assert 25 <= states.count(TrialState.FAILED) <= 55
    finished = [trial.metrics["accuracy"] for trial in trials if trial.state is TrialState.FINISHED]
    assert max(finished) == result.best.metrics["accuracy"] < 1.0
