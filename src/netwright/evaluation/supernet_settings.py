"""How a supernet is trained, as one frozen value. Knows neither tensors nor torch."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal, cast, get_args

from netwright.errors import SpecError, unknown, wrong
from netwright.evaluation.recipe import Recipe
from netwright.types import Json

if TYPE_CHECKING:
    from netwright.nn.networks import Networks
    from netwright.supernet import Sampler

Sampling = Literal["sandwich", "uniform", "fair", "progressive", "pareto"]
SAMPLINGS: tuple[Sampling, ...] = get_args(Sampling)
SINGLE: tuple[Sampling, ...] = ("uniform", "fair")
"""Samplings with one network a step, so that there is no teacher."""

DIVERGENCES = ("kl", "alpha")


@dataclass(frozen=True, slots=True)
class SupernetSettings:
    """What decides the shared weights, besides space, data and time.

    Args:
        sampling: which networks a step runs: ``sandwich`` (the largest, two random ones, the smallest), ``uniform``
            (one random one), ``fair`` (one, each value of a choice equally often), ``progressive`` (the largest and
            two of a space that opens), ``pareto`` (the largest, the best of a few of a size twice, the smallest).
        distil: whether all networks of a step but the first learn from its answers.
        divergence: how: ``kl``, or ``alpha`` for adaptive alpha-divergence.
        epochs: passes over the data, at most where time is limited.
        seed: of weights, samples, order and augmentation of the data.
        recipe: of the optimiser.

    Raises:
        SpecError: a value is unknown or outside its range.
    """

    sampling: Sampling = "sandwich"
    distil: bool = True
    divergence: Literal["kl", "alpha"] = "kl"
    epochs: float = 10.0
    seed: int = 0
    recipe: Recipe = field(default_factory=Recipe)

    def __post_init__(self) -> None:
        if self.sampling not in SAMPLINGS:
            raise SpecError(unknown("sampling", str(self.sampling), SAMPLINGS))
        if self.divergence not in DIVERGENCES:
            raise SpecError(unknown("divergence", str(self.divergence), DIVERGENCES))
        if not 0 < self.epochs <= 1e6 or not math.isfinite(self.epochs):
            raise SpecError(wrong("epochs", self.epochs, "> 0 and at most 1e6"))
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**32:
            raise SpecError(wrong("seed", self.seed, "a whole number in [0, 2**32)"))

    def sampler(self, networks: Networks, total: int) -> Sampler:
        """What says which networks a step runs.

        Args:
            networks: of the space.
            total: steps of the training, as planned at its start.
        """
        from netwright.supernet import BestUp, Fair, Progressive, Sandwich, Uniform

        if self.sampling == "progressive":
            return Progressive(networks, total, self.seed)
        kinds = {"sandwich": Sandwich, "uniform": Uniform, "fair": Fair, "pareto": BestUp}
        return cast("Sampler", kinds[self.sampling](networks, self.seed))

    def to_dict(self) -> dict[str, Json]:
        """JSON object."""
        return cast("dict[str, Json]", asdict(self))

    def __str__(self) -> str:
        teacher = "" if self.sampling in SINGLE or not self.distil else f", the first one teaches ({self.divergence})"
        return f"{self.sampling} sampling{teacher}"
