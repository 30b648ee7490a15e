"""When the pool of the ladder has a turn: first of all, and then as often as its networks prove better than others.

Before anything is trained most strategies propose at random, and the best scores of a pool are better than that. A
strategy that learns soon proposes better than any choice among networks that were drawn at random, and then each turn
of the pool is a training lost. Which of the two it is shows in what they came to: a network of the pool that is behind
half of what the strategy proposed lately makes the pool wait twice as long, one that is ahead half as long.

A function of what was asked and told. Knows no scores and no models.
"""

from __future__ import annotations

from collections import deque
from statistics import median

from netwright.types import Architecture

NUM_FIRST = 3
"""Networks of the pool in a row, before the strategy proposes."""

LATELY = 8
FEWEST = 3
"""Proposals of the strategy that a network of the pool is compared with, the newest; and at least so many."""

LONGEST_WAIT = 64


class PoolTurns:
    """Whose turn it is, the pool's or the strategy's.

    Args:
        num_before: proposals of the strategy before the pool has a turn: what a search tries in any case, which says
            nothing of either.

    Attributes:
        wait: proposals of the strategy between two turns of the pool.

    Example:
        >>> turns, asked = PoolTurns(), []
        >>> for number in range(8):
        ...     asked.append("pool" if turns.is_the_pools else "strategy")
        ...     turns.note(Architecture({"number": number}), from_pool=turns.is_the_pools)
        >>> asked[:4], asked[4:]
        (['pool', 'pool', 'pool', 'strategy'], ['pool', 'strategy', 'pool', 'strategy'])
    """

    def __init__(self, num_before: int = 0) -> None:
        self.wait = 1
        self._num_before = num_before
        self._num_first = 0
        self._since = 0
        self._from_pool: dict[Architecture, bool] = {}
        self._lately: deque[float] = deque(maxlen=LATELY)

    @property
    def is_the_pools(self) -> bool:
        """Whether the next new network is to be one of the pool."""
        if self._num_before > 0:
            return False
        return self._num_first < NUM_FIRST or self._since >= self.wait

    def note(self, architecture: Architecture, *, from_pool: bool, by_chance: bool = False) -> None:
        """Take note of a new network that is asked for.

        Args:
            architecture: which.
            from_pool: whether it is one of the pool.
            by_chance: it was not chosen for what is said of it, so that it says nothing of the pool's choice.
        """
        if from_pool:
            self._num_first += 1
            self._since = 0
        else:
            self._since += 1
        if self._num_before > 0 and not from_pool:
            self._num_before -= 1
        elif not by_chance:
            self._from_pool[architecture] = from_pool
            if not from_pool:
                self._num_first = NUM_FIRST  # where the pool was asked in vain, it is not asked first any more

    def learn(self, architecture: Architecture, value: float) -> None:
        """Take in what a network came to; only those are compared that were noted.

        Args:
            architecture: which.
            value: larger is better.
        """
        from_pool = self._from_pool.pop(architecture, None)
        if from_pool is False:
            self._lately.append(value)
        elif from_pool and len(self._lately) >= FEWEST:
            behind = value < median(self._lately)
            self.wait = min(LONGEST_WAIT, 2 * self.wait) if behind else max(1, self.wait // 2)
