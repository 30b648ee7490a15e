"""What can be known to be wrong with a search on a task before it begins: device, training values, networks, scores.

A few architectures of a space of one's own are written as source and their outputs counted, and loss and scores of a
task of one's own are asked for those of a network, each in a process of its own as trials are: a class of one's own
that crashes or hangs takes nothing with it, and this process runs no torch operation. Nothing is trained and nothing is
written.
"""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import (
    CapabilityError,
    ExportError,
    SpaceError,
    SpecError,
    one_line,
    shorten,
    wrong,
)
from netwright.evaluation.base import Evaluator
from netwright.evaluation.recipe import Recipe
from netwright.execution import IsolatedExecutor, Job, Limits, Outcome
from netwright.space import SearchSpace, equal
from netwright.space.checks import possible_values
from netwright.space.expressions import Choice, Expr, Integer, Real
from netwright.space.nodes import Arg, Node, Op, child_nodes
from netwright.types import Architecture, Fidelity, Metrics, TrialState

if TYPE_CHECKING:
    from torch import Tensor, nn

    from netwright.tasks.base import Examples, Task

NUM_SAMPLES = 8
SAMPLE_TIME_S = 30.0
SHARED_TIME_S = 120.0
LESSON_TIME_S = 120.0
EVAL_ONLY = "eval_only"
NUM_LEARNED, NUM_SCORED = 16, 64
"""Examples whose loss, and whose scores, a task of one's own is asked for."""

_SAME_SHARE, _SAME = 1e-3, 1e-6
"""By how much of its value, and by how much, a metric may depend on how the examples are cut."""


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


def require_learning(task: Task, space: SearchSpace) -> None:
    """Check that loss and scores of a task of one's own are what a search needs, with the outputs of a network.

    Args:
        task: of one's own.
        space: of its networks.

    Raises:
        CapabilityError: the loss raises or is no scalar that can be lowered; a metric is missing, or depends on how
            the examples are cut into batches, which differs between a search and the check of what it exports.
    """
    drawn = space.sample(np.random.default_rng(0))
    (outcome,) = _ended(_Lesson(task, space), [drawn], LESSON_TIME_S)
    if outcome.error.startswith(CapabilityError.__name__):
        raise CapabilityError(f"task {task.name}: {_cause(outcome).partition(': ')[2]}")


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

    def prepare(self) -> None:
        """Import what writes and measures networks, once."""
        for module in ("netwright.export", "netwright.nn.profiling"):
            importlib.import_module(module)

    def __call__(self, arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
        """Size of each axis of the output, in order, and how many layers of it cannot be trained."""
        from netwright.export import model_source
        from netwright.nn.profiling import profile

        term = self._task.network(self._space, arch)
        model_source(term, self._task.export_info())
        seen = profile(term, input_shape=self._task.input_shape, input_dtype=self._task.input_dtype)
        axes = {f"axis{number}": float(size) for number, size in enumerate(seen.output_shape)}
        return axes | {EVAL_ONLY: float(seen.eval_only)}


class _Lesson:
    """Evaluator that asks a task of one's own for loss and scores of a network that has learned nothing."""

    def __init__(self, task: Task, space: SearchSpace) -> None:
        self._task, self._space = task, space

    def prepare(self) -> None:
        """Import what builds networks, once."""
        importlib.import_module("netwright.nn.building")

    def __call__(self, arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
        """The loss; raises `CapabilityError` where one of both cannot be used."""
        import torch

        from netwright.nn import build

        task = self._task
        term = task.network(self._space, arch)
        model = build(term, input_shape=task.input_shape, seed=seed, input_dtype=task.input_dtype)
        loss = self._loss(model.train())
        with torch.inference_mode():
            self._require_scores(model.eval())
        return {"loss": loss}

    def _answers(self, model: nn.Module, examples: Examples, most: int) -> tuple[Tensor, Tensor]:
        """Outputs for the first examples, and their targets."""
        import torch

        inputs, targets = (torch.from_numpy(np.array(part[:most])) for part in examples)
        return model(self._task.to_input(inputs)), targets

    def _loss(self, model: nn.Module) -> float:
        import torch

        outputs, targets = self._answers(model, self._task.train(), NUM_LEARNED)
        called = f"loss(outputs {_told(outputs)}, targets {_told(targets)}, label_smoothing)"
        try:
            loss = self._task.loss(outputs, targets, 0.0)
        except Exception as error:
            raise CapabilityError(f"{called} raised {type(error).__name__}: {one_line(error)}; mend it") from error
        follows = isinstance(loss, torch.Tensor) and loss.requires_grad >= outputs.requires_grad
        if not follows or loss.numel() != 1:
            allowed = "one number that follows from the outputs, as a tensor"
            raise CapabilityError(wrong(called, loss, allowed, "return the mean over the batch"))
        value = float(loss.detach())
        return value if math.isfinite(value) else 0.0

    def _require_scores(self, model: nn.Module) -> None:
        """Check that the metrics are there, and the same however the examples are cut."""
        task = self._task
        outputs, targets = self._answers(model, task.validation(), NUM_SCORED)
        count, last = len(targets), len(targets) // 4
        whole = task.scores(iter([(outputs, targets)]))
        missing = [name for name in task.directions if name not in whole]
        if missing:
            cure = "return it, or take it out of directions"
            raise CapabilityError(f"scores() gives no {', '.join(missing)}; it gives {', '.join(whole)}; {cure}")
        if last == 0:
            return
        first = count - last
        pieces = task.scores(iter([(outputs[:first], targets[:first]), (outputs[first:], targets[first:])]))
        for name, value in whole.items():
            if abs(value - pieces[name]) > _SAME_SHARE * abs(value) + _SAME:  # never where one is NaN
                raise CapabilityError(
                    f"scores(): {name} is {value:.4g} for {count} examples at once, {pieces[name]:.4g} in batches of "
                    f"{first} and {last}; sum over examples, or put the batches together: no means of their means"
                )


def _told(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def _try(task: Task, space: SearchSpace, drawn: list[Architecture]) -> list[Outcome]:
    """Outcome of the probe for each architecture, in order."""
    return _ended(_Probe(task, space), drawn)


def _ended(evaluator: Evaluator, drawn: list[Architecture], time_s: float = SAMPLE_TIME_S) -> list[Outcome]:
    """Outcome of each architecture, in order; the time is that of each."""
    found: dict[int, Outcome] = {}
    with IsolatedExecutor(evaluator, limits=Limits(time_s=time_s)) as executor:
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
