"""Tests of the executor without isolation: same outcomes, no processes."""

from __future__ import annotations

import sys

import pytest
from execution_helpers import evaluator, jobs, run_all

from netwright.execution import InProcessExecutor, IsolatedExecutor
from netwright.types import Architecture, Fidelity, TrialState


def _behave(number: int, seed: int) -> object:
    if number == 1:
        raise ValueError("odd")
    if number == 2:
        sys.exit(3)
    if number == 3:
        raise MemoryError
    return None if number == 4 else {"value": seed / 3}


def test_both_executors_judge_alike() -> None:
    """Results, exceptions, exits and nonsense give the same state, metrics and cause in and out of process."""
    with InProcessExecutor(evaluator(_behave)) as one, IsolatedExecutor(evaluator(_behave)) as other:
        runs = [run_all(executor, range(7)) for executor in (one, other)]
    shown = [{n: (o.state, o.metrics, o.error.split("\n")[0]) for n, o in run.items()} for run in runs]
    assert shown[0] == shown[1]
    assert [run.state for run in runs[0].values()].count(TrialState.FINISHED) == 3


def test_ctrl_c_reaches_the_driver() -> None:
    """Within the driver's own process an interrupt is the person's, not the trial's."""

    def function(number: int, seed: int) -> object:
        raise KeyboardInterrupt

    executor = InProcessExecutor(evaluator(function))
    executor.submit(jobs([0])[0])
    with pytest.raises(KeyboardInterrupt):
        executor.wait(None)


def test_preparation_happens_once_before_the_first_trial() -> None:
    """`prepare` is called when the first job runs, not earlier, and once; closing drops what waits."""
    calls: list[str] = []

    class Prepared:
        def prepare(self) -> None:
            calls.append("prepare")

        def __call__(self, arch: Architecture, *, fidelity: Fidelity, seed: int) -> dict[str, float]:
            calls.append("run")
            return {"a": 1.0}

    with InProcessExecutor(Prepared()) as executor:
        assert executor.wait(None) == []
        run_all(executor, range(2))
        executor.submit(jobs([2])[0])
    assert executor.wait(None) == []
    assert calls == ["prepare", "run", "run"]
