"""Did short trainings rank networks as longer ones did? Measured on the networks of a study that had both.

A search rests on the answer, and it differs from data set to data set; so it is told with the result. Pure functions of
a history.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from netwright.strategies.rung_monitor import fisher_interval, rank_correlation
from netwright.types import Architecture, Fidelity, Json, Objective, Trial, TrialState

FEWEST = 4
"""Networks trained at both lengths below which nothing is said."""

SIZE = "params"
ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class RungAgreement:
    """How the order of networks after a short training agrees with that after a longer one.

    Args:
        low: the shorter training.
        high: the next longer one.
        num: networks trained at both. They were chosen for doing well at the lower one, so the correlation over all
            networks is higher than this one.
        tau: Kendall's tau-b between their numbers.
        lower: lower end of its 90 % interval.
        upper: upper end.
        size_tau: the same between the number of parameters and the number at ``high``: what knowing the size alone
            gives, either way round; NaN where sizes are not measured or all equal.
    """

    low: Fidelity
    high: Fidelity
    num: int
    tau: float
    lower: float
    upper: float
    size_tau: float

    @property
    def misleads(self) -> bool:
        """Whether the shorter training is known to rank worse than the size does."""
        return not math.isnan(self.size_tau) and self.upper < abs(self.size_tau) - ROUNDING

    def to_dict(self) -> dict[str, Json]:
        """JSON object for scripts; null for a number that there is not."""
        size_tau = None if math.isnan(self.size_tau) else self.size_tau
        return {
            "low": self.low.epochs,
            "high": self.high.epochs,
            "networks": self.num,
            "tau": self.tau,
            "lower": self.lower,
            "upper": self.upper,
            "size_tau": size_tau,
            "misleads": self.misleads,
        }

    def __str__(self) -> str:
        numbers = f"{self.tau:.2f} (90 %: {self.lower:.2f} to {self.upper:.2f}, {self.num} networks)"
        size = "" if math.isnan(self.size_tau) else f"; their size alone: {abs(self.size_tau):.2f}"
        verdict = ": THE SHORT ONES MISLEAD" if self.misleads else ""
        return f"{_length(self.low)} against {_length(self.high)}: rank correlation {numbers}{size}{verdict}"


def rung_agreements(trials: Sequence[Trial], objective: Objective) -> tuple[RungAgreement, ...]:
    """Compare each length of training with the next longer one, over the networks that had both.

    Args:
        trials: of a study.
        objective: what is compared.

    Returns:
        One for each two neighbouring lengths that at least `FEWEST` networks had, the shortest first.
    """
    values: dict[Fidelity, dict[Architecture, float]] = {}
    sizes: dict[Architecture, float] = {}
    for trial in trials:
        if trial.state is TrialState.FINISHED and objective.metric in trial.metrics:
            values.setdefault(trial.fidelity, {})[trial.architecture] = (
                -objective.sign * trial.metrics[objective.metric]
            )
            sizes[trial.architecture] = trial.metrics.get(SIZE, math.nan)
    lengths = sorted(values, key=lambda fidelity: fidelity.cost)
    found = (_agreement(low, high, values, sizes) for low, high in pairwise(lengths))
    return tuple(agreement for agreement in found if agreement is not None)


def _agreement(
    low: Fidelity,
    high: Fidelity,
    values: dict[Fidelity, dict[Architecture, float]],
    sizes: dict[Architecture, float],
) -> RungAgreement | None:
    both = [architecture for architecture in values[high] if architecture in values[low]]
    if len(both) < FEWEST:
        return None
    below, above = (np.array([values[length][a] for a in both]) for length in (low, high))
    everyone = np.ones(len(both), dtype=bool)
    tau, error = rank_correlation(below, above, everyone)
    if math.isnan(tau):
        return None
    size = np.array([sizes[a] for a in both])
    known = np.isfinite(size).all() and np.ptp(size) > 0
    size_tau = rank_correlation(size, above, everyone)[0] if known else math.nan
    return RungAgreement(low, high, len(both), tau, *fisher_interval(tau, error), size_tau)


def _length(fidelity: Fidelity) -> str:
    return "full trainings" if fidelity.epochs is None else f"{fidelity.epochs:.3g} epochs"
