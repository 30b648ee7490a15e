"""Trains the shared weights of a supernet: each step runs a few of its networks on one batch.

The trajectory is a function of (space, seed, sampler, recipe, data), the same however often it was interrupted. A loss
that is not finite brings the weights back to what they were a while before, once, with a lower learning rate from then
on; the next one ends the training. Knows no strategies and no trials.

References:
    Yu and Huang (2019), Universally Slimmable Networks, section 3.3 (in-place distillation: the first network of a step
    learns from the labels, the others from what it says).
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from netwright.errors import TrialError
from netwright.evaluation.batches import Batches
from netwright.evaluation.checkpoints import TrainingState
from netwright.evaluation.gradients import noise_seed
from netwright.evaluation.optimizers import Optimizer
from netwright.evaluation.recipe import Recipe, Schedule
from netwright.evaluation.training import Trained, TrainingOptions
from netwright.nn.places import Place
from netwright.nn.slices import put
from netwright.supernet import Subnet, Supernet
from netwright.supernet.sampling import Sampler

_log = logging.getLogger(__name__)

LOWERED = 0.3
"""What the learning rate is multiplied with after a loss that was not finite."""

REMEMBERED_EVERY = 100
"""Steps between two states that a training can come back to."""

_CAUTION = 1.1
_SMOOTHING = 0.1


def train_supernet(
    supernet: Supernet,
    batches: Batches,
    recipe: Recipe,
    sampler: Sampler,
    *,
    epochs: float,
    distil: bool = True,
    options: TrainingOptions | None = None,
) -> Trained:
    """Train shared weights in place.

    Args:
        supernet: whose.
        batches: what it is trained on, on the CPU.
        recipe: optimiser, rates and schedule.
        sampler: says which networks a step runs.
        epochs: passes over the batches' data; fractions are allowed.
        distil: let all networks of a step but the first learn from its answers.
        options: checkpoints and deadline; it runs in one process.

    Raises:
        TrialError: the loss was not finite twice.
    """
    options = options or TrainingOptions()
    run = _Run(supernet, batches, recipe, recipe.schedule(epochs, batches.steps_per_epoch), options)
    start_s = time.monotonic()
    first = run.restore()
    while run.step < run.schedule.total:
        run.advance([supernet.subnet(architecture) for architecture in sampler(run.step)], distil=distil)
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
        self, supernet: Supernet, batches: Batches, recipe: Recipe, schedule: Schedule, options: TrainingOptions
    ) -> None:
        self.supernet, self.batches, self.recipe, self.options = supernet, batches, recipe, options
        self.schedule, self.planned = schedule, schedule.total
        self.step, self.rate = 0, 1.0
        self.saved_s = time.monotonic()
        self.step_s, self.made = math.nan, 0
        self._follow({})
        self.good = self._state()

    def restore(self) -> int:
        """Go on from the furthest checkpoint that fits; returns the next step."""
        state = self.options.checkpoints.load(self.schedule) if self.options.checkpoints else None
        if state is not None:
            self.schedule = state.schedule
            self._back_to(state)
            _log.info("goes on from step %d of %d", self.step, self.schedule.total)
        return self.step

    def advance(self, subnets: list[Subnet], *, distil: bool) -> None:
        """Make one step, or go back to a state from before a loss that is not finite."""
        began_s = time.monotonic()
        self._keep_deadline()
        if not self.shared.is_current:
            self._follow(self.optimizer.state)
        self._remember(began_s)
        loss = self._gradients(subnets, distil=distil)
        if not math.isfinite(loss):
            self._lower(loss)
            return
        if self.recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.shared.parameters(), self.recipe.clip_norm)
        self.optimizer.step(self.step, self.rate * self.schedule.factor(self.step))
        self.step += 1
        took_s = time.monotonic() - began_s
        if self.made:
            self.step_s = took_s if self.made == 1 else self.step_s + _SMOOTHING * (took_s - self.step_s)
        self.made += 1

    def _gradients(self, subnets: list[Subnet], *, distil: bool) -> float:
        """Add the gradients of all networks of the step; returns the mean of their losses."""
        self.shared.zero_grad(set_to_none=True)
        total = 0.0
        for shard in range(self.batches.shards):
            x, y = self.batches.shard(self.step, shard)
            with torch.random.fork_rng(devices=[x.device] if x.device.type == "cuda" else []):
                torch.manual_seed(noise_seed(self.batches.seed, self.step, shard))
                total += self._add(subnets, x, y, distil=distil)
        return total / self.batches.shards

    def _add(self, subnets: list[Subnet], x: Tensor, y: Tensor, *, distil: bool) -> float:
        """Add the gradients of all networks on a part of the batch; returns the mean of their losses."""
        total, teacher = 0.0, None
        for subnet in subnets:
            subnet.model.train()
            logits = subnet(x)
            if teacher is None:
                loss = F.cross_entropy(logits, y, label_smoothing=self.recipe.label_smoothing)
            else:
                loss = -(teacher * F.log_softmax(logits, dim=1)).sum(dim=1).mean()
            if distil and teacher is None:
                teacher = F.softmax(logits.detach(), dim=1)
            torch.autograd.backward(loss / self.batches.shards)
            total += float(loss.detach()) / len(subnets)
        return total

    # --- what is kept ---

    def _follow(self, state: Mapping[str, Tensor]) -> None:
        """Take the shared tensors as they are now; what the optimiser knew of a smaller one is a part of the larger."""
        before = self.shared.places if state else {}
        self.shared = Shared(self.supernet)
        self.optimizer = Optimizer(self.shared, self.recipe)
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
        weights = {k.removeprefix("model/"): v for k, v in state.tensors.items() if k.startswith("model/")}
        self.supernet.load_state_dict(weights)
        self._follow({})
        names = {place: name for name, place in self.shared.places.items()}
        for key, value in state.tensors.items():
            if key.startswith("optimizer/"):
                _, kind, place = key.split("/", 2)
                self.optimizer.state[f"{kind}/{names[Place.parse(place)]}"] = value.clone()
        self.step, self.rate = state.step, float(state.tensors["rate"])
        self.good = state

    def _remember(self, now_s: float) -> None:
        """Keep a state in memory now and then, and in a file at the branch and as time goes by."""
        due = now_s - self.saved_s >= self.options.checkpoint_every_s
        writes = self.options.checkpoints is not None and (due or self.step == self.schedule.branch)
        if self.step == 0 or not (writes or self.step % REMEMBERED_EVERY == 0) or self.good.step == self.step:
            return
        self.good = self._state()
        if writes and self.options.checkpoints is not None:
            self.options.checkpoints.save(self.good)
            self.saved_s = now_s

    def _lower(self, loss: float) -> None:
        if self.rate < 1.0:
            raise TrialError(
                f"training the supernet diverged twice: the loss is {loss} at step {self.step}; "
                f"lower learning_rate ({self.recipe.learning_rate:g}) or set clip_norm"
            )
        _log.warning(
            "the loss is %s at step %d: back to step %d, at %g of the rate", loss, self.step, self.good.step, LOWERED
        )
        self._back_to(self.good)
        self.rate = LOWERED

    def _keep_deadline(self) -> None:
        if self.options.deadline is None or math.isnan(self.step_s):
            return
        steps_left = int(self.options.deadline.left_s / (_CAUTION * self.step_s))
        self.schedule = self.schedule.fitted(self.step, steps_left, self.planned)
