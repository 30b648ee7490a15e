"""A comparison and what it says: records of searches in, numbers a strategy and tests between strategies out.

Regret is how much worse the incumbent's reported metric is than the optimum's, in the metric's own unit. Where the
optimum is not known, the best that any search of the comparison found stands in for it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from netwright.comparison import statistics
from netwright.comparison.contestants import Contestant
from netwright.comparison.hypervolume import Yardstick, make_yardstick, shares
from netwright.comparison.journal import TOLERANCE, SearchRun
from netwright.comparison.settings import Rules, Settings
from netwright.comparison.statistics import Curve, PairTest
from netwright.comparison.truth import Truth

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Comparison:
    """Strategies that searched on a benchmark, each over the same seeds.

    Args:
        table: name of the benchmark.
        size: how many architectures it has; infinity where they cannot be counted.
        settings: what was asked.
        rules: what followed from it.
        truth: the best that can be found.
        contestants: the strategies.
        runs: the searches of each, by label, in the order of the seeds.
        simulated: the searches with workers, and with one, by label; empty where none were asked for.
        notes: what a reader has to know of the benchmark, a line each.
        about: what was read of a file, in a line.
    """

    table: str
    size: float
    settings: Settings
    rules: Rules
    truth: Truth
    contestants: tuple[Contestant, ...]
    runs: Mapping[str, tuple[SearchRun, ...]]
    simulated: Mapping[str, tuple[tuple[SearchRun, ...], tuple[SearchRun, ...]]]
    notes: tuple[str, ...] = ()
    about: str = ""

    def __str__(self) -> str:
        return self.summary()

    def summary(self) -> str:
        """The tables, tests and notes that ``netwright bench`` prints."""
        from netwright.comparison.tables import summary

        return summary(self)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the strategies, in the order given."""
        return tuple(contestant.label for contestant in self.contestants)

    @property
    def crashes(self) -> tuple[SearchRun, ...]:
        """The searches whose strategy crashed, those with workers included."""
        both = [run for pair in self.simulated.values() for runs in pair for run in runs]
        return tuple(run for run in (*(run for runs in self.runs.values() for run in runs), *both) if run.error)

    @cached_property
    def best_value(self) -> float | None:
        """What regret is measured from: the optimum, else the best that was found; None where nothing was."""
        if self.truth.optimum is not None:
            return self.truth.optimum
        sign = self.rules.reported[0].sign
        all_runs = [*self.runs.values(), *(runs for pair in self.simulated.values() for runs in pair)]
        known = [sign * v for runs in all_runs for run in runs for v in run.values if math.isfinite(v)]
        return sign * min(known) if known else None

    def regrets(self, runs: tuple[SearchRun, ...]) -> NDArray[np.float64]:
        """Regret of searches by count of queries (S, N); a search that ended early keeps its last.

        NaN where there is no incumbent yet.
        """
        values = np.array([_padded(run.values, self.rules.queries) for run in runs])
        if self.best_value is None:
            return np.full_like(values, math.nan)
        sign = self.rules.reported[0].sign
        regrets: NDArray[np.float64] = sign * values - sign * self.best_value
        scale = TOLERANCE * max(1.0, abs(self.best_value))
        return np.where(np.abs(regrets) <= scale, 0.0, regrets)

    @cached_property
    def all_regrets(self) -> dict[str, NDArray[np.float64]]:
        """`regrets` of each strategy, by label."""
        return {label: self.regrets(self.runs[label]) for label in self.labels}

    @cached_property
    def yardstick(self) -> Yardstick | None:
        """What hypervolumes are measured by; None with a single objective."""
        if len(self.rules.objectives) == 1:
            return None
        return make_yardstick(self.truth.front, [run for runs in self.runs.values() for run in runs])

    @cached_property
    def all_shares(self) -> dict[str, NDArray[np.float64]]:
        """Share of the hypervolume by count of queries (S, N), by label; empty with a single objective."""
        if self.yardstick is None:
            return {}
        queries, yardstick = self.rules.queries, self.yardstick
        return {label: np.array([shares(run, queries, yardstick) for run in self.runs[label]]) for label in self.labels}

    @cached_property
    def areas(self) -> dict[str, NDArray[np.float64]]:
        """Mean loss over all counts for each seed (S,), by label: of the hypervolume's missing share, else of regret.

        A seed that found nothing yet has the worst regret of the comparison.
        """
        if self.all_shares:
            return {label: statistics.area(1 - found, 1.0) for label, found in self.all_shares.items()}
        known = np.concatenate([regrets[np.isfinite(regrets)] for regrets in self.all_regrets.values()])
        worst = float(known.max(initial=0.0))
        return {label: statistics.area(regrets, worst) for label, regrets in self.all_regrets.items()}

    @cached_property
    def tests(self) -> tuple[PairTest, ...] | None:
        """All pairs of strategies over paired seeds, on `areas`; None where scipy is not installed."""
        return tuple(statistics.compare_pairs(self.areas)) if statistics.can_test() else None

    @cached_property
    def summaries(self) -> dict[str, Summary]:
        """What each strategy's searches say, by label."""
        return {label: self._summary(label) for label in self.labels}

    def _summary(self, label: str) -> Summary:
        regrets, runs = self.all_regrets[label], self.runs[label]
        optimum_known = self.truth.optimum is not None
        found = self.all_shares.get(label)
        return Summary(
            regret=statistics.mean_curve(regrets),
            queries_to_optimum=tuple(statistics.first_at_most(regrets, 0.0) if optimum_known else [None] * len(runs)),
            hypervolume=None if found is None else statistics.mean_curve(found),
            spending=_spending(runs, regrets, self.rules.queries, optimum_known),
            endings=dict(Counter(str(run.ended) for run in runs)),
            num_failed=sum(run.num_failed for run in runs),
            num_infeasible=sum(run.num_infeasible for run in runs),
            timing=Timing.of(runs),
        )


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a strategy took to decide, in time of the processor.

    Args:
        ask_ms: mean milliseconds of an ask.
        ask_ms_p95: what 95 % of the asks did not exceed.
        ask_ms_late: mean over the last tenth of each search's asks, where the history is longest.
        tell_ms: mean milliseconds of a tell.
    """

    ask_ms: float
    ask_ms_p95: float
    ask_ms_late: float
    tell_ms: float

    @classmethod
    def of(cls, runs: tuple[SearchRun, ...]) -> Timing:
        """The timing of searches; NaN where nothing was asked."""
        asks = np.array([s for run in runs for s in run.ask_s])
        late = np.array([s for run in runs for s in run.ask_s[-math.ceil(len(run.ask_s) / 10) :]])
        tells = np.array([s for run in runs for s in run.tell_s])
        p95 = float(np.percentile(asks, 95)) if len(asks) else math.nan
        return cls(_mean_ms(asks), 1e3 * p95, _mean_ms(late), _mean_ms(tells))


@dataclass(frozen=True, slots=True)
class Spending:
    """Regret by what was spent instead of by count, where low fidelities were asked for.

    Args:
        equivalents: (N,) mean full trainings that were spent after each count of queries.
        regret: mean regret after 1, 2, 3, ... full trainings' worth, as long as every seed has spent that much.
        to_optimum: for each seed the full trainings' worth until the optimum was found; None where it was not.
    """

    equivalents: NDArray[np.float64]
    regret: Curve
    to_optimum: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """What the searches of a strategy say together.

    Args:
        regret: by count of queries.
        queries_to_optimum: for each seed; None where it was not found, or is not known.
        hypervolume: share of the front's volume by count of queries; None with a single objective.
        spending: None where every query was a full training.
        endings: how many searches ended why.
        num_failed: queries that gave no number, over all seeds.
        num_infeasible: queries that broke a limit, over all seeds.
        timing: of the strategy's decisions.
    """

    regret: Curve
    queries_to_optimum: tuple[int | None, ...]
    hypervolume: Curve | None
    spending: Spending | None
    endings: Mapping[str, int]
    num_failed: int
    num_infeasible: int
    timing: Timing

    @property
    def share_reached(self) -> float:
        """Part of the seeds that found the optimum."""
        return sum(count is not None for count in self.queries_to_optimum) / len(self.queries_to_optimum)


def _spending(
    runs: tuple[SearchRun, ...], regrets: NDArray[np.float64], queries: int, optimum_known: bool
) -> Spending | None:
    if all(run.equivalents == tuple(float(i + 1) for i in range(len(run.equivalents))) for run in runs):
        return None
    spent = np.array([_padded(run.equivalents, queries, 0.0) for run in runs])
    budgets = np.arange(1, math.floor(float(spent[:, -1].min()) + 1e-9) + 1)
    columns = []
    for row, regret in zip(spent, regrets, strict=True):
        place = np.searchsorted(row, budgets + 1e-9, side="right") - 1
        columns.append(np.where(place >= 0, regret[np.maximum(place, 0)], math.nan))
    first = statistics.first_at_most(regrets, 0.0)
    to_optimum = tuple(
        float(row[count - 1]) if count is not None and optimum_known else None
        for row, count in zip(spent, first, strict=True)
    )
    return Spending(spent.mean(axis=0), statistics.mean_curve(np.array(columns)), to_optimum)


def _padded(values: tuple[float, ...], length: int, absent: float = math.nan) -> list[float]:
    last = values[-1] if values else absent
    return [*values, *([last] * (length - len(values)))]


def _mean_ms(seconds: NDArray[np.float64]) -> float:
    return float(seconds.mean()) * 1e3 if len(seconds) else math.nan
