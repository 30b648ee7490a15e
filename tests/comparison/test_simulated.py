"""Simulated workers: the clock, who waits for whom, and that one worker is the sequential search."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from comparison_helpers import Failing, Line, Scripted, Square, scripted

from netwright.benchmarks.base import Benchmark
from netwright.comparison.contestants import Contestant
from netwright.comparison.journal import Ending, SearchRun
from netwright.comparison.run import run_search
from netwright.comparison.settings import Settings, make_rules
from netwright.comparison.simulated import simulate_workers
from netwright.comparison.truth import find_truth
from netwright.strategies import LocalSearch, RegularizedEvolution, Strategy

LINE = Line({"accuracy": [0.1, 0.9, 0.5, 0.7], "time_s": [3.0, 5.0, 1.0, 1.0]}, cost="time_s")


def simulate(
    benchmark: Benchmark, make: Callable[..., Strategy], workers: int, queries: int = 4, seed: int = 0
) -> SearchRun:
    rules = make_rules(benchmark, Settings(queries=queries, workers=workers))
    return simulate_workers(benchmark, Contestant("it", make), rules, find_truth(benchmark, rules), seed, workers)


def test_two_workers_end_their_trials_when_the_costs_say() -> None:
    """0 takes 3 s and 1 takes 5 s; 2 starts at 3 s and ends at 4 s, 3 then ends at 5 s together with 1."""
    keep: list[Scripted] = []
    run = simulate(LINE, scripted(0, 1, 2, 3, keep=keep), workers=2)
    assert (3.0, 4.0, 5.0, 5.0) == run.ended_s
    assert (0.1, 0.5, 0.9, 0.9) == run.values
    assert [0, 2, 1, 3] == [trial.id for trial in keep[0].told]
    assert Ending.QUERIES == run.ended


@pytest.mark.parametrize("make", [LocalSearch, RegularizedEvolution])
def test_one_worker_is_the_sequential_search(make: Callable[..., Strategy]) -> None:
    """The same values, and the times are the sums of the costs."""
    square = Square()
    rules = make_rules(square, Settings(queries=60, stop_at_optimum=False))
    alone = run_search(square, Contestant("it", make), rules, find_truth(square, rules), 3)
    run = simulate(square, make, workers=1, queries=60, seed=3)
    assert alone.values == run.values
    assert sorted(run.ended_s) == list(run.ended_s)
    assert 60 * 60 <= run.ended_s[-1] <= 130 * 60


def test_a_thousand_workers_do_all_at_once() -> None:
    """The whole search lasts as long as its longest trial."""
    run = simulate(Square(side=40), RegularizedEvolution, workers=1000, queries=1000)
    assert 1000 == len(run.values)
    assert 120.0 == run.ended_s[-1]


def test_an_exhausted_strategy_ends_when_what_is_running_has_ended() -> None:
    """Nothing that was started is lost."""
    run = simulate(LINE, scripted(0, 1), workers=3, queries=9)
    assert ((3.0, 5.0), Ending.EXHAUSTED) == (run.ended_s, run.ended)


def test_a_strategy_that_waits_for_results_is_asked_again_when_one_is_there() -> None:
    """It returns nothing while its first trial is pending."""

    class Once(Scripted):
        pending = False

        def ask(self, n):  # type: ignore[no-untyped-def]
            if self.pending:
                return []
            self.pending = True
            return super().ask(1)

        def tell(self, trials):  # type: ignore[no-untyped-def]
            super().tell(trials)
            self.pending = False

    run = simulate(LINE, lambda *_, **__: Once([0, 1, 2]), workers=2, queries=3)
    assert (3.0, 8.0, 9.0) == run.ended_s


def test_an_unknown_cost_is_the_mean_of_those_before() -> None:
    """3 s and 5 s make 4 s; the first of all would take no time."""
    line = Line({"accuracy": [0.1, 0.9, 0.5], "time_s": [3.0, 5.0, math.nan]}, cost="time_s")
    assert (3.0, 8.0, 12.0) == simulate(line, scripted(0, 1, 2), workers=1, queries=3).ended_s
    assert (0.0, 3.0, 8.0) == simulate(line, scripted(2, 0, 1), workers=1, queries=3).ended_s


def test_a_crash_keeps_what_had_ended() -> None:
    """Values and times are of one length."""
    run = simulate(Square(), Failing, workers=2, queries=50, seed=1)
    assert Ending.CRASHED == run.ended
    assert "the planted crash" in run.error
    assert len(run.values) == len(run.ended_s)
