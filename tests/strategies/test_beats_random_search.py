"""On real tables every strategy that learns beats random search, and the same strategy told wrong numbers does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netwright.benchmarks import load_benchmark
from netwright.benchmarks.table import Table
from netwright.comparison import Comparison, Settings, compare
from netwright.errors import DataError
from netwright.space import SearchSpace
from netwright.strategies import STRATEGIES, Proposal, RandomSearch, Strategy
from netwright.types import Architecture, Objective, Trial

LEVEL = 1e-3
TABLES = ("nasbench201-cifar10", "nasbench-macro", "channel-bench-mobilenet")
QUICK = ("evolution", "local", "reinforce", "ppo", "nsga2", "bayesian")
DEAR = ("bananas", "boosted-trees")


class Misled:
    """A strategy with a planted bug: it is told what another architecture scored.

    Args:
        inner: the strategy.
        metric: what it is told wrongly.
        wrong: the number by architecture.
    """

    def __init__(self, inner: Strategy, metric: str, wrong: dict[Architecture, float]) -> None:
        self._inner, self._metric, self._wrong = inner, metric, wrong

    def ask(self, n: int) -> Sequence[Proposal]:
        return self._inner.ask(n)

    def tell(self, trials: Sequence[Trial]) -> None:
        self._inner.tell([replace(t, metrics={self._metric: self._wrong[t.architecture]}) for t in trials])


def misled(
    name: str, wrong: dict[Architecture, float], space: SearchSpace, objectives: Sequence[Objective], **given: Any
) -> Strategy:
    return Misled(STRATEGIES[name](space, objectives=objectives, **given), objectives[0].metric, wrong)


def open_table(name: str, folder: Path) -> Table:
    try:
        table = load_benchmark(name, folder)
    except DataError as error:
        pytest.skip(f"no table: {error}")
    assert isinstance(table, Table)
    return table


def shuffled(table: Table) -> dict[Architecture, float]:
    """What is read of each architecture, dealt out anew."""
    known = {a: table.query(a)[table.default_metric] for a in table.space.enumerate()}
    numbers = np.random.default_rng(0).permutation(list(known.values())).tolist()
    return dict(zip(known, numbers, strict=True))


def better_than_random(comparison: Comparison) -> set[str]:
    """Strategies whose mean regret is lower by a test over paired seeds, corrected for all pairs (Holm)."""
    assert comparison.crashes == ()
    assert comparison.tests is not None
    decided = [test for test in comparison.tests if "random" in (test.a, test.b) and test.p_holm < LEVEL]
    return {test.a if test.difference < 0 else test.b for test in decided} - {"random"}


def contestants(names: Sequence[str], table: Table) -> dict[str, Callable[..., Strategy]]:
    wrong = shuffled(table)
    true = {name: STRATEGIES[name] for name in names}
    return {"random": RandomSearch, **true, **{f"misled {name}": partial(misled, name, wrong) for name in names}}


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("table", TABLES)
def test_strategies_beat_random_search_and_misled_ones_do_not(table: str, shared_data: Path) -> None:
    """At 150 queries over 50 paired seeds; with the planted bug none of them is better."""
    opened = open_table(table, shared_data)
    settings = Settings(queries=150, seeds=50)
    assert better_than_random(compare(opened, contestants(QUICK, opened), settings, jobs=1)) == set(QUICK)


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("table", TABLES)
def test_predictor_guided_ones_beat_random_search_and_misled_ones_do_not(table: str, shared_data: Path) -> None:
    """At 50 queries over 20 paired seeds, since a fit of theirs takes up to half a second."""
    opened = open_table(table, shared_data)
    settings = Settings(queries=50, seeds=20)
    assert better_than_random(compare(opened, contestants(DEAR, opened), settings, jobs=1)) == set(DEAR)
