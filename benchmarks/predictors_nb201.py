"""T7: how well predictors rank architectures of tables they have not seen, and what their intervals hold.

    python benchmarks/predictors_nb201.py --data FOLDER [--seeds 50] [--labels 20 50 100 400] [--table accel-nasbench]
        [--predictor average process ...] [--held-out 0] [--pool 0] [--proxy-scores proxies.jsonl] [--jobs 1]
        [--write docs/figures/predictors.md]

A label is the accuracy the table holds: mean test accuracy after the longest training, validation on Accel-NASBench.
For each seed architectures are drawn uniformly; those to be learnt from are different networks (canonical ids), and
none of the held-out ones is the same network as one of them, under whatever name. Held-out are all others of the table
(or of a pool drawn from it, or as many as asked for), each name counted. Printed are Kendall's tau between prediction
and accuracy over the held-out ones, and over their best tenth, and the share of their accuracies inside 90 % intervals;
means over seeds with 95 % intervals. ``+scores`` sees the table's label-free scores too (zc_*), where it has none its
params and MACs; with a file of proxies_nb201.py (of NAS-Bench-201), its networks are the pool, and ``+scores`` sees
their zero-cost proxies and the default ensemble of these among the pool. ``params`` and ``macs`` rank by size, without
labels. gp, ensemble and trees are the surrogates of the searches.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from forked import in_processes
from proxies_nb201 import columns, networks
from scipy.stats import kendalltau, t

from netwright.benchmarks import load_benchmark
from netwright.benchmarks.table import Table
from netwright.predictors.boosted_trees import HALF_WIDTH, BoostedTrees
from netwright.predictors.features import Features
from netwright.predictors.gaussian_surrogate import GaussianProcessSurrogate
from netwright.predictors.inputs import Inputs
from netwright.predictors.network_ensemble import NetworkEnsemble
from netwright.predictors.predictor import KINDS, Predictor
from netwright.predictors.ranks import ranks_as_normal
from netwright.predictors.surrogate import SurrogateFactory
from netwright.types import Architecture, Metrics

TABLES = (
    *(f"nasbench201-{images}" for images in ("cifar10", "cifar100", "imagenet16-120")),
    *("nasbench-macro", "channel-bench-resnet", "channel-bench-mobilenet", "accel-nasbench"),
)
SURROGATES: dict[str, SurrogateFactory] = {
    "gp": GaussianProcessSurrogate,
    "ensemble": NetworkEnsemble,
    "trees": BoostedTrees,
}
SIZES = ("params", "macs")
SCORES = "+scores"
NAMES = (*KINDS, *(kind + SCORES for kind in KINDS), *SIZES, *SURROGATES)
DEFAULT = ("average", "average+scores", "process", "process+scores", "boosting", "forest", *SIZES)
TARGETS = {20: 0.76, 50: 0.81, 100: 0.84, 400: 0.88}
COVERAGE = (0.88, 0.92)
FIGURES = ("Kendall's tau", "Kendall's tau inside the best tenth", "Share of accuracies inside 90 % intervals")
Told = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Means, lower and upper ends; NaN where there are no intervals."""


