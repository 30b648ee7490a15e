"""Shapes of learning curves: the parametric families, each as a fall from 1 at the first epoch to 0 at the last.

With such a shape g a curve is ``final (1 - g) + start g``: whatever the family, two numbers that a prior is easily
stated for, in which it is linear, and a shape that is one of a few. Knows nothing of data, noise or weights.

References:
    T. Domhan, J. T. Springenberg, F. Hutter, 2015, "Speeding up automatic hyperparameter optimization of deep neural
    networks by extrapolation of learning curves", table 1. OUR DEVIATIONS: the shapes' parameters take values on a
    grid; Weibull, Janoschek and exp4 are one family in four parameters (``c - a exp(-(x/k)^d)``), and so are MMF, Hill
    and the logistic power (``c - a / (1 + (x/k)^d)``): each is here once.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np

Scale = Literal["score", "exp", "log"]
"""On what a family is linear: the score, its exponential (log-log linear) or its logarithm (vapour pressure)."""

EXPONENTS = (0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0, 1.4, 2.0)
SHIFTS = (0.03, 0.15)
RATES = (0.02, 0.04, 0.07, 0.12, 0.2, 0.3, 0.45, 0.7, 1.1, 1.7)
STRETCHES = (0.5, 1.0, 1.5)
STEEPNESSES = (0.5, 1.0, 2.0)
BALANCES = (0.0, 0.5, 0.8, 1.0)


@dataclass(frozen=True, slots=True)
class Shapes:
    """The shapes of one family.

    Args:
        family: its name.
        scale: on what it is linear.
        falls: g at each epoch, shape (shapes, n); 1 at the first, 0 at the horizon.
    """

    family: str
    scale: Scale
    falls: np.ndarray


def shapes(epochs: np.ndarray, horizon: float) -> list[Shapes]:
    """The shapes of all families.

    Args:
        epochs: shape (n,), rising, all < ``horizon``.
        horizon: the last epoch.
    """
    x = np.append(epochs, horizon)
    t = x / horizon
    reach = np.log(horizon / x)
    found: dict[str, list[np.ndarray]] = {
        "pow3": [x**-a for a in EXPONENTS],
        "pow4": [(t + shift) ** -a for a, shift in product(EXPONENTS[3:], SHIFTS)],
        "weibull": [np.exp(-((t / k) ** d)) for k, d in product(RATES, STRETCHES)],
        "mmf": [1 / (1 + (t / k) ** d) for k, d in product(RATES, STEEPNESSES)],
        "ilog2": [1 / np.log(x + 1)],
    }
    plain = [Shapes(family, "score", _normal(np.stack(columns))) for family, columns in found.items()]
    logarithmic, inverse = _normal(reach[None]), _normal(1 / t[None])
    vapour = np.concatenate([b * logarithmic + (1 - b) * inverse for b in BALANCES])
    return [*plain, Shapes("log-log linear", "exp", logarithmic), Shapes("vapour pressure", "log", vapour)]


def _normal(columns: np.ndarray) -> np.ndarray:
    """Moved and scaled to 1 at the first epoch and 0 at the horizon; the horizon is left out."""
    last = columns[:, -1:]
    fall = columns[:, :1] - last
    safe = np.where(np.abs(fall) > np.finfo(float).tiny, fall, 1.0)  # a fall that is over before the first epoch
    return np.asarray((columns - last) / safe)[:, :-1]
