"""Which networks learn most in a given time? References, portfolio and relatives, so many seconds each.

    OMP_NUM_THREADS=1 python benchmarks/portfolio.py --seconds 300 --seeds 1

One process a network, one after the other; run it on an idle machine, since time decides how many epochs each one
gets. Prints accuracy and loss on the validation images, by which the portfolio of the default space was chosen.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import torch

from netwright.evaluation import TrainerOptions, TrainingEvaluator
from netwright.tasks.image_classification import ImageClassification
from netwright.types import Architecture, Fidelity

RELATIVES: dict[str, dict[str, object]] = {
    "two layers at the end": {"stage2.depth": 2},
    "two layers at the start": {"stage0.depth": 2},
    "three in the middle": {"stage1.depth": 3},
    "stem 5 x 5": {"stem.kernel": 5},
    "max pool": {"head.pool": "max"},
    "gelu": {"activation": "gelu"},
}
"""Changes of the first network of the portfolio."""


def networks(task: ImageClassification) -> list[tuple[str, Architecture]]:
    """What is trained, with its name."""
    space, portfolio = task.default_space(), task.portfolio()
    named = [(f"reference {r.name}", r.architecture) for r in task.references()]
    named += [(f"portfolio {number}", architecture) for number, architecture in enumerate(portfolio)]
    for name, changes in RELATIVES.items():
        changed = {**portfolio[0], **changes}
        named.append((f"portfolio 0, {name}", space.architecture(changed, drop_inactive=True)))  # type: ignore[arg-type]
    return named


def main() -> None:
    """Train them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", default="", help="part of the name of what is trained")
    args = parser.parse_args()
    torch.set_num_threads(1)
    task = ImageClassification.load(args.data, seed=0)
    print(f"netwright {version('netwright')}, torch {torch.__version__}, {args.seconds:g} s each")
    print(f"{'network':<38} {'seed':>4} {'params':>8} {'M MACs':>7} {'epochs':>6} {'accuracy':>8} {'loss':>7}")
    for name, arch in networks(task):
        for seed in range(args.seeds if args.only in name else 0):
            with tempfile.TemporaryDirectory() as folder:
                options = TrainerOptions(deadline_s=time.monotonic() + args.seconds, keep_weights=False)
                evaluator = TrainingEvaluator(task, task.default_space(), work_dir=Path(folder), options=options)
                evaluator.prepare()
                found = evaluator(arch, fidelity=Fidelity(epochs=60.0), seed=seed)
            sizes = f"{found['params']:>8.0f} {found['macs'] / 1e6:>7.2f} {found['epochs']:>6.2f}"
            print(f"{name:<38} {seed:>4} {sizes} {found['accuracy']:>8.4f} {found['loss']:>7.4f}", flush=True)


if __name__ == "__main__":
    main()
