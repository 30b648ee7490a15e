"""What can be known to be wrong with a search on a task before it begins: device, training values, networks.

A few architectures of a space of one's own are written as source and their outputs counted, each in a process of its
own as trials are: a class of one's own that crashes or hangs takes nothing with it, and this process runs no torch
operation. Nothing is trained and nothing is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import (
    CapabilityError,
    ExportError,
    SpaceError,
    SpecError,
    shorten,
    wrong,
)
from netwright.evaluation.recipe import Recipe
from netwright.execution import IsolatedExecutor, Job, Limits, Outcome
from netwright.space import SearchSpace, equal
from netwright.space.checks import possible_values
from netwright.space.expressions import Choice, Expr, Integer, Real
from netwright.space.nodes import Arg, Node, Op, child_nodes
from netwright.types import Architecture, Fidelity, Metrics, TrialState

if TYPE_CHECKING:
    from netwright.tasks.base import Task

NUM_SAMPLES = 8
SAMPLE_TIME_S = 30.0
SHARED_TIME_S = 120.0
EVAL_ONLY = "eval_only"


def require_device(device: str) -> None:
    """Check that this machine has a device.

    Raises:
        SpecError: it has not; lists those it has.
    """
    kind, _, number = device.partition(":")
    if kind == "cpu":
        return
    import torch

    if kind == "mps":
        found = ["mps"] if torch.backends.mps.is_available() else []
    else:  # counted without starting CUDA, which would not survive a fork
        found = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    if (device if number or kind == "mps" else f"{kind}:0") not in found:
        allowed = f"one that torch {torch.__version__} finds on this machine ({', '.join(['cpu', *found])})"
        raise SpecError(wrong("device", device, allowed, "use cpu, or install the torch that is built for the device"))


def require_training(space: SearchSpace, recipe: Recipe) -> None:
    """Check that every value that the training choices of a space can have is one that a recipe may have.

    Raises:
        SpecError: names the choice, the value and the range.
    """
    recipe.check_names(space.training)
    for name, arg in space.training.items():
        for value in _possible(arg):
            try:
                recipe.override({name: value})  # type: ignore[dict-item]  # a value without expressions
            except SpecError as error:
                if _occurs(space, arg, value):
                    text = f"space: the training value {name!r} can be {shorten(value)}, but {error}; change its choice"
                    raise SpecError(text) from error


def _possible(arg: Arg) -> list[Arg]:
    """The values an argument can have; of a range that is long or not of whole numbers its two ends."""
    if not isinstance(arg, Expr):
        return [arg]
    found = possible_values(arg)
    if found is not None:
        return list(found)
    if isinstance(arg, Choice) and isinstance(arg.domain, (Integer, Real)):
        return [end for end in (arg.domain.low, arg.domain.high) if not isinstance(end, Expr)]
    return []


def _occurs(space: SearchSpace, arg: Arg, value: Arg) -> bool:
    """Whether an architecture has the value: constraints may exclude it."""
    if not isinstance(arg, Expr) or not space.constraints or any(isinstance(c.domain, Real) for c in arg.choices()):
        return True
    limits = (*space.constraints, equal(arg, value))  # type: ignore[arg-type]  # a value without expressions
    try:
        SearchSpace(space.root, constraints=limits, training=space.training).sample(np.random.default_rng(0))
    except SpaceError:
        return False
    return True


def require_networks(task: Task, space: SearchSpace, name: str, *, trained: bool = True) -> None:
    """Check that the networks of a space of one's own can be made for a task and written as source.

    Args:
        task: says what goes in and how many classes come out.
        space: of one's own.
        name: what the space is called in messages.
        trained: they are to be trained, not only scored.

    Raises:
        CapabilityError: the space has no network, a class of it cannot be written into ``model.py``, a network has the
            wrong number of outputs, or none of some that were drawn can be made, or trained.
    """
    if space.root is None:
        cure = f"give it a root that ends in nn.linear({task.output_shape[-1] if task.output_shape else 1})"
        raise CapabilityError(f"{name} has training choices only, but a task needs networks; {cure}")
    _require_source(space.root, name)
    rng = np.random.default_rng(0)
    drawn = list(dict.fromkeys(space.sample(rng) for _ in range(NUM_SAMPLES)))
    outcomes = _try(task, space, drawn)
    for arch, outcome in zip(drawn, outcomes, strict=True):
        shape = tuple(int(size) for axis, size in outcome.metrics.items() if axis != EVAL_ONLY)
        if outcome.state is TrialState.FINISHED and shape != tuple(task.output_shape):
            raise CapabilityError(f"{name}: the network of {_shown(arch)} {_wrong_outputs(shape, task)}")
        if outcome.error.startswith(ExportError.__name__):
            raise CapabilityError(f"{name}: {_cause(outcome).partition(': ')[2]}")
    if all(outcome.state is TrialState.FAILED for outcome in outcomes):
        what = f"none of {len(drawn)} networks that were drawn can be made" if len(drawn) > 1 else "it cannot be made"
        raise CapabilityError(f"{name}: {what}; {_shown(drawn[0])} gives {_cause(outcomes[0])}; mend the space")
    made = [outcome for outcome in outcomes if outcome.state is TrialState.FINISHED]
    if trained and made and all(outcome.metrics[EVAL_ONLY] for outcome in made):
        cause = "has a class that runs in evaluation mode only, and a search trains its networks"
        cure = "let its forward work in training mode, too; netwright score takes it as it is"
        raise CapabilityError(f"{name}: each of {len(made)} networks that were drawn {cause}; {cure}")


def _wrong_outputs(shape: tuple[int, ...], task: Task) -> str:
    gives = f"{shape[0]} outputs" if len(shape) == 1 else f"outputs of shape {shape}"
    if not task.classifies:
        return f"gives {gives} for an example, but the task {task.name} needs outputs of shape {task.output_shape}"
    num_classes = len(task.class_names)
    what = "an image" if len(task.input_shape) == 3 else "an example"
    return (
        f"gives {gives} for {what}, but the data has {num_classes} classes; "
        f"end it with one output a class, such as nn.linear({num_classes})"
    )


def _cause(outcome: Outcome) -> str:
    return outcome.error.partition("\n")[0]


def _require_source(root: Node, name: str) -> None:
    """Check that each class of one's own can be copied into the exported source."""
    from netwright.export.own_class import copy_classes

    targets: dict[type, None] = {}
    seen, pending = set[int](), [root]
    while pending:
        node = pending.pop()
        if id(node) not in seen:
            seen.add(id(node))
            pending.extend(child_nodes(node))
            if isinstance(node, Op) and node.target is not None:
                targets[node.target] = None
    for target in targets:  # one by one: classes of different branches need not go together
        try:
            copy_classes([target])
        except ExportError as error:
            raise CapabilityError(f"{name}: {error}") from error


