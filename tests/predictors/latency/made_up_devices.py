"""Made-up devices, whose latencies are known functions of an architecture, for the tests of latency predictors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from netwright.predictors.latency import LatencyTable
from netwright.testing import cell_space
from netwright.types import Architecture

SPACE = cell_space()
COSTS_MS: dict[str, Mapping[str, float]] = {
    "gpu": {"nor_conv_3x3": 1.0, "nor_conv_1x1": 0.8, "avg_pool_3x3": 0.5, "skip_connect": 0.1},
    "phone": {"nor_conv_3x3": 9.0, "nor_conv_1x1": 2.0, "avg_pool_3x3": 1.0, "skip_connect": 0.2},
    "server": {"nor_conv_3x3": 3.0, "nor_conv_1x1": 1.0, "avg_pool_3x3": 1.5, "skip_connect": 0.1},
    "board": {"nor_conv_3x3": 20.0, "nor_conv_1x1": 7.0, "avg_pool_3x3": 4.0, "skip_connect": 1.0},
}
"""What an operation on an edge costs, leads it anywhere or not."""

BASE_MS = 2.0


def drawn(count: int, seed: int) -> list[Architecture]:
    """Different random cells."""
    rng = np.random.default_rng(seed)
    found: dict[Architecture, None] = {}
    while len(found) < count:
        found[SPACE.sample(rng)] = None
    return list(found)


def latencies(costs_ms: Mapping[str, float], architectures: Sequence[Architecture]) -> np.ndarray:
    """Latencies in ms, shape (n,)."""
    return np.array([BASE_MS + sum(costs_ms.get(str(op), 0.0) for op in a.values()) for a in architectures])


def table(device: str, architectures: Sequence[Architecture], noise: float = 0.0, seed: int = 0) -> LatencyTable:
    """Measurements of a device, off by a normal share of this standard deviation."""
    off = 1 + noise * np.random.default_rng(seed).normal(size=len(architectures))
    return LatencyTable.of(device, architectures, (latencies(COSTS_MS[device], architectures) * off).tolist())
