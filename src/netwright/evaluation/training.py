"""The training loop: a network, batches and a recipe in; trained weights out, the same however often interrupted.

Up to the start of the decay the trajectory is a function of (network, seed, data, recipe). Time enters in one place:
with a deadline, the decay begins early enough to end before it, and the result says how long was trained.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from netwright.errors import TrialError
from netwright.evaluation.batches import Batches, Stored, in_order
from netwright.evaluation.checkpoints import Checkpoints, TrainingState
from netwright.evaluation.gradients import Gradients, Loss, SharedGradients
from netwright.evaluation.optimizers import Optimizer
from netwright.evaluation.recipe import Recipe, Schedule
from netwright.nn.building import learned_state, whole_state
from netwright.tasks.losses import Answers, class_loss, class_scores

_log = logging.getLogger(__name__)
_CHECK_EVERY = 16
_SMOOTHING = 0.1
_CAUTION = 1.1


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a training must have ended.

    Args:
        at_s: reading of ``time.monotonic()``.
        reserve_s: wall seconds kept before it for what comes after the training.
        scored_steps: steps of the training that take as long as what has to be scored after it does.
        scoring_s: wall seconds kept for that at least, besides the reserve.
    """

    at_s: float
    reserve_s: float = 0.0
    scored_steps: float = 0.0
    scoring_s: float = 0.0

    @property
    def left_s(self) -> float:
        """Wall seconds left for training, where the pace of its steps is not known; may be negative."""
        return self.left_at(0.0)

    def left_at(self, step_s: float) -> float:
        """Wall seconds left for training; may be negative.

        Args:
            step_s: wall seconds that a step takes.
        """
        return self.at_s - self.reserve_s - max(self.scoring_s, self.scored_steps * step_s) - time.monotonic()


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How a training is run; nothing here changes its result, but a deadline that is met early.

    Args:
        checkpoints: where its state is kept; None for nowhere.
        checkpoint_every_s: wall seconds between two checkpoints.
        deadline: None for none.
        processes: that share each step, on a CPU; 1 for this one only.
    """

    checkpoints: Checkpoints | None = None
    checkpoint_every_s: float = 20.0
    deadline: Deadline | None = None
    processes: int = 1


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training came to.

    Args:
        epochs: passes over the data it uses, those before a continuation included.
        steps: the same in steps.
        steps_here: steps made by this call.
        time_s: wall seconds of this call.
    """

    epochs: float
    steps: int
    steps_here: int
    time_s: float


def train(
    model: nn.Module,
    batches: Batches,
    recipe: Recipe,
    *,
    epochs: float,
    options: TrainingOptions | None = None,
    teacher: nn.Module | None = None,
    loss: Loss = class_loss,
) -> Trained:
    """Train a model in place.

    Args:
        model: on the batches' device.
        batches: what it is trained on.
        recipe: how.
        epochs: passes over the batches' data; fractions are allowed.
        options: checkpoints, deadline, processes.
        teacher: a network from whose answers it learns, too, see `Gradients`.
        loss: of outputs, targets and label smoothing; the cross entropy of classes if not given.

    Raises:
        TrialError: the loss is not finite, or a helper process died.
    """
    options = options or TrainingOptions()
    run = _Run(model, batches, recipe, recipe.schedule(epochs, batches.steps_per_epoch), options)
    start_s = time.monotonic()
    first = run.restore()
    with _gradients(Gradients(model, batches, recipe.label_smoothing, teacher, loss), options.processes) as gradients:
        model.train()
        while run.step < run.schedule.total:
            run.advance(gradients)
    return Trained(run.step / batches.steps_per_epoch, run.step, run.step - first, time.monotonic() - start_s)


@contextmanager
def _gradients(alone: Gradients, processes: int) -> Iterator[Gradients | SharedGradients]:
    if min(processes, alone.batches.shards) < 2 or alone.batches.device != "cpu":
        yield alone
        return
    with SharedGradients(alone, processes) as shared:
        yield shared


