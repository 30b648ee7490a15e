"""Weights that all networks of a space share: declared, trained on digits, asked, and taken out. On a CPU.

Prints what eight networks are worth with shared weights, and that the one that was taken out computes the same.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch

from netwright import nn
from netwright.evaluation import Recipe
from netwright.evaluation.batches import Batches, Images
from netwright.evaluation.supernet_evaluator import SupernetEvaluator, supernet_of
from netwright.evaluation.supernet_training import train_supernet
from netwright.space import SearchSpace, choice, integer
from netwright.supernet import Sandwich
from netwright.tasks.augmentation import Augmentation
from netwright.tasks.image_classification import ImageClassification
from netwright.types import Fidelity


def elastic(num_classes: int) -> SearchSpace:
    """Width, kernel and depth of a small network."""
    width = choice("width", [8, 16, 24])
    blocks = nn.repeat(integer("depth", 1, 3), lambda i: nn.conv_norm_act(width, choice("kernel", [1, 3])))
    return SearchSpace(nn.seq(nn.conv_norm_act(width, stride=2), blocks, nn.global_pool(), nn.linear(num_classes)))


def main() -> None:
    """Train a supernet, score a few of its networks, take the best one out."""
    torch.set_num_threads(1)
    task = ImageClassification.load("digits")
    space = elastic(task.num_classes)
    supernet = supernet_of(task, space)
    print(f"{space.count()} networks share {len(supernet.bank)} tensors, {supernet.bank.num_bytes / 1e3:.0f} kB")

    images = Images(*task.train(), task.scale)
    batches = Batches(images, batch_size=64, shards=2, augmentation=Augmentation(1, False), seed=0)
    trained = train_supernet(supernet, batches, Recipe(), Sandwich(supernet.networks), epochs=10)
    print(f"trained for {trained.epochs:.0f} epochs in {trained.time_s:.0f} s")

    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        evaluator = SupernetEvaluator(task, supernet, work_dir=Path(folder))
        scores = {}
        for architecture in dict.fromkeys(space.sample(rng) for _ in range(8)):
            scores[architecture] = evaluator(architecture, fidelity=Fidelity(), seed=0)
    for architecture, metrics in sorted(scores.items(), key=lambda pair: -pair[1]["accuracy"]):
        print(f"accuracy {metrics['accuracy']:.3f}, {metrics['params']:6.0f} parameters: {dict(architecture)}")

    best = max(scores, key=lambda a: scores[a]["accuracy"])
    plain, subnet = supernet.extract(best).train(), supernet.subnet(best)
    x, _ = batches.shard(0, 0)
    subnet.model.train()
    print("taken out, it gives the very same outputs:", torch.equal(plain(x), subnet(x)))


if __name__ == "__main__":
    main()
