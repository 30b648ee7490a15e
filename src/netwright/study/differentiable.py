"""``--strategy darts`` and the like: a search on shared weights finds a few networks, which are trained as any others.

The search on shared weights, by gradients or by ENAS, runs before the first trial, in a process of its own, in a part
of the budget; what it found is in the run's folder, so that a resume has the same. Its networks, the hand-made ones
beside them, go through short trainings to the full one, and what is delivered is the best of all. Knows no gradients.

References:
    Liu et al. (2019), DARTS, section 3.2 (of several searches the best by a short training is taken; ours takes the
    latest epochs of one search).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from netwright.errors import Interrupted, SearchError, SpaceError, SpecError, TrialError, UsageError, wrong
from netwright.evaluation.differentiable_job import FILE, Derived, DifferentiableJob
from netwright.evaluation.ladder import DEFAULT, NONE
from netwright.evaluation.trainer import TrainingEvaluator
from netwright.execution import IsolatedExecutor, Job, Limits, Outcome
from netwright.gradient_methods import WITHOUT_RELAXATION
from netwright.strategies import Exhausted, Strategy, SuccessiveHalving
from netwright.strategies.pool import admit_once
from netwright.study.setup import Parts, first_proposals
from netwright.study.supernet_phase import Ears
from netwright.types import Architecture, Budget, Fidelity, Proposal, Trial, TrialState

if TYPE_CHECKING:
    from netwright.spec import SearchSpec
    from netwright.study.settings import Settings
    from netwright.tasks.base import Task

SEARCH_SHARE = 0.45
TRAINED_SHARE = 0.15
"""Parts of a time budget for the search by gradients, and for the short trainings of what it found."""

LATE = 1.25
"""Times its part after which the search by gradients is ended as one that hangs."""

TELL_EVERY_S = 20.0
_POLL_S = 0.25


class FoundBefore:
    """Proposes networks that are known, each once.

    Args:
        first: proposals.
    """

    def __init__(self, first: Sequence[Proposal]) -> None:
        self._waiting = list(first)
        self._told: set[int] = set()

    def add(self, proposals: Sequence[Proposal]) -> None:
        """Propose these, too, before the others."""
        new = {proposal.architecture for proposal in proposals}
        self._waiting = [*proposals, *(p for p in self._waiting if p.architecture not in new)]

    def ask(self, n: int) -> Sequence[Proposal]:
        """The next ones.

        Raises:
            Exhausted: all were proposed.
        """
        if not self._waiting:
            raise Exhausted("every network that was found has been proposed")
        now, self._waiting = self._waiting[:n], self._waiting[n:]
        return now

    def tell(self, trials: Sequence[Trial]) -> None:
        """Nothing is learned from trials."""
        admit_once(trials, self._told)


@dataclass(eq=False)
class ByGradients:
    """The search by gradients of a run.

    Args:
        method: its name.
        job: runs it.
        proposes: gets what it finds.
        memory_bytes: most memory; None for any.
        ends: part of a time budget after which it must have ended.
        found: what it found; None before.
    """

    method: str
    job: DifferentiableJob
    proposes: FoundBefore
    memory_bytes: int | None
    ends: float = SEARCH_SHARE
    found: Derived | None = None

    def run(self, ears: Ears, seed: int) -> None:
        """Search, or read what was found before, and hand it to the strategy.

        Raises:
            Interrupted: a signal asked to stop; it begins anew when it is run again.
            SpaceError: the space cannot be relaxed.
            SearchError: it failed, or hangs.
            SpecError: the file of an earlier search is damaged.
        """
        if not self.job.path.is_file():
            self._search(ears, seed)
        self.found = Derived.read(self.job.path)
        ears.tell(f"{self.method}: {self._line(self.found)}")
        self.proposes.add([Proposal(a, origin=self.method) for a in self.found.architectures])

    def notes(self) -> tuple[str, ...]:
        """What a person should know of it."""
        if self.found is None:
            return ()
        told = [f"{self.method}: {remark}" for remark in self.found.remarks]
        if self.found.alarm:
            doubt = "what it found may be no better than chance"
            told.append(f"{self.method}: THE SEARCH COLLAPSED {self.found.alarm}; {doubt}")
        return tuple(told)

    def _search(self, ears: Ears, seed: int) -> None:
        limit_s = self.job.budget_s
        ears.tell(f"{self.method}: searching on shared weights" + (f" for {limit_s:.0f} s" if limit_s else ""))
        began_s = told_s = time.monotonic()
        with IsolatedExecutor(self.job, limits=Limits(memory_bytes=self.memory_bytes)) as executor:
            executor.submit(Job(0, Architecture({}), Fidelity(), seed))
            while not (outcomes := executor.wait(_POLL_S)):
                now_s, number = time.monotonic(), ears.signal()
                if number is not None:
                    raise Interrupted(number)
                if limit_s is not None and now_s - began_s > LATE * limit_s + TELL_EVERY_S:
                    raise SearchError(f"{self.method} did not end in its time ({limit_s:.0f} s); give a larger budget")
                if now_s - told_s >= TELL_EVERY_S:
                    told_s = now_s
                    ears.tell(f"{self.method}: {now_s - began_s:.0f} s")
        if outcomes[0].state is not TrialState.FINISHED:
            number = ears.signal()
            if number is not None:  # which reached its process, too
                raise Interrupted(number)
            raise _error(self.method, outcomes[0])

    def _line(self, found: Derived) -> str:
        networks = f"{len(found.architectures)} network{'s' * (len(found.architectures) != 1)}"
        passes = "" if math.isnan(found.passes) else f" ({found.passes:.3g} passes)"
        searched = f"{networks} after {found.epochs} epochs{passes} on half of the training images"
        if math.isnan(found.accuracy):
            return searched + (f"; ALARM {found.alarm}" if found.alarm else "")
        who = "what it drew is" if self.method == WITHOUT_RELAXATION else "the mixture of all is"
        mixture = f"{who} right on {found.accuracy:.1%} of the other half"
        return f"{searched}; {mixture}" + (f"; ALARM {found.alarm}" if found.alarm else "")


def by_gradients(parts: Parts, spec: SearchSpec, settings: Settings) -> Parts:
    """The parts of a search whose networks come from a differentiable search.

    Args:
        parts: those of the same search by another strategy.
        spec: what is asked for; its strategy is the method.
        settings: how it is run.

    Raises:
        SpecError: a key does not fit to it.
        CapabilityError: the method cannot search networks of the task.
    """
    assert parts.task is not None
    assert parts.plan is not None
    _require_keys(spec, parts.task)
    plan, limit_s = parts.plan, settings.budget.time_s
    proposes = FoundBefore(first_proposals(parts.task, parts.space))
    strategy: Strategy = SuccessiveHalving(
        proposes,
        max_epochs=plan.max_epochs,
        min_epochs=plan.min_epochs,
        eta=plan.eta,
        objectives=parts.objectives,
        constraints=parts.constraints,
        first=0 if limit_s is None else 1 + len(first_proposals(parts.task, parts.space)),
    )
    if limit_s is not None:
        ends = Budget((SEARCH_SHARE + TRAINED_SHARE) * limit_s, settings.budget.trials, None)
        plan = replace(plan, search=ends, grace_s=min(plan.grace_s, 0.05 * limit_s))
    job = DifferentiableJob(
        cast(TrainingEvaluator, parts.evaluator),
        parts.space,
        spec.strategy,
        path=Path(spec.out) / FILE,
        budget_s=None if limit_s is None else SEARCH_SHARE * limit_s,
    )
    phase = ByGradients(spec.strategy, job, proposes, settings.limits.memory_bytes)
    searched_by = f"strategy: {spec.strategy}, a search on shared weights; what it finds is trained"
    return replace(parts, strategy=strategy, plan=plan, ladder=None, searched_by=searched_by, by_gradients=phase)


def _require_keys(spec: SearchSpec, task: Task) -> None:
    from netwright.supernet.differentiable.of_task import require_relaxable

    require_relaxable(task, spec.strategy)
    if spec.ladder not in (DEFAULT, NONE):
        cure = "leave the ladder out, or take another strategy"
        raise SpecError(wrong("ladder", spec.ladder, f"left out with the strategy {spec.strategy}", cure))
    if [goal.metric for goal in spec.goals] not in ([], [task.objective.metric]):
        cure = "take another strategy, such as nsga2"
        allowed = f"{task.objective.metric} alone with the strategy {spec.strategy}"
        raise SpecError(wrong("objectives", spec.objectives, allowed, cure))


def _error(method: str, outcome: Outcome) -> Exception:
    """What a failed search is raised as: a mistake in what was given stays one."""
    cause = outcome.error.partition("\n")[0]
    kind, _, text = cause.partition(": ")
    if kind == "SpaceError" and method != WITHOUT_RELAXATION:
        return SpaceError(f"{text}; or take --strategy {WITHOUT_RELAXATION}, which mixes nothing, or evolution")
    known: dict[str, type[Exception]] = {
        "SpaceError": SpaceError,
        "SearchError": SearchError,
        "TrialError": TrialError,
        "UsageError": UsageError,
    }
    if kind in known:
        return known[kind](text)
    return SearchError(f"{method} failed: {cause or outcome.state}")
