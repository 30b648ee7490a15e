"""Do shared weights rank networks as a training of their own does? (T14)

Random networks of a space are trained from nothing, each with ``--repeats`` seeds, and scored with the shared weights
of supernets that were trained in different ways for the same processor time, each in one process with one thread.
Printed: Kendall's tau (b) between both rankings with its 95 % interval (Fisher, with the variance of Bonett and Wright,
2000), the tau of the number of multiply-accumulates alone and, with two repeats, that between two seeds of the
trainings from nothing, above which no estimate can be expected to come; then the difference between the first two
methods, with an interval by drawing networks anew (bootstrap, 2,000 draws).

    python benchmarks/supernet_ranks.py [--minutes 5] [--num 32] [--write docs/figures/supernet_ranks.md]

The space is elastic: kernel, depth, width and expansion of inverted residuals in three stages; ``--space default`` is
that of image classification, whose stages also choose among six kinds of block. About 15 minutes on two cores.
Fashion-MNIST: Debian package dataset-fashion-mnist.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from netwright import nn
from netwright.evaluation.recipe import Recipe
from netwright.evaluation.supernet_evaluator import SupernetEvaluator
from netwright.evaluation.supernet_files import supernet_of
from netwright.evaluation.supernet_settings import SupernetSettings
from netwright.evaluation.trainer import TrainerOptions, TrainingEvaluator
from netwright.space import SearchSpace, choice, integer
from netwright.tasks import load_task
from netwright.tasks.image_classification import ImageClassification
from netwright.types import Architecture, Fidelity

FASHION = "/usr/share/datasets/fashion-mnist"
METHODS: dict[str, dict[str, Any]] = {
    "sandwich, largest teaches": {"sampling": "sandwich"},
    "uniform": {"sampling": "uniform"},
    "sandwich, from labels": {"sampling": "sandwich", "distil": False},
    "sandwich, alpha-divergence": {"sampling": "sandwich", "divergence": "alpha"},
    "fair": {"sampling": "fair"},
    "progressive": {"sampling": "progressive"},
    "pareto": {"sampling": "pareto"},
}
MOST_EPOCHS = 200.0
Row = dict[str, Any]


def elastic(input_shape: tuple[int, ...], num_classes: int) -> SearchSpace:
    """Three stages of inverted residuals whose kernel, depth, width and expansion are choices."""
    stem = nn.conv_norm_act(choice("stem", [8, 16]), kernel=3, stride=2)
    stages = []
    for number, widths in enumerate(([8, 12, 16], [16, 24, 32], [24, 32, 48, 64])):
        width, kernel = choice(f"width{number}", widths), choice(f"kernel{number}", [3, 5])
        expand, stride = choice(f"expand{number}", [1, 2, 4]), 1 if number == 0 else 2

        def block(place: int, width=width, kernel=kernel, expand=expand, stride=stride):  # type: ignore[no-untyped-def]
            return nn.mbconv(width, kernel, stride=stride if place == 0 else 1, expand=expand)

        stages.append(nn.repeat(integer(f"depth{number}", 1, 3), block))
    return SearchSpace(nn.seq(stem, *stages, nn.global_pool(), nn.linear(num_classes)))


def load(options: dict[str, Any]) -> tuple[ImageClassification, SearchSpace]:
    """Data, of which a fixed share is trained on, and space."""
    task = load_task("image-classification", options["data"], seed=0)
    assert isinstance(task, ImageClassification)
    make = {"elastic": elastic, "default": lambda *_: task.default_space()}[options["space"]]
    return task, make(task.input_shape, task.num_classes)


def train_alone(options: dict[str, Any], text: str, seed: int) -> Row:
    """Train a network from nothing; its accuracy and MACs."""
    task, space = load(options)
    with tempfile.TemporaryDirectory() as folder:
        evaluator = TrainingEvaluator(task, space, work_dir=Path(folder), options=TrainerOptions(keep_weights=False))
        fidelity = Fidelity(options["epochs"], options["share"])
        found = evaluator(Architecture.from_json(text), fidelity=fidelity, seed=seed)
    return {name: found[name] for name in ("accuracy", "macs", "params", "train_time_s")}


class ProcessorTime:
    """A deadline in processor seconds, told in wall seconds at the share of a core that the process has had so far."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s, self.wall_s, self.cpu_s = limit_s, time.monotonic(), time.process_time()

    @property
    def left_s(self) -> float:
        used_s = max(1e-3, time.process_time() - self.cpu_s)
        return (self.limit_s - used_s) * max(1.0, (time.monotonic() - self.wall_s) / used_s)


def train_shared(options: dict[str, Any], method: str, texts: list[str]) -> Row:
    """Train a supernet for a time, and score networks with its weights."""
    import torch

    from netwright.evaluation.supernet_training import train_supernet
    from netwright.evaluation.training import TrainingOptions

    torch.set_num_threads(1)
    task, space = load(options)
    settings = SupernetSettings(**METHODS[method], epochs=MOST_EPOCHS, seed=options["seed"])
    supernet = supernet_of(task, space, seed=options["seed"])
    with tempfile.TemporaryDirectory() as folder:
        evaluator = SupernetEvaluator(task, supernet, work_dir=Path(folder), options=TrainerOptions(keep_weights=False))
        recipe = Recipe(**options["recipe"])
        whole = evaluator._batches(recipe, Fidelity(1.0, options["share"]), options["seed"])  # noqa: SLF001
        planned = recipe.schedule(MOST_EPOCHS, whole.steps_per_epoch).total
        deadline: Any = ProcessorTime(60 * options["minutes"])
        trained = train_supernet(
            supernet,
            whole,
            recipe,
            settings.sampler(supernet.networks, planned),
            epochs=MOST_EPOCHS,
            distil=settings.distil,
            divergence=settings.divergence,
            options=TrainingOptions(deadline=deadline),
        )
        used_s = time.process_time() - deadline.cpu_s
        scores = [evaluator(Architecture.from_json(t), fidelity=Fidelity(), seed=0) for t in texts]
    found = {name: [score[name] for score in scores] for name in ("accuracy", "loss")}
    return {"method": method, "steps": trained.steps, "epochs": trained.epochs, "time_s": used_s, **found}


