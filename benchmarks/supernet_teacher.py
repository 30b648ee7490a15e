"""Is it worth its time that finalists of a search on shared weights learn from the largest network, too?

On a part of the data: a supernet of a small elastic space is trained, then some random networks go on from their shared
weights in three ways: from the labels alone; from the answers of the largest network, too, for as many epochs; and
from the labels alone for as much processor time as the teacher took. Printed for each network, and as means of paired
differences with a 95 % interval (Student's t; networks of one supernet are not independent of each other).

    python benchmarks/supernet_teacher.py DATA [--seeds 0 1] [--networks 4] [--images 8000] [--epochs 3] [--tuning 1]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from netwright import nn
from netwright.comparison.statistics import t_quantile
from netwright.evaluation.batches import Batches, Images
from netwright.evaluation.recipe import Recipe
from netwright.evaluation.supernet_evaluator import SupernetEvaluator, supernet_of
from netwright.evaluation.supernet_training import train_supernet
from netwright.evaluation.trainer import TrainerOptions
from netwright.space import Node, SearchSpace, choice
from netwright.study.supernet_audit import draw_audited
from netwright.supernet import Sandwich, Supernet
from netwright.tasks import load_task
from netwright.tasks.image_classification import ImageClassification
from netwright.temporary import temporary_folder
from netwright.types import Architecture, Fidelity


@dataclass(frozen=True)
class Tuned:
    """Validation accuracy of a network after tuning, and processor seconds that it took."""

    accuracy: float
    time_s: float


def part_of(data: str, count: int) -> ImageClassification:
    """The first images of a data set, split anew."""
    whole = load_task("image-classification", data)
    images, labels = whole.train()
    return ImageClassification.from_arrays((images[:count], labels[:count]), layout="CHW")


def elastic(num_classes: int) -> SearchSpace:
    """Stages of convolutions whose widths, kernels and depths are choices."""

    def stage(name: str) -> Node:
        width = choice(f"width {name}", [8, 16, 24, 32])
        more = nn.repeat(f"depth {name}", lambda i: nn.conv_norm_act(width, choice(f"kernel {name}{i}", [1, 3])), 0, 2)
        return nn.seq(nn.conv_norm_act(width, 3, stride=2), more)

    return SearchSpace(nn.seq(*(stage(name) for name in "abc"), nn.global_pool(), nn.linear(num_classes)))


def trained(task: ImageClassification, epochs: float, seed: int) -> Supernet:
    """The shared weights."""
    supernet = supernet_of(task, elastic(task.num_classes), seed=seed)
    images = Images(*task.train(), task.scale)
    batches = Batches(images, batch_size=128, shards=2, augmentation=task.augmentation(0.036, False), seed=seed)
    train_supernet(supernet, batches, Recipe(), Sandwich(supernet.networks, seed), epochs=epochs)
    return supernet


def tuned(task: ImageClassification, supernet: Supernet, network: Architecture, epochs: float, teacher: bool) -> Tuned:
    """Go on from shared weights."""
    with temporary_folder() as folder:
        options = TrainerOptions(keep_weights=False)
        evaluator = SupernetEvaluator(task, supernet, work_dir=folder, options=options, tunes=True, teacher=teacher)
        began_s = time.process_time()
        metrics = evaluator(network, fidelity=Fidelity(epochs), seed=0)
        return Tuned(metrics["accuracy"], time.process_time() - began_s)


def told(name: str, differences: list[float]) -> None:
    """Print a mean with its interval."""
    values = np.array(differences)
    half = t_quantile(len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    print(f"{name}: {values.mean():+.4f} (95 %: {values.mean() - half:+.4f} to {values.mean() + half:+.4f})")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--networks", type=int, default=4)
    parser.add_argument("--images", type=int, default=8000)
    parser.add_argument("--epochs", type=float, default=3.0, help="of the supernet")
    parser.add_argument("--tuning", type=float, default=1.0, help="epochs of each network")
    args = parser.parse_args()
    task = part_of(args.data, args.images)
    print(f"torch {version('torch')}, {task.input_shape}, {len(task.train()[1])} training images", flush=True)
    taught_minus, taught_minus_longer, slower = [], [], []
    for seed in args.seeds:
        supernet = trained(task, args.epochs, seed)
        for network in draw_audited(supernet.space, seed, args.networks):
            plain = tuned(task, supernet, network, args.tuning, teacher=False)
            taught = tuned(task, supernet, network, args.tuning, teacher=True)
            longer = tuned(task, supernet, network, args.tuning * taught.time_s / plain.time_s, teacher=False)
            print(f"seed {seed} {network.id[:8]}: plain {plain}, taught {taught}, longer {longer}", flush=True)
            taught_minus.append(taught.accuracy - plain.accuracy)
            taught_minus_longer.append(taught.accuracy - longer.accuracy)
            slower.append(taught.time_s / plain.time_s)
    told("taught - plain", taught_minus)
    told("taught - as long in time", taught_minus_longer)
    print(f"processor time, taught / plain: {np.median(slower):.2f} (median)")


if __name__ == "__main__":
    main()
