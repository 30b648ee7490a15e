"""NSGA-III: evolution over many objectives, spread along directions that are fixed beforehand.

With more than three objectives almost every trial is on the Pareto front, and the room around it says little. What
keeps the population spread out here are directions in the space of objectives: each should have a member near it.

Knows architectures only through the space's mutation and crossover.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import UsageError, wrong
from netwright.strategies.children import Individual, new_child
from netwright.strategies.operators import Scorer, Tier, best_first_order, pareto_rank
from netwright.strategies.pool import Pool, collect
from netwright.types import Architecture, Constraint, Objective, Proposal, Trial

if TYPE_CHECKING:
    from netwright.space import SearchSpace

OFF_AXIS = 1e-6
"""Weight of the other objectives in the scalar whose minimum is the extreme point of one."""

SMALLEST = 1e-9
"""Ranges of an objective below this part of the widest are taken for none."""


class NSGA3:
    """NSGA-III, asynchronous, over one or many objectives and constraints.

    The first ``population`` proposals are ``initial`` and random ones. From then on, each is a child of two members of
    the population, drawn evenly; an infeasible one yields to the better of two. Every trial that ends joins the
    population, and one member leaves it: of the failed and infeasible the worst, else one of the worst Pareto rank,
    such that all directions keep members near them.

    Args:
        space: where to search.
        seed: of all randomness, >= 0.
        objectives: one, or several.
        constraints: limits; feasible trials beat infeasible ones.
        initial: proposed first.
        population: how many trials may have children, at least 2 and as many as there are objectives. As many
            directions are laid as there is room for.
        crossover: probability in [0, 1] that a child has two parents before it is mutated; the paper's 1.

    References:
        K. Deb and H. Jain, 2014, "An Evolutionary Many-Objective Optimization Algorithm Using
        Reference-Point-Based Nondominated Sorting Approach, Part I", algorithms 1 to 4; H. Jain and K. Deb, 2014,
        "... Part II: Handling Constraints and Extending to an Adaptive Approach" (constraints; the directions are not
        adapted). Deviations: one child at a time instead of a generation, so that workers
        never wait; canonical duplicates are made anew; one decision is mutated; where no plane through the extreme
        points has positive intercepts, the worst of the non-dominated members takes their place.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int = 0,
        objectives: Sequence[Objective] = (Objective("accuracy", "max"),),
        constraints: Sequence[Constraint] = (),
        initial: Sequence[Proposal | Architecture] = (),
        population: int = 20,
        crossover: float = 1.0,
    ) -> None:
        least = max(2, len(objectives))
        if population < least:
            raise UsageError(wrong("population", population, f">= {least}, for {len(objectives)} objectives"))
        if not 0 <= crossover <= 1:
            raise UsageError(wrong("crossover", crossover, "in [0, 1]"))
        self._score = Scorer(tuple(objectives), tuple(constraints))
        self._population: list[Individual] = []
        self._size = population
        self._crossover = crossover
        self._pool = Pool(space, seed, initial)
        self._directions = reference_directions(len(objectives), population)
        self._ideal = np.full(len(objectives), np.inf)

    def ask(self, n: int) -> Sequence[Proposal]:
        return collect(n, self._propose)

    def tell(self, trials: Sequence[Trial]) -> None:
        self._pool.admit(trials)
        for trial in trials:
            self._take_in(Individual(trial.id, trial.architecture, self._score(trial)))

    def _propose(self) -> Proposal:
        proposal = self._pool.next_initial()
        if proposal is None and self._population and self._pool.num_seen >= self._size:
            proposal = new_child(self._pool, self._select, self._crossover)
        return proposal or self._pool.sample_proposal()

    def _select(self) -> Individual:
        """Any feasible member, or the better of two where one of them is not feasible."""
        drawn: list[int] = self._pool.rng.integers(len(self._population), size=2).tolist()
        first, second = (self._population[i] for i in drawn)
        better = (second.score.tier, second.score.excess) < (first.score.tier, first.score.excess)
        return second if better else first

    def _take_in(self, new: Individual) -> None:
        """Add a member to the population, and let one go where that is one too many."""
        if new.score.tier is Tier.FEASIBLE:
            self._ideal = np.minimum(self._ideal, new.score.values)
        everyone = [*self._population, new]
        feasible = [individual for individual in everyone if individual.score.tier is Tier.FEASIBLE]
        if len(feasible) > self._size:
            values = np.array([individual.score.values for individual in feasible])
            kept = survivors(values, self._size, self._directions, self._ideal, self._pool.rng)
            self._population = [feasible[i] for i in kept]
        else:
            order = best_first_order([individual.score for individual in everyone])
            self._population = [everyone[i] for i in order[: self._size]]


