"""NAS-Bench-201 by search on shared weights, real images: what the table says of the cell that each method chooses.

    python benchmarks/darts_nb201.py --data FOLDER [--method darts ...] [--seeds 5] [--first-seed 0] [--part 1/1]
        [--epochs 30] [--images 5120] [--side 16] [--channels 8] [--cells 1] [--batch 64] [--affine]
        [--out runs/darts_nb201.jsonl]
    python benchmarks/darts_nb201.py --data FOLDER --estimate      what a seed of each method will cost
    python benchmarks/darts_nb201.py --data FOLDER --show          the table of what is there

FOLDER holds ``cifar10_jpeg/train.npz`` and ``nasbench201/nasbench201.npz``. Reduced from the searches of the NAS-Bench-
201 paper so that two cores can make it: 5,120 images (half for the weights, half for the architecture; others for each
seed) instead of 50,000, halved in their sides by the means of four points; 8 channels and one cell a stage instead of
16 and five; 1,200 steps of 64 images instead of some 20,000 (50 epochs of 390). No augmentation but flips. The rate of
the architecture weights is raised by as much as there are fewer steps, so that they can travel as far: 3e-4 * 19,500
divided by the steps (``--arch-rate`` for another). The 19,500 steps are those of 50 epochs, as of DARTS and of the NAS-
Bench-201 paper; DrNAS and beta-DARTS search for 100 epochs there, in which theirs travel twice as far. ENAS has the
options that it has by itself. Nothing was chosen by the accuracies of the table, which is read after each search.

Each finished search is one line of the file; a second run with the same options goes on where the first stopped, and
``--part 1/2`` and ``--part 2/2`` can run side by side. Printed: per method the mean test accuracy of CIFAR-10 (200
epochs, mean over the table's seeds) of the cells with its 95 % interval (Student's t over seeds), and each seed's with
what the alarm said.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from netwright.benchmarks import Benchmark, load_benchmark
from netwright.nn.spaces import nas_bench_201
from netwright.space.terms import OpTerm, Term
from netwright.supernet.differentiable import METHODS, AlarmOptions, Found, Options, darts, drnas
from netwright.supernet.differentiable.of_task import TRAVEL
from netwright.types import Architecture

VARIANTS: dict[str, tuple[Callable[..., Any], dict[str, float]]] = {
    "darts-2": (darts, {"order": 2}),
    "drnas-4": (drnas, {"partial": 4}),
    "drnas-kl": (drnas, {"divergence": 1e-3}),
}
"""Methods with an option that is not the default."""

NAMES = ("darts", "gdas", "pc-darts", "drnas", "beta-darts", "enas")

MEAN, STD = (0.491, 0.482, 0.447), (0.247, 0.243, 0.262)


def images(data: Path, count: int, side: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Some of the training images, as numbers in [0, 1], shape (count, 3, side, side)."""
    from PIL import Image

    with np.load(data / "cifar10_jpeg" / "train.npz", allow_pickle=False) as arrays:
        joined, offsets, labels = arrays["jpeg"], arrays["offsets"], arrays["labels"]
    chosen = np.random.default_rng(seed).permutation(len(labels))[:count]
    pictures = [Image.open(io.BytesIO(joined[offsets[i] : offsets[i + 1]].tobytes())) for i in chosen]
    x = torch.from_numpy(np.stack([np.asarray(p) for p in pictures])).permute(0, 3, 1, 2).float() / 255
    return F.adaptive_avg_pool2d(x, side), torch.from_numpy(labels[chosen].astype(np.int64))


