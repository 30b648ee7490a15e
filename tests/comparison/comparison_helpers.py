"""A small benchmark of one or two decisions, and strategies that do what a test says."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from netwright.benchmarks.base import MetricInfo, NotInBenchmark
from netwright.space import SearchSpace, integer
from netwright.space.remembering import RememberingSpace
from netwright.strategies import Exhausted, RandomSearch
from netwright.types import Architecture, Fidelity, Metrics, Proposal, Trial

SHORT, FULL = Fidelity(1.0), Fidelity(10.0)
KNOWN = {
    "accuracy": MetricInfo("max", "test_accuracy"),
    "test_accuracy": MetricInfo("max"),
    "latency_ms": MetricInfo("min", unit="ms"),
    "time_s": MetricInfo("min", unit="s"),
}


@dataclass
class Line:
    """A benchmark of one decision ``x`` from 0; a row of numbers a metric, of which a short training gets half."""

    rows: Mapping[str, Sequence[float]]
    fidelities: Sequence[Fidelity] = (Fidelity(),)
    absent: Sequence[int] = ()
    cost: str | None = None
    default_metric: str = "accuracy"
    name: str = "line"
    knows_optimum: bool = True
    metrics: Mapping[str, MetricInfo] = field(init=False)
    space: SearchSpace = field(init=False)

    def __post_init__(self) -> None:
        self.metrics = {name: KNOWN[name] for name in self.rows}
        size = len(next(iter(self.rows.values())))
        self.space = SearchSpace(training={"x": integer("x", 0, size - 1)})

    def query(self, arch: Architecture, fidelity: Fidelity | None = None) -> Metrics:
        place = arch["x"]
        assert isinstance(place, int)
        if place in self.absent:
            raise NotInBenchmark(f"no row {place}")
        part = 1.0 if fidelity is None else fidelity.cost / self.fidelities[-1].cost
        part = 0.5 if part < 1 else 1.0
        return {name: row[place] * part for name, row in self.rows.items()}

    def optimum(self, metric: str, fidelity: Fidelity | None = None) -> float | None:
        numbers = [v for v in self.rows[metric] if not math.isnan(v)]
        if not numbers or not self.knows_optimum:
            return None
        return max(numbers) if self.metrics[metric].direction == "max" else min(numbers)


@dataclass
class Square:
    """A benchmark of two decisions with one hill, which local search climbs at once."""

    side: int = 12
    name: str = "square"
    cost: str | None = "time_s"
    default_metric: str = "accuracy"
    fidelities: Sequence[Fidelity] = (Fidelity(),)
    metrics: Mapping[str, MetricInfo] = field(default_factory=lambda: KNOWN)
    space: SearchSpace = field(init=False)

    def __post_init__(self) -> None:
        space = SearchSpace(training={name: integer(name, 0, self.side - 1) for name in "xy"})
        self.space = RememberingSpace(space)

    def query(self, arch: Architecture, fidelity: Fidelity | None = None) -> Metrics:
        x, y = arch["x"], arch["y"]
        assert isinstance(x, int)
        assert isinstance(y, int)
        accuracy = 1 - ((x - 7) ** 2 + (y - 4) ** 2) / (2 * self.side**2)
        return {
            "accuracy": accuracy,
            "test_accuracy": accuracy - 0.01 * ((3 * x + y) % 5),
            "latency_ms": 1.0 + x + y,
            "time_s": 60.0 + 10 * (x * self.side + y) % 70,
        }

    def optimum(self, metric: str, fidelity: Fidelity | None = None) -> float | None:
        numbers = [self.query(arch)[metric] for arch in self.space.enumerate()]
        return max(numbers) if self.metrics[metric].direction == "max" else min(numbers)


class Scripted:
    """Proposes ``x`` in the order given, then is exhausted; remembers what it was told."""

    def __init__(self, script: Sequence[int | tuple[int, Fidelity]]) -> None:
        self._script = list(script)
        self.told: list[Trial] = []

    def ask(self, n: int) -> Sequence[Proposal]:
        if not self._script:
            raise Exhausted("the script ends here")
        items, self._script = self._script[:n], self._script[n:]
        pairs = [item if isinstance(item, tuple) else (item, Fidelity()) for item in items]
        return [Proposal(Architecture({"x": x}), fidelity) for x, fidelity in pairs]

    def tell(self, trials: Sequence[Trial]) -> None:
        self.told += trials


def scripted(*script: int | tuple[int, Fidelity], keep: list[Scripted] | None = None) -> Callable[..., Scripted]:
    """What makes a `Scripted`; each one made is put into ``keep``."""

    def make(space: SearchSpace, **_: object) -> Scripted:
        made = Scripted(script)
        if keep is not None:
            keep.append(made)
        return made

    return make


class Forgetful(RandomSearch):
    """A planted bug: it is random search under another name and seed, and ignores what it is told."""

    def __init__(self, space: SearchSpace, *, seed: int = 0, **options: object) -> None:
        super().__init__(space, seed=seed + 1000)


class Failing(RandomSearch):
    """Crashes at its fourth ask where the seed is odd."""

    def __init__(self, space: SearchSpace, *, seed: int = 0, **options: object) -> None:
        super().__init__(space, seed=seed)
        self._left = 3 if seed % 2 else 10**9

    def ask(self, n: int) -> Sequence[Proposal]:
        self._left -= 1
        if self._left < 0:
            raise ZeroDivisionError("the planted crash")
        return super().ask(n)
