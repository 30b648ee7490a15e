"""What every differentiable method keeps and does: the network, its optimisers, a step of each, records, the alarm.

A method's own file holds its loop; this one holds no loop and takes no decision of a method. The same seed and the same
batches give the same bits. Knows no method.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial as bound

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from netwright.errors import BuildError, TrialError, UsageError, unknown, wrong
from netwright.space import SearchSpace
from netwright.supernet.differentiable import memory
from netwright.supernet.differentiable.alarm import CollapseAlarm, signs_of
from netwright.supernet.differentiable.curvature import dominant_eigenvalue
from netwright.supernet.differentiable.derive import derive, unlimited
from netwright.supernet.differentiable.examples import Batch, Batches, Endless, first_of, noise, on, paired
from netwright.supernet.differentiable.losses import answered, loss_of, share_right
from netwright.supernet.differentiable.measured import MeasuredCost, kept
from netwright.supernet.differentiable.mixing import Mixing
from netwright.supernet.differentiable.options import Options, Penalty
from netwright.supernet.differentiable.relaxed import RelaxedNetwork
from netwright.supernet.differentiable.result import EpochRecord, Searched, Weights, entropy_of
from netwright.types import Architecture, Constraint, Value

_log = logging.getLogger(__name__)

SPREAD = 1e-3
"""Standard deviation of the first architecture parameters."""

UNDECIDED = 0.98
"""Entropy from which on the weights are said to have learned little."""


class Course:
    """A search on its way.

    Args:
        method: its name, for messages.
        space: where to search.
        train: batches of which the first tells the shape of examples.
        options: rates, lengths, limits.
        partial: as of `RelaxedNetwork`.
        edges: whether the edges of cells have weights of their own (PC-DARTS).
        alone: whether a step runs one value of each choice (GDAS), and so keeps less for its backward pass.

    Attributes:
        network: the relaxed network.
        arch: the architecture parameters by choice, and by ``@site`` of a node for edges.
        step: steps of the weights made so far.
    """

    def __init__(
        self,
        method: str,
        space: SearchSpace,
        train: Batches,
        options: Options,
        *,
        partial: int = 1,
        edges: bool = False,
        alone: bool = False,
    ) -> None:
        self.method, self.space, self.options = method, space, options
        self.step = 0
        self.epoch = 0
        x, y = first_of(train, "train")
        self.network = _made(space, x, options, partial)
        for penalty in options.penalties:
            _check_table(penalty, self.network.universe.values)
        self.costs = {
            p.metric: MeasuredCost(p.metric, p.measure, self.network.count, space, p.measurements, options.seed)
            for p in options.penalties
            if p.measure is not None
        }
        sizes = {name: len(values) for name, values in self.network.universe.values.items()}
        if edges:
            sizes |= {f"@{site}": count for site, count in self.network.edge_counts().items()}
        source = torch.Generator().manual_seed(options.seed)
        first = {name: SPREAD * torch.randn(count, generator=source) for name, count in sizes.items()}
        self.arch = {name: nn.Parameter(own.to(options.device)) for name, own in first.items()}
        if options.memory_bytes is not None:
            self._require_memory((x, y), options.memory_bytes, alone=alone)
        self.arch_optimizer = torch.optim.Adam(
            self.arch.values(),
            lr=options.arch_learning_rate,
            betas=options.arch_betas,
            weight_decay=options.arch_weight_decay,
        )
        self.optimizer = torch.optim.SGD(
            self.network.weights(),
            lr=options.learning_rate,
            momentum=options.momentum,
            weight_decay=options.weight_decay,
            nesterov=options.momentum > 0,
        )
        self._alarm = CollapseAlarm(options.alarm)
        self._history: list[EpochRecord] = []
        self._sums: dict[str, list[float]] = {"train": [], "valid": [], "right": []}
        self._stopped = False
        self._first_step = 0
        self._others: Endless | None = None
        self._first_other: Batch | None = None

    def _require_memory(self, batch: Batch, most: int, *, alone: bool) -> None:
        """Refuse a search whose steps need too much memory: a step on few examples tells of a whole batch.

        Raises:
            SpaceError: they need more.
        """
        there = list(self.network.parameters())
        rng, universe = np.random.default_rng(self.options.seed), self.network.universe
        paths = [Mixing.of(universe, self.space.sample(rng), alone=True) for _ in range(8)] if alone else []
        steps: list[Callable[[Batch], object]] = [
            lambda few, mix=mix: self._loss(mix, few)[0]  # type: ignore[misc]
            for mix in paths or [self.mixing(self.softmax())]
        ]
        if self.options.alarm.curvature_every:
            steps.append(self._gradient_of_gradient)

        def kept(step: Callable[[Batch], object], count: int) -> int:
            few = on((batch[0][:count], batch[1][:count]), self.options.device)
            with self.noise(0), self._buffers_kept():
                return memory.kept_bytes(lambda: step(few), there)

        largest = max(memory.of_batch(bound(kept, step), len(batch[0])) for step in steps)
        needed = memory.COPIES * sum(w.numel() * w.element_size() for w in self.network.weights()) + largest
        memory.require(needed, most, f"{self.method} with batches of {len(batch[0])}")

    def _gradient_of_gradient(self, batch: Batch) -> object:
        """What a measurement of the curvature keeps: the gradient by the architecture weights, to be differentiated."""
        with self.weights_fixed():
            loss = self._loss(self.mixing(self.softmax()), batch)[0]
            return torch.autograd.grad(loss, list(self.arch.values()), create_graph=True, allow_unused=True)

    # --- mixtures ---

    def mixing(self, weights: Mapping[str, Tensor], taken: Mapping[str, int] | None = None) -> Mixing:
        """Weights of choices, and of edges under ``@site``, as the network takes them."""
        edges = {name[1:]: w for name, w in weights.items() if name.startswith("@")}
        return Mixing({n: w for n, w in weights.items() if not n.startswith("@")}, taken, edges)

    def softmax(self) -> dict[str, Tensor]:
        """The softmax of each choice's parameters."""
        return {name: F.softmax(own, dim=0) for name, own in self.arch.items()}

    def noise(self, purpose: int) -> AbstractContextManager[None]:
        """Torch's random state as it is to be in this step for this purpose; it comes back as it was."""
        return noise(self.options.seed, self.step, purpose, self.options.device)

    # --- losses and steps ---

    def loss(self, mix: Mixing, batch: Batch, *, valid: bool = False) -> Tensor:
        """Loss of the mixture on a batch, recorded.

        Raises:
            TrialError: it is not finite.
            UsageError: a label is none of the classes, or a norm got a single example.
        """
        with self.noise(2 + valid):
            loss, right = self._loss(mix, batch)
        number = float(loss.detach())
        if not math.isfinite(number):
            what = "validation" if valid else "training"
            raise TrialError(
                f"{self.method}: the {what} loss is {number} in epoch {self.epoch}, step {self.step}; lower "
                f"learning_rate ({self.options.learning_rate:g}) or clip_norm ({self.options.clip_norm}), or look for "
                "values in the data that are not finite"
            )
        self._sums["valid" if valid else "train"].append(number)
        if valid:
            self._sums["right"].append(right)
        return loss

    def _loss(self, mix: Mixing, batch: Batch) -> tuple[Tensor, float]:
        x, y = batch
        out = answered(lambda x: self.network(x, mix), x)
        return loss_of(out, y, self.options.loss), share_right(out, y)

    def penalty(self, weights: Mapping[str, Tensor]) -> Tensor:
        """What the costs that are to be expected add to the loss of the architecture weights."""
        return sum((self._penalty(penalty, weights) for penalty in self.options.penalties), torch.zeros(()))

    def _penalty(self, penalty: Penalty, weights: Mapping[str, Tensor]) -> Tensor:
        if penalty.measure is not None:
            model, parts = self.costs[penalty.metric].model, self.network.parts(self.mixing(weights))
            expected = model.base + (parts * torch.tensor(model.per, dtype=parts.dtype, device=parts.device)).sum()
        elif penalty.table is None:
            expected = self.network.expected(self.mixing(weights))[("params", "macs").index(penalty.metric)]
        else:
            values = self.network.universe.values
            device = self.options.device
            rows = {
                n: torch.tensor([costs.get(v, 0.0) for v in values[n]], device=device)
                for n, costs in penalty.table.items()
            }
            expected = torch.stack([(weights[name] * row).sum() for name, row in rows.items()]).sum()
        return penalty.weight * F.relu(expected / penalty.target - 1.0)

    @contextmanager
    def weights_fixed(self) -> Iterator[None]:
        """Spares the gradients of the network's weights, which a step of the architecture weights does not need."""
        weights = self.network.weights()
        for weight in weights:
            weight.requires_grad_(False)
        try:
            yield
        finally:
            for weight in weights:
                weight.requires_grad_(True)

    def architecture_step(self, loss: Tensor) -> None:
        """Change the architecture weights down the gradient of a loss; nothing where it does not depend on them."""
        if not loss.requires_grad:  # such as that of a path on which every operation gives zeros
            return
        gradients = torch.autograd.grad(loss, list(self.arch.values()), allow_unused=True)
        self.follow(
            [torch.zeros_like(a) if g is None else g for a, g in zip(self.arch.values(), gradients, strict=True)]
        )

    def follow(self, gradients: Sequence[Tensor]) -> None:
        """Change the architecture weights down given gradients."""
        for own, gradient in zip(self.arch.values(), gradients, strict=True):
            own.grad = gradient
        self.arch_optimizer.step()

    def weight_step(self, loss: Tensor) -> None:
        """Change the network's weights down the gradient of a loss."""
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        if self.options.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.network.weights(), self.options.clip_norm)
        self.optimizer.step()
        self.step += 1

    # --- epochs ---

    def epochs(self) -> Iterator[int]:
        """Numbers of the epochs to be made; ends early where the alarm is to stop the search."""
        for epoch in range(self.options.epochs):
            if self._stopped or (epoch and self.options.is_late):
                return
            self.epoch, self._first_step = epoch, self.step
            for group in self.optimizer.param_groups:
                group["lr"] = self.options.rate(epoch / self.options.epochs)
            yield epoch

    def pairs(self, train: Batches, valid: Batches) -> Iterator[tuple[Batch, Batch]]:
        """Each training batch once, beside the next validation batch; these begin anew when all were used.

        Raises:
            UsageError: there are none; a generator gives none in the second epoch.
        """
        self._first_other, self._others = None, self._others or Endless(valid, "valid")
        for batch, other in paired(train, self._others, self.options):
            self._first_other = self._first_other or other
            yield batch, other

    def end_epoch(self, weights: Callable[[], Mapping[str, Tensor]]) -> None:
        """Record an epoch, and let the alarm look at it.

        Args:
            weights: gives those of the values of each choice, as the method would derive from them, with gradients.
        """
        plain: dict[str, tuple[float, ...]] = {
            n: tuple(float(v) for v in w.detach()) for n, w in weights().items() if not n.startswith("@")
        }
        architecture = unlimited(self.space, self.network.universe, plain)
        every, curvature = self.options.alarm.curvature_every, math.nan
        if every and (self.epoch + 1) % every == 0:
            curvature = self._curvature(self._watched(), weights)
        blind = self._is_blind(architecture, self._watched())
        signs = signs_of(self.network.free, architecture, plain, self.network.universe.values, curvature, blind=blind)
        means = {k: sum(v) / len(v) if v else math.nan for k, v in self._sums.items()}
        self._sums = {k: [] for k in self._sums}
        steps = self.step - self._first_step
        record = EpochRecord(
            self.epoch, means["train"], means["valid"], means["right"], plain, architecture, signs, steps
        )
        self._history.append(record)
        last = self.epoch == self.options.epochs - 1 or self.options.is_late
        alarm = self._alarm.see(self.epoch, signs, last=last)
        if alarm is not None and alarm.epoch == self.epoch:
            _log.warning("%s collapses in epoch %d: %s", self.method, self.epoch, alarm.reason)
        self._stopped = alarm is not None and self.options.alarm.stop

    def _watched(self) -> Batch:
        """The first validation batch of the epoch, which the alarm looks at: it reads none, so it changes nothing."""
        assert self._first_other is not None
        return self._first_other

    def _is_blind(self, architecture: Architecture, batch: Batch) -> bool:
        """Whether the plain network, with fresh weights, answers the same to all examples of a batch."""
        try:
            model = self.network.networks(architecture).model.eval()
        except BuildError:
            return False
        with torch.no_grad():
            out = model(batch[0][:8].cpu())
        return len(out) > 1 and bool((out == out[:1]).all())

    def _curvature(self, batch: Batch, weights: Callable[[], Mapping[str, Tensor]]) -> float:
        """Dominant eigenvalue by the parameters of the mixture; statistics of norms and random states stay."""
        choices = [own for name, own in self.arch.items() if not name.startswith("@")]
        with self.weights_fixed(), self._buffers_kept(), self.noise(4):
            alarm = self.options.alarm
            return dominant_eigenvalue(
                lambda: self._loss(self.mixing(weights()), batch)[0], choices, iterations=alarm.iterations
            )

    @contextmanager
    def _buffers_kept(self) -> Iterator[None]:
        """Let the statistics of norms be what they were, after the block."""
        buffers = {name: buffer.clone() for name, buffer in self.network.named_buffers()}
        try:
            yield
        finally:
            with torch.no_grad():
                for name, buffer in self.network.named_buffers():
                    buffer.copy_(buffers[name])

    def result(self) -> Searched:
        """What was found: of the last epoch, or of the last one before a collapse that stopped the search.

        Raises:
            SearchError: no architecture keeps the limits.
        """
        alarm = self._alarm.alarm
        safe = (
            self._history[alarm.safe_epoch] if self._stopped and alarm and alarm.safe_epoch >= 0 else self._history[-1]
        )
        architecture = derived(self.network, safe.weights, self.options, self.costs)
        values = dict(self.network.universe.values)
        accuracy = self._history[-1].valid_accuracy
        remarks = tuple(self._remarks(safe.weights))
        history = tuple(self._history)
        return Searched(
            self.method,
            architecture,
            safe.weights,
            values,
            history,
            accuracy,
            alarm,
            self._stopped,
            remarks,
            self.network,
            self.costs,
        )

    def _remarks(self, weights: Weights) -> Iterator[str]:
        alarm, entropy = self._alarm.alarm, entropy_of(weights)
        yield from filter(None, (cost.remark() for cost in self.costs.values()))
        if self.network.partial > 1 and not self.network.is_partial:
            yield (
                "all channels were mixed: only on the edges of cells a part of them can be, and no edge of this space "
                "is a choice among operations"
            )
        if entropy > UNDECIDED:
            yield (
                f"the architecture weights hardly differ (entropy {entropy:.3f} of 1): search longer or raise "
                f"arch_learning_rate ({self.options.arch_learning_rate:g})"
            )
        if alarm is not None and self._stopped and alarm.safe_epoch < 0:
            yield "the search collapsed in its first epoch, so that there is no architecture from before"
        if alarm is not None and not self._stopped and not self._alarm.is_collapsed():
            yield f"after the alarm in epoch {alarm.epoch} the last epoch's architecture has weights again"


