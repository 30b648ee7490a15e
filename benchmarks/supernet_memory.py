"""How much memory the training of a supernet takes, beside what is estimated before it begins.

For each space, in a process of its own: resident memory before the supernet is made, and its peak over some steps of a
sandwich with a checkpoint, on random images. The peak holds what the estimate leaves out: the values that flow through
the networks, which grow with the batch, and torch's own.

    python benchmarks/supernet_memory.py [--space image_space resnet_macro] [--batch 64] [--steps 4]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np

from netwright.evaluation.batches import Batches, Images
from netwright.evaluation.checkpoints import Checkpoints
from netwright.evaluation.recipe import Recipe
from netwright.evaluation.supernet_training import train_supernet
from netwright.evaluation.training import TrainingOptions
from netwright.nn.spaces import SPACES
from netwright.supernet import Sandwich, Supernet
from netwright.supernet.supernet import COPIES
from netwright.tasks.image_spaces import image_space
from netwright.temporary import temporary_folder

INPUTS = {"image_space": (1, 28, 28)}


def resident_mib(field: str) -> float:
    """``VmRSS`` or ``VmHWM`` of this process."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def measure(name: str, batch: int, steps: int) -> None:
    """Train a little and print."""
    shape = INPUTS.get(name, (3, 32, 32))
    space = image_space(shape, 10) if name == "image_space" else SPACES[name](shape, 10)
    rng = np.random.default_rng(0)
    images = Images(rng.integers(0, 255, (batch * steps, *shape)).astype(np.uint8), rng.integers(0, 10, batch * steps))
    batches = Batches(images, batch_size=batch, shards=2, augmentation=None, seed=0)
    before = resident_mib("VmRSS")
    supernet = Supernet(space, input_shape=shape)
    made = resident_mib("VmHWM")
    sampler = Sandwich(supernet.networks)
    with temporary_folder() as folder:
        options = TrainingOptions(Checkpoints(folder, "supernet", "memory", "1"), checkpoint_every_s=0.0)
        train_supernet(supernet, batches, Recipe(), sampler, epochs=1.0, options=options)
    weights = supernet.bank.num_bytes / 2**20
    peak = resident_mib("VmHWM") - before
    print(
        f"{name}, batch {batch}: weights {weights:.1f} MiB, estimate {COPIES * weights:.1f} MiB, "
        f"peak {peak:.0f} MiB more than before ({made - before:.0f} MiB once made)",
        flush=True,
    )


def main() -> None:
    """Measure each space in a new process."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--space", nargs="+", default=["image_space", "resnet_macro"])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=4)
    args = parser.parse_args()
    if len(args.space) == 1:
        measure(args.space[0], args.batch, args.steps)
        return
    for name in args.space:
        options = ["--space", name, "--batch", str(args.batch), "--steps", str(args.steps)]
        subprocess.run([sys.executable, __file__, *options], check=True)


if __name__ == "__main__":
    main()
