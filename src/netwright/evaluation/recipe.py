"""The training recipe for small budgets: every number that decides how a network is trained.

One recipe serves all architectures of a search, so that they are compared fairly; a space may make some of its numbers
choices (`Recipe.override`). The schedule is warmup-stable-decay: up to the start of the decay a training depends on
(architecture, seed) only and not on how long it will be, so that a promoted trial goes on where the shorter one
branched off. Knows no data, no network and no torch.

The defaults were measured on Fashion-MNIST with ``benchmarks/recipe_fashion_mnist.py``.

References:
    Hu et al. (2024), *MiniCPM*, section 4 (warmup-stable-decay); Hägele et al. (2024), *Scaling laws and
    compute-optimal training beyond fixed training durations* (a decay over 20 % matches a cosine). We decay over a
    larger part, since our trainings are short.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Literal

from netwright.errors import SpecError, unknown, wrong
from netwright.types import Value

OptimizerName = Literal["muon", "muon-all", "sgd", "adamw", "adam"]
OPTIMIZERS: tuple[OptimizerName, ...] = ("muon", "muon-all", "sgd", "adamw", "adam")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained.

    Args:
        optimizer: ``muon`` (orthogonalised momentum for convolutions, AdamW for the rest), ``muon-all`` (for linear and
            recurrent layers, too, but not for embeddings and the last layer), ``sgd`` (Nesterov momentum), ``adamw`` or
            ``adam``, whose weight decay is a part of the gradient.
        learning_rate: of weight matrices at the top of the schedule, > 0.
        side_learning_rate: of norms, biases and other vectors, and of the first and last layer under ``muon``, > 0.
        momentum: in [0, 1).
        weight_decay: decoupled but for ``adam``, of matrices and convolutions only, never of norms and biases; >= 0.
        batch_size: images a step, >= 1; None for 128, and fewer where there are few images
            (`netwright.tasks.batch_size.fitting_batch_size`).
        shards: parts of a batch that are passed through the network one by one; their gradients are averaged, batch
            norm sees one part. As many processes can share a step and reach the very same result.
        label_smoothing: in [0, 1).
        warmup_steps: of linear warmup, >= 0; never more than a quarter of an epoch; few, so that trainings of a tenth
            of an epoch rank networks, too.
        decay_share: part of the training over which the learning rate falls linearly to 0, in (0, 1].
        stable_steps: before the decay, unless that is more than half of the training: short trainings gain more from
            the full rate than from a long decay; >= 0.
        shift: largest random shift as part of the smaller side, in [0, 0.5]; at least one pixel unless 0.
        flip: mirror at random; None decides by the data (`netwright.tasks.augmentation.mirroring_helps`).
        clip_norm: largest norm of the gradient; None for no clipping.

    Raises:
        SpecError: a number is outside its range.
    """

    optimizer: OptimizerName = "muon"
    learning_rate: float = 0.03
    side_learning_rate: float = 0.003
    momentum: float = 0.9
    weight_decay: float = 0.1
    batch_size: int | None = None
    shards: int = 2
    label_smoothing: float = 0.1
    warmup_steps: int = 20
    decay_share: float = 0.8
    stable_steps: int = 200
    shift: float = 0.036
    flip: bool | None = None
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise SpecError(unknown("optimizer", str(self.optimizer), OPTIMIZERS))
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if value is None and name == "batch_size":
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
                raise SpecError(wrong(name, value, f"a number in [{low:g}, {high:g}]"))
        for name in ("batch_size", "shards", "warmup_steps", "stable_steps"):
            if not isinstance(getattr(self, name), int | None):
                raise SpecError(wrong(name, getattr(self, name), "a whole number"))
        if not isinstance(self.flip, bool | None):
            raise SpecError(wrong("flip", self.flip, "True, False or None"))
        if self.clip_norm is not None and not 0 < self.clip_norm < math.inf:
            raise SpecError(wrong("clip_norm", self.clip_norm, "> 0, or None for no clipping"))

    def override(self, values: Mapping[str, Value]) -> Recipe:
        """This recipe with some numbers replaced, such as `SearchSpace.training_values` of an architecture.

        Raises:
            SpecError: a name that is no number of a recipe, or a value outside its range.

        Example:
            >>> Recipe().override({"learning_rate": 0.01}).learning_rate
            0.01
        """
        self.check_names(values)
        return replace(self, **{ALIASES.get(name, name): value for name, value in values.items()})  # type: ignore[arg-type]

    def check_names(self, names: Iterable[str]) -> None:
        """Raise `SpecError` for a name that is no number of a recipe."""
        known = [field.name for field in fields(self)]
        for name in names:
            if ALIASES.get(name, name) not in known:
                raise SpecError(unknown("training value", name, [*known, *ALIASES]))

    def to_dict(self) -> dict[str, str | float | bool | None]:
        """JSON object of all numbers."""
        return asdict(self)

    def schedule(self, epochs: float, steps_per_epoch: int) -> Schedule:
        """The learning rate's course over a training of that length."""
        total = max(1, round(epochs * steps_per_epoch))
        decay = min(total, max(1, round(self.decay_share * total)))
        branch = max(total - decay, min(self.stable_steps, total // 2))
        return Schedule(total=total, branch=branch, warmup=min(self.warmup_steps, steps_per_epoch // 4))


ALIASES = {"lr": "learning_rate"}
_RANGES: tuple[tuple[str, float, float], ...] = (
    ("learning_rate", 1e-8, 100.0),
    ("side_learning_rate", 1e-8, 100.0),
    ("momentum", 0.0, 0.9999),
    ("weight_decay", 0.0, 100.0),
    ("batch_size", 1, 1 << 20),
    ("shards", 1, 64),
    ("label_smoothing", 0.0, 0.99),
    ("warmup_steps", 0, 1 << 20),
    ("decay_share", 1e-3, 1.0),
    ("stable_steps", 0, 1 << 20),
    ("shift", 0.0, 0.5),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Warmup, stable, decay, in steps.

    Args:
        total: steps of the whole training.
        branch: step at which the decay begins; the state there is the same for every longer training.
        warmup: steps of linear warmup.
    """

    total: int
    branch: int
    warmup: int

    def factor(self, step: int) -> float:
        """Part of the full learning rate at a step, in (0, 1].

        Example:
            >>> [round(Schedule(total=8, branch=4, warmup=2).factor(s), 2) for s in range(8)]
            [0.5, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]
        """
        warm = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        left = (self.total - step) / max(1, self.total - self.branch)
        return warm * min(1.0, left)

    def fitted(self, step: int, steps_left: int, planned: int) -> Schedule:
        """The schedule for when ``steps_left`` more steps can be made, of a training planned to have ``planned``.

        In the stable phase the decay keeps its share, and begins at once when no more than that fits. In the decay the
        learning rate goes straight from where it is to 0, more steeply or less.

        Args:
            step: the next step.
            steps_left: how many can still be made, >= 1.
            planned: most steps of the whole training.

        Example:
            >>> Schedule(total=100, branch=50, warmup=0).fitted(20, 60, 100)
            Schedule(total=80, branch=40, warmup=0)
        """
        total = min(planned, step + max(1, steps_left))
        if step <= self.branch:
            share = (self.total - self.branch) / self.total
            return replace(self, total=total, branch=max(step, total - max(1, round(share * total))))
        height = (self.total - step) / (self.total - self.branch)
        return replace(self, total=total, branch=total - max(1, round((total - step) / height)))
