"""One simulated search: ask, look up, tell. The loop everything in a comparison is made of; read this file first."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from time import process_time

from netwright.benchmarks.base import Benchmark
from netwright.comparison.contestants import Contestant
from netwright.comparison.journal import Ending, Journal, SearchRun
from netwright.comparison.settings import Rules
from netwright.comparison.truth import Truth
from netwright.errors import SearchError
from netwright.strategies import Exhausted, Strategy
from netwright.types import Proposal, Trial

TAIL = 12
"""Lines of a traceback that are kept."""


class Timed:
    """A strategy whose calls are timed and held to the protocol.

    Time is that of the processor: what else the machine does makes no strategy slower.

    Args:
        strategy: what is called.

    Attributes:
        ask_s: seconds of each ask that gave something.
        tell_s: seconds of each tell.
    """

    def __init__(self, strategy: Strategy) -> None:
        self._strategy = strategy
        self.ask_s: list[float] = []
        self.tell_s: list[float] = []

    def ask(self, n: int, *, pending: bool) -> Sequence[Proposal]:
        """Ask for 1 to ``n`` proposals; for none only where trials are pending.

        Raises:
            Exhausted: there will be no more.
            SearchError: the strategy broke its protocol.
        """
        start = process_time()
        proposals = self._strategy.ask(n)
        elapsed_s = process_time() - start
        if len(proposals) > n:
            raise SearchError(f"ask({n}) returned {len(proposals)} proposals; a strategy returns at most what is asked")
        if proposals:
            self.ask_s.append(elapsed_s)
        elif not pending:
            raise SearchError(
                "ask returned nothing while nothing was pending; a strategy that is done raises Exhausted"
            )
        return proposals

    def tell(self, trials: Sequence[Trial]) -> None:
        """Tell ended trials."""
        start = process_time()
        self._strategy.tell(trials)
        self.tell_s.append(process_time() - start)


def run_search(benchmark: Benchmark, contestant: Contestant, rules: Rules, truth: Truth, seed: int) -> SearchRun:
    """Search on a benchmark, one query after the other.

    What the strategy raises ends its search, and is kept with the traceback; what it had found until then counts.

    Args:
        benchmark: what is asked.
        contestant: who searches.
        rules: what counts, and for how long.
        truth: the best that can be found.
        seed: of the search.
    """
    journal = Journal(benchmark, rules, truth)
    strategy: Timed | None = None
    ended, error = Ending.QUERIES, ""
    try:
        strategy = Timed(contestant.make(benchmark, rules, seed))
        for query in range(rules.queries):
            (proposal,) = strategy.ask(1, pending=False)
            evaluation = journal.evaluate(query, proposal, seed)
            journal.add(evaluation)
            if journal.is_over:
                ended = Ending.OPTIMUM
                break
            strategy.tell([evaluation.trial])
    except Exhausted:
        ended = Ending.EXHAUSTED
    except Exception:  # noqa: BLE001 - the boundary to a strategy that may be anyone's: stored with its traceback
        ended, error = Ending.CRASHED, traceback_tail()
    return record(contestant.label, seed, journal, strategy, ended, error)


def record(
    label: str,
    seed: int,
    journal: Journal,
    strategy: Timed | None,
    ended: Ending,
    error: str,
    ended_s: Sequence[float] = (),
) -> SearchRun:
    """Make the record of a search that has ended."""
    return SearchRun(
        label,
        seed,
        ended,
        tuple(journal.values),
        tuple(journal.equivalents),
        tuple(journal.points),
        journal.num_failed,
        journal.num_infeasible,
        error,
        tuple(strategy.ask_s) if strategy else (),
        tuple(strategy.tell_s) if strategy else (),
        tuple(ended_s),
    )


def traceback_tail() -> str:
    """The last lines of the traceback of the exception being handled."""
    return "\n".join(traceback.format_exc().rstrip().splitlines()[-TAIL:])
