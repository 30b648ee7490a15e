"""From a specification to the parts of a search: task, space, strategy, evaluator. All that can be wrong is found here.

Nothing is trained and nothing is written. The parts run no torch operation, so that trials can be forked afterwards.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from netwright.errors import CapabilityError, SpecError, one_line, unknown, wrong
from netwright.evaluation.base import Evaluator
from netwright.evaluation.ladder import DEFAULT, NONE, training_rungs
from netwright.evaluation.recipe import Recipe
from netwright.python_files import import_file
from netwright.space import SearchSpace
from netwright.spec import LEARNS_EARLIER
from netwright.strategies import Strategy, SuccessiveHalving, has_fidelities, make_strategy
from netwright.strategies.auto import choose
from netwright.strategies.earlier_studies import EarlierStudy
from netwright.strategies.rung_sense import RungSense
from netwright.strategies.successive_halving import rung_epochs
from netwright.study.earlier import earlier_studies, fingerprint, told_of
from netwright.study.equal_time import EqualTime
from netwright.study.finals import PORTFOLIO, REFERENCE
from netwright.study.known_limits import KnownLimits
from netwright.study.ladder_strategy import Ladder
from netwright.study.plan import Lengths, Plan, make_plan, nominal_rate, with_final_scores
from netwright.study.preflight import require_device, require_learning, require_networks, require_training
from netwright.study.screen_parts import most_macs, screen_of
from netwright.study.settings import Settings
from netwright.tasks import is_own, load_task, task_file
from netwright.types import Budget, Constraint, Fidelity, Objective, Proposal, digest

if TYPE_CHECKING:
    from netwright.evaluation.trainer import TrainerOptions
    from netwright.spec import SearchSpec
    from netwright.study.differentiable import ByGradients
    from netwright.study.shared_rung import SharedRung
    from netwright.study.supernet_opening import Opening
    from netwright.study.supernet_parts import Sharing
    from netwright.tasks.base import Task


@dataclass(frozen=True)
class Parts:
    """What a search is made of.

    Args:
        space: where.
        strategy: what to try next.
        evaluator: how good it is.
        objectives: what is wanted; the first one decides.
        constraints: limits.
        task: the task; None with an evaluator of one's own.
        plan: how the budget is divided; None with an evaluator of one's own.
        code: digest of code that a person wrote for this search: evaluator, space or task.
        searched_by: the strategy, and why it was chosen; for people.
        ladder: the strategy within, where it is a ladder.
        shared_rung: the ladder's rung of shared weights; None without one.
        known_limits: which networks are not worth a proposal; None with an evaluator of one's own.
        sharing: the supernet that is searched on; None where each network is trained.
        opening: the trainings that decide which part of the space is shared; None without any, or once it is decided.
        by_gradients: the differentiable search that gives the networks; None where a strategy proposes them.
        task_options: with which the data was read.
        earlier: studies that the search begins with.
        carried: whether the networks are those of another run, and no others may take their places.
    """

    space: SearchSpace
    strategy: Strategy
    evaluator: Evaluator
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]
    task: Task | None = None
    plan: Plan | None = None
    code: str = ""
    searched_by: str = ""
    ladder: Ladder | None = None
    shared_rung: SharedRung | None = None
    known_limits: KnownLimits | None = None
    sharing: Sharing | None = None
    opening: Opening | None = None
    by_gradients: ByGradients | None = None
    task_options: Mapping[str, str | float | bool] = field(default_factory=dict)
    earlier: tuple[EarlierStudy, ...] = ()
    carried: bool = False


def task_parts(spec: SearchSpec, settings: Settings, objects: Mapping[str, Any]) -> Parts:
    """Parts of a search on a task.

    Args:
        spec: what is asked for, with the budget that the search began with.
        settings: how it is run, with the budget of this sitting.
        objects: ``task``, ``space`` and ``strategy``, where they are given as objects.

    Raises:
        UsageError: data, space, strategy or limits are wrong or do not fit together.
    """
    from netwright.evaluation.trainer import TrainingEvaluator

    require_device(spec.device)
    constraints, goals = spec.limits, spec.goals
    options = _trainer_options(spec, settings)
    task: Task = objects.get("task") or load_task(spec.task, spec.data, seed=spec.seed, **spec.task_options)
    space, code = _space_of(spec, task, objects)
    code = with_task_code(code, spec, task)
    first = first_plan(spec, task)
    plan = _later_plan(spec, settings, task, first)
    work = Path(spec.out) / "work"
    evaluator = TrainingEvaluator(task, space, work_dir=work, constraints=constraints, options=options)
    given = objects.get("strategy")
    known_limits = KnownLimits(evaluator.keeps_known_limits)
    space = space.limited(known_limits)
    earlier = earlier_studies(spec)
    strategy = _strategy_of(spec, first, space, task, given, earlier)
    ladder = strategy if isinstance(strategy, Ladder) else None
    if first.equal_time and learns_images(task) and [goal.metric for goal in goals] == ["accuracy"]:
        strategy = EqualTime(strategy, first.least_cost)
    searched_by = "" if given is not None else searcher(spec.strategy, goals)
    if earlier:
        searched_by = f"strategy: {LEARNS_EARLIER}, which {told_of(earlier, space, goals, constraints)}"
        code = digest(code + fingerprint(earlier))
    return Parts(
        space,
        strategy,
        evaluator,
        goals,
        constraints,
        task,
        plan,
        code,
        searched_by,
        ladder=ladder,
        known_limits=known_limits,
        task_options=spec.task_options,
        earlier=earlier,
    )


def _trainer_options(spec: SearchSpec, settings: Settings) -> TrainerOptions:
    """How networks are trained and measured.

    Raises:
        SpecError: a device is given that nothing would use, or a runtime that is not there.
    """
    from netwright.evaluation.latency import LatencySpec, require_runtime
    from netwright.evaluation.trainer import TrainerOptions

    latency = LatencySpec(
        spec.latency_batch,
        spec.latency_threads,
        cast(Any, spec.latency_runtime),
        precision=cast(Any, spec.latency_precision),
        device_command=spec.latency_device_command or "",
    )
    quantised = latency.precision == "int8"
    measured = "latency_ms" in {limit.metric for limit in spec.limits} | {goal.metric for goal in spec.goals}
    if spec.latency_device_command is not None and not measured:
        cure = "add --constraint 'latency_ms<=...' or --objective latency_ms"
        raise SpecError(wrong("latency_device_command", spec.latency_device_command, "given with a use for it", cure))
    if measured or quantised:
        require_runtime(latency)
    return TrainerOptions(
        device=spec.device,
        latency=latency if measured else None,
        quantised=latency if quantised else None,
        memory_bytes=settings.limits.memory_bytes,
    )


def _later_plan(spec: SearchSpec, settings: Settings, task: Task, first: Plan) -> Plan:
    """How the budget of this sitting, which may be larger than the first, is divided; the rungs stay as they were."""
    plan = _plan_of(spec, settings.budget, task, climbs=first.num_finalists == 0)
    return replace(
        plan,
        min_epochs=first.min_epochs,
        max_epochs=first.max_epochs,
        final_epochs=max(plan.final_epochs, first.max_epochs),
    )


def _strategy_of(
    spec: SearchSpec,
    plan: Plan,
    space: SearchSpace,
    task: Task,
    given: Strategy | None,
    earlier: Sequence[EarlierStudy] = (),
) -> Strategy:
    """The strategy in its rungs; the plan is that of the budget which the search began with.

    A strategy that decides on fidelities itself is given those of the rungs; others are put on the ladder, or without
    one are wrapped by successive halving.

    Raises:
        SpecError: rungs are chosen for a strategy that has rungs of its own.
    """
    constraints, goals = spec.limits, spec.goals
    initial = first_proposals(task, space)
    min_epochs = plan.min_epochs if spec.halves else plan.max_epochs
    epochs = rung_epochs(min_epochs, plan.max_epochs, plan.eta)
    options: dict[str, Any] = {"earlier": earlier} if earlier else {}
    climbs_itself = given is None and spec.strategy != "auto" and has_fidelities(spec.strategy)
    if climbs_itself:
        _require_no_ladder(spec)
        options["fidelities"] = [Fidelity(e) for e in epochs]
    name = LEARNS_EARLIER if earlier else spec.strategy
    make = partial(
        make_strategy,
        name if given is None else given,
        space,
        seed=spec.seed,
        objectives=goals,
        constraints=constraints,
        initial=initial,
        **options,
    )
    if climbs_itself:
        return make()
    first = 0 if plan.search.time_s is None else len(initial)
    if spec.rungs:
        return Ladder(
            make,
            [Fidelity(e) for e in training_rungs(spec.rungs, epochs)],
            eta=plan.eta,
            objectives=goals,
            constraints=constraints,
            first=first,
            num_initial=len(initial),
            screen=screen_of(spec, plan, space, task, [proposal.architecture for proposal in initial]),
            make_sense=partial(RungSense, space, spec.seed),
        )
    return SuccessiveHalving(
        make(),
        max_epochs=plan.max_epochs,
        min_epochs=min_epochs,
        eta=plan.eta,
        objectives=goals,
        constraints=constraints,
        first=first,
    )


def _require_no_ladder(spec: SearchSpec) -> None:
    if spec.ladder not in (DEFAULT, NONE):
        cure = "leave the ladder out, or take another strategy"
        raise SpecError(wrong("ladder", spec.ladder, f"left out with the strategy {spec.strategy}", cure))


def _space_of(spec: SearchSpec, task: Task, objects: Mapping[str, Any]) -> tuple[SearchSpace, str]:
    """The search space, and the digest of the file it comes from; one of a person's own is looked at closely."""
    space, code = (objects["space"], "") if "space" in objects else find_space(spec, task)
    if not isinstance(space, SearchSpace):
        raise CapabilityError(wrong("space", space, "a SearchSpace, the name of a shipped one, or FILE.py:NAME"))
    require_training(space, Recipe())
    require_fit(spec, task, space, is_given="space" in objects)
    return space, code


