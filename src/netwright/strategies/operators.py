"""What the strategies are composed of: scores of trials, orders among them, and the tournament.

Pure functions over small frozen values. Nothing here knows a search space, proposes anything or keeps a history.
Smaller is better throughout: `Scorer` turns objectives that are to be maximised round.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from netwright.errors import UsageError, wrong
from netwright.types import Constraint, Objective, Trial, TrialState

Values = tuple[float, ...]
"""One number for each objective, smaller is better."""


class Tier(IntEnum):
    """How far a trial got; a lower tier beats a higher one whatever the numbers."""

    FEASIBLE = 0
    INFEASIBLE = 1
    FAILED = 2


@dataclass(frozen=True, slots=True)
class Score:
    """A trial as strategies compare it.

    Args:
        tier: feasible, infeasible or failed.
        excess: of an infeasible trial, the sum over the limits of how far it is beyond each, relative to the bound;
            infinity where that was not measured. 0 otherwise.
        values: of a feasible trial, its objectives; empty otherwise.
    """

    tier: Tier
    excess: float = 0.0
    values: Values = ()


FAILED = Score(Tier.FAILED)


@dataclass(frozen=True, slots=True)
class Scorer:
    """Turns trials into scores.

    A finished trial without a finite number for each objective counts as failed. A limit whose metric a finished
    trial does not have is not kept. A trial that is infeasible for a reason no limit tells (out of memory) is beyond
    its limits by infinity.

    Args:
        objectives: at least one.
        constraints: limits on metrics.

    Raises:
        UsageError: there is no objective.
    """

    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()

    def __post_init__(self) -> None:
        if not self.objectives:
            raise UsageError(wrong("objectives", self.objectives, "at least one objective"))

    def __call__(self, trial: Trial) -> Score:
        """Score one trial."""
        if trial.state is TrialState.FAILED:
            return FAILED
        metrics = trial.metrics
        if trial.state is TrialState.INFEASIBLE:
            known = (c.excess(metrics[c.metric]) for c in self.constraints if c.metric in metrics)
            return Score(Tier.INFEASIBLE, sum(known) or math.inf)
        values = tuple(o.sign * metrics.get(o.metric, math.nan) for o in self.objectives)
        if not all(math.isfinite(v) for v in values):
            return FAILED
        excess = sum(c.excess(metrics.get(c.metric, math.nan)) for c in self.constraints)
        return Score(Tier.INFEASIBLE, excess) if excess > 0 else Score(Tier.FEASIBLE, 0.0, values)


def dominates(a: Values, b: Values) -> bool:
    """Whether ``a`` is at least as good in every objective and better in one.

    Example:
        >>> dominates((1.0, 2.0), (1.0, 3.0)), dominates((1.0, 2.0), (1.0, 2.0))
        (True, False)
    """
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))


def improves(new: Score, old: Score) -> bool:
    """Whether ``new`` is worth having beside ``old``: of a better tier, of less excess, or not matched by ``old``.

    With one objective it means "strictly better"; with several, "neither equal to nor dominated by ``old``".
    """
    if new.tier is Tier.FEASIBLE and old.tier is Tier.FEASIBLE:
        return any(x < y for x, y in zip(new.values, old.values, strict=True))
    return (new.tier, new.excess) < (old.tier, old.excess)


def pareto_rank(values: Sequence[Values]) -> list[int]:
    """Non-dominated sorting: 0 for the points nobody dominates, 1 for those only rank 0 dominates, and so on.

    Args:
        values: one tuple per point; all of one length, at least 1.

    Returns:
        The rank of each point; equal points have equal ranks.

    Example:
        >>> pareto_rank([(1.0, 4.0), (2.0, 2.0), (3.0, 3.0), (4.0, 1.0)])
        [0, 0, 1, 0]

    References:
        K. Deb et al., 2002, NSGA-II, section III-A; sorted as X. Zhang et al., 2015, "An Efficient Approach to
        Nondominated Sorting" (ENS-BS): in lexicographic order, the front of a point is found by bisection.
    """
    ranks = [0] * len(values)
    fronts: list[list[Values]] = []
    for index in sorted(range(len(values)), key=lambda i: values[i]):
        point = values[index]
        rank = bisect_left(fronts, True, key=lambda front: not _dominated(point, front))
        if rank == len(fronts):
            fronts.append([])
        fronts[rank].append(point)
        ranks[index] = rank
    return ranks


def _dominated(point: Values, front: Sequence[Values]) -> bool:
    if len(point) <= 2:  # along a front sorted by the first objective the second falls: the last member decides
        return dominates(front[-1], point)
    return any(dominates(member, point) for member in reversed(front))


def crowding_distance(values: Sequence[Values]) -> list[float]:
    """How much room each point of one front has around it; infinite at the ends of an objective.

    Returns:
        For each point, the sum over objectives of the gap between its neighbours, relative to the objective's range.

    Example:
        >>> crowding_distance([(0.0, 4.0), (1.0, 3.0), (4.0, 0.0)])
        [inf, 2.0, inf]

    References:
        K. Deb et al., 2002, NSGA-II, section III-B.
    """
    distance = [0.0] * len(values)
    for objective in range(len(values[0]) if values else 0):
        order = sorted(range(len(values)), key=lambda i: values[i][objective])
        low, high = values[order[0]][objective], values[order[-1]][objective]
        distance[order[0]] = distance[order[-1]] = math.inf
        if high > low:
            for before, here, after in zip(order, order[1:], order[2:], strict=False):
                distance[here] += (values[after][objective] - values[before][objective]) / (high - low)
    return distance


def best_first_order(scores: Sequence[Score]) -> list[int]:
    """Numbers of the scores, best first: feasible, then infeasible by excess, then failed.

    Among the feasible: by value with one objective; with several by Pareto rank, then the less crowded first. Ties
    keep the order given.

    References:
        K. Deb, 2000, "An efficient constraint handling method for genetic algorithms", the three rules of section 3;
        K. Deb et al., 2002, NSGA-II, the crowded-comparison operator.
    """
    feasible = [i for i, score in enumerate(scores) if score.tier is Tier.FEASIBLE]
    others = [i for i, score in enumerate(scores) if score.tier is not Tier.FEASIBLE]
    others.sort(key=lambda i: (scores[i].tier, scores[i].excess))
    if feasible and len(scores[feasible[0]].values) > 1:
        feasible = _crowded_order(feasible, [scores[i].values for i in feasible])
    else:
        feasible.sort(key=lambda i: scores[i].values)
    return feasible + others


def _crowded_order(numbers: Sequence[int], values: Sequence[Values]) -> list[int]:
    ranks = pareto_rank(values)
    fronts: list[list[int]] = [[] for _ in range(max(ranks) + 1)]
    for position, rank in enumerate(ranks):
        fronts[rank].append(position)
    order: list[int] = []
    for front in fronts:
        crowding = crowding_distance([values[p] for p in front])
        by_room = sorted(range(len(front)), key=lambda i: -crowding[i])
        order.extend(numbers[front[i]] for i in by_room)
    return order


def tournament(places: Sequence[int], size: int, rng: np.random.Generator) -> int:
    """Draw ``size`` individuals with replacement and return the number of the best placed.

    Args:
        places: place of each individual, 0 for the best.
        size: how many are drawn, at least 1.
        rng: source of randomness.
    """
    drawn: list[int] = rng.integers(len(places), size=size).tolist()
    return min(drawn, key=places.__getitem__)
