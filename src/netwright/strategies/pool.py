"""The pool a strategy takes its proposals from: which architectures are new, and which trials were told.

Every strategy of ours owns one. It keeps the promise that no duplicate is proposed while new architectures exist, that
what comes back is in the space, and that it comes back once; and what breaks limits that are known without an
evaluation (`SearchSpace.limited`) is passed over. It does not know which architecture is good.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import SpaceError, UsageError, wrong
from netwright.strategies.base import Exhausted
from netwright.types import Architecture, Proposal, Trial

if TYPE_CHECKING:
    from netwright.space import SearchSpace

REROLLS = 64
"""Uniform samples tried for a new architecture before the space is swept. Where a tenth of a space is new, all of
them fail once in a thousand times."""

PASSED_OVER = 500
"""Architectures in a row that break known limits before one of them is proposed all the same: a search whose limits
nothing keeps is to end with what was tried, not to look for ever."""

PASSED_OVER_AGAIN = 50
"""The same from then on, until one keeps them."""

SWEEP = 20_000
"""Architectures looked at in one sweep; larger spaces that still look exhausted give a duplicate."""


class Pool:
    """New architectures of a space, each once.

    Args:
        space: where from; what it does not admit is passed over, but for initial architectures.
        seed: of all randomness, >= 0.
        initial: what is proposed before anything else; duplicates among them are dropped.
        by_function: isomorphic architectures are the same one, since they compute the same function. False where more
            than the function counts: they differ in latency, and a search after a front of accuracy and latency that
            may try only one of them does not find the fastest.

    Raises:
        UsageError: the seed is negative.
        SpaceError: an initial architecture is not in the space.
    """

    def __init__(
        self,
        space: SearchSpace,
        seed: int,
        initial: Sequence[Proposal | Architecture] = (),
        *,
        by_function: bool = True,
    ) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise UsageError(wrong("seed", seed, "a whole number >= 0"))
        self.space = space
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self._identify = space.canonical_id if by_function else _own_id
        self._ids: dict[Architecture, str] = {}
        self._seen: set[str] = set()
        self._told: set[int] = set()
        self._rest: Iterator[Architecture] | None = None
        self._infinite = is_infinite(space)
        self._num_passed_over = self._num_in_a_row = 0
        self._has_given_up = False
        self._initial: deque[Proposal] = deque()
        for item in initial:
            proposal = item if isinstance(item, Proposal) else Proposal(item, origin="initial")
            self._require_inside(proposal.architecture, "initial architecture")
            self._initial.append(proposal)

    @property
    def num_seen(self) -> int:
        """How many different architectures were proposed or told."""
        return len(self._seen) - self._num_passed_over

    def next_initial(self) -> Proposal | None:
        """The next initial proposal that is still new; None when there is none left."""
        while self._initial:
            proposal = self._initial.popleft()
            if self._is_new(proposal.architecture):
                return proposal
        return None

    def claim(self, architecture: Architecture) -> bool:
        """Take an architecture of the space as seen; returns whether it was new, and may be proposed."""
        return self._is_new(architecture) and self._may_be_proposed(architecture)

    def sample(self) -> Architecture:
        """Take a new architecture, uniform over those of the space that may be proposed as long as that finds one.

        Raises:
            Exhausted: there is no new one.
        """
        num_known = 0
        while num_known < REROLLS:
            architecture = self.space.sample(self.rng)
            if not self._is_new(architecture):
                num_known += 1
            elif self._may_be_proposed(architecture):
                return architecture
        if self._infinite:
            return architecture
        return self.sweep(SWEEP) or architecture

    def sample_proposal(self) -> Proposal:
        """`sample` as a proposal."""
        return Proposal(self.sample(), origin="random")

    def sweep(self, limit: int | None = None) -> Architecture | None:
        """Take the next new architecture in the space's own order.

        Args:
            limit: how many architectures are looked at; None for all.

        Returns:
            A new one; None where ``limit`` were not new. The next sweep goes on from there.

        Raises:
            Exhausted: there is no new one.
        """
        if self._rest is None:
            self._rest = self.space.enumerate()
        for count, architecture in enumerate(self._rest, start=1):
            if self.claim(architecture):
                return architecture
            if count == limit:
                return None
        raise Exhausted("every architecture of the space has been proposed")

    def admit(self, trials: Sequence[Trial]) -> None:
        """Take told trials as seen, all of them or, on an error, none.

        Raises:
            UsageError: a trial was told before.
            SpaceError: a trial that was not asked for is not in the space.
        """
        admit_once(trials, self._told)
        for trial in trials:
            if trial.architecture not in self._ids:
                self._require_inside(trial.architecture, f"architecture of trial {trial.id}")
        self._told.update(trial.id for trial in trials)
        for trial in trials:
            self._is_new(trial.architecture)

    def _is_new(self, architecture: Architecture) -> bool:
        known_as = self._id(architecture)
        if known_as in self._seen:
            return False
        self._seen.add(known_as)
        return True

    def _may_be_proposed(self, architecture: Architecture) -> bool:
        """Whether a new architecture keeps the known limits, or so many in a row did not that this one is let pass."""
        if self.space.admits(architecture):
            self._num_in_a_row, self._has_given_up = 0, False
            return True
        self._num_in_a_row += 1
        if self._num_in_a_row <= (PASSED_OVER_AGAIN if self._has_given_up else PASSED_OVER):
            self._num_passed_over += 1
            return False
        self._num_in_a_row, self._has_given_up = 0, True
        return True

    def _id(self, architecture: Architecture) -> str:
        known = self._ids.get(architecture)
        if known is None:
            known = self._ids[architecture] = self._identify(architecture)
        return known

    def _require_inside(self, architecture: Architecture, name: str) -> None:
        reason = self.space.explain(architecture)
        if reason is not None:
            raise SpaceError(f"{name} must be in the search space: {reason}")


def _own_id(architecture: Architecture) -> str:
    return architecture.id


def is_infinite(space: SearchSpace) -> bool:
    """Whether a space has innumerable architectures; one that is too entangled to be counted is finite."""
    try:
        return math.isinf(space.count())
    except SpaceError:
        return False


def admit_once(trials: Sequence[Trial], told: set[int]) -> None:
    """Check that no trial was told before.

    Raises:
        UsageError: one was, or comes twice among ``trials``.
    """
    new: set[int] = set()
    for trial in trials:
        if trial.id in told or trial.id in new:
            raise UsageError(wrong("trial id", trial.id, "told once", "give each trial to tell() a single time"))
        new.add(trial.id)


def collect(n: int, propose: Callable[[], Proposal | None]) -> list[Proposal]:
    """Call ``propose`` up to ``n`` times; None from it means that it waits for results.

    Raises:
        UsageError: ``n`` is not at least 1.
        Exhausted: ``propose`` raised it the first time.
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise UsageError(wrong("n", n, "a whole number >= 1"))
    proposals: list[Proposal] = []
    while len(proposals) < n:
        try:
            proposal = propose()
        except Exhausted:
            if proposals:
                break
            raise
        if proposal is None:
            break
        proposals.append(proposal)
    return proposals
