"""Trains the shared weights of a supernet: each step runs a few of its networks on one batch.

The trajectory is a function of (space, seed, sampler, recipe, data), the same however often it was interrupted. A loss
that is not finite brings the weights back to what they were a while before, once, with a lower learning rate from then
on; the next one ends the training. Knows no strategies and no trials.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from netwright.errors import TrialError
from netwright.evaluation.batches import Batches
from netwright.evaluation.checkpoints import TrainingState
from netwright.evaluation.gradients import Loss
from netwright.evaluation.optimizers import Optimizer, outer_names
from netwright.evaluation.recipe import Recipe, Schedule
from netwright.evaluation.supernet_gradients import Lesson, SupernetGradients
from netwright.evaluation.supernet_losses import Divergence
from netwright.evaluation.training import Trained, TrainingOptions
from netwright.nn.places import Place
from netwright.nn.slices import put
from netwright.supernet import BestUp, PlannedSampler, Sampler, Supernet
from netwright.supernet.sampling import ends
from netwright.tasks.losses import class_loss
from netwright.types import Architecture

_log = logging.getLogger(__name__)

LOWERED = 0.3
"""What the learning rate is multiplied with after a loss that was not finite."""

REMEMBERED_EVERY = 100
"""Steps between two states that a training can come back to."""

_CAUTION = 1.1
_SMOOTHING = 0.1


@dataclass(frozen=True, slots=True)
class Position:
    """How a training stands.

    Args:
        step: steps made.
        total: steps of the whole training, as planned now.
        loss: of the last step, mean over its networks.
        step_s: wall seconds a step; NaN before it is known.
    """

    step: int
    total: int
    loss: float
    step_s: float


Listener = Callable[[Position], bool]
"""Is told after each step, and says whether to stop there."""


def train_supernet(
    supernet: Supernet,
    batches: Batches,
    recipe: Recipe,
    sampler: Sampler,
    *,
    epochs: float,
    distil: bool = True,
    divergence: Divergence = "kl",
    labels: float = 0.0,
    loss: Loss = class_loss,
    options: TrainingOptions | None = None,
    listener: Listener = lambda position: False,
) -> Trained:
    """Train shared weights in place.

    Args:
        supernet: whose.
        batches: what it is trained on.
        recipe: optimiser, rates and schedule.
        sampler: says which networks a step runs.
        epochs: passes over the batches' data; fractions are allowed.
        distil: let all networks of a step but the first learn from its answers.
        divergence: how their answers are compared with these.
        labels: share of the labels in what they learn from, in [0, 1].
        loss: of outputs, labels and label smoothing; others than that of classes go with ``distil=False`` only.
        options: checkpoints, deadline, processes that share each step.
        listener: is told of each step; where it says so the training stops there, with a checkpoint.

    Raises:
        TrialError: the loss was not finite twice, or a helper process died.
    """
    options = options or TrainingOptions()
    lesson = Lesson(distil, divergence, recipe.label_smoothing, labels, loss)
    run = _Run(supernet, batches, recipe, recipe.schedule(epochs, batches.steps_per_epoch), options, lesson, sampler)
    start_s = time.monotonic()
    try:
        first = run.restore()
        while run.step < run.schedule.total:
            run.advance(run.draw())
            if listener(run.position):
                run.keep()
                break
    finally:
        run.close()
    return Trained(run.step / batches.steps_per_epoch, run.step, run.step - first, time.monotonic() - start_s)


class Shared(nn.Module):
    """The shared tensors as the parameters of a module, under numbers; and what stands behind each."""

    def __init__(self, supernet: Supernet) -> None:
        super().__init__()
        self._bank = supernet.bank
        self.places = {str(number): place for number, (place, _) in enumerate(supernet.bank.items())}
        for name, (_, tensor) in zip(self.places, supernet.bank.items(), strict=True):
            self.register_parameter(name, tensor)

    @property
    def is_current(self) -> bool:
        """Whether these are the supernet's tensors still: some may have come or grown."""
        now = [tensor for _, tensor in self._bank.items()]
        mine = list(self.parameters())
        return len(mine) == len(now) and all(a is b for a, b in zip(mine, now, strict=True))


