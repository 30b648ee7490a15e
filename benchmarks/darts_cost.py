"""What a step of differentiable search costs, in training steps of a plain network.

    python benchmarks/darts_cost.py [--steps 24] [--batch 32] [--seed 0] [--method darts ...]

NAS-Bench-201's space (16 channels, 5 cells a stage) on random 32 x 32 images, one thread. A step is one of the
architecture weights and one of the network's weights, as each method makes them: it is timed between two reads of its
training batches, in CPU seconds of the process, which other programs disturb less than the wall's. The plain step is
that of a cell with 3 x 3 convolutions on four of its six edges and skip connections on the others, with the same SGD.
Plain network and methods take turns, three steps each after one that is not counted; the plain network is measured in
both memory layouts of images and the faster is the unit (a relaxed network uses channels-last whatever it gets).
Medians and their ratio, with a 95 % interval by bootstrap over the steps of each. Peak memory is of a process of its
own that makes three steps, less what it was before the first.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from netwright.nn.networks import Networks
from netwright.nn.spaces import nas_bench_201
from netwright.supernet.differentiable import METHODS, ControllerOptions, Found, Options, darts, enas, pc_darts
from netwright.supernet.differentiable.examples import Batch

SHAPE = (3, 32, 32)
CONVOLUTIONS = ("edge0-1", "edge1-2", "edge2-3", "edge0-2")
TURN = 4
NAMES = ("darts", "darts-2", "gdas", "pc-darts", "drnas", "beta-darts", "enas")


class Timed:
    """Batches that note when each was read."""

    def __init__(self, batches: list[Batch]) -> None:
        self.batches = batches
        self.read_s: list[float] = []

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.batches:
            self.read_s.append(time.process_time())
            yield batch
        self.read_s.append(time.process_time())


def images(count: int, batch: int, seed: int, layout: str) -> list[Batch]:
    """Random batches."""
    source = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(count):
        x, y = torch.rand(batch, *SHAPE, generator=source), torch.randint(10, (batch,), generator=source)
        found.append((x.contiguous(memory_format=torch.channels_last) if layout == "nhwc" else x, y))
    return found


def plain_turn(batch: int, seed: int, layout: str) -> list[float]:
    """Seconds of the training steps of the plain network."""
    space = nas_bench_201(SHAPE, 10)
    decisions = dict.fromkeys(space.choices, "skip_connect") | dict.fromkeys(CONVOLUTIONS, "nor_conv_3x3")
    model = Networks(space, input_shape=SHAPE, seed=seed).make(space.architecture(decisions)).model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.025, momentum=0.9, nesterov=True, weight_decay=5e-4)
    found = []
    for x, y in images(TURN, batch, seed, layout):
        start_s = time.process_time()
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(x), y).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        found.append(time.process_time() - start_s)
    return found[1:]


def method_turn(name: str, batch: int, seed: int, layout: str) -> list[float]:
    """Seconds of the steps of a method."""
    timed = Timed(images(TURN + 1, batch, seed, layout)[1:])  # the first is read for its shape
    search(name, timed, images(TURN, batch, seed + 1, layout), seed)
    return np.diff(timed.read_s[1:]).tolist()[1:]


def search(name: str, train: Timed, valid: list[Batch], seed: int) -> Found:
    """One epoch of a method; without a warm-up, in which only the weights are trained; ENAS with a short end."""
    space, options = nas_bench_201(SHAPE, 10), Options(epochs=1, seed=seed)
    if name == "darts-2":
        return darts(space, train, valid, options, order=2)
    if name == "pc-darts":
        return pc_darts(space, train, valid, options, warm_up=0.0)
    if name == "enas":
        return enas(space, train, valid, options, controller=ControllerOptions(warm_up=0.0, derived=1, judged_on=1))
    return METHODS[name](space, train, valid, options)


def memory(name: str, batch: int, seed: int, layout: str) -> None:
    """Print what this process has, and the most that it ever had after three steps, in megabytes."""
    before = resident("VmRSS")
    if name == "plain":
        plain_turn(batch, seed, layout)
    else:
        method_turn(name, batch, seed, layout)
    print(before, resident("VmHWM"))


def resident(line: str) -> float:
    """A line of this process's status, in megabytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{line}:")[1].split()[0]) / 1024


def peak(name: str, given: argparse.Namespace) -> str:
    """Megabytes that a process of its own needs more."""
    options = ["--batch", str(given.batch), "--seed", str(given.seed), "--layout", given.layout, "--memory", name]
    out = subprocess.run([sys.executable, __file__, *options], check=True, capture_output=True, text=True).stdout
    before, after = (float(number) for number in out.split())
    return f"{after - before:.0f}"


def ratio(times: list[float], unit: list[float], rng: np.random.Generator) -> str:
    """Ratio of the medians, with its interval."""
    a, b = np.array(times), np.array(unit)
    draws = [np.median(rng.choice(a, len(a))) / np.median(rng.choice(b, len(b))) for _ in range(4000)]
    low, high = np.percentile(draws, [2.5, 97.5])
    return f"{np.median(a) / np.median(b):.2f} [{low:.2f}, {high:.2f}]"


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--layout", choices=["nchw", "nhwc"], default="nchw")
    parser.add_argument("--method", nargs="+", default=list(NAMES))
    parser.add_argument("--no-memory", action="store_true", help="leave out the peaks")
    parser.add_argument("--memory", help="print the peak memory of one of them, or of plain, and end")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.memory:
        memory(given.memory, given.batch, given.seed, given.layout)
        return
    runs: dict[str, Callable[[], list[float]]] = {
        f"plain, {layout}": lambda layout=layout: plain_turn(given.batch, given.seed, layout)
        for layout in ("nchw", "nhwc")
    }
    for name in given.method:
        runs[name] = lambda name=name: method_turn(name, given.batch, given.seed, given.layout)
    times: dict[str, list[float]] = {name: [] for name in runs}
    while len(times["plain, nchw"]) < given.steps:
        for name, run in runs.items():
            times[name] += run()
    unit = min((times[f"plain, {layout}"] for layout in ("nchw", "nhwc")), key=np.median)
    rng = np.random.default_rng(given.seed)
    versions = {name: version(name) for name in ("netwright", "torch")}
    machine = f"python {platform.python_version()}, {platform.machine()}, one thread"
    print(f"{versions}, {machine}, seed {given.seed}, batch {given.batch}, images {given.layout}")
    print(f"{len(unit)} steps of each\n")
    print("| step | median, ms | in plain steps | peak memory, MB |")
    print("|---|---|---|---|")
    for name, found in times.items():
        process = "plain" if name.startswith("plain") else name
        megabytes = "" if given.no_memory else peak(process, given)
        print(f"| {name} | {1e3 * np.median(found):.0f} | {ratio(found, unit, rng)} | {megabytes} |", flush=True)


if __name__ == "__main__":
    main()
