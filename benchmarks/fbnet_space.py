"""The search space of FBNet, for scripts that read its latencies: a chain of 22 blocks, nine operations each.

References:
    B. Wu et al., 2019, "FBNet", tables 1 (sizes of the stages) and 2 (blocks). The stem and the last convolution are
    the same for all architectures and are left out of their sizes. Deviation of ours: a skip where the size changes
    counts as nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from netwright.space import OneOf, Op, SearchSpace, choice
from netwright.types import Architecture

STAGES = ((16, 1, 1), (24, 4, 2), (32, 4, 2), (64, 4, 2), (112, 4, 1), (184, 4, 2), (352, 1, 1))
"""Channels, blocks and first stride of each stage."""

FIRST_CHANNELS, FIRST_SIDE = 16, 112
_BLOCK = re.compile(r"k(\d)_e(\d)(?:_g(\d))?")


def fbnet_space(operations: Sequence[str]) -> SearchSpace:
    """Declare the space; decisions are ``block0`` to ``block21``."""
    blocks = []
    for place in range(sum(count for _, count, _ in STAGES)):
        branches = tuple((name, Op("identity" if name == "skip" else name)) for name in operations)
        blocks.append(OneOf(choice(f"block{place}", operations), branches))
    return SearchSpace(Op("seq", (), tuple(blocks)))


def fbnet_sizes(architecture: Architecture) -> dict[str, float]:
    """Multiply-adds, parameters and activations of the blocks."""
    totals = [0.0, 0.0, 0.0]
    channels, side, place = FIRST_CHANNELS, FIRST_SIDE, 0
    for width, count, first_stride in STAGES:
        for stride in (first_stride, *[1] * (count - 1)):
            sizes = _block_sizes(str(architecture[f"block{place}"]), channels, width, side, side // stride)
            totals = [total + size for total, size in zip(totals, sizes, strict=True)]
            channels, side, place = width, side // stride, place + 1
    return dict(zip(("macs", "params", "activations"), totals, strict=True))


@cache
def _block_sizes(name: str, before: int, after: int, side_before: int, side_after: int) -> tuple[float, float, float]:
    match = _BLOCK.fullmatch(name)
    if match is None:
        return 0.0, 0.0, 0.0
    kernel, expansion, groups = int(match[1]), int(match[2]), int(match[3] or 1)
    inner = before * expansion
    narrow, deep, wide = before * inner / groups, inner * kernel**2, inner * after / groups
    macs = side_before**2 * narrow + side_after**2 * (deep + wide)
    activations = side_before**2 * inner + side_after**2 * (inner + after)
    return macs, narrow + deep + wide, float(activations)
