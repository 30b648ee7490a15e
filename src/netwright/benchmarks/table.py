"""A table of evaluated architectures as a benchmark: every answer is read from arrays.

Knows no file: loaders make tables (`own_files`, and a module for each published one).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from netwright.benchmarks.base import MetricInfo, NotInBenchmark
from netwright.benchmarks.columns import LARGEST
from netwright.errors import DataError, SpaceError, UsageError, unknown, wrong
from netwright.space import SearchSpace
from netwright.space.coded_rows import CodedRows
from netwright.space.remembering import RememberingSpace
from netwright.space.rows import RowsSpace
from netwright.types import Architecture, Fidelity, Metrics

REMEMBERED = 1 << 15
"""Architectures whose rows are remembered, since searches ask for good ones again and again."""


@dataclass(frozen=True, eq=False)
class Scores:
    """What the architectures of a table scored at one fidelity.

    Args:
        numbers: by metric, an array of shape (rows,); NaN where the evaluation gave none.
        evaluated: whether a row was evaluated at this fidelity, shape (rows,); None where all were.
    """

    numbers: Mapping[str, np.ndarray]
    evaluated: np.ndarray | None = None


@dataclass(frozen=True)
class Meaning:
    """What a table is about.

    Args:
        name: for people and files.
        metrics: what each metric means; the first one is searched for unless a person says otherwise.
        cost: the metric that holds the seconds of an evaluation; None where they are not known.

    Raises:
        UsageError: there is no metric, or ``cost`` or a test metric is not one of them.
    """

    name: str
    metrics: Mapping[str, MetricInfo]
    cost: str | None = None
    default_metric: str = field(init=False)

    def __post_init__(self) -> None:
        if not self.metrics:
            raise UsageError(wrong("metrics", self.metrics, "at least one metric"))
        named = [self.cost, *(info.test_metric for info in self.metrics.values())]
        for metric in named:
            if metric is not None and metric not in self.metrics:
                raise UsageError(unknown("metric", metric, self.metrics))
        object.__setattr__(self, "default_metric", next(iter(self.metrics)))


class Table:
    """A benchmark whose answers are frozen arrays.

    Where the rows are all architectures of the space, one searches the space; where some are missing, the rows
    (`RowsSpace`). Both remember what was asked about an architecture.

    Args:
        meaning: name, metrics and cost.
        space: the declaration.
        rows: the architectures, all of the space.
        scores: by fidelity, the cheapest first; the last fidelity is the full one.
        about: what was read, in a line for people.

    Raises:
        DataError: there is no row or no fidelity, an array does not have a number for each row, or one is beyond 1e100.

    Example:
        >>> from netwright.space import Op, choice
        >>> space = SearchSpace(Op("conv", (("width", choice("width", [8, 16])),)))
        >>> rows = CodedRows({"width": (8, 16)}, np.array([[1], [2]]))
        >>> scores = {Fidelity(): Scores({"accuracy": np.array([0.7, 0.8])})}
        >>> table = Table(Meaning("two", {"accuracy": MetricInfo("max")}), space, rows, scores)
        >>> table.query(Architecture({"width": 8})), table.optimum("accuracy")
        ({'accuracy': 0.7}, 0.8)
    """

    def __init__(
        self,
        meaning: Meaning,
        space: SearchSpace,
        rows: CodedRows,
        scores: Mapping[Fidelity, Scores],
        *,
        about: str = "",
    ) -> None:
        if not scores or not len(rows):
            raise DataError(f"{meaning.name} has {len(rows)} architectures at {len(scores)} fidelities; give some")
        for of_fidelity in scores.values():
            _require_numbers(meaning, of_fidelity, len(rows))
        self.name = meaning.name
        self.about = about
        self.metrics: Mapping[str, MetricInfo] = MappingProxyType(dict(meaning.metrics))
        self.cost = meaning.cost
        self.default_metric = meaning.default_metric
        self.fidelities: Sequence[Fidelity] = tuple(scores)
        self._scores = {fidelity: _frozen(of_fidelity) for fidelity, of_fidelity in scores.items()}
        self._rows = rows
        self._find = lru_cache(maxsize=REMEMBERED)(rows.find)
        self.space: SearchSpace = RememberingSpace(
            space if _is_complete(space, rows) else RowsSpace(space, rows, checked=True)
        )

    def __repr__(self) -> str:
        return f"Table({self.name!r}, {len(self)} architectures, {len(self.fidelities)} fidelities)"

    def __len__(self) -> int:
        return len(self._rows)

    def query(self, arch: Architecture, fidelity: Fidelity | None = None) -> Metrics:
        """What an architecture scored; see `Benchmark.query`.

        ``Fidelity()``, which strategies without fidelities propose, is the full one too.

        Raises:
            NotInBenchmark: the architecture was not evaluated at all, or not at this fidelity.
            UsageError: there is no such fidelity.
        """
        scores = self._at(fidelity)
        row = self._find(arch)
        if row is None:
            raise NotInBenchmark(f"{self.name} has no {arch!r}: {self.space.explain(arch)}")
        if scores.evaluated is not None and not scores.evaluated[row]:
            raise NotInBenchmark(f"{self.name} has no {arch!r} at {fidelity or self.fidelities[-1]}; ask for another")
        return {metric: numbers.item(row) for metric, numbers in scores.numbers.items()}

    def optimum(self, metric: str, fidelity: Fidelity | None = None) -> float | None:
        """The best number of a metric; None where all are NaN, or it is not known at this fidelity.

        Raises:
            UsageError: there is no such metric or fidelity.
        """
        numbers = self.column(metric, fidelity)
        numbers = numbers[~np.isnan(numbers)]
        if not len(numbers):
            return None
        return float(numbers.max() if self.metrics[metric].direction == "max" else numbers.min())

    def column(self, metric: str, fidelity: Fidelity | None = None) -> np.ndarray:
        """A metric of all architectures, in the order of their decisions; NaN where it is not known.

        Returns:
            float64 array of shape (architectures,); of its own where something is not known, else read-only.

        Raises:
            UsageError: there is no such metric or fidelity.
        """
        scores = self._at(fidelity)
        if metric not in self.metrics:
            raise UsageError(unknown("metric", metric, self.metrics))
        numbers = scores.numbers.get(metric)
        if numbers is None:
            return np.full(len(self), np.nan)
        return numbers if scores.evaluated is None else np.where(scores.evaluated, numbers, np.nan)

    def architectures(self) -> CodedRows:
        """The architectures, in the order of `column`."""
        return self._rows

    def _at(self, fidelity: Fidelity | None) -> Scores:
        if fidelity is None:
            return self._scores[self.fidelities[-1]]
        scores = self._scores.get(fidelity)
        if scores is not None:
            return scores
        if fidelity == Fidelity():
            return self._scores[self.fidelities[-1]]
        near = min(self.fidelities, key=lambda known: abs(known.cost - fidelity.cost))
        known = f"one of the {len(self.fidelities)} of {self.name}, {self.fidelities[0]} to {self.fidelities[-1]}"
        raise UsageError(wrong("fidelity", fidelity, known, f"the nearest is {near}"))


def _require_numbers(meaning: Meaning, scores: Scores, num_rows: int) -> None:
    arrays = dict(scores.numbers)
    if scores.evaluated is not None:
        arrays["evaluated"] = scores.evaluated
    for name, array in arrays.items():
        if array.shape != (num_rows,):
            raise DataError(wrong(f"{name} of {meaning.name}", array.shape, f"of shape ({num_rows},), a number a row"))
    for name, array in scores.numbers.items():
        beyond = array[np.isfinite(array) & (np.abs(array) > LARGEST)]
        if len(beyond):
            cure = "give nan for an evaluation that failed"
            raise DataError(wrong(f"{name} of {meaning.name}", float(beyond[0]), f"at most {LARGEST:g} in size", cure))


def _frozen(scores: Scores) -> Scores:
    """The same numbers as float64 that nobody can write to."""
    numbers = {}
    for metric, array in scores.numbers.items():
        numbers[metric] = np.asarray(array, dtype=np.float64).view()
        numbers[metric].setflags(write=False)
    return Scores(MappingProxyType(numbers), scores.evaluated)


def _is_complete(space: SearchSpace, rows: CodedRows) -> bool:
    """Whether the rows, which are all of the space, are all of it."""
    try:
        return space.count() == len(rows)
    except SpaceError:  # its constraints entangle too much to be counted
        return False
