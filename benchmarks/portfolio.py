"""Which networks learn most in a given time, and can a short training tell? References, portfolio and relatives.

    OMP_NUM_THREADS=1 python benchmarks/portfolio.py --short 0.75 --seconds 300 --seeds 1

Trains each network for so many epochs, and then anew for so many seconds, one process and one network at a time; run
it on an idle machine, since time decides how many epochs each one gets. Prints accuracy and loss on the validation
images, by which the portfolio of the default space was chosen, and the exponent b of the law that a search compares
networks by, long error = a x short error x cost^b (`netwright.study.equal_time`), fitted by least squares, with the
root mean square of what it leaves in log error.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
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


def evaluator(task: ImageClassification, folder: str, seconds: float | None) -> TrainingEvaluator:
    """Trains on one core, for so many seconds or as long as it is told."""
    deadline_s = None if seconds is None else time.monotonic() + seconds
    options = TrainerOptions(deadline_s=deadline_s, keep_weights=False)
    made = TrainingEvaluator(task, task.default_space(), work_dir=Path(folder), options=options)
    made.prepare()
    return made


def fit(rows: list[tuple[float, float, float]]) -> tuple[float, float]:
    """Exponent b and root mean square residual from rows of (cost, short error, long error)."""
    cost, short, long = np.log(np.array(rows)).T
    design = np.stack([np.ones_like(cost), cost], axis=1)
    weights = np.linalg.lstsq(design, long - short, rcond=None)[0]
    return float(weights[1]), float(np.sqrt(np.mean((long - short - design @ weights) ** 2)))


def main() -> None:
    """Train them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--short", type=float, default=0.75, help="epochs of the short training")
    parser.add_argument("--seconds", type=float, default=300.0, help="of the long training")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", default="", help="part of the name of what is trained")
    args = parser.parse_args()
    torch.set_num_threads(1)
    task = ImageClassification.load(args.data, seed=0)
    print(
        f"netwright {version('netwright')}, torch {torch.__version__}, {args.short:g} epochs, {args.seconds:g} s each"
    )
    print(f"{'network':<38} {'seed':>4} {'params':>8} {'M MACs':>7} {'short':>7} {'epochs':>6} {'long':>7} {'loss':>7}")
    rows = []
    for name, arch in networks(task):
        for seed in range(args.seeds if args.only in name else 0):
            with tempfile.TemporaryDirectory() as folder:
                short = evaluator(task, folder, None)(arch, fidelity=Fidelity(epochs=args.short), seed=seed)
            with tempfile.TemporaryDirectory() as folder:
                long = evaluator(task, folder, args.seconds)(arch, fidelity=Fidelity(epochs=60.0), seed=seed)
            rows.append((long["train_cost"], 1 - short["accuracy"], 1 - long["accuracy"]))
            sizes = (
                f"{long['params']:>8.0f} {long['macs'] / 1e6:>7.2f} {short['accuracy']:>7.4f} {long['epochs']:>6.2f}"
            )
            print(f"{name:<38} {seed:>4} {sizes} {long['accuracy']:>7.4f} {long['loss']:>7.4f}", flush=True)
    if len(rows) > 2:
        exponent, residual = fit(rows)
        print(f"long error = a x short error x cost^{exponent:.3f}, residual {residual:.3f} over {len(rows)} trainings")


if __name__ == "__main__":
    main()
