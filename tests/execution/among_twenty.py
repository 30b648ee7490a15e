"""One trial among 20 misbehaves: how it ended, and whether the other 19 equal a run without it, bit for bit."""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from execution_helpers import evaluator, run_all

from netwright.execution import Executor, IsolatedExecutor, Limits
from netwright.types import TrialState

CULPRIT = 7
FAILED, INFEASIBLE = TrialState.FAILED, TrialState.INFEASIBLE


def measure(number: int, seed: int) -> dict[str, float]:
    """What the others do: they depend on everything a trial may poison."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made"
        made.write_text("x")
        mode = made.stat().st_mode
    return {
        "global": random.random() + np.random.random(),  # noqa: NPY002 - on purpose
        "own": float(np.random.default_rng(seed).random()),
        "place": float(len(Path.cwd().parts) + len(os.environ) + len(os.environ.get("POISON", ""))),
        "handlers": float(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL) + threading.active_count(),
        "mode": float(mode),
        "interpreter": float(sys.getrecursionlimit() + len(sys.path) + gc.isenabled()),
    }


def others(executor: Executor) -> dict[int, dict[str, float]]:
    """What the other 19 measured."""
    outcomes = run_all(executor, range(20))
    assert [] == [outcome for n, outcome in outcomes.items() if n != CULPRIT and outcome.error]
    return {number: dict(outcomes[number].metrics) for number in range(20) if number != CULPRIT}


def check(
    misbehave: Callable[[], object], limits: Limits | None = None, *, workers: int = 2, log_dir: Path | None = None
) -> tuple[TrialState, str]:
    """How the culprit ended; asserts that the others equal a run without it, bit for bit."""

    def function(number: int, seed: int) -> object:
        return misbehave() if number == CULPRIT else measure(number, seed)

    limits = limits or Limits()
    with IsolatedExecutor(evaluator(function), workers=workers, limits=limits, log_dir=log_dir) as executor:
        outcomes = run_all(executor, range(20))
    with IsolatedExecutor(evaluator(measure), workers=workers, limits=limits) as executor:
        expected = others(executor)
    assert {n: dict(o.metrics) for n, o in outcomes.items() if n != CULPRIT} == expected
    assert outcomes[CULPRIT].state is TrialState.FINISHED or outcomes[CULPRIT].metrics == {}
    return outcomes[CULPRIT].state, outcomes[CULPRIT].error
