"""From the parts of a search that trains each network to those of one on shared weights.

A part of the budget trains the supernet, or one is given that was trained before; every strategy then searches on it;
finalists go on from their shared weights. Nothing is trained here; what does not fit together is found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from netwright.errors import SpaceError, SpecError, wrong
from netwright.evaluation.ladder import DEFAULT, NONE
from netwright.evaluation.supernet_evaluator import SupernetEvaluator
from netwright.evaluation.supernet_files import (
    WEIGHTS,
    held_by,
    networks_of,
    recipe_of,
    require_classes,
    require_new_weights,
    require_whole,
)
from netwright.evaluation.supernet_settings import SupernetSettings
from netwright.evaluation.trainer import TrainingEvaluator
from netwright.spec import LEARNS_EARLIER
from netwright.strategies import Strategy, has_fidelities, make_strategy
from netwright.study.finals import pareto_front
from netwright.study.plan import Plan, nominal_rate
from netwright.study.setup import Parts, first_plan, first_proposals
from netwright.study.supernet_audit import NUM_AUDITED, Audited, draw_audited
from netwright.study.supernet_opening import OPENED_SHARE, FirstThen, opening_of
from netwright.study.supernet_phase import SupernetPhase
from netwright.study.supernet_record import SupernetRecord, read_finished
from netwright.supernet.family import num_within
from netwright.supernet.sampling import ends
from netwright.types import Architecture, Budget, Fidelity, Objective, Proposal, Trial, digest

if TYPE_CHECKING:
    from netwright.spec import SearchSpec
    from netwright.study.settings import Settings
    from netwright.tasks.base import Task

FOLDER = "supernet"
"""Of a run: where its own supernet lies."""

TRAINED_SHARE = 0.4
SEARCHED_SHARE, SEARCHED_WITHIN = 0.25, 0.2
"""Parts of a time budget that train the supernet, and that compare and search (the second: networks within one); the
rest, but for what was trained before the supernet, trains finalists and exports. Without a training of its own the
search has its part alone."""

LEAST_SHARE = 0.3
"""Of the time for the shared weights, below which none are trained."""

AUDIT_SHARE = 0.12
"""Part of a time budget that trains a few networks from nothing, to compare."""

MOST_EPOCHS = 4.0
"""Times the full training of one network: the most that a supernet is trained where time allows it."""

FEWEST_FRONT, MOST_FRONT, FRONT_S = 6, 12, 50.0
"""Networks of the front that are trained further, where there are several objectives and time is limited: one for so
many wall seconds that are left for it."""

LOSS = Objective("loss", "min")

FEWEST_AUDITED = 4
LEAST_AUDIT_EPOCHS, MOST_AUDIT_EPOCHS = 0.1, 12.0
"""Epochs of a training from nothing, for the comparison."""


@dataclass(frozen=True)
class Sharing:
    """The supernet of a search.

    Args:
        phase: trains it; one that was given is found to be trained.
        trains_until: part of a time budget after which its training must have ended; 0 where it was given.
        note: what the audit lacks; empty where it lacks nothing.
        teacher: whether finalists learn from the largest network, too.
        largest: within which all its networks lie; None where it holds the whole space.
        alone: trains networks of the whole space from nothing.
    """

    phase: SupernetPhase
    trains_until: float
    alone: TrainingEvaluator = field(compare=False)
    note: str = ""
    teacher: bool = False
    largest: Architecture | None = None

    def is_late(self, spent_s: float, time_s: float | None) -> bool:
        """Whether too little is left of the time for the shared weights to train any."""
        return time_s is not None and spent_s > (self.trains_until - LEAST_SHARE * TRAINED_SHARE) * time_s

    def holds(self, architecture: Architecture) -> bool:
        """Whether a network has a part of the shared weights."""
        return self.largest is None or self.phase.space.contains(architecture)

    @property
    def held(self) -> str:
        """Which networks the weights are of; empty where they are of all."""
        if self.largest is None:
            return ""
        try:
            count = num_within(self.phase.space, self.largest)
            networks = f"{count:,.0f} networks" if count < 10**6 else f"{count:.3g} networks"
        except SpaceError:  # too entangled to be counted
            networks = "networks"
        lie = f"within {self.largest.id[:8]}: its operations, no size larger"
        return f"shared weights hold the {networks} that lie {lie}"


def with_supernet(parts: Parts, spec: SearchSpec, settings: Settings, objects: Mapping[str, Any]) -> Parts:
    """The parts of a search on shared weights.

    Args:
        parts: those of the same search that trains each network.
        spec: what is asked for.
        settings: how it is run.
        objects: as of `netwright.study.setup.task_parts`.

    Raises:
        SpecError: a key does not fit to a search that trains nothing, or the given supernet cannot be used.
        StudyMismatchError: the given supernet is of another space or other data.
    """
    assert parts.task is not None
    assert parts.plan is not None
    _require_keys(spec, settings.budget, objects)
    require_new_weights(parts.task)
    if spec.teacher:
        require_classes(parts.task, "teacher", spec.teacher)
    if spec.supernet is not None:
        given = replace(_given(parts, Path(spec.supernet)), teacher=spec.teacher)
        if given.largest is not None and "strategy" in objects:
            cure = "give its name, or train a supernet of the whole space"
            raise SpecError(wrong("strategy", "an object", f"a name: {given.held}", cure))
        return _on_shared_weights(parts, spec, settings, objects, given)

    def settle(largest: Architecture | None, opened: float = OPENED_SHARE) -> Parts:
        return _on_shared_weights(parts, spec, settings, objects, _own(parts, spec, settings, largest, opened))

    opening = None
    if spec.spending.time_s is not None and "strategy" not in objects:  # one that was made is for all of the space
        train_s = TRAINED_SHARE * spec.spending.time_s
        opening = opening_of(parts, first_plan(spec, parts.task), spec, train_s, settle)
    if opening is None:
        return settle(None, 0.0)
    following = settle(None)
    return replace(following, evaluator=parts.evaluator, strategy=FirstThen(opening.proposals, None), opening=opening)


def _on_shared_weights(
    parts: Parts, spec: SearchSpec, settings: Settings, objects: Mapping[str, Any], sharing: Sharing
) -> Parts:
    """The parts of a search on these shared weights."""
    assert parts.task is not None
    assert parts.plan is not None
    assert parts.known_limits is not None
    before, held = cast(TrainingEvaluator, parts.evaluator), sharing.phase.space
    evaluator = SupernetEvaluator(
        parts.task,
        sharing.phase.weights,
        work_dir=before.work_dir,
        space=held,
        constraints=parts.constraints,
        options=before.options,
        teacher=sharing.teacher,
    )
    space = held.limited(parts.known_limits)
    given = objects.get("strategy")
    if sharing.largest is None:
        first = first_proposals(parts.task, parts.space)
    else:
        first = [p for p in first_proposals(parts.task, parts.space) if held.contains(p.architecture)]
        made = {p.architecture for p in first}
        first += [Proposal(a) for a in ends(networks_of(parts.task, held), spec.seed) if a not in made]
    name = LEARNS_EARLIER if parts.earlier else spec.strategy
    earlier: dict[str, Any] = {"earlier": parts.earlier} if parts.earlier else {}
    inner = make_strategy(
        name if given is None else given,
        space,
        seed=spec.seed,
        objectives=shared_objectives(parts.objectives, parts.task),
        constraints=parts.constraints,
        initial=[replace(p, fidelity=Fidelity()) for p in first if space.admits(p.architecture)],
        **earlier,
    )
    count, epochs = _audit(parts, spec)
    audited = draw_audited(space, spec.seed, count) if count else []
    strategy: Strategy = inner
    if len(audited) >= FEWEST_AUDITED:
        strategy = Audited(inner, audited, Fidelity(epochs))
    else:
        budget = "the budget is too small for it" if not count else "too few networks keep the limits"
        sharing = replace(sharing, note=f"shared weights were not compared with trainings from nothing: {budget}")
    code = parts.code
    if spec.supernet is not None:
        code = digest(f"{code} {sharing.phase.record.digest}")
    plan = _plan(
        parts.plan, spec.spending if settings.budget.time_s is None else settings.budget, sharing, len(parts.objectives)
    )
    return replace(parts, evaluator=evaluator, strategy=strategy, plan=plan, code=code, ladder=None, sharing=sharing)


def shared_objectives(objectives: Sequence[Objective], task: Task) -> tuple[Objective, ...]:
    """What networks are compared by with shared weights: the loss in the place of the accuracy of classes.

    It also tells networks apart that are right equally often. In all trainings of ``docs/figures/supernet_ranks.md`` it
    ranked as trainings from nothing do, as well as accuracy or better (tau higher by .00 to .07).

    Args:
        objectives: of the search.
        task: of the search.
    """
    if not task.classifies or LOSS.metric in {o.metric for o in objectives}:
        return tuple(objectives)
    return tuple(LOSS if o.metric == "accuracy" else o for o in objectives)


def front_finalists(trials: Sequence[Trial], objectives: Sequence[Objective], count: int) -> list[Trial]:
    """Of several objectives: networks that are spread over the front by shared weights, best by the first one first.

    A network that was trained by itself is among them where it is on the front, too: being faster, say, than all that
    have shared weights. Its short training says little of its accuracy, but no other takes its place.

    Args:
        trials: scored with shared weights, or after a training of their own, within the limits.
        objectives: of the search.
        count: how many at most; of those that were trained by themselves at most half as many.
    """
    scored = {t.architecture for t in trials if t.fidelity.epochs is None}
    front = pareto_front([t for t in trials if t.fidelity.epochs is None or t.architecture not in scored], objectives)
    alone = _spread([t for t in front if t.fidelity.epochs is not None], count // 2)
    chosen = {t.id for t in (*alone, *_spread([t for t in front if t.fidelity.epochs is None], count - len(alone)))}
    return [t for t in front if t.id in chosen]


def _spread(trials: Sequence[Trial], count: int) -> list[Trial]:
    """So many of them, evenly, the first and the last among them."""
    if len(trials) <= count:
        return list(trials)
    places = {round(number * (len(trials) - 1) / max(1, count - 1)) for number in range(count)}
    return [trials[place] for place in sorted(places)]


def num_front_finalists(left_s: float) -> int:
    """How many networks of a front go on from their shared weights in so many wall seconds.

    Example:
        >>> num_front_finalists(60), num_front_finalists(400), num_front_finalists(3600)
        (6, 8, 12)
    """
    return max(FEWEST_FRONT, min(MOST_FRONT, round(left_s / FRONT_S)))


def _require_keys(spec: SearchSpec, budget: Budget, objects: Mapping[str, Any]) -> None:
    if spec.ladder not in (DEFAULT, NONE):
        cure = "leave the ladder out, or search with --evaluator training"
        raise SpecError(wrong("ladder", spec.ladder, "left out with evaluator supernet", cure))
    if "strategy" not in objects and spec.strategy != "auto" and has_fidelities(spec.strategy):
        cure = "take another strategy, such as evolution, or --evaluator training"
        allowed = "one that does not decide how long networks are trained, with evaluator supernet"
        raise SpecError(wrong("strategy", spec.strategy, allowed, cure))
    if budget.epochs is not None:
        cure = "with evaluator supernet give a time or a number of trials, such as 10m"
        raise SpecError(wrong("budget", str(budget), "a time or a number of trials", cure))
    if spec.max_epochs is not None and spec.max_epochs <= 1:
        raise SpecError(wrong("max_epochs", spec.max_epochs, "> 1 with evaluator supernet", "raise max_epochs"))


def _given(parts: Parts, folder: Path) -> Sharing:
    """A supernet that was trained before."""
    task = parts.task
    assert task is not None
    found = read_finished(folder)
    fingerprints = {"space_fingerprint": parts.space.fingerprint(), "data_fingerprint": task.fingerprint()}
    found.require_same(replace(found, **fingerprints), folder)  # type: ignore[arg-type]
    require_whole(folder / WEIGHTS, found.digest)
    largest = found.largest
    phase = SupernetPhase(task, held_by(task, parts.space, largest), found, folder)
    return Sharing(phase, 0.0, cast(TrainingEvaluator, parts.evaluator), largest=largest)


def _own(parts: Parts, spec: SearchSpec, settings: Settings, largest: Architecture | None, opened: float) -> Sharing:
    """The supernet that the search trains itself, of the networks within one where there is one."""
    task, plan = parts.task, parts.plan
    assert task is not None
    assert plan is not None
    epochs = plan.final_epochs if settings.budget.time_s is None else MOST_EPOCHS * plan.final_epochs
    recipe = recipe_of(task)
    how: dict[str, Any] = {"epochs": epochs, "seed": spec.seed, "distil": task.classifies, "recipe": recipe}
    if largest is not None:
        how["sampling"] = "largest-first"
    record = SupernetRecord(
        task=spec.task,
        data=task.data_name if spec.data is None else spec.data,
        space=spec.space,
        seed=spec.seed,
        settings=SupernetSettings(**how),
        space_fingerprint=parts.space.fingerprint(),
        data_fingerprint=task.fingerprint(),
        code=parts.code,
        device=spec.device,
        task_options=spec.task_options,
        within="" if largest is None else largest.to_json(),
    )
    phase = SupernetPhase(
        task,
        held_by(task, parts.space, largest),
        record,
        Path(spec.out) / FOLDER,
        workers=spec.workers,
        memory_bytes=settings.limits.memory_bytes,
    )
    alone = cast(TrainingEvaluator, parts.evaluator)
    return Sharing(phase, opened + TRAINED_SHARE, alone, teacher=spec.teacher, largest=largest)


def _audit(parts: Parts, spec: SearchSpec) -> tuple[int, float]:
    """How many networks are trained from nothing, and for how many epochs; none where the budget is too small.

    Where fewer epochs rank badly, as the task says, there are rather fewer networks.
    """
    assert parts.task is not None
    assert parts.plan is not None
    budget, plan = spec.spending, parts.plan
    least = min(plan.final_epochs, max(LEAST_AUDIT_EPOCHS, getattr(parts.task, "least_epochs", None) or 0.0))
    if budget.time_s is None:
        count = min(NUM_AUDITED, (budget.trials or 0) // 6)
        return (count, max(least, plan.final_epochs / 9)) if count >= FEWEST_AUDITED else (0, 0.0)
    rate = nominal_rate(len(parts.task.train()[1]), parts.task.work) * spec.workers
    affordable = AUDIT_SHARE * budget.time_s * rate
    count = min(NUM_AUDITED, int(affordable / least))
    if count < FEWEST_AUDITED:
        return 0, 0.0
    epochs = min(max(MOST_AUDIT_EPOCHS, least), plan.final_epochs, affordable / count)
    return count, max(least, float(f"{epochs:.2g}"))


def _plan(plan: Plan, budget: Budget, sharing: Sharing, num_objectives: int) -> Plan:
    """The plan with the search phase in its place: after the supernet, before the finalists."""
    if budget.time_s is None:
        return replace(plan, min_epochs=plan.max_epochs, equal_time=False, least_cost=0.0, finishes=False)
    searched = SEARCHED_SHARE if sharing.largest is None else SEARCHED_WITHIN
    ends_s = (sharing.trains_until + searched) * budget.time_s
    front = num_front_finalists(budget.time_s - plan.reserve_s - ends_s)
    return replace(
        plan,
        search=Budget(ends_s, budget.trials, None),
        num_finalists=max(1, plan.num_finalists) if num_objectives == 1 else front,
        grace_s=min(plan.grace_s, 0.05 * budget.time_s),
        equal_time=False,
        least_cost=0.0,
        finishes=False,
    )
