"""Tests that a search does not depend on which of its trials ends first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import pytest

from netwright.execution import Job, Outcome
from netwright.storage import Started
from netwright.study.allowance import Allowance
from netwright.study.loop import Loop
from netwright.types import Architecture, Proposal, Trial, TrialState


class Shuffled:
    """An executor whose jobs end in a random order, in random groups, late."""

    def __init__(self, seed: int, workers: int) -> None:
        self.workers = workers
        self._rng = np.random.default_rng(seed)
        self._running: list[Job] = []

    def submit(self, job: Job) -> None:
        self._running.append(job)
        assert len(self._running) <= self.workers

    def wait(self, timeout_s: float | None) -> Sequence[Outcome]:
        ended = []
        for _ in range(self._rng.integers(0, len(self._running) + 1)):
            job = self._running.pop(self._rng.integers(len(self._running)))
            ended.append(Outcome(job.trial_id, TrialState.FINISHED, {"value": float(job.trial_id)}))
        return ended

    def close(self) -> None:
        self._running.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class Nowhere:
    """A store that forgets."""

    def record_started(self, started: Started) -> None: ...

    def commit(self, trial: Trial) -> None: ...


class Noting:
    """A strategy that notes its calls; a patient one proposes nothing until half of what it asked was told."""

    def __init__(self, *, patient: bool) -> None:
        self.calls: list[str] = []
        self._patient = patient
        self._asked = self._told = 0

    def ask(self, n: int) -> Sequence[Proposal]:
        waits = self._patient and self._told * 2 < self._asked
        self.calls.append("ask: none" if waits else "ask")
        self._asked += not waits
        return [] if waits else [Proposal(Architecture({"number": self._asked}))]

    def tell(self, trials: Sequence[Trial]) -> None:
        self._told += len(trials)
        self.calls += [f"tell {trial.id} {trial.metrics['value']}" for trial in trials]


def _calls(seed: int, *, ordered: bool = True, patient: bool = False) -> tuple[str, ...]:
    strategy = Noting(patient=patient)
    loop = Loop(
        strategy,
        Shuffled(seed, workers=3),
        Nowhere(),  # type: ignore[arg-type]
        seed=0,
        allowance=Allowance(trials=12),
        lag=4,
        ordered=ordered,
    )
    loop.run(lambda: False)
    return tuple(strategy.calls)


@pytest.mark.parametrize(
    ("patient", "count"), [(False, 1_500), (True, 500), pytest.param(False, 10_000, marks=pytest.mark.slow)]
)
def test_asks_and_tells_do_not_depend_on_what_ends_first(patient: bool, count: int) -> None:
    """Thousands of interleavings of 12 trials over 3 workers give one sequence of asks and tells, in order of ids."""
    sequences = {_calls(seed, patient=patient) for seed in range(count)}
    assert len(sequences) == 1
    tells = [call for call in sequences.pop() if call.startswith("tell")]
    assert tells == [f"tell {number} {float(number)}" for number in range(12)]


def test_the_test_finds_a_loop_that_tells_as_they_end() -> None:
    """Planted bug: without the order the sequences differ, though each result is still told once."""
    sequences = {_calls(seed, ordered=False) for seed in range(50)}
    assert len(sequences) > 10
    for calls in sequences:
        assert sorted(int(call.split()[1]) for call in calls if call.startswith("tell")) == list(range(12))
