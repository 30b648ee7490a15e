"""What ``netwright score`` tells: lines for people, a JSON document and a CSV table for programs."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from netwright.cli.text import clean, duration, table
from netwright.evaluation.rank_statistics import spearman_interval
from netwright.evaluation.score_table import TOP, ScoreTable
from netwright.evaluation.scored import SIZES, Conditions
from netwright.readable import number
from netwright.spec import SearchSpec
from netwright.types import Json

REASONS_SHOWN = 3
MOST_UNUSABLE = 0.05
"""Share of the architectures that a score of the ensemble may not be usable for."""


@dataclass(frozen=True)
class Report:
    """All that is told.

    Args:
        spec: task, data, space and seed.
        conditions: under which networks were looked at.
        table: the scores.
        num_drawn: architectures that were to be scored; fewer are in the table where time ran out.
        time_s: wall seconds of all.
        num_wanted: architectures asked for; fewer are drawn where the space has no more.
    """

    spec: SearchSpec
    conditions: Conditions
    table: ScoreTable
    num_drawn: int
    time_s: float
    num_wanted: int

    @cached_property
    def worth(self) -> np.ndarray:
        """What the ensemble of the usable scores says, larger is better, shape (architectures,); NaN without any."""
        return ensemble_worth(self.table)

    @cached_property
    def order(self) -> list[int]:
        """Numbers of the architectures, the best by the ensemble first, those without a score last."""
        worth = np.where(np.isfinite(self.worth), self.worth, -np.inf)
        return [int(place) for place in np.argsort(-worth, kind="stable")]


def members(scores: ScoreTable) -> tuple[str, ...]:
    """Of which scores the ensemble is: those of the default one where all were asked for, else all that were.

    Left out are scores that do not tell the architectures apart, and those that are not for a part of the networks:
    they would rank that part last for what it is (networks without ReLU, say).
    """
    from netwright.evaluation.proxies.ensemble import DEFAULT

    wanted = DEFAULT if set(DEFAULT) <= set(scores.names) else scores.names
    most = MOST_UNUSABLE * len(scores.scored)
    return tuple(n for n in scores.usable if n in wanted and sum(scores.summary(n).reasons.values()) <= most)


def ensemble_worth(scores: ScoreTable) -> np.ndarray:
    """What the ensemble says of each architecture, larger is better, shape (architectures,); NaN without members."""
    from netwright.evaluation.proxies.ensemble import aggregate

    names = members(scores)
    if not names:
        return np.full(len(scores.scored), math.nan)
    return np.asarray(aggregate({name: scores.column(name) for name in names}), dtype=np.float64)


def lines(report: Report, top: int) -> Iterator[str]:
    """The report for people, line by line.

    Args:
        report: what is told.
        top: how many of the best to list.
    """
    yield from _headline(report)
    yield ""
    yield from _proxies(report.table)
    yield from _agreement(report.table)
    yield from _unusable(report.table)
    yield from _best(report, top)


def _headline(report: Report) -> Iterator[str]:
    spec, scores, conditions = report.spec, report.table, report.conditions
    count = len(scores.scored)
    each = f"{scores.time_s:.2g} s of a core each"
    what = f"{clean(spec.data)}, space {clean(spec.space)}"
    yield f"{what}: {count} architectures scored in {duration(report.time_s)}, {each}"
    if count < report.num_drawn:
        yield f"time ran out: {report.num_drawn - count} of {report.num_drawn} architectures were not scored"
    if report.num_drawn < report.num_wanted:
        yield f"the space has no more than {report.num_drawn} different networks, as far as drawing tells"
    batch = f"{conditions.examples} training examples of {conditions.classes} classes, seed {conditions.seed}"
    yield f"looked at with {batch}; {conditions.dtype}, BatchNorm on the {conditions.batch_norm}"
    low, high = spearman_interval(0.0, count)
    if math.isfinite(low):
        yield f"rho is Spearman's correlation; a rho of 0 has the 95 % interval {low:.2f} to {high:.2f} here"


def _proxies(scores: ScoreTable) -> Iterator[str]:
    headers = ("proxy", *(f"rho {size}" for size in SIZES), "by size", "rho params in top", "not finite", "its best")
    rows = []
    for name in scores.names:
        found = scores.summary(name)
        rows.append(
            (
                name,
                *(_rho(found.with_size[size]) for size in SIZES),
                _rho(found.explained_by_size),
                _rho(found.top_with_params),
                found.num_not_finite,
                "-" if found.best is None else scores.scored[found.best].architecture.id,
            )
        )
    yield table(headers, rows)
    yield "by size: how much of a score's ranks the three sizes explain, 1 where it merely repeats them"
    yield f"in top: within the best {TOP:.0%} by the score itself"


def _agreement(scores: ScoreTable) -> Iterator[str]:
    """Correlations of the scores with each other; columns are the numbers of the rows."""
    names = scores.usable
    if len(names) < 2:
        return
    rows = [
        (f"{place} {name}", *(_rho(scores.correlation(name, other)) for other in names))
        for place, name in enumerate(names, start=1)
    ]
    yield ""
    yield table(("rho of scores", *map(str, range(1, len(names) + 1))), rows)


def _unusable(scores: ScoreTable) -> Iterator[str]:
    total = len(scores.scored)
    told = [line for name in scores.names for line in _reasons(name, scores.summary(name).reasons, total)]
    failed = scores.errors.most_common()
    if failed:
        told.append(f"{_share(scores.errors.total(), total)} could not be built or run:")
        told += [f"  {count} times {clean(reason)}" for reason, count in failed[:REASONS_SHOWN]]
        told += [f"  and {len(failed) - REASONS_SHOWN} reasons more"] if len(failed) > REASONS_SHOWN else []
    if told:
        yield ""
    yield from told


def _reasons(name: str, reasons: Mapping[str, int], total: int) -> Iterator[str]:
    """Why a proxy is not usable, in a line: the most frequent reason, and how many more there are."""
    if reasons:
        others = f" (and {len(reasons) - 1} other reasons)" if len(reasons) > 1 else ""
        why = clean(next(iter(reasons)).removeprefix(f"{name} is not for this network: "))
        yield f"{name} is not usable for {_share(sum(reasons.values()), total)}: {why}{others}"


def _share(count: int, total: int) -> str:
    return f"all {total} architectures" if count == total else f"{count} of {total} architectures"


def _best(report: Report, top: int) -> Iterator[str]:
    scores = report.table
    yield ""
    if not members(scores):
        yield "no score tells the architectures apart, so that there is no ranking"
        return
    yield f"best by the ensemble of {', '.join(members(scores))}:"
    rows = []
    for place, index in enumerate(report.order[:top], start=1):
        row = scores.scored[index]
        sizes = (number(size, row.sizes[size]) for size in SIZES)
        rows.append((place, row.architecture.id, f"{report.worth[index]:.4g}", *sizes, row.architecture.to_json()))
    yield table(("", "id", "ensemble", *SIZES, "architecture"), rows)


def _rho(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


def as_json(report: Report) -> str:
    """The report as a JSON document; numbers that JSON does not have are null."""
    scores = report.table
    document = {
        "task": report.spec.task,
        "task_options": dict(report.spec.task_options),
        "data": report.spec.data,
        "space": report.spec.space,
        "conditions": asdict(report.conditions),
        "time_s": report.time_s,
        "core_s_an_architecture": scores.time_s,
        "num_not_scored": report.num_drawn - len(scores.scored),
        "errors": dict(scores.errors),
        "ensemble_of": list(members(scores)),
        "proxies": {name: _summary(scores, name) for name in scores.names},
        "correlations": {name: _correlations(scores, name, scores.names) for name in scores.names},
        "architectures": list(_rows(report)),
    }
    return json.dumps(_finite(document), allow_nan=False) + "\n"


def _summary(scores: ScoreTable, name: str) -> dict[str, object]:
    found = scores.summary(name)
    return {
        "with_size": _correlations(scores, name, SIZES),
        "explained_by_size": found.explained_by_size,
        "top_with_params": found.top_with_params,
        "num_not_finite": found.num_not_finite,
        "unusable": found.reasons,
    }


def _correlations(scores: ScoreTable, name: str, others: Sequence[str]) -> dict[str, dict[str, object]]:
    return {
        other: {"spearman": scores.correlation(name, other), "interval_95": list(scores.interval(name, other))}
        for other in others
    }


def _rows(report: Report) -> Iterator[dict[str, object]]:
    """An object an architecture, best first."""
    for place, index in enumerate(report.order, start=1):
        row = report.table.scored[index]
        yield {
            "place": place,
            "id": row.architecture.id,
            "architecture": json.loads(row.architecture.to_json()),
            "ensemble": float(report.worth[index]),
            "scores": dict(row.values),
            "sizes": dict(row.sizes),
            "unusable": dict(row.unusable),
            "error": row.error,
            "time_s": row.time_s,
        }


def _finite(value: object) -> Json:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    assert value is None or isinstance(value, (bool, int, str))
    return value


def as_csv(report: Report) -> str:
    """A row an architecture, best first: its place, sizes, scores, decisions as JSON; empty where a number is none."""
    scores = report.table
    names = [name for name in scores.names if name not in SIZES]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["place", "id", "ensemble", *SIZES, *names, "time_s", "error", "architecture"])
    for place, index in enumerate(report.order, start=1):
        row = scores.scored[index]
        figures = [report.worth[index], *(row.sizes[size] for size in SIZES), *(row.values[name] for name in names)]
        told = [repr(float(figure)) if math.isfinite(figure) else "" for figure in figures]
        writer.writerow([place, row.architecture.id, *told, f"{row.time_s:.4g}", row.error, row.architecture.to_json()])
    return text.getvalue()