class Shuffled:
    """Batches in another order each epoch, each image flipped or not."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor, batch: int, seed: int) -> None:
        self.x, self.y, self.batch = x, y, batch
        self.source = torch.Generator().manual_seed(seed)
        self.reads = 0

    def __iter__(self) -> object:
        order = torch.randperm(len(self.x), generator=self.source)
        for start in range(0, len(order) - self.batch + 1, self.batch):
            chosen = order[start : start + self.batch]
            x = self.x[chosen]
            flips = torch.rand(len(x), 1, 1, 1, generator=self.source) < 0.5
            yield torch.where(flips, x.flip(3), x), self.y[chosen]


def normalised(term: Term) -> Term:
    """The network behind the normalisation of the images."""
    return OpTerm("seq", children=(OpTerm("normalize", (("mean", MEAN), ("std", STD))), term))


def search(name: str, seed: int, data: Path, given: argparse.Namespace) -> Found:
    """One search."""
    x, y = images(data, given.images, given.side, seed)
    half = len(x) // 2
    train, valid = (Shuffled(x[part], y[part], given.batch, seed) for part in (slice(half), slice(half, None)))
    space = nas_bench_201((3, given.side, given.side), 10, channels=given.channels, num_cells=given.cells)
    options = Options(
        epochs=given.epochs,
        arch_learning_rate=arch_rate(given),
        affine=given.affine,
        seed=seed,
        wrap=normalised,
        alarm=AlarmOptions(curvature_every=given.curvature_every, iterations=4),
    )
    method, more = VARIANTS.get(name) or (METHODS[name], {})
    return method(space, train, valid, options, **more)  # type: ignore[no-any-return]


def arch_rate(given: argparse.Namespace) -> float:
    """Learning rate of the architecture weights: asked for, or by which they travel as far as in the papers."""
    steps = given.epochs * (given.images // 2 // given.batch)
    return float(given.arch_rate or TRAVEL / steps)


def estimate(given: argparse.Namespace) -> None:
    """Print what one seed of each method costs: by how much a search of two epochs takes longer than one of one."""
    total = 0.0
    for name in given.method:
        took_s = []
        for epochs in (1, 2):
            start_s = time.process_time()
            search(name, 0, given.data, argparse.Namespace(**{**vars(given), "epochs": epochs}))
            took_s.append(time.process_time() - start_s)
        seconds = took_s[0] + (given.epochs - 1) * (took_s[1] - took_s[0])
        total += seconds
        print(f"{name}: at most {seconds:.0f} CPU s a seed", flush=True)
    print(f"all: at most {total:.0f} CPU s a seed; {given.seeds} seeds: {given.seeds * total / 60:.0f} CPU minutes")


def record(name: str, seed: int, found: Found, seconds: float, table: Benchmark) -> dict[str, object]:
    """The line of a search."""
    accuracy = {e.epoch: table_accuracy(table, e.architecture) for e in found.history}
    return {
        "method": name,
        "seed": seed,
        "architecture": dict(found.architecture),
        "table": table_accuracy(table, found.architecture),
        "table_by_epoch": list(accuracy.values()),
        "accuracy": found.accuracy,
        "entropy": found.entropy(),
        "alarm": None if found.alarm is None else [found.alarm.epoch, found.alarm.reason],
        "signs": [[s.decided, s.same, s.expected, s.curvature] for s in (e.signs for e in found.history)],
        "seconds": seconds,
    }


def table_accuracy(table: Benchmark, architecture: Architecture) -> float:
    """Test accuracy of CIFAR-10 after 200 epochs, in percent."""
    return 100 * table.query(Architecture(dict(architecture)))["test_accuracy"]


def read(path: Path, options: dict[str, object]) -> list[dict[str, object]]:
    """The finished searches with these options."""
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in lines if line["options"] == options]


def before_alarm(line: dict[str, Any]) -> float:
    """What the table says of the cell of the epoch before the alarm fired; of the last cell where it did not."""
    if line["alarm"] is None:
        return float(line["table"])
    return float(line["table_by_epoch"][max(0, line["alarm"][0] - 1)])


def show(lines: Sequence[dict[str, object]], names: Sequence[str]) -> None:
    """Print the table."""
    head = "method | seeds | mean test accuracy, % | each | alarm fired | mean before the alarm | best on the way"
    print(f"| {head} | entropy at the end | CPU s a seed |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in names:
        mine = [line for line in lines if line["method"] == name]
        if mine:
            each = [float(line["table"]) for line in mine]  # type: ignore[arg-type]
            fired = sum(line["alarm"] is not None for line in mine)
            cells = ", ".join(
                f"{a:.2f}{'' if line['alarm'] is None else ' !'}" for a, line in zip(each, mine, strict=True)
            )
            entropy, seconds = (np.mean([line[key] for line in mine]) for key in ("entropy", "seconds"))
            before = np.mean([before_alarm(line) for line in mine])
            best = ", ".join(f"{max(line['table_by_epoch']):.1f}" for line in mine)  # type: ignore[call-overload]
            told = f"{cells} | {fired} | {before:.2f} | {best} | {entropy:.2f} | {seconds:.0f}"
            print(f"| {name} | {len(mine)} | {np.mean(each):.2f} {interval(each)} | {told} |")


def interval(values: Sequence[float]) -> str:
    """95 % interval of a mean by Student's t; nothing of a single value."""
    from scipy.stats import t

    if len(values) < 2:
        return ""
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"[{np.mean(values) - half:.2f}, {np.mean(values) + half:.2f}]"


def mine_of(part: str, pairs: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """The searches of one of several processes: ``2/3`` is the second of three."""
    number, _, count = part.partition("/")
    return list(pairs[int(number) - 1 :: int(count)])


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--method", nargs="+", default=list(NAMES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--part", default="1/1", help="such as 1/2: of several processes, this one's searches")
    parser.add_argument("--estimate", action="store_true", help="print what a seed costs, and end")
    parser.add_argument("--show", action="store_true", help="print what is there, and end")
    for name, default in (("epochs", 30), ("images", 5120), ("side", 16), ("channels", 8), ("cells", 1), ("batch", 64)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--curvature-every", type=int, default=1)
    parser.add_argument("--arch-rate", type=float)
    parser.add_argument("--affine", action="store_true", help="norms in mixtures have a trained gain and shift")
    parser.add_argument("--out", type=Path, default=Path("runs/darts_nb201.jsonl"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    keys = ("epochs", "images", "side", "channels", "cells", "batch", "curvature_every", "arch_rate", "affine")
    options = {**{key: getattr(given, key) for key in keys}, "arch_rate": arch_rate(given)}
    if given.estimate:
        estimate(given)
        return
    table = load_benchmark("nasbench201-cifar10", given.data)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    for seed, name in mine_of(given.part, [(seed, name) for seed in seeds for name in given.method]):
        done = {(line["seed"], line["method"]) for line in read(given.out, options)}
        if given.show or (seed, name) in done:
            continue
        start_s = time.process_time()
        found = search(name, seed, given.data, given)
        line = record(name, seed, found, time.process_time() - start_s, table)
        with given.out.open("a") as file:
            file.write(json.dumps({**line, "options": options}) + "\n")
        print(f"{name}, seed {seed}: {line['table']:.2f} %, {line['seconds']:.0f} CPU s", flush=True)
    print({name: version(name) for name in ("netwright", "torch")}, options, "\n")
    show(read(given.out, options), given.method)


if __name__ == "__main__":
    main()
