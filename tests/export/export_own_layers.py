"""Classes as a user would write them, to be copied into an exported model; and some that cannot be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence

# Slope of the negative part.
SLOPE = 0.125
HALF_SLOPE = SLOPE / 2
UNUSED = object()
MADE_AT_IMPORT = nn.ReLU()
CHANGED = [1, 2]
CHANGED.append(3)
twice = lambda value: 2 * value  # noqa: E731 - a lambda at the top level is what is tested

try:
    from math import cbrt as root
except ImportError:
    root = math.sqrt


def leaky(x: Tensor) -> Tensor:
    """A helper that needs another one and a constant."""
    return F.leaky_relu(scaled(x), HALF_SLOPE)


def scaled(x: Tensor) -> Tensor:
    return x / math.sqrt(x.shape[1])


@dataclass(frozen=True)
class Sizes:
    """A helper class."""

    inner: int
    outer: int = 4


class Base(nn.Module):
    """A class that the one of interest derives from."""

    def forward(self, x: Tensor) -> Tensor:
        return leaky(self.layer(x))


class OwnBlock(Base):
    """What is put into a network."""

    def __init__(self, channels: int, *, names: Sequence[str] = ()) -> None:
        super().__init__()
        sizes = Sizes(channels)
        self.layer = nn.Conv2d(1, sizes.inner, int(np.sqrt(9)), padding=1)
        self.names = [name.strip() for name in names]

    @staticmethod
    def unused(values: Tensor) -> Tensor:
        UNUSED = values  # hides a name of the module that could not be copied
        return torch.relu(UNUSED)


class NeedsObject(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return MADE_AT_IMPORT(x)


class NeedsChanged(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * CHANGED[-1]


class NeedsLambda(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return twice(x)


class NeedsTry(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * root(8.0)


class NeedsNothing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * never_defined  # noqa: F821 - the missing name is what is tested


class Outer:
    class Inner(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x


def local_class(factor: float) -> type[nn.Module]:
    class Local(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * factor

    return Local


Dynamic = type("Dynamic", (nn.Module,), {"forward": lambda self, x: x})


def load() -> float:
    """A name that model.py itself has."""
    return 1.0


class NeedsLoad(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * load()
