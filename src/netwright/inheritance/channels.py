"""Which of a parent's channels each channel of a child carries: followed through the network, layer by layer.

A child's channel is a copy of a parent's (times a factor), or a new one that whatever reads it has to ignore at first.
Two ways of widening are known: *new* channels of their own, whose readers begin with zero weights; or *copies* of those
that are there, among which their readers divide the weights, at random, so that copies learn different things although
the function is the same. Copies keep the mean and variance over all channels, which norms of layers and groups need.

References:
    Chen, Goodfellow, Shlens (2016), Net2Net, section 2.1 (copies; ours divide the weights unequally instead of adding
    noise, which is exact).
    Wei, Wang, Rui, Chen (2016), Network Morphism, section 4 (new channels with zero weights after them).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from netwright.errors import NetwrightError

Fill = Literal["new", "copies"]
Index = NDArray[np.int64]

FREE = -1
"""Of a child's channel that carries none of the parent's."""


class Lost(NetwrightError):
    """The function of the parent cannot be kept here; says why."""


@dataclass(frozen=True)
class Channels:
    """What flows at one point of the child, in terms of what flows at the same point of the parent.

    Args:
        index: (child's channels,) number of the parent's channel that each is, or `FREE`. None where both sides are
            alike as far as is known, such as at the input.
        of: the parent's channels.
        scale: (child's channels,) what the parent's values are multiplied by.
        low: no value of the parent's is below.
        high: no value of the parent's is above.
        last: channels are the last dimension, which a flattening has to know.
        moments: mean and variance of each of the parent's channels, (2, parent's channels), where they can be told.
        begins_alike: one side has further positions behind those of the other, which a flattening has to know, too.
    """

    index: Index | None = None
    of: int = 0
    scale: NDArray[np.float64] | None = None
    low: float = -math.inf
    high: float = math.inf
    last: bool = False
    moments: NDArray[np.float64] | None = None
    begins_alike: bool = False

    @classmethod
    def made(cls, index: Index, of: int, *, last: bool = False) -> Channels:
        """Channels that a layer has just made, of any value."""
        return cls(index, of, np.ones(len(index)), last=last)

    @property
    def known(self) -> tuple[Index, NDArray[np.float64]]:
        """``index`` and ``scale``, where they are known."""
        assert self.index is not None
        assert self.scale is not None
        return self.index, self.scale

    def bounded(self, low: float = -math.inf, high: float = math.inf) -> Channels:
        """The same channels with other bounds of their values, which are others."""
        return replace(self, low=low, high=high, moments=None)

    def rectified(self) -> Channels:
        """What a ReLU makes of them; of values that were normally distributed the moments are known."""
        moments = None if self.moments is None else rectified_moments(self.moments)
        return replace(self.bounded(max(0.0, self.low), max(0.0, self.high)), moments=moments)

    def times(self, factor: float) -> Channels:
        """The same channels, multiplied on the child's side alone."""
        return self if self.scale is None else replace(self, scale=self.scale * factor)

    @property
    def is_exact(self) -> bool:
        """Whether the child's flow is the parent's, channel for channel."""
        if self.index is None or self.scale is None:
            return True
        return np.array_equal(self.index, np.arange(self.of)) and bool((self.scale == 1).all())

    @property
    def is_scaled(self) -> bool:
        """Whether a factor is left that someone has to undo."""
        return self.scale is not None and bool((self.scale != 1).any())

    def at(self, of: int, count: int, fill: Fill) -> Channels:
        """The channels as a layer sees them that has so many inputs in the parent, and in the child.

        What was flattened is spread: each channel stands for as many features as it had positions.

        Raises:
            Lost: the numbers do not belong together.
        """
        if self.index is None or self.scale is None:
            return replace(
                Channels.made(spread_over(of, count, fill), of, last=self.last), low=self.low, high=self.high
            )
        if (self.of, len(self.index)) == (of, count):
            return self
        if not self.of:
            raise Lost("none of the parent's channels is here")
        times, rest = divmod(of, self.of)
        if self.begins_alike and self.last:
            return self._side_by_side(times, count)
        if rest or times * len(self.index) != count or not times:
            raise Lost(f"{self.of} and {len(self.index)} channels were {of} and {count} features")
        if self.moments is not None:
            return replace(self, moments=None).at(of, count, fill)
        positions, free = np.arange(times), np.full(times, FREE)
        if self.last:
            parts = [np.where(self.index >= 0, self.index + p * self.of, FREE) for p in positions]
            return replace(self, index=np.concatenate(parts), of=of, scale=np.tile(self.scale, times))
        parts = [i * times + positions if i >= 0 else free for i in self.index]
        return replace(self, index=np.concatenate(parts), of=of, scale=np.repeat(self.scale, times))

    def _side_by_side(self, times: int, count: int) -> Channels:
        """The channels of all positions behind one another, of the child's further ones free."""
        index, scale = self.known
        mine = count // len(index)
        parts = [
            np.where(index >= 0, index + place * self.of, FREE) if place < times else np.full(len(index), FREE)
            for place in range(mine)
        ]
        found = replace(self, index=np.concatenate(parts), of=times * self.of, scale=np.tile(scale, mine))
        return replace(found, moments=None, begins_alike=False)


def spread_over(of: int, count: int, fill: Fill) -> Index:
    """Where a layer of ``count`` channels keeps those of a layer of ``of`` channels.

    Both are cut into as many blocks as they can be alike, and each block of the child holds a block of the parent. So
    any number of groups or heads that divides both has the same channels in both.

    Returns:
        (count,) numbers of the parent's channels, `FREE` where there is none. A smaller child has a part of them.

    Example:
        >>> spread_over(4, 6, "new").tolist(), spread_over(4, 6, "copies").tolist()
        ([0, 1, -1, 2, 3, -1], [0, 1, 0, 2, 3, 2])
    """
    blocks = math.gcd(of, count)
    mine, theirs = count // blocks, of // blocks
    block, place = np.divmod(np.arange(count), mine)
    inside = block * theirs + place % theirs
    return inside if fill == "copies" else np.where(place < theirs, inside, FREE)


def side_by_side(parts: list[tuple[Channels, int, bool]]) -> Channels:
    """Channels of several branches behind one another.

    Args:
        parts: of each branch of the child in order: what it carries, where its channels begin in the parent, and
            whether the parent has it at all.
    """
    index: list[Index] = []
    scale: list[NDArray[np.float64]] = []
    for channels, begin, there in parts:
        mine, factor = channels.known
        kept = mine if there else np.full(len(mine), FREE)
        index.append(np.where(kept >= 0, kept + begin, FREE))
        scale.append(factor)
    known = [channels for channels, _, there in parts if there]
    of = sum(channels.of for channels in known)
    low, high = min((c.low for c in known), default=0.0), max((c.high for c in known), default=0.0)
    return Channels(np.concatenate(index), of, np.concatenate(scale), low, high, parts[0][0].last)


def rectified_moments(moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean and variance of max(0, x) for normally distributed x.

    Args:
        moments: (2, n) mean and variance of x.

    Example:
        >>> [round(float(m[0]), 4) for m in rectified_moments(np.array([[0.0], [1.0]]))]
        [0.3989, 0.3408]
    """
    mean, deviation = moments[0], np.sqrt(np.maximum(moments[1], 1e-12))
    ratio = mean / deviation
    density = np.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)
    below = 0.5 * np.vectorize(math.erfc, otypes=[np.float64])(-ratio / math.sqrt(2))
    first = mean * below + deviation * density
    second = (mean**2 + deviation**2) * below + mean * deviation * density
    return np.stack([first, np.maximum(second - first**2, 0.0)])


def even_copies(channels: Channels, groups: int = 1) -> bool:
    """Whether each group holds every channel of the parent's same group equally often: mean and variance stay."""
    index, _ = channels.known
    if channels.is_scaled or len(index) % groups or channels.of % groups:
        return False
    size = channels.of // groups
    for number, group in enumerate(index.reshape(groups, -1)):
        counts = np.bincount(group + 1, minlength=channels.of + 1)[1:]
        mine = counts[number * size : (number + 1) * size]
        if mine.min() != mine.max() or mine.sum() != len(group) or not mine[0]:
            return False
    return True


def shares(index: Index, draw: NDArray[np.float64]) -> NDArray[np.float64]:
    """How readers divide a weight among the copies of a channel: in parts that sum to one, no two alike.

    Args:
        index: (n,) as of `Channels`.
        draw: (n,) numbers in [0, 1).

    Returns:
        (n,); one where there is a single copy, zero where a channel is free.
    """
    parts = np.where(index >= 0, 0.5 + draw, 0.0)
    sums = np.bincount(index + 1, weights=parts)
    counts = np.bincount(index + 1, minlength=len(sums))
    divided = parts / np.where(sums[index + 1] > 0, sums[index + 1], 1.0)
    return np.where((index >= 0) & (counts[index + 1] == 1), 1.0, divided)
