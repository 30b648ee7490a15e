"""Which columns of a table are decisions, and which are metrics: as the caller says, or as their names say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from netwright.benchmarks.base import MetricInfo
from netwright.errors import DataError, SpecError, unknown, wrong

DECISION, METRIC = "decision:", "metric:"
"""What a column's name may begin with to say what it is."""

MOST_DECISIONS = 1_000
"""Columns that are decisions: with more, minutes pass before a strategy has told an architecture from all others."""

Direction = Literal["max", "min"]

_SMALL = re.compile(
    "bpb|bytes|cer|cost|duration|energy|err|error|flops|latency|loss|macs|mae|mb|memory|ms|mse|nll|parameters|params|"
    "perplexity|ppl|regret|rmse|s|seconds|size|time|wer"
)
"""Words in a metric's name by which less is better."""

_MEASURED = re.compile(
    "acc|accuracy|auc|bleu|bpb|cer|duration|energy|err|error|flops|iou|latency|loss|macs|mae|mse|nll|parameters|params|"
    "perplexity|ppl|regret|rmse|throughput|time|wer"
)
_UNITS = frozenset(["b", "bytes", "g", "gb", "h", "j", "k", "kb", "m", "mb", "mean", "mj", "ms", "pct", "s", "us", "w"])


@dataclass(frozen=True)
class Asked:
    """What a caller says about the columns of a table.

    Args:
        decisions: names of the columns that are decisions.
        metrics: direction of each metric by the name of its column, or names alone.
        fidelity: column of epochs.
        cost: column of the seconds of an evaluation.
        seed_column: column that tells apart evaluations of one architecture.
        test_metric: what the first metric's choice is worth.
    """

    decisions: Sequence[str] | None = None
    metrics: Mapping[str, str] | Sequence[str] | None = None
    fidelity: str | None = None
    cost: str | None = None
    seed_column: str | None = None
    test_metric: str | None = None


@dataclass(frozen=True)
class Roles:
    """What the columns of a table are.

    Args:
        decisions: column of every decision, by its name.
        metrics: what every metric means, by its name; the first is searched for.
        columns: column of every metric, by its name.
        fidelity: column of the epochs; None where there is none.
        seed: column that tells apart evaluations of one architecture; None where there is none.
        cost: metric that holds the seconds of an evaluation; None where there is none.
        inferred: whether the decisions are what nobody said to be anything else.
    """

    decisions: Mapping[str, str]
    metrics: Mapping[str, MetricInfo]
    columns: Mapping[str, str]
    fidelity: str | None
    seed: str | None
    cost: str | None
    inferred: bool


def usual_direction(metric: str) -> Direction:
    """In which direction a metric of this name is usually better.

    Example:
        >>> usual_direction("val_accuracy"), usual_direction("latency_ms")
        ('max', 'min')
    """
    words = re.split(r"[^a-z]+", metric.lower())
    return "min" if any(_SMALL.fullmatch(word) for word in words) else "max"


def is_measured(column: str) -> bool:
    """Whether a column that nobody said anything about is a metric by its name: its last word but for units is one.

    Example:
        >>> is_measured("val_acc_200"), is_measured("train_time_s"), is_measured("time_steps"), is_measured("width")
        (True, True, False, False)
    """
    words = [word for word in re.split(r"[^a-z]+", column.lower()) if word]
    if "latency" in words or "throughput" in words:  # the device often follows
        return True
    while len(words) > 1 and words[-1] in _UNITS:
        words.pop()
    return bool(words) and _MEASURED.fullmatch(words[-1]) is not None


def find_roles(path: Path, names: Sequence[str], asked: Asked) -> Roles:
    """Find out what the columns are.

    Without ``decisions``, columns that are named ``decision:NAME`` are decisions, or else all that are nothing else;
    without ``metrics``, those named ``metric:NAME``, or else all that are nothing else. Of columns that nobody said
    anything about, those that a metric's name ends (see `is_measured`) are further metrics: a measurement that is
    taken for a decision would give the answer away.

    Args:
        path: of the file, for messages.
        names: of all columns.
        asked: what the caller says.

    Raises:
        SpecError: a column is not there, a direction is none, or a column has two roles (a cost may be a metric).
        DataError: no column is a decision, too many are, or none is a metric.
    """
    known = _Columns(path, names)
    fidelity = None if asked.fidelity is None else known.find("fidelity", asked.fidelity)
    seed = None if asked.seed_column is None else known.find("seed", asked.seed_column)
    others = {column for column in (fidelity, seed) if column is not None}
    directions = _directions(known, asked, others)
    others.update(directions)
    _require_one_role(path, fidelity, seed, directions)
    decisions = _decisions(known, asked, others)
    both = sorted(others.intersection(decisions))
    if both:
        raise SpecError(f"{path}: column {both[0]!r} is named both as a decision and as something else; take one")
    if not decisions:
        raise DataError(f"{path}: no column is a decision; name some with decisions=['NAME', ...]; {known}")
    if len(decisions) > MOST_DECISIONS:
        cure = "name those that are with decisions=[...] (--decisions A,B,...)"
        raise DataError(wrong(f"{path}: columns that are decisions", len(decisions), f"at most {MOST_DECISIONS}", cure))
    return Roles(
        {known.bare(column): column for column in decisions},
        _metrics(known, asked, directions),
        {known.bare(column): column for column in directions},
        fidelity,
        seed,
        None if asked.cost is None else known.bare(known.find("cost", asked.cost)),
        inferred=asked.decisions is None and not known.marked(DECISION),
    )