@dataclass
class Pool:
    """What the seeds draw from, all in one order: architectures, groups of the same network, accuracies, sizes."""

    table: Table
    architectures: list[Architecture]
    groups: np.ndarray
    metrics: list[Metrics]
    accuracies: np.ndarray
    proxies: dict[Architecture, dict[str, float]] = field(default_factory=dict)
    inputs: dict[bool, Inputs] = field(default_factory=dict)
    features: Features | None = None

    def split(self, rng: np.random.Generator, labels: int, held_out: int) -> tuple[np.ndarray, np.ndarray]:
        """Places of the labelled, each another network, and of held-out ones, none of them one of these networks."""
        order = rng.permutation(len(self.groups))
        firsts = np.sort(np.unique(self.groups[order], return_index=True)[1])
        known = order[firsts[:labels]]
        others = order[~np.isin(self.groups[order], self.groups[known])]
        return known, others[: held_out or None]

    def scores(self, architecture: Architecture) -> dict[str, float]:
        """Measured proxies; else label-free scores of the table, or the sizes where there are none."""
        if self.proxies:
            return self.proxies[architecture]
        found = self.table.query(architecture)
        return {n: v for n, v in found.items() if n.startswith("zc_")} or {name: found[name] for name in SIZES}

    def predict(self, name: str, known: np.ndarray, others: np.ndarray, seed: int) -> Told:
        """What a predictor learns of the known ones about others."""
        if name in SIZES:
            sizes = np.array([self.metrics[i][name] for i in others])
            return sizes, *[np.full(len(others), np.nan)] * 2
        if name in SURROGATES:
            return self._by_surrogate(name, known, others, seed)
        kind, with_scores = name.removesuffix(SCORES), name.endswith(SCORES)
        scores = self.scores if with_scores else None
        if with_scores not in self.inputs:  # rows are made once for all seeds
            among = self.architectures if self.proxies else ()  # others have no scores
            self.inputs[with_scores] = Inputs(self.table.space, 0, scores, among=among)
        predictor = Predictor(self.table.space, kind=kind, seed=seed, scores=scores, inputs=self.inputs[with_scores])
        predictor.fit([self.architectures[i] for i in known], self.accuracies[known])
        told = predictor.predict([self.architectures[i] for i in others])
        return told.mean, told.lower, told.upper

    def _by_surrogate(self, name: str, known: np.ndarray, others: np.ndarray, seed: int) -> Told:
        """Surrogates predict normal quantiles of ranks; between labels they are interpolated."""
        if self.features is None:
            self.features = Features(self.table.space, np.random.default_rng(0))
        targets, accuracies = ranks_as_normal(self.accuracies[known]), self.accuracies[known]
        order = np.argsort(accuracies)
        model = SURROGATES[name](self.features, np.random.default_rng([seed, len(known)]))
        numbers = self.features.numbers([self.architectures[i] for i in known])
        model.tune(numbers, targets)
        model.condition(numbers, targets)
        mean, std = model.predict(self.features.numbers([self.architectures[i] for i in others]))
        ends = (mean - HALF_WIDTH * std, mean + HALF_WIDTH * std)
        low, high = (np.interp(end, targets[order], accuracies[order]) for end in ends)
        low[ends[0] < targets.min()], high[ends[1] > targets.max()] = -np.inf, np.inf
        return mean, low, high


def draw(name: str, args: argparse.Namespace) -> Pool:
    """The architectures of a table, or some of them, the same for every run."""
    table = load_benchmark(name, args.data)
    assert isinstance(table, Table)
    metric = "test_accuracy" if "test_accuracy" in table.metrics else "val_accuracy"
    rows = np.flatnonzero(np.isfinite(table.column(metric)))
    if args.pool and args.pool < len(rows):
        rows = np.sort(np.random.default_rng(0).permutation(rows)[: args.pool])
    architectures = [table.architectures().architecture(int(row)) for row in rows]
    proxies = measured(table, args.proxy_scores, args.data) if args.proxy_scores else {}
    architectures = [a for a in architectures if a in proxies] if proxies else architectures
    _, groups = np.unique([table.space.canonical_id(a) for a in architectures], return_inverse=True)
    metrics = [table.query(a) for a in architectures]
    return Pool(table, architectures, groups, metrics, np.array([m[metric] for m in metrics]), proxies)


def measured(table: Table, path: Path, data: Path) -> dict[Architecture, dict[str, float]]:
    """Proxies that proxies_nb201.py has measured on NAS-Bench-201, and their ensemble among themselves."""
    lines = path.read_text(encoding="utf-8").split("\n")[1:-1]
    found = {line["row"]: line for line in map(json.loads, lines)}
    scores, decisions = columns(found), networks("nasbench201", data).decisions
    architectures = [table.space.architecture(decisions[row]) for row in found]
    return {a: {name: float(score[i]) for name, score in scores.items()} for i, a in enumerate(architectures)}


