"""Strategies under test, each as a function that fresh interpreters can import."""

from __future__ import annotations

from collections.abc import Callable

from netwright.space import SearchSpace
from netwright.strategies import (
    BOHB,
    NSGA2,
    NSGA3,
    Asha,
    Bananas,
    BayesianOptimization,
    BoostedSearch,
    FreezeThaw,
    GridSearch,
    Hyperband,
    LocalSearch,
    PriorBand,
    ProximalPolicy,
    RandomSearch,
    RegularizedEvolution,
    Reinforce,
    Strategy,
    SuccessiveHalving,
    Transfer,
    auto,
)
from netwright.types import Constraint, Fidelity, Objective

TWO = (Objective("accuracy", "max"), Objective("latency_ms", "min"))
LEVELS = (Fidelity(1.0), Fidelity(3.0), Fidelity(9.0))
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


def bananas(space: SearchSpace, seed: int) -> Strategy:
    return Bananas(space, seed=seed)


def boosted(space: SearchSpace, seed: int) -> Strategy:
    return BoostedSearch(space, seed=seed)


def transfer(space: SearchSpace, seed: int) -> Strategy:
    return Transfer(space, seed=seed)


def reinforce(space: SearchSpace, seed: int) -> Strategy:
    return Reinforce(space, seed=seed)


def ppo(space: SearchSpace, seed: int) -> Strategy:
    return ProximalPolicy(space, seed=seed)


def nsga2(space: SearchSpace, seed: int) -> Strategy:
    return NSGA2(space, seed=seed, objectives=TWO, constraints=LIMITS)


def nsga3(space: SearchSpace, seed: int) -> Strategy:
    return NSGA3(space, seed=seed, objectives=TWO, constraints=LIMITS)


def asha(space: SearchSpace, seed: int) -> Strategy:
    return Asha(space, seed=seed, fidelities=LEVELS)


def hyperband(space: SearchSpace, seed: int) -> Strategy:
    return Hyperband(space, seed=seed, fidelities=LEVELS)


def bohb(space: SearchSpace, seed: int) -> Strategy:
    return BOHB(space, seed=seed, fidelities=LEVELS)


def priorband(space: SearchSpace, seed: int) -> Strategy:
    return PriorBand(space, seed=seed, fidelities=LEVELS)


def freeze_thaw(space: SearchSpace, seed: int) -> Strategy:
    return FreezeThaw(space, seed=seed, fidelities=LEVELS)


def automatic(space: SearchSpace, seed: int) -> Strategy:
    return auto(space, seed=seed, num_trials=100)


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
        bananas,
        boosted,
        transfer,
        reinforce,
        ppo,
        nsga2,
        nsga3,
        asha,
        hyperband,
        bohb,
        priorband,
        freeze_thaw,
        automatic,
    )
}
