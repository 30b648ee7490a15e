"""A comparison for programs: a JSON object, whose shape is in docs/bench.schema.json. Knows no files."""

from __future__ import annotations

import math
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import TYPE_CHECKING

import numpy as np

from netwright.comparison.results import Comparison, Spending
from netwright.comparison.scaling import Reach, Scaling, scaling_of
from netwright.comparison.statistics import Curve, median_of, percentile_95
from netwright.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
LIBRARIES = ("netwright", "numpy", "scipy", "scikit-learn", "moocore")


def to_dict(comparison: Comparison) -> dict[str, Json]:
    """Everything a comparison says, as JSON without NaN and infinity, which are null."""
    rules, settings = comparison.rules, comparison.settings
    return {
        "format": FORMAT,
        "table": comparison.table,
        "architectures": _number(comparison.size),
        "protocol": rules.protocol,
        "metric": rules.objectives[0].metric,
        "test_metric": rules.report if rules.protocol == "validation" else None,
        "direction": rules.objectives[0].direction,
        "objectives": [f"{o.metric}:{o.direction}" for o in rules.objectives],
        "constraints": [str(c) for c in rules.constraints],
        "queries": rules.queries,
        "seeds": list(range(settings.seeds)),
        "cost": rules.cost,
        "continued": rules.continued,
        "proxies": [f"{p.metric}:{p.direction}" for p in rules.proxies],
        "workers": settings.workers,
        "optimum": comparison.truth.optimum,
        "regret_from": "optimum" if comparison.truth.optimum is not None else "best found",
        "best": comparison.best_value,
        "hypervolume": _yardstick(comparison),
        "strategies": {label: _strategy(comparison, label) for label in comparison.labels},
        "tests": _tests(comparison),
        "versions": {"python": python_version(), **_versions()},
    }


def _strategy(comparison: Comparison, label: str) -> Json:
    summary = comparison.summaries[label]
    (contestant,) = (c for c in comparison.contestants if c.label == label)
    counts = summary.queries_to_optimum
    timing = summary.timing
    share = summary.hypervolume
    return {
        "strategy": contestant.name,
        "options": dict(contestant.options),
        "regret_mean": _numbers(summary.regret.mean),
        "regret_ci": _interval(summary.regret),
        "regret_auc": _numbers(comparison.areas[label]),
        "queries_to_optimum": list(counts),
        "queries_to_optimum_median": median_of(counts),
        "queries_to_optimum_p95": percentile_95(counts),
        "optimum_share": summary.share_reached,
        "hypervolume_mean": None if share is None else _numbers(share.mean),
        "hypervolume_ci": None if share is None else _interval(share),
        "spending": None if summary.spending is None else _spending(summary.spending),
        "workers": _scaling(scaling_of(comparison, label)),
        "ask_ms": _number(timing.ask_ms),
        "ask_ms_p95": _number(timing.ask_ms_p95),
        "ask_ms_late": _number(timing.ask_ms_late),
        "tell_ms": _number(timing.tell_ms),
        "failed": summary.num_failed,
        "infeasible": summary.num_infeasible,
        "endings": dict(summary.endings),
        "crashes": [{"seed": r.seed, "error": r.error} for r in comparison.crashes if r.label == label],
    }


def _spending(spending: Spending) -> Json:
    return {
        "equivalents_mean": _numbers(spending.equivalents),
        "regret_mean": _numbers(spending.regret.mean),
        "regret_ci": _interval(spending.regret),
        "equivalents_to_optimum": list(spending.to_optimum),
    }


def _scaling(scaling: Scaling | None) -> Json:
    if scaling is None:
        return None
    mean, low, high = scaling.loss
    mean_on, low_on, high_on = scaling.loss_on_the_way
    return {
        "workers": scaling.workers,
        "time_one_worker_s": _number(scaling.alone_s),
        "time_s": _number(scaling.together_s),
        "speed_up": _number(scaling.speed_up),
        "same_regret": _reach(scaling.same_regret),
        "targets": [_reach(reach) for reach in scaling.targets],
        "regret_one_worker": _number(scaling.regret_alone),
        "regret": _number(scaling.regret_together),
        "regret_lost": _number(mean),
        "regret_lost_ci": [_number(low), _number(high)],
        "regret_auc_lost": _number(mean_on),
        "regret_auc_lost_ci": [_number(low_on), _number(high_on)],
        "regret_mean": _numbers(scaling.regret.mean),
        "regret_ci": _interval(scaling.regret),
    }


def _reach(reach: Reach) -> Json:
    return {
        "regret": reach.regret,
        "time_one_worker_s": reach.alone_s,
        "time_s": reach.together_s,
        "speed_up": reach.speed_up,
        "share_one_worker": reach.share_alone,
        "share": reach.share_together,
    }


def _yardstick(comparison: Comparison) -> Json:
    yardstick = comparison.yardstick
    if yardstick is None:
        return None
    signs = [o.sign for o in comparison.rules.reported]
    return {
        "reference": [sign * value for sign, value in zip(signs, yardstick.reference, strict=True)],
        "volume": yardstick.volume,
        "front": "benchmark" if yardstick.is_true else "found",
    }


def _tests(comparison: Comparison) -> Json:
    if comparison.tests is None:
        return None
    return [
        {
            "a": test.a,
            "b": test.b,
            "difference": _number(test.difference),
            "difference_ci": [_number(test.low), _number(test.high)],
            "p": test.p,
            "p_holm": test.p_holm,
            "better": test.better,
        }
        for test in comparison.tests
    ]


def _versions() -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _numbers(values: NDArray[np.float64]) -> list[Json]:
    return [_number(value) for value in values.tolist()]


def _interval(curve: Curve) -> list[Json]:
    return [[_number(a), _number(b)] for a, b in zip(curve.low.tolist(), curve.high.tolist(), strict=True)]