def reference_directions(num_objectives: int, most: int) -> np.ndarray:
    """Points spread evenly on the simplex, as many as there is room for.

    Where the divisions are too few for a point off the simplex's edges, a second, smaller layer is laid inside.

    Args:
        num_objectives: k, >= 1.
        most: points at most, >= k.

    Returns:
        Shape (n, k), each row of sum 1 and no smaller than 0.

    Example:
        >>> reference_directions(2, 3).tolist()
        [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]

    References:
        I. Das and J. Dennis, 1998, "Normal-Boundary Intersection"; the two layers: K. Deb and H. Jain, 2014, figure 4.
    """
    if num_objectives == 1:
        return np.ones((1, 1))
    outer = _divisions(num_objectives, most)
    directions = _das_dennis(num_objectives, outer)
    inner = _divisions(num_objectives, most - len(directions)) if outer < num_objectives else 0
    if not inner:
        return directions
    inside = _das_dennis(num_objectives, inner) / 2 + 0.5 / num_objectives
    return np.unique(np.concatenate([directions, inside]), axis=0)


def _divisions(num_objectives: int, most: int) -> int:
    """The most parts into which an edge may be divided so that there are at most so many points; 0 for none."""
    divisions = 0
    while comb(divisions + num_objectives, num_objectives - 1) <= most:
        divisions += 1
    return divisions


def _das_dennis(num_objectives: int, divisions: int) -> np.ndarray:
    def parts(total: int, places: int) -> Iterator[tuple[int, ...]]:
        if places == 1:
            yield (total,)
            return
        for first in range(total + 1):
            for rest in parts(total - first, places - 1):
                yield (first, *rest)

    return np.array(list(parts(divisions, num_objectives))) / divisions


def survivors(
    values: np.ndarray, size: int, directions: np.ndarray, ideal: np.ndarray, rng: np.random.Generator
) -> list[int]:
    """The members that stay: whole fronts as far as they fit, and of the next one those at the emptiest directions.

    Args:
        values: objectives of the members, smaller is better, shape (n, k).
        size: how many stay, < n.
        directions: shape (d, k).
        ideal: the best of each objective so far, shape (k,).
        rng: decides ties.

    Returns:
        ``size`` numbers of members.

    References:
        K. Deb and H. Jain, 2014, algorithm 1.
    """
    ranks = np.array(pareto_rank([tuple(row) for row in values.tolist()]))
    last = int(np.sort(ranks)[size - 1])
    kept, front = np.flatnonzero(ranks < last), np.flatnonzero(ranks == last)
    considered = np.concatenate([kept, front])
    scaled = normalised(values[considered], ideal, ranks[considered] == 0)
    niche, distance = _associate(scaled, directions)
    counts = np.bincount(niche[: len(kept)], minlength=len(directions))
    niche, distance = niche[len(kept) :], distance[len(kept) :]
    chosen = fill_niches(counts, niche, distance, size - len(kept), rng)
    return [*kept.tolist(), *front[chosen].tolist()]


def normalised(values: np.ndarray, ideal: np.ndarray, is_first: np.ndarray) -> np.ndarray:
    """Objectives from 0 at the ideal point to 1 where the plane through the extreme points meets the axis.

    Args:
        values: shape (n, k).
        ideal: shape (k,).
        is_first: whether nobody dominates the member, shape (n,); at least one is so.

    References:
        K. Deb and H. Jain, 2014, algorithm 2 and equation 4.
    """
    shifted = values - ideal
    num_objectives = values.shape[1]
    weights = np.where(np.eye(num_objectives, dtype=bool), 1.0, OFF_AXIS)
    extremes = shifted[[int(np.argmin((shifted / weight).max(axis=1))) for weight in weights]]
    worst = shifted[is_first].max(axis=0)
    try:
        with np.errstate(divide="ignore"):
            intercepts = 1 / np.linalg.solve(extremes, np.ones(num_objectives))
    except np.linalg.LinAlgError:
        intercepts = worst
    floor = SMALLEST * max(float(worst.max()), SMALLEST)
    if not (np.isfinite(intercepts).all() and (intercepts > floor).all()):
        intercepts = worst
    return np.asarray(shifted / np.where(intercepts > floor, intercepts, 1.0))


def _associate(points: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest direction of each point and the distance to its line; two arrays of shape (n,). Algorithm 3."""
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    along = points @ unit.T
    distances = np.linalg.norm(points[:, None, :] - along[:, :, None] * unit, axis=2)
    nearest = distances.argmin(axis=1)
    return nearest, distances[np.arange(len(points)), nearest]


def fill_niches(
    counts: np.ndarray, niche: np.ndarray, distance: np.ndarray, num_chosen: int, rng: np.random.Generator
) -> list[int]:
    """Choose members of a front for the directions that have the fewest.

    Args:
        counts: members each direction has already, shape (d,).
        niche: direction of each member of the front, shape (n,).
        distance: of each to its direction, shape (n,).
        num_chosen: how many are chosen, at most n.
        rng: chooses among directions that have equally few, and among members where the nearest does not matter.

    References:
        K. Deb and H. Jain, 2014, algorithm 4.
    """
    taken = counts.astype(float)
    left = dict.fromkeys(range(len(niche)))
    while len(niche) - len(left) < num_chosen:
        taken[np.setdiff1d(np.arange(len(counts)), niche[list(left)])] = np.inf  # nobody is left there
        direction = int(rng.choice(np.flatnonzero(taken == taken.min())))
        members = [i for i in left if niche[i] == direction]
        nearest = min(members, key=distance.__getitem__)
        chosen = nearest if taken[direction] == 0 else members[int(rng.integers(len(members)))]
        taken[direction] += 1
        del left[chosen]
    return [i for i in range(len(niche)) if i not in left]
