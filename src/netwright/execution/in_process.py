"""The executor that runs trials in this process, one at a time: no isolation, no limits, next to no overhead.

For cheap evaluators (tables, surrogates) and for stepping through one's own evaluator with a debugger. A trial that
crashes, hangs or changes the process takes the search with it; use `IsolatedExecutor` for anything else.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Self

from netwright.errors import Interrupted
from netwright.evaluation.base import Evaluator
from netwright.execution.base import Job, Outcome
from netwright.execution.outcomes import judge_exception, validate
from netwright.types import TrialState


class InProcessExecutor:
    """Runs a job when its outcome is waited for.

    Args:
        evaluator: what is called.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self.workers = 1
        self._evaluator = evaluator
        self._ranges = getattr(evaluator, "metric_ranges", {})
        self._prepare = getattr(evaluator, "prepare", None)
        self._waiting: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        """Queue a job; returns at once."""
        self._waiting.append(job)

    def wait(self, timeout_s: float | None = None) -> Sequence[Outcome]:
        """Run the oldest job and return its outcome, however long that takes; nothing if there is none."""
        if not self._waiting:
            return []
        if self._prepare is not None:
            self._prepare()
            self._prepare = None
        return [self._run(self._waiting.popleft())]

    def _run(self, job: Job) -> Outcome:
        begin = time.perf_counter()
        try:
            returned = self._evaluator(job.architecture, fidelity=job.fidelity, seed=job.seed, **job.options)
            state, metrics, error = TrialState.FINISHED, validate(returned, self._ranges), ""
        except Interrupted:  # the search is to stop at once: this trial did not fail, a resume runs it again
            raise
        except (Exception, SystemExit) as raised:  # noqa: BLE001 - the worker boundary: the trial fails, not the search
            state, metrics, error = judge_exception(raised)
        return Outcome(job.trial_id, state, metrics, error, time.perf_counter() - begin)

    def close(self) -> None:
        """Drop what waits. Safe to call twice."""
        self._waiting.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
