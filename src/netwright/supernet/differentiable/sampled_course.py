"""What a search by sampling on shared weights keeps and does: draws within limits, steps, rewards, records, the alarm.

The counterpart of `course` for methods that run one network of a supernet at a time; the loop is the method's. The same
seed and the same batches give the same bits. Knows no way of learning.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import combinations, islice

import numpy as np
import torch
from torch import Tensor, nn

from netwright.errors import BuildError, SearchError, TrialError
from netwright.policies.controller import Controller, Episode
from netwright.space import SearchSpace
from netwright.supernet.differentiable import memory
from netwright.supernet.differentiable.alarm import CollapseAlarm, signs_of
from netwright.supernet.differentiable.derive import Excess
from netwright.supernet.differentiable.examples import Batch, Batches, Endless, first_of, noise, on, paired
from netwright.supernet.differentiable.losses import answered, loss_of, share_right
from netwright.supernet.differentiable.measured import MeasuredCost
from netwright.supernet.differentiable.options import Options, Penalty
from netwright.supernet.differentiable.result import EpochRecord, Sampled, Weights
from netwright.supernet.differentiable.sgd import PlacedSgd
from netwright.supernet.differentiable.weightless import weightless
from netwright.supernet.sampling import listed
from netwright.supernet.supernet import Supernet
from netwright.types import Architecture, Value

_log = logging.getLogger(__name__)

TRIES = 100
"""Draws from the policy for one within the limits, and after them from the space, ten times as many."""

ASKED = 64
"""Draws after an epoch, by which the policy is described."""

LOOKED_AT = 16
"""Random architectures by which it is seen whether the choices of a space change anything."""

UNDECIDED = 0.98
"""Entropy from which on the policy is said to have learned little."""

TRIED = 32
"""Random networks, of which the one whose layers give most tells how much memory a step takes."""


class SampledCourse:
    """A search on its way.

    Args:
        method: its name, for messages.
        space: where to search.
        train: batches of which the first tells the shape of examples.
        options: rates, lengths, limits.
        policy: draws architectures.

    Attributes:
        policy: the same.
        supernet: the shared weights.
        step: steps of the weights made so far.

    Raises:
        SpaceError: the networks cannot share weights, or need more memory.
    """

    def __init__(self, method: str, space: SearchSpace, train: Batches, options: Options, policy: Controller) -> None:
        self.method, self.space, self.options, self.policy = method, space, options, policy
        x, y = first_of(train, "train")
        self.supernet = Supernet(
            space,
            input_shape=tuple(x.shape[1:]),
            input_dtype=options.input_dtype,
            wrap=options.wrap,
            seed=options.seed,
            memory_bytes=options.memory_bytes,
            device=options.device,
        )
        self.step = self.epoch = 0
        self.values = {n: v for n, v in listed(space, whole=True) if len(v) > 1}
        self.costs = {
            p.metric: MeasuredCost(p.metric, p.measure, self._count, space, p.measurements, options.seed)
            for p in options.penalties
            if p.measure is not None
        }
        if options.memory_bytes is not None:
            self._require_memory((x, y), options.memory_bytes)
        self._excess = Excess(space, self.supernet.networks, options.limits, self._measure)
        self._optimizer = PlacedSgd(self.supernet.bank, options.momentum, options.weight_decay)
        self._alarm = CollapseAlarm(options.alarm)
        self._history: list[EpochRecord] = []
        self._losses: list[float] = []
        self._others: list[tuple[float, float]] = []
        self._num_drawn = self._num_over = 0
        self._others_left: Endless | None = None
        self._first_other: Batch | None = None

    def _require_memory(self, batch: Batch, most: int) -> None:
        """Refuse a search whose steps need too much memory: a step of a large network on few examples tells of a batch.

        Raises:
            SpaceError: they need more.
        """
        rng, networks = np.random.default_rng(self.options.seed), self.supernet.networks
        sizes: dict[Architecture, int] = {}
        for architecture in (self.space.sample(rng) for _ in range(TRIED)):
            with suppress(BuildError):
                sizes[architecture] = networks.profile(architecture).activation_bytes
        if not sizes:
            return
        model = networks.make(max(sizes, key=sizes.__getitem__)).model.train()

        def kept(count: int) -> int:
            x, y = on((batch[0][:count], batch[1][:count]), self.options.device)
            with noise(self.options.seed, 0, 0, self.options.device):
                return memory.kept_bytes(lambda: self._loss(answered(model, x), y), model.parameters())

        weights = memory.COPIES * self.supernet.bank.num_bytes
        cure = "give smaller batches, make the widest choices smaller, or allow more memory"
        needed = weights + memory.of_batch(kept, len(batch[0]))
        memory.require(needed, most, f"{self.method} with batches of {len(batch[0])}", cure)

    # --- architectures ---

    def draw(self, rng: np.random.Generator) -> tuple[Architecture, Episode]:
        """An architecture of the policy that can be built and keeps the limits, as far as they are known.

        Raises:
            SearchError: none was found; says how near one came.
        """
        for _ in range(TRIES):
            architecture, episode = self.policy.sample(rng)
            self._num_drawn += 1
            if architecture is not None and self._may_be(architecture):
                return architecture, episode
            self._num_over += 1
        drawn = []
        for _ in range(10 * TRIES):
            architecture = self.space.sample(rng)
            if self._may_be(architecture):
                return architecture, self.policy.recall(architecture)
            drawn.append(architecture)
        raise SearchError(self._excess.message(min(drawn, key=self._excess)))

    def _may_be(self, architecture: Architecture) -> bool:
        return self._excess(architecture) == 0

    def _measure(self, architecture: Architecture) -> dict[str, float]:
        known = {} if self.options.measure is None else dict(self.options.measure(architecture))
        return known | {metric: cost.predicted(architecture) for metric, cost in self.costs.items()}

    def _count(self, architecture: Architecture) -> np.ndarray:
        """The parts of a network; its depth stands for the number of its operations."""
        found = self.supernet.networks.profile(architecture)
        return np.array([found.params, found.macs, found.activation_bytes / 4, found.depth])

    # --- steps ---

    def epochs(self) -> Iterator[int]:
        """Numbers of the epochs to be made; ends early where the alarm is to stop the search."""
        for epoch in range(self.options.epochs):
            if self.is_stopped or (epoch and self.options.is_late):
                return
            self.epoch = epoch
            yield epoch

    @property
    def is_stopped(self) -> bool:
        """Whether the search ends because of an alarm."""
        return self._alarm.alarm is not None and self.options.alarm.stop

    def pairs(self, train: Batches, valid: Batches) -> Iterator[tuple[Batch, Batch]]:
        """Each training batch once, beside the next validation batch; these begin anew when all were used."""
        self._first_other, self._others_left = None, self._others_left or Endless(valid, "valid")
        for batch, other in paired(train, self._others_left, self.options):
            self._first_other = self._first_other or other
            yield batch, other

    def weight_step(self, architecture: Architecture, batch: Batch) -> None:
        """Change the weights of one architecture down the gradient of its loss.

        Raises:
            TrialError: the loss is not finite.
        """
        subnet = self.supernet.subnet(architecture)
        subnet.model.train()
        with noise(self.options.seed, self.step, 2, self.options.device):
            loss = self._loss(answered(subnet, batch[0]), batch[1])
        self._losses.append(self._finite(loss, "training", architecture))
        torch.autograd.backward(loss)
        if self.options.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.supernet.parameters(), self.options.clip_norm)
        self._optimizer.step(self.options.rate(self.epoch / self.options.epochs))
        self.step += 1

    def reward(self, architecture: Architecture, batch: Batch) -> float:
        """Accuracy on a batch, less what penalties take off; without labels the loss, negative.

        Raises:
            TrialError: the loss is not finite.
        """
        loss, right, _ = self._answer(architecture, batch)
        self._others.append((loss, right))
        reward = -loss if math.isnan(right) else right
        return reward - sum(self._penalty(penalty, architecture) for penalty in self.options.penalties)

    def _penalty(self, penalty: Penalty, architecture: Architecture) -> float:
        if penalty.table is not None:
            cost = sum(penalty.table.get(name, {}).get(value, 0.0) for name, value in architecture.items())
        else:
            cost = self._excess.metrics(architecture)[penalty.metric]
        return penalty.weight * max(0.0, cost / penalty.target - 1.0)

    @torch.no_grad()
    def _answer(self, architecture: Architecture, batch: Batch) -> tuple[float, float, Tensor]:
        """Loss, accuracy and answers; norms use the statistics of the batch, as those of others mean nothing."""
        subnet = self.supernet.subnet(architecture)
        _only_norms_train(subnet.model)
        x, y = batch
        out = answered(subnet, x)
        loss = self._finite(self._loss(out, y), "validation", architecture)
        return loss, share_right(out, y), out

    def _loss(self, out: Tensor, y: Tensor) -> Tensor:
        return loss_of(out, y, self.options.loss)

    def _finite(self, loss: Tensor, what: str, architecture: Architecture) -> float:
        number = float(loss.detach())
        if not math.isfinite(number):
            raise TrialError(
                f"{self.method}: the {what} loss is {number} in epoch {self.epoch}, step {self.step}, of "
                f"{architecture!r}; lower learning_rate ({self.options.learning_rate:g}) or clip_norm "
                f"({self.options.clip_norm}), or look for values in the data that are not finite"
            )
        return number

    # --- epochs and the end ---

    def end_epoch(self, rng: np.random.Generator) -> None:
        """Record an epoch: what the policy takes, and how often. The alarm looks at what it takes most often."""
        drawn = [self.draw(rng)[0] for _ in range(ASKED)]
        weights = {name: _shares(values, name, drawn) for name, values in self.values.items()}
        self._record(Counter(drawn).most_common(1)[0][0], weights, last=False)

    def _record(self, architecture: Architecture, weights: Weights, *, last: bool) -> None:
        assert self.space.root is not None
        free = weightless(self.space.root, {place.layer for place, _ in self.supernet.bank.items()})
        known = {name: keys for name, keys in free.items() if name in self.values}
        signs = signs_of(known, architecture, weights, self.values, blind=self._is_blind(architecture))
        train, valid, right = (
            float(np.mean(own)) if own else math.nan
            for own in (self._losses, [a for a, _ in self._others], [b for _, b in self._others])
        )
        steps = len(self._losses)
        if last and self._history:
            now = self._history.pop()
            train, valid, right, steps = now.train_loss, now.valid_loss, now.valid_accuracy, now.steps
        self._losses, self._others = [], []
        self._history.append(EpochRecord(self.epoch, train, valid, right, weights, architecture, signs, steps))
        alarm = self._alarm.see(self.epoch, signs, last=last)
        if alarm is not None and alarm.epoch == self.epoch:
            _log.warning("%s collapses in epoch %d: %s", self.method, self.epoch, alarm.reason)

    def _is_blind(self, architecture: Architecture) -> bool:
        """Whether a network, with fresh weights, answers the same to all examples of a batch."""
        assert self._first_other is not None
        try:
            model = self.supernet.networks.make(architecture).model.eval()
        except BuildError:
            return False
        with torch.no_grad():
            out = model(self._first_other[0][:8])
        return len(out) > 1 and bool((out == out[:1]).all())

    def result(self, drawn: Sequence[Architecture], valid: Batches, judged_on: int) -> Sampled:
        """The best of some draws by shared weights, of equals the one of least loss; measured limits are measured.

        Where a collapse stopped the search, what its policy took most often before comes first.

        Args:
            drawn: architectures, some of them the same.
            valid: batches on which they are scored.
            judged_on: most batches.

        Raises:
            TrialError: all of several different networks answer the same.
            SearchError: none keeps the measured limits.
            UsageError: there are no batches, as of a generator that is used up.
        """
        stopped, safe = self.is_stopped, self._safe
        batches = [on(batch, self.options.device) for batch in islice(valid, judged_on)]
        if not batches:
            first_of((), "valid")
        scores: dict[Architecture, float] = {}
        losses: dict[Architecture, float] = {}
        answers: dict[str, bytes] = {}  # of each network once: some architectures are known to be the same one
        for architecture in dict.fromkeys([*([] if safe is None else [safe.architecture]), *drawn]):
            asked = (self._answer(architecture, batch) for batch in batches)  # one by one: answers may be large
            told = [(loss, right, _digest(out)) for loss, right, out in asked]
            right = float(np.mean([-loss if math.isnan(right) else right for loss, right, _ in told]))
            scores[architecture] = right - sum(self._penalty(p, architecture) for p in self.options.penalties)
            losses[architecture] = float(np.mean([loss for loss, _, _ in told]))
            answers[self.space.canonical_id(architecture)] = b"".join(digest for _, _, digest in told)
        best = sorted(scores, key=lambda a: (-scores[a], losses[a]))
        if safe is not None:
            best = [safe.architecture, *(a for a in best if a != safe.architecture)]
        ranked = [a for a in best if self._keeps_measured(a)]
        if not ranked:
            limits = ", ".join(map(str, self.options.limits))
            raise SearchError(f"none of {len(scores)} networks that were measured keeps {limits}; relax the limit")
        last = self._history[-1]
        if safe is None:
            self._record(ranked[0], last.weights, last=True)
        entropy = self._entropy(drawn)
        remarks = [*self._remarks(entropy, [*answers.values()], scores, batches)]
        if stopped and safe is None:
            remarks.append("the search collapsed in its first epoch, so that there is no architecture from before")
        weights, ordered = (safe or last).weights, tuple(scores[a] for a in ranked)
        return Sampled(
            self.method, ranked[0], weights, dict(self.values), tuple(self._history), last.valid_accuracy,
            self._alarm.alarm, stopped, tuple(remarks), self.supernet, tuple(ranked[1:]), ordered, entropy,
        )  # fmt: skip

    @property
    def _safe(self) -> EpochRecord | None:
        """The last epoch before a collapse that stopped the search; None where there is none."""
        alarm = self._alarm.alarm
        is_there = alarm is not None and self.is_stopped and alarm.safe_epoch >= 0
        return self._history[alarm.safe_epoch] if alarm is not None and is_there else None

    @property
    def _changes_nothing(self) -> bool:
        """Whether random architectures are all known to be the same network."""
        rng = np.random.default_rng(self.options.seed)
        drawn = {self.space.sample(rng) for _ in range(LOOKED_AT)}
        return len(drawn) > 2 and len({self.space.canonical_id(architecture) for architecture in drawn}) == 1

    def _keeps_measured(self, architecture: Architecture) -> bool:
        limits = [limit for limit in self.options.limits if limit.metric in self.costs]
        return all(limit.holds(self.costs[limit.metric].measured(architecture)) for limit in limits)

    def _entropy(self, drawn: Sequence[Architecture]) -> float:
        """Entropy of the policy, relative to the uniform one's; by its divergence from that on draws of it."""
        count = self.space.count()
        episodes = [self.policy.recall(architecture) for architecture in drawn]
        if count < 2 or not any(episode.places for episode in episodes):
            return 0.0
        divergence = float(self.policy.forward(episodes).divergences.mean())
        return float(np.clip(1.0 - divergence / math.log(count), 0.0, 1.0))

    def _remarks(
        self, entropy: float, answers: Sequence[bytes], scores: dict[Architecture, float], batches: Sequence[Batch]
    ) -> Iterator[str]:
        """Things worth knowing.

        Raises:
            TrialError: all of several different networks answer the same.
        """
        yield from filter(None, (cost.remark() for cost in self.costs.values()))
        if entropy > UNDECIDED:
            yield f"the policy is hardly sure of anything (entropy {entropy:.3f} of 1): search longer"
        pairs = list(combinations(answers, 2))
        equal = sum(a == b for a, b in pairs)
        if (len(answers) > 2 and equal == len(pairs)) or self._changes_nothing:
            raise TrialError(
                f"{self.method}: {len(scores)} different networks give the same outputs with shared weights; train "
                "longer, or look whether the choices of the space change the network"
            )
        if equal:
            yield f"{equal} of {len(pairs)} pairs of different networks give the same outputs"
        y = torch.cat([y for _, y in batches])
        if not math.isnan(self._history[-1].valid_accuracy) and not self.options.penalties:
            chance = float(torch.bincount(y).max()) / len(y)
            if max(scores.values()) <= chance:
                best = max(scores.values())
                yield f"no network is better than chance with shared weights (the best: {best:.3f}); search longer"
            elif len(scores) > 1 and len(set(scores.values())) == 1:
                yield f"{len(scores)} different networks score the same: {max(scores.values()):.3f}"
        if self._num_over > self._num_drawn / 2:
            share = self._num_over / self._num_drawn
            yield f"{share:.0%} of what the policy drew broke a limit or could not be built; it was drawn anew"


def _digest(out: Tensor) -> bytes:
    """What tells answers apart, bit by bit; zeros of either sign are the same."""
    return hashlib.blake2b((out.float() + 0.0).cpu().contiguous().numpy().tobytes(), digest_size=16).digest()


def _only_norms_train(model: nn.Module) -> None:
    """Let norms use the statistics of the batch, and dropout and the like do nothing."""
    model.eval()
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            module.train()


def _shares(values: Sequence[Value], name: str, drawn: Sequence[Architecture]) -> tuple[float, ...]:
    """How often architectures take each value of a choice, of those that decide it; even where none does."""
    counts = Counter(architecture[name] for architecture in drawn if name in architecture)
    total = sum(counts[value] for value in values)
    return tuple(counts[value] / total if total else 1 / len(values) for value in values)
