"""What predictors see of an architecture: quantiles among random architectures, drawn or given."""

from __future__ import annotations

import math

import numpy as np

from netwright.predictors.inputs import NUM_REFERENCE, Inputs
from netwright.space import SearchSpace, integer
from netwright.types import Architecture


def space() -> SearchSpace:
    return SearchSpace(training={"a": integer("a", 0, 99)})


def test_only_the_given_architectures_are_scored_for_ranks() -> None:
    """Where scores are known of a pool alone, ranks are taken among it; others stand in the middle of the score."""
    rng = np.random.default_rng(1)
    pool = [space().sample(rng) for _ in range(20)]
    asked: list[Architecture] = []

    def scores(arch: Architecture) -> dict[str, float]:
        asked.append(arch)
        return {"score": float(int(arch["a"])) if arch in pool else math.nan}

    inputs = Inputs(space(), 0, scores, among=pool)
    assert set(asked) == set(pool)
    (column,) = inputs.blocks[-1]
    best = max(pool, key=lambda arch: int(arch["a"]))
    other = next(a for a in (Architecture({"a": n}) for n in range(100)) if a not in pool)
    rows = inputs.rows([*pool, other])
    assert rows[pool.index(best), column] == rows[:, column].max() > 0.0
    assert 0.0 == rows[-1, column]


def test_random_architectures_are_drawn_by_default() -> None:
    asked: list[Architecture] = []

    def scores(arch: Architecture) -> dict[str, float]:
        asked.append(arch)
        return {"score": float(int(arch["a"]))}

    Inputs(space(), 0, scores)
    assert len(asked) in (NUM_REFERENCE, NUM_REFERENCE + 1)
