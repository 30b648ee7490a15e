"""The laws every search space keeps, on random small spaces against brute force."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_spaces import RandomSpace, brute_force, random_space

from netwright.errors import SpaceError
from netwright.space import SearchSpace
from netwright.types import Architecture

SEEDS = st.integers(0, 2**40)


def make(declaration: RandomSpace, **options: int) -> SearchSpace:
    return SearchSpace(declaration.root, constraints=declaration.constraints, training=declaration.training, **options)


def check_set(seed: int) -> None:
    declaration = random_space(seed)
    expected = brute_force(declaration)
    space = make(declaration)
    if not expected:
        with pytest.raises(SpaceError, match="no architecture"):
            space.count()
        return
    actual = list(space.enumerate())
    assert set(actual) == expected
    assert len(actual) == len(expected)
    assert space.count() == len(expected)
    for index, arch in enumerate(actual):
        assert space.explain(arch) is None
        assert Architecture.from_json(arch.to_json()) == arch
        assert space.architecture(dict(arch)) == arch
        assert space.rank(arch) == index
        space.resolve(arch)


@settings(deadline=None, derandomize=True, max_examples=120)
@given(SEEDS)
def test_enumeration_is_brute_force(seed: int) -> None:
    """Count and enumeration are those of all assignments filtered by a naive checker; all round-trip."""
    check_set(seed)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(deadline=None, derandomize=True, max_examples=10_000)
@given(SEEDS)
def test_enumeration_is_brute_force_on_ten_thousand(seed: int) -> None:
    """The same on 10,000 spaces."""
    check_set(seed)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(SEEDS)
def test_rejection_is_the_same_set(seed: int) -> None:
    """With constraints left out of the diagram, the same architectures are enumerated and contained."""
    declaration = random_space(seed)
    expected = brute_force(declaration)
    if expected:
        states = make(RandomSpace(declaration.root, [], declaration.training)).num_states
        space = make(declaration, state_limit=states)
        assert set(space.enumerate()) == expected
        assert space.sample(np.random.default_rng(seed)) in expected


def small(seed: int, most: int) -> tuple[SearchSpace, list[Architecture]] | None:
    declaration = random_space(seed)
    archs = sorted(brute_force(declaration), key=lambda a: a.to_json())
    return (make(declaration), archs) if 2 <= len(archs) <= most else None


def distance(a: Architecture, b: Architecture) -> int:
    return sum(a[name] != b[name] for name in a if name in b)


def check_moves(seed: int) -> None:
    case = small(seed, 60)
    if case is None:
        return
    space, archs = case
    neighbours = {a: list(space.neighbours(a)) for a in archs}
    rng = np.random.default_rng(seed)
    for a in archs:
        assert len(set(neighbours[a])) == len(neighbours[a])
        assert set(neighbours[a]) == {b for b in archs if distance(a, b) == 1}
        assert all(a in neighbours[b] for b in neighbours[a])
    for a in archs[:6]:
        for k in (1, 2, 3):
            if any(distance(a, b) == k for b in archs):
                child = space.mutate(a, rng, k)
                assert child in archs
                assert distance(a, child) == k
            else:
                with pytest.raises(SpaceError, match=f"exactly {k} decisions"):
                    space.mutate(a, rng, k)
    for a, b in combinations(archs[:5], 2):
        child = space.crossover(a, b, rng)
        assert child in archs
        for name in child:
            if name in a or name in b:
                assert child[name] in [parent[name] for parent in (a, b) if name in parent]


@settings(deadline=None, derandomize=True, max_examples=80)
@given(SEEDS)
def test_moves_are_those_of_the_definition(seed: int) -> None:
    """Neighbours are symmetric, complete and never itself; mutation changes exactly k; crossover mixes parents."""
    check_moves(seed)


@pytest.mark.slow
@settings(deadline=None, derandomize=True, max_examples=1200)
@given(SEEDS)
def test_moves_are_those_of_the_definition_on_thousands(seed: int) -> None:
    """The same on thousands of spaces."""
    check_moves(seed)


def chi_square_excess(counts: np.ndarray) -> float:
    """Standard deviations by which chi-square of a uniform distribution exceeds its mean (Wilson-Hilferty)."""
    expected = counts.sum() / len(counts)
    freedom = len(counts) - 1
    statistic = ((counts - expected) ** 2 / expected).sum()
    spread = 2 / (9 * freedom)
    return float(((statistic / freedom) ** (1 / 3) - (1 - spread)) / spread**0.5)


def check_uniform(seed: int, limit: float) -> None:
    case = small(seed, 40)
    if case is None:
        return
    space, archs = case
    rng = np.random.default_rng(seed)
    number = {arch: index for index, arch in enumerate(archs)}
    counts = np.zeros(len(archs))
    for _ in range(30 * len(archs)):
        counts[number[space.sample(rng)]] += 1
    assert chi_square_excess(counts) < limit


@settings(deadline=None, derandomize=True, max_examples=60)
@given(SEEDS)
def test_sampling_is_uniform(seed: int) -> None:
    """Every architecture is drawn equally often: chi-square over 60 spaces at a family-wise error of 1e-6."""
    check_uniform(seed, 5.7)  # a normal deviate exceeds it with probability 6e-9


@pytest.mark.slow
@settings(deadline=None, derandomize=True, max_examples=2000)
@given(SEEDS)
def test_sampling_is_uniform_on_thousands(seed: int) -> None:
    """The same on thousands of spaces."""
    check_uniform(seed, 6.3)  # 1.5e-10


def test_chi_square_finds_a_sampler_that_takes_choices_evenly() -> None:
    """Drawing choice by choice, which favours the branch with few architectures, fails the test."""
    rng = np.random.default_rng(0)
    branch = rng.integers(2, size=300)
    counts = np.bincount(np.where(branch == 0, 0, 1 + rng.integers(9, size=300)), minlength=10)
    assert chi_square_excess(counts) > 6.3