def main() -> None:
    """Measure, print, and write."""
    options = vars(parse())
    options["recipe"] = json.loads(options["recipe"])
    task, space = load(options)
    rng = np.random.default_rng(options["seed"])
    drawn = [space.sample(rng).to_json() for _ in range(options["num"])]
    seeds = range(1, 1 + options["repeats"])
    with ProcessPoolExecutor(options["workers"], mp_context=get_context("spawn")) as pool:
        shared = [pool.submit(train_shared, options, method, drawn) for method in options["methods"]]
        rows = [job.result() for job in shared]
        if options["trained"]:
            trained = json.loads(options["trained"].read_text(encoding="utf-8"))["alone"]
        else:
            alone = [[pool.submit(train_alone, options, text, seed) for text in drawn] for seed in seeds]
            trained = [[job.result() for job in jobs] for jobs in alone]
    if options["json"]:
        options["json"].write_text(json.dumps({"shared": rows, "alone": trained}, indent=1), encoding="utf-8")
    told = report(options, task, rows, trained)
    print(told)
    if options["write"]:
        options["write"].write_text(told + "\n", encoding="utf-8")


def parse() -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=FASHION)
    parser.add_argument("--space", choices=["elastic", "default"], default="elastic")
    parser.add_argument("--num", type=int, default=32, help="networks")
    parser.add_argument("--minutes", type=float, default=5.0, help="of processor time that each supernet is trained")
    parser.add_argument("--epochs", type=float, default=6.0, help="of a training from nothing")
    parser.add_argument("--share", type=float, default=0.25, help="of the training images that are used")
    parser.add_argument("--repeats", type=int, default=1, help="trainings from nothing of each network")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS)[:2])
    parser.add_argument("--recipe", default="{}", help="numbers of the recipe of the supernet, as JSON")
    parser.add_argument("--trained", type=Path, help="--json of a run with the same networks, whose trainings are used")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", type=Path)
    return parser.parse_args()


def report(options: dict[str, Any], task: ImageClassification, rows: list[Row], trained: list[list[Row]]) -> str:
    """The tables as text."""
    alone = np.array([[row["accuracy"] for row in repeat] for repeat in trained])
    truth = alone.mean(axis=0)
    macs = [row["macs"] for row in trained[0]]
    versions = ", ".join(f"{name} {version(name)}" for name in ("netwright", "torch"))
    count = math.ceil(options["share"] * len(task.train()[1]))
    setting = (
        f"{options['num']} random networks of the {options['space']} space on {task.data_name} ({count} training "
        f"images, {len(task.validation()[1])} to score), trained from nothing for {options['epochs']:g} epochs with "
        f"{options['repeats']} seeds: accuracy {truth.min():.3f} to {truth.max():.3f}. Each supernet: "
        f"{options['minutes']:g} minutes of processor time, recipe {options['recipe'] or 'default'}. "
        f"Seed {options['seed']}, {versions}, Python {platform.python_version()}, {platform.machine()}."
    )
    lines = [
        setting,
        "",
        "| estimate | processor time, s | steps | mean accuracy | tau, 95 % |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        mean = np.mean(row["accuracy"])
        lines.append(
            f"| {row['method']} | {row['time_s']:.0f} | {row['steps']} | {mean:.3f} | {tau(row['accuracy'], truth)} |"
        )
    lines.append(f"| MACs alone | - | - | - | {tau(macs, truth)} |")
    if len(alone) > 1:
        lines.append(
            f"| trained from nothing, seed 1 against seed 2 | - | - | {alone[0].mean():.3f} | {tau(*alone[:2])} |"
        )
    if len(rows) > 1:
        lines += ["", difference(rows[0], rows[1], truth, options["seed"])]
    return "\n".join(lines)


def tau(a: Any, b: Any) -> str:
    """Kendall's tau-b with its interval."""
    value = float(kendalltau(a, b).statistic)
    centre, half = math.atanh(min(0.9999, value)), 1.96 * math.sqrt(0.437 / (len(a) - 4))
    return f"{value:.3f} [{math.tanh(centre - half):.3f}, {math.tanh(centre + half):.3f}]"


def difference(first: Row, second: Row, truth: np.ndarray, seed: int) -> str:
    """By how much one ranks better than the other, on the same networks."""
    rng = np.random.default_rng(seed)
    a, b = np.array(first["accuracy"]), np.array(second["accuracy"])

    def gap(chosen: np.ndarray) -> float:
        return float(kendalltau(a[chosen], truth[chosen]).statistic - kendalltau(b[chosen], truth[chosen]).statistic)

    draws = [gap(rng.integers(len(truth), size=len(truth))) for _ in range(2000)]
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    whole = gap(np.arange(len(truth)))
    return f"{first['method']} beats {second['method']} by {whole:+.3f} of tau (95 %: {low:+.3f} to {high:+.3f})."


if __name__ == "__main__":
    main()
