"""Adam, for the parameters of a controller. Knows nothing of what is learned."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


class Adam:
    """Steps uphill whose size depends on how steady a slope is, not on how steep.

    Args:
        rate: size of a step, > 0.
        factors: of the rate, for parameters that learn faster or slower than others, by name; 1 for all others.

    References:
        D. Kingma and J. Ba, 2015, "Adam: A Method for Stochastic Optimization", algorithm 1, with its defaults.
    """

    def __init__(self, rate: float, factors: Mapping[str, float]) -> None:
        self._rate = rate
        self._factors = factors
        self._num_steps = 0
        self._means: dict[str, np.ndarray] = {}
        self._squares: dict[str, np.ndarray] = {}

    def ascend(self, parameters: dict[str, np.ndarray], gradient: Mapping[str, np.ndarray]) -> None:
        """Change parameters in place.

        Args:
            parameters: arrays by name; they may have more rows than in earlier steps.
            gradient: an array of the same shape for each.
        """
        self._num_steps += 1
        for name, slope in gradient.items():
            mean, square = (_with_new_rows(kept.get(name), slope) for kept in (self._means, self._squares))
            self._means[name] = mean = mean + 0.1 * (slope - mean)
            self._squares[name] = square = square + 0.001 * (slope**2 - square)
            steepness = np.sqrt(square / (1 - 0.999**self._num_steps)) + 1e-8
            step = self._rate * self._factors.get(name, 1.0)
            parameters[name] += step * mean / (1 - 0.9**self._num_steps) / steepness


def _with_new_rows(kept: np.ndarray | None, like: np.ndarray) -> np.ndarray:
    """What was kept of a parameter, and zeros for the rows that came since."""
    if kept is None:
        return np.zeros_like(like)
    new = len(like) - len(kept)
    return np.concatenate([kept, np.zeros((new, *like.shape[1:]))]) if new else kept
