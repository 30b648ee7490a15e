"""What a training step of a supernet costs beside the step of the plain networks that it samples.

For each space, one thread, batches of random images: the time of a step (forward, backward, update) of the plain
network of an architecture, and of the same network in the supernet, built and run with its parts of the shared weights;
then a sandwich of four. Steps of the two kinds take turns; each architecture is new to both, and the plain network is
built before its clock runs. Printed: medians in milliseconds, and the ratio of the sums over all steps with a 95 %
interval (bootstrap over steps).

    python benchmarks/supernet_cost.py [--space image_space nas_bench_201 ...] [--steps 40] [--batch 64]
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import torch
import torch.nn.functional as F

from netwright.evaluation import Recipe
from netwright.evaluation.optimizers import Optimizer
from netwright.evaluation.supernet_training import Shared
from netwright.nn.spaces import SPACES
from netwright.space import SearchSpace
from netwright.supernet import Sandwich, Supernet, Uniform
from netwright.tasks.image_spaces import image_space
from netwright.types import Architecture

INPUTS = {"image_space": (1, 28, 28)}
FIRST_STEPS = 3
"""Of each kind, that are not counted."""


def make(name: str) -> tuple[SearchSpace, tuple[int, ...]]:
    """A space and the shape of its images."""
    shape = INPUTS.get(name, (3, 32, 32))
    return (image_space(shape, 10) if name == "image_space" else SPACES[name](shape, 10)), shape


def seconds(run: Callable[[], object]) -> float:
    """Wall seconds of a call."""
    start_s = time.perf_counter()
    run()
    return time.perf_counter() - start_s


def plain_step(supernet: Supernet, architecture: Architecture, x: torch.Tensor, y: torch.Tensor) -> float:
    """Seconds of a training step of the stand-alone network."""
    model = supernet.extract(architecture).train()
    optimizer = Optimizer(model, Recipe(optimizer="sgd"))

    def step() -> None:
        model.zero_grad(set_to_none=True)
        F.cross_entropy(model(x), y).backward()
        optimizer.step(0, 1.0)

    step()  # the first of a model is slower
    return seconds(step)


class SharedStep:
    """Training steps of a supernet."""

    def __init__(self, supernet: Supernet) -> None:
        self.supernet = supernet
        self.follow()

    def follow(self) -> None:
        """Take the shared tensors as they are."""
        self.shared = Shared(self.supernet)
        self.optimizer = Optimizer(self.shared, Recipe(optimizer="sgd"))

    def __call__(self, architectures: list[Architecture], x: torch.Tensor, y: torch.Tensor) -> float:
        """Seconds of a step that runs these."""
        for architecture in architectures:
            self.supernet.subnet(architecture)
        if not self.shared.is_current:
            self.follow()
        self.supernet.networks.forget()

        def step() -> None:
            self.shared.zero_grad(set_to_none=True)
            for architecture in architectures:
                subnet = self.supernet.subnet(architecture)
                subnet.model.train()
                F.cross_entropy(subnet(x), y).backward()
            self.optimizer.step(0, 1.0)

        return seconds(step)


def ratio(shared: list[float], plain: list[float], rng: np.random.Generator) -> str:
    """Ratio of the sums, with its interval."""
    a, b = np.array(shared), np.array(plain)
    draws = rng.integers(len(a), size=(2000, len(a)))
    low, high = np.percentile(a[draws].sum(axis=1) / b[draws].sum(axis=1), [2.5, 97.5])
    return f"{a.sum() / b.sum():.3f} [{low:.3f}, {high:.3f}]"


def measure(name: str, steps: int, batch: int, seed: int) -> None:
    """Print the rows of a space."""
    space, shape = make(name)
    supernet = Supernet(space, input_shape=shape, seed=seed)
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.rand(batch, *shape, generator=generator), torch.randint(10, (batch,), generator=generator)
    x = x.contiguous(memory_format=torch.channels_last)
    step = SharedStep(supernet)
    uniform, sandwich = Uniform(supernet.networks, seed), Sandwich(supernet.networks, seed)
    single: list[tuple[float, float]] = []
    several: list[tuple[float, float]] = []
    for number in range(steps + FIRST_STEPS):
        for sampler, found in ((uniform, single), (sandwich, several)):
            drawn = list(sampler(number))
            alone = sum(plain_step(supernet, architecture, x, y) for architecture in drawn)
            found.append((step(drawn, x, y), alone))
    megabytes = supernet.bank.num_bytes / 1e6
    for kind, found in (("single path", single[FIRST_STEPS:]), ("sandwich of 4", several[FIRST_STEPS:])):
        shared, plain = [a for a, _ in found], [b for _, b in found]
        cells = f"{1e3 * np.median(shared):.1f} | {1e3 * np.median(plain):.1f} | {ratio(shared, plain, rng)}"
        print(f"| {name} | {kind} | {cells} | {megabytes:.1f} |", flush=True)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", nargs="+", default=["image_space", "nas_bench_201"])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    versions = {name: version(name) for name in ("netwright", "torch")}
    machine = f"python {platform.python_version()}, {platform.machine()}"
    print(f"{versions}, {machine}, seed {given.seed}, batch {given.batch}\n")
    print("| space | step | shared, ms | plain, ms | ratio | shared weights, MB |")
    print("|---|---|---|---|---|---|")
    for name in given.space:
        measure(name, given.steps, given.batch, given.seed)


if __name__ == "__main__":
    main()
