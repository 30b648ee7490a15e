"""A space that remembers answers as the space that it remembers for."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.errors import SpaceError
from netwright.space import SearchSpace
from netwright.space.coded_rows import CodedRows
from netwright.space.remembering import RememberingSpace
from netwright.space.rows import RowsSpace
from netwright.types import Architecture


@pytest.fixture(params=["whole", "rows"])
def pair(request: pytest.FixtureRequest, space: SearchSpace) -> tuple[SearchSpace, RememberingSpace]:
    """A space, and one that remembers for it."""
    if request.param == "rows":
        space = RowsSpace(space, CodedRows.of(list(space.enumerate())[::2], list(space.choices)))
    return space, RememberingSpace(space)


def test_same_answers(pair: tuple[SearchSpace, RememberingSpace]) -> None:
    """Asked twice, all answers are those of the space."""
    plain, space = pair
    listed = list(plain.enumerate())
    assert listed == list(space.enumerate())
    assert (plain.count(), plain.fingerprint(), plain.num_states) == (
        space.count(),
        space.fingerprint(),
        space.num_states,
    )
    for arch in listed * 2:
        assert plain.canonical_id(arch) == space.canonical_id(arch)
        assert list(plain.neighbours(arch)) == list(space.neighbours(arch))
        assert plain.graph(arch) == space.graph(arch)
        assert plain.training_values(arch) == space.training_values(arch)
        assert plain.rank(arch) == space.rank(arch)
        assert plain.unrank(plain.rank(arch)) == space.unrank(plain.rank(arch)) == space.architecture(arch)
        for kind in ("one-hot", "path"):
            np.testing.assert_array_equal(plain.encode(arch, kind), space.encode(arch, kind))


def test_same_draws(pair: tuple[SearchSpace, RememberingSpace]) -> None:
    """Equal generators give equal architectures."""
    plain, space = pair
    a, b = np.random.default_rng(3), np.random.default_rng(3)
    for _ in range(20):
        first, second = plain.sample(a), plain.sample(a)
        assert (first, second) == (space.sample(b), space.sample(b))
        assert plain.mutate(first, a) == space.mutate(first, b)
        assert plain.crossover(first, second, a) == space.crossover(first, second, b)


def test_answers_are_remembered(pair: tuple[SearchSpace, RememberingSpace]) -> None:
    """The same objects come again, and cannot be written to."""
    _, space = pair
    arch = space.sample(np.random.default_rng(0))
    assert space.graph(arch) is space.graph(Architecture(dict(arch)))
    assert space.encode(arch) is space.encode(arch)
    assert all(a is b for a, b in zip(space.neighbours(arch), space.neighbours(arch), strict=True))
    with pytest.raises(ValueError, match="read-only"):
        space.encode(arch)[0] = 1.0


def test_what_is_outside_stays_outside(pair: tuple[SearchSpace, RememberingSpace]) -> None:
    """The reason is that of the space."""
    plain, space = pair
    outside = Architecture({"op": "pool"})
    assert plain.explain(outside) == space.explain(outside) == space.explain(outside)
    with pytest.raises(SpaceError, match="decision 'op' must be one of"):
        space.neighbours(outside)
