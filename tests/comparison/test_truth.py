"""What there was to be found: optima and fronts, of tables and of other benchmarks alike."""

from __future__ import annotations

import math

import numpy as np
import pytest
from comparison_helpers import Line, Square

from netwright.benchmarks import Meaning, MetricInfo, Scores, Table
from netwright.comparison import truth
from netwright.comparison.settings import Settings, make_rules
from netwright.comparison.truth import find_truth
from netwright.space import SearchSpace, choice
from netwright.space.coded_rows import CodedRows
from netwright.types import Fidelity

NAN = math.nan
ROWS = {"accuracy": [0.5, 0.4, 0.6, NAN, 0.7], "latency_ms": [2.0, 3.0, 4.0, 1.0, 5.0]}


def as_table(rows: dict[str, list[float]]) -> Table:
    values = tuple(range(len(rows["accuracy"])))
    coded = CodedRows({"x": values}, np.arange(1, len(values) + 1)[:, None])
    metrics = {name: MetricInfo("max" if "accuracy" in name else "min") for name in rows}
    scores = {Fidelity(): Scores({name: np.array(row) for name, row in rows.items()})}
    return Table(Meaning("rows", metrics), SearchSpace(training={"x": choice("x", values)}), coded, scores)


@pytest.mark.parametrize("benchmark", [Line(ROWS), as_table(ROWS)], ids=["line", "table"])
def test_optimum_and_front_by_hand(benchmark: Line | Table) -> None:
    """Five architectures, of which one is dominated and one has no accuracy."""
    assert 0.7 == find_truth(benchmark, make_rules(benchmark, Settings())).optimum
    found = find_truth(benchmark, make_rules(benchmark, Settings(objectives=("latency_ms",))))
    assert ((-0.7, 5.0), (-0.6, 4.0), (-0.5, 2.0)) == found.front
    limited = find_truth(benchmark, make_rules(benchmark, Settings(constraints=("latency_ms<=4",))))
    assert (0.6, ()) == (limited.optimum, limited.front)
    nothing = find_truth(benchmark, make_rules(benchmark, Settings(constraints=("latency_ms<=0",))))
    assert (None, ()) == (nothing.optimum, nothing.front)


def test_the_front_is_that_of_what_is_reported() -> None:
    """Under validation, of the test metric."""
    square = Square(side=4)
    rules = make_rules(square, Settings(protocol="validation", objectives=("latency_ms",)))
    everything = [square.query(arch) for arch in square.space.enumerate()]
    points = {(-m["test_accuracy"], m["latency_ms"]) for m in everything}
    best = [p for p in points if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points)]
    assert tuple(sorted(best)) == find_truth(square, rules).front


def test_of_a_space_too_large_only_what_the_benchmark_tells_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The optimum without limits; no front, and no optimum within limits."""
    monkeypatch.setattr(truth, "MAX_ENUMERATED", 3)
    line = Line(ROWS)
    assert truth.Truth(0.7) == find_truth(line, make_rules(line, Settings(objectives=("latency_ms",))))
    assert find_truth(line, make_rules(line, Settings(constraints=("latency_ms<=4",)))).optimum is None


def test_scores_that_are_all_nan_have_no_optimum() -> None:
    """None, not NaN."""
    line = Line({"accuracy": [NAN, NAN]})
    assert find_truth(line, make_rules(line, Settings())).optimum is None


def test_chunks_of_points_have_the_front_of_all() -> None:
    """More points than are ranked at once."""
    rng = np.random.default_rng(0)
    rows = {"accuracy": rng.random(3000).round(3).tolist(), "latency_ms": rng.random(3000).round(3).tolist()}
    table = as_table(rows)
    front = find_truth(table, make_rules(table, Settings(objectives=("latency_ms",)))).front
    best, expected = math.inf, []
    for point in sorted({(-a, b) for a, b in zip(*rows.values(), strict=True)}):
        if point[1] < best:
            best = point[1]
            expected.append(point)
    assert tuple(expected) == front
