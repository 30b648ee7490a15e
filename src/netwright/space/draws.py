"""Exact random whole numbers of any size.

`numpy.random.Generator.integers` ends at 2**63; spaces do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np


def below(rng: np.random.Generator, bound: int) -> int:
    """Draw a whole number evenly from ``0`` to ``bound - 1``.

    Args:
        rng: source of randomness.
        bound: >= 1, of any size.
    """
    bits = (bound - 1).bit_length()
    if bits == 0:
        return 0
    size = (bits + 7) // 8
    while True:  # ends after two rounds on average
        number = int.from_bytes(rng.bytes(size), "little") >> (8 * size - bits)
        if number < bound:
            return number


def weighted(rng: np.random.Generator, weights: Sequence[int]) -> int:
    """Draw an index with probability proportional to its whole-numbered weight."""
    ends = list(accumulate(weights))
    drawn = below(rng, ends[-1])
    return next(index for index, end in enumerate(ends) if drawn < end)
