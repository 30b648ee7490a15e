"""What a prior is worth to PriorBand on NAS-Bench-201, CIFAR-10, protocol A: a good one, a bad one, and none.

    python benchmarks/priorband_nb201.py --data FOLDER [--seeds 50] [--jobs 2] [--write docs/figures/priors.md]

FOLDER holds ``nasbench201/nasbench201.npz``. A prior is a favourite operation for each edge. The good one is the best
cell of CIFAR-100, the bad one the worst cell of it: neither knows a label of CIFAR-10, both know those of another data
set. Beside PriorBand stand Hyperband, random search, and random search that tries the good cell first, which is what
a prior has to beat to be worth more than a hint.

Printed is the mean regret in points with its 95 % interval by what was spent, in full trainings (12 epochs cost about
1/17 of one, every evaluation is from scratch; only a full training makes an incumbent), and for each pair with
PriorBand Wilcoxon's test over paired seeds on the mean regret over all these budgets, corrected by Holm.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

from netwright.benchmarks import load_benchmark
from netwright.benchmarks.table import Table
from netwright.comparison import Settings, compare
from netwright.comparison.journal import SearchRun
from netwright.comparison.statistics import compare_pairs
from netwright.strategies import RandomSearch, Strategy
from netwright.strategies.hyperband import Hyperband
from netwright.strategies.priorband import PriorBand
from netwright.types import Architecture

HEAD = """# PriorBand with a good prior, a bad one and none, NAS-Bench-201

`make bench-priors`: `python benchmarks/priorband_nb201.py --data DATA --seeds {seeds}`.
"""
METRIC = "test_accuracy"
BUDGETS = (5, 10, 20, 50, 100)
QUERIES = 1_000
"""Evaluations of a search: more than `BUDGETS` pay for, most of them short ones."""


def open_table(dataset: str, data: Path) -> Table:
    """A table of NAS-Bench-201."""
    table = load_benchmark(f"nasbench201-{dataset}", data)
    assert isinstance(table, Table)
    return table


def ends_of(table: Table) -> tuple[Architecture, Architecture]:
    """The best cell of a table, and the worst."""
    ranked = sorted(table.space.enumerate(), key=lambda cell: table.query(cell)[METRIC])
    return ranked[-1], ranked[0]


def contestants(good: Architecture, bad: Architecture) -> dict[str, Callable[..., Strategy]]:
    """Strategies by label."""
    return {
        "random": RandomSearch,
        "random, the good cell first": partial(RandomSearch, initial=[good]),
        "hyperband": Hyperband,
        "priorband, no prior": PriorBand,
        "priorband, good prior": partial(PriorBand, priors=dict(good)),
        "priorband, bad prior": partial(PriorBand, priors=dict(bad)),
    }


def regret_by_budget(run: SearchRun, optimum: float) -> np.ndarray:
    """Regret in points once each budget is spent; NaN where nothing was trained fully by then."""
    spent = np.array(run.equivalents)
    ended = np.searchsorted(spent, np.array(BUDGETS) + 1e-6, side="right")
    values = np.concatenate([[np.nan], np.array(run.values)])
    return 100 * (optimum - values[ended])


def mean_cells(found: np.ndarray) -> list[str]:
    """Means over the seeds with half their 95 % interval; the number of seeds where not all have one."""
    cells = []
    for column in found.T:
        known = column[np.isfinite(column)]
        half = 1.96 * known.std(ddof=1) / np.sqrt(len(known)) if len(known) > 1 else np.nan
        told = f"{known.mean():.3f} ± {half:.3f}" if len(known) else "-"
        cells.append(told if len(known) == len(column) else f"{told} ({len(known)} seeds)")
    return cells


def pair_lines(found: Mapping[str, np.ndarray]) -> list[str]:
    """Tests of PriorBand's variants against the others; budgets that a seed of any has no incumbent at are left out."""
    usable = np.isfinite(np.stack(list(found.values()))).all(axis=(0, 1))
    budgets = ", ".join(str(b) for b, use in zip(BUDGETS, usable, strict=True) if use)
    lines = [f"Paired differences of the mean regret over budgets {budgets}:", ""]
    for test in compare_pairs({label: regrets[:, usable].mean(axis=1) for label, regrets in found.items()}):
        if "priorband" in test.a + test.b:
            ends = f"{test.difference:+.3f} [{test.low:+.3f}, {test.high:+.3f}], p = {test.p_holm:.2g}"
            lines.append(f"- {test.a} minus {test.b}: {ends}")
    return lines


def main() -> None:
    """Run the searches and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write", type=Path, help="write the table to this file")
    args = parser.parse_args()
    good, bad = ends_of(open_table("cifar100", args.data))
    table = open_table("cifar10", args.data)
    settings = Settings(metric=METRIC, queries=QUERIES, seeds=args.seeds)
    comparison = compare(table, contestants(good, bad), settings, jobs=args.jobs)
    optimum = comparison.truth.optimum
    assert optimum is not None
    found = {label: np.stack([regret_by_budget(r, optimum) for r in runs]) for label, runs in comparison.runs.items()}
    own = [f"{100 * (optimum - table.query(cell)[METRIC]):.2f}" for cell in (good, bad)]
    about = f"netwright {version('netwright')}, numpy {np.__version__}; {table.name}, oracle, seeds 0-{args.seeds - 1}"
    lines = [
        f"{about}; regret of the cells of the priors themselves: good {own[0]}, bad {own[1]} points",
        "",
        "| regret once spent | " + " | ".join(map(str, BUDGETS)) + " |",
        "|---" * (len(BUDGETS) + 1) + "|",
        *("| " + " | ".join([label, *mean_cells(regrets)]) + " |" for label, regrets in found.items()),
        "",
        *pair_lines(found),
    ]
    print("\n".join(lines))
    if args.write:
        args.write.write_text("\n".join([HEAD.format(seeds=args.seeds), *lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
