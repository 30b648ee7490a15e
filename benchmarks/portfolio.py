"""Which networks learn most in a given time, and can a short training tell? References, portfolio and relatives.

    OMP_NUM_THREADS=1 python benchmarks/portfolio.py --short 0.75 --seconds 300 --seeds 1

Trains each network for so many epochs, and then anew for so many seconds, one process and one network at a time; run
it on an idle machine, since time decides how many epochs each one gets. Prints accuracy and loss on the validation
images, by which the portfolio of the default space was chosen, and what a search may compare networks by
(`netwright.study.equal_time`): for the error and for the loss of the short training x, the exponent b of long error =
a x x x cost^b, fitted by least squares, the root mean square of what it leaves in log error, and Spearman's rank
correlation of x times the cost^.04 that a search uses with the long error.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

from netwright.evaluation import Recipe, TrainerOptions, TrainingEvaluator
from netwright.study.equal_time import EXPONENT
from netwright.tasks.image_classification import ImageClassification
from netwright.types import Architecture, Fidelity, Metrics

RELATIVES: dict[str, dict[str, dict[str, object]]] = {
    "portfolio 0": {
        "two layers at the end": {"stage2.depth": 2},
        "two layers at the start": {"stage0.depth": 2},
        "three in the middle": {"stage1.depth": 3},
        "stem 5 x 5": {"stem.kernel": 5},
        "max pool": {"head.pool": "max"},
        "gelu": {"activation": "gelu"},
    },
    "portfolio 1": {
        "narrower at the end": {"stage2.width": 128},
        "two blocks in the middle": {"stage1.depth": 2},
        "squeeze-excite at the end": {"stage2.squeeze_excite": True},
        "wide head": {"head.widen": True},
    },
    "reference mobilenet": {
        "fused in the middle": {"stage1.block": "fused", "stage1.expand": 4, "stage1.squeeze_excite": False}
    },
}
"""Changes of some of the networks."""


def networks(task: ImageClassification, num_random: int) -> list[tuple[str, Architecture]]:
    """What is trained, with its name."""
    space = task.default_space()
    named = {f"reference {r.name}": r.architecture for r in task.references()}
    named |= {f"portfolio {number}": architecture for number, architecture in enumerate(task.portfolio())}
    for base, relatives in RELATIVES.items():
        for name, changes in relatives.items():
            changed = {**named[base], **changes}
            named[f"{base}, {name}"] = space.architecture(changed, drop_inactive=True)  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    return [*named.items(), *((f"random {number}", space.sample(rng)) for number in range(num_random))]


def train(
    task: ImageClassification, arch: Architecture, recipe: Recipe, seed: int, *, epochs: float, seconds: float | None
) -> Metrics:
    """Train on one core, for so many epochs and at most so many seconds."""
    deadline_s = None if seconds is None else time.monotonic() + seconds
    options = TrainerOptions(deadline_s=deadline_s, keep_weights=False)
    with tempfile.TemporaryDirectory() as folder:
        made = TrainingEvaluator(task, task.default_space(), work_dir=Path(folder), recipe=recipe, options=options)
        made.prepare()
        return made(arch, fidelity=Fidelity(epochs=epochs), seed=seed)


def fit(rows: list[tuple[float, float, float]]) -> tuple[float, float]:
    """Exponent b and root mean square residual from rows of (cost, short error, long error)."""
    cost, short, long = np.log(np.array(rows)).T
    design = np.stack([np.ones_like(cost), cost], axis=1)
    weights = np.linalg.lstsq(design, long - short, rcond=None)[0]
    return float(weights[1]), float(np.sqrt(np.mean((long - short - design @ weights) ** 2)))


def print_fits(rows: list[tuple[float, float, float, float]]) -> None:
    """How well short errors and losses tell long errors, from rows of (cost, short error, short loss, long error)."""
    for column, name in ((1, "error"), (2, "loss")):
        used = [(row[0], row[column], row[3]) for row in rows]
        exponent, residual = fit(used)
        expected = [short * cost**EXPONENT for cost, short, _ in used]
        rank = float(spearmanr(expected, [long for _, _, long in used]).statistic)
        print(
            f"long error = a x short {name} x cost^{exponent:.3f}, residual {residual:.3f}; "
            f"rank correlation with cost^{EXPONENT:g} {rank:.3f}; {len(rows)} trainings"
        )


def main() -> None:
    """Train them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--short", type=float, default=0.75, help="epochs of the short training")
    parser.add_argument("--seconds", type=float, default=300.0, help="of the long training; 0 for none")
    parser.add_argument("--warmup-steps", type=int, default=Recipe().warmup_steps)
    parser.add_argument("--random", type=int, default=0, help="random networks to train, too")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", default="", help="part of the name of what is trained")
    args = parser.parse_args()
    torch.set_num_threads(1)
    task, recipe = ImageClassification.load(args.data, seed=0), replace(Recipe(), warmup_steps=args.warmup_steps)
    print(f"netwright {version('netwright')}, torch {torch.__version__}, {recipe}")
    columns = f"{'M cost':>7} {'short':>7} {'loss':>7} {'epochs':>6} {'long':>7} {'loss':>7}"
    print(f"{'network':<42} {'seed':>4} {'params':>8} {columns}")
    rows = []
    for name, arch in networks(task, args.random):
        for seed in range(args.seeds if args.only in name else 0):
            short = train(task, arch, recipe, seed, epochs=args.short, seconds=None)
            row = f"{name:<42} {seed:>4} {short['params']:>8.0f} {short['train_cost'] / 1e6:>7.2f}"
            row += f" {short['accuracy']:>7.4f} {short['loss']:>7.4f}"
            if args.seconds:
                long = train(task, arch, recipe, seed, epochs=60.0, seconds=args.seconds)
                rows.append((long["train_cost"], 1 - short["accuracy"], short["loss"], 1 - long["accuracy"]))
                row += f" {long['epochs']:>6.2f} {long['accuracy']:>7.4f} {long['loss']:>7.4f}"
            print(row, flush=True)
    if len(rows) > 2:
        print_fits(rows)


if __name__ == "__main__":
    main()
