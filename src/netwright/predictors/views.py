"""Gaussian processes that see architectures in different ways, and take turns.

One kernel over everything is right on average and, where its picture of a space is wrong, wrong for a long time. Two
that see different parts are wrong about different networks, and each learns from what the other proposed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netwright.predictors.features import SCORES, Features
from netwright.predictors.gaussian_surrogate import GaussianProcessSurrogate

VIEWS = (
    ("one-hot", "ordinal", "operation", "path", SCORES),
    ("one-hot", "ordinal", "operation", "path", "flow", "spread", SCORES),
)
"""On NAS-Bench-201, ImageNet16-120, the first alone has the lower, the second the higher number of queries to the
optimum, and the higher, the lower regret before; in turns they have the better of both."""


class Views:
    """A Gaussian process for each view of the features; see `netwright.predictors.surrogate.Surrogate`.

    Which one is asked changes with the number of observations. Views that are the same in this space, since it lacks
    the parts in which they differ, are one.

    Args:
        features: of the architectures.
        rng: source of randomness.
        views: the parts that each of them sees.
    """

    def __init__(self, features: Features, rng: np.random.Generator, views: Sequence[Sequence[str]] = VIEWS) -> None:
        seen = dict.fromkeys(tuple(part for part in features.parts if part in view) for view in views)
        usable = [parts for parts in seen if parts] or [features.parts]
        self.models = [GaussianProcessSurrogate(features, rng, parts) for parts in usable]
        self._model = self.models[0]
        self._untuned: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def tune(self, numbers: np.ndarray, targets: np.ndarray) -> None:
        """Have each view tuned when its turn comes."""
        self._untuned = dict.fromkeys(range(len(self.models)), (numbers, targets))

    def condition(self, numbers: np.ndarray, targets: np.ndarray) -> None:
        turn = len(numbers) % len(self.models)
        self._model = self.models[turn]
        if turn in self._untuned:
            self._model.tune(*self._untuned.pop(turn))
        self._model.condition(numbers, targets)

    def predict(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._model.predict(numbers)
