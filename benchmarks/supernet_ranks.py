"""Do shared weights rank networks as a training of their own does? (T14)

Random networks of a space are trained from nothing, each with ``--repeats`` seeds, and scored with the shared weights
of supernets that were trained in different ways for the same processor time, each in one process with one thread.
Printed: Kendall's tau (b) between both rankings with its 95 % interval (Fisher, with the variance of Bonett and Wright,
2000), by accuracy and by loss; the tau of the number of multiply-accumulates and of parameters alone; with two repeats
that between two seeds of the trainings from nothing, and what an estimate that knew each network's mean over all seeds
would reach; then the difference between the first two methods, mean over the supernets' seeds, with an interval by
drawing networks anew (bootstrap, 2,000 draws).

    python benchmarks/supernet_ranks.py [--minutes 5] [--num 32] [--write docs/figures/supernet_ranks.md]

Two settings are stated in the documentation. Fashion-MNIST (Debian package dataset-fashion-mnist) with networks drawn
at random from ``--space elastic``: kernel, depth, width and expansion of inverted residuals in three stages. And
CIFAR-10 in pictures of 16 x 16 pixels, with networks drawn evenly over log(MACs) from ``--space convolutions``: kernel,
depth and width of plain convolutions in three stages, whose trainings take seconds and whose networks differ truly:

    python benchmarks/supernet_ranks.py --setting cifar16 --data FOLDER --minutes 2

``FOLDER`` holds ``train.npz`` and ``test.npz`` with pictures as JPEG files (``jpeg``, ``offsets``, ``labels``).
"""

from __future__ import annotations

import argparse
import io
import json
import math
import platform
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.stats import kendalltau

from netwright import nn
from netwright.evaluation.recipe import Recipe
from netwright.evaluation.supernet_evaluator import SupernetEvaluator
from netwright.evaluation.supernet_files import supernet_of
from netwright.evaluation.supernet_settings import SupernetSettings
from netwright.evaluation.trainer import TrainerOptions, TrainingEvaluator
from netwright.space import SearchSpace, choice, integer
from netwright.supernet.sampling import ends
from netwright.tasks import load_task
from netwright.tasks.image_classification import ImageClassification
from netwright.types import Architecture, Fidelity

FASHION = "/usr/share/datasets/fashion-mnist"
METHODS: dict[str, dict[str, Any]] = {
    "sandwich, largest teaches": {"sampling": "sandwich"},
    "uniform": {"sampling": "uniform"},
    "sandwich, labels and answers": {"sampling": "sandwich", "labels": 0.5},
    "sandwich, from labels": {"sampling": "sandwich", "distil": False},
    "sandwich, alpha-divergence": {"sampling": "sandwich", "divergence": "alpha"},
    "fair": {"sampling": "fair"},
    "progressive": {"sampling": "progressive"},
    "largest first": {"sampling": "largest-first"},
    "pareto": {"sampling": "pareto"},
}
MOST_EPOCHS = 200.0
LOOKED_AT = 2000
"""Random networks among which those of given sizes are looked for."""

SETTINGS: dict[str, dict[str, Any]] = {
    "fashion": {"data": FASHION, "space": "elastic", "draw": "uniform", "epochs": 6.0, "share": 0.25, "alone": {}},
    "cifar16": {"space": "convolutions", "draw": "even", "epochs": 12.0, "share": 1.0, "alone": {"shards": 1}},
}
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


