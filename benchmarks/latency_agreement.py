"""Do two independent measurements of latency agree? Networks of the default space, twice, in different order.

Run: python benchmarks/latency_agreement.py [--sample 50] [--runtime torch onnxruntime] [--seed 0] [--batch 1]
        [--threads 1] [--budget 1.5] [--shape 1 28 28] [--write docs/figures/latency.md]

Needs no data and, for figures to quote, an idle machine. A pass builds each network anew and measures it once. Of the
two passes: Kendall's tau of the medians with a 95 % interval (2,000 bootstrap samples of the networks); how many
networks have medians within 5 % of each other, and how many have or said in either pass that the machine was noisy
(95 % intervals of Wilson); the largest difference of those that neither pass called noisy; seconds a measurement.
Targets: tau >= .95, and every network agrees within 5 % or says noisy.
"""

from __future__ import annotations

import argparse
import math
import platform
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from netwright import nn
from netwright.evaluation import Latency, LatencySpec, describe_machine, measure_latency
from netwright.tasks.image_spaces import image_space
from netwright.types import Architecture

HEAD = """# Do two measurements of latency agree?

Two passes over {sample} networks of the default space in different order, on an otherwise idle machine
(`make bench-latency`).

`python benchmarks/latency_agreement.py --write docs/figures/latency.md`
"""
AGREE = 0.05
SAMPLES = 2000
HEADER = (
    "| runtime | networks | ms | Kendall tau | within 5 % | within 5 % or noisy | said noisy | largest quiet | s each |"
)


def one_pass(
    archs: Sequence[Architecture], order: Sequence[int], args: argparse.Namespace, runtime: str
) -> list[Latency]:
    """Measure every network in an order; the results are in that of the networks."""
    shape = tuple(args.shape)
    space = image_space(shape, 10)
    spec = LatencySpec(args.batch, args.threads, runtime, args.budget)
    found: dict[int, Latency] = {}
    for index in order:
        model = nn.build(space.resolve(archs[index]), input_shape=shape, seed=index)
        found[index] = measure_latency(model, shape, spec)
    return [found[index] for index in range(len(archs))]


def tau_interval(a: NDArray[np.float64], b: NDArray[np.float64], seed: int) -> tuple[float, float, float]:
    """Kendall's tau, and the percentiles 2.5 and 97.5 of its bootstrap over the networks."""
    rng = np.random.default_rng(seed)
    draws = [rng.integers(0, len(a), len(a)) for _ in range(SAMPLES)]
    taus = [value for d in draws if not math.isnan(value := float(kendalltau(a[d], b[d]).statistic))]
    low, high = np.percentile(taus, (2.5, 97.5))
    return float(kendalltau(a, b).statistic), float(low), float(high)


def share(count: int, total: int) -> str:
    """A share with its interval of Wilson."""
    p, z = count / total, 1.96
    middle, half = p + z * z / (2 * total), z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    low, high = ((middle + sign * half) / (1 + z * z / total) for sign in (-1, 1))
    return f"{count}/{total} ({low:.0%} to {high:.0%})"


def row(runtime: str, first: list[Latency], second: list[Latency], spent_s: float, seed: int) -> str:
    """One line of the table."""
    a, b = (np.asarray([one.median_ms for one in found]) for found in (first, second))
    apart = np.abs(a - b) / np.minimum(a, b)
    noisy = np.asarray([one.noisy or two.noisy for one, two in zip(first, second, strict=True)])
    agree, count = apart <= AGREE, len(a)
    tau, low, high = tau_interval(a, b, seed)
    quiet = f"{apart[~noisy].max():.1%}" if not noisy.all() else "none"
    cells = [runtime, str(count), f"{a.min():.2f} to {a.max():.2f}", f"{tau:.3f} ({low:.3f} to {high:.3f})"]
    cells += [share(int(part.sum()), count) for part in (agree, agree | noisy, noisy)]
    return f"| {' | '.join([*cells, quiet, f'{spent_s / (2 * count):.1f}'])} |"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=50, help="networks")
    parser.add_argument("--runtime", nargs="+", default=["torch", "onnxruntime"])
    parser.add_argument("--seed", type=int, default=0, help="of networks and orders")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--budget", type=float, default=1.5, help="seconds of repeats a network")
    parser.add_argument("--shape", type=int, nargs=3, default=[1, 28, 28], help="of an image")
    parser.add_argument("--write", type=Path, help="also write the table to this markdown file")
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    space = image_space(tuple(args.shape), 10)
    archs = [space.sample(rng) for _ in range(args.sample)]
    versions = ", ".join(f"{name} {version(name)}" for name in ("netwright", "torch", "numpy"))
    lines = [f"Python {platform.python_version()}, {versions}; {describe_machine()}; images {args.shape}, batch "]
    lines[0] += f"{args.batch}, {args.threads} thread(s), seed {args.seed}."
    lines += ["", HEADER, "| --- " * (HEADER.count("|") - 1) + "|"]
    print("\n".join(lines), flush=True)
    for runtime in args.runtime:
        began_s = time.perf_counter()
        passes = [one_pass(archs, rng.permutation(args.sample).tolist(), args, runtime) for _ in range(2)]
        lines.append(row(runtime, *passes, time.perf_counter() - began_s, args.seed))
        print(lines[-1], flush=True)
    if args.write is not None:
        args.write.write_text("\n".join([HEAD.format(sample=args.sample), *lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
