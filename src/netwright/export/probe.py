"""Fixed inputs that every process on every machine makes alike, and the digests that go with them."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import numpy.typing as npt


def probe_inputs(
    shape: tuple[int, ...], *, seed: int = 0, batch: int = 4, dtype: str = "float32", num_values: int = 2
) -> npt.NDArray[np.float32] | npt.NDArray[np.int64]:
    """Make inputs from a formula in integers, independent of any library's random numbers.

    Number ``i`` of the flattened array is the SplitMix64 output ``h`` of the state ``(seed * 2**32 + i + 1) *
    0x9E3779B97F4A7C15``, modulo 2**64. As float32 it is ``(h >> 40) / 2**22 - 2``, in [-2, 2); as int64
    ``(h >> 40) % num_values``.

    Args:
        shape: of one input.
        seed: in [0, 2**31).
        batch: how many.
        dtype: ``float32`` or ``int64``.
        num_values: bound of integer inputs.

    Returns:
        Array (batch, *shape).

    References:
        G. L. Steele, D. Lea, C. H. Flood: Fast splittable pseudorandom number generators. OOPSLA 2014, figure 17.

    Example:
        >>> probe_inputs((3,), batch=1).tolist()
        [[1.533243179321289, -0.27388811111450195, -1.8942649364471436]]
    """
    count = batch * math.prod(shape)
    state = np.arange(1, count + 1, dtype=np.uint64) + np.uint64(seed * 2**32)
    h = state * np.uint64(0x9E3779B97F4A7C15)
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    top = (h ^ (h >> np.uint64(31))) >> np.uint64(40)
    if dtype == "int64":
        return (top % np.uint64(num_values)).astype(np.int64).reshape(batch, *shape)
    return (top.astype(np.float32) / np.float32(2**22) - np.float32(2)).reshape(batch, *shape)


def outputs_digest(outputs: npt.NDArray[np.generic]) -> str:
    """SHA-256 of the outputs' bytes as little-endian float64, in C order."""
    return hashlib.sha256(np.ascontiguousarray(outputs, dtype="<f8").tobytes()).hexdigest()