def convolutions(input_shape: tuple[int, ...], num_classes: int) -> SearchSpace:
    """Three stages of plain convolutions whose kernel, depth and width are choices: 69,984 networks."""
    stem = nn.conv_norm_act(choice("stem", [8, 16]), kernel=3, stride=2)
    stages = []
    for number, widths in enumerate(([8, 12, 16], [12, 16, 24, 32], [16, 24, 32, 48])):
        width, kernel = choice(f"width{number}", widths), choice(f"kernel{number}", [1, 3, 5])
        first = 1 if number == 0 else 2

        def block(place: int, width=width, kernel=kernel, first=first):  # type: ignore[no-untyped-def]
            return nn.conv_norm_act(width, kernel=kernel, stride=first if place == 0 else 1)

        stages.append(nn.repeat(integer(f"depth{number}", 1, 3), block))
    return SearchSpace(nn.seq(stem, *stages, nn.global_pool(), nn.linear(num_classes)))


@cache
def small_pictures(folder: str) -> ImageClassification:
    """CIFAR-10 at half its size: 4,000 images to learn from, 5,000 to score, of prefixes of shuffled parts."""
    train, score = (_halved(Path(folder) / f"{part}.npz", count) for part, count in (("train", 4000), ("test", 5000)))
    unused = tuple(array[:100] for array in train)  # a test part, which nothing here reads
    return ImageClassification.from_arrays(train, unused, score, layout="HWC")


