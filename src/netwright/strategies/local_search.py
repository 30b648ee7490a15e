"""Local search: go to a better neighbour until there is none, then start again elsewhere.

Knows architectures only through the space's neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from netwright.errors import UsageError, wrong
from netwright.strategies.operators import Score, Scorer, Tier, best_first_order, improves
from netwright.strategies.pool import Pool, collect
from netwright.types import Architecture, Constraint, Objective, Proposal, Trial

if TYPE_CHECKING:
    from netwright.space import SearchSpace

NEIGHBOURS = 10_000
"""Neighbours of one architecture that are looked at, the first ones of the space's order where there are more."""


@dataclass(eq=False, slots=True)
class Member:
    """An architecture that nothing in its climb beats. ``untried`` are its neighbours to come, None until listed."""

    trial_id: int
    architecture: Architecture
    score: Score
    untried: list[Architecture] | None = None


@dataclass(eq=False, slots=True)
class Climb:
    """One walk uphill: random starts, then neighbours of its members. With one objective there is one member."""

    starts: int
    members: list[Member] = field(default_factory=list)
    pending: int = 0
    waiting: list[Member] = field(default_factory=list)

    def accept(self, new: Member) -> None:
        """Take ``new`` in, and drop those it beats, unless it failed or a member is as good."""
        if new.score.tier is not Tier.FAILED and all(improves(new.score, m.score) for m in self.members):
            self.members = [m for m in self.members if improves(m.score, new.score)]
            self.members.append(new)

    def settle(self) -> None:
        """Accept what waits, best first."""
        for number in best_first_order([m.score for m in self.waiting]):
            self.accept(self.waiting[number])
        self.waiting = []


class LocalSearch:
    """Local search with restarts, asynchronous; Pareto local search where there are several objectives.

    A climb starts at the best of ``num_starts`` architectures and tries the neighbours of its best in random order.
    Where all are tried it is at a local optimum, and the next climb begins. While the last neighbours of a climb are
    pending, further climbs begin, so that workers never wait; a late improvement takes its own climb up again.

    With several objectives a climb keeps all members that do not dominate each other, and tries neighbours of a
    random one of them.

    Args:
        space: where to search.
        seed: of all randomness, >= 0.
        objectives: one, or several.
        constraints: limits; feasible trials beat infeasible ones, and among those less excess beats more.
        initial: proposed first; they count as starts.
        num_starts: starting points of the first climb, >= 1. White et al. take 10; with 5 a search of tens of trials
            begins to climb earlier, and on NAS-Bench-201 it is never much worse.
        num_restarts: starting points of each later climb, >= 1.
        first_improvement: go to the first neighbour that is better; otherwise try all, and go to the best.

    References:
        C. White et al., 2021, "Exploring the Loss Landscape in Neural Architecture Search", algorithm 1;
        T. den Ottelander et al., 2021, "Local Search is a Remarkably Strong Baseline for Neural Architecture Search"
        (first improvement, several objectives); L. Paquete et al., 2004, Pareto local search. Deviation: neighbours
        isomorphic to an architecture tried before are skipped.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int = 0,
        objectives: Sequence[Objective] = (Objective("accuracy", "max"),),
        constraints: Sequence[Constraint] = (),
        initial: Sequence[Proposal | Architecture] = (),
        num_starts: int = 5,
        num_restarts: int = 1,
        first_improvement: bool = True,
    ) -> None:
        for name, number in (("num_starts", num_starts), ("num_restarts", num_restarts)):
            if number < 1:
                raise UsageError(wrong(name, number, ">= 1"))
        self._space = space
        self._score = Scorer(tuple(objectives), tuple(constraints))
        self._num_restarts = num_restarts
        self._first_improvement = first_improvement
        self._pool = Pool(space, seed, initial)
        self._climbs = [Climb(num_starts)]
        self._climb_of: dict[Architecture, Climb] = {}

    def ask(self, n: int) -> Sequence[Proposal]:
        return collect(n, self._propose)

    def tell(self, trials: Sequence[Trial]) -> None:
        self._pool.admit(trials)
        for trial in trials:
            climb = self._climb_of.pop(trial.architecture, None)
            if climb is None:  # nobody asked for it: a start that costs nothing
                climb = self._climbs[0]
                climb.starts = max(0, climb.starts - 1)
            else:
                climb.pending -= 1
            climb.waiting.append(Member(trial.id, trial.architecture, self._score(trial)))
            if self._first_improvement:
                climb.settle()

    def _propose(self) -> Proposal:
        initial = self._pool.next_initial()
        if initial is not None:
            self._climbs[0].starts = max(0, self._climbs[0].starts - 1)
            return self._sent(self._climbs[0], initial)
        for climb in self._climbs:
            proposal = self._continue(climb)
            if proposal is not None:
                return self._sent(climb, proposal)
        fresh = Climb(self._num_restarts)
        self._climbs = [c for c in self._climbs if c.pending] + [fresh]
        return self._sent(fresh, self._start(fresh))

    def _sent(self, climb: Climb, proposal: Proposal) -> Proposal:
        if proposal.architecture not in self._climb_of:
            self._climb_of[proposal.architecture] = climb
            climb.pending += 1
        return proposal

    def _continue(self, climb: Climb) -> Proposal | None:
        """The next start or neighbour of a climb; None while it waits for results, or is at its optimum."""
        if climb.starts > 0:
            return self._start(climb)
        proposal = self._neighbour(climb)
        if proposal is None and climb.waiting and not climb.pending:
            climb.settle()
            proposal = self._neighbour(climb)
        return proposal

    def _start(self, climb: Climb) -> Proposal:
        climb.starts -= 1
        return self._pool.sample_proposal()

    def _neighbour(self, climb: Climb) -> Proposal | None:
        """A new neighbour of a random member; None when all are tried."""
        members = [m for m in climb.members if m.untried is None or m.untried]
        while members:
            number = int(self._pool.rng.integers(len(members))) if len(members) > 1 else 0
            architecture = self._next_untried(members[number])
            if architecture is not None:
                return Proposal(architecture, parents=(members[number].trial_id,), origin="neighbour")
            del members[number]
        return None

    def _next_untried(self, member: Member) -> Architecture | None:
        if member.untried is None:
            near = list(islice(self._space.neighbours(member.architecture), NEIGHBOURS))
            member.untried = [near[i] for i in self._pool.rng.permutation(len(near))]
        while member.untried:
            architecture = member.untried.pop()
            if self._pool.claim(architecture):
                return architecture
        return None
