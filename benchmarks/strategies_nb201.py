"""Strategies on NAS-Bench-201: queries to the optimum and regret (targets T1, T2, T13), and three variations.

    python benchmarks/strategies_nb201.py queries --data FOLDER [--seeds 200] [--strategy random local bayesian ...]
    python benchmarks/strategies_nb201.py validation ...   the searches read validation accuracy (T4)
    python benchmarks/strategies_nb201.py proxies ...      label-free scores are read without a query (T3, part of T12)
    python benchmarks/strategies_nb201.py robustness ...   labels are shuffled, or get a point of noise (T12)

FOLDER holds ``nasbench201/nasbench201.npz``. One query is one architecture fully trained; isomorphic ones count when
they are asked for. Search i has the seed i, for every strategy. Regret is in points of accuracy, with its 95 % interval
over seeds (Student's t); that of a median is the exact one of the binomial distribution. ``--write FILE.md`` writes
what is printed as a page.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from platform import python_version

import numpy as np
from scipy.stats import binom

from netwright.benchmarks import load_benchmark
from netwright.benchmarks.base import MetricInfo
from netwright.benchmarks.table import Table
from netwright.comparison import Comparison, Settings, compare
from netwright.types import Architecture, Fidelity, Metrics

DATASETS = ("cifar10", "cifar100", "imagenet16-120")
COUNTS = (10, 20, 50, 100, 150, 300)
STRATEGIES = ("random", "evolution", "local", "reinforce", "ppo", "bayesian")
PROXIES = ("zc_naswot", "zc_synflow", "params", "macs")
NOISE = 0.01
DISTURBANCES = 10
"""Permutations, or draws of noise, among which the seeds are divided."""

Row = list[str]


class Disturbed:
    """A table whose test accuracy is read in a wrong way, as the metric ``read``.

    Args:
        table: the truth.
        kind: ``shuffled``: each architecture has the accuracy of another one. ``noise``: a normal error of one point.
        seed: of the disturbance.
    """

    def __init__(self, table: Table, kind: str, seed: int) -> None:
        rng = np.random.default_rng([20_201, seed])
        self._table = table
        truth = [table.query(a)["test_accuracy"] for a in table.space.enumerate()]
        wrong = rng.permutation(truth) if kind == "shuffled" else truth + rng.normal(0, NOISE, len(truth))
        self._read = dict(zip(table.space.enumerate(), wrong.tolist(), strict=True))
        self.name, self.space, self.cost = f"{table.name}-{kind}", table.space, table.cost
        self.fidelities, self.default_metric = table.fidelities, "read"
        self.metrics = {**table.metrics, "read": MetricInfo("max", "test_accuracy")}

    def query(self, arch: Architecture, fidelity: Fidelity | None = None) -> Metrics:
        return {**self._table.query(arch, fidelity), "read": self._read[arch]}

    def optimum(self, metric: str, fidelity: Fidelity | None = None) -> float | None:
        return max(self._read.values()) if metric == "read" else self._table.optimum(metric, fidelity)


def queries(options: argparse.Namespace) -> Iterator[str]:
    """T1, T2 and T13: the searches read test accuracy."""
    yield from per_dataset(options, Settings(metric="test_accuracy", queries=options.queries, seeds=options.seeds))


def validation(options: argparse.Namespace) -> Iterator[str]:
    """T4: the searches read validation accuracy, and the incumbent's test accuracy is reported."""
    settings = Settings(metric="val_accuracy", protocol="validation", queries=options.queries, seeds=options.seeds)
    yield from per_dataset(options, settings)


def proxies(options: argparse.Namespace) -> Iterator[str]:
    """T3: scores before training are known; and the same scores with their signs turned round (T12)."""
    for label, ending in (("none", None), ("as they are", ""), ("flipped", ":min")):
        known = () if ending is None else tuple(proxy + ending for proxy in PROXIES)
        yield f"\n### Proxies {label}{': ' + ', '.join(known) if known else ''}\n"
        settings = Settings(metric="test_accuracy", queries=options.queries, seeds=options.seeds, proxies=known)
        yield from per_dataset(options, settings)


