"""How long a proposal takes in the default space of image classification, and how many break a limit.

A strategy searches with made-up accuracies, so that nothing is trained: a smooth function of sizes with noise. Printed:
median and 95th percentile of the CPU milliseconds of an ask before and after the first model, over the seeds, and the
share of proposals that broke the limit.

    python benchmarks/ask_speed.py [--strategy bayesian evolution random] [--trials 100] [--seeds 3] [--macs 2M]
"""

from __future__ import annotations

import argparse
import math
import platform
import time
from importlib.metadata import version

import numpy as np

from netwright.nn.profiling import profile
from netwright.strategies import make_strategy
from netwright.tasks.image_spaces import image_portfolio, image_space
from netwright.types import Constraint, Objective, Proposal, Trial, TrialState

SHAPE = (1, 28, 28)
FIRST = 12
"""Proposals after which a model is there, where few break a limit."""


def search(name: str, trials: int, seed: int, limit: Constraint | None) -> tuple[list[float], list[float], int]:
    """Milliseconds of the first asks and of those by a model, and how many networks broke the limit."""
    space = image_space(SHAPE, 10)
    limits = [] if limit is None else [limit]
    first = [Proposal(architecture) for architecture in image_portfolio(space)]
    strategy = make_strategy(
        name, space, seed=seed, objectives=[Objective("accuracy", "max")], constraints=limits, initial=first
    )
    rng = np.random.default_rng(seed)
    early: list[float] = []
    late: list[float] = []
    refused = 0
    for number in range(trials):
        start_s = time.process_time()
        (proposal,) = strategy.ask(1)
        took_ms = 1e3 * (time.process_time() - start_s)
        size = profile(space.resolve(proposal.architecture), input_shape=SHAPE)
        metrics = {"macs": float(size.macs), "params": float(size.params)}
        breaks = limit is not None and not limit.holds(metrics["macs"])
        refused += breaks
        if not breaks:
            metrics["accuracy"] = 0.5 + 0.02 * math.log(size.params) + 0.01 * size.depth**0.5 + 0.005 * rng.normal()
        if number >= len(first):
            (late if proposal.origin == "model" or number > FIRST * 6 else early).append(took_ms)
        state = TrialState.INFEASIBLE if breaks else TrialState.FINISHED
        strategy.tell([Trial(number, proposal, seed, state, metrics, "macs" if breaks else "")])
    return early, late, refused


def cell(times_ms: list[float]) -> str:
    """Median and 95th percentile."""
    return f"{np.median(times_ms):.0f} / {np.percentile(times_ms, 95):.0f}" if times_ms else "-"


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategy", nargs="+", default=["bayesian", "evolution", "random"])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--macs", default="2M")
    given = parser.parse_args()
    versions = {name: version(name) for name in ("netwright", "numpy", "scipy")}
    print(f"{versions}, python {platform.python_version()}, {platform.machine()}; seeds 0 to {given.seeds - 1}\n")
    print("| strategy | limit | first asks, ms (median / p95) | later ones | over the limit |")
    print("|---|---|---|---|---|")
    for name in given.strategy:
        for text in (None, f"macs<={given.macs}"):
            limit = None if text is None else Constraint.parse(text)
            found = [search(name, given.trials, seed, limit) for seed in range(given.seeds)]
            early, late = ([ms for run in found for ms in run[part]] for part in (0, 1))  # type: ignore[misc]
            share = sum(run[2] for run in found) / (given.trials * given.seeds)
            print(f"| {name} | {text or 'none'} | {cell(early)} | {cell(late)} | {100 * share:.0f} % |", flush=True)


if __name__ == "__main__":
    main()
