"""On NAS-Bench-201 a comparison gives the figures that docs/figures.md states."""

from __future__ import annotations

from pathlib import Path

import pytest

from netwright.benchmarks import load_benchmark
from netwright.comparison import Settings, compare
from netwright.comparison.statistics import median_of

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of fork beside threads, Python 3.12


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_figures_of_three_strategies_on_nas_bench_201_are_met(shared_data: Path) -> None:
    """Mean regrets lie within the sum of both intervals, and medians of queries to the optimum near the stated."""
    benchmark = load_benchmark("nasbench201-cifar10", shared_data)
    done = compare(benchmark, "random,evolution,local", Settings(metric="test_accuracy", queries=150, seeds=80), jobs=2)
    stated = {("random", 50): (0.660, 0.042), ("evolution", 50): (0.293, 0.037), ("local", 20): (0.511, 0.051)}
    for (label, count), (mean, half) in stated.items():
        curve = done.summaries[label].regret
        ours = 100 * float(curve.mean[count - 1])
        assert abs(ours - mean) <= half + 100 * float(curve.high[count - 1] - curve.mean[count - 1])
    medians = {label: median_of(done.summaries[label].queries_to_optimum) for label in done.labels}
    assert medians["random"] is None
    assert medians["evolution"] == pytest.approx(81, abs=15)
    assert medians["local"] == pytest.approx(45, abs=12)
    assert done.tests is not None
    assert ["evolution", "local", "local"] == [test.better for test in done.tests]