def _halved(path: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first pictures of a file and their classes; each pixel is the mean of four."""
    with np.load(path) as file:
        jpeg, offsets, labels = file["jpeg"], file["offsets"], file["labels"][:count]
    opened = [Image.open(io.BytesIO(jpeg[offsets[i] : offsets[i + 1]].tobytes())).convert("RGB") for i in range(count)]
    pixels = np.stack([np.asarray(picture) for picture in opened]).astype(np.float32)
    return pixels.reshape(count, 16, 2, 16, 2, 3).mean((2, 4)).round().astype(np.uint8), labels


def load(options: dict[str, Any]) -> tuple[ImageClassification, SearchSpace]:
    """Data, of which a fixed share is trained on, and space."""
    if options["setting"] == "cifar16":
        task = small_pictures(options["data"])
    else:
        loaded = load_task("image-classification", options["data"], seed=0)
        assert isinstance(loaded, ImageClassification)
        task = loaded
    make = {"elastic": elastic, "convolutions": convolutions, "default": lambda *_: task.default_space()}
    return task, make[options["space"]](task.input_shape, task.num_classes)


def drawn(options: dict[str, Any], task: ImageClassification, space: SearchSpace) -> list[Architecture]:
    """The networks that are ranked: all alike likely, or one of each of equally wide ranges of log(MACs)."""
    rng = np.random.default_rng(options["seed"])
    if options["draw"] == "uniform":
        return [space.sample(rng) for _ in range(options["num"])]
    networks = supernet_of(task, space).networks
    low, high = (math.log(networks.profile(end).macs) for end in reversed(ends(networks)))
    sizes: dict[Architecture, float] = {}
    while len(sizes) < LOOKED_AT:
        architecture = space.sample(rng)
        sizes[architecture] = math.log(networks.profile(architecture).macs)
    chosen = []
    for number in range(options["num"]):
        wanted = low + (high - low) * (number + rng.random()) / options["num"]
        chosen.append(min(sizes, key=lambda architecture: abs(sizes[architecture] - wanted)))
        del sizes[chosen[-1]]
    return chosen


def train_alone(options: dict[str, Any], text: str, seed: int) -> Row:
    """Train a network from nothing; its accuracy and MACs."""
    import torch

    torch.set_num_threads(1)
    task, space = load(options)
    with tempfile.TemporaryDirectory() as folder:
        how = TrainerOptions(keep_weights=False)
        recipe = Recipe(**options["alone"])
        evaluator = TrainingEvaluator(task, space, work_dir=Path(folder), options=how, recipe=recipe)
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


def train_shared(options: dict[str, Any], method: str, seed: int, texts: list[str]) -> Row:
    """Train a supernet for a time, and score networks with its weights."""
    import torch

    from netwright.evaluation.supernet_training import train_supernet
    from netwright.evaluation.training import TrainingOptions

    torch.set_num_threads(1)
    task, space = load(options)
    settings = SupernetSettings(**METHODS[method], epochs=MOST_EPOCHS, seed=seed)
    supernet = supernet_of(task, space, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        how, recipe = TrainerOptions(keep_weights=False), Recipe(**options["recipe"])
        evaluator = SupernetEvaluator(task, supernet, work_dir=Path(folder), options=how, recipe=recipe)
        whole = evaluator._batches(recipe, Fidelity(1.0, options["share"]), seed)  # noqa: SLF001
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
            labels=settings.labels,
            options=TrainingOptions(deadline=deadline),
        )
        used_s = time.process_time() - deadline.cpu_s
        scores = [evaluator(Architecture.from_json(t), fidelity=Fidelity(), seed=0) for t in texts]
    found = {name: [score[name] for score in scores] for name in ("accuracy", "loss")}
    made = {"steps": trained.steps, "epochs": trained.epochs, "time_s": used_s}
    return {"method": method, "seed": seed, **made, **found}


def main() -> None:
    """Measure, print, and write."""
    options = parse()
    task, space = load(options)
    texts = [architecture.to_json() for architecture in drawn(options, task, space)]
    seeds = range(1, 1 + options["repeats"])
    with ProcessPoolExecutor(options["workers"], mp_context=get_context("spawn")) as pool:
        wanted = [(method, seed) for method in options["methods"] for seed in options["seeds"]]
        shared = [pool.submit(train_shared, options, method, seed, texts) for method, seed in wanted]
        if options["trained"]:
            trained = json.loads(options["trained"].read_text(encoding="utf-8"))["alone"]
        else:
            alone = [[pool.submit(train_alone, options, text, seed) for text in texts] for seed in seeds]
            trained = [[job.result() for job in jobs] for jobs in alone]
        rows = [job.result() for job in shared]
    if options["json"]:
        found = {"networks": texts, "shared": rows, "alone": trained}
        options["json"].write_text(json.dumps(found, indent=1), encoding="utf-8")
    told = report(options, task, rows, trained)
    print(told)
    if options["write"]:
        options["write"].write_text(told + "\n", encoding="utf-8")


def parse() -> dict[str, Any]:
    """Read the arguments; what was not given is that of the setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setting", choices=list(SETTINGS), default="fashion")
    parser.add_argument("--data")
    parser.add_argument("--space", choices=["elastic", "convolutions", "default"])
    parser.add_argument("--draw", choices=["uniform", "even"], help="networks: all alike likely, or evenly over sizes")
    parser.add_argument("--num", type=int, default=32, help="networks")
    parser.add_argument("--minutes", type=float, default=5.0, help="of processor time that each supernet is trained")
    parser.add_argument("--epochs", type=float, help="of a training from nothing")
    parser.add_argument("--share", type=float, help="of the training images that are used")
    parser.add_argument("--repeats", type=int, default=1, help="trainings from nothing of each network")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS)[:2])
    parser.add_argument("--recipe", help="numbers of the recipe of the supernets, as JSON")
    parser.add_argument("--trained", type=Path, help="--json of a run with the same networks, whose trainings are used")
    parser.add_argument("--seed", type=int, default=0, help="of the networks that are drawn")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="of the supernets")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", type=Path)
    given = vars(parser.parse_args())
    setting = SETTINGS[given["setting"]]
    options = {**given, **{name: value for name, value in setting.items() if given.get(name) is None}}
    options["recipe"] = setting["alone"] if given["recipe"] is None else json.loads(given["recipe"])
    if options["data"] is None:
        parser.error(f"--data: needed by --setting {given['setting']}")
    return options


