"""How many examples a step is made of, where a recipe does not say. Knows no data and no torch."""

from __future__ import annotations

import math


def epochs_of(steps: int, count: int, batch_size: int) -> float:
    """Passes over ``count`` examples that make at least so many steps; what does not fill a batch is left out of each.

    Example:
        >>> epochs_of(150, 1000, 16), epochs_of(100, 31, 16), epochs_of(150, 10, 16)
        (2.42, 100.0, 150.0)
    """
    return math.ceil(100 * steps / max(1, count // batch_size)) / 100


def fitting_batch_size(count: int) -> int:
    """A power of two from 16 to 128 that gives an epoch at least 32 steps where there are 512 examples or more.

    Example:
        >>> [fitting_batch_size(count) for count in (100, 1000, 3000, 50_000)]
        [16, 16, 64, 128]
    """
    return min(128, max(16, 1 << int(math.log2(max(1, count / 32)))))
