"""The architecture that weights of choices stand for: the heaviest value of each choice, within the space and limits.

Constraints of the space are kept on the way, since a walk offers only what leads to an architecture. Limits on what a
network costs, and what a search admits, are kept by leaving the heaviest values where this costs least: what is left
behind is summed up as the logarithms of the ratio of the weights. Knows no training.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from netwright.errors import BuildError, SearchError, UsageError, shorten, unknown
from netwright.nn.networks import Networks
from netwright.space import SearchSpace
from netwright.space.relaxed import Universe
from netwright.space.values import each
from netwright.supernet.differentiable.options import Measure
from netwright.supernet.near import near
from netwright.types import Architecture, Constraint, Value

Weights = Mapping[str, Sequence[float]]

MOST_LISTED = 20_000
"""Spaces up to this size are listed, so that the best within the limits is found for certain."""

MOST_REMEMBERED = 8_192
"""Architectures whose costs are remembered."""

_MOST_MOVES = 1_000
_TINY = 1e-30


def derive(
    space: SearchSpace,
    universe: Universe,
    weights: Weights,
    *,
    networks: Networks | None = None,
    limits: Sequence[Constraint] = (),
    measure: Measure | None = None,
) -> Architecture:
    """Choose the heaviest value of each choice that leads to an architecture within the limits.

    Args:
        space: which architectures there are, and which of them are admitted (`SearchSpace.limited`).
        universe: whose numbers of values the weights follow.
        weights: of the values of each choice.
        networks: tells ``params`` and ``macs``; needed with limits.
        limits: what the architecture must keep.
        measure: other metrics.

    Raises:
        SearchError: nothing that was looked at is admitted and keeps the limits; says how near it came.
        UsageError: a limit is on a metric that is not measured.

    Example:
        >>> from netwright.space import Op, choice, equal
        >>> a, b = choice("a", [1, 2]), choice("b", [1, 2])
        >>> space = SearchSpace(Op("x", (("a", a), ("b", b))), constraints=[~equal(a, b)])
        >>> dict(derive(space, Universe(space), {"a": [0.4, 0.6], "b": [0.1, 0.9]}))
        {'a': 2, 'b': 1}
    """
    first = unlimited(space, universe, weights)
    if not limits and space.admits(first):
        return first
    excess = Excess(space, networks, limits, measure)

    def regret(architecture: Architecture) -> float:
        return _regret(universe, weights, architecture)

    if excess(first) == 0:
        return first
    if space.count() <= MOST_LISTED:
        ranked = sorted(space.enumerate(), key=regret)
        found = next((a for a in ranked if excess(a) == 0), None)
        if found is None:
            raise SearchError(excess.message(min(ranked, key=excess)))
        return found
    if not math.isfinite(excess(first)):  # no neighbour tells in which direction others are
        first = min(_drawn(space), key=lambda a: (excess(a), regret(a)))
    return _improved(space, _within(space, first, excess, regret), excess, regret)


def unlimited(space: SearchSpace, universe: Universe, weights: Weights) -> Architecture:
    """The heaviest architecture of a space, whatever it costs and whether or not a search admits it.

    The heaviest value at each step of a walk; the most architectures decide for choices without weights.
    """
    walk = space.walk()
    while (step := walk.step) is not None:
        name = step.choice.name
        if name in universe.values:
            walk.take(max(each(step.options), key=lambda v: weights[name][universe.number(name, v)]))
        else:
            walk.take(step.options.at((step.options.size - 1) // 2))
    found = walk.architecture()
    if found is not None:
        return found
    ranked = sorted(_drawn(space), key=lambda a: _regret(universe, weights, a))
    return ranked[0]


def _drawn(space: SearchSpace) -> list[Architecture]:
    """Random architectures, where a constraint that holds by rejection excludes the heaviest."""
    import numpy as np

    rng = np.random.default_rng(0)
    return [space.sample(rng) for _ in range(1_000)]


def _regret(universe: Universe, weights: Weights, architecture: Architecture) -> float:
    """How much lighter an architecture's values are than the heaviest, summed over its decisions."""
    lost = 0.0
    for name, value in architecture.items():
        if name in universe.values:
            own = weights[name][universe.number(name, value)]
            lost += math.log(max(weights[name])) - math.log(max(own, _TINY))
    return lost


