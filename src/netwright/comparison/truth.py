"""What there was to be found: the optimum and the Pareto front of a benchmark, where they can be known.

The optimum comes from the benchmark. Under constraints it is looked for among all architectures, as the front is, where
the space is small enough for that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from netwright.benchmarks.base import Benchmark, NotInBenchmark
from netwright.comparison.settings import Rules
from netwright.errors import SpaceError
from netwright.strategies.operators import Values, pareto_rank
from netwright.types import Metrics

MAX_ENUMERATED = 200_000
"""Architectures of a space that are all looked at; of a larger one, only what the benchmark tells is known."""


@dataclass(frozen=True, slots=True)
class Truth:
    """The best that can be found.

    Args:
        optimum: best number of the reported metric within the limits; None where it is not known.
        front: with several objectives, the points no architecture is better than in all, smaller is better; empty
            where they are not known.
    """

    optimum: float | None
    front: tuple[Values, ...] = ()


def find_truth(benchmark: Benchmark, rules: Rules) -> Truth:
    """Find out what the best possible is."""
    several = len(rules.objectives) > 1
    if not several and not rules.constraints:
        return Truth(_finite(benchmark.optimum(rules.report)))
    usable = (
        metrics for metrics in _everything(benchmark) if is_scored(metrics, rules) and is_feasible(metrics, rules)
    )
    known = [point for point in (values_of(metrics, rules) for metrics in usable) if all(map(math.isfinite, point))]
    front = tuple(sorted(set(_front(known)))) if several else ()
    if rules.constraints:
        sign = rules.reported[0].sign
        best = min((sign * point[0] for point in known), key=lambda value: sign * value, default=None)
        return Truth(best, front)
    return Truth(_finite(benchmark.optimum(rules.report)), front)


def values_of(metrics: Metrics, rules: Rules) -> Values:
    """The reported objectives of an architecture, smaller is better; NaN where one is not known."""
    return tuple(o.sign * metrics.get(o.metric, math.nan) for o in rules.reported)


def is_scored(metrics: Metrics, rules: Rules) -> bool:
    """Whether a search learns a number for each objective it reads."""
    return all(math.isfinite(metrics.get(o.metric, math.nan)) for o in rules.objectives)


def is_feasible(metrics: Metrics, rules: Rules) -> bool:
    """Whether an architecture keeps all limits."""
    return all(c.holds(metrics.get(c.metric, math.nan)) for c in rules.constraints)


def size_of(benchmark: Benchmark) -> float:
    """How many architectures the space has; infinity where they are not countable."""
    try:
        return benchmark.space.count()
    except SpaceError:
        return math.inf


def _everything(benchmark: Benchmark) -> Iterator[Metrics]:
    if size_of(benchmark) > MAX_ENUMERATED:
        return
    for architecture in benchmark.space.enumerate():
        try:
            yield benchmark.query(architecture)
        except NotInBenchmark:
            continue


def _front(points: list[Values]) -> list[Values]:
    """Non-dominated points, in chunks: the points that a first few beat need not be ranked among each other."""
    front: list[Values] = []
    for start in range(0, len(points), 1000):
        some = front + points[start : start + 1000]
        front = [point for point, rank in zip(some, pareto_rank(some), strict=True) if rank == 0]
    return front


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
