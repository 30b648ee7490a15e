"""A learning curve: what a network scored after each of some epochs, as far as it was trained.

Knows no trial and no model. A curve holds what was seen and nothing else; `Curve.until` is the only way to look at it
at an earlier time, so that whatever takes a curve can know nothing of its future.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netwright.errors import SpecError, wrong


@dataclass(frozen=True, slots=True)
class Curve:
    """Scores by epoch, of any metric in any direction.

    Args:
        epochs: passes over the data, > 0 and rising; fractions are allowed.
        scores: after each of them. One that is not finite was not measured, or is of a network that diverged.

    Raises:
        SpecError: epochs do not rise from above 0, or there are not as many scores.

    Example:
        >>> curve = Curve.of([0.2, 0.5, float("nan"), 0.6])
        >>> curve.until(2), curve.finite()[0].tolist()
        (Curve(epochs=(1.0, 2.0), scores=(0.2, 0.5)), [1.0, 2.0, 4.0])
    """

    epochs: tuple[float, ...]
    scores: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.epochs) != len(self.scores):
            raise SpecError(wrong("scores", len(self.scores), f"one for each of {len(self.epochs)} epochs"))
        before = 0.0
        for epoch in self.epochs:
            if not before < epoch < math.inf:
                raise SpecError(wrong("epochs", epoch, f"finite and > {before:g}, what comes before"))
            before = epoch

    @classmethod
    def of(cls, scores: Sequence[float], every: float = 1.0) -> Curve:
        """A curve that was measured at even distances from the first on.

        Args:
            scores: shape (n,).
            every: epochs between two of them.
        """
        epochs = tuple(every * (1 + place) for place in range(len(scores)))
        return cls(epochs, tuple(float(score) for score in scores))

    @property
    def length(self) -> float:
        """Epochs that were trained; 0 for an empty curve."""
        return self.epochs[-1] if self.epochs else 0.0

    @property
    def num_diverged(self) -> int:
        """How many scores at the end are not finite."""
        count = 0
        while count < len(self.scores) and not math.isfinite(self.scores[-1 - count]):
            count += 1
        return count

    def until(self, epoch: float) -> Curve:
        """The curve as it was known after some epochs."""
        count = sum(e <= epoch for e in self.epochs)
        return Curve(self.epochs[:count], self.scores[:count])

    def finite(self) -> tuple[np.ndarray, np.ndarray]:
        """Epochs and scores where scores are finite; two arrays of shape (n,)."""
        epochs, scores = np.array(self.epochs, dtype=float), np.array(self.scores, dtype=float)
        kept = np.isfinite(scores)
        return epochs[kept], scores[kept]
