"""How much slower this machine is than the one on which seconds of plans were measured. Knows no clocks of a search."""

from __future__ import annotations

import time
from functools import cache

NOMINAL_S = 0.0050
"""Processor seconds of `_work` on the machine on which `netwright.study.plan.EXPORT_S` was measured."""

MOST_SLOWER = 4.0
_TIMES = 5


@cache
def slowness() -> float:
    """How many times longer Python takes here, in [1, 4]; some 30 ms of processor time, once a process.

    Processor time, so that it does not matter what else runs.
    """
    spent = []
    for _ in range(_TIMES):
        begun_s = time.process_time()
        _work()
        spent.append(time.process_time() - begun_s)
    return min(MOST_SLOWER, max(1.0, min(spent) / NOMINAL_S))


def _work() -> int:
    """What an export does most: small objects are made, formatted and looked up."""
    names: dict[str, list[object]] = {}
    for number in range(20_000):
        names[f"layer{number % 97}"] = [number, str(number)]
    return len(names)
