"""Where a curve goes, from its beginning alone: an ensemble of parametric families, combined by posterior probability.

A curve is a family's shape with a final and a start value, plus a wander that adds up along the logarithm of the
epochs, plus noise. For a given shape, noise and wander everything is Gaussian, so the posterior of the two values and
the evidence are formulas. Shapes, noises and wanders are on a grid: their posterior is a sum over it. So the whole is
exact, deterministic, and takes milliseconds. Knows no study and no other curve.

References:
    T. Domhan, J. T. Springenberg, F. Hutter, 2015, "Speeding up automatic hyperparameter optimization of deep neural
    networks by extrapolation of learning curves", section 3. OUR DEVIATIONS: the posterior is a sum over a grid in
    place of Markov chain Monte Carlo; families are mixed by their evidence, where theirs are added with weights that
    are sampled too; noise may shrink along a curve, as it does when the learning rate falls; and the wander says that
    no family is true, without which intervals are far too narrow. Priors are on the final and the start value, in
    units of what the curve has gained so far. J. W. Miller, D. B. Dunson, 2019, "Robust Bayesian inference via
    coarsening" (the evidence to a power, since the shapes are not true).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netwright.errors import SpecError, wrong
from netwright.predictors.curves.curve import Curve
from netwright.predictors.curves.families import Scale, shapes
from netwright.predictors.curves.forecast import Direction, Forecast, require_direction
from netwright.predictors.curves.posterior import Setting, posterior
from netwright.predictors.curves.units import Units

MOST_POINTS = 32
"""Longer curves are thinned to means over neighbouring epochs."""

COARSENESS = 100.0
"""The evidence of n scores counts as that of ``n c / (n + c)``: no shape is the true one, and none is to win for it."""

NUM_COMPONENTS = 64
"""Gaussians of a family that are kept, the most probable ones."""

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(9)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


@dataclass(frozen=True, slots=True)
class _Family:
    """What one family says of m curves: Gaussians; arrays of shape (components, m)."""

    scale: Scale
    log_weights: np.ndarray
    means: np.ndarray
    stds: np.ndarray


def extrapolate(curve: Curve, horizon: float, direction: Direction) -> Forecast:
    """What a curve will have come to at its end.

    Args:
        curve: what was seen of it; with one finite score it is little more than a guess around that.
        horizon: epochs of the full training. Where the curve reaches it, what was seen there is told.
        direction: in which its scores are better.

    Raises:
        SpecError: no score of the curve is finite, or the horizon is no number of epochs.

    Example:
        >>> curve = Curve.of([1 - 0.8 * epoch**-0.5 for epoch in range(1, 21)])
        >>> forecast = extrapolate(curve, 100, "max")
        >>> round(curve.scores[-1], 2), 0.91 < forecast.median < 0.94
        (0.82, True)
    """
    return extrapolate_many([curve], horizon, direction)[0]


def extrapolate_many(curves: Sequence[Curve], horizon: float, direction: Direction) -> list[Forecast]:
    """The same for several curves, each alone; those measured at the same epochs share most of the work.

    Raises:
        SpecError: as for `extrapolate`.
    """
    require_direction(direction)
    if not 0 < horizon < np.inf:
        raise SpecError(wrong("horizon", horizon, "finite and > 0"))
    told: dict[int, Forecast] = {}
    alike: dict[bytes, list[int]] = {}
    seen = [curve.until(horizon).finite() for curve in curves]
    for place, (epochs, scores) in enumerate(seen):
        if not len(scores):
            raise SpecError(wrong("scores", curves[place].scores, "at least one that is finite", "train for longer"))
        if epochs[-1] == horizon:
            told[place] = Forecast.certain(scores[-1])
        else:
            alike.setdefault(epochs.tobytes(), []).append(place)
    for places in alike.values():
        scores = np.stack([seen[place][1] for place in places])
        told.update(zip(places, _group(seen[places[0]][0], scores, horizon, direction), strict=True))
    return [told[place] for place in range(len(curves))]


def _group(epochs: np.ndarray, scores: np.ndarray, horizon: float, direction: Direction) -> list[Forecast]:
    """Forecasts of curves of the same epochs, shapes (n,) and (m, n)."""
    units = Units.of(scores, 1.0 if direction == "max" else -1.0)
    setting, curves = _thinned(epochs, units.measure(scores), horizon)
    families = []
    for family in shapes(setting.epochs, horizon):
        if (placed := units.onto(family.scale, curves)) is not None:
            logs, means, stds = posterior(family.falls, placed[0], setting)
            evidence = (logs + placed[1]) * COARSENESS / (COARSENESS + len(setting.epochs))
            families.append(_Family(family.scale, evidence - np.log(len(family.falls)), means, stds))
    return _mixed(families, units)


def _thinned(epochs: np.ndarray, curves: np.ndarray, horizon: float) -> tuple[Setting, np.ndarray]:
    """Means over neighbouring epochs where there are many; curves of shape (m, k)."""
    if len(epochs) <= MOST_POINTS:
        return Setting(epochs, np.ones(len(epochs)), horizon), curves
    edges = np.geomspace(epochs[0], epochs[-1], MOST_POINTS + 1)[1:-1]
    _, bins = np.unique(np.searchsorted(edges, epochs), return_inverse=True)
    counts = np.bincount(bins).astype(float)
    into = np.zeros((len(epochs), len(counts)))
    into[np.arange(len(epochs)), bins] = 1 / counts[bins]
    return Setting(epochs @ into, counts, horizon), curves @ into


def _mixed(families: Sequence[_Family], units: Units) -> list[Forecast]:
    """Put the families together by their evidence, one forecast a curve."""
    top = np.stack([family.log_weights.max(axis=0) for family in families]).max(axis=0)
    values, shares = [], []
    for family in families:
        best = np.argsort(-family.log_weights, axis=0, kind="stable")[:NUM_COMPONENTS]
        means, stds, logs = (np.take_along_axis(a, best, 0).T for a in (family.means, family.stds, family.log_weights))
        nodes = means[..., None] + stds[..., None] * _NODES  # m, components, nodes
        values.append(units.back(family.scale, nodes.reshape(len(nodes), -1)))
        shares.append((np.exp(logs - top[:, None])[..., None] * _WEIGHTS).reshape(len(nodes), -1))
    weights = np.concatenate(shares, axis=1)
    weights /= weights.sum(axis=1, keepdims=True)
    return [Forecast.of_mixture(*pair) for pair in zip(np.concatenate(values, axis=1), weights, strict=True)]
