"""Sizes that are counted once for equal operations are those of the written network."""

from __future__ import annotations

import re

import numpy as np
import pytest

from netwright.errors import BuildError
from netwright.nn.building import given_in_namespace
from netwright.nn.profiling import profile
from netwright.nn.spaces import SPACES
from netwright.nn.writing import measure, write
from netwright.space import OpTerm
from netwright.tasks.image_spaces import image_space


@pytest.mark.parametrize("name", ["image_space", *sorted(SPACES)])
def test_sizes_are_those_of_the_written_network(name: str) -> None:
    """Parameters, multiply-accumulates, activations, depth and shape, in an order in which operations come again."""
    shape = (3, 32, 32)
    space = image_space(shape, 10) if name == "image_space" else SPACES[name](shape, 10)
    rng = np.random.default_rng(0)
    terms = [space.resolve(space.sample(rng)) for _ in range(4)]
    for term in (*terms, *reversed(terms)):
        try:
            written = write(term, input_shape=shape, own_code=given_in_namespace)
        except BuildError as error:  # a cell without a way through it
            with pytest.raises(BuildError, match=re.escape(str(error))):
                measure(term, input_shape=shape)
            continue
        assert measure(term, input_shape=shape) == (written.size, written.output)


def test_an_error_names_the_place_each_time() -> None:
    wrong = OpTerm("seq", children=(OpTerm("global_pool"), OpTerm("conv", (("channels", 8), ("kernel", 3)))))
    for _ in range(2):
        with pytest.raises(BuildError, match=r"conv at seq\[1\]\.conv"):
            profile(wrong, input_shape=(3, 8, 8))