def report(options: dict[str, Any], task: ImageClassification, rows: list[Row], trained: list[list[Row]]) -> str:
    """The tables as text."""
    alone = np.array([[row["accuracy"] for row in repeat] for repeat in trained])
    truth = alone.mean(axis=0)
    versions = ", ".join(f"{name} {version(name)}" for name in ("netwright", "torch"))
    count = math.ceil(options["share"] * len(task.train()[1]))
    name = "CIFAR-10 of 16 x 16 pixels" if options["setting"] == "cifar16" else task.data_name
    setting = (
        f"{len(truth)} networks of the {options['space']} space, drawn "
        f"{'evenly over log(MACs)' if options['draw'] == 'even' else 'at random'}, on {name} ({count} training "
        f"images, {len(task.validation()[1])} to score), trained from nothing for {options['epochs']:g} epochs with "
        f"{len(alone)} seed(s): accuracy {truth.min():.3f} to {truth.max():.3f} (standard deviation "
        f"{truth.std(ddof=1):.3f}). Each supernet: {options['minutes']:g} minutes of processor time, recipe "
        f"{options['recipe'] or 'default'}. {versions}, Python {platform.python_version()}, {platform.machine()}."
    )
    lines = [
        setting,
        "",
        "| estimate | seed | processor time, s | steps | mean accuracy | tau by accuracy, 95 % | tau by loss, 95 % |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        taus = f"{tau(row['accuracy'], truth)} | {tau(-np.array(row['loss']), truth)}"
        mean = np.mean(row["accuracy"])
        lines.append(
            f"| {row['method']} | {row['seed']} | {row['time_s']:.0f} | {row['steps']} | {mean:.3f} | {taus} |"
        )
    for size, told in (("macs", "MACs alone"), ("params", "parameters alone")):
        lines.append(f"| {told} | - | - | - | - | {tau([row[size] for row in trained[0]], truth)} | - |")
    if len(alone) > 1:
        mean = alone[0].mean()
        lines.append(
            f"| trained from nothing, seed 1 against seed 2 | - | - | - | {mean:.3f} | {tau(*alone[:2])} | - |"
        )
        lines += ["", ceiling(alone)]
    if len(options["methods"]) > 1:
        lines += ["", difference(rows, options["methods"][:2], truth, options["seed"])]
    return "\n".join(lines)


def tau(a: Any, b: Any) -> str:
    """Kendall's tau-b with its interval."""
    value = float(kendalltau(a, b).statistic)
    centre, half = math.atanh(min(0.9999, value)), 1.96 * math.sqrt(0.437 / (len(a) - 4))
    return f"{value:.3f} [{math.tanh(centre - half):.3f}, {math.tanh(centre + half):.3f}]"


def ceiling(alone: np.ndarray) -> str:
    """The tau of an estimate without error: from the correlation of seeds (Spearman and Brown), for normal values."""
    count = len(alone)
    between = float(np.corrcoef(alone)[np.triu_indices(count, 1)].mean())
    reliability = count * between / (1 + (count - 1) * between)
    best = 2 / math.pi * math.asin(math.sqrt(max(0.0, reliability)))
    return (
        f"Seeds of a training from nothing correlate by {between:.4f}: an estimate without any error would reach a tau "
        f"of about {best:.2f} against the mean of {count}."
    )


def difference(rows: list[Row], methods: list[str], truth: np.ndarray, seed: int) -> str:
    """By how much one ranks better than the other, on the same networks; mean over the seeds of the supernets."""
    rng = np.random.default_rng(seed)
    first, second = ([np.array(row["accuracy"]) for row in rows if row["method"] == method] for method in methods)

    def gap(chosen: np.ndarray) -> float:
        a, b = (
            np.mean([kendalltau(scores[chosen], truth[chosen]).statistic for scores in kind])
            for kind in (first, second)
        )
        return float(a - b)

    draws = [gap(rng.integers(len(truth), size=len(truth))) for _ in range(2000)]
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    whole = gap(np.arange(len(truth)))
    return f"{methods[0]} beats {methods[1]} by {whole:+.3f} of tau (95 %: {low:+.3f} to {high:+.3f})."


if __name__ == "__main__":
    main()
