"""Strategies under test, each as a function that fresh interpreters can import."""

from __future__ import annotations

from collections.abc import Callable

from netwright.space import SearchSpace
from netwright.strategies import (
    BayesianOptimization,
    GridSearch,
    LocalSearch,
    RandomSearch,
    RegularizedEvolution,
    Strategy,
    SuccessiveHalving,
)
from netwright.types import Constraint, Objective

TWO = (Objective("accuracy", "max"), Objective("latency_ms", "min"))
LIMITS = (Constraint("params", "<=", 5e5),)


def random_search(space: SearchSpace, seed: int) -> Strategy:
    return RandomSearch(space, seed=seed)


def grid(space: SearchSpace, seed: int) -> Strategy:
    return GridSearch(space, seed=seed)


def evolution(space: SearchSpace, seed: int) -> Strategy:
    return RegularizedEvolution(space, seed=seed)


def evolution_two(space: SearchSpace, seed: int) -> Strategy:
    return RegularizedEvolution(space, seed=seed, objectives=TWO, constraints=LIMITS, crossover=0.5)


def local_search(space: SearchSpace, seed: int) -> Strategy:
    return LocalSearch(space, seed=seed)


def local_search_best(space: SearchSpace, seed: int) -> Strategy:
    return LocalSearch(space, seed=seed, first_improvement=False, num_restarts=2)


def local_search_two(space: SearchSpace, seed: int) -> Strategy:
    return LocalSearch(space, seed=seed, objectives=TWO, constraints=LIMITS)


def asha_evolution(space: SearchSpace, seed: int) -> Strategy:
    return SuccessiveHalving(RegularizedEvolution(space, seed=seed, population=8, tournament=4), max_epochs=9)


def asha_two(space: SearchSpace, seed: int) -> Strategy:
    inner = RandomSearch(space, seed=seed)
    return SuccessiveHalving(inner, max_epochs=9, objectives=TWO, constraints=LIMITS)


def bayesian(space: SearchSpace, seed: int) -> Strategy:
    return BayesianOptimization(space, seed=seed)


def bayesian_two(space: SearchSpace, seed: int) -> Strategy:
    return BayesianOptimization(space, seed=seed, objectives=TWO, constraints=LIMITS, num_initial=8)


FACTORIES: dict[str, Callable[[SearchSpace, int], Strategy]] = {
    f.__name__: f
    for f in (
        random_search,
        evolution,
        evolution_two,
        local_search,
        local_search_best,
        local_search_two,
        asha_evolution,
        asha_two,
        bayesian,
        bayesian_two,
    )
}
