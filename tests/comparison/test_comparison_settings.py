"""What is asked of a comparison: rules that follow, and everything that is wrong with it, in words."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from comparison_helpers import Line, Square

from netwright.benchmarks.base import MetricInfo
from netwright.comparison.settings import Settings, make_rules
from netwright.errors import UsageError
from netwright.types import Constraint, Objective


def test_without_a_word_the_default_metric_is_read_and_reported() -> None:
    """The protocol is the oracle's."""
    rules = make_rules(Square(), Settings())
    assert (Objective("accuracy", "max"),) == rules.objectives == rules.reported
    assert ("oracle", "accuracy", 300, "time_s") == (rules.protocol, rules.report, rules.queries, rules.cost)


def test_under_validation_the_benchmarks_test_metric_is_reported() -> None:
    """It takes the place of the first objective, and a strategy may not see it."""
    rules = make_rules(
        Square(), Settings(protocol="validation", objectives=("latency_ms:min",), constraints=("time_s<=99",))
    )
    assert ("validation", "test_accuracy") == (rules.protocol, rules.report)
    assert (Objective("test_accuracy", "max"), Objective("latency_ms", "min")) == rules.reported
    assert {"accuracy", "latency_ms", "time_s"} == rules.told
    assert (Constraint("time_s", "<=", 99.0),) == rules.constraints


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"queries": 0}, "queries must be a whole number in [1, 10000000], got 0"),
        ({"queries": 2.5}, "queries must be a whole number"),
        ({"seeds": -3}, "seeds must be a whole number in [1, 10000000], got -3"),
        ({"seeds": True}, "seeds must be a whole number"),
        ({"workers": 0}, "workers must be a whole number in [1, 1000000], got 0"),
        ({"protocol": "valdation"}, "unknown protocol 'valdation'; did you mean 'validation'?"),
        ({"direction": "up"}, "direction must be max or min, got 'up'"),
        ({"direction": "min"}, "direction of accuracy must be max, got 'min'; that is how the benchmark declares it"),
        ({"metric": "acuracy"}, "unknown metric 'acuracy'; did you mean 'accuracy'?"),
        ({"objectives": ("latency",)}, "unknown metric 'latency'; did you mean 'latency_ms'?"),
        ({"objectives": ("latency_ms:max",)}, "direction of latency_ms must be min, got 'max'"),
        ({"objectives": ("accuracy",)}, "objective must be named once, got 'accuracy'"),
        ({"objectives": ("time_s", "time_s:min")}, "objective must be named once, got 'time_s'"),
        ({"constraints": ("latency<=3",)}, "unknown metric of a constraint 'latency'; did you mean 'latency_ms'?"),
        ({"constraints": ("latency_ms",)}, "constraint must be written as metric<=number"),
        ({"cost": "times"}, "unknown metric of the cost 'times'"),
        ({"test_metric": "test_accuracy"}, "test metric must be left out with the protocol oracle"),
        ({"protocol": "validation", "test_metric": "x"}, "unknown test metric 'x'"),
        ({"protocol": "validation", "test_metric": "accuracy"}, "test metric must be another than the metric"),
        ({"protocol": "validation", "test_metric": "latency_ms"}, "better in the same direction (max)"),
        ({"protocol": "validation", "metric": "time_s"}, "needs a test metric, and 'time_s' has none"),
        ({"targets": (-1.0,)}, "target must be a regret >= 0, got -1.0"),
    ],
)
def test_a_wrong_request_is_refused(asked: dict[str, Any], message: str) -> None:
    """With what was given, what is allowed, and a cure."""
    with pytest.raises(UsageError, match=re.escape(message)):
        make_rules(Square(), Settings(**asked))


def test_workers_need_to_know_how_long_an_evaluation_takes() -> None:
    """The message says what to name."""
    with pytest.raises(UsageError, match=r"workers cannot be simulated: line does not tell its cost; name the metric"):
        make_rules(Line({"accuracy": [1.0]}), Settings(workers=3))


def test_a_metric_whose_name_has_a_colon_is_found() -> None:
    """The text is first taken as a name."""
    square = Square(metrics={"accuracy": MetricInfo("max"), "a:b": MetricInfo("min")}, cost=None)
    rules = make_rules(square, Settings(objectives=("a:b",)))
    assert Objective("a:b", "min") == rules.objectives[1]
    assert rules == make_rules(square, replace(Settings(), objectives=("a:b:min",)))
