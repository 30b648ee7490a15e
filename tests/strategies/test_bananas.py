"""Predictor-guided searches: they keep the protocol, find good architectures, and say what they miss."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from netwright.benchmarks import load_benchmark
from netwright.errors import MissingDependencyError, UsageError
from netwright.predictors import boosted_trees
from netwright.space import SearchSpace
from netwright.strategies import RandomSearch, Strategy
from netwright.strategies.bananas import Bananas, independent_thompson
from netwright.strategies.boosted import BoostedSearch
from netwright.testing import check_strategy, example_spaces, tiny_space
from netwright.testing.simulation import Simulation
from netwright.types import Constraint, Objective, Trial, TrialState

SPACES = example_spaces()
TWO = (Objective("accuracy", "max"), Objective("latency_ms", "min"))
LIMITS = (Constraint("params", "<=", 5e5),)


def bananas(space: SearchSpace, seed: int) -> Strategy:
    return Bananas(space, seed=seed)


def bananas_two(space: SearchSpace, seed: int) -> Strategy:
    return Bananas(space, seed=seed, objectives=TWO, constraints=LIMITS)


def boosted(space: SearchSpace, seed: int) -> Strategy:
    return BoostedSearch(space, seed=seed)


def boosted_two(space: SearchSpace, seed: int) -> Strategy:
    return BoostedSearch(space, seed=seed, objectives=TWO, constraints=LIMITS)


def test_a_draw_is_around_the_mean() -> None:
    """Thousands of draws of one mean and deviation have these; the generator decides them."""
    means, stds = np.full(4000, 2.0), np.full(4000, 0.5)
    drawn = independent_thompson(means, stds, 9.0, np.random.default_rng(0))
    assert (2.0, 0.5) == pytest.approx((drawn.mean(), drawn.std()), abs=0.03)
    assert drawn.tolist() == independent_thompson(means, stds, 0.0, np.random.default_rng(0)).tolist()


def test_bananas_keeps_the_protocol() -> None:
    """It passes the conformance suite on a tiny space; other spaces are slow."""
    check_strategy(bananas, spaces={"tiny": tiny_space()}, other_process=False)


@pytest.mark.slow
@pytest.mark.parametrize("space", ["nested", "mixed", "small_cell", "cell"])
@pytest.mark.parametrize("factory", [bananas, bananas_two, boosted, boosted_two])
def test_they_keep_the_protocol_on_every_space(factory: Callable[[SearchSpace, int], Strategy], space: str) -> None:
    """Both pass the suite on conditional, infinite and cell spaces, with one objective and with two and a limit."""
    if factory in (boosted, boosted_two):
        pytest.importorskip("sklearn")
    by_function = factory in (bananas, boosted)  # for a front, isomorphic networks differ
    check_strategy(factory, spaces={space: SPACES[space]}, other_process=False, by_function=by_function)


@pytest.mark.parametrize("factory", [bananas, boosted])
def test_their_first_proposals_are_random_ones(factory: Callable[[SearchSpace, int], Strategy]) -> None:
    """As published: the ten that a random search of the same seed proposes, not ones far from each other."""
    if factory is boosted:
        pytest.importorskip("sklearn")
    ours = [p.architecture for p in factory(SPACES["cell"], 3).ask(10)]
    assert ours == [p.architecture for p in RandomSearch(SPACES["cell"], seed=3).ask(10)]


def test_boosted_trees_search_replays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed and history give the same proposals, also past the first model, with pending trials."""
    pytest.importorskip("sklearn")
    monkeypatch.setattr(boosted_trees, "NUM_TREES", 3)
    traces = [Simulation(boosted(SPACES["nested"], 1), SPACES["nested"]).run(14, 2).trace() for _ in range(2)]
    assert traces[0] == traces[1]


def test_the_search_of_boosted_trees_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused when it is made, not when the first model is."""
    monkeypatch.setattr(boosted_trees, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"'scikit-learn'.*pip install 'netwright\[predictors\]'"):
        BoostedSearch(tiny_space())


@pytest.mark.parametrize("strategy", [Bananas, BoostedSearch])
def test_a_model_needs_a_first_proposal(strategy: Callable[..., Strategy]) -> None:
    """Less than one first proposal is refused."""
    pytest.importorskip("sklearn")
    with pytest.raises(UsageError, match="num_initial must be >= 1, got 0"):
        strategy(tiny_space(), num_initial=0)


def regret(make: Callable[[SearchSpace, int], Strategy], data: Path, seed: int, queries: int) -> float:
    """Points between the best of NAS-Bench-Macro and the best of so many queries."""
    table = load_benchmark("nasbench-macro", data)
    strategy, best = make(table.space, seed), 0.0
    for query in range(queries):
        (proposal,) = strategy.ask(1)
        accuracy = table.query(proposal.architecture)["test_accuracy"]
        best = max(best, accuracy)
        strategy.tell([Trial(query, proposal, query, TrialState.FINISHED, {"accuracy": accuracy})])
    optimum = table.optimum("test_accuracy")
    assert optimum is not None
    return 100 * (optimum - best)


@pytest.mark.slow
@pytest.mark.parametrize("factory", [bananas, boosted])
def test_they_beat_random_search(factory: Callable[[SearchSpace, int], Strategy], shared_data: Path) -> None:
    """On NAS-Bench-Macro the mean regret after 60 queries is less than half that of random search, over 6 seeds."""
    if factory is boosted:
        pytest.importorskip("sklearn")
    at_random = [regret(lambda s, seed: RandomSearch(s, seed=seed), shared_data, seed, 60) for seed in range(6)]
    guided = [regret(factory, shared_data, seed, 60) for seed in range(6)]
    assert 2 * np.mean(guided) < np.mean(at_random)
