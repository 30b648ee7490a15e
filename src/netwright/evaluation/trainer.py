"""The evaluator that trains: limits first, then short or full training, then validation accuracy.

It knows its task by a small protocol, checks sizes and latency before it trains anything, and leaves the trained
weights and the state from which a longer training goes on in its folder. It does not know strategies, stores or
executors.
"""

from __future__ import annotations

import errno
import importlib
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import ConstraintViolation, NetwrightError, SpecError, unknown, wrong
from netwright.evaluation.batches import Batches, Data
from netwright.evaluation.latency import LatencySpec, measure_latency
from netwright.evaluation.pretrained import SHARE, begin_with_file
from netwright.evaluation.recipe import Recipe
from netwright.machine_memory import memory_bytes
from netwright.space import SearchSpace
from netwright.space.terms import Term
from netwright.tasks.base import Examples, Task
from netwright.tasks.batch_size import fitting_batch_size
from netwright.types import Architecture, Constraint, Fidelity, Json, Metrics, canonical_json, digest

if TYPE_CHECKING:
    from torch import nn

_log = logging.getLogger(__name__)
SIZES = ("params", "macs", "memory_bytes", "depth")
MEASURED = (*SIZES, "latency_ms", "loss", "epochs", "train_time_s")
"""What is measured of every network, whatever its task scores besides."""
MOST_SCORED, MOST_VALUES = 250, 1 << 24
"""Examples that are scored at once, and values of their inputs or outputs."""
MACS_A_BYTE = 5.0
"""What a byte of activations costs in a training step on a CPU, in MACs: with it the sizes of a network give its
seconds an epoch within 10 % (nine networks of the default space, Fashion-MNIST, benchmarks/recipe_cost.py)."""

_EVALUATION_RESERVE_S = 2.0
_SCORED = 0.5
"""What scoring a batch takes about, in steps of the training on as many examples: a step goes back, too."""

_QUANTISED_RESERVE_S = 6.0


@dataclass(frozen=True)
class TrainerOptions:
    """How an evaluator runs its trainings; only `deadline_s` changes a result.

    Args:
        device: ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        latency: what latency is meant; it is measured where a limit on ``latency_ms`` is set or this is given.
        checkpoint_every_s: wall seconds between two checkpoints of a training.
        deadline_s: reading of ``time.monotonic()`` at which `TrainingEvaluator` must have returned; the training is
            shortened to keep it. None for none.
        processes: that share each step of a training on the CPU; give as many as there are idle cores to the final
            training. The result does not depend on it.
        threads: of torch in each process. One: several trials, or processes of one training, use cores better than
            threads do, and results are the same on every machine of a kind.
        keep_weights: whether trained weights are saved.
        memory_bytes: most memory that a trial may use; None for the machine's. A network whose weights, gradients and
            optimiser state alone need more is refused before anything of it is allocated.
        known_latency_ms: what this network was measured to take before, and accepted with; see
            `TrainingEvaluator.measure_latencies`.
        quantised: runtime in which the trained network is scored once more, in int8; None for not at all.
    """

    device: str = "cpu"
    latency: LatencySpec | None = None
    checkpoint_every_s: float = 20.0
    deadline_s: float | None = None
    processes: int = 1
    threads: int = 1
    keep_weights: bool = True
    memory_bytes: int | None = None
    known_latency_ms: float | None = None
    quantised: LatencySpec | None = None


