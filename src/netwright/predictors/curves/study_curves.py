"""Where a curve goes, from its beginning and from the other curves of its study.

Curves of one study are trained alike, so what another gained between now and the end tells what this one will. The
model is regression from a summary of the curve now to its final score, a Gaussian process whose prior says: whoever
is ahead now is ahead at the end. Each epoch has a model of its own. What was stopped in between counts with what is
predicted for it from where it was stopped: were it left out, only the lucky would be learnt from.

Knows no trial. It is given curves as far as they are known and knows nothing of how they went on.

References:
    B. Baker, O. Gupta, R. Raskar, N. Naik, 2017, "Accelerating neural architecture search using performance
    prediction" (regression on features of the partial curve). K. Swersky, J. Snoek, R. Adams, 2014, "Freeze-thaw
    Bayesian optimization" (what other curves tell). OUR DEVIATIONS: a Gaussian process on squashed numbers with a
    prior that keeps the order, hyper-parameters averaged over a grid by their evidence; stopped curves count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netwright.errors import SpecError, wrong
from netwright.predictors.curves.curve import Curve
from netwright.predictors.curves.forecast import Direction, Forecast, require_direction
from netwright.predictors.curves.order_process import OrderProcess
from netwright.predictors.curves.summary import Squash, summarise
from netwright.predictors.curves.together import extrapolate_together

FEWEST = 6
"""With fewer finished curves a curve is extrapolated, together with the beginnings of the others."""

MOST = 64
"""Curves a model learns from at most: the latest, finished or not, so that the lucky are not too many; but `FEWEST`
finished ones come before all others."""


@dataclass(frozen=True, slots=True)
class _Model:
    """What is learnt for one epoch."""

    numbers: Squash
    finals: Squash
    process: OrderProcess


class StudyCurves:
    """Forecasts for the curves of a study.

    Args:
        curves: of other trials as far as they are known, in the order in which they came: finished, stopped, running.
            All of trainings for the same horizon: the same schedule, data and metric.
        horizon: epochs of the full training.
        direction: in which scores are better.

    Raises:
        SpecError: the horizon is no number of epochs, or the direction none.

    Example:
        >>> def curve(final, length):
        ...     return Curve.of([final - 0.5 / epoch for epoch in range(1, length + 1)])
        >>> study = StudyCurves([curve(0.9 + 0.01 * i, 20) for i in range(8)], 20, "max")
        >>> round(study.forecast(curve(0.93, 4)).median, 2), study.num_finished
        (0.91, 8)
    """

    def __init__(self, curves: Sequence[Curve], horizon: float, direction: Direction) -> None:
        require_direction(direction)
        if not 0 < horizon < np.inf:
            raise SpecError(wrong("horizon", horizon, "finite and > 0"))
        self.horizon, self.direction = float(horizon), direction
        self._sign = 1.0 if direction == "max" else -1.0
        known = [curve.until(horizon) for curve in reversed(curves)]
        self._curves = tuple(curve for curve in known if len(curve.finite()[1]))  # the latest first
        self._models: dict[float, _Model | None] = {}
        self._ends: dict[int, Forecast] = {}

    @property
    def num_finished(self) -> int:
        """Curves that reached the horizon."""
        return sum(curve.length >= self.horizon for curve in self._curves)

    def forecast(self, curve: Curve) -> Forecast:
        """What a curve will have come to at the horizon.

        Args:
            curve: as far as it is known.

        Raises:
            SpecError: no score of it is finite.
        """
        seen = curve.until(self.horizon)
        if not len(seen.finite()[1]):
            raise SpecError(wrong("scores", curve.scores, "at least one that is finite", "train for longer"))
        if seen.length >= self.horizon:
            return Forecast.certain(seen.finite()[1][-1])
        model = self._model(seen.length)
        if model is None:
            alike = [other.until(seen.length) for other in self._curves[:MOST] if other.length >= seen.length]
            alike = [other for other in alike if len(other.finite()[1])]
            return extrapolate_together([seen, *alike], self.horizon, self.direction)[0]
        values, weights = model.process.predict(model.numbers(summarise(seen, self._sign)))
        return Forecast.of_mixture(self._sign * model.finals.back(values[:, None])[:, 0], weights)

    def _model(self, epoch: float) -> _Model | None:
        if epoch not in self._models:
            self._models[epoch] = self._learn(epoch)
        return self._models[epoch]

    def _learn(self, epoch: float) -> _Model | None:
        """A model for curves that end here, from those that reach further."""
        places = self._to_learn_from(epoch)
        if not places:
            return None
        summaries = np.stack([summarise(self._curves[place].until(epoch), self._sign) for place in places])
        forecasts = [self._end(place) for place in places]
        numbers = Squash.of(summaries)
        ends = [self._sign * np.array(forecast.values)[:, None] for forecast in forecasts]
        finals = Squash.of(np.array([np.median(end, axis=0) for end in ends]))
        squashed = [finals(end) for end in ends]
        targets, doubts = np.array([s.mean() for s in squashed]), np.array([s.var() for s in squashed])
        return _Model(numbers, finals, OrderProcess(numbers(summaries), targets, doubts))

    def _to_learn_from(self, epoch: float) -> list[int]:
        """Places of curves that reach further than an epoch; none where too few of them are finished."""
        longer = [p for p, curve in enumerate(self._curves) if curve.length > epoch and _is_seen(curve, epoch)]
        whole = [place for place in longer if self._curves[place].length >= self.horizon][:FEWEST]
        if len(whole) < FEWEST:
            return []
        return [*whole, *(place for place in longer if place not in whole)][:MOST]

    def _end(self, place: int) -> Forecast:
        """What is known of the end of one of the study's curves."""
        if place not in self._ends:
            self._ends[place] = self.forecast(self._curves[place])
        return self._ends[place]


def _is_seen(curve: Curve, epoch: float) -> bool:
    """Whether there is a finite score up to an epoch."""
    return any(e <= epoch and math.isfinite(s) for e, s in zip(curve.epochs, curve.scores, strict=True))
