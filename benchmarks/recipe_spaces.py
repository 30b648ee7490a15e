"""Is there anything to find in the default space? References, variants of a network, random networks, briefly trained.

    OMP_NUM_THREADS=1 python benchmarks/recipe_spaces.py --epochs 1 --random 10

Prints validation accuracy and loss after the same number of epochs, and the CPU seconds of an epoch: a network is worth
finding when it is better at equal *time*, not at equal epochs.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from recipe_fashion_mnist import early_resnet

from netwright.evaluation import TrainerOptions, TrainingEvaluator
from netwright.tasks.image_classification import ImageClassification
from netwright.types import Architecture, Fidelity

CHANGES: dict[str, dict[str, object]] = {
    "narrower stem": {"stem.width": 24},
    "stem kernel 5": {"stem.kernel": 5},
    "narrower": {"stem.width": 24, "stage0.width": 24, "stage1.width": 48, "stage2.width": 96},
    "narrower stem, wider": {"stem.width": 24, "stage0.width": 48, "stage1.width": 64, "stage2.width": 160},
    "wider at the end": {"stage2.width": 160},
    "two blocks at 7 x 7": {"stage1.depth": 2},
    "two blocks at 4 x 4": {"stage2.depth": 2},
    "plain at 14 x 14": {"stage0.block": "plain"},
    "fused at 14 x 14": {"stage0.block": "fused", "stage0.expand": 2},
    "squeeze-excite at the end": {"stage2.squeeze_excite": True},
    "wide head": {"head.widen": True},
    "max pool": {"head.pool": "max"},
    "leaky_relu": {"activation": "leaky_relu"},
    "gelu": {"activation": "gelu"},
}


def main() -> None:
    """Train all, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--random", type=int, default=10)
    parser.add_argument("--only", default="", help="part of the name of what is trained")
    args = parser.parse_args()
    torch.set_num_threads(1)
    task = ImageClassification.load(args.data, seed=0)
    print(f"{'network':<28} {'params':>8} {'M MACs':>7} {'accuracy':>8} {'loss':>7} {'CPU s/epoch':>11}")
    with tempfile.TemporaryDirectory() as folder:
        evaluator = TrainingEvaluator(
            task, task.default_space(), work_dir=Path(folder), options=TrainerOptions(keep_weights=False)
        )
        evaluator.prepare()
        for name, arch in networks(task, args.random):
            if args.only in name:
                start_s = time.process_time()
                found = evaluator(arch, fidelity=Fidelity(epochs=args.epochs), seed=0)
                epoch_s = (time.process_time() - start_s) / args.epochs
                sizes = f"{found['params']:>8.0f} {found['macs'] / 1e6:>7.2f}"
                print(
                    f"{name:<28} {sizes} {found['accuracy']:>8.4f} {found['loss']:>7.4f} {epoch_s:>11.1f}", flush=True
                )


def networks(task: ImageClassification, count: int) -> list[tuple[str, Architecture]]:
    """What is trained: references, one network halved early with its variants, and random networks."""
    space, early = task.default_space(), early_resnet(task)
    named = [(f"reference {r.name}", r.architecture) for r in task.references()]
    named.append(("early resnet", early))
    for name, changes in CHANGES.items():
        inactive = {"stage0.expand": 2} if "stage0.block" in changes else {}
        decisions = {**early, **inactive, **changes}
        named.append((f"early, {name}", space.architecture(decisions, drop_inactive=True)))  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    return [*named, *((f"random {i}", space.sample(rng)) for i in range(count))]


if __name__ == "__main__":
    main()
