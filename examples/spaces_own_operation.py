"""A search space with a class of one's own in it: declare, count, draw, look at the source, build."""

from __future__ import annotations

import numpy as np
import torch

import netwright as nw
from netwright import nn


class Blur(torch.nn.Module):
    """Averages neighbours; a layer of one's own, used as it is."""

    def __init__(self, channels: int, reach: int) -> None:
        super().__init__()
        size = 2 * reach + 1
        self.conv = torch.nn.Conv2d(channels, channels, size, padding=reach, groups=channels, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


width = nw.choice("width", [16, 24, 32])


def block(i: int) -> nn.Node:
    """One of three operations, around which a shortcut may lead."""
    operation = nn.one_of(
        f"op{i}",
        {
            "conv": nn.conv_norm_act(width, kernel=nw.choice(f"kernel{i}", [3, 5])),
            "mbconv": nn.mbconv(width, expand=nw.choice(f"expand{i}", [2, 4])),
            "blur": nn.op(Blur, input_size="channels", reach=nw.integer(f"reach{i}", 1, 3)),
        },
    )
    return nn.one_of(f"shortcut{i}", {False: operation, True: nn.residual(operation)})


space = nw.SearchSpace(
    nn.seq(nn.conv_norm_act(width), nn.repeat("depth", block, 1, 6), nn.global_pool(), nn.linear(10))
)
architecture = space.sample(np.random.default_rng(0))
print(f"{space.count():,} architectures; one of them: {architecture}")
print(space.source(architecture, input_shape=(3, 32, 32)))
print(nn.profile(space.resolve(architecture), input_shape=(3, 32, 32)))
model = space.build(architecture, input_shape=(3, 32, 32), seed=0)
assert isinstance(model, torch.nn.Module)
print("output:", tuple(model(torch.zeros(1, 3, 32, 32)).shape))