class _Run:
    """The changing state of a training: position, optimiser, learning rate, pace."""

    shared: Shared
    optimizer: Optimizer

    def __init__(
        self,
        supernet: Supernet,
        batches: Batches,
        recipe: Recipe,
        schedule: Schedule,
        options: TrainingOptions,
        lesson: Lesson,
        sampler: Sampler,
    ) -> None:
        self.supernet, self.batches, self.recipe, self.options = supernet, batches, recipe, options
        self.lesson, self.sampler, self.schedule, self.planned = lesson, sampler, schedule, schedule.total
        self.outer = _outer_places(supernet) if recipe.optimizer == "muon-all" else set()
        self.step, self.rate, self.loss = 0, 1.0, math.nan
        self.saved_s = time.monotonic()
        self.step_s, self.made = math.nan, 0
        self.gradients: SupernetGradients | None = None
        self._follow({})
        self.good = self._state()

    @property
    def position(self) -> Position:
        """For listeners."""
        return Position(self.step, self.schedule.total, self.loss, self.step_s)

    def close(self) -> None:
        """End the helpers."""
        if self.gradients is not None:
            self.gradients.close()

    def restore(self) -> int:
        """Go on from the furthest checkpoint that fits; returns the next step."""
        state = self.options.checkpoints.load(self.schedule) if self.options.checkpoints else None
        if state is not None:
            self.schedule = state.schedule
            self.supernet.load_state_dict(_weights_in(state))
            self._back_to(state)
            _log.info("goes on from step %d of %d", self.step, self.schedule.total)
        return self.step

    def draw(self) -> list[Architecture]:
        """The networks of the next step, for which there is room afterwards."""
        if isinstance(self.sampler, BestUp):
            drawn = self.sampler.judged(self.step, lambda a: self._gradients().judge(self.step, a))
        else:
            drawn = self._foreseen(self.step)
        for architecture in drawn:
            self.supernet.subnet(architecture)
        return list(drawn)

    def _foreseen(self, step: int) -> Sequence[Architecture]:
        """The networks of a step, as far as they do not depend on what is learned before it."""
        if isinstance(self.sampler, BestUp):
            return ()
        if isinstance(self.sampler, PlannedSampler):
            return self.sampler.planned(step, self.schedule.total)
        return self.sampler(step)

    def advance(self, architectures: list[Architecture]) -> None:
        """Make one step, or go back to a state from before a loss that is not finite."""
        began_s = time.monotonic()
        self._keep_deadline()
        if not self.shared.is_current:
            self._follow(self.optimizer.state)
        if not self._remember(began_s):
            self._lower("a weight is not finite")
            return
        self.loss = self._gradients()(self.step, architectures)
        if not math.isfinite(self.loss):
            self._lower(f"the loss is {self.loss}")
            return
        if self.recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.shared.parameters(), self.recipe.clip_norm)
        self.optimizer.step(self.step, self.rate * self.schedule.factor(self.step))
        self.step += 1
        took_s = time.monotonic() - began_s
        if self.made:
            self.step_s = took_s if self.made == 1 else self.step_s + _SMOOTHING * (took_s - self.step_s)
        self.made += 1
        if self.step == self.schedule.total and not self._is_finite():
            self._lower("a weight is not finite")

    def _gradients(self) -> SupernetGradients:
        if self.gradients is None:
            processes = self.options.processes
            self.gradients = SupernetGradients(
                self.supernet, self.shared, self.batches, self.lesson, processes, foreseen=self._foreseen
            )
        return self.gradients

    # --- what is kept ---

    def _follow(self, state: Mapping[str, Tensor]) -> None:
        """Take the shared tensors as they are now; what the optimiser knew of a smaller one is a part of the larger."""
        self.close()
        self.gradients = None
        before = self.shared.places if state else {}
        self.shared = Shared(self.supernet)
        outer = {name for name, place in self.shared.places.items() if place in self.outer}
        self.optimizer = Optimizer(self.shared, self.recipe, outer)
        names = {place: name for name, place in self.shared.places.items()}
        tensors = dict(self.shared.named_parameters())
        for key, value in state.items():
            kind, _, old = key.partition("/")
            name = names[before[old]]
            moment = torch.zeros_like(tensors[name])
            put(moment, value, before[old])
            self.optimizer.state[f"{kind}/{name}"] = moment

    def _state(self) -> TrainingState:
        tensors = {f"model/{key}": tensor.clone() for key, tensor in self.supernet.state_dict().items()}
        for key, value in self.optimizer.state.items():
            kind, _, name = key.partition("/")
            tensors[f"optimizer/{kind}/{self.shared.places[name].key}"] = value.clone()
        tensors["rate"] = torch.tensor(self.rate, dtype=torch.float64)
        return TrainingState(self.step, self.schedule, tensors)

    def _back_to(self, state: TrainingState) -> None:
        self._follow({})
        names = {place: name for name, place in self.shared.places.items()}
        tensors = dict(self.shared.named_parameters())
        for key, value in state.tensors.items():
            if key.startswith("optimizer/"):
                _, kind, place = key.split("/", 2)
                name = names[Place.parse(place)]
                self.optimizer.state[f"{kind}/{name}"] = value.to(tensors[name].device, copy=True)
        self.step, self.rate = state.step, float(state.tensors["rate"])
        self.good = state

    def _remember(self, now_s: float) -> bool:
        """Keep a state in memory now and then, and in a file at the branch and as time goes by.

        Returns:
            Whether that could be done; else a weight is not finite, and nothing was kept.
        """
        due = now_s - self.saved_s >= self.options.checkpoint_every_s
        writes = self.options.checkpoints is not None and (due or self.step == self.schedule.branch)
        keeps = self.step % REMEMBERED_EVERY == 0  # by the step alone: what is gone back to is not to depend on time
        if self.step == 0 or not (writes or keeps) or self.good.step == self.step:
            return True
        if not self._is_finite():
            return False
        state = self._state()
        if keeps:
            self.good = state
        if writes and self.options.checkpoints is not None:
            self.options.checkpoints.save(state)
            self.saved_s = now_s
        return True

    def _is_finite(self) -> bool:
        return all(bool(torch.isfinite(tensor).all()) for tensor in self.shared.parameters())

    def keep(self) -> None:
        """Write a checkpoint now, so that nothing is lost."""
        if self.options.checkpoints is not None and 0 < self.step < self.schedule.total and self._is_finite():
            self.options.checkpoints.save(self._state())

    def _lower(self, what: str) -> None:
        if self.rate < 1.0:
            raise TrialError(
                f"training the supernet diverged twice: {what} at step {self.step}; look for values in the data that "
                f"are not finite, take another seed, or from Python a recipe with a lower learning_rate "
                f"({self.recipe.learning_rate:g}) or with clip_norm"
            )
        _log.warning("%s at step %d: back to step %d, at %g of the rate", what, self.step, self.good.step, LOWERED)
        self.supernet.go_back(_weights_in(self.good))
        self._back_to(self.good)
        self.rate = LOWERED

    def _keep_deadline(self) -> None:
        if self.options.deadline is None or math.isnan(self.step_s):
            return
        steps_left = int(self.options.deadline.left_s / (_CAUTION * self.step_s))
        self.schedule = self.schedule.fitted(self.step, steps_left, self.planned)


def _weights_in(state: TrainingState) -> dict[str, Tensor]:
    """The shared tensors of a state, by the keys of their places."""
    return {key.removeprefix("model/"): v for key, v in state.tensors.items() if key.startswith("model/")}


def _outer_places(supernet: Supernet) -> set[Place]:
    """Where embeddings and last layers are, see `outer_names`: those of the largest network and of the smallest."""
    found: set[Place] = set()
    for architecture in ends(supernet.networks, supernet.seed):
        network = supernet.networks(architecture)
        found |= {network.places[name] for name in outer_names(network.model)}
    return found
