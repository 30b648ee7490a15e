"""What a person should know of a result besides its numbers, as pure functions of the history.

Warnings: what is delivered is not what a person would expect. Notes: what became of the hand-made references, and what
was measured twice with different results.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from netwright.execution.failures import group_causes
from netwright.study.finals import FINAL, REFERENCE, feasible, refused_references, why_unusable
from netwright.study.inheriting import inherited, inherits
from netwright.study.plan import Plan
from netwright.study.rung_audit import PROBE
from netwright.study.setup import Parts, first_proposals
from netwright.study.supernet_audit import score_the_same, supernet_agreement
from netwright.study.supernet_parts import Sharing, shared_objectives
from netwright.types import Budget, Constraint, Trial, TrialState

SEARCHED = 3
"""Networks of the strategy, after the hand-made ones, from which on one may speak of a search."""

NOT_COMPARED = (
    "shared weights could not be compared with trainings from nothing: too few of these ended, or all came out the same"
)

LEAST_EPOCHS = 1.0
"""Below these a network has not seen all its training images once."""


def warnings_of(best: Trial, trials: Sequence[Trial], parts: Parts) -> tuple[str, ...]:
    """Why the best network is not as well trained as it could be; nothing where it is, or where nothing is trained."""
    plan = parts.plan
    same = "" if parts.sharing is None else score_the_same(trials, parts.objectives[0])
    return (*((same,) if same else ()), *_not_trained(best, trials, parts, plan))


def _not_trained(best: Trial, trials: Sequence[Trial], parts: Parts, plan: Plan | None) -> tuple[str, ...]:
    if plan is None or "epochs" not in best.metrics:
        return ()
    epochs = best.metrics["epochs"]
    finals = [trial for trial in trials if trial.proposal.origin == FINAL]
    trained = f"trial {best.id} was trained for {epochs:.3g} epochs only"
    short = best.fidelity.epochs is None or best.fidelity.epochs < plan.final_epochs
    if best.proposal.origin != FINAL and plan.num_finalists and short and not feasible(finals, parts.constraints):
        return (f"{trained}, not fully: {_why(finals, parts.constraints)}",)
    shared = parts.sharing is not None and best.fidelity.epochs is None  # its weights were trained with the others'
    if not shared and epochs < min(LEAST_EPOCHS, 0.9 * plan.final_epochs):
        return (f"{trained}, since time ended its training; give a larger budget",)
    return ()


def _why(finals: Sequence[Trial], constraints: Sequence[Constraint]) -> str:
    """Why no network was trained fully."""
    if not finals:
        return "there was no time for a longer training; give a larger budget (netwright resume --budget)"
    told = [f"trial {trial.id} {why_unusable(trial, constraints)}" for trial in finals]
    return f"the full training could not be made: {'; '.join(told)}"


def notes_of(best: Trial, trials: Sequence[Trial], parts: Parts, budget: Budget) -> tuple[str, ...]:
    """What became of the references, whether anything was searched, what was passed over, a latency not found again."""
    notes = [*refused_references(trials, parts.constraints), *_measured_again(best, parts.constraints)]
    if parts.plan is not None and parts.task is not None:
        notes += _only_references(trials, parts, budget)
    if parts.known_limits is not None:
        notes.append(parts.known_limits.note())
    if parts.by_gradients is not None:
        notes += parts.by_gradients.notes()
    if parts.sharing is not None:
        notes += _shared(best, trials, parts, parts.sharing)
    if inherits(parts):
        notes += inherited(best, trials, parts.objectives[0])
    return tuple(note for note in notes if note)


def _shared(best: Trial, trials: Sequence[Trial], parts: Parts, sharing: Sharing) -> list[str]:
    """Where weights come from, and whether shared weights rank as trainings from nothing do."""
    origin = sharing.phase.record.origin
    before = {trial.id: trial for trial in trials}
    parents = [before[number] for number in best.proposal.parents if number in before]
    if best.proposal.origin == FINAL and any(trial.fidelity.epochs is None for trial in parents):
        taught = " with the answers of the largest network" if sharing.teacher else ""
        where = f"its weights are its part of {origin}, trained further{taught}"
    elif best.fidelity.epochs is None:
        where = f"its weights are its part of {origin}, with its own statistics of norms"
    else:
        why = "to be compared with" if best.proposal.origin == PROBE else "beside"
        where = f"it was trained from nothing, {why} {origin}"
    assert parts.task is not None
    main, by = parts.objectives[0], shared_objectives(parts.objectives, parts.task)[0]
    agreement = [str(found) for found in supernet_agreement(trials, main, by)]
    if not agreement and not sharing.note:
        agreement = [NOT_COMPARED]
    compared = "" if by == main else f"with shared weights networks were compared by {by.metric}, not by {main.metric}"
    warning = str(sharing.phase.record.trained.get("warning", ""))
    return [f"trial {best.id}: {where}", compared, *agreement, sharing.held, sharing.note, warning]


def _measured_again(best: Trial, constraints: Sequence[Constraint]) -> list[str]:
    again = best.metrics.get("latency_again_ms")
    if again is None:
        return []
    bounds = [c.bound for c in constraints if c.metric == "latency_ms"]
    limit = f", beyond the limit of {min(bounds):g}" if bounds else ""
    before = f"it was {best.metrics['latency_ms']:.3g} ms when the network was accepted"
    cure = "other work slows a measurement: measure once more on an idle machine"
    return [f"the latency was measured again: {again:.3g} ms{limit}; {before}; {cure}"]


def _only_references(trials: Sequence[Trial], parts: Parts, budget: Budget) -> list[str]:
    """That nothing but hand-made references was tried, and which budget a search needs."""
    assert parts.task is not None
    searched = [trial for trial in trials if trial.proposal.origin != FINAL]
    first = first_proposals(parts.task, parts.space)
    references = {p.architecture for p in first if p.origin.startswith(REFERENCE)}
    ended = {trial.architecture for trial in trials}
    if not references or (searched and not ended <= references):
        return []
    what = f"only the {len(ended)} references" if len(ended) > 1 else "only one hand-made network"
    return [f"{what} fitted into the budget; give {_enough(budget, len(searched), len(first) + SEARCHED)} for a search"]


def _enough(budget: Budget, num_ended: int, num_wanted: int) -> str:
    """A budget in which so many trials end, when so many ended in this one."""
    if budget.time_s is not None:
        return f"{math.ceil(budget.time_s * num_wanted / max(1, num_ended) / 60)} minutes"
    if budget.trials is not None:
        return f"{num_wanted + 2} trials"
    return f"{math.ceil((budget.epochs or 1.0) * num_wanted / max(1, num_ended))} epochs"


def nothing_usable(trials: Sequence[Trial]) -> str:
    """Why there is no result."""
    if not trials:
        return "no usable network: the strategy proposed nothing"
    counts = {state: sum(t.state is state for t in trials) for state in TrialState}
    errors = [t.error.partition("\n")[0] for t in trials if t.state is not TrialState.FINISHED]
    causes = group_causes(errors) if errors else "  all that finished are over a limit"
    return (
        f"no usable network: {counts[TrialState.INFEASIBLE]} of {len(trials)} trials broke a limit, "
        f"{counts[TrialState.FAILED]} failed; loosen the limits or raise the budget. Causes:\n{causes}"
    )