def robustness(options: argparse.Namespace) -> Iterator[str]:
    """T12: mean regret over all counts (the area under the curve) relative to random search."""
    for dataset in options.dataset:
        table = load_benchmark(f"nasbench201-{dataset}", options.data)
        assert isinstance(table, Table)
        for kind, protocol in (("shuffled", "oracle"), ("noise", "validation")):
            areas: dict[str, list[float]] = {name: [] for name in options.strategy}
            for number in range(DISTURBANCES):
                settings = Settings(protocol=protocol, queries=options.queries, seeds=-(-options.seeds // DISTURBANCES))
                found = compare(Disturbed(table, kind, number), options.strategy, settings, jobs=options.jobs)
                for name in options.strategy:
                    areas[name] += found.areas[name].tolist()
            yield f"\n### {dataset}, {kind}: area under the curve of regret over {options.queries} queries\n"
            base = np.array(areas[options.strategy[0]])
            rows = [[name, *ratio(np.array(areas[name]), base)] for name in options.strategy]
            yield from lines(["strategy", "points", f"relative to {options.strategy[0]}", "95 %"], rows)


def ratio(ours: np.ndarray, base: np.ndarray) -> Row:
    """Mean, its ratio to that of another strategy, and the interval of the ratio by resampling paired seeds."""
    picks = np.random.default_rng(0).integers(len(ours), size=(2_000, len(ours)))
    low, high = np.percentile(ours[picks].mean(axis=1) / base[picks].mean(axis=1), [2.5, 97.5])
    return [f"{100 * ours.mean():.4f}", f"{ours.mean() / base.mean():.3f}", f"{low:.3f} to {high:.3f}"]


def per_dataset(options: argparse.Namespace, settings: Settings) -> Iterator[str]:
    """One comparison and one table for each set of images."""
    for dataset in options.dataset:
        table = load_benchmark(f"nasbench201-{dataset}", options.data)
        start = time.monotonic()
        comparison = compare(table, options.strategy, settings, jobs=options.jobs)
        yield f"\n**{dataset}**, {settings.seeds} seeds, {time.monotonic() - start:.0f} s\n"
        counts = [count for count in COUNTS if count <= settings.queries]
        headers = ["strategy", *(f"@{count}" for count in counts), "median", "95 %", "p95", "reached", "ask ms", "late"]
        yield from lines(headers, [row_of(comparison, name, counts) for name in comparison.labels])
        for run in comparison.crashes[:3]:
            yield f"\ncrashed: {run.label}, seed {run.seed}: {run.error.splitlines()[-1]}"


def row_of(comparison: Comparison, label: str, counts: Sequence[int]) -> Row:
    """Regret after each count, queries to the optimum, and milliseconds an ask."""
    summary = comparison.summaries[label]
    regret = comparison.all_regrets[label]
    half = [100 * (summary.regret.high[c - 1] - summary.regret.mean[c - 1]) for c in counts]
    means = [f"{100 * regret[:, c - 1].mean():.4f} +-{h:.4f}" for c, h in zip(counts, half, strict=True)]
    needed = np.array([np.inf if count is None else count for count in summary.queries_to_optimum])
    median, low, high = median_interval(needed)
    p95 = float(np.quantile(needed, 0.95, method="higher"))
    timing = summary.timing
    shown = [f"{summary.share_reached:.0%}", f"{timing.ask_ms:.1f}", f"{timing.ask_ms_late:.1f}"]
    return [label, *means, f"{median:g}", f"{low:g} to {high:g}", f"{p95:g}", *shown]


def median_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Median, and its 95 % interval between order statistics."""
    ordered, count = np.sort(values), len(values)
    rank = int(binom.ppf(0.025, count, 0.5))
    middle = ordered[(count - 1) // 2], ordered[count // 2]
    median = middle[0] if middle[0] == middle[1] else sum(middle) / 2
    return float(median), float(ordered[max(rank - 1, 0)]), float(ordered[min(count - rank, count - 1)])


def lines(headers: Row, rows: list[Row]) -> Iterator[str]:
    """A table in markdown."""
    yield "| " + " | ".join(headers) + " |"
    yield "| --- " * len(headers) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


WHAT: dict[str, Callable[[argparse.Namespace], Iterator[str]]] = {
    "queries": queries,
    "validation": validation,
    "proxies": proxies,
    "robustness": robustness,
}
TITLES = {
    "queries": "Queries to the optimum of NAS-Bench-201 (protocol A)",
    "validation": "Validation to test on NAS-Bench-201 (protocol B)",
    "proxies": "Label-free scores on NAS-Bench-201 (protocol A)",
    "robustness": "Labels that mislead, NAS-Bench-201",
}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--queries", type=int, default=150)
    parser.add_argument("--dataset", nargs="+", default=DATASETS, choices=DATASETS)
    parser.add_argument("--strategy", nargs="+", default=STRATEGIES)
    parser.add_argument("--jobs", type=int, default=None)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    start = time.monotonic()
    shown = [f"# {TITLES[options.what]}", ""]
    versions = ", ".join(f"{name} {version(name)}" for name in ("netwright", "numpy", "scipy"))
    command = " ".join(arg for arg in sys.argv[1:] if arg not in ("--data", str(options.data)))
    shown.append(
        f"`python benchmarks/strategies_nb201.py {command} --data FOLDER`; Python {python_version()}, {versions}."
    )
    print("\n".join(shown), flush=True)
    for line in WHAT[options.what](options):
        print(line, flush=True)
        shown.append(line)
    shown.append(f"\nIn all {time.monotonic() - start:.0f} s on this machine.")
    print(shown[-1])
    if options.write:
        options.write.write_text("\n".join(shown) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
