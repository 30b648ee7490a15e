"""A search whose networks begin with the weights of those they were made from, and the check that this is fair.

Which parent a trial has is a function of the history. Inherited weights were trained longer than the trial says, more
so the longer the line; so finalists are trained again from nothing, with seeds of their own, and the result says
whether they come out in the order in which inheritance put them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from netwright.evaluation.base import Parent
from netwright.evaluation.inheriting import EPOCHS, KEPT, SHARE, InheritingEvaluator
from netwright.evaluation.trainer import TrainingEvaluator
from netwright.study.finals import FINAL
from netwright.study.plan import FINAL_SHARE, Plan
from netwright.study.rung_audit import FEWEST, RungAgreement, measure_agreement
from netwright.study.seeds import CONTINUED
from netwright.study.setup import Parts
from netwright.types import Architecture, Budget, Fidelity, Objective, Proposal, Trial, TrialState

NUM_RETRAINED = FEWEST
"""Finalists that are trained from nothing, at least: fewer say nothing about an order."""

WHOLE = 0.95
"""Part of its epochs after which a training counts as one that came to its end."""

INHERITED = "inheritance"
"""Name of the rung whose order is checked."""


def with_inheritance(parts: Parts, budget: Budget) -> Parts:
    """The parts of the same search with inherited weights.

    Args:
        parts: of a search that trains every network from nothing.
        budget: of this sitting.
    """
    assert parts.plan is not None
    before = cast(TrainingEvaluator, parts.evaluator)
    evaluator = InheritingEvaluator(
        before.task,
        before.space,
        work_dir=before.work_dir,
        recipe=before.recipe,
        constraints=before.constraints,
        options=before.options,
    )
    return replace(parts, evaluator=evaluator, plan=with_finals(parts.plan, budget))


def with_finals(plan: Plan, budget: Budget) -> Plan:
    """The plan with enough finalists, and budget for them: none but they are trained from nothing."""
    num = max(plan.num_finalists, NUM_RETRAINED)
    search = plan.search
    trials = None if budget.trials is None else max(1, budget.trials - min(num, budget.trials // 2))
    time_s = search.time_s
    if time_s is not None and not plan.num_finalists and budget.time_s is not None:
        time_s = min(time_s, (1 - FINAL_SHARE / 2) * (budget.time_s - plan.reserve_s))
    epochs = None if budget.epochs is None else min(search.epochs or budget.epochs, budget.epochs / 2)
    return replace(
        plan,
        num_finalists=num,
        search=Budget(time_s, trials, epochs),
        finishes=plan.finishes or budget.time_s is not None,
    )


def inherits(parts: Parts) -> bool:
    """Whether networks of a search begin with their parents' weights."""
    return isinstance(parts.evaluator, InheritingEvaluator)


def parent_of(proposal: Proposal, trials: Mapping[int, Trial]) -> Parent | None:
    """The trial with whose weights a proposal's network begins.

    Args:
        proposal: one that goes on with another's training has that one's parent, a final training has none.
        trials: those that ended, by id.

    Returns:
        The first of its parents, if that one finished.
    """
    while proposal.origin in CONTINUED:
        before = trials.get(proposal.parents[0]) if proposal.parents else None
        if proposal.origin == FINAL or before is None:
            return None
        proposal = before.proposal
    trial = trials.get(proposal.parents[0]) if proposal.parents else None
    if trial is None or trial.state is not TrialState.FINISHED:
        return None
    return Parent(trial.architecture, trial.fidelity, trial.seed, epochs_behind(trial))


def epochs_behind(trial: Trial) -> float:
    """Epochs that a trial's weights were trained, in it and before it."""
    return trial.metrics.get("epochs", trial.fidelity.epochs or 0.0) + trial.metrics.get(EPOCHS, 0.0)


def has_inherited(trial: Trial) -> bool:
    """Whether a trial's weights began as another's."""
    return trial.metrics.get(SHARE, 0.0) > 0


def from_nothing(trials: Iterable[Trial]) -> list[Trial]:
    """The trials whose trainings began from nothing, which alone can be compared with each other."""
    return [trial for trial in trials if not has_inherited(trial)]


def fairness(trials: Sequence[Trial], objective: Objective) -> RungAgreement | None:
    """How the finalists' order by inherited weights agrees with that of their trainings from nothing.

    Args:
        trials: of the search.
        objective: what is compared.

    Returns:
        None with fewer than four finalists that were trained both ways; one whose last training time cut short does not
        count, since it would be behind for that alone.
    """
    below: dict[Architecture, float] = {}
    above: dict[Architecture, float] = {}
    sizes: dict[Architecture, Mapping[str, float]] = {}
    fidelity = Fidelity()
    for trial in sorted(trials, key=lambda t: (t.fidelity.cost, t.id)):
        value = trial.metrics.get(objective.metric)
        if trial.state is not TrialState.FINISHED or value is None:
            continue
        if trial.proposal.origin == FINAL and not has_inherited(trial) and _is_whole(trial):
            above[trial.architecture], fidelity = -objective.sign * value, trial.fidelity
        elif has_inherited(trial):
            below[trial.architecture] = -objective.sign * value
        sizes[trial.architecture] = trial.metrics
    return measure_agreement(INHERITED, fidelity, below, above, sizes)


def _is_whole(trial: Trial) -> bool:
    """Whether a training came to its end, or nearly."""
    asked = trial.fidelity.epochs or 0.0
    return trial.metrics.get("epochs", asked) >= WHOLE * asked


def inherited(best: Trial, trials: Sequence[Trial], objective: Objective) -> list[str]:
    """What was inherited and how long that was trained, and whether the check that it is fair could be made."""
    tried = [t for t in trials if SHARE in t.metrics and t.proposal.origin not in CONTINUED]
    made = [t for t in tried if has_inherited(t)]
    if not made:
        why = "none of them could be read or used; the log says why" if tried else "the strategy named no parents"
        return [f"no network began with a parent's weights: {why}"]
    share = sum(t.metrics[SHARE] for t in made) / len(made)
    kept = sum(t.metrics[KEPT] == 1 for t in made)
    saved = sum(t.metrics[EPOCHS] for t in made)
    failed = f", {len(tried) - len(made)} more could not" if len(tried) > len(made) else ""
    what = f"{share:.0%} of their numbers on average, {kept} computing what the parent does"
    before = f"these weights had been trained {saved:.3g} epochs before"
    told = [f"{len(made)} networks began with a parent's weights{failed}: {what}; {before}"]
    if has_inherited(best):
        before = f"{best.metrics[EPOCHS]:.3g} epochs before its own {best.metrics.get('epochs', 0.0):.3g}"
        told.append(f"trial {best.id} has inherited weights, trained for {before}; a reference has its own alone")
    if fairness(trials, objective) is None:
        needs = f"that takes {NUM_RETRAINED} finalists that inherited, trained from nothing to their end"
        told.append(f"whether inheritance ranked networks rightly was not measured: {needs}; give a larger budget")
    return told