class _Probe:
    """Evaluator that writes a network as source, and counts its outputs."""

    def __init__(self, task: Task, space: SearchSpace) -> None:
        self._task, self._space = task, space

    def __call__(self, arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
        """Size of each axis of the output, in order, and how many layers of it cannot be trained."""
        from netwright.export import model_source
        from netwright.nn.profiling import profile

        term = self._task.network(self._space, arch)
        model_source(term, self._task.export_info())
        seen = profile(term, input_shape=self._task.input_shape, input_dtype=self._task.input_dtype)
        axes = {f"axis{number}": float(size) for number, size in enumerate(seen.output_shape)}
        return axes | {EVAL_ONLY: float(seen.eval_only)}


def _try(task: Task, space: SearchSpace, drawn: list[Architecture]) -> list[Outcome]:
    """Outcome of the probe for each architecture, in order."""
    found: dict[int, Outcome] = {}
    with IsolatedExecutor(_Probe(task, space), limits=Limits(time_s=SAMPLE_TIME_S)) as executor:
        for number, arch in enumerate(drawn):
            executor.submit(Job(number, arch, Fidelity(), seed=0))
        while len(found) < len(drawn):
            found |= {outcome.trial_id: outcome for outcome in executor.wait(None)}
    return [found[number] for number in range(len(drawn))]


def _shown(arch: Architecture) -> str:
    return shorten(dict(arch), 160)


def require_shareable(task: Task, space: SearchSpace, memory_bytes: int | None, seed: int) -> None:
    """Check that the networks of a space can share weights, in a process of its own; nothing is trained.

    Args:
        task: says what goes in.
        space: of the networks.
        memory_bytes: most memory; None for the machine's.
        seed: of the networks that are looked at.

    Raises:
        SpaceError: they cannot, or need more memory: names the operation, and the remedy.
    """
    probe = _SharedProbe(task, space, memory_bytes, seed)
    with IsolatedExecutor(probe, limits=Limits(time_s=SHARED_TIME_S, memory_bytes=memory_bytes)) as executor:
        executor.submit(Job(0, Architecture({}), Fidelity(), seed=0))
        (outcome,) = executor.wait(None)
    cure = "leave supernet out of the ladder, or change the space"
    if outcome.error.startswith(SpaceError.__name__):
        raise SpaceError(f"ladder: supernet: {_cause(outcome).partition(': ')[2]}; {cure}")
    if outcome.state is TrialState.INFEASIBLE:
        raise SpaceError(f"ladder: supernet: the shared weights of the space need too much memory; {cure}")


class _SharedProbe:
    """Evaluator that makes the shared weights of a space, without training them."""

    def __init__(self, task: Task, space: SearchSpace, memory_bytes: int | None, seed: int) -> None:
        self._task, self._space, self._memory_bytes, self._seed = task, space, memory_bytes, seed

    def __call__(self, arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
        """How many shared tensors there are; the arguments say nothing here."""
        from netwright.evaluation.supernet_files import supernet_of
        from netwright.machine_memory import memory_bytes

        most = self._memory_bytes or memory_bytes()
        made = supernet_of(self._task, self._space, seed=self._seed, memory_bytes=most)
        return {"tensors": float(len(made.bank))}
