"""A simulated search by many workers at once, each evaluation lasting as long as the benchmark says.

Time is an event queue: nothing waits, and a thousand workers need no more than one. The strategy's own time counts as
nothing. It learns of a trial when the trial ends, so that it decides with as little knowledge as it would have.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import replace

from netwright.benchmarks.base import Benchmark
from netwright.comparison.contestants import Contestant
from netwright.comparison.journal import Ending, Evaluation, Journal, SearchRun
from netwright.comparison.run import Timed, record, traceback_tail
from netwright.comparison.settings import Rules
from netwright.comparison.truth import Truth
from netwright.strategies import Exhausted

Event = tuple[float, int, Evaluation]
"""End of an evaluation in simulated seconds, its number, and what it gave."""


def simulate_workers(
    benchmark: Benchmark, contestant: Contestant, rules: Rules, truth: Truth, seed: int, workers: int
) -> SearchRun:
    """Search on a benchmark with asynchronous workers.

    An evaluation whose seconds are not known takes as long as the mean of those before it.

    Args:
        benchmark: what is asked.
        contestant: who searches.
        rules: what counts, and for how long; the search never stops at the optimum, so that times can be compared.
        truth: the best that can be found.
        seed: of the search.
        workers: evaluations at once, >= 1.

    Returns:
        The record in the order in which evaluations ended, with their times.
    """
    rules = replace(rules, stop_at_optimum=False)
    journal = Journal(benchmark, rules, truth)
    workplace = Workplace(journal, workers, rules.queries, seed)
    strategy: Timed | None = None
    ended, error = Ending.QUERIES, ""
    try:
        strategy = Timed(contestant.make(benchmark, rules, seed))
        while workplace.fill(strategy) or workplace.running:
            evaluations = workplace.wait()
            for evaluation in evaluations:
                journal.add(evaluation)
            strategy.tell([evaluation.trial for evaluation in evaluations])
        ended = Ending.EXHAUSTED if workplace.exhausted else Ending.QUERIES
    except Exception:  # noqa: BLE001 - the boundary to a strategy that may be anyone's: stored with its traceback
        ended, error = Ending.CRASHED, traceback_tail()
    return record(contestant.label, seed, journal, strategy, ended, error, workplace.ended_s)


class Workplace:
    """Workers, what each is busy with, and the clock.

    Args:
        journal: answers proposals.
        workers: how many there are.
        queries: evaluations to be started in all.
        seed: of the search.

    Attributes:
        running: evaluations under way, the next to end first.
        exhausted: whether the strategy has nothing more to propose.
        ended_s: when each evaluation ended, in that order.
    """

    def __init__(self, journal: Journal, workers: int, queries: int, seed: int) -> None:
        self._journal = journal
        self._workers = workers
        self._queries = queries
        self._seed = seed
        self._now_s = 0.0
        self._started = 0
        self._known_s: tuple[int, float] = (0, 0.0)
        self.running: list[Event] = []
        self.exhausted = False
        self.ended_s: list[float] = []

    def fill(self, strategy: Timed) -> bool:
        """Give free workers something to do; returns whether any was given."""
        before = self._started
        while not self.exhausted and (free := self._free()):
            try:
                proposals = strategy.ask(free, pending=bool(self.running))
            except Exhausted:
                self.exhausted = True
                break
            if not proposals:
                break
            for proposal in proposals:
                evaluation = self._journal.evaluate(self._started, proposal, self._seed)
                heapq.heappush(self.running, (self._now_s + self._duration(evaluation), self._started, evaluation))
                self._started += 1
        return self._started > before

    def wait(self) -> list[Evaluation]:
        """Let time pass until something ends; returns all that ends at that moment, in the order it was asked for."""
        self._now_s = self.running[0][0]
        ended: list[Evaluation] = []
        while self.running and self.running[0][0] == self._now_s:
            ended.append(heapq.heappop(self.running)[2])
        self.ended_s += [self._now_s] * len(ended)
        return ended

    def _free(self) -> int:
        return min(self._workers - len(self.running), self._queries - self._started)

    def _duration(self, evaluation: Evaluation) -> float:
        count, total = self._known_s
        if math.isnan(evaluation.duration_s):
            return total / count if count else 0.0
        self._known_s = (count + 1, total + evaluation.duration_s)
        return evaluation.duration_s
