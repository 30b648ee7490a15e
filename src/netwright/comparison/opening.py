"""From the path of a table to a benchmark: the metrics are those that the settings of a comparison name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from netwright.benchmarks import Benchmark, benchmark_names, load_benchmark
from netwright.benchmarks.roles import usual_direction
from netwright.comparison.settings import Settings
from netwright.errors import UsageError, wrong
from netwright.types import Constraint


def opened(benchmark: object, settings: Settings) -> Benchmark:
    """Open a table by its path; a benchmark is returned as it is.

    Raises:
        UsageError: it is neither, or the name of a published benchmark, whose folder of data nobody said.
        DataError: the file cannot be used.
    """
    if isinstance(benchmark, (str, Path)):
        if isinstance(benchmark, str) and benchmark in benchmark_names():
            cure = f"open it: netwright.benchmarks.load_benchmark({benchmark!r}, 'FOLDER OF DATA')"
            raise UsageError(wrong("benchmark", benchmark, "an object, or the path of a table", cure))
        directions, cost, test = directions_of(settings), settings.cost, settings.test_metric
        return load_benchmark(benchmark, metrics=directions, cost=cost, test_metric=test)
    if not isinstance(benchmark, Benchmark):
        cure = "netwright.benchmarks.load_benchmark opens one"
        raise UsageError(wrong("benchmark", benchmark, "a benchmark, or the path of a table", cure))
    return benchmark


def directions_of(settings: Settings) -> Mapping[str, str] | None:
    """Direction of each metric that the settings name; None where they name none: then the columns' names say it.

    Raises:
        UsageError: a direction is given, and no metric.
    """
    if settings.metric is None:
        if settings.direction is not None:
            raise UsageError(wrong("direction", settings.direction, "given together with a metric"))
        return None
    directions = {settings.metric: settings.direction or usual_direction(settings.metric)}
    for text in settings.objectives:
        metric, colon, direction = text.rpartition(":")
        metric, direction = (metric, direction) if colon else (text, usual_direction(text))
        directions.setdefault(metric, direction)
    for constraint in map(Constraint.parse, settings.constraints):
        directions.setdefault(constraint.metric, "min" if constraint.relation == "<=" else "max")
    return directions
