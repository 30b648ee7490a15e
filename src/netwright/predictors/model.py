"""The protocol of what a predictor is made of: a model of targets over rows, fitted once, and written as arrays.

A model is fitted by a function and immutable afterwards. All it predicts with are arrays of its own, so that one read
from a file predicts bit for bit what the one that was written did. Knows no architectures and no values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from netwright.predictors.conformal import LeftOut

LEAST_SPREAD = 1e-3

Arrays = Mapping[str, np.ndarray]


class Model(Protocol):
    """A fitted model."""

    def predict(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and spread (> 0, not calibrated) of targets.

        Args:
            rows: as those it was fitted to, shape (m, d).

        Returns:
            Two arrays of shape (m,).
        """

    def arrays(self) -> Arrays:
        """All that it predicts with."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What models are fitted to.

    Args:
        rows: one for each observation, shape (n, d); float64.
        targets: of mean 0 and variance about 1, shape (n,).
        blocks: places of columns that belong together.
    """

    rows: np.ndarray
    targets: np.ndarray
    blocks: Sequence[np.ndarray]


Fit = Callable[[Lesson, np.random.Generator], tuple[Model, LeftOut]]
"""Fits a model; also tells what models that did not know an observation say of it."""
