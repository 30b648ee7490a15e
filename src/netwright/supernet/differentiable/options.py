"""What is common to all differentiable methods: rates, lengths, limits, penalty and alarm.

References:
    Liu et al. (2019), DARTS, appendix A.1, and Dong and Yang (2020), NAS-Bench-201, section 4 (the rates).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netwright.errors import UsageError, wrong
from netwright.types import Architecture, Constraint, Value

if TYPE_CHECKING:
    from torch import Tensor

    from netwright.nn.networks import Wrap

Table = Mapping[str, Mapping[Value, float]]
"""What each value of each choice costs, such as milliseconds; choices and values that are not in it cost nothing."""

Measure = Callable[[Architecture], Mapping[str, float]]
"""Metrics of an architecture that limits are checked on, besides ``params`` and ``macs``."""


@dataclass(frozen=True)
class Penalty:
    """A cost that is added to the loss of the architecture weights while it is expected to be above a target.

    What is added is ``weight * max(0, expected / target - 1)``.

    Args:
        metric: ``params``, ``macs``, or any name for the costs of a table.
        target: what may be expected without a penalty, > 0.
        weight: >= 0.
        table: costs by choice and value; None for ``params`` and ``macs``, which are counted.
        measure: measures the metric of an architecture, > 0, such as its latency in milliseconds. A few random
            architectures are measured first, and a linear model of them is what is expected; a limit of the search on
            the same metric is checked by measuring what is found. See `measured`.
        measurements: of random architectures, >= 2.

    Raises:
        UsageError: a number or the table cannot be.
    """

    metric: str
    target: float
    weight: float = 1.0
    table: Table | None = None
    measure: Callable[[Architecture], float] | None = None
    measurements: int = 24

    def __post_init__(self) -> None:
        if not (math.isfinite(self.target) and self.target > 0):
            raise UsageError(wrong("target", self.target, "> 0"))
        if not (math.isfinite(self.weight) and self.weight >= 0):
            raise UsageError(wrong("weight", self.weight, ">= 0"))
        require_whole("measurements", self.measurements, 2)
        if self.table is not None and self.measure is not None:
            raise UsageError(wrong("measure", "a function", "absent with a table", "give one of the two"))
        if self.table is None and self.measure is None and self.metric not in ("params", "macs"):
            cure = "give a table of the costs of choices, or measure="
            raise UsageError(wrong("metric", self.metric, "params or macs", cure))


@dataclass(frozen=True)
class AlarmOptions:
    """When a search is said to collapse, and what is done about it; see `alarm`.

    Args:
        free_share: share of decided operations without weights from which on it is, in (0, 1].
        same_share: share of one such operation among all decided from which on it is, in (0, 1].
        growth: ratio of the curvature ``window`` measurements ago to the present one below which it grew too fast.
        window: measurements over which curvatures are averaged, and between which they are compared.
        curvature_every: epochs between two measurements of the curvature; 0 for none.
        iterations: of the power iteration.
        stop: whether the search ends, with the architecture from before.

    Raises:
        UsageError: a number cannot be.
    """

    free_share: float = 0.8
    same_share: float = 0.6
    growth: float = 0.75
    window: int = 5
    curvature_every: int = 0
    iterations: int = 10
    stop: bool = False

    def __post_init__(self) -> None:
        for name in ("free_share", "same_share", "growth"):
            if not 0 < getattr(self, name) <= 1:
                raise UsageError(wrong(name, getattr(self, name), "in (0, 1]"))
        for name, least in (("window", 1), ("curvature_every", 0), ("iterations", 1)):
            require_whole(name, getattr(self, name), least)


@dataclass(frozen=True)
class Options:
    """Options of a differentiable search.

    Args:
        epochs: passes over the training batches.
        learning_rate: of the weights at the beginning (SGD with momentum and a cosine schedule).
        last_learning_rate: of the weights at the end.
        momentum: of the weights.
        weight_decay: of the weights.
        clip_norm: largest norm of a gradient of the weights; None for any.
        arch_learning_rate: of the architecture weights (Adam).
        arch_betas: of Adam, two numbers in [0, 1).
        arch_weight_decay: of the architecture weights.
        affine: whether batch norms inside mixtures of operations have a gain and a shift that are trained. By default
            these stay 1 and 0, so that no operation can be scaled against its weight (Liu et al. 2019, appendix A.1.1,
            for all batch norms; the authors' codes of GDAS, PC-DARTS and DrNAS for those inside cells). What is found
            has them as any network. ENAS mixes nothing and always trains them.
        seed: of all that is drawn.
        limits: what the architecture that is found must keep: ``params``, ``macs``, or what ``measure`` gives.
        measure: metrics of an architecture for limits on others than ``params`` and ``macs``.
        penalty: on the costs that are to be expected; one, or several.
        alarm: when a search is said to collapse.
        loss: of what the network says and what is right; None for cross-entropy.
        input_dtype: as torch names it; ``int64`` for tokens.
        wrap: what is put before each network and behind it, such as the normalisation of its data.
        apart: choices that change the extent of what flows; see `RelaxedNetwork`.
        device: where the search runs, as torch names it.
        memory_bytes: most memory that it may take: weights, gradients, the optimiser's state and what a step keeps for
            its backward pass. It is estimated before it is needed; None for any.
        deadline_s: reading of ``time.monotonic()`` after which no step begins, but the first: the search ends there
            with what it has; None for none. Where it is met the result depends on the machine's speed.

    Raises:
        UsageError: a number cannot be.
    """

    epochs: int = 50
    learning_rate: float = 0.025
    last_learning_rate: float = 0.001
    momentum: float = 0.9
    weight_decay: float = 5e-4
    clip_norm: float | None = 5.0
    arch_learning_rate: float = 3e-4
    arch_betas: tuple[float, float] = (0.5, 0.999)
    arch_weight_decay: float = 1e-3
    affine: bool = False
    seed: int = 0
    limits: tuple[Constraint, ...] = ()
    measure: Measure | None = None
    penalty: Penalty | tuple[Penalty, ...] | None = None
    alarm: AlarmOptions = field(default_factory=AlarmOptions)
    loss: Callable[[Tensor, Tensor], Tensor] | None = None
    input_dtype: str = "float32"
    wrap: Wrap | None = None
    apart: tuple[str, ...] = ()
    device: str = "cpu"
    memory_bytes: int | None = None
    deadline_s: float | None = None

    def __post_init__(self) -> None:
        require_whole("epochs", self.epochs, 1)
        if self.memory_bytes is not None:
            require_whole("memory_bytes", self.memory_bytes, 1)
        require_whole("seed", self.seed, 0)
        for name in ("learning_rate", "arch_learning_rate"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise UsageError(wrong(name, getattr(self, name), "> 0"))
        for name in ("last_learning_rate", "momentum", "weight_decay", "arch_weight_decay"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise UsageError(wrong(name, getattr(self, name), ">= 0"))
        if len(self.arch_betas) != 2 or not all(0 <= beta < 1 for beta in self.arch_betas):
            raise UsageError(wrong("arch_betas", self.arch_betas, "two numbers in [0, 1)"))
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise UsageError(wrong("clip_norm", self.clip_norm, "> 0 or None"))
        known = {"params", "macs", *(p.metric for p in self.penalties if p.measure is not None)}
        for limit in self.limits:
            if limit.metric not in known and self.measure is None:
                cure = "give measure=, which tells it of an architecture"
                raise UsageError(wrong("metric of a limit", limit.metric, "params or macs", cure))

    @property
    def penalties(self) -> tuple[Penalty, ...]:
        """All penalties."""
        if self.penalty is None:
            return ()
        return (self.penalty,) if isinstance(self.penalty, Penalty) else tuple(self.penalty)

    @property
    def is_late(self) -> bool:
        """Whether the deadline has passed."""
        return self.deadline_s is not None and time.monotonic() >= self.deadline_s

    def rate(self, progress: float) -> float:
        """Learning rate of the weights at a share of the search, in [0, 1]: half a cosine."""
        span = self.learning_rate - self.last_learning_rate
        return self.last_learning_rate + 0.5 * span * (1 + math.cos(math.pi * progress))


def require_whole(name: str, value: object, least: int) -> None:
    """Refuse what is no whole number, or too small a one.

    Raises:
        UsageError: it is so.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(wrong(name, value, f"a whole number >= {least}"))
