"""How a supernet is trained, as one frozen value. Knows neither tensors nor torch."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Literal, cast, get_args

from netwright.errors import SpecError, unknown, wrong
from netwright.evaluation.recipe import Recipe
from netwright.types import Json, digest

if TYPE_CHECKING:
    from netwright.nn.networks import Networks
    from netwright.supernet import Sampler

Sampling = Literal["sandwich", "uniform", "fair", "progressive", "largest-first", "pareto"]
SAMPLINGS: tuple[Sampling, ...] = get_args(Sampling)
SINGLE: tuple[Sampling, ...] = ("uniform", "fair")
"""Samplings with one network a step, so that there is no teacher."""

PLANNED: tuple[Sampling, ...] = ("progressive", "largest-first")
"""Samplings that change as a training goes on."""

DIVERGENCES = ("kl", "alpha")

FURTHER_RATE = 0.3
"""Times the recipe's learning rates in every cycle but the first: what was learned is not to be lost at once."""


@dataclass(frozen=True, slots=True)
class SupernetSettings:
    """What decides the shared weights, besides space, data and time.

    Args:
        sampling: which networks a step runs: ``sandwich`` (the largest, two random ones, the smallest), ``uniform``
            (one random one), ``fair`` (one, each value of a choice equally often), ``progressive`` (the largest and
            two of a space that opens), ``largest-first`` (the largest alone, then a sandwich), ``pareto`` (the largest,
            the best of a few of a size twice, the smallest).
        distil: whether all networks of a step but the first learn from its answers.
        divergence: how: ``kl``, or ``alpha`` for adaptive alpha-divergence.
        labels: share of the labels in what these networks learn from, beside its answers, in [0, 1].
        epochs: passes over the data in all cycles together, at most where time is limited.
        seed: of weights, samples, order and augmentation of the data.
        recipe: of the optimiser.
        cycle: 1, or more where weights whose training had ended are trained further.
        before: epochs of the cycles before.
        after: digest of the weights that these left.

    Raises:
        SpecError: a value is unknown or outside its range.
    """

    sampling: Sampling = "sandwich"
    distil: bool = True
    divergence: Literal["kl", "alpha"] = "kl"
    labels: float = 0.0
    epochs: float = 10.0
    seed: int = 0
    recipe: Recipe = field(default_factory=Recipe)
    cycle: int = 1
    before: float = 0.0
    after: str = ""

    def __post_init__(self) -> None:
        if self.sampling not in SAMPLINGS:
            raise SpecError(unknown("sampling", str(self.sampling), SAMPLINGS))
        if self.divergence not in DIVERGENCES:
            raise SpecError(unknown("divergence", str(self.divergence), DIVERGENCES))
        if isinstance(self.labels, bool) or not isinstance(self.labels, (int, float)) or not 0 <= self.labels <= 1:
            raise SpecError(wrong("labels", self.labels, "a share in [0, 1]"))
        if not 0 < self.epochs <= 1e6 or not math.isfinite(self.epochs):
            raise SpecError(wrong("epochs", self.epochs, "> 0 and at most 1e6"))
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**32:
            raise SpecError(wrong("seed", self.seed, "a whole number in [0, 2**32)"))
        if isinstance(self.cycle, bool) or not isinstance(self.cycle, int) or not 1 <= self.cycle <= 10**6:
            raise SpecError(wrong("cycle", self.cycle, "a whole number >= 1"))
        if not 0 <= self.before < self.epochs:
            raise SpecError(wrong("before", self.before, f"in [0, epochs ({self.epochs:g}))"))

    @property
    def length(self) -> float:
        """Passes over the data in this cycle."""
        return self.epochs - self.before

    @property
    def draws(self) -> int:
        """Seed of samples and order of the data: a further cycle is not to see the same batches again."""
        return self.seed if self.cycle == 1 else int(digest(f"{self.seed} {self.cycle}", 8), 16)

    @property
    def rated(self) -> Recipe:
        """The recipe of this cycle."""
        if self.cycle == 1:
            return self.recipe
        rates = {name: FURTHER_RATE * getattr(self.recipe, name) for name in ("learning_rate", "side_learning_rate")}
        return replace(self.recipe, **rates)

    def sampler(self, networks: Networks, total: int) -> Sampler:
        """What says which networks a step runs; after the first cycle of those that change as it goes on: a sandwich.

        Args:
            networks: of the space.
            total: steps of the training, as planned at its start.
        """
        from netwright.supernet import BestUp, Fair, LargestFirst, Progressive, Sandwich, Uniform

        if self.sampling in PLANNED:
            if self.cycle > 1:
                return Sandwich(networks, self.draws)
            kind = Progressive if self.sampling == "progressive" else LargestFirst
            return kind(networks, total, self.seed)
        kinds = {"sandwich": Sandwich, "uniform": Uniform, "fair": Fair, "pareto": BestUp}
        return cast("Sampler", kinds[self.sampling](networks, self.draws))

    def to_dict(self) -> dict[str, Json]:
        """JSON object."""
        return cast("dict[str, Json]", asdict(self))

    def __str__(self) -> str:
        teacher = "" if self.sampling in SINGLE or not self.distil else f", the first one teaches ({self.divergence})"
        cycle = "" if self.cycle == 1 else f", cycle {self.cycle}"
        return f"{self.sampling} sampling{teacher}{cycle}"