def require_fit(spec: SearchSpec, task: Task, space: SearchSpace, *, is_given: bool = False) -> None:
    """Look closely at a space or a task of one's own, before anything is trained.

    Args:
        spec: names both.
        task: says what goes in and what comes out.
        space: of the networks.
        is_given: whether the space was given as an object.

    Raises:
        CapabilityError: networks do not fit the task, cannot be exported, or its loss or scores cannot be used.
    """
    name = f"the default space of {task.name}" if spec.space == "default" else f"space {one_line(spec.space)}"
    if is_given or spec.space_file is not None or is_own(task):
        require_networks(task, space, "space" if is_given else name)
    if is_own(task):
        require_learning(task, space)


def with_task_code(code: str, spec: SearchSpec, task: Task) -> str:
    """A digest of code, and with it that of a task of one's own, so that a resume notices a change.

    Args:
        code: digest of the rest.
        spec: names the task, which may lie in a file.
        task: as it was loaded.
    """
    own = task_file(spec.task)
    if own is not None:
        return digest(code + digest(own[0].read_text(encoding="utf-8")))
    return digest(code + code_digest(task)) if is_own(task) else code


def first_plan(spec: SearchSpec, task: Task) -> Plan:
    """The plan of the budget which the search began with."""
    return _plan_of(spec, spec.spending, task)


