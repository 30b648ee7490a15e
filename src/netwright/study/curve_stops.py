"""Trainings that are not gone on with, since their learning curves say that they will not beat the best.

A network's results at the rungs are its learning curve, as far as it was trained. From the curves of the networks that
were trained to the end a model learns how curves go on (`netwright.predictors.curves`), and a network of a rung above
the lowest goes on only where it has a chance. What is known at the lowest rung is a single number, without direction:
it is for the rungs to judge. Values are such that larger is better. Knows no trials, no rungs and no epochs saved.
"""

from __future__ import annotations

from netwright.predictors.curves import Curve, StoppingRule, StudyCurves, Verdict, judge
from netwright.predictors.curves.study_curves import FEWEST
from netwright.types import Architecture

RULE = StoppingRule(threshold=0.05, min_points=2)


class CurveStops:
    """The curves of a search, and what they say of one of them.

    Args:
        horizon: epochs of the longest training.
    """

    def __init__(self, horizon: float) -> None:
        self._horizon = horizon
        self._points: dict[Architecture, dict[float, float]] = {}
        self._study: StudyCurves | None = None

    def learn(self, architecture: Architecture, epochs: float, value: float) -> None:
        """Take in what a network came to after so many epochs."""
        self._points.setdefault(architecture, {})[epochs] = value
        self._study = None

    def verdict(self, architecture: Architecture) -> Verdict:
        """Whether a network is worth going on with; yes, as long as fewer than `FEWEST` whole curves tell how."""
        curve = self._curve(architecture)
        whole = [points for points in self._points.values() if self._horizon in points]
        told = [points for points in whole if min(points) <= curve.length]
        if len(told) < FEWEST:
            return Verdict(False, None, f"{len(told)} whole curves of {FEWEST} that are needed")
        if self._study is None:
            self._study = StudyCurves([self._curve(a) for a in self._points], self._horizon, "max")
        best = max(points[self._horizon] for points in whole)
        return judge(curve, best, "max", self._study.forecast, RULE)

    def _curve(self, architecture: Architecture) -> Curve:
        points = sorted(self._points.get(architecture, {}).items())
        return Curve(tuple(epochs for epochs, _ in points), tuple(value for _, value in points))
