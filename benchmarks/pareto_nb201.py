"""Share of the true hypervolume on NAS-Bench-201 (CIFAR-10): accuracy against the latency of each of 27 devices.

    python benchmarks/pareto_nb201.py --data FOLDER [--strategy nsga2 bayesian ...] [--devices raspi4 ...]
        [--seeds 50] [--queries 200] [--jobs N] [--write docs/figures/pareto.md]

FOLDER holds ``nasbench201/nasbench201.npz`` and ``nasbench201/latency.npz``. A search reads the mean test accuracy
(protocol A) and the latency of one device. After 50, 100 and 200 queries, the hypervolume of all it found is told as a
share of that of the table's whole Pareto front. The mean over devices is worked out for each seed; its interval is
over seeds. NSGA-II is always run. A strategy is below it on a device where its mean share is, and clearly below where
the 95 % interval of the difference, over paired seeds, leaves zero out. Seeds are 0 to ``seeds - 1``, the same for all.

How the hypervolume is measured (`netwright.comparison.hypervolume`): accuracy and milliseconds as they are, neither
logarithms nor ranks. The reference point is the nadir of the true front (its lowest accuracy and its highest latency)
and a tenth of the front's range beyond it. A share depends neither on units nor on scaling of an objective; it does
depend on the reference point, and figures measured from another one cannot be compared with these.

The front is that of all 15,625 strings. Isomorphic strings are one network, but in the table their latencies and
accuracies differ. A strategy that evaluates only one of them (NSGA-II, all that search by one objective) cannot reach a
share of 1; `bayesian` with several objectives takes them for different networks. For each device it is printed what
share a search reaches that evaluates every network: by a random one of its strings (mean over 20 choices), and by the
one of the lowest latency.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from netwright.benchmarks.nasbench201 import nasbench201
from netwright.benchmarks.table import Table
from netwright.comparison import Settings, compare
from netwright.comparison.contestants import Factory
from netwright.comparison.hypervolume import hypervolume, reference_point
from netwright.comparison.statistics import mean_curve
from netwright.strategies.nsga2 import NSGA2
from netwright.strategies.nsga3 import NSGA3
from netwright.strategies.operators import Values
from netwright.types import Metrics

METRIC = "test_accuracy"
LATENCY = "latency_ms_"
COUNTS = (50, 100, 200)
BASELINE = "nsga2"
CLASSES: Mapping[str, Factory] = {"nsga2": NSGA2, "nsga3": NSGA3}
DEFAULT = ("random", "evolution", "nsga2", "nsga3", "bayesian")

Shares = dict[str, np.ndarray]
"""By strategy, the share of the hypervolume (devices, seeds, counts)."""


def devices_of(benchmark: Table, names: Sequence[str] | None) -> list[str]:
    """All devices, or those named.

    Raises:
        SystemExit: there is none of that name.
    """
    known = [metric.removeprefix(LATENCY) for metric in benchmark.metrics if metric.startswith(LATENCY)]
    for name in names or ():
        if name not in known:
            raise SystemExit(f"unknown device {name!r}; known: {', '.join(known)}")
    return list(names or known)


def networks_of(benchmark: Table) -> list[list[Metrics]]:
    """What is known of the strings of each network, isomorphic ones together."""
    networks: dict[str, list[Metrics]] = {}
    for architecture in benchmark.space.enumerate():
        metrics = benchmark.query(architecture)
        networks.setdefault(benchmark.space.canonical_id(architecture), []).append(metrics)
    return list(networks.values())


def ceilings(networks: Sequence[Sequence[Metrics]], device: str, front: Sequence[Values]) -> tuple[float, float]:
    """Share of the hypervolume if every network is evaluated, by a random one of its strings, and by the fastest."""
    latency, rng, reference = LATENCY + device, np.random.default_rng(0), reference_point(front)

    def share(chosen: Iterable[Metrics]) -> float:
        points = [(-metrics[METRIC], metrics[latency]) for metrics in chosen]
        return hypervolume(points, reference) / hypervolume(front, reference)

    at_random = [share(strings[int(rng.integers(len(strings)))] for strings in networks) for _ in range(20)]
    fastest = share(min(strings, key=lambda metrics: metrics[latency]) for strings in networks)
    return float(np.mean(at_random)), fastest


def measure(benchmark: Table, devices: Sequence[str], strategies: Sequence[str], args: argparse.Namespace) -> Shares:
    """Run all searches, device by device, and print the shares of each."""
    counts = counts_of(args.queries)
    chosen = {name: CLASSES.get(name, name) for name in strategies}
    found: dict[str, list[np.ndarray]] = {name: [] for name in strategies}
    networks = networks_of(benchmark)
    for device in devices:
        begin = time.perf_counter()
        settings = Settings(metric=METRIC, objectives=(LATENCY + device,), queries=args.queries, seeds=args.seeds)
        comparison = compare(benchmark, chosen, settings, jobs=args.jobs)
        for run in comparison.crashes:
            print(f"CRASHED: {run.label} with seed {run.seed} on {device}:\n{run.error}")
        for name, shares in comparison.all_shares.items():
            found[name].append(shares[:, [count - 1 for count in counts]])
            ask_ms = 1e3 * float(np.mean([np.mean(run.ask_s) for run in comparison.runs[name]]))
            print(" | ".join([device, name, *told(found[name][-1]), f"{ask_ms:.1f} ms an ask"]), flush=True)
        seconds, front = time.perf_counter() - begin, comparison.truth.front
        at_random, fastest = ceilings(networks, device, front)
        limits = f"every network once: {at_random:.4f}, its fastest string: {fastest:.4f}"
        print(f"{device}: {len(front)} points on the true front; {limits}; {seconds:.0f} s", flush=True)
    return {name: np.array(shares) for name, shares in found.items()}


def counts_of(queries: int) -> list[int]:
    """Counts of queries at which shares are told."""
    return [count for count in COUNTS if count <= queries] or [queries]


def told(shares: np.ndarray) -> list[str]:
    """Means over seeds with half their 95 % interval, of shares (seeds, counts)."""
    curve = mean_curve(shares)
    return [f"{mean:.4f} +- {high - mean:.4f}" for mean, high in zip(curve.mean, curve.high, strict=True)]


def below(shares: np.ndarray, baseline: np.ndarray) -> list[tuple[int, int]]:
    """By count of queries, on how many devices the mean is below the baseline's, and on how many clearly."""
    curves = [mean_curve(difference) for difference in shares - baseline]
    means, highs = (np.array([getattr(curve, end) for curve in curves]) for end in ("mean", "high"))
    return list(zip((means < 0).sum(axis=0).tolist(), (highs < 0).sum(axis=0).tolist(), strict=True))