def measure(pool: Pool, names: Sequence[str], labels: int, held_out: int, seed: int) -> np.ndarray:
    """The `FIGURES` of each predictor, shape (predictors, 3)."""
    known, others = pool.split(np.random.default_rng(seed), labels, held_out)
    truth = pool.accuracies[others]
    best = truth >= np.quantile(truth, 0.9)
    figures = []
    for name in names:
        mean, low, high = pool.predict(name, known, others, seed)
        taus = (kendalltau(mean[where], truth[where]).statistic for where in (slice(None), best))
        inside = np.nan if np.isnan(low).all() else float(np.mean((low <= truth) & (truth <= high)))
        figures.append([*taus, inside])
    return np.array(figures)


def with_interval(values: np.ndarray) -> str:
    """Mean and half of its 95 % interval."""
    if np.isnan(values).any():
        return "-"
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{values.mean():.3f} +- {half:.3f}"


def report(table: str, results: dict[int, np.ndarray], names: Sequence[str]) -> list[str]:
    """The tables of a benchmark; results have the shape (seeds, predictors, 3), by count of labels."""
    lines = [f"## {table}"]
    for column, head in enumerate(FIGURES):
        lines += ["", head + ":", "", "| predictor | " + " | ".join(f"{n} labels" for n in results) + " |"]
        lines.append("|---" * (1 + len(results)) + "|")
        for place, name in enumerate(names):
            cells = [with_interval(of_count[:, place, column]) for of_count in results.values()]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        wanted = [f"{TARGETS[n]:.2f}" if n in TARGETS else "-" for n in results]
        if column == 0 and table == TABLES[0]:
            lines.append("| target (T7) | " + " | ".join(wanted) + " |")
        if column == 2:
            lines.append("| target (T7) | " + " | ".join(["{} to {}".format(*COVERAGE)] * len(results)) + " |")
    return [*lines, ""]


def run(pool: Pool, args: argparse.Namespace) -> dict[int, np.ndarray]:
    """Results by count of labels, shape (seeds, predictors, 3)."""
    results = {}
    measure(pool, args.predictor, min(args.labels), args.held_out, 0)  # what all seeds share is made before they fork
    for labels in args.labels:
        of_seed: Callable[[int], np.ndarray] = partial(measure, pool, args.predictor, labels, args.held_out)
        results[labels] = np.stack(in_processes(of_seed, range(args.seeds), args.jobs))
    return results


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--labels", type=int, nargs="+", default=list(TARGETS))
    parser.add_argument("--held-out", type=int, default=0, help="of a seed; 0 for all others")
    parser.add_argument("--pool", type=int, default=0, help="architectures that seeds draw from; 0 for the whole table")
    parser.add_argument("--proxy-scores", type=Path, help="file of proxies_nb201.py; its networks are the pool")
    parser.add_argument("--table", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--predictor", nargs="+", choices=NAMES, default=list(DEFAULT))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write", type=Path, help="markdown file for the tables")
    args = parser.parse_args()
    versions = ", ".join(f"{name} {version(name)}" for name in ("netwright", "numpy", "scipy", "scikit-learn"))
    options = f"--seeds {args.seeds} --held-out {args.held_out} --pool {args.pool} --table {' '.join(args.table)}"
    options += f" --proxy-scores {args.proxy_scores.name}" if args.proxy_scores else ""
    options += f" --predictor {' '.join(args.predictor)}"
    lines = ["# Accuracy predictors (T7)", "", f"{versions}; seeds 0 to {args.seeds - 1}; +- 95 % interval."]
    lines += ["Labelled ones are different networks; none of the held-out ones is one of them under another name.", ""]
    lines += [f"    python benchmarks/predictors_nb201.py --data FOLDER {options}", ""]
    print("\n".join(lines))
    for name in args.table:
        lines += (of_table := report(name, run(draw(name, args), args), args.predictor))
        print("\n".join(of_table), flush=True)
        if args.write:
            args.write.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