class Excess:
    """By how much architectures are over the limits.

    Infinite for what cannot be built, and for what keeps them but is not admitted.

    Args:
        space: says what is admitted.
        networks: tells ``params`` and ``macs``, and what can be built; None where that does not matter.
        limits: on metrics; need ``networks``.
        measure: other metrics.
    """

    def __init__(
        self,
        space: SearchSpace,
        networks: Networks | None = None,
        limits: Sequence[Constraint] = (),
        measure: Measure | None = None,
    ) -> None:
        assert networks is not None or not limits
        self._space, self._networks, self._limits, self._measure = space, networks, limits, measure
        self._refused: Architecture | None = None
        self._remembered = lru_cache(maxsize=MOST_REMEMBERED)(self._of)

    def __call__(self, architecture: Architecture) -> float:
        return self._remembered(architecture)

    def _of(self, architecture: Architecture) -> float:
        try:
            over = self._over(architecture)
        except BuildError:
            return math.inf
        if over > 0 or self._space.admits(architecture):
            return over
        self._refused = architecture
        return math.inf

    def _over(self, architecture: Architecture) -> float:
        if self._networks is None:
            return 0.0
        metrics = self.metrics(architecture)
        lost = [limit.metric for limit in self._limits if limit.metric not in metrics]
        if lost:
            raise UsageError(unknown("metric of a limit", lost[0], metrics))
        return sum(limit.excess(metrics[limit.metric]) for limit in self._limits)

    def metrics(self, architecture: Architecture) -> dict[str, float]:
        """What limits may be on.

        Raises:
            BuildError: it cannot be built.
        """
        assert self._networks is not None
        profile = self._networks.profile(architecture)
        metrics: dict[str, float] = {"params": profile.params, "macs": profile.macs}
        return metrics if self._measure is None else metrics | dict(self._measure(architecture))

    def message(self, nearest: Architecture) -> str:
        """Why there is no architecture."""
        limits = ", ".join(str(limit) for limit in self._limits)
        within = f" within {limits}" if limits else ""
        if self._refused is not None:
            told = f"no architecture{within} was found that is admitted; refused was, as one of others"
            return f"{told}, {shorten(self._refused)}; admit more (SearchSpace.limited), or relax the limits"
        if not math.isfinite(self(nearest)):
            return f"no architecture{within} was found that can be built; not even {shorten(nearest)}"
        metrics = self.metrics(nearest)
        near = ", ".join(f"{limit.metric} {metrics[limit.metric]:g}" for limit in self._limits)
        return f"no architecture within {limits} was found; the nearest has {near}: {shorten(nearest)}; relax the limit"


def _within(
    space: SearchSpace, start: Architecture, excess: Excess, regret: Callable[[Architecture], float]
) -> Architecture:
    """Move to neighbours that are less over the limits, the more for what is given up the better."""
    here = start
    for _ in range(_MOST_MOVES):
        if excess(here) == 0:
            return here
        lower = [a for a in near(space, here) if excess(a) < excess(here)]
        if not lower:
            break

        def price(a: Architecture, at: Architecture = here) -> float:
            return (
                max(regret(a) - regret(at), 0.0) / (excess(at) - excess(a)) if math.isfinite(excess(at)) else regret(a)
            )

        here = min(lower, key=price)
    raise SearchError(excess.message(here))


def _improved(
    space: SearchSpace, start: Architecture, excess: Excess, regret: Callable[[Architecture], float]
) -> Architecture:
    """Move to heavier neighbours within the limits as long as there are any."""
    here = start
    for _ in range(_MOST_MOVES):
        better = (a for a in near(space, here) if regret(a) < regret(here) and excess(a) == 0)
        best = min(better, key=regret, default=None)
        if best is None:
            return here
        here = best
    return here


def heaviest(weights: Weights, values: Mapping[str, Sequence[Value]]) -> dict[str, Value]:
    """The heaviest value of each choice by itself, for people to look at."""
    return {name: values[name][max(range(len(w)), key=w.__getitem__)] for name, w in weights.items()}