class TrainingEvaluator:
    """Trains a network on a task's training images and scores it on the validation images.

    Args:
        task: the data.
        space: what architectures are points of; its training choices override the recipe's numbers.
        work_dir: folder for weights and checkpoints.
        recipe: how networks are trained.
        constraints: limits on params, macs, memory_bytes, depth and latency_ms are checked before training, limits on
            accuracy and loss after it.
        options: device, latency, deadline, processes.

    Raises:
        SpecError: a limit on a metric that is not measured, a device that is not there, a training choice of the space
            that is no number of the recipe.
    """

    metric_ranges: Mapping[str, tuple[float, float]] = {
        "int8_accuracy": (0.0, 1.0),
        "loss": (-float("inf"), float("inf")),
        "params": (0.0, float("inf")),
        "macs": (0.0, float("inf")),
        "memory_bytes": (0.0, float("inf")),
        "depth": (0.0, float("inf")),
        "train_cost": (0.0, float("inf")),
        "latency_ms": (0.0, float("inf")),
        "epochs": (0.0, float("inf")),
        "train_time_s": (0.0, float("inf")),
    }

    def __init__(
        self,
        task: Task,
        space: SearchSpace,
        *,
        work_dir: Path,
        recipe: Recipe | None = None,
        constraints: Sequence[Constraint] = (),
        options: TrainerOptions | None = None,
    ) -> None:
        self.task, self.space, self.work_dir = task, space, Path(work_dir)
        self.recipe = recipe or Recipe().override(task.recipe())
        self.constraints = tuple(constraints)
        self.options = options or TrainerOptions()
        self.metric_ranges = {**self.metric_ranges, **task.metric_ranges}
        if getattr(task, "pretrained", None) is not None:
            self.metric_ranges = {**self.metric_ranges, SHARE: (0.0, 1.0)}
        measured = (*MEASURED, *task.directions)
        for constraint in self.constraints:
            if constraint.metric not in measured:
                raise SpecError(unknown("metric in constraint", constraint.metric, measured))
        self.recipe.check_names(space.training)
        self._flip: bool | None = self.recipe.flip

    def with_options(self, **changes: object) -> TrainingEvaluator:
        """The same evaluator with other options, such as ``deadline_s`` and ``processes`` for the final training."""
        options = replace(self.options, **changes)  # type: ignore[arg-type]
        made = TrainingEvaluator(
            self.task,
            self.space,
            work_dir=self.work_dir,
            recipe=self.recipe,
            constraints=self.constraints,
            options=options,
        )
        made._flip = self._flip
        return made

    def prepare(self) -> None:
        """Load data and import torch, without running a torch operation; called before trials are forked."""
        for module in ("netwright.evaluation.training", "netwright.nn.building", "netwright.nn.profiling"):
            importlib.import_module(module)

        self.task.train()
        self.task.validation()
        self._mirrors()

    def __call__(self, arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
        """Check limits, train, score.

        Args:
            arch: what.
            fidelity: epochs (passes over the share of the data that is used) and share of the data.
            seed: of initial weights, order of the data, augmentation and dropout.

        Returns:
            What the task scores on the validation examples (accuracy and loss of classes), params, macs, memory_bytes,
            depth, epochs, train_time_s, and latency_ms where it is limited or asked for; latency_again_ms, see
            `measure_latencies`; int8_accuracy where the option ``quantised`` is given.

        Raises:
            ConstraintViolation: a limit is broken, or memory ran out.
            TrialError: the training diverged.
            SpecError: the fidelity has no epochs, or a training value is wrong.
        """
        self._require_epochs(fidelity)
        recipe = self.recipe.override(self.space.training_values(arch))
        term = self.task.network(self.space, arch)
        metrics = self._check_sizes(term)
        with _out_of_memory_is_infeasible(self._memory_bound(), metrics), _threads(self.options.threads):
            model = self._build(term, seed)
            metrics |= self._pretrained(model)
            if self.wants_latency:
                metrics |= self.measure_latencies(model)
                self._check(metrics)
            metrics |= self._train(model, arch, recipe, fidelity, seed)
            metrics |= self._quantised(model)
        self._check(metrics)
        return metrics

    def _require_epochs(self, fidelity: Fidelity) -> None:
        if fidelity.epochs is None:
            raise SpecError(wrong("fidelity.epochs", None, "a number of epochs > 0", "propose with Fidelity(epochs=1)"))

    def keeps_known_limits(self, arch: Architecture) -> bool:
        """Whether an architecture keeps the limits that are known without building it: its sizes, and the memory.

        One of which that cannot be said, since its network cannot be described, does: what is wrong with it is told
        where it is evaluated.
        """
        try:
            self._check_sizes(self.task.network(self.space, arch))
        except ConstraintViolation:
            return False
        except NetwrightError:
            return True
        return True

    def _check_sizes(self, term: Term) -> dict[str, float]:
        metrics = self.measure_sizes(term)
        self._check(metrics)
        self._check_memory(metrics)
        return metrics

    def weights_path(self, arch: Architecture, fidelity: Fidelity, seed: int) -> Path:
        """Where the trained weights lie after a call: a safetensors file of the model's state."""
        length = f"{fidelity.epochs:g}" if fidelity.epochs is not None else "none"
        return self.weights_folder / f"{self._key(arch, fidelity, seed)}-e{length}.safetensors"

    @property
    def weights_folder(self) -> Path:
        """Where the trained weights of all trials lie; nothing else is in it."""
        return self.work_dir / "weights"

    @property
    def checkpoints_folder(self) -> Path:
        """Where checkpoints lie; nothing else is in it. Without one a training starts over, to the same result."""
        return self.work_dir / "checkpoints"

    def checkpoint_files(self, arch: Architecture, fidelity: Fidelity, seed: int) -> list[Path]:
        """The checkpoints from which a training of any length of this network would go on."""
        return list(self.checkpoints_folder.glob(f"{self._key(arch, fidelity, seed)}.*.safetensors"))

    def measure_sizes(self, term: Term) -> dict[str, float]:
        """Size of a network without building it: params, macs, memory_bytes, depth."""
        from netwright.nn.profiling import profile

        found = profile(term, input_shape=self.task.input_shape, input_dtype=self.task.input_dtype)
        return {
            "params": float(found.params),
            "macs": float(found.macs),
            "memory_bytes": float(found.peak_memory_bytes),
            "depth": float(found.depth),
            "train_cost": float(found.macs + MACS_A_BYTE * found.activation_bytes),
        }

    def _train(
        self, model: nn.Module, arch: Architecture, recipe: Recipe, fidelity: Fidelity, seed: int
    ) -> dict[str, float]:
        import torch

        from netwright.evaluation.checkpoints import Checkpoints
        from netwright.evaluation.training import Deadline, TrainingOptions, recalibrate, train

        assert fidelity.epochs is not None
        options, device = self.options, self.options.device
        length = digest(canonical_json([fidelity.epochs, options.deadline_s is not None]))
        key, facts = self._key(arch, fidelity, seed), self._facts(arch, recipe, fidelity, seed)
        checkpoints = Checkpoints(self.checkpoints_folder, key, digest(canonical_json(facts), 32), length)
        batches = self._batches(recipe, fidelity, seed)
        deadline = None
        if options.deadline_s is not None:
            reserve_s = 0.0 if options.quantised is None else _QUANTISED_RESERVE_S
            scored_steps = _SCORED * options.processes * len(self.task.validation()[1]) / batches.batch_size
            deadline = Deadline(options.deadline_s, reserve_s, scored_steps, _EVALUATION_RESERVE_S)
        model = model.to(device=torch.device(device), memory_format=torch.channels_last)  # type: ignore[call-overload]
        how = TrainingOptions(checkpoints, options.checkpoint_every_s, deadline, options.processes)
        trained = train(
            model, batches, recipe, epochs=fidelity.epochs, options=how, teacher=self._teacher(), loss=self.task.loss
        )
        recalibrate(model, batches)
        scores = self._scores(model)
        self._keep(model, self.weights_path(arch, fidelity, seed))
        checkpoints.discard_decay()
        return {**scores, "epochs": trained.epochs, "train_time_s": trained.time_s}

    def _scores(self, model: nn.Module, examples: Examples | None = None) -> dict[str, float]:
        """What the task measures of a network on examples, its validation examples if not given."""
        from netwright.evaluation.training import evaluate

        return evaluate(
            model,
            self._images(*(examples or self.task.validation())),
            device=self.options.device,
            batch_size=scored_at_once(self.task),
            scores=self.task.scores,
        )

    def _teacher(self) -> nn.Module | None:
        """A network from whose answers the others learn; none here."""
        return None

    def _keep(self, model: nn.Module, path: Path) -> None:
        """Write the weights of a trained network, where that is wanted."""
        from safetensors.torch import save

        from netwright.evaluation.checkpoints import write_atomically
        from netwright.nn.building import learned_state

        if self.options.keep_weights:
            tensors = {name: t.detach().cpu().contiguous() for name, t in learned_state(model).items()}
            write_atomically(path, save(tensors))

    def _quantised(self, model: nn.Module) -> dict[str, float]:
        from netwright.evaluation.quantised import quantised_accuracy

        spec = self.options.quantised
        return {} if spec is None else {"int8_accuracy": quantised_accuracy(model, self.task, spec).value}

    def _batches(self, recipe: Recipe, fidelity: Fidelity, seed: int) -> Batches:
        return Batches(
            self._images(*self.task.train()),
            share=fidelity.data_share,
            batch_size=recipe.batch_size or fitting_batch_size(len(self.task.train()[1])),
            shards=recipe.shards,
            augmentation=self.task.augmentation(recipe.shift, self._mirrors()),
            seed=seed,
            device=self.options.device,
            lengths=self.task.lengths,
        )

    def _build(self, term: Term, seed: int) -> nn.Module:
        from netwright.nn.building import build

        return build(term, input_shape=self.task.input_shape, seed=seed, input_dtype=self.task.input_dtype)

    def _pretrained(self, model: nn.Module) -> dict[str, float]:
        """Begin with the weights of a file, where the task names one."""
        path: Path | None = getattr(self.task, "pretrained", None)
        return {} if path is None else {SHARE: begin_with_file(model, path)}

    def _latency(self, model: nn.Module) -> float:
        found = measure_latency(model, self.task.input_shape, self.options.latency, examples=self._tokens())
        _log.log(logging.WARNING if found.noisy else logging.INFO, "latency %s", found)
        return found.median_ms

    def _tokens(self) -> NDArray[Any] | None:
        """Inputs that latency is measured on, where random numbers are no inputs; None where they are."""
        if self.task.input_dtype != "int64":
            return None
        batch = 1 if self.options.latency is None else self.options.latency.batch
        inputs, _ = self.task.validation()
        return np.resize(inputs, (batch, *inputs.shape[1:])).astype(np.int64)

    def measure_latencies(self, model: nn.Module) -> dict[str, float]:
        """Measure how long the network takes, once; twice where it was known and now seems to be over the limit.

        Other work on a machine only makes a network slower. So where both measurements are over the limit, and the
        known one was not, the known one decides: it is ``latency_ms``, and the better of the new ones is told as
        ``latency_again_ms``.
        """
        found = {"latency_ms": self._latency(model)}
        known = {} if self.options.known_latency_ms is None else {"latency_ms": self.options.known_latency_ms}
        if not known or self._holds(found) or not self._holds(known):
            return found
        again = {"latency_ms": min(found["latency_ms"], self._latency(model))}
        return again if self._holds(again) else {**known, "latency_again_ms": again["latency_ms"]}

    def _holds(self, metrics: Mapping[str, float]) -> bool:
        return all(c.holds(metrics[c.metric]) for c in self.constraints if c.metric in metrics)

    @property
    def wants_latency(self) -> bool:
        """Whether each network's latency is measured."""
        return self.options.latency is not None or any(c.metric == "latency_ms" for c in self.constraints)

    def _check(self, metrics: Mapping[str, float]) -> None:
        for constraint in self.constraints:
            value = metrics.get(constraint.metric)
            if value is not None and not constraint.holds(value):
                raise ConstraintViolation(constraint.metric, value, constraint.bound, dict(metrics))

    def _check_memory(self, metrics: Mapping[str, float]) -> None:
        """Refuse what cannot fit: the estimate is of one example, so that what is near the limit is tried."""
        bound = self._memory_bound()
        if metrics["memory_bytes"] > bound:
            raise ConstraintViolation("memory_bytes", metrics["memory_bytes"], bound, dict(metrics))

    def _memory_bound(self) -> float:
        bounds = [c.bound for c in self.constraints if c.metric == "memory_bytes"]
        return min([*bounds, float(self.options.memory_bytes or memory_bytes())])

    def _images(self, inputs: NDArray[np.generic], targets: NDArray[np.generic]) -> Data:
        return Data(inputs, targets, self.task.to_input)

    def _mirrors(self) -> bool:
        if self._flip is None:
            self._flip = self.task.mirrors
        return self._flip

    def _key(self, arch: Architecture, fidelity: Fidelity, seed: int) -> str:
        return f"{arch.id}-s{seed}-d{fidelity.data_share:g}"

    def _facts(self, arch: Architecture, recipe: Recipe, fidelity: Fidelity, seed: int) -> dict[str, Json]:
        """All that a training's trajectory depends on."""
        return {
            "architecture": arch.to_json(),
            "space": self.space.fingerprint(),
            "data": self.task.fingerprint(),
            "share": fidelity.data_share,
            "seed": seed,
            "recipe": canonical_json(recipe.to_dict()),
            "flip": self._mirrors(),
            "device": self.options.device,
        }


def scored_at_once(task: Task) -> int:
    """Examples that are scored together: what the task says, or so many that neither inputs nor outputs fill memory."""
    own: int | None = getattr(task, "scored_at_once", None)
    return own or min(MOST_SCORED, fitting_at_once(task))


def fitting_at_once(task: Task) -> int:
    """Examples of which neither inputs nor outputs fill the memory, together."""
    return max(1, MOST_VALUES // max(math.prod(task.input_shape), math.prod(task.output_shape), 1))


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let torch use so many threads within the block."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _out_of_memory_is_infeasible(bound: float, metrics: Mapping[str, float]) -> Iterator[None]:
    """Turn every way in which torch says that memory ran out into a broken limit."""
    import torch

    try:
        yield
    except MemoryError as error:
        raise ConstraintViolation("memory_bytes", float("inf"), bound, dict(metrics)) from error
    except (RuntimeError, OSError) as error:
        out = isinstance(error, torch.OutOfMemoryError) or getattr(error, "errno", None) == errno.ENOMEM
        if not out and not any(words in str(error).lower() for words in _OUT_OF_MEMORY):
            raise
        raise ConstraintViolation("memory_bytes", float("inf"), bound, dict(metrics)) from error


_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")
