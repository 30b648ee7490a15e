"""How much slower this machine is than one on which an export takes what plans say. Knows no clocks of a search."""

from __future__ import annotations

import math
import time

NOMINAL_S = 0.0050
"""Processor seconds of `_work` on two cores without AVX-512 on which export and check of a small network take 6 s; for
what `netwright.study.plan.EXPORT_S` keeps there."""

MOST_SLOWER = 4.0
_TIMES, _ENOUGH = 4, 40


class Slowness:
    """How many times longer Python takes here; less as it is measured again, since a machine is slower at times.

    Some 20 ms of processor time each of the first ten times that it is asked for. That of this thread alone; other work
    on the same cores makes it longer all the same, so that the least of all is taken.
    """

    def __init__(self) -> None:
        self._least_s, self._count = math.inf, 0

    def __call__(self, times: int = _TIMES) -> float:
        """In [1, `MOST_SLOWER`], after so many measurements more."""
        for _ in range(times if self._count < _ENOUGH else 0):
            begun_s = time.thread_time()
            _work()
            self._least_s = min(self._least_s, time.thread_time() - begun_s)
            self._count += 1
        return min(MOST_SLOWER, max(1.0, self._least_s / NOMINAL_S))


def _work() -> int:
    """What an export does most: small objects are made, formatted and looked up."""
    names: dict[str, list[object]] = {}
    for number in range(20_000):
        names[f"layer{number % 97}"] = [number, str(number)]
    return len(names)
