"""What there was to be found: the optimum and the Pareto front of a benchmark, where they can be known.

The optimum comes from the benchmark. Under constraints it is looked for among all architectures, as the front is, where
the space is small enough for that.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netwright.benchmarks.base import Benchmark, NotInBenchmark
from netwright.benchmarks.table import Table
from netwright.comparison.settings import Rules
from netwright.errors import SpaceError
from netwright.strategies.operators import Values, pareto_rank
from netwright.types import Metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_ENUMERATED = 200_000
"""Architectures of a space that are all looked at; of a larger one, only what the benchmark tells is known. A table's
columns are looked at whatever its length."""

CHUNK = 1000


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
    optimum = None if rules.constraints else _finite(benchmark.optimum(rules.report))
    if not several and not rules.constraints:
        return Truth(optimum)
    points = _tabular_points(benchmark, rules) if isinstance(benchmark, Table) else _points(benchmark, rules)
    if rules.constraints and len(points):
        optimum = float(rules.reported[0].sign * points[:, 0].min())
    front = _front([tuple(point) for point in np.unique(points, axis=0).tolist()]) if several else []
    return Truth(optimum, tuple(front))


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


def _points(benchmark: Benchmark, rules: Rules) -> NDArray[np.float64]:
    """What is reported of every architecture that can be an incumbent (points, objectives); smaller is better.

    None of a space that is too large.
    """
    points = []
    for architecture in benchmark.space.enumerate() if size_of(benchmark) <= MAX_ENUMERATED else ():
        with suppress(NotInBenchmark):
            metrics = benchmark.query(architecture)
            if is_scored(metrics, rules) and is_feasible(metrics, rules):
                points.append(values_of(metrics, rules))
    return _finite_rows(np.array(points).reshape(-1, len(rules.objectives)))


def _tabular_points(table: Table, rules: Rules) -> NDArray[np.float64]:
    """`_points` of a table, whose columns are arrays, however long."""
    usable = np.ones(len(table), dtype=bool)
    for objective in rules.objectives:
        usable &= np.isfinite(table.column(objective.metric))
    for constraint in rules.constraints:
        column = table.column(constraint.metric)
        usable &= column <= constraint.bound if constraint.relation == "<=" else column >= constraint.bound
    columns = [o.sign * table.column(o.metric)[usable] for o in rules.reported]
    return _finite_rows(np.column_stack(columns))


def _finite_rows(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points[np.isfinite(points).all(axis=1)]


def _front(points: list[Values]) -> list[Values]:
    """Non-dominated points, chunk by chunk: what the first few beat need not be ranked among each other."""
    front: list[Values] = []
    for start in range(0, len(points), CHUNK):
        some = front + points[start : start + CHUNK]
        front = [point for point, rank in zip(some, pareto_rank(some), strict=True) if rank == 0]
    return front


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
