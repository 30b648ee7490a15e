"""Strategies search a sparse table as they search any space."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from netwright.space import SearchSpace
from netwright.space.coded_rows import CodedRows
from netwright.space.remembering import RememberingSpace
from netwright.space.rows import RowsSpace
from netwright.strategies import GridSearch, LocalSearch, RandomSearch, RegularizedEvolution, Strategy
from netwright.testing import cell_space, check_strategy, nested_space


def rows_of(space: SearchSpace) -> SearchSpace:
    """Some rows of a space, as a table has them."""
    rng = np.random.default_rng(0)
    rows = CodedRows.of([space.sample(rng) for _ in range(60)], list(space.choices))
    return RememberingSpace(RowsSpace(space, rows))


@pytest.mark.parametrize(
    "make",
    [
        lambda space, seed: RandomSearch(space, seed=seed),
        lambda space, seed: LocalSearch(space, seed=seed),
        lambda space, seed: RegularizedEvolution(space, seed=seed, population=8, tournament=4),
    ],
    ids=["random", "local", "evolution"],
)
def test_the_suite_of_strategies(make: Callable[[SearchSpace, int], Strategy]) -> None:
    """Inside the rows, no duplicates, exhausted when all are seen, and all else that strategies have to do."""
    spaces = {"nested": rows_of(nested_space()), "cell": rows_of(cell_space())}
    check_strategy(make, spaces=spaces, other_process=False)


def test_grid_search_goes_through_the_rows() -> None:
    """In their order."""
    space = rows_of(cell_space())
    asked = [GridSearch(space).ask(5)[i].architecture for i in range(5)]
    assert [space.unrank(0)] == asked[:1]
    assert all(space.contains(arch) for arch in asked)
