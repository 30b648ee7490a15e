"""Gradients of one step of a supernet: a few of its networks on the same batch, by this process or by several.

As in `netwright.evaluation.gradients` a batch has parts; with helpers each helper takes one at the same time, and the
result is the same bits. Helpers are forked, and forked anew where the supernet has grown: what they run is parts of
tensors in memory that all share. Knows no optimiser, schedule or checkpoint.

References:
    Yu and Huang (2019), Universally Slimmable Networks, section 3.3 (in-place distillation: the first network of a step
    learns from the labels, the others from what it says).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from netwright.errors import BuildError
from netwright.evaluation.batches import Batches
from netwright.evaluation.gradients import (
    Helper,
    Loss,
    _cores,
    _shared_like,
    _split,
    _stay_on,
    fork_helper,
    noise_seed,
    seed_noise,
)
from netwright.evaluation.supernet_losses import Divergence, divergence
from netwright.supernet import Subnet, Supernet
from netwright.tasks.losses import class_loss, joined
from netwright.types import Architecture


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the networks of a step learn from.

    Args:
        distil: all but the first from the first one's answers; else all from the labels.
        divergence: how these are compared.
        label_smoothing: of the labels.
        labels: share of the labels in what the others learn from, in [0, 1]: a teacher that knows little yet teaches
            slowly (Hinton, Vinyals and Dean 2015, section 2, weigh both, too).
        of_labels: loss of outputs, labels and label smoothing; the cross entropy of classes if not given. Where outputs
            are no classes nothing can be distilled.
    """

    distil: bool = True
    divergence: Divergence = "kl"
    label_smoothing: float = 0.0
    labels: float = 0.0
    of_labels: Loss = class_loss

    def loss(self, logits: Tensor, y: Tensor, teacher: Tensor | None) -> Tensor:
        """Of a network.

        Args:
            logits: outputs that it gives, of classes (B, C), of members (B, L, C).
            y: labels, of classes (B,).
            teacher: answers that it learns from, (B, C) probabilities; None for the labels alone.
        """
        if teacher is not None and not self.labels:
            return divergence(self.divergence, joined(logits), teacher)
        told = self.of_labels(logits, y, self.label_smoothing)
        if teacher is None:
            return told
        return self.labels * told + (1 - self.labels) * divergence(self.divergence, joined(logits), teacher)


