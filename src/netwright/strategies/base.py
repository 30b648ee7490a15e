"""The protocol of a search strategy.

A strategy proposes architectures and learns from ended trials. Its state is a function of (space, seed, history): the
same calls give the same proposals, which is how a study resumes. It owns no threads, no clocks and no store, and it
never trains anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from netwright.types import Proposal, Trial


@runtime_checkable
class Strategy(Protocol):
    """What a search needs of a strategy.

    The contract, checked by `netwright.testing`:

    * ``ask(n)`` returns 1 to ``n`` proposals, all in the space; fewer, even none, when the strategy waits for results
      that are pending; `Exhausted` is raised when it will never propose again.
    * ``tell`` may bring trials late, in any order, in any grouping, and each at most once; also trials that failed or
      were infeasible, and trials that nobody asked for (a warm start).
    * Proposals that were asked and not told are pending, and are not proposed again while new ones exist.
    * All randomness comes from the seed.
    """

    def ask(self, n: int) -> Sequence[Proposal]:
        """Propose up to ``n`` evaluations.

        Raises:
            Exhausted: every architecture of the space has been proposed.
        """

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn from ended trials."""


class Exhausted(Exception):
    """The strategy has nothing more to propose, now or later."""
