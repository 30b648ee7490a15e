"""NAS-Bench-201 by differentiable search on real images: what the table says of the cell that each method chooses.

    python benchmarks/darts_nb201.py --data FOLDER [--method darts ...] [--seeds 5] [--first-seed 0] [--epochs 12]
        [--images 1920] [--side 16] [--channels 8] [--cells 1] [--batch 64] [--out runs/darts_nb201.jsonl]

FOLDER holds ``cifar10_jpeg/train.npz`` and ``nasbench201/nasbench201.npz``. Much smaller than the papers' searches, so
that two cores can make it: fewer images (half for the weights, half for the architecture weights; others for each
seed), halved in their sides by the means of four points, fewer channels, cells and epochs; the architecture learning
rate is raised so that the weights travel as far in fewer steps (``--arch-rate``). No augmentation but flips. Each
finished search is one line of the file; a second run with the same options goes on where the first stopped. Printed:
per method the mean test accuracy of CIFAR-10 (200 epochs, mean over the table's seeds) of the cells, and each seed's
with what the alarm said. The table is read after the search.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from netwright.benchmarks import Benchmark, load_benchmark
from netwright.nn.spaces import nas_bench_201
from netwright.space.terms import OpTerm, Term
from netwright.supernet.differentiable import METHODS, AlarmOptions, Options, Searched, darts
from netwright.types import Architecture

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


def search(name: str, seed: int, data: Path, given: argparse.Namespace) -> Searched:
    """One search."""
    x, y = images(data, given.images, given.side, seed)
    half = len(x) // 2
    train, valid = (Shuffled(x[part], y[part], given.batch, seed) for part in (slice(half), slice(half, None)))
    space = nas_bench_201((3, given.side, given.side), 10, channels=given.channels, num_cells=given.cells)
    options = Options(
        epochs=given.epochs,
        arch_learning_rate=given.arch_rate,
        seed=seed,
        wrap=normalised,
        alarm=AlarmOptions(curvature_every=given.curvature_every, iterations=4),
    )
    if name == "darts-2":
        return darts(space, train, valid, options, order=2)  # type: ignore[arg-type]
    return METHODS[name](space, train, valid, options)  # type: ignore[arg-type]


def record(name: str, seed: int, found: Searched, seconds: float, table: Benchmark) -> dict[str, object]:
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


def show(lines: Sequence[dict[str, object]], names: Sequence[str]) -> None:
    """Print the table."""
    print("| method | seeds | mean test accuracy, % | each | alarm fired |")
    print("|---|---|---|---|---|")
    for name in names:
        mine = [line for line in lines if line["method"] == name]
        if mine:
            each = [float(line["table"]) for line in mine]  # type: ignore[arg-type]
            fired = sum(line["alarm"] is not None for line in mine)
            cells = ", ".join(
                f"{a:.2f}{'' if line['alarm'] is None else ' !'}" for a, line in zip(each, mine, strict=True)
            )
            print(f"| {name} | {len(mine)} | {np.mean(each):.2f} | {cells} | {fired} |")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--method", nargs="+", default=["darts", "gdas", "pc-darts", "drnas", "beta-darts"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    for name, default in (("epochs", 12), ("images", 1920), ("side", 16), ("channels", 8), ("cells", 1), ("batch", 64)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--curvature-every", type=int, default=1)
    parser.add_argument("--arch-rate", type=float, default=0.01)
    parser.add_argument("--out", type=Path, default=Path("runs/darts_nb201.jsonl"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    keys = ("epochs", "images", "side", "channels", "cells", "batch", "curvature_every", "arch_rate")
    options = {key: getattr(given, key) for key in keys}
    table = load_benchmark("nasbench201-cifar10", given.data)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    for seed in range(given.first_seed, given.first_seed + given.seeds):
        for name in given.method:
            if any(line["method"] == name and line["seed"] == seed for line in read(given.out, options)):
                continue
            start_s = time.process_time()
            found = search(name, seed, given.data, given)
            line = record(name, seed, found, time.process_time() - start_s, table)
            with given.out.open("a") as file:
                file.write(json.dumps({**line, "options": options}) + "\n")
    print({name: version(name) for name in ("netwright", "torch")}, options, "\n")
    show(read(given.out, options), given.method)


if __name__ == "__main__":
    main()
