"""Curves of known ends, for the tests of what extrapolates them."""

from __future__ import annotations

import numpy as np

from netwright.predictors.curves import Curve

HORIZON = 50


def rising(final: float, *, noise: float = 0.0, length: int = HORIZON, seed: int = 0) -> Curve:
    """An accuracy that rises by a power law, and reaches ``final`` at the horizon."""
    x = np.arange(1, HORIZON + 1)
    scores = final - 0.6 * (x**-0.7 - HORIZON**-0.7)
    scores = scores + noise * np.random.default_rng(seed).normal(size=HORIZON)
    return Curve.of(scores[:length].tolist())


def falling(final: float, *, noise: float = 0.0, length: int = HORIZON, seed: int = 0) -> Curve:
    """A loss that falls exponentially, and reaches ``final`` at the horizon."""
    x = np.arange(1, HORIZON + 1)
    scores = final + 2.0 * (np.exp(-x / 12) - np.exp(-HORIZON / 12))
    scores = scores + noise * np.random.default_rng(seed).normal(size=HORIZON)
    return Curve.of(scores[:length].tolist())
