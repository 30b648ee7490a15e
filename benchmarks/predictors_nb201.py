"""T7: how well surrogates rank architectures of NAS-Bench-201 they have not seen, and what their intervals hold.

    python benchmarks/predictors_nb201.py --data FOLDER [--seeds 50] [--labels 20 50 100 400] [--dataset cifar10 ...]
        [--predictor gp ensemble trees all] [--held-out 1000] [--jobs 1] [--write docs/predictors.md]

FOLDER holds ``nasbench201/nasbench201.npz`` and ``nasbench201/latency.npz``. A label is the mean test accuracy after
200 epochs. For each seed, architectures are drawn uniformly; those to be learnt from are different networks (canonical
ids), and none of the held-out ones is the same network as one of them. Prints Kendall's tau between prediction and
accuracy over the held-out ones, and the share of their scores inside 90 % intervals; means over seeds with 95 %
intervals. A score is the normal quantile of an accuracy's rank among the labels, between labels by interpolation.
``all`` is the sum of what the three predict. All draw from a pool of 4,000 architectures, which are encoded once.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau, t

from netwright.benchmarks import load_benchmark
from netwright.predictors.boosted_trees import HALF_WIDTH, BoostedTrees
from netwright.predictors.features import Features
from netwright.predictors.gaussian_surrogate import GaussianProcessSurrogate
from netwright.predictors.network_ensemble import NetworkEnsemble
from netwright.predictors.surrogate import SurrogateFactory
from netwright.strategies.experience import ranks_as_normal

DATASETS = ("cifar10", "cifar100", "imagenet16-120")
PREDICTORS: dict[str, SurrogateFactory] = {
    "gp": GaussianProcessSurrogate,
    "ensemble": NetworkEnsemble,
    "trees": BoostedTrees,
}
ALL = "all"
TARGETS = {20: 0.76, 50: 0.81, 100: 0.84, 400: 0.88}
COVERAGE = (0.88, 0.92)
POOL = 4000


@dataclass(frozen=True)
class Architectures:
    """What the seeds draw from: features, groups of the same network, accuracies; all in one order."""

    features: Features
    numbers: np.ndarray
    groups: np.ndarray
    accuracies: np.ndarray

    def split(self, rng: np.random.Generator, labels: int, held_out: int) -> tuple[np.ndarray, np.ndarray]:
        """Places of the labelled, each another network, and of held-out ones, none of them one of these networks."""
        order = rng.permutation(len(self.groups))
        firsts = np.sort(np.unique(self.groups[order], return_index=True)[1])
        known = order[firsts[:labels]]
        others = order[~np.isin(self.groups[order], self.groups[known])]
        return known, rng.permutation(others)[:held_out]


def draw(dataset: str, data: Path, count: int) -> Architectures:
    """Draw and encode architectures, the same for every run."""
    benchmark = load_benchmark(f"nasbench201-{dataset}", data)
    rng = np.random.default_rng(0)
    drawn = list(dict.fromkeys(benchmark.space.sample(rng) for _ in range(count)))
    features = Features(benchmark.space, rng)
    _, groups = np.unique([benchmark.space.canonical_id(a) for a in drawn], return_inverse=True)
    accuracies = np.array([benchmark.query(a)["test_accuracy"] for a in drawn])
    return Architectures(features, features.numbers(drawn), groups, accuracies)


def measure(pool: Architectures, names: Sequence[str], labels: int, held_out: int, seed: int) -> np.ndarray:
    """Tau and coverage of each predictor, shape (predictors, 2); no coverage of `ALL` is told."""
    known, others = pool.split(np.random.default_rng(seed), labels, held_out)
    targets, truth = ranks_as_normal(pool.accuracies[known]), pool.accuracies[others]
    order = np.argsort(pool.accuracies[known])
    scores = np.interp(truth, pool.accuracies[known][order], targets[order])
    found: dict[str, tuple[float, float]] = {}
    total = np.zeros(len(others))
    for name in PREDICTORS if ALL in names else names:
        model = PREDICTORS[name](pool.features, np.random.default_rng([seed, labels]))
        model.tune(pool.numbers[known], targets)
        model.condition(pool.numbers[known], targets)
        mean, std = model.predict(pool.numbers[others])
        total += mean
        inside = float(np.mean(np.abs(scores - mean) <= HALF_WIDTH * std))
        found[name] = float(kendalltau(mean, truth).statistic), inside
    found[ALL] = float(kendalltau(total, truth).statistic), np.nan
    return np.array([found[name] for name in names])


def with_interval(values: np.ndarray) -> str:
    """Mean and half of its 95 % interval."""
    if np.isnan(values).any():
        return "-"
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{values.mean():.3f} +- {half:.3f}"


def table(results: dict[int, np.ndarray], names: Sequence[str], column: int) -> list[str]:
    """Lines of a markdown table.

    Args:
        results: by count of labels, shape (seeds, predictors, 2).
        names: of the predictors.
        column: 0 for tau, 1 for coverage.
    """
    counts = list(results)
    lines = ["| predictor | " + " | ".join(f"{n} labels" for n in counts) + " |", "|---" * (1 + len(counts)) + "|"]
    for place, name in enumerate(names):
        cells = [with_interval(results[n][:, place, column]) for n in counts]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lowest, highest = COVERAGE
    wanted = [f"{TARGETS[n]:.2f}" if n in TARGETS else "-" for n in counts]
    lines.append("| target | " + " | ".join(wanted if column == 0 else [f"{lowest} to {highest}"] * len(counts)) + " |")
    return lines


def report(dataset: str, results: dict[int, np.ndarray], names: Sequence[str]) -> list[str]:
    """Both tables of a set of images."""
    heads = ("Kendall's tau on held-out architectures", "Share of held-out scores inside 90 % intervals")
    lines = [f"## {dataset}"]
    for column, head in enumerate(heads):
        lines += ["", head + ":", "", *table(results, names, column)]
    return [*lines, ""]


def run(dataset: str, args: argparse.Namespace) -> dict[int, np.ndarray]:
    """Results by count of labels, shape (seeds, predictors, 2)."""
    pool = draw(dataset, args.data, args.pool)
    results = {}
    for labels in args.labels:
        of_seed: Callable[[int], np.ndarray] = partial(measure, pool, args.predictor, labels, args.held_out)
        if args.jobs == 1:
            rows = [of_seed(seed) for seed in range(args.seeds)]
        else:
            with ProcessPoolExecutor(args.jobs, get_context("fork")) as workers:
                rows = list(workers.map(of_seed, range(args.seeds), chunksize=4))
        results[labels] = np.stack(rows)
    return results


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--labels", type=int, nargs="+", default=list(TARGETS))
    parser.add_argument("--held-out", type=int, default=1000)
    parser.add_argument("--pool", type=int, default=POOL, help="architectures that seeds draw from")
    parser.add_argument("--dataset", nargs="+", choices=DATASETS, default=["cifar10"])
    parser.add_argument("--predictor", nargs="+", choices=[*PREDICTORS, ALL], default=[*PREDICTORS, ALL])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write", type=Path, help="markdown file for the tables")
    args = parser.parse_args()
    if args.pool < 2 * (args.held_out + max(args.labels)):
        parser.error(f"--pool is {args.pool}; give at least twice as many as there are labels and held-out ones")
    versions = ", ".join(f"{name} {version(name)}" for name in ("netwright", "numpy", "scipy", "scikit-learn"))
    lines = ["# Predictors on NAS-Bench-201 (T7)", "", f"{versions}; seeds 0 to {args.seeds - 1}; "]
    lines[-1] += f"{args.held_out} held-out architectures; mean test accuracy after 200 epochs; +- 95 % interval."
    options = f"--seeds {args.seeds} --held-out {args.held_out} --pool {args.pool} --dataset {' '.join(args.dataset)}"
    lines += ["", f"    python benchmarks/predictors_nb201.py --data FOLDER {options}", ""]
    print("\n".join(lines))
    for dataset in args.dataset:
        lines += (of_dataset := report(dataset, run(dataset, args), args.predictor))
        print("\n".join(of_dataset), flush=True)
    if args.write:
        args.write.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
