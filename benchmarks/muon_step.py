"""What orthogonalising costs a step of Muon: by iterates or by squares, in one process or in two.

Prints, for matrices of the sizes that networks have, median milliseconds of both ways and their ratio; then of all
matrices of one hand-made network of translation together, in one process and divided among two. Ways take turns within
the same run, since the machines are noisy; the last line needs two idle cores.

    OMP_NUM_THREADS=1 python benchmarks/muon_step.py --rounds 30
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from statistics import median

import torch
from torch import Tensor, nn

from netwright.evaluation import orthogonal
from netwright.evaluation.batches import Batches, Images
from netwright.evaluation.gradients import Gradients, SharedGradients
from netwright.nn import build
from netwright.tasks.translation.spaces import translation_references, translation_space

SHAPES = ((64, 64), (32, 288), (64, 576), (128, 1152), (256, 256), (256, 512), (256, 1024))
TOKENS = 4000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--network", default="transformer-large", help="a hand-made network of translation")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {given.rounds} rounds, median milliseconds")
    one, two = _network(given.network), _network(given.network)
    with SharedGradients(two, processes=2) as shared:  # before anything runs on several threads
        matrices = [p.detach().clone() for p in one.model.parameters() if p.ndim == 2 and p.shape[0] < TOKENS]
        ways = [lambda: one.orthogonalised(matrices), lambda: shared.orthogonalised(matrices)]
        alone_ms, divided_ms = _medians(ways, given.rounds)
    for shape in SHAPES:
        x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        ways = [lambda x=x: _by("_by_iterates", x), lambda x=x: _by("_by_squares", x)]  # type: ignore[misc]
        iterates_ms, squares_ms = _medians(ways, given.rounds)
        print(f"{shape}: iterates {iterates_ms:.3f}, squares {squares_ms:.3f}, {iterates_ms / squares_ms:.2f} times")
    print(f"{given.network}, {len(matrices)} matrices: alone {alone_ms:.2f}, two processes {divided_ms:.2f},", end=" ")
    print(f"{alone_ms / divided_ms:.2f} times")


def _by(way: str, x: Tensor) -> Sequence[Tensor]:
    return [getattr(orthogonal, way)(x / torch.linalg.matrix_norm(x), 3)]


def _medians(ways: Sequence[Callable[[], Sequence[Tensor]]], rounds: int) -> list[float]:
    """Median milliseconds of each way; they take turns."""
    took: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds + 1):
        for way, times in zip(ways, took, strict=True):
            began_s = time.perf_counter()
            way()
            times.append(1e3 * (time.perf_counter() - began_s))
    return [median(times[1:]) for times in took]


def _network(name: str) -> Gradients:
    """A network whose parameters are handed over; its batches are never read."""
    space = translation_space(40, TOKENS, TOKENS)
    architecture = next(r.architecture for r in translation_references(space) if r.name == name)
    model: nn.Module = build(space.resolve(architecture), input_shape=(88,), input_dtype="int64", seed=0)
    examples = Images(torch.zeros(8, 88, dtype=torch.int64).numpy(), torch.zeros(8, dtype=torch.int64).numpy())
    return Gradients(model, Batches(examples, batch_size=4, shards=2, augmentation=None, seed=0), 0.0)


if __name__ == "__main__":
    main()
