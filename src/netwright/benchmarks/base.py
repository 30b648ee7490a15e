"""The protocol of a benchmark: a space whose architectures were all evaluated before, or are told by a surrogate.

A benchmark answers what an architecture scored at a fidelity; searches are simulated on it in milliseconds. It knows no
strategy: who asks, how often, and what is made of the answers is `netwright.comparison`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from netwright.errors import UsageError
from netwright.space import SearchSpace
from netwright.types import Architecture, Fidelity, Metrics


class NotInBenchmark(UsageError):
    """An architecture that the benchmark's space allows, and of which the benchmark knows nothing."""


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """What a metric of a benchmark means.

    Args:
        direction: in which it is better.
        test_metric: the metric that tells what the choice was worth, where this one is on validation data; None where
            there is none.
        unit: for people, such as ``%`` or ``ms``.
    """

    direction: Literal["max", "min"]
    test_metric: str | None = None
    unit: str = ""


@runtime_checkable
class Benchmark(Protocol):
    """What a comparison needs of a benchmark.

    Attributes:
        name: for people and files.
        space: where to search. `query` knows every architecture of it, or raises `NotInBenchmark`.
        metrics: what `query` can answer, by name.
        fidelities: the fidelities that can be asked for, the cheapest first; the last is the full one.
        cost: name of the metric that holds the seconds of an evaluation; None where they are not known.
        default_metric: what is searched for unless a person says otherwise.
    """

    name: str
    space: SearchSpace
    metrics: Mapping[str, MetricInfo]
    fidelities: Sequence[Fidelity]
    cost: str | None
    default_metric: str

    def query(self, arch: Architecture, fidelity: Fidelity | None = None) -> Metrics:
        """What an architecture scored.

        Args:
            arch: of the space.
            fidelity: one of `fidelities`; the full one when absent.

        Returns:
            A number for every metric known at this fidelity; NaN where the evaluation gave none.

        Raises:
            NotInBenchmark: the architecture was not evaluated.
            UsageError: there is no such fidelity.
        """

    def optimum(self, metric: str, fidelity: Fidelity | None = None) -> float | None:
        """The best number of a metric over all architectures; None where it is not known."""
