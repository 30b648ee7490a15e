"""Changes of the objective that must not change the search."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from netwright.space import SearchSpace
from netwright.strategies import (
    BayesianOptimization,
    LocalSearch,
    RandomSearch,
    RegularizedEvolution,
    Strategy,
    SuccessiveHalving,
)
from netwright.testing import Simulation, cell_space, synthetic_metrics
from netwright.types import Architecture, Fidelity, Objective

Make = Callable[[SearchSpace, tuple[Objective, ...]], Strategy]
MAKE: dict[str, Make] = {
    "evolution": lambda space, objectives: RegularizedEvolution(space, objectives=objectives),
    "local": lambda space, objectives: LocalSearch(space, objectives=objectives),
    "local_best": lambda space, objectives: LocalSearch(space, objectives=objectives, first_improvement=False),
    "bayesian": lambda space, objectives: BayesianOptimization(space, objectives=objectives),
    "asha": lambda space, objectives: SuccessiveHalving(RandomSearch(space), max_epochs=9, objectives=objectives),
}
LENGTH = {"bayesian": 12}
"""Trials, where an ask takes long."""
ACCURACY = Objective("accuracy", "max")


def monotone(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
    metrics = synthetic_metrics(architecture, fidelity)
    return metrics | {"accuracy": 100 * math.exp(3 * metrics["accuracy"]) - 7}


def negated(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
    metrics = synthetic_metrics(architecture, fidelity)
    return metrics | {"accuracy": -metrics["accuracy"]}


def shuffled(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
    metrics = synthetic_metrics(architecture, fidelity)
    return metrics | {"accuracy": (metrics["accuracy"] * 1e4) % 1}


@pytest.mark.parametrize("name", MAKE)
def test_a_monotone_transform_of_the_objective_changes_nothing(name: str) -> None:
    """Only the order of values counts; a transform that is not monotone does change the search."""
    space = cell_space()
    plain, transformed, other = (
        Simulation(MAKE[name](space, (ACCURACY,)), space, evaluate).run(LENGTH.get(name, 60)).trace()
        for evaluate in (synthetic_metrics, monotone, shuffled)
    )
    assert plain == transformed
    assert plain != other


@pytest.mark.parametrize("name", MAKE)
def test_maximising_equals_minimising_the_negative(name: str) -> None:
    """The direction of an objective is nothing but a sign."""
    space = cell_space()
    largest = Simulation(MAKE[name](space, (ACCURACY,)), space).run(LENGTH.get(name, 60))
    smallest = Simulation(MAKE[name](space, (Objective("accuracy", "min"),)), space, negated).run(LENGTH.get(name, 60))
    assert largest.trace() == smallest.trace()
