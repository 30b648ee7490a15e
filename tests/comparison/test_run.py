"""One search: what counts, what is told, when it ends; worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from comparison_helpers import FULL, SHORT, Failing, Line, Scripted, Square, scripted

from netwright.benchmarks.base import Benchmark
from netwright.comparison.contestants import Contestant
from netwright.comparison.journal import Ending, SearchRun
from netwright.comparison.run import run_search
from netwright.comparison.settings import Settings, make_rules
from netwright.comparison.truth import find_truth
from netwright.strategies import LocalSearch, Strategy
from netwright.types import Architecture, Proposal, TrialState

NAN = math.nan
HILL = Line({"accuracy": [0.1, 0.5, 0.3, 0.9, 0.7]})


def search(
    benchmark: Benchmark, make: Callable[..., Strategy], settings: Settings | None = None, seed: int = 0
) -> SearchRun:
    rules = make_rules(benchmark, settings or Settings(queries=10))
    return run_search(benchmark, Contestant("it", make), rules, find_truth(benchmark, rules), seed)


def test_the_double_is_a_benchmark() -> None:
    """What the tests search on has all that the protocol asks for."""
    assert isinstance(HILL, Benchmark)
    assert isinstance(Square(), Benchmark)


def test_the_incumbent_is_the_best_so_far_and_the_optimum_ends_the_search() -> None:
    """Values of a script of five, of which the fourth is the best there is."""
    run = search(HILL, scripted(0, 2, 1, 3, 4))
    assert (0.1, 0.3, 0.5, 0.9) == run.values
    assert (1.0, 2.0, 3.0, 4.0) == run.equivalents
    assert Ending.OPTIMUM == run.ended
    assert len(run.ask_s) == 4


def test_a_metric_that_is_better_when_smaller_is_searched_downwards() -> None:
    """The incumbent's latency falls."""
    line = Line({"accuracy": [0.0] * 4, "latency_ms": [3.0, 5.0, 1.0, 2.0]})
    run = search(line, scripted(1, 0, 3, 2), Settings(metric="latency_ms", queries=4))
    assert (5.0, 3.0, 2.0, 1.0) == run.values


def test_under_validation_the_incumbent_by_the_metric_is_scored_by_the_test_metric() -> None:
    """The reported number falls where a better validation accuracy has a worse test accuracy; ties keep the first."""
    line = Line({"accuracy": [0.2, 0.6, 0.4, 0.6], "test_accuracy": [0.3, 0.5, 0.9, 0.8]})
    run = search(line, scripted(2, 1, 0, 3), Settings(protocol="validation", queries=4))
    assert (0.9, 0.5, 0.5, 0.5) == run.values
    assert Ending.QUERIES == run.ended


def test_a_strategy_is_told_objectives_limits_and_cost_under_their_names_and_never_the_test_metric() -> None:
    """What it may not see is kept from it."""
    rows = {name: [1.0, 2.0] for name in ("accuracy", "test_accuracy", "latency_ms", "time_s")}
    keep: list[Scripted] = []
    settings = Settings(protocol="validation", constraints=("latency_ms<=9",), cost="time_s", queries=2)
    search(Line(rows), scripted(0, 1, keep=keep), settings, seed=7)
    (strategy,) = keep
    assert {"accuracy": 2.0, "latency_ms": 2.0, "time_s": 2.0} == dict(strategy.told[1].metrics)
    assert [(0, 7, 1.0), (1, 7, 2.0)] == [(t.id, t.seed, t.duration_s) for t in strategy.told]


def test_nan_and_what_is_not_in_the_benchmark_are_failed_trials() -> None:
    """They count as queries, are told as failed, and leave the incumbent as it was."""
    line = Line({"accuracy": [0.1, NAN, 0.3, 0.9]}, absent=[2])
    keep: list[Scripted] = []
    run = search(line, scripted(1, 0, 2, keep=keep))
    assert str((NAN, 0.1, 0.1)) == str(run.values)
    assert (2, Ending.EXHAUSTED) == (run.num_failed, run.ended)
    assert [TrialState.FAILED, TrialState.FINISHED, TrialState.FAILED] == [t.state for t in keep[0].told]
    assert "not in the benchmark" in keep[0].told[2].error


def test_what_breaks_a_limit_counts_and_is_never_the_incumbent() -> None:
    """The optimum is that of the architectures within the limit."""
    line = Line({"accuracy": [0.9, 0.5, 0.7], "latency_ms": [9.0, 1.0, 2.0]})
    keep: list[Scripted] = []
    run = search(line, scripted(0, 1, 2, keep=keep), Settings(constraints=("latency_ms<=2",)))
    assert str((NAN, 0.5, 0.7)) == str(run.values)
    assert (1, 0, Ending.OPTIMUM) == (run.num_infeasible, run.num_failed, run.ended)
    assert TrialState.INFEASIBLE == keep[0].told[0].state


def test_an_exhausted_strategy_keeps_what_it_found() -> None:
    """The search ends early, without an error."""
    run = search(HILL, scripted(0, 1))
    assert ((0.1, 0.5), Ending.EXHAUSTED, "") == (run.values, run.ended, run.error)


