"""The protocol of an executor: it runs evaluations somewhere and reports how each ended, whatever happened to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

from netwright.evaluation.base import Parent
from netwright.types import Architecture, Fidelity, TrialState


@dataclass(frozen=True, slots=True)
class Job:
    """One evaluation to run; ``parent`` is passed on to the evaluator where there is one."""

    trial_id: int
    architecture: Architecture
    fidelity: Fidelity
    seed: int
    parent: Parent | None = None

    @property
    def options(self) -> dict[str, Parent]:
        """What the evaluator is given besides."""
        return {} if self.parent is None else {"parent": self.parent}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended.

    Args:
        trial_id: of its job.
        state: finished, infeasible or failed.
        metrics: valid numbers; empty unless finished (or infeasible with what was known).
        error: one line of cause, then details (traceback, last lines of output). Empty when finished.
        duration_s: wall seconds.
    """

    trial_id: int
    state: TrialState
    metrics: Mapping[str, float] = field(default_factory=dict)
    error: str = ""
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one trial: wall seconds, bytes of memory that all its processes use together, bytes of log kept."""

    time_s: float | None = None
    memory_bytes: int | None = None
    log_bytes: int = 1 << 20


class Executor(Protocol):
    """Runs jobs. ``workers`` of them at once; more may be submitted and wait.

    A context manager: leaving it kills what still runs and leaves no process behind.
    """

    workers: int

    def submit(self, job: Job) -> None:
        """Queue a job; returns at once."""

    def wait(self, timeout_s: float | None) -> Sequence[Outcome]:
        """Outcomes of jobs that ended; waits up to ``timeout_s`` (None: until one ends) if there is none yet."""

    def close(self) -> None:
        """Kill what runs, drop what waits, free everything. Safe to call twice."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: object) -> None: ...
