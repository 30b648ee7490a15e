"""The search spaces that come with netwright, by name; each is a function that any code may call by itself.

Every one takes the shape of an example and the number of outputs; more arguments make a space smaller or larger.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from netwright.nn.spaces.darts import darts
from netwright.nn.spaces.free_form import free_form
from netwright.nn.spaces.macro import mobile_macro, resnet_macro
from netwright.nn.spaces.nas_bench_101 import nas_bench_101
from netwright.nn.spaces.nas_bench_201 import nas_bench_201
from netwright.space import SearchSpace


class MakeSpace(Protocol):
    """Makes a search space for data of a shape."""

    def __call__(self, input_shape: tuple[int, ...], num_outputs: int) -> SearchSpace:
        """Make the space.

        Args:
            input_shape: shape of one example without the batch.
            num_outputs: classes, or values to predict.
        """


SPACES: Mapping[str, MakeSpace] = MappingProxyType(
    {
        "darts": darts,
        "free_form": free_form,
        "mobile_macro": mobile_macro,
        "nas_bench_101": nas_bench_101,
        "nas_bench_201": nas_bench_201,
        "resnet_macro": resnet_macro,
    }
)

__all__ = [
    "SPACES",
    "MakeSpace",
    "darts",
    "free_form",
    "mobile_macro",
    "nas_bench_101",
    "nas_bench_201",
    "resnet_macro",
]