class _Run:
    """The changing state of a training: position, optimisers, pace."""

    def __init__(
        self, model: nn.Module, batches: Batches, recipe: Recipe, schedule: Schedule, options: TrainingOptions
    ) -> None:
        self.model, self.recipe, self.schedule, self.options = model, recipe, schedule, options
        self.optimizer = Optimizer(model, recipe)
        self.planned = schedule.total
        self.step = 0
        self.saved_s = time.monotonic()
        self.step_s = math.nan
        self.made = 0

    def restore(self) -> int:
        """Go on from the furthest checkpoint that fits; returns the next step."""
        state = self.options.checkpoints.load(self.schedule) if self.options.checkpoints else None
        if state is not None:
            weights = {k.removeprefix("model/"): v for k, v in state.tensors.items() if k.startswith("model/")}
            kept = {k.removeprefix("optimizer/"): v for k, v in state.tensors.items() if k.startswith("optimizer/")}
            self.model.load_state_dict(whole_state(self.model, weights))
            self.optimizer.load(kept)
            self.step, self.schedule = state.step, state.schedule
            _log.info("goes on from step %d of %d", self.step, self.schedule.total)
        return self.step

    def advance(self, gradients: Gradients | SharedGradients) -> None:
        """Make one step."""
        began_s = time.monotonic()
        self._keep_deadline()
        self._checkpoint(began_s)
        loss = gradients(self.step)
        if self.recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)
        self.optimizer.step(self.step, self.schedule.factor(self.step), gradients.orthogonalised)
        self.step += 1
        if self.step % _CHECK_EVERY == 0 or self.step == self.schedule.total:
            self._check(float(loss))
        took_s = time.monotonic() - began_s
        if self.made:  # the first step of a process is slower than all others
            self.step_s = took_s if self.made == 1 else self.step_s + _SMOOTHING * (took_s - self.step_s)
        self.made += 1

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrialError(
                f"training diverged: the loss is {loss} at step {self.step}; "
                f"lower learning_rate ({self.recipe.learning_rate:g}) or set clip_norm"
            )

    def _checkpoint(self, now_s: float) -> None:
        """Save at the branch, so that longer trainings can go on from there, and now and then."""
        checkpoints = self.options.checkpoints
        due = now_s - self.saved_s >= self.options.checkpoint_every_s
        if checkpoints is None or self.step == 0 or not (due or self.step == self.schedule.branch):
            return
        tensors = {f"model/{k}": v for k, v in learned_state(self.model).items()}
        tensors |= {f"optimizer/{k}": v for k, v in self.optimizer.state.items()}
        checkpoints.save(TrainingState(self.step, self.schedule, tensors))
        self.saved_s = now_s

    def _keep_deadline(self) -> None:
        """Shorten the schedule to what still fits."""
        if self.options.deadline is None or math.isnan(self.step_s):
            return
        steps_left = int(self.options.deadline.left_at(self.step_s) / (_CAUTION * self.step_s))
        self.schedule = self.schedule.fitted(self.step, steps_left, self.planned)


@torch.no_grad()
def recalibrate(model: nn.Module, batches: Batches, num_shards: int = 32) -> None:
    """Replace batch norm's running statistics by means over training batches, with the weights as they are now.

    The running means of a short training are still near their initial values, and lag behind moving weights.

    Args:
        model: its batch norms are changed; a model without any stays as it is.
        batches: of the training.
        num_shards: parts of batches that are averaged over; never more than an epoch has.
    """
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    norms = [m for m in model.modules() if isinstance(m, kinds) and m.track_running_stats]
    if not norms:
        return
    before = [(m, m.momentum) for m in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over all batches
    model.train()
    with torch.random.fork_rng(devices=[torch.device(batches.device)] if batches.device.startswith("cuda") else []):
        torch.manual_seed(batches.seed)
        for number in range(min(num_shards, batches.steps_per_epoch * batches.shards)):
            step, shard = divmod(number, batches.shards)
            model(batches.shard(step, shard)[0])
    for norm, momentum in before:
        norm.momentum = momentum


@torch.no_grad()
def evaluate(
    model: nn.Module,
    examples: Stored,
    *,
    device: str = "cpu",
    batch_size: int = 250,
    scores: Callable[[Answers], dict[str, float]] = class_scores,
) -> dict[str, float]:
    """Score a model on examples.

    Args:
        model: is put into evaluation mode. Where it trims what is padding, examples of like lengths are asked together.
        examples: what it is asked, in order.
        device: where the model is.
        batch_size: examples at once.
        scores: metrics of outputs and targets; accuracy and loss of classes if not given.
    """
    model.eval()
    trimming = [module for module in model.modules() if hasattr(module, "trims")]
    order = np.argsort((examples.inputs != 0).sum(axis=1), kind="stable") if trimming else None
    for module in trimming:
        vars(module)["trims"] = True
    try:
        return scores((model(x), y) for x, y in in_order(examples, batch_size, device, order))
    finally:
        for module in trimming:
            del vars(module)["trims"]
