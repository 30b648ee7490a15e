"""A partial curve as a few numbers, alike for every metric, and a scale on which far outliers do little harm.

Knows no study and no model.

References:
    B. Ru, C. Lyle, L. Schut, M. Fil, M. van der Wilk, Y. Gal, 2021, "Speedy performance estimation for neural
    architecture search" (sums over the curve rank better than its last value).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netwright.predictors.curves.curve import Curve

RECENT = 0.2
"""Share of the epochs so far that is recent."""

FEWEST = 3
"""Scores that are recent at least."""

NUM_NUMBERS = 4


def summarise(curve: Curve, sign: float) -> np.ndarray:
    """What is to know of a curve at its end.

    Args:
        curve: with at least one finite score.
        sign: 1 where more is better, else -1.

    Returns:
        Shape (4,), more is better: the level (between the mean of the recent scores and the best so far); how far the
        best is above the recent mean; by how much the recent mean is above that at half the epochs; the mean over all
        epochs. A curve ranks by its level as long as nothing else is known.
    """
    epochs, scores = curve.finite()
    scores = sign * scores
    recent = _recent(epochs, scores)
    half = epochs <= 0.5 * epochs[-1]
    earlier = _recent(epochs[half], scores[half]) if half.any() else scores[0]
    best = scores.max()
    return np.array([0.5 * (recent + best), best - recent, recent - earlier, scores.mean()])


def _recent(epochs: np.ndarray, scores: np.ndarray) -> float:
    count = max(FEWEST, int((epochs > (1 - RECENT) * epochs[-1]).sum()))
    return float(scores[-count:].mean())


@dataclass(frozen=True, slots=True)
class Squash:
    """Distances from a median in units of the usual one, far ones as their logarithm (inverse hyperbolic sine).

    Args:
        centre: shape (numbers,).
        scale: shape (numbers,), > 0.
    """

    centre: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Squash:
        """Learn median and usual distance, shape (n, numbers)."""
        centre = np.median(values, axis=0)
        distances = np.abs(values - centre)
        usual = 1.4826 * np.median(distances, axis=0)
        least = np.maximum(0.1 * distances.mean(axis=0), 1e-9 * np.maximum(np.abs(centre), 1e-3))
        return cls(centre, np.maximum(usual, least))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Squash, shape (..., numbers)."""
        return np.asarray(np.arcsinh((values - self.centre) / self.scale))

    def back(self, squashed: np.ndarray) -> np.ndarray:
        """Undo it; what is beyond all reason stays finite."""
        return np.asarray(self.centre + self.scale * np.sinh(np.clip(squashed, -20, 20)))
