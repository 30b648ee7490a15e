"""What many workers gain, and what they lose: time against the same search with one worker, and quality.

With more workers a strategy decides before it knows the results of what is running. So the same number of trials takes
less time, and finds less: both are told, and the time until the same regret is reached, which has both in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netwright.comparison.journal import SearchRun
from netwright.comparison.results import Comparison
from netwright.comparison.statistics import Curve, area, first_at_most, mean_curve, median_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Reach:
    """Simulated time until a regret was reached.

    Args:
        regret: what was to be reached; None for what the same seed's search with one worker reached in the end.
        alone_s: median seconds with one worker; None where most seeds did not reach it.
        together_s: median seconds with all workers; None alike.
        share_alone: part of the seeds that reached it with one worker.
        share_together: part that did with all.
    """

    regret: float | None
    alone_s: float | None
    together_s: float | None
    share_alone: float
    share_together: float

    @property
    def speed_up(self) -> float | None:
        """How many times sooner it was reached; None where it is not known."""
        return self.alone_s / self.together_s if self.alone_s is not None and self.together_s else None


@dataclass(frozen=True, slots=True)
class Scaling:
    """A strategy with many workers against the same with one, over paired seeds.

    Args:
        workers: how many.
        alone_s: mean seconds that all trials took with one worker.
        together_s: mean seconds that the same number of trials took with all.
        speed_up: mean over seeds of how many times sooner that was.
        same_regret: time until the regret that one worker had in the end.
        targets: time until the regrets that were asked for.
        regret_alone: mean final regret with one worker.
        regret_together: mean final regret with all, at the same number of trials.
        loss: mean over seeds of the second less the first, with the ends of its 95 % interval.
        loss_on_the_way: the same of the regrets' means over all counts of trials, where the last regrets are all zero.
        regret: by count of trials that had ended, with all workers.
    """

    workers: int
    alone_s: float
    together_s: float
    speed_up: float
    same_regret: Reach
    targets: tuple[Reach, ...]
    regret_alone: float
    regret_together: float
    loss: tuple[float, float, float]
    loss_on_the_way: tuple[float, float, float]
    regret: Curve


def scaling_of(comparison: Comparison, label: str) -> Scaling | None:
    """What workers did for a strategy; None where none were simulated, or it never ended a trial."""
    if label not in comparison.simulated:
        return None
    alone, together = comparison.simulated[label]
    if not all(run.ended_s for run in (*alone, *together)):
        return None
    pairs = [(len(a.ended_s), len(b.ended_s)) for a, b in zip(alone, together, strict=True)]
    same = [min(pair) for pair in pairs]
    alone_s = np.array([run.ended_s[count - 1] for run, count in zip(alone, same, strict=True)])
    together_s = np.array([run.ended_s[count - 1] for run, count in zip(together, same, strict=True)])
    regrets, fewer = comparison.regrets(alone), comparison.regrets(together)
    last = np.array([[row[count - 1]] for row, count in zip(regrets, same, strict=True)])
    last_together = np.array([[row[count - 1]] for row, count in zip(fewer, same, strict=True)])
    worst = max(float(np.nanmax(some, initial=0.0)) for some in (regrets, fewer))
    areas, areas_together = area(regrets, worst), area(fewer, worst)
    targets = [np.full(len(alone), target) for target in comparison.settings.targets]
    return Scaling(
        workers=comparison.settings.workers or 1,
        alone_s=float(alone_s.mean()),
        together_s=float(together_s.mean()),
        speed_up=float((alone_s / np.where(together_s > 0, together_s, np.nan)).mean()),
        same_regret=_reach(None, regrets[:, -1], (alone, regrets), (together, fewer)),
        targets=tuple(_reach(float(t[0]), t, (alone, regrets), (together, fewer)) for t in targets),
        regret_alone=float(last.mean()),
        regret_together=float(last_together.mean()),
        loss=_interval(last_together - last),
        loss_on_the_way=_interval((areas_together - areas)[:, None]),
        regret=mean_curve(fewer),
    )


def _interval(column: NDArray[np.float64]) -> tuple[float, float, float]:
    curve = mean_curve(column)
    return float(curve.mean[0]), float(curve.low[0]), float(curve.high[0])


Searches = tuple[Sequence[SearchRun], "NDArray[np.float64]"]
"""Searches over the seeds, and their regrets (S, N)."""


def _reach(regret: float | None, bounds: NDArray[np.float64], alone: Searches, together: Searches) -> Reach:
    times = [_times(searches, bounds) for searches in (alone, together)]
    shares = [sum(time is not None for time in some) / len(some) for some in times]
    return Reach(regret, median_of(times[0]), median_of(times[1]), shares[0], shares[1])


def _times(searches: Searches, bounds: NDArray[np.float64]) -> list[float | None]:
    """For each seed, the seconds until its regret was at most its bound."""
    times: list[float | None] = []
    for run, regrets, bound in zip(*searches, bounds, strict=True):
        (count,) = first_at_most(regrets[None, :], float(bound))
        times.append(None if count is None else run.ended_s[count - 1])
    return times
