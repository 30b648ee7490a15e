"""Classes of a user's own, as operations."""

from __future__ import annotations

import torch
from torch import nn


class Scaled(nn.Module):
    """Keeps its input's shape."""

    def __init__(self, channels: int, factor: float = 2.0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x) * self.factor


class Head(nn.Module):
    """Gives a vector; cannot run without values."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if float(x.detach().flatten()[0]) > 1e9:
            raise ValueError
        return self.linear(x.mean((2, 3)))


class Broken(nn.Module):
    """Raises."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise KeyError("left")


class Pair(nn.Module):
    """Gives two tensors."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x


class Huge(nn.Module):
    """Takes 40 GB if it is really made."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(100_000, 100_000))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)[:, :1] @ self.weight[:1]


class Inference(nn.Module):
    """Runs in evaluation mode only."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            raise RuntimeError("made for inference")
        return self.conv(x)


class Lazy(nn.LazyConv2d):
    """Does not know its size."""

    def __init__(self) -> None:
        super().__init__(4, 3)
