"""What are cheap estimates worth on real images, among networks that keep a limit?

Random networks of the default space that keep ``--macs`` are scored by the default proxies, and trained for each of
``--epochs`` (a longer training goes on from the shorter one, as in a search). Prints, for each estimate, what it costs,
and Kendall's tau against the longest training with a 95 % interval (Fisher, with the variance of Bonett and Wright,
2000), and the mean accuracy after the longest training of those that the estimate ranks first, beside that of all.

    python benchmarks/rungs_fashion_mnist.py --num 64 --write docs/figures/rungs.md

Takes about num x 12 s on two cores. Fashion-MNIST: Debian package dataset-fashion-mnist.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from netwright.evaluation.proxies.ensemble import DEFAULT, aggregate
from netwright.evaluation.scoring import ProxyScorer
from netwright.evaluation.trainer import TrainerOptions, TrainingEvaluator
from netwright.space import SearchSpace
from netwright.strategies.pool import Pool
from netwright.tasks import load_task
from netwright.types import Architecture, Constraint, Fidelity

FASHION = "/usr/share/datasets/fashion-mnist"
SEED = 0
Row = dict[str, Any]


def main() -> None:
    """Measure, print, and write."""
    options = parse()
    task, space, limits = setting(options)
    evaluator = TrainingEvaluator(task, space, work_dir=Path(tempfile.gettempdir()), constraints=limits)
    pool_of_networks = Pool(space.limited(evaluator.keeps_known_limits), options.seed)
    networks = [pool_of_networks.sample() for _ in range(options.num)]
    rows: list[Row] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool,
    ):
        jobs = [pool.submit(measure, options, folder, network.to_json()) for network in networks]
        for number, job in enumerate(jobs, start=1):
            rows.append(job.result())
            print(f"{number} of {len(jobs)}: {rows[-1]['trained']}", flush=True)
            if options.json:
                options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    told = report(rows, options)
    print(told)
    if options.write:
        options.write.write_text(told + "\n", encoding="utf-8")


def parse() -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=FASHION)
    parser.add_argument("--num", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--macs", default="2M")
    parser.add_argument("--proxies", nargs="+", default=["default"])
    parser.add_argument("--epochs", type=float, nargs="+", default=[1 / 18, 1 / 6, 0.5], help="shortest first")
    parser.add_argument("--json", type=Path, help="file for the single numbers")
    parser.add_argument("--write", type=Path, help="file for the table")
    return parser.parse_args()


def setting(options: argparse.Namespace) -> tuple[Any, SearchSpace, list[Constraint]]:
    """Task, default space and limits."""
    task = load_task("image-classification", options.data, seed=SEED)
    return task, task.default_space(), [Constraint.parse(f"macs<={options.macs}")]


def measure(options: argparse.Namespace, folder: str, network: str) -> Row:
    """Score a network and train it for each length; runs in a process of its own."""
    import torch

    torch.set_num_threads(1)
    task, space, limits = setting(options)
    architecture = Architecture.from_json(network)
    scorer = ProxyScorer(task, space, options.proxies)
    begin_s = time.perf_counter()
    scored = scorer.score(architecture)
    found: Row = {
        "architecture": json.loads(network),
        "scores": dict(scored.values),
        "score_s": time.perf_counter() - begin_s,
    }
    evaluator = TrainingEvaluator(
        task, space, work_dir=Path(folder), constraints=limits, options=TrainerOptions(threads=1, keep_weights=False)
    )
    found["trained"], found["sizes"] = {}, {}
    for epochs in options.epochs:
        begin_s = time.perf_counter()
        metrics = evaluator(architecture, fidelity=Fidelity(epochs), seed=SEED)
        found["trained"][f"{epochs:.4g}"] = [metrics["accuracy"], time.perf_counter() - begin_s]
        found["sizes"] = {name: metrics[name] for name in ("params", "macs", "depth", "train_cost")}
    return found


def report(rows: Sequence[Row], options: argparse.Namespace) -> str:
    """The table."""
    lengths = [f"{epochs:.4g}" for epochs in options.epochs]
    accuracy = {length: np.array([row["trained"][length][0] for row in rows]) for length in lengths}
    seconds = {length: np.median([row["trained"][length][1] for row in rows]) for length in lengths}
    truth = accuracy[lengths[-1]]
    columns = {name: [row["scores"][name] for row in rows] for name in rows[0]["scores"]}
    estimates: dict[str, tuple[np.ndarray, float]] = {}
    for size in rows[0]["sizes"]:
        estimates[size] = np.array([row["sizes"][size] for row in rows]), 0.0
    score_s = float(np.median([row["score_s"] for row in rows]))
    for name, column in columns.items():
        estimates[name] = np.nan_to_num(np.array(column, dtype=float), nan=-math.inf, neginf=-1e30), score_s
    ensemble = {name: columns[name] for name in DEFAULT if name in columns}
    estimates["**ensemble**"] = np.asarray(aggregate(ensemble)), score_s
    for length in lengths[:-1]:
        estimates[f"{length} epochs"] = accuracy[length], float(seconds[length])
    about = (
        f"{len(rows)} random networks of the default space, seed {options.seed}; accuracy on the validation images "
        f"after {lengths[-1]} epochs: {truth.mean():.4f} on average, deviation {truth.std(ddof=1):.4f}, best "
        f"{truth.max():.4f}; such a training takes {seconds[lengths[-1]]:.1f} s more (median). netwright "
        f"{version('netwright')}, torch {version('torch')}, Python {platform.python_version()}. All scores of a "
        "network are made in one pass."
    )
    lines = [
        f"# Cheap estimates on {Path(options.data).name}, macs <= {options.macs}",
        "",
        f"`python benchmarks/rungs_fashion_mnist.py --num {options.num} --proxies {' '.join(options.proxies)}`.",
        "",
        about,
        "",
        "| estimate | seconds | Kendall's tau (95 %) | mean accuracy of its first eighth | of its first quarter |",
        "|---|---|---|---|---|",
    ]
    for name, (values, cost_s) in estimates.items():
        order = np.argsort(-values, kind="stable")
        tops = [truth[order[: max(1, len(rows) // part)]].mean() for part in (8, 4)]
        lines.append(f"| {name} | {cost_s:.2f} | {tau_of(values, truth)} | {tops[0]:.4f} | {tops[1]:.4f} |")
    return "\n".join(lines)


def tau_of(first: np.ndarray, second: np.ndarray) -> str:
    """Kendall's tau and its interval."""
    tau = float(kendalltau(first, second).statistic)
    if math.isnan(tau) or len(first) < 5:
        return f"{tau:.2f}"
    half = 1.96 * math.sqrt(0.437 / (len(first) - 4))
    low, high = (math.tanh(math.atanh(min(0.999999, max(-0.999999, tau))) + sign * half) for sign in (-1, 1))
    return f"{tau:.2f} [{low:.2f}, {high:.2f}]"


if __name__ == "__main__":
    main()
