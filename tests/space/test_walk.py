"""A walk through a space ends in an architecture of it, and every architecture is reached by one walk."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_spaces import brute_force, random_space

from netwright.errors import SpaceError
from netwright.space import Op, SearchSpace, choice, integer, real
from netwright.space.coded_rows import CodedRows
from netwright.space.remembering import RememberingSpace
from netwright.space.rows import RowsSpace
from netwright.space.values import each
from netwright.space.walk import Walk
from netwright.testing import tiny_space
from netwright.types import Architecture, Value

SEEDS = st.integers(0, 2**40)
MOST = 80


def small_space(seed: int, state_limit: int = 200_000) -> tuple[SearchSpace, set[Architecture]] | None:
    """A random space and what is in it, by brute force; None where that is nothing or much."""
    declaration = random_space(seed)
    expected = brute_force(declaration)
    if not 0 < len(expected) <= MOST:
        return None
    options = {"constraints": declaration.constraints, "training": declaration.training}
    return SearchSpace(declaration.root, **options, state_limit=state_limit), expected  # type: ignore[arg-type]


def walk_along(space: SearchSpace, values: tuple[Value, ...]) -> Walk:
    walk = space.walk()
    for value in values:
        walk.take(value)
    return walk


def all_walks(space: SearchSpace) -> Iterator[Walk]:
    """Every walk, to its end."""
    open_ends: list[tuple[Value, ...]] = [()]
    while open_ends:
        values = open_ends.pop()
        walk = walk_along(space, values)
        if walk.step is None:
            yield walk
        else:
            open_ends.extend((*values, value) for value in each(walk.step.options))


@settings(deadline=None, derandomize=True, max_examples=40)
@given(SEEDS)
def test_walks_are_the_architectures(seed: int) -> None:
    """All walks together end in every architecture, each once, and in nothing else; no walk has to turn back."""
    case = small_space(seed)
    if case is not None:
        ends = [walk.architecture() for walk in all_walks(case[0])]
        assert len(ends) == len(case[1])
        assert set(ends) == case[1]


@settings(deadline=None, derandomize=True, max_examples=20)
@given(SEEDS)
def test_walks_over_rows_are_the_rows(seed: int) -> None:
    """In a space of rows, walks end in every row, each once, and in nothing else."""
    case = small_space(seed)
    if case is not None:
        rows = sorted(case[1], key=lambda a: a.to_json())[::2]
        space = RowsSpace(case[0], CodedRows.of(rows, list(case[0].choices)))
        ends = [walk.architecture() for walk in all_walks(space)]
        assert len(ends) == len(rows)
        assert set(ends) == set(rows)


@settings(deadline=None, derandomize=True, max_examples=20)
@given(SEEDS)
def test_where_constraints_hold_by_rejection_a_walk_says_that_it_failed(seed: int) -> None:
    """With constraints left out of the diagram every architecture is still reached, and all other ends are None."""
    case = small_space(seed)
    if case is None:
        return
    free = SearchSpace(case[0].root, training=case[0].training)
    if free.count() <= 5 * MOST:
        space = small_space(seed, state_limit=free.num_states)
        assert space is not None
        ends = [walk.architecture() for walk in all_walks(space[0])]
        assert set(ends) - {None} == case[1]


@settings(deadline=None, derandomize=True, max_examples=20)
@given(SEEDS)
def test_weights_make_a_walk_uniform(seed: int) -> None:
    """Options taken by their weights give every architecture, also every row, the same chance."""
    case = small_space(seed)
    if case is None:
        return
    rows = CodedRows.of(sorted(case[1], key=lambda a: a.to_json())[::3], list(case[0].choices))
    for space in (case[0], RowsSpace(case[0], rows)):
        for arch in space.enumerate():
            walk, chances = space.walk(), []
            while (step := walk.step) is not None:
                place, size = step.options.position(arch[step.choice.name]), step.options.size
                assert place is not None
                chances.append(1 / size if step.weights is None else step.weights[place] / sum(step.weights))
                walk.take(arch[step.choice.name])
            assert prod(chances) == pytest.approx(1 / space.count())


def test_large_ranges_are_not_listed() -> None:
    """A range of a billion and a real range are options as they are; a real is written as a float."""
    space = SearchSpace(Op("conv", (("n", integer("n", 1, 10**9)), ("x", real("x", 0, 1)))))
    walk = space.walk()
    assert walk.step is not None
    assert (walk.step.options.size, walk.step.weights) == (10**9, None)
    walk.take(123_456_789)
    walk.take(1)
    assert walk.architecture() == Architecture({"n": 123_456_789, "x": 1.0})


def test_the_same_step_is_the_same_object() -> None:
    """Steps are made once for a state, so that what is worked out about them can be remembered."""
    space = RememberingSpace(tiny_space())
    assert space.walk().step is space.walk().step
    assert walk_along(space, (8,)).step is walk_along(space, (16,)).step


def test_steps_many_rows_pass_are_the_same_object() -> None:
    """Of a table of a thousand rows the first step is made once."""
    declared = SearchSpace(Op("conv", tuple((n, choice(n, list(range(10)))) for n in "abc")))
    space = RowsSpace(declared, CodedRows.of(list(declared.enumerate()), list("abc")))
    assert space.walk().step is space.walk().step
    assert walk_along(space, (3, 4, 5)).architecture() == Architecture({"a": 3, "b": 4, "c": 5})


@pytest.mark.parametrize("rows", [False, True])
def test_what_is_not_open_is_refused(rows: bool) -> None:
    """A value that is not an option, a value too many, and an end too early name the choice and the cure."""
    space = tiny_space()
    if rows:
        space = RowsSpace(space, CodedRows.of([Architecture({"width": 8, "bias": True})], ["width", "bias"]))
    walk = space.walk()
    with pytest.raises(SpaceError, match=r"decision 'width' must be one of .*got 7; take an allowed value"):
        walk.take(7)
    with pytest.raises(SpaceError, match="choice 'width' is to be decided; take one of its options"):
        walk.architecture()
    walk.take(8)
    walk.take(True)
    with pytest.raises(SpaceError, match="everything is decided"):
        walk.take(8)


def test_a_uniform_walk_is_drawn_by_the_weights() -> None:
    """Of a skip without and a convolution with three kernels, a quarter of the draws are the skip."""
    space = SearchSpace(Op("conv", (("n", integer("n", 0, 1)), ("m", integer("m", 0, 2 * integer("n", 0, 1))))))
    rng = np.random.default_rng(0)
    zeros = 0
    for _ in range(200):
        walk = space.walk()
        while (step := walk.step) is not None:
            weights = step.weights or (1,) * step.options.size
            walk.take(step.options.at(int(rng.choice(len(weights), p=np.array(weights) / sum(weights)))))
        zeros += walk.decisions["n"] == 0
    assert 30 <= zeros <= 70
