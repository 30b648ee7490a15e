"""Strategies compared on benchmarks, honestly: many seeds, intervals, paired tests, and what was searched said with it.

* `settings`: what a person asks, and the rules that follow; `contestants`: the strategies; `truth`: the best there is.
* `run`: one search; `simulated`: one with many workers; `journal`: what both remember; `parallel`: many over the cores.
* `results`: what they say together (`statistics`, `hypervolume`, `scaling`); `report`, `tables`, `plot` tell it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from netwright.benchmarks.table import Table
from netwright.comparison.contestants import Contestant, Factory, Option, named, parse_strategies, require_usable
from netwright.comparison.costs import require_costs
from netwright.comparison.hypervolume import require_moocore
from netwright.comparison.journal import Ending, SearchRun
from netwright.comparison.opening import opened
from netwright.comparison.parallel import Listener, Task, Work, num_cores, run_tasks
from netwright.comparison.plot import to_svg
from netwright.comparison.report import to_dict
from netwright.comparison.results import Comparison, Summary
from netwright.comparison.settings import Rules, Settings, make_rules
from netwright.comparison.truth import find_truth, size_of
from netwright.errors import UsageError, wrong
from netwright.strategies.auto import choose

if TYPE_CHECKING:
    from netwright.benchmarks.base import Benchmark

__all__ = [
    "Comparison",
    "Contestant",
    "Ending",
    "Rules",
    "SearchRun",
    "Settings",
    "Summary",
    "compare",
    "to_dict",
    "to_svg",
]

Strategies = str | Sequence[str] | Mapping[str, str | Factory]


def compare(
    benchmark: Benchmark | str | Path,
    strategies: Strategies,
    settings: Settings | None = None,
    *,
    jobs: int | None = None,
    listener: Listener | None = None,
) -> Comparison:
    """Let strategies search on a benchmark, each over the same seeds.

    Args:
        benchmark: what is asked; or the path of a table, whose metrics are those of the settings (see
            `netwright.benchmarks.load_benchmark`, also for what to do with a table that does not explain itself).
        strategies: names with options (``"random"``, ``"evolution:population=50,tournament=10"``), several in a text
            parted by commas or in a list; or, by label, names and whatever makes a strategy, such as its class.
        settings: metric, protocol, queries, seeds and the rest; `Settings()` when absent.
        jobs: processes; one for each core when absent. Results do not depend on it.
        listener: is told of each ended search.

    Returns:
        The searches; `Comparison.summaries` and `Comparison.tests` say what they mean, `to_dict` and `to_svg` tell it.
        A strategy that crashed keeps what it had found, and is in `Comparison.crashes`.

    Raises:
        UsageError: something given is wrong; nothing ran.
        DataError: a table cannot be used.
    """
    settings = settings or Settings()
    benchmark = opened(benchmark, settings)
    rules = make_rules(benchmark, settings)
    contestants = _contestants(strategies)
    require_usable(contestants, benchmark, rules)
    notes = require_costs(benchmark, rules, simulated=settings.workers is not None)
    choice = choose(rules.objectives, benchmark.fidelities, rules.queries)
    notes += tuple(f"{c.label} is {choice}" for c in contestants if c.strategy == "auto")
    if len(rules.objectives) > 1:
        require_moocore()
    work = Work(benchmark, rules, find_truth(benchmark, rules))
    sets: list[int | None] = [None, *([1, settings.workers] if settings.workers else [])]
    tasks = [Task(c, seed, workers) for seed in range(settings.seeds) for c in contestants for workers in sets]
    runs = run_tasks(work, tasks, num_cores() if jobs is None else jobs, listener)
    by_task = dict(zip([(t.contestant.label, t.seed, i % len(sets)) for i, t in enumerate(tasks)], runs, strict=True))

    def of(label: str, which: int) -> tuple[SearchRun, ...]:
        return tuple(by_task[label, seed, which] for seed in range(settings.seeds))

    labels = [c.label for c in contestants]
    return Comparison(
        benchmark.name,
        size_of(benchmark),
        settings,
        rules,
        work.truth,
        contestants,
        {label: of(label, 0) for label in labels},
        {label: (of(label, 1), of(label, 2)) for label in labels} if settings.workers else {},
        notes,
        benchmark.about if isinstance(benchmark, Table) else "",
    )


def _contestants(strategies: Strategies) -> tuple[Contestant, ...]:
    if isinstance(strategies, Mapping):
        return named([_entry(label, strategy) for label, strategy in strategies.items()])
    return parse_strategies([strategies] if isinstance(strategies, str) else strategies)


def _entry(label: str, strategy: str | Factory) -> tuple[str, str | Factory, Mapping[str, Option]]:
    if not isinstance(strategy, str):
        return label, strategy, {}
    several = parse_strategies([strategy])
    if len(several) > 1:
        raise UsageError(wrong(f"the strategy {label!r}", strategy, "one strategy", "give each its own label"))
    return label, several[0].strategy, dict(several[0].options)
