"""What rewards are compared with: their moving average. Knows no policy."""

from __future__ import annotations

import numpy as np

from netwright.errors import UsageError, wrong


class Baseline:
    """A moving average of rewards, which begins at the first.

    Args:
        decay: in [0, 1): the share of its old value that it keeps at each reward.
    """

    def __init__(self, decay: float) -> None:
        if not 0 <= decay < 1:
            raise UsageError(wrong("decay", decay, "in [0, 1)"))
        self._decay = decay
        self._value: float | None = None

    def advantages(self, rewards: np.ndarray) -> np.ndarray:
        """By how much rewards are above the average of those before; then they are part of it.

        Args:
            rewards: shape (trials,).
        """
        before = float(rewards.mean()) if self._value is None else self._value
        self._value = before
        for reward in rewards.tolist():
            self._value += (1 - self._decay) * (reward - self._value)
        return np.asarray(rewards - before)
