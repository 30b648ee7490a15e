"""REINFORCE and PPO against random search at equal budget, on several tables, over paired seeds.

    python benchmarks/controller_strategies.py --data FOLDER [--seeds 50] [--queries 200] [--table T ...] [--jobs 1]
        [--write docs/figures/controllers.md]

FOLDER holds the published benchmarks. Each search reads the accuracy it is scored by (protocol oracle). Prints, for
each table and strategy, the mean regret with its 95 % interval, milliseconds of an ask and a tell together, and on how
many paired seeds the best of the whole search is better and worse than that of random search, with the one-sided sign
test. Seeds are 0 to ``seeds - 1``, the same for every strategy; the settings of the strategies are the defaults.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np

from netwright.benchmarks import load_benchmark
from netwright.comparison import Comparison, Settings, compare
from netwright.strategies.base import Strategy
from netwright.strategies.ppo import ProximalPolicy
from netwright.strategies.random import RandomSearch
from netwright.strategies.reinforce import Reinforce

TABLES: Mapping[str, str] = {
    "nasbench201-cifar10": "test_accuracy",
    "nasbench201-cifar100": "test_accuracy",
    "nasbench201-imagenet16-120": "test_accuracy",
    "nasbench-macro": "test_accuracy",
    "channel-bench-resnet": "test_accuracy",
    "channel-bench-mobilenet": "test_accuracy",
    "accel-nasbench": "val_accuracy",
}
STRATEGIES: Mapping[str, Callable[..., Strategy]] = {
    "random": RandomSearch,
    "reinforce": Reinforce,
    "ppo": ProximalPolicy,
}
COUNTS = (20, 50, 100, 150, 200, 300)


def sign_test(wins: int, losses: int) -> float:
    """One-sided p-value of winning so often by chance."""
    return sum(math.comb(wins + losses, k) for k in range(wins, wins + losses + 1)) / 2 ** (wins + losses)


def rows_of(comparison: Comparison, counts: list[int]) -> list[list[str]]:
    """A row for each strategy."""
    rows = []
    last = {label: regrets[:, -1] for label, regrets in comparison.all_regrets.items()}
    for label in comparison.labels:
        curve = comparison.summaries[label].regret
        cells = [f"{curve.mean[c - 1]:.3g} ± {curve.high[c - 1] - curve.mean[c - 1]:.1g}" for c in counts]
        runs = comparison.runs[label]
        ms = 1e3 * float(np.mean([sum(run.ask_s) + sum(run.tell_s) for run in runs]) / len(runs[0].values))
        wins, losses = (int(n) for n in (sum(last[label] < last["random"]), sum(last[label] > last["random"])))
        test = f"{wins} : {losses}, p = {sign_test(wins, losses):.1g}" if label != "random" else ""
        rows.append([comparison.table, label, *cells, f"{ms:.2f}", test])
    return rows


def main() -> None:
    """Run the comparison and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--table", nargs="+", choices=sorted(TABLES), default=list(TABLES))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write", type=Path, help="also write the table to this markdown file")
    args = parser.parse_args()
    counts = [c for c in COUNTS if c <= args.queries]
    seeds = f"seeds 0 to {args.seeds - 1}"
    lines = [
        f"netwright {version('netwright')}, numpy {np.__version__}; {seeds}; protocol oracle; one-sided sign test",
        "",
        f"| table | strategy | {' | '.join(f'regret after {c}' for c in counts)} | ms | better : worse than random |",
        "|---" * (len(counts) + 4) + "|",
    ]
    print("\n".join(lines), flush=True)
    for name in args.table:
        settings = Settings(metric=TABLES[name], queries=args.queries, seeds=args.seeds)
        comparison = compare(load_benchmark(name, args.data), STRATEGIES, settings, jobs=args.jobs)
        new = [f"| {' | '.join(row)} |" for row in rows_of(comparison, counts)]
        print("\n".join(new), flush=True)
        lines += new
    if args.write is not None:
        options = f"--seeds {args.seeds} --queries {args.queries}"
        command = f"`python benchmarks/controller_strategies.py --data DATA {options}`"
        head = ["# REINFORCE and PPO beside random search", "", command, ""]
        args.write.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
