"""On a real table the strategies beat random search, and a search that learns nothing does not."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from netwright.space import SearchSpace
from netwright.strategies import LocalSearch, RandomSearch, RegularizedEvolution, Strategy
from netwright.testing import cell_space
from netwright.types import Architecture, Trial, TrialState

SEEDS = 50
QUERIES = 150
LEVEL = 1e-3

MAKE: dict[str, Callable[[SearchSpace, int], Strategy]] = {
    "evolution": lambda space, seed: RegularizedEvolution(space, seed=seed),
    "local": lambda space, seed: LocalSearch(space, seed=seed),
}


class Remembering(SearchSpace):
    """Canonical ids worked out once for all searches of this test."""

    def __init__(self, space: SearchSpace) -> None:
        super().__init__(space.root)
        self.known: dict[Architecture, str] = {}

    def canonical_id(self, arch: Architecture) -> str:
        if arch not in self.known:
            self.known[arch] = super().canonical_id(arch)
        return self.known[arch]


@pytest.fixture(scope="module")
def table(shared_data: Path) -> dict[Architecture, float]:
    """Mean CIFAR-10 test accuracy by architecture."""
    file = shared_data / "nasbench201" / "nasbench201.npz"
    if not file.is_file():
        pytest.skip(f"no NAS-Bench-201 table at {file}")
    with np.load(file) as arrays:
        names = [str(name) for name in arrays["op_names"]]
        rows, accuracies = arrays["ops"].tolist(), (arrays["cifar10__test_200"] / 100).tolist()
    decisions = ({f"edge{i}": names[op] for i, op in enumerate(ops)} for ops in rows)
    return {Architecture(d): accuracy for d, accuracy in zip(decisions, accuracies, strict=True)}


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    return Remembering(cell_space())


def best(strategy: Strategy, table: dict[Architecture, float], told: dict[Architecture, float]) -> float:
    """Best true accuracy among the proposals of a search that is told other numbers."""
    found = 0.0
    for query in range(QUERIES):
        (proposal,) = strategy.ask(1)
        found = max(found, table[proposal.architecture])
        metrics = {"accuracy": told[proposal.architecture]}
        strategy.tell([Trial(query, proposal, query, TrialState.FINISHED, metrics)])
    return found


def sign_test(ours: list[float], theirs: list[float]) -> float:
    """One-sided p-value of "ours is better" over paired seeds; ties are left out."""
    wins = sum(a > b for a, b in zip(ours, theirs, strict=True))
    losses = sum(a < b for a, b in zip(ours, theirs, strict=True))
    return sum(math.comb(wins + losses, k) for k in range(wins, wins + losses + 1)) / 2 ** (wins + losses)


def holm(p_values: dict[str, float], level: float) -> set[str]:
    """Names whose hypothesis is rejected at the family-wise level, by Holm's step-down procedure."""
    rejected: set[str] = set()
    for place, name in enumerate(sorted(p_values, key=p_values.__getitem__)):
        if p_values[name] > level / (len(p_values) - place):
            break
        rejected.add(name)
    return rejected


def test_the_sign_test_and_holms_procedure_are_right() -> None:
    """Two values worked out by hand: 9 of 10 wins give 11/1024, and Holm stops at the first that is not small."""
    assert sign_test([1.0] * 9 + [0.0], [0.5] * 10) == 11 / 1024
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}, 0.05) == {"a"}
    assert holm({"a": 0.01, "b": 0.04, "c": 0.02}, 0.05) == {"a", "b", "c"}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_strategies_beat_random_search_and_a_shuffled_objective_does_not(
    table: dict[Architecture, float], space: SearchSpace
) -> None:
    """At 150 queries over 50 paired seeds; the planted bug, told numbers of other architectures, is not better."""
    values = list(table.values())
    order = np.random.default_rng(0).permutation(len(values))
    shuffled = {architecture: values[i] for architecture, i in zip(table, order, strict=True)}
    random = [best(RandomSearch(space, seed=s), table, table) for s in range(SEEDS)]
    p_values = {}
    for name, make in MAKE.items():
        for label, told in (("true", table), ("shuffled", shuffled)):
            found = [best(make(space, s), table, told) for s in range(SEEDS)]
            p_values[f"{name} {label}"] = sign_test(found, random)
    assert holm(p_values, LEVEL) == {f"{name} true" for name in MAKE}, p_values
