"""How many examples a step is made of, where a recipe does not say. Knows no data and no torch."""

from __future__ import annotations

import math


def fitting_batch_size(count: int) -> int:
    """A power of two from 16 to 128 that gives an epoch at least 32 steps where there are 512 examples or more.

    Example:
        >>> [fitting_batch_size(count) for count in (100, 1000, 3000, 50_000)]
        [16, 16, 64, 128]
    """
    return min(128, max(16, 1 << int(math.log2(max(1, count / 32)))))
