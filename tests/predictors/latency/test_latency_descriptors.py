"""Rows of architectures: blocks, scales, and sizes that a person tells."""

from __future__ import annotations

import math

import numpy as np
import pytest

from netwright.errors import DataError
from netwright.predictors.latency.descriptors import Descriptors
from netwright.testing import cell_space, example_spaces
from netwright.types import Architecture


@pytest.mark.parametrize("name", example_spaces())
def test_every_space_has_rows(name: str) -> None:
    """In each example space rows are finite, blocks of mean 0 and mean squared length 1, or of length 0."""
    space = example_spaces()[name]
    descriptors = Descriptors(space)
    assert np.isfinite(descriptors.reference).all()
    for where in descriptors.slices.values():
        block = descriptors.reference[:, where]
        np.testing.assert_allclose(0.0, block.mean(axis=0), atol=1e-9)
        length = float(np.square(block).sum(axis=1).mean())
        assert min(abs(length - 1), abs(length)) < 1e-9


def test_dead_operations_count_as_choices() -> None:
    """Two cells that differ in an operation which leads nowhere differ in choices and not in operations."""
    descriptors = Descriptors(cell_space())
    ops = {f"edge{i}": "none" for i in range(6)} | {"edge3": "nor_conv_3x3"}
    a, b = descriptors.rows([Architecture(ops), Architecture(ops | {"edge0": "nor_conv_3x3"})])
    where = descriptors.slices
    assert np.array_equal(a[where["operations"]], b[where["operations"]])
    assert not np.array_equal(a[where["choices"]], b[where["choices"]])


def test_sizes_are_a_block_in_units_of_their_own() -> None:
    """Multiply-adds in millions and parameters in thousands weigh alike."""
    space = cell_space()

    def sizes(architecture: Architecture) -> dict[str, float]:
        convs = list(architecture.values()).count("nor_conv_3x3")
        return {"macs": 1e9 * convs, "params": 1e3 * convs + len(architecture)}

    block = Descriptors(space, sizes).reference[:, :2]
    np.testing.assert_allclose(block[:, 0], block[:, 1], atol=1e-9)


@pytest.mark.parametrize("told", [{"macs": math.nan}, {"macs": math.inf}, {}])
def test_a_size_that_is_no_number_is_named(told: dict[str, float]) -> None:
    """A size that is not finite, or once not told, is an error that names it."""
    calls = iter([{"macs": 1.0}])
    with pytest.raises(DataError, match=r"size 'macs' of .* must be a finite number"):
        Descriptors(cell_space(), lambda _: next(calls, told))