class SupernetGradients:
    """Computes gradients of a step; with helpers where there are several processes. Close it.

    Args:
        supernet: whose tensors get gradients.
        tensors: these, as a module.
        batches: of the training.
        lesson: what is learned from.
        processes: this one included; never more than a batch has parts, and one where it is not on the CPU.
        foreseen: the networks that a later step will probably run: a helper makes them while it would wait.
    """

    def __init__(
        self,
        supernet: Supernet,
        tensors: nn.Module,
        batches: Batches,
        lesson: Lesson,
        processes: int = 1,
        foreseen: Callable[[int], Sequence[Architecture]] = lambda step: (),
    ) -> None:
        self.supernet, self.batches, self.lesson, self.foreseen = supernet, batches, lesson, foreseen
        self.params = list(tensors.parameters())
        count = min(processes, batches.shards) - 1 if batches.device == "cpu" else 0
        self._helpers: list[Helper] = []
        self._cores = _cores() if count else []
        if count:
            self._share()
        own = batches.shards - count
        places = _split(self._cores, count + 1)
        for number in range(count):
            self._helpers.append(self._fork(own + number, places[number + 1]))
        if count:
            _stay_on(places[0])

    def __call__(self, step: int, architectures: Sequence[Architecture]) -> float:
        """Set the gradients of all networks of a step; returns the mean of their losses.

        Raises:
            TrialError: a helper died.
        """
        order = json.dumps([step, [architecture.to_json() for architecture in architectures]]).encode()
        for helper in self._helpers:
            helper.send(order)
        total = self._add(step, architectures, 0)
        for shard in range(1, self.batches.shards - len(self._helpers)):
            first = [p.grad for p in self.params]
            total += self._add(step, architectures, shard)
            self._sum(first, [p.grad for p in self.params])
        for helper in self._helpers:
            total += self._collect(helper)
        return total

    def judge(self, step: int, architecture: Architecture) -> float:
        """Loss of a network on the first part of a step's batch, nothing learned."""
        x, y = self.batches.shard(step, 0)
        subnet = self.supernet.subnet(architecture)
        subnet.model.train()
        with torch.no_grad(), self._noise(step, 0, x):
            return float(self.lesson.of_labels(subnet(x), y, 0.0))

    def close(self) -> None:
        """End the helpers. Safe to call twice."""
        for helper in self._helpers:
            helper.end()
        if self._helpers:
            _stay_on(self._cores)
        self._helpers.clear()

    def _add(self, step: int, architectures: Sequence[Architecture], shard: int) -> float:
        """Set the gradients of a part of a step's batch; returns its share of the mean loss."""
        subnets = [self.supernet.subnet(architecture) for architecture in architectures]
        for p in self.params:
            p.grad = None
        x, y = self.batches.shard(step, shard)
        with self._noise(step, shard, x):
            return self._learn(subnets, x, y) / self.batches.shards

    def _sum(self, first: Sequence[Tensor | None], second: Sequence[Tensor | None]) -> None:
        """Set the gradients to sums part by part, in the order in which helpers' parts are added, too."""
        for p, a, b in zip(self.params, first, second, strict=True):
            p.grad = b if a is None else a if b is None else a.add_(b)

    def _learn(self, subnets: Sequence[Subnet], x: Tensor, y: Tensor) -> float:
        """Add the gradients of all networks on a part of the batch; returns the mean of their losses."""
        total, teacher = 0.0, None
        for subnet in subnets:
            subnet.model.train()
            logits = subnet(x)
            loss = self.lesson.loss(logits, y, teacher)
            if self.lesson.distil and teacher is None:
                teacher = F.softmax(joined(logits.detach()), dim=1)
            torch.autograd.backward(loss / self.batches.shards)
            total += float(loss.detach()) / len(subnets)
        return total

    def _noise(self, step: int, shard: int, x: Tensor) -> _Noise:
        return _Noise(noise_seed(self.batches.seed, step, shard), x)

    # --- helpers ---

    def _share(self) -> None:
        """Move the tensors into memory that forked processes share; values stay."""
        for p, shared in zip(self.params, _shared_like(self.params), strict=True):
            shared.copy_(p.data)
            p.data = shared

    def _fork(self, shard: int, cores: Sequence[int]) -> Helper:
        return fork_helper(self.params, self._helpers, cores, lambda pipe, own: self._serve(pipe, shard, own))

    def _serve(self, pipe: Connection, shard: int, gradients: Sequence[Tensor]) -> None:
        """Answer steps until the pipe closes."""
        while True:
            try:
                step, texts = json.loads(pipe.recv_bytes())
            except EOFError:
                return
            loss = self._add(step, [Architecture.from_json(text) for text in texts], shard)
            for p, gradient in zip(self.params, gradients, strict=True):
                if p.grad is not None:
                    gradient.copy_(p.grad)
            pipe.send_bytes(loss.hex().encode())
            with suppress(BuildError):
                for architecture in self.foreseen(step + 1):
                    self.supernet.networks(architecture)

    def _collect(self, helper: Helper) -> float:
        loss = float.fromhex(helper.receive().decode())
        own = [p.grad for p in self.params]
        self._sum(own, [None if p is None else gradient for p, gradient in zip(own, helper.gradients, strict=True)])
        return loss


class _Noise:
    """Seeds dropout and the like within a block, and leaves torch's random state as it was."""

    def __init__(self, seed: int, x: Tensor) -> None:
        self._seed, self._device = seed, x.device
        self._fork = torch.random.fork_rng(devices=[x.device] if x.device.type == "cuda" else [])

    def __enter__(self) -> None:
        self._fork.__enter__()
        seed_noise(self._seed, self._device)

    def __exit__(self, *error: object) -> None:
        self._fork.__exit__(*error)  # type: ignore[arg-type]
