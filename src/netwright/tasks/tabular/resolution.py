"""What float32 makes of numbers that are large beside their spread. Knows no tables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MERGED, _BLURRED, _USELESS = 0.01, 1e-3, 0.05
"""Where float32 merges more than this part of the different values, and moves one by more than this part of their
standard deviation, that is told; from the third number on little is left of them."""

_SMALLEST_STD = 1e-7
"""As part of the mean: what is less, float32 does not show."""


def divisors(mean: NDArray[np.float64], std: NDArray[np.float64]) -> NDArray[np.float64]:
    """What columns are divided by: their deviations, in whichever unit; 1 where float32 shows none.

    Args:
        mean: (C,) of columns.
        std: (C,) their standard deviations.

    Example:
        >>> divisors(np.array([0.0, 1e9]), np.array([1e-12, 1.0])).tolist()
        [1e-12, 1.0]
    """
    least = np.maximum(_SMALLEST_STD * np.abs(mean), np.finfo(np.float32).tiny)
    return np.where(std > least, std, 1.0)


def blurred(exact: NDArray[np.float64]) -> tuple[str, bool]:
    """What to say of numbers that float32 merges, empty where it does not; and whether little is left of them.

    Args:
        exact: any shape, finite and not all equal, within the range of float32.

    Example:
        >>> blurred(np.arange(5.0)), blurred(1e9 + np.arange(5.0))[1]
        (('', False), True)
    """
    kept = exact.astype(np.float32)
    merged = 1 - len(np.unique(kept)) / len(np.unique(exact))
    blur = float(np.abs(exact - kept).max() / exact.std())
    if merged <= _MERGED or blur <= _BLURRED:
        return "", False
    said = (
        f"reach {np.abs(exact).max():.3g} with a deviation of {exact.std():.3g}, so that float32 merges {merged:.0%} "
        "of their values; subtract a number such as their mean from the column"
    )
    return said, blur > _USELESS