def test_a_crash_is_kept_with_its_traceback_and_what_was_found() -> None:
    """The strategy's own line is named."""
    run = search(Square(), Failing, seed=1)
    assert (3, Ending.CRASHED) == (len(run.values), run.ended)
    assert "ZeroDivisionError: the planted crash" in run.error
    assert "comparison_helpers.py" in run.error


class Silent(Scripted):
    """Waits for nothing."""

    def ask(self, n: int) -> Sequence[Proposal]:
        return []


class Greedy(Scripted):
    """Proposes more than it is asked for."""

    def ask(self, n: int) -> Sequence[Proposal]:
        return [Proposal(Architecture({"x": 0}))] * (n + 1)


@pytest.mark.parametrize(("kind", "text"), [(Silent, "ask returned nothing"), (Greedy, r"ask(1) returned 2 proposals")])
def test_a_broken_protocol_is_a_crash(kind: type[Scripted], text: str) -> None:
    """A strategy that hangs or runs over is named, and does not hang the comparison."""
    run = search(HILL, lambda *_, **__: kind([]))
    assert Ending.CRASHED == run.ended
    assert text in run.error


def test_a_fidelity_the_benchmark_has_not_is_a_crash_of_its_strategy() -> None:
    """The benchmark's own words are kept."""

    class Strict(Line):
        def query(self, arch, fidelity=None):  # type: ignore[no-untyped-def]
            from netwright.errors import UsageError

            if fidelity not in (None, *self.fidelities):
                raise UsageError("there is no such fidelity")
            return super().query(arch, fidelity)

    run = search(Strict({"accuracy": [0.1]}), scripted((0, SHORT)))
    assert "there is no such fidelity" in run.error


def test_stopping_at_the_optimum_changes_no_curve() -> None:
    """Regrets with the option and without it are the same."""
    regrets = []
    for stop in (True, False):
        runs = [search(Square(), LocalSearch, Settings(queries=100, stop_at_optimum=stop), seed) for seed in range(5)]
        assert stop is all(run.ended is Ending.OPTIMUM for run in runs)
        regrets.append([[1 - v for v in (*run.values, *[run.values[-1]] * (100 - len(run.values)))] for run in runs])
    np.testing.assert_array_equal(regrets[0], regrets[1])


def test_a_low_fidelity_costs_its_share_and_makes_no_incumbent() -> None:
    """By epochs where no cost is known; the half scores of short trainings are not compared with full ones."""
    line = Line({"accuracy": [0.4, 0.9]}, fidelities=(SHORT, FULL))
    run = search(line, scripted((1, SHORT), (0, FULL), 1))
    assert str((NAN, 0.4, 0.9)) == str(run.values)
    np.testing.assert_allclose([0.1, 1.1, 2.1], run.equivalents)


def test_a_low_fidelity_costs_its_share_of_the_seconds_where_they_are_known() -> None:
    """The double's short trainings take half of the time."""
    line = Line({"accuracy": [0.4, 0.9], "time_s": [30.0, 50.0]}, fidelities=(SHORT, FULL), cost="time_s")
    run = search(line, scripted((1, SHORT), (1, FULL)))
    np.testing.assert_allclose([0.5, 1.5], run.equivalents)


def test_a_continued_training_costs_only_what_is_new() -> None:
    """A full training after a short one of the same architecture costs the other half."""
    line = Line({"accuracy": [0.4, 0.9], "time_s": [30.0, 50.0]}, fidelities=(SHORT, FULL), cost="time_s")
    keep: list[Scripted] = []
    script = scripted((1, SHORT), (0, FULL), (1, FULL), (1, SHORT), keep=keep)
    run = search(line, script, Settings(continued=True, queries=4, stop_at_optimum=False))
    np.testing.assert_allclose([0.5, 1.5, 2.0, 2.0], run.equivalents)
    assert [25.0, 30.0, 25.0, 0.0] == [trial.duration_s for trial in keep[0].told]


def test_fidelities_are_given_to_a_strategy_that_asks_for_them() -> None:
    """By the name of the argument."""
    seen: list[object] = []

    def make(space, *, seed, objectives, constraints, fidelities=()):  # type: ignore[no-untyped-def]
        seen.append(fidelities)
        return Scripted([0])

    search(Line({"accuracy": [0.4]}, fidelities=(SHORT, FULL)), make)
    assert [(SHORT, FULL)] == seen


def test_with_several_objectives_the_points_no_earlier_one_is_better_than_are_kept() -> None:
    """Each with its query; what is read decides, what is reported is kept with it."""
    line = Line(
        {"accuracy": [0.5, 0.4, 0.6, 0.6], "test_accuracy": [0.1, 0.2, 0.3, 0.4], "latency_ms": [2.0, 3.0, 4.0, 1.0]}
    )
    settings = Settings(protocol="validation", objectives=("latency_ms",), queries=4)
    run = search(line, scripted(0, 1, 2, 3), settings)
    read = [(0, (-0.5, 2.0), (-0.1, 2.0)), (2, (-0.6, 4.0), (-0.3, 4.0)), (3, (-0.6, 1.0), (-0.4, 1.0))]
    assert read == list(run.points)
