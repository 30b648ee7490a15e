"""How long does a training wait for its batches, and what stays in memory? CIFAR-10 as image files, kept in files.

    python benchmarks/loading.py --data FOLDER --work EMPTY --side 32 --images 50000 \
        --steps 40 --write docs/figures/loading.md

The images are written as JPEG files in class folders once, and loaded as anybody would, with the option cache: decoded
(and resized to --side) into uint8 files that are mapped. Then --workers processes train at once, one thread each, a
hand-made network of the default space. What stands in ``Batches.shard`` (reading, augmenting, bringing to float32) is
waiting; its share of the training's time is printed, with the memory of a process that no file backs (RssAnon). The
page cache is what the machine leaves: with more images than memory the share rises by the disk's time. Rows are
appended to WRITE's .jsonl, from which the table is made.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from netwright.evaluation.batches import Batches, Data
from netwright.evaluation.recipe import Recipe
from netwright.evaluation.training import train
from netwright.nn.building import build
from netwright.tasks.image_classification import ImageClassification

HEAD = """# How long a training waits for batches

`python benchmarks/loading.py --data DATA --work FOLDER`: share of a training's time spent waiting for batches, a row a
worker, with the options that its first columns name.
"""


class Timed(Batches):
    """Batches that say how long they took."""

    waited_s = 0.0

    def shard(self, step: int, shard: int) -> Any:
        """As of `Batches`."""
        start = time.perf_counter()
        found = super().shard(step, shard)
        self.waited_s += time.perf_counter() - start
        return found


def main() -> None:
    """Write the files, train, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--network", default="early-cnn", help="a reference or one of the portfolio's, by its place")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path)
    args = parser.parse_args()
    folder = written(args.data / "train.npz", args.work / f"jpeg{args.images}", args.images)
    start = time.perf_counter()
    task = loaded(folder, args)
    load_s = time.perf_counter() - start
    del task
    start = time.perf_counter()
    loaded(folder, args)
    again_s = time.perf_counter() - start
    context = multiprocessing.get_context("spawn")
    with context.Pool(args.workers) as pool:
        found = pool.starmap(measured, [(folder, args, worker) for worker in range(args.workers)])
    for row in found:
        row |= {"load_s": round(load_s, 1), "load_again_s": round(again_s, 1)}
        print(json.dumps(row))
    if args.write is not None:
        record(args.write, found)


def loaded(folder: Path, args: argparse.Namespace) -> ImageClassification:
    """The task with its images in files."""
    return ImageClassification.load(folder, image_size=args.side, cache=args.work / "cache", seed=args.seed)


def written(source: Path, folder: Path, count: int) -> Path:
    """Class folders of the first images; made once."""
    if (folder / "complete").exists():
        return folder / "train"
    arrays = np.load(source, allow_pickle=False)
    joined, offsets, labels, names = (arrays[name] for name in ("jpeg", "offsets", "labels", "names"))
    for name in names:
        (folder / "train" / str(name)).mkdir(parents=True, exist_ok=True)
    for i in range(count):
        path = folder / "train" / str(names[labels[i]]) / f"{i:05d}.jpg"
        path.write_bytes(joined[offsets[i] : offsets[i + 1]].tobytes())
    (folder / "complete").touch()
    return folder / "train"


def measured(folder: Path, args: argparse.Namespace, worker: int) -> dict[str, Any]:
    """Train one network and say how much of the time it waited."""
    torch.set_num_threads(1)
    task = loaded(folder, args)
    space, recipe = task.default_space(), Recipe()
    references = {reference.name: reference.architecture for reference in task.references()}
    arch = references.get(args.network) or task.portfolio()[0]
    model = build(task.network(space, arch), input_shape=task.input_shape, seed=worker)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    inputs, targets = task.train()
    batches = Timed(
        Data(inputs, targets, task.to_input),
        batch_size=recipe.batch_size or 128,
        shards=recipe.shards,
        augmentation=task.augmentation(recipe.shift, flip=True),
        seed=args.seed + worker,
    )
    trained = train(model, batches, recipe, epochs=args.steps / batches.steps_per_epoch, loss=task.loss)
    return {
        "images": args.images,
        "side": args.side,
        "network": args.network,
        "workers": args.workers,
        "seed": args.seed,
        "steps": trained.steps,
        "step_ms": round(1000 * trained.time_s / trained.steps, 1),
        "batch_ms": round(1000 * batches.waited_s / trained.steps, 2),
        "waiting_share": round(batches.waited_s / trained.time_s, 4),
        "anonymous_mib": anonymous_mib(),
        "pixels_mib": inputs.nbytes >> 20,
        "float32_mib": inputs.nbytes * 4 >> 20,
    }


def anonymous_mib() -> int:
    """Memory of this process that no file backs, torch included."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) >> 10


def record(path: Path, rows: list[dict[str, Any]]) -> None:
    """Append rows to the .jsonl, and write the table of all."""
    lines = path.with_suffix(".jsonl")
    with lines.open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    every = [json.loads(line) for line in lines.read_text().splitlines()]
    heads = list(every[0])
    table = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    table += [f"| {' | '.join(str(row[head]) for head in heads)} |" for row in every]
    path.write_text("\n".join([HEAD, *table, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
