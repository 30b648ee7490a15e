"""Mixtures that see a part of the channels only; the others pass by (PC-DARTS).

References:
    Xu et al. (2020), PC-DARTS: Partial Channel Connections for Memory-Efficient Architecture Search, section 3.2: one
    channel in K is mixed, then channels are shuffled. As in the authors' code the others go through a 2 x 2 maximum
    pooling where the mixture halves the extent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from netwright.errors import SpaceError
from netwright.space.nodes import Node, OneOf
from netwright.supernet.differentiable.mixing import Mixing
from netwright.supernet.differentiable.soft import Flows, Soft

if TYPE_CHECKING:
    from netwright.supernet.differentiable.compiling import Compiler, Part, Where


class Partial(Soft):
    """A mixture of the first channels; the others pass by.

    Args:
        mixture: of a part of the channels.
        partial: one channel in so many.
        halves: whether the mixture halves the extent.
        whole: the mixture of all channels, which has no layers: what it costs is what networks of the space cost.
    """

    def __init__(self, mixture: Soft, partial: int, *, halves: bool, whole: Soft) -> None:
        super().__init__()
        self.mixture, self.partial, self.halves = mixture, partial, halves
        self._whole = (whole,)  # in a tuple it is no part of the network that runs

    def forward(self, x: Tensor, mix: Mixing, scale: Tensor | None = None) -> Tensor:
        few = x.shape[1] // self.partial
        mixed, passed = self.mixture(x[:, :few], mix), x[:, few:]
        if self.halves:
            passed = F.max_pool2d(passed, 2)
        out = shuffled(mixed, passed)
        return out if scale is None else out * scale

    def expected(self, mix: Mixing) -> Tensor:
        return self._whole[0].expected(mix)


def shuffled(mixed: Tensor, passed: Tensor) -> Tensor:
    """All channels, in another order, so that the next mixture sees others: the first of each part, the second of each.

    Written once, channels last, as whatever comes next wants them.

    Args:
        mixed: the first part of the channels, shape (B, C / K, H, W).
        passed: the other parts, shape (B, C - C / K, H, W).

    Returns:
        Shape (B, C, H, W).

    Example:
        >>> x = torch.arange(6.0).reshape(1, 6, 1, 1)
        >>> shuffled(x[:, :2], x[:, 2:]).flatten().tolist()
        [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]
    """
    last = passed.permute(0, 2, 3, 1)
    parts = last.reshape(*last.shape[:3], -1, mixed.shape[1]).transpose(3, 4)
    return torch.cat([mixed.permute(0, 2, 3, 1).unsqueeze(4), parts], dim=4).flatten(3).permute(0, 3, 1, 2)


def partial_mixture(compiler: Compiler, node: Node, flows: Flows, where: Where) -> Part:
    """What stands on an edge of a cell; of part of the channels where that was asked for and it is a choice.

    Raises:
        SpaceError: the channels cannot be divided, or the branches do not keep their number.
    """
    partial = compiler.partial
    if partial == 1 or not isinstance(node, OneOf):
        return compiler.node(node, flows, where)
    flow = flows.largest
    if flows.names or flow.rank != 3 or flow.channels % partial:
        raise SpaceError(f"{where.path}: partial={partial} must divide the channels of an image, which is {flow.shape}")
    few = flow.with_channels(flow.channels // partial)
    width = None if where.width is None else where.width // partial
    mixture, out = compiler.node(node, Flows.fixed(few), replace(where, width=width))
    whole, full = compiler.counting().node(node, flows, where)
    halves = out.largest.spatial == tuple(e // 2 for e in flow.spatial) and out.largest.spatial != flow.spatial
    kept = out.largest.channels == few.channels and full.largest.channels == flow.channels
    if out.names or full.names or not kept or not (halves or out.largest.spatial == flow.spatial):
        raise SpaceError(
            f"{where.path}: a mixture of part of the channels must keep their number ({few.channels}), gives "
            f"{out.largest.shape}; let the width be nn.stage_width(), or take partial=1"
        )
    done = flow.with_channels(flow.channels, out.largest.spatial)
    return Partial(mixture, partial, halves=halves, whole=whole), Flows.fixed(done)
