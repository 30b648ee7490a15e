"""What the tests of the store share: studies, trials, and processes that are killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from netwright.storage import Started, Store, StudyRecord
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial, TrialState

STUDY = StudyRecord(
    name="demo",
    seed=3,
    space_description='{"kind":"none"}',
    space_fingerprint="aa",
    data_fingerprint="bb",
    code_fingerprint="cc",
    objectives=(Objective("accuracy", "max"), Objective("latency_ms", "min")),
    constraints=(Constraint("params", "<=", 200000.0),),
    spec='{"seed":3}',
    version="0.1.0",
)


def make_trial(number: int) -> Trial:
    """A trial that follows from its number alone."""
    rng = np.random.default_rng(number)
    state = [TrialState.FINISHED, TrialState.FINISHED, TrialState.INFEASIBLE, TrialState.FAILED][number % 4]
    metrics = {} if state is TrialState.FAILED else {"accuracy": float(rng.random()), "latency_ms": float(rng.random())}
    parents = (number - 1,) if number else ()
    architecture = Architecture({"width": int(rng.integers(99)), "kernels": [3, 5], "act": "rélu", "lr": rng.random()})
    return Trial(
        number,
        Proposal(architecture, Fidelity(1.5, 0.5), parents, "mutation"),
        int(rng.integers(2**63)) * 2 + 1,
        state,
        metrics,
        "boom\nand more" if state is TrialState.FAILED else "",
        0.25 * number,
    )


def fill(store: Store, numbers: range) -> list[Trial]:
    """Start and commit trials."""
    trials = [make_trial(number) for number in numbers]
    for trial in trials:
        store.record_started(Started(trial.id, trial.proposal, trial.seed, told=trial.id))
        store.commit(trial)
    return trials


def in_child(work: Callable[[], object]) -> int:
    """Run something in a forked process; its process id. Exit code 0 when it returned, 1 when it raised."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def exit_code(pid: int) -> int:
    """Wait for a child of ours."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run_until_killed(
    path: Path, witness: Path, after_s: float, commit: Callable[[Store, Trial], None], *, while_starting: bool
) -> None:
    """Let a child go on with a study, telling a witness what was acknowledged, and kill it after a while.

    The while begins with its first commit, or with its start.
    """

    def drive() -> None:
        store = Store.open(path)
        last = max((trial.id for trial in store.trials()), default=-1)
        interrupted = {started.trial_id: started for started in store.started()}
        with witness.open("a") as file:
            for number in range(last + 1, last + 10_000):
                trial = make_trial(number)
                if number in interrupted:
                    store.record_again(interrupted[number])
                else:
                    store.record_started(Started(trial.id, trial.proposal, trial.seed))
                commit(store, trial)
                file.write(f"{number}\n")
                file.flush()

    witness.touch()
    before = witness.stat().st_size
    pid = in_child(drive)
    while not while_starting and witness.stat().st_size == before:
        time.sleep(0.001)
    time.sleep(after_s)
    os.kill(pid, signal.SIGKILL)
    assert exit_code(pid) == -signal.SIGKILL
