"""Costs that are measured, such as latency: a linear model of them to search with, a measurement to check with.

A network cannot be timed while all architectures are mixed in it. So a few random architectures are measured first, and
a line is fitted through what they are made of: parameters, multiply-accumulates, values that layers give, operations.
What is made of these in a mixture is an expectation, which has gradients. What is found is measured itself, and as long
as it is over the limit the model is believed less and another one is derived. Knows neither clocks nor networks.

References:
    Cai, Zhu, Han (2019), ProxylessNAS, section 3.2 (latency as a differentiable expectation of a model of it; theirs is
    a table of operations, which in runtimes that join operations is not what a network takes).
    Wu et al. (2019), FBNet, equation 3. The fit is by nonnegative least squares of relative errors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from netwright.errors import BuildError, SearchError, UsageError, shorten, wrong
from netwright.space import SearchSpace
from netwright.types import Architecture, Constraint

PARTS = ("params", "macs", "values", "operations")
"""What a network is counted as."""

Count = Callable[[Architecture], "np.ndarray"]
"""The parts of a network, shape (4,)."""

MOST_CHECKED = 8
"""Architectures that are measured until one keeps a limit."""

DOUBT = 0.97
"""What the bound on the model is multiplied with, at most, after a network broke the limit."""

WRONG_BY = 0.2
"""Mean relative error from which on a person is told that the model is poor."""

_TRIES = 20  # draws for each architecture that is measured: some cannot be built


@dataclass(frozen=True)
class LinearCost:
    """A cost as a line through the parts of networks.

    Args:
        base: of a network without parts.
        per: for one of each part, >= 0.
        error: mean relative error, each network left out of the fit in turn.
        count: networks that were measured.
    """

    base: float
    per: tuple[float, ...]
    error: float
    count: int

    def of(self, parts: np.ndarray) -> float:
        """The cost of so many parts, shape (4,)."""
        return self.base + float(np.dot(self.per, parts))


def fit(parts: np.ndarray, costs: np.ndarray) -> LinearCost:
    """Fit a line.

    Args:
        parts: of each network, shape (networks, 4).
        costs: of each, > 0, shape (networks,).

    Example:
        >>> parts = np.array([[1.0, 10, 5, 2], [2, 10, 6, 2], [1, 30, 9, 4], [3, 20, 7, 3], [2, 25, 8, 5]])
        >>> model = fit(parts, 2.0 + 0.5 * parts[:, 1])
        >>> round(model.base, 6), [round(x, 6) for x in model.per], round(model.error, 6)
        (2.0, [0.0, 0.5, 0.0, 0.0], 0.0)
    """
    base, per = _line(parts, costs)
    wrong = []
    for left_out in range(len(costs)):
        rest = np.arange(len(costs)) != left_out
        if rest.any():
            b, p = _line(parts[rest], costs[rest])
            wrong.append(abs(b + p @ parts[left_out] - costs[left_out]) / costs[left_out])
    return LinearCost(base, tuple(per.tolist()), float(np.mean(wrong)) if wrong else float("nan"), len(costs))


def _line(parts: np.ndarray, costs: np.ndarray) -> tuple[float, np.ndarray]:
    """Base and slopes, none negative, of the least relative errors."""
    from scipy.optimize import nnls

    scale = np.maximum(parts.max(axis=0), 1e-12)
    columns = np.column_stack([np.ones(len(costs)), parts / scale])
    found, _ = nnls(columns / costs[:, None], np.ones(len(costs)))
    return float(found[0]), found[1:] / scale


class MeasuredCost:
    """A cost that is measured, with its model.

    Args:
        metric: its name.
        measure: measures an architecture.
        count: counts the parts of one.
        space: from which architectures are drawn for the model.
        number: of these.
        seed: of the draws.

    Raises:
        SearchError: fewer than two architectures could be measured.
        UsageError: what was measured is no cost.
    """

    def __init__(
        self,
        metric: str,
        measure: Callable[[Architecture], float],
        count: Count,
        space: SearchSpace,
        number: int,
        seed: int,
    ) -> None:
        self.metric, self._measure, self._count = metric, measure, count
        self._known: dict[Architecture, float] = {}
        rng = np.random.default_rng([seed, 10])
        for _ in range(_TRIES * number):
            if len(self._known) == number:
                break
            architecture = space.sample(rng)
            if not space.admits(architecture):
                continue
            try:
                self.measured(architecture)
            except BuildError:
                continue
        if len(self._known) < 2:
            raise SearchError(f"{metric} could be measured of {len(self._known)} of {_TRIES * number} random networks")
        parts = np.stack([count(architecture) for architecture in self._known])
        self.model = fit(parts, np.array(list(self._known.values())))

    def measured(self, architecture: Architecture) -> float:
        """Measure an architecture, once.

        Raises:
            UsageError: what was measured is not finite or not above 0.
        """
        if architecture not in self._known:
            cost = self._measure(architecture)
            if not 0 < cost < math.inf:
                cure = f"let measure= give the {self.metric} of a network, as here of {shorten(architecture)}"
                raise UsageError(wrong(f"measured {self.metric}", cost, "> 0 and finite", cure))
            self._known[architecture] = cost
        return self._known[architecture]

    def predicted(self, architecture: Architecture) -> float:
        """What the model says of one."""
        return self.model.of(self._count(architecture))

    def remark(self) -> str:
        """How good the model is, where it is poor; else empty."""
        model = self.model
        if not model.error > WRONG_BY:
            return ""
        told = f"its model is wrong by {model.error:.0%} on average ({model.count} networks)"
        return f"{self.metric} was searched with a poor guess: {told}; what was found was measured"


def kept(
    limits: tuple[Constraint, ...],
    costs: Mapping[str, MeasuredCost],
    derive: Callable[[tuple[Constraint, ...]], Architecture],
) -> Architecture:
    """An architecture that keeps all limits, those on measured costs by measurement.

    Args:
        limits: all.
        costs: what is measured, by metric.
        derive: gives an architecture within limits, measured costs being told by their models.

    Raises:
        SearchError: none of those that were measured keeps them.
    """
    bounds = {limit: limit.bound for limit in limits}
    tried: list[str] = []
    for _ in range(MOST_CHECKED):
        given = tuple(Constraint(limit.metric, limit.relation, bound) for limit, bound in bounds.items())
        found = derive(given)
        broken = {
            limit: value
            for limit in limits
            if limit.metric in costs and not limit.holds(value := costs[limit.metric].measured(found))
        }
        if not broken:
            return found
        tried.append(f"{', '.join(f'{x.metric} {value:.4g}' for x, value in broken.items())} of {shorten(found)}")
        for limit, value in broken.items():
            predicted = costs[limit.metric].predicted(found)
            if limit.relation == "<=":
                bounds[limit] = min(bounds[limit], predicted) * min(DOUBT, limit.bound / value)
            else:
                bounds[limit] = max(bounds[limit], predicted) / min(DOUBT, value / limit.bound)
    named = ", ".join(map(str, limits))
    raise SearchError(f"none of {MOST_CHECKED} architectures that were measured keeps {named}; the last: {tried[-1]}")
