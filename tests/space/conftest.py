"""One space that many tests read."""

from __future__ import annotations

import pytest
from declared import op, seq

from netwright.space import OneOf, Op, SearchSpace, choice, integer


@pytest.fixture
def space() -> SearchSpace:
    """A convolution with a kernel, or a skip, of shared width; a rate."""
    width = choice("width", [16, 24, 32])
    conv = op("conv", width=width * 2, kernel=choice("kernel", {16: [3, 5], 24: [3], 32: [7]}, on=width))
    body = OneOf(choice("op", ["conv", "skip"]), (("conv", conv), ("skip", Op("identity"))))
    return SearchSpace(seq(body, op("linear", width=10)), training={"epochs": integer("epochs", 1, 4), "decay": 0.5})
