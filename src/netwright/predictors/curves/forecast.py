"""What a score will be, as a distribution: equally probable values. Knows not how it was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from netwright.errors import SpecError, wrong

Direction = Literal["max", "min"]
"""Whether a larger or a smaller score is better."""

NUM_VALUES = 200
"""Values of a distribution: probabilities are told to half a per cent."""

PROBABILITIES = (np.arange(NUM_VALUES) + 0.5) / NUM_VALUES


def require_direction(direction: str) -> None:
    """Refuse what is no direction.

    Raises:
        SpecError: it is neither ``max`` nor ``min``.
    """
    if direction not in ("max", "min"):
        raise SpecError(wrong("direction", direction, "'max' or 'min'"))


@dataclass(frozen=True, slots=True)
class Forecast:
    """The distribution of a score that is not known yet.

    Args:
        values: equally probable, in rising order, at least one; those at `PROBABILITIES` where there are `NUM_VALUES`.

    Example:
        >>> forecast = Forecast((0.7, 0.8, 0.9))
        >>> round(forecast.mean, 3), forecast.median, forecast.probability_better(0.95, "max")
        (0.8, 0.8, 0.0)
    """

    values: tuple[float, ...]

    @classmethod
    def certain(cls, value: float) -> Forecast:
        """Of what is known."""
        return cls((float(value),))

    @classmethod
    def of_mixture(cls, values: np.ndarray, weights: np.ndarray) -> Forecast:
        """Of values that are not equally probable.

        Args:
            values: shape (n,), in any order.
            weights: shape (n,), of sum 1.
        """
        order = np.argsort(values, kind="stable")
        share = np.cumsum(weights[order]) - 0.5 * weights[order]
        return cls(tuple(np.interp(PROBABILITIES, share, values[order]).tolist()))

    @property
    def mean(self) -> float:
        """What is expected."""
        return float(np.mean(self.values))

    @property
    def median(self) -> float:
        """What is as likely exceeded as not."""
        return float(np.median(self.values))

    @property
    def std(self) -> float:
        """Standard deviation."""
        return float(np.std(self.values))

    def interval(self, coverage: float = 0.9) -> tuple[float, float]:
        """The middle of the distribution.

        Args:
            coverage: share of it, in (0, 1).

        Raises:
            SpecError: the share is something else.
        """
        if not 0 < coverage < 1:
            raise SpecError(wrong("coverage", coverage, "in (0, 1)"))
        low, high = np.quantile(self.values, [0.5 - 0.5 * coverage, 0.5 + 0.5 * coverage], method="hazen")
        return float(low), float(high)

    def probability_better(self, than: float, direction: Direction) -> float:
        """How likely the score will be better than another one; an equal one is not better.

        Raises:
            SpecError: the direction is none.
        """
        require_direction(direction)
        values = np.array(self.values)
        if len(values) == 1 or values[0] == values[-1]:
            return float(values[0] > than if direction == "max" else values[0] < than)
        share = (np.arange(len(values)) + 0.5) / len(values)
        below = float(np.interp(than, values, share, left=0.0, right=1.0))
        return 1 - below if direction == "max" else below

    def clipped(self, lowest: float, highest: float) -> Forecast:
        """The same with what is beyond possible scores taken for the nearest possible one."""
        return Forecast(tuple(np.clip(self.values, lowest, highest).tolist()))