def _plan_of(spec: SearchSpec, budget: Budget, task: Task, climbs: bool | None = None) -> Plan:
    num_images, macs = len(task.train()[1]), most_macs(spec)
    lengths = Lengths(
        min_epochs=spec.min_epochs,
        max_epochs=spec.max_epochs,
        full_epochs=task.full_epochs,
        least_epochs=getattr(task, "least_epochs", None) or 0.0,
        eta=spec.eta,
        halving=spec.halves,
        climbs=climbs,
    )
    plan = make_plan(budget, num_images=num_images, pixels=task.work, workers=spec.workers, macs=macs, lengths=lengths)
    rate = num_images * nominal_rate(num_images, task.work, macs)
    return with_final_scores(plan, budget, getattr(task, "final_examples", 0.0), rate)


def searcher(strategy: str | Strategy, goals: Sequence[Objective]) -> str:
    """The strategy in words; of ``auto`` what it stands for, and why."""
    if strategy == "auto":
        return f"strategy: {choose(goals)}"
    return f"strategy: {strategy}" if isinstance(strategy, str) else ""


def first_proposals(task: Task, space: SearchSpace) -> list[Proposal]:
    """The hand-made references and the portfolio, as far as they are points of the space, as first trials.

    Those that break a known limit are made narrower until they keep it, and these are tried, too.
    """
    by_hand = task.references()
    names = {reference.name for reference in by_hand}
    narrowed = task.narrowed(lambda network: not space.contains(network) or space.admits(network))
    references = [Proposal(r.architecture, origin=f"{REFERENCE}{r.name}") for r in by_hand]
    portfolio = [Proposal(architecture, origin=PORTFOLIO) for architecture in task.portfolio()]
    for made in narrowed:
        if made.name.rpartition("-x")[0] in names:
            references.append(Proposal(made.architecture, origin=f"{REFERENCE}{made.name}"))
        else:
            portfolio.append(Proposal(made.architecture, origin=PORTFOLIO))
    return [proposal for proposal in (*references, *portfolio) if space.contains(proposal.architecture)]