def _made(space: SearchSpace, x: Tensor, options: Options, partial: int) -> RelaxedNetwork:
    """The relaxed network on its device; where memory is limited, its shapes are made first.

    Raises:
        SpaceError: its weights, their gradients and momentum need more memory.
    """

    def make() -> RelaxedNetwork:
        return RelaxedNetwork(
            space,
            input_shape=tuple(x.shape[1:]),
            input_dtype=options.input_dtype,
            wrap=options.wrap,
            seed=options.seed,
            partial=partial,
            apart=options.apart,
            affine=options.affine,
        )

    if options.memory_bytes is not None:
        with suppress(RuntimeError), torch.device("meta"):  # of a class of one's own that needs numbers to be made
            size = sum(w.numel() * w.element_size() for w in make().weights())
            memory.require(memory.COPIES * size, options.memory_bytes, "the relaxed network")
    return make().train().to(options.device)


def derived(
    network: RelaxedNetwork, weights: Weights, options: Options, costs: Mapping[str, MeasuredCost]
) -> Architecture:
    """The architecture that weights stand for within the limits, those on measured costs by measurement.

    Raises:
        SearchError: no architecture keeps the limits.
    """

    def measure(architecture: Architecture) -> dict[str, float]:
        known = {} if options.measure is None else dict(options.measure(architecture))
        return known | {metric: cost.predicted(architecture) for metric, cost in costs.items()}

    def within(limits: tuple[Constraint, ...]) -> Architecture:
        return derive(
            network.space, network.universe, weights, networks=network.networks, limits=limits, measure=measure
        )

    return kept(options.limits, costs, within)


def _check_table(penalty: Penalty, values: Mapping[str, Sequence[Value]]) -> None:
    """Refuse costs of choices or values that there are not."""
    for name, costs in (penalty.table or {}).items():
        if name not in values:
            raise UsageError(unknown("choice in the table of a penalty", name, values))
        odd = next((value for value in costs if value not in values[name]), None)
        if odd is not None:
            raise UsageError(wrong(f"value of {name!r} in the table of a penalty", odd, f"one of {list(values[name])}"))
