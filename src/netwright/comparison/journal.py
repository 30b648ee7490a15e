"""The evaluations of one search on a benchmark, and what is remembered of them.

A `Journal` answers a proposal with a trial and its price, and keeps, query by query, what the incumbent is worth. It
does not know when a trial ends, or who asked for it.

An incumbent has been trained fully: of evaluations at lower fidelities the strategy learns, and what they cost is
counted, but a network is found when its full evaluation is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from netwright.benchmarks.base import Benchmark, NotInBenchmark
from netwright.comparison.settings import Rules
from netwright.comparison.truth import Truth, is_feasible, is_scored, values_of
from netwright.strategies.operators import Values, dominates
from netwright.types import Architecture, Fidelity, Metrics, Proposal, Trial, TrialState

TOLERANCE = 1e-9
"""Relative difference from the optimum that is a rounding."""


class Ending(StrEnum):
    """Why a search ended."""

    QUERIES = "queries"  # all it may make were made
    OPTIMUM = "optimum"  # nothing better exists
    EXHAUSTED = "exhausted"  # the strategy has nothing more to propose
    CRASHED = "crashed"  # the strategy raised, or broke its protocol


@dataclass(frozen=True, slots=True)
class SearchRun:
    """One search of one strategy: what was found, query by query. A search that ended early keeps its last values.

    Args:
        label: of the strategy.
        seed: of the search.
        ended: why.
        values: after each ended query, the reported metric of the incumbent; NaN where there is none yet.
        equivalents: after each ended query, what was spent, in full trainings.
        points: with several objectives, each that no earlier one was better than by what the search reads: its query
            (from 0), what was read, and what is reported; smaller is better.
        num_failed: queries that gave no number.
        num_infeasible: queries that broke a limit.
        error: the end of the traceback, where the strategy crashed.
        ask_s: processor seconds of each ask.
        tell_s: processor seconds of each tell.
        ended_s: simulated seconds from the start after which each query had ended; empty where they are not simulated.
    """

    label: str
    seed: int
    ended: Ending
    values: tuple[float, ...] = ()
    equivalents: tuple[float, ...] = ()
    points: tuple[tuple[int, Values, Values], ...] = ()
    num_failed: int = 0
    num_infeasible: int = 0
    error: str = ""
    ask_s: tuple[float, ...] = ()
    tell_s: tuple[float, ...] = ()
    ended_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A trial, everything the benchmark tells of it, and its price.

    Args:
        trial: as the strategy is told it.
        metrics: everything; empty of an architecture that is not in the benchmark.
        equivalents: price in full trainings.
        duration_s: seconds; NaN where they are not known.
        is_full: whether it was a full training.
    """

    trial: Trial
    metrics: Metrics
    equivalents: float
    duration_s: float
    is_full: bool


class Journal:
    """The record of one search while it goes on.

    Args:
        benchmark: what is asked.
        rules: what counts.
        truth: the best that can be found.

    Attributes:
        values: as of `SearchRun`, so the rest.
    """

    def __init__(self, benchmark: Benchmark, rules: Rules, truth: Truth) -> None:
        self._benchmark = benchmark
        self._rules = rules
        self._optimum = truth.optimum
        self._full = benchmark.fidelities[-1]
        self._read = math.inf
        self._front: list[Values] = []
        self._paid: dict[Architecture, tuple[float, float]] = {}
        self._all_full = True
        self.values: list[float] = []
        self.equivalents: list[float] = []
        self.points: list[tuple[int, Values, Values]] = []
        self.num_failed = self.num_infeasible = 0

    @property
    def is_over(self) -> bool:
        """Whether the optimum is found, so that no further query can change a curve."""
        if not self._rules.stop_at_optimum or self._optimum is None or not self.values or not self._all_full:
            return False
        if len(self._rules.objectives) > 1 or self._rules.protocol == "validation":
            return False
        return abs(self.values[-1] - self._optimum) <= TOLERANCE * max(1.0, abs(self._optimum))

    def evaluate(self, number: int, proposal: Proposal, seed: int) -> Evaluation:
        """Ask the benchmark what a proposal scores.

        Args:
            number: id of the trial.
            proposal: what the strategy wants evaluated.
            seed: of the search.

        Raises:
            UsageError: the benchmark has no such fidelity.
        """
        fidelity = self._full if proposal.fidelity == Fidelity() else proposal.fidelity
        metrics = self._look_up(proposal.architecture, fidelity)
        state, error = TrialState.FINISHED, ""
        if not is_scored(metrics, self._rules):
            state = TrialState.FAILED
            error = "the benchmark has no number for it" if metrics else "the architecture is not in the benchmark"
        elif not is_feasible(metrics, self._rules):
            state = TrialState.INFEASIBLE
        told = {name: value for name, value in metrics.items() if name in self._rules.told}
        equivalents, seconds = self._price(proposal.architecture, fidelity, metrics)
        trial = Trial(number, proposal, seed, state, told, error, 0.0 if math.isnan(seconds) else seconds)
        return Evaluation(trial, metrics, equivalents, seconds, fidelity == self._full)

    def _look_up(self, architecture: Architecture, fidelity: Fidelity) -> Metrics:
        try:
            return self._benchmark.query(architecture, fidelity)
        except NotInBenchmark:
            return {}

    def add(self, evaluation: Evaluation) -> None:
        """Count an evaluation as ended."""
        trial, metrics = evaluation.trial, evaluation.metrics
        self.num_failed += trial.state is TrialState.FAILED
        self.num_infeasible += trial.state is TrialState.INFEASIBLE
        self._all_full &= evaluation.is_full
        value = self.values[-1] if self.values else math.nan
        if trial.state is TrialState.FINISHED and evaluation.is_full:
            main = self._rules.objectives[0]
            if main.sign * metrics[main.metric] < self._read:
                self._read, value = main.sign * metrics[main.metric], metrics.get(self._rules.report, math.nan)
            self._add_point(metrics)
        self.values.append(value)
        spent = self.equivalents[-1] if self.equivalents else 0.0
        self.equivalents.append(spent + evaluation.equivalents)

    def _add_point(self, metrics: Metrics) -> None:
        if len(self._rules.objectives) == 1:
            return
        read = tuple(o.sign * metrics[o.metric] for o in self._rules.objectives)
        if read in self._front or any(dominates(other, read) for other in self._front):
            return
        self._front = [*(other for other in self._front if not dominates(read, other)), read]
        self.points.append((len(self.values), read, values_of(metrics, self._rules)))

    def _price(self, architecture: Architecture, fidelity: Fidelity, metrics: Metrics) -> tuple[float, float]:
        """Full trainings and seconds that an evaluation costs: by the cost metric, else by epochs and data."""
        share, seconds = fidelity.cost / self._full.cost, math.nan
        if self._rules.cost is not None:
            seconds = _seconds(metrics, self._rules.cost)
            if fidelity != self._full:
                full = _seconds(self._look_up(architecture, self._full), self._rules.cost)
                share = seconds / full if full > 0 and math.isfinite(seconds) else share
            else:
                share = 1.0
        if not self._rules.continued:
            return share, seconds
        paid = self._paid.get(architecture, (0.0, 0.0))
        known = seconds if math.isfinite(seconds) else paid[1]
        self._paid[architecture] = (max(share, paid[0]), max(known, paid[1]))
        return max(0.0, share - paid[0]), max(0.0, seconds - paid[1]) if math.isfinite(seconds) else seconds


def _seconds(metrics: Metrics, cost: str) -> float:
    seconds = metrics.get(cost, math.nan)
    return seconds if 0 <= seconds < math.inf else math.nan