def find_space(spec: SearchSpec, task: Task) -> tuple[SearchSpace, str]:
    """The search space that a specification names, and the digest of the file it comes from (empty for ours).

    Raises:
        SpecError: an unknown name, a file that is not there, or a variable in it that is no space.
    """
    if spec.space_file is not None:
        file, name = spec.space_file
        return load_space(file, name, task), digest(file.read_text(encoding="utf-8"))
    if spec.space == "default":
        return task.default_space(), ""
    from netwright.nn.spaces import SPACES

    if spec.space not in SPACES:
        raise SpecError(unknown("space", spec.space, ["default", *SPACES]))
    if not learns_images(task):
        cure = "use default, or FILE.py:NAME of your own"
        raise SpecError(wrong("space", spec.space, f"one that is not of images, for the task {task.name}", cure))
    return SPACES[spec.space](task.input_shape, task.output_shape[-1]), ""


def learns_images(task: Task) -> bool:
    """Whether a task's examples are images with one logit a class."""
    from netwright.tasks.image_task import ImageTask

    return (task.classifies or isinstance(task, ImageTask)) and len(task.input_shape) == 3


def load_space(file: Path, name: str, task: Task) -> SearchSpace:
    """Take a space from a person's own file: a `SearchSpace`, or a function of (input_shape, number of outputs)."""
    if not file.is_file():
        raise SpecError(wrong("space", str(file), "FILE.py:NAME with a file that exists"))
    module = import_file(file, "space")
    found = getattr(module, name, None)
    if found is None:
        raise SpecError(f"space: {file}: " + unknown("name", name, [n for n in vars(module) if not n.startswith("_")]))
    try:
        space = found(task.input_shape, _num_outputs(task)) if callable(found) else found
    except (Exception, SystemExit) as error:
        called = f"{name}(input_shape, num_classes)"
        raise SpecError(
            f"space: {file}: {called} raised {type(error).__name__}: {error}; mend that function"
        ) from error
    if not isinstance(space, SearchSpace):
        allowed = "a SearchSpace, or a function (input_shape, num_classes) that returns one"
        raise SpecError(wrong(f"space: {file}: {name}", type(found).__name__, allowed))
    return space


def _num_outputs(task: Task) -> int:
    """What a function of one's own that makes a space is told: classes, or the last extent of the outputs."""
    return task.output_shape[-1] if task.output_shape else 1


def code_digest(part: object) -> str:
    """Digest of the source of a function or class, so that a resume notices a change; of its name where unknown."""
    target = part if inspect.isroutine(part) or inspect.isclass(part) else type(part)
    try:
        return digest(inspect.getsource(cast(Callable[..., object], target)))
    except (OSError, TypeError):
        return digest(getattr(target, "__qualname__", repr(type(part))))


def own_parts(options: Mapping[str, Any]) -> Parts:
    """Parts of a search with an evaluator of one's own.

    Args:
        options: ``space`` and ``evaluator``, and where given ``strategy``, ``seed``, ``objectives``, ``constraints``.

    Raises:
        CapabilityError: the evaluator cannot be called, or the space is none.
        UsageError: another option is wrong.
    """
    space, evaluator = options.get("space"), options["evaluator"]
    if not callable(evaluator):
        raise CapabilityError(wrong("evaluator", evaluator, "callable as evaluator(arch, fidelity=..., seed=...)"))
    if not isinstance(space, SearchSpace):
        raise CapabilityError(wrong("space", space, "a SearchSpace", "with an evaluator of your own give space=, too"))
    goals = tuple(map(parse_objective, _texts(options.get("objectives", ("accuracy",)))))
    limits = tuple(map(Constraint.parse, _texts(options.get("constraints", ()))))
    strategy = options.get("strategy", "auto")
    made = make_strategy(strategy, space, seed=options.get("seed", 0), objectives=goals, constraints=limits)
    code = code_digest(evaluator)
    return Parts(space, made, evaluator, goals, limits, code=code, searched_by=searcher(strategy, goals))


def _texts(value: str | Sequence[str]) -> Sequence[str]:
    return (value,) if isinstance(value, str) else value


def parse_objective(text: str) -> Objective:
    """Read ``metric:max`` or ``metric:min``; the known metrics need no direction.

    Example:
        >>> parse_objective("distance:min")
        Objective(metric='distance', direction='min')
    """
    from netwright.goals import MAIN, METRICS

    metric, _, direction = text.partition(":")
    known = {**MAIN, **METRICS}
    if not direction and metric in known:
        direction = known[metric]
    if direction not in ("max", "min"):
        raise SpecError(wrong("objective", text, "metric:max or metric:min", "say in which direction it is better"))
    return Objective(metric, "max" if direction == "max" else "min")
