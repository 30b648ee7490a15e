"""What a person asks of a comparison, and the rules that follow from it on a benchmark.

Everything that can be wrong with a request is found here, before anything runs. Knows no strategy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from netwright.benchmarks.base import Benchmark, MetricInfo
from netwright.errors import CapabilityError, UsageError, unknown, wrong
from netwright.types import Constraint, Objective

PROTOCOLS = ("oracle", "validation")
MAX_QUERIES = 10_000_000
MAX_WORKERS = 1_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """What is asked of a comparison, in a person's words.

    Args:
        metric: what the searches read; the benchmark's default when absent.
        protocol: ``oracle``: the metric that is read is reported, too; for queries to the optimum and curves of
            regret. ``validation``: the incumbent by the metric is scored by the test metric; for what a choice is
            worth.
        test_metric: of the protocol ``validation``; the one the benchmark names when absent.
        direction: ``max`` or ``min``: a check that the metric is understood.
        objectives: further metrics that are to be good, ``latency_ms`` or ``latency_ms:min``.
        constraints: such as ``params<=1M``; a query that breaks one counts, and is never the incumbent.
        queries: evaluations a search may make, >= 1.
        seeds: searches of each strategy, >= 1; search i has the seed i.
        cost: metric with the seconds of an evaluation; the benchmark's when absent.
        workers: simulated workers of a second, asynchronous set of searches; None for no such set.
        targets: regrets >= 0, the time to which is told with ``workers``.
        continued: an evaluation goes on from the most thorough one of the same architecture, and costs only what is
            new. Otherwise each starts from scratch.
        stop_at_optimum: end a search that found the optimum, where nothing more can happen to its curve.
        proxies: metrics that are known before any training, ``naswot`` or ``params:min``, which strategies that can use
            them read of any architecture without a query; the larger the more promising unless ``:min`` follows.
    """

    metric: str | None = None
    protocol: str = "oracle"
    test_metric: str | None = None
    direction: str | None = None
    objectives: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    queries: int = 300
    seeds: int = 30
    cost: str | None = None
    workers: int | None = None
    targets: tuple[float, ...] = ()
    continued: bool = False
    stop_at_optimum: bool = True
    proxies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require_whole("queries", self.queries, MAX_QUERIES)
        _require_whole("seeds", self.seeds, MAX_QUERIES)
        if self.workers is not None:
            _require_whole("workers", self.workers, MAX_WORKERS)
        if self.protocol not in PROTOCOLS:
            raise UsageError(unknown("protocol", str(self.protocol), PROTOCOLS))
        if self.direction not in (None, "max", "min"):
            raise UsageError(wrong("direction", self.direction, "max or min"))
        for target in self.targets:
            if isinstance(target, bool) or not isinstance(target, (int, float)) or not 0 <= target < math.inf:
                raise UsageError(wrong("target", target, "a regret >= 0"))


@dataclass(frozen=True, slots=True)
class Rules:
    """What a search is told, what is reported of it, and when it ends.

    Args:
        objectives: what is to be good; the first decides which architecture is the incumbent.
        report: metric by which the incumbent is judged: that of the first objective, or its test metric.
        queries: evaluations a search may make.
        constraints: limits that an incumbent keeps.
        cost: metric with the seconds of an evaluation; None where they are not known.
        continued: an evaluation costs only what it adds to the most thorough one of the same architecture.
        stop_at_optimum: end a search of a single objective that found the optimum.
        proxies: metrics that are read without a query, and in which direction they promise more.
    """

    objectives: tuple[Objective, ...]
    report: str
    queries: int
    constraints: tuple[Constraint, ...] = ()
    cost: str | None = None
    continued: bool = False
    stop_at_optimum: bool = True
    proxies: tuple[Objective, ...] = ()

    @property
    def protocol(self) -> Literal["oracle", "validation"]:
        """Whether the searches read what is reported."""
        return "oracle" if self.report == self.objectives[0].metric else "validation"

    @property
    def reported(self) -> tuple[Objective, ...]:
        """The objectives as they are reported: the first by its test metric, under the protocol ``validation``."""
        return (Objective(self.report, self.objectives[0].direction), *self.objectives[1:])

    @property
    def told(self) -> frozenset[str]:
        """Metrics a strategy may see: its objectives, its limits and the cost; never the test metric."""
        names = {o.metric for o in self.objectives} | {c.metric for c in self.constraints}
        return frozenset(names | ({self.cost} if self.cost else set()))


def make_rules(benchmark: Benchmark, settings: Settings) -> Rules:
    """Work out the rules of a comparison on a benchmark.

    Raises:
        UsageError: a metric is not known, a direction is wrong, or the protocol needs what the benchmark has not.
    """
    metrics = benchmark.metrics
    main = _objective(metrics, settings.metric or benchmark.default_metric, settings.direction)
    others = tuple(_parse_objective(metrics, text) for text in settings.objectives)
    for place, other in enumerate(others):
        if other.metric in {main.metric, *(o.metric for o in others[:place])}:
            raise UsageError(wrong("objective", other.metric, "named once", f"{main.metric} is the first objective"))
    constraints = tuple(Constraint.parse(text) for text in settings.constraints)
    for constraint in constraints:
        _known(metrics, "metric of a constraint", constraint.metric)
    cost = settings.cost or benchmark.cost
    if cost is not None:
        _known(metrics, "metric of the cost", cost)
    if settings.workers is not None and cost is None:
        cure = "name the metric that holds the seconds of an evaluation (--cost)"
        raise CapabilityError(f"workers cannot be simulated: {benchmark.name} does not tell its cost; {cure}")
    report = main.metric if settings.protocol == "oracle" else _test_metric(metrics, main, settings.test_metric)
    if settings.protocol == "oracle" and settings.test_metric is not None:
        cure = "add --protocol validation"
        raise UsageError(wrong("test metric", settings.test_metric, "left out with the protocol oracle", cure))
    proxies = tuple(_proxy(metrics, text, {main.metric, report}) for text in settings.proxies)
    for place, proxy in enumerate(proxies):
        if proxy.metric in {earlier.metric for earlier in proxies[:place]}:
            raise UsageError(wrong("proxy", proxy.metric, "named once"))
    stops = settings.stop_at_optimum
    return Rules((main, *others), report, settings.queries, constraints, cost, settings.continued, stops, proxies)


def _proxy(metrics: Mapping[str, MetricInfo], text: str, labels: set[str]) -> Objective:
    name, _, direction = (text, "", "max") if text in metrics else text.rpartition(":")
    _known(metrics, "metric of a proxy", name or text)
    if direction not in ("max", "min"):
        raise UsageError(wrong("proxy", text, "a metric, or metric:min where less promises more"))
    if name in labels:
        raise UsageError(wrong("proxy", name, "known before any training", f"{name} is what the searches are for"))
    return Objective(name, "max" if direction == "max" else "min")


def _test_metric(metrics: Mapping[str, MetricInfo], main: Objective, given: str | None) -> str:
    name = given or metrics[main.metric].test_metric
    if name is None:
        cure = "name the test metric (--test-metric), or take the protocol oracle"
        raise CapabilityError(f"the protocol validation needs a test metric, and {main.metric!r} has none; {cure}")
    _known(metrics, "test metric", name)
    if name == main.metric:
        cure = "take the protocol oracle to report what the search reads"
        raise UsageError(wrong("test metric", name, "another than the metric", cure))
    if metrics[name].direction != main.direction:
        raise UsageError(
            wrong("test metric", name, f"a metric that is better in the same direction ({main.direction})")
        )
    return name


def _parse_objective(metrics: Mapping[str, MetricInfo], text: str) -> Objective:
    if text in metrics:
        return _objective(metrics, text, None)
    metric, _, direction = text.rpartition(":")
    return _objective(metrics, metric or text, direction if metric else None)


def _objective(metrics: Mapping[str, MetricInfo], metric: str, direction: str | None) -> Objective:
    _known(metrics, "metric", metric)
    right = metrics[metric].direction
    if direction is not None and direction != right:
        raise UsageError(wrong(f"direction of {metric}", direction, right, "that is how the benchmark declares it"))
    return Objective(metric, right)


def _known(metrics: Mapping[str, MetricInfo], what: str, name: str) -> None:
    if name not in metrics:
        raise UsageError(unknown(what, name, metrics))


def _require_whole(name: str, value: object, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise UsageError(wrong(name, value, f"a whole number in [1, {most}]"))