def _require_one_role(path: Path, fidelity: str | None, seed: str | None, metrics: Mapping[str, Direction]) -> None:
    """Refuse a column of epochs or repeats that is also measured, or both at once."""
    roles = [("fidelity", fidelity), ("seed", seed)]
    for role, column in roles:
        if column is not None and (column in metrics or fidelity == seed):
            other = "a metric" if column in metrics else "the seed column"
            raise SpecError(f"{path}: column {column!r} is named both as the {role} column and as {other}; take one")


class _Columns:
    """The columns of a file, found by their names, with what says their role or without."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.path = path
        self.names = names
        self._known = {self.bare(name): name for name in names} | {name: name for name in names}

    def __str__(self) -> str:
        return f"columns: {', '.join(self.names)}"

    @staticmethod
    def bare(name: str) -> str:
        """The name without what says the role."""
        return name.removeprefix(DECISION).removeprefix(METRIC)

    def marked(self, mark: str) -> list[str]:
        """The columns whose names begin with what says their role."""
        return [name for name in self.names if name.startswith(mark)]

    def find(self, what: str, name: str) -> str:
        """The column of a name.

        Raises:
            SpecError: there is none.
        """
        if name not in self._known:
            raise SpecError(f"{self.path}: {unknown(f'{what} column', name, self._known)}")
        return self._known[name]

    def find_decisions(self, name: str) -> list[str]:
        """The column of a name, or all columns of the matrix of that name.

        Raises:
            SpecError: there is none.
        """
        matrix = [column for bare, column in self._known.items() if bare.rstrip("0123456789") == name]
        return matrix if matrix and name not in self._known else [self.find("decision", name)]


def _directions(known: _Columns, asked: Asked, others: AbstractSet[str]) -> dict[str, Direction]:
    """Direction of every metric by its column, the first one searched for; cost and test metric are metrics too."""
    given = asked.metrics if asked.metrics is not None else known.marked(METRIC)
    if not given and asked.decisions is not None:
        taken = {*others, *_decisions(known, asked, others), asked.cost, asked.test_metric}
        given = [name for name in known.names if name not in taken and known.bare(name) not in taken]
    directions: dict[str, Direction] = {}
    for name in given:
        said = given[name] if isinstance(given, Mapping) else usual_direction(known.bare(name))
        if said not in ("max", "min"):
            raise SpecError(wrong(f"direction of metric {name!r}", said, "'max' or 'min'", "say in which it is better"))
        directions[known.find("metric", name)] = cast(Direction, said)
    if not directions:
        raise DataError(
            f"{known.path}: no column is a metric; name some with metrics={{'NAME': 'max'}} (--metric NAME); {known}"
        )
    if asked.test_metric is not None:
        directions.setdefault(known.find("test metric", asked.test_metric), next(iter(directions.values())))
    if asked.cost is not None:
        directions.setdefault(known.find("cost", asked.cost), "min")
    if asked.decisions is None and not known.marked(DECISION):
        for name in known.names:
            if name not in others and is_measured(name):
                directions.setdefault(name, usual_direction(name))
    return directions


def _decisions(known: _Columns, asked: Asked, others: AbstractSet[str]) -> list[str]:
    if asked.decisions is not None:
        return list(dict.fromkeys(column for name in asked.decisions for column in known.find_decisions(name)))
    rest = [name for name in known.names if name not in others and not name.startswith(METRIC)]
    return known.marked(DECISION) or rest


def _metrics(known: _Columns, asked: Asked, directions: Mapping[str, Direction]) -> dict[str, MetricInfo]:
    metrics = {known.bare(column): MetricInfo(direction) for column, direction in directions.items()}
    if asked.test_metric is not None:
        first, test = next(iter(metrics)), known.bare(known.find("test metric", asked.test_metric))
        metrics[first] = MetricInfo(metrics[first].direction, test if test != first else None)
    return metrics
