"""Target T11: full-training equivalents that a search needs on NAS-Bench-201 until its CIFAR-10 regret is at most 0.1.

    python benchmarks/fidelities_nb201.py --data FOLDER [--strategy random asha asha:inner=local hyperband bohb]
        [--seeds 50] [--noise] [--table spikenas-cifar10] [--protocol validation] [--jobs 2] [--write FILE.md]

FOLDER holds ``nasbench201/nasbench201.npz``. A 12-epoch training costs its seconds over those of the full training
of the same architecture, about 1/17; every evaluation is from scratch. Only a full training makes an incumbent. With
``--noise`` the scores of all lower fidelities are permuted among the architectures, by the seed of the search. The
column "ratio" compares with the first strategy named: with noise, take the single-fidelity search, or the inner one.

Printed are mean and median with 95 % intervals (bootstrap over seeds) and the share of searches that got there. One
that did not within ``--equivalents`` counts as having got there then, so that its mean is a lower bound.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

from netwright.benchmarks import load_benchmark
from netwright.benchmarks.table import Table
from netwright.comparison import Contestant, Rules, Settings, make_rules
from netwright.comparison.contestants import parse_strategies
from netwright.comparison.journal import Journal
from netwright.comparison.truth import find_truth
from netwright.strategies import Strategy
from netwright.strategies.asha import Asha
from netwright.strategies.bohb import BOHB
from netwright.strategies.hyperband import Hyperband
from netwright.strategies.priorband import PriorBand
from netwright.types import Architecture, Fidelity, Metrics

OURS: dict[str, Callable[..., Strategy]] = {
    "asha": Asha,
    "bohb": BOHB,
    "hyperband": Hyperband,
    "priorband": PriorBand,
}
DEFAULT = ("random", "asha", "hyperband", "bohb", "local", "asha:inner=local")
RESAMPLED = 2_000


class Permuted:
    """A table whose lower fidelities are noise: each architecture has the scores of another one, at its own cost.

    Args:
        table: the truth.
        metric: what is permuted.
        seed: of the permutations.
    """

    def __init__(self, table: Table, metric: str, seed: int) -> None:
        self.name, self.space, self.metrics = table.name, table.space, table.metrics
        self.fidelities, self.cost, self.default_metric = table.fidelities, table.cost, table.default_metric
        self.optimum = table.optimum
        self._table = table
        self._metric = metric
        rng = np.random.default_rng(seed)
        self._permuted = {f: rng.permutation(table.column(metric, f)) for f in table.fidelities[:-1]}

    def query(self, arch: Architecture, fidelity: Fidelity | None = None) -> Metrics:
        """As the table answers; noise in place of the metric below the full fidelity."""
        metrics = self._table.query(arch, fidelity)
        noise = self._permuted.get(fidelity) if fidelity is not None else None
        return (
            metrics if noise is None else {**metrics, self._metric: noise.item(self._table.architectures().find(arch))}
        )


def contestants_of(texts: Sequence[str]) -> list[Contestant]:
    """The strategies named, those of this script by their classes."""
    return [replace(c, strategy=OURS.get(str(c.strategy), c.strategy)) for c in parse_strategies(texts)]


@cache
def read(name: str, data: Path) -> Table:
    """A table, once for each process."""
    table = load_benchmark(name, data)
    assert isinstance(table, Table)
    return table


def equivalents_needed(args: argparse.Namespace, task: tuple[Contestant, int]) -> tuple[float, str]:
    """Full trainings until the regret is small enough, and what was dropped; the limit where it never is."""
    contestant, seed = task
    table = read(args.table, args.data)
    rules = rules_of(args, table)
    benchmark = Permuted(table, rules.objectives[0].metric, seed) if args.noise else table
    truth = find_truth(table, rules)
    assert truth.optimum is not None
    journal = Journal(benchmark, rules, truth)
    strategy = contestant.make(benchmark, rules, seed)
    while not journal.equivalents or journal.equivalents[-1] < args.equivalents:
        (proposal,) = strategy.ask(1)
        evaluation = journal.evaluate(len(journal.values), proposal, seed)
        journal.add(evaluation)
        if 100 * (truth.optimum - journal.values[-1]) <= args.regret + 1e-9:
            break
        strategy.tell([evaluation.trial])
    dropped = [f"{f.epochs:g}" for f in getattr(strategy, "dropped", ())]
    return min(journal.equivalents[-1], args.equivalents), "+".join(dropped)


def rules_of(args: argparse.Namespace, table: Table) -> Rules:
    """What the searches read, and what is reported."""
    metric = "test_accuracy" if args.protocol == "oracle" and args.table.startswith("nasbench201") else "val_accuracy"
    return make_rules(table, Settings(metric=metric, protocol=args.protocol, stop_at_optimum=False))


def interval(numbers: np.ndarray, statistic: Callable[..., np.ndarray]) -> str:
    """A statistic over the seeds, the last axis, with its 95 % bootstrap interval."""
    drawn = np.random.default_rng(0).integers(numbers.shape[-1], size=(RESAMPLED, numbers.shape[-1]))
    low, high = np.quantile(statistic(numbers[..., drawn]), [0.025, 0.975])
    return f"{float(statistic(numbers)):.3g} [{low:.3g}, {high:.3g}]"


def median(numbers: np.ndarray) -> np.ndarray:
    """Over the seeds."""
    return np.asarray(np.median(numbers, axis=-1))


def mean(numbers: np.ndarray) -> np.ndarray:
    """Over the seeds."""
    return np.asarray(numbers.mean(axis=-1))


def ratio(numbers: np.ndarray) -> np.ndarray:
    """Mean of the first of two over that of the second, paired."""
    return np.asarray(numbers[0].mean(axis=-1) / numbers[1].mean(axis=-1))


def head(equivalents: float, *, noise: bool) -> str:
    """What the page of these tables begins with."""
    title = "Low fidelities replaced by noise, NAS-Bench-201" if noise else "Low fidelities on NAS-Bench-201"
    command = f"python benchmarks/fidelities_nb201.py --data DATA --equivalents {equivalents:g}{' --noise' * noise}"
    return f"# {title}\n\n`make bench-fidelities`: `{command}`, with the options that each table names.\n"


def add_table(path: Path, head: str, lines: Sequence[str]) -> None:
    """Put a table at the end of a page, which gets the head first if it has not its heading yet."""
    known = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    with path.open("a", encoding="utf-8") as file:
        file.write("\n".join([*([] if head.splitlines()[0] in known else [head]), *lines, "", ""]))


def parse() -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--strategy", nargs="+", default=list(DEFAULT))
    parser.add_argument("--table", default="nasbench201-cifar10")
    parser.add_argument("--protocol", choices=("oracle", "validation"), default="oracle")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--equivalents", type=float, default=1000)
    parser.add_argument("--regret", type=float, default=0.1, help="in points")
    parser.add_argument("--noise", action="store_true")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write", type=Path, help="append the table to this file")
    return parser.parse_args()


def main() -> None:
    """Run the searches and print the table."""
    args = parse()
    told = f"{args.table}, protocol {args.protocol}{', lower fidelities are noise' if args.noise else ''}"
    aim = f"full-training equivalents until regret <= {args.regret:g} points, at most {args.equivalents:g}"
    lines = [
        f"netwright {version('netwright')}, numpy {np.__version__}; {told}; seeds 0 to {args.seeds - 1}; {aim}",
        "",
        "| strategy | mean | median | ratio to the first | reached | rung dropped | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    first: np.ndarray | None = None
    run = partial(equivalents_needed, args)
    with ProcessPoolExecutor(args.jobs) as pool:
        for contestant in contestants_of(args.strategy):
            start = time.perf_counter()
            tasks = [(contestant, seed) for seed in range(args.seeds)]
            found = list(pool.map(run, tasks) if args.jobs > 1 else map(run, tasks))
            needed = np.array([equivalents for equivalents, _ in found])
            first = needed if first is None else first
            reached = f"{np.mean(needed < args.equivalents):.0%}"
            dropped = f"{np.mean([bool(d) for _, d in found]):.0%}"
            cells = [interval(needed, mean), interval(needed, median), interval(np.stack([needed, first]), ratio)]
            row = [contestant.label, *cells, reached, dropped, f"{time.perf_counter() - start:.0f}"]
            lines.append("| " + " | ".join(row) + " |")
            print(lines[-1], flush=True)
    if args.write:
        add_table(args.write, head(args.equivalents, noise=args.noise), lines)


if __name__ == "__main__":
    main()