def table(devices: Sequence[str], found: Shares, args: argparse.Namespace) -> list[str]:
    """Lines of the markdown table: means over devices, the worst device, and devices below NSGA-II."""
    counts = counts_of(args.queries)
    heads = [f"after {count}" for count in counts] + [f"worst device after {counts[-1]}"]
    heads += [f"devices below NSGA-II (clearly), after {count}" for count in counts]
    lines = [f"| strategy | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name, shares in found.items():
        last = shares[:, :, -1].mean(axis=1)
        worst = int(last.argmin())
        cells = [*told(shares.mean(axis=0)), f"{last[worst]:.4f} ({devices[worst]})"]
        cells += [f"{some} ({clearly})" for some, clearly in below(shares, found[BASELINE])]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def by_device(devices: Sequence[str], found: Shares, queries: int) -> list[str]:
    """Lines of a second markdown table: each device by itself, at the last count."""
    last = counts_of(queries)[-1]
    lines = [f"| device, after {last} queries | {' | '.join(found)} |", "|---" * (len(found) + 1) + "|"]
    for place, device in enumerate(devices):
        cells = [told(shares[place])[-1] for shares in found.values()]
        lines.append(f"| {device} | {' | '.join(cells)} |")
    return lines


def document(versions: str, lines: Sequence[str], command: str) -> str:
    """The file that ``--write`` leaves: what was measured, how, and the tables."""
    head = "# Accuracy against latency on NAS-Bench-201"
    meaning = "A search " + (__doc__ or "").partition("A search ")[2].strip()
    return "\n".join([head, "", f"`{command}`", "", versions, "", meaning, "", *lines, ""])


def main() -> None:
    """Run the comparison, print it, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--strategy", nargs="+", default=list(DEFAULT))
    parser.add_argument("--devices", nargs="+", default=None)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--write", type=Path, default=None)
    args = parser.parse_args()
    strategies = list(dict.fromkeys([*args.strategy, BASELINE]))
    benchmark = nasbench201("cifar10", args.data)
    devices = devices_of(benchmark, args.devices)
    numbers = f"seeds 0 to {args.seeds - 1}; protocol A; {len(devices)} devices"
    versions = ", ".join(f"{package} {version(package)}" for package in ("netwright", "numpy", "scipy", "moocore"))
    print(f"{versions}; {numbers}\nmean share of the hypervolume +- half of its 95 % interval", flush=True)
    found = measure(benchmark, devices, strategies, args)
    lines = [*table(devices, found, args), "", *by_device(devices, found, args.queries)]
    print("\n".join(lines))
    if args.write is not None:
        command = f"python benchmarks/pareto_nb201.py --data FOLDER --strategy {' '.join(strategies)}"
        command += f" --seeds {args.seeds} --queries {args.queries}"
        args.write.write_text(document(f"{versions}; {numbers}", lines, command), encoding="utf-8")


if __name__ == "__main__":
    main()
