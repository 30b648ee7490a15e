"""How a search stands, kept up to date trial by trial in constant time: counts, the best so far, and the front."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from netwright.progress import Status
from netwright.study.clock import Clock
from netwright.study.finals import keeps
from netwright.types import Constraint, Objective, Trial, TrialState, best_first

MAX_FRONT = 100


class Standing:
    """Counts, best and front of the trials it was given.

    Args:
        objectives: the first one decides what is best.
        constraints: limits that best and front keep.
    """

    def __init__(self, objectives: Sequence[Objective], constraints: Sequence[Constraint]) -> None:
        self._objectives, self._constraints = tuple(objectives), tuple(constraints)
        self.counts: Counter[TrialState] = Counter()
        self.best: Trial | None = None
        self.front: tuple[Trial, ...] = ()

    def add(self, trial: Trial) -> None:
        """Count a trial."""
        self.counts[trial.state] += 1
        if not keeps(trial, self._constraints):
            return
        self.best = next(iter(best_first([t for t in (self.best, trial) if t is not None], self._objectives[0])), None)
        if all(o.metric in trial.metrics for o in self._objectives):
            self._enter(trial)

    def _enter(self, trial: Trial) -> None:
        mine = self._values(trial)
        others = [t for t in self.front if t.architecture != trial.architecture]
        if any(self._beats(self._values(other), mine) for other in others):
            return
        self.front = (*(t for t in others if not self._beats(mine, self._values(t))), trial)[-MAX_FRONT:]

    def _values(self, trial: Trial) -> tuple[float, ...]:
        return tuple(o.sign * trial.metrics[o.metric] for o in self._objectives)

    @staticmethod
    def _beats(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
        return a != b and all(x <= y for x, y in zip(a, b, strict=True))

    def status(
        self, phase: str, clock: Clock, *, running: int, trial: Trial | None = None, message: str = ""
    ) -> Status:
        """The standing as a frozen value for listeners."""
        return Status(
            phase=phase,
            finished=self.counts[TrialState.FINISHED],
            running=running,
            failed=self.counts[TrialState.FAILED],
            infeasible=self.counts[TrialState.INFEASIBLE],
            best=self.best,
            front=self.front,
            elapsed_s=clock.elapsed_s,
            remaining_s=clock.remaining_s,
            trial=trial,
            message=message,
        )
