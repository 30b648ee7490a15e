"""What does a training step cost? Fits seconds an epoch = a x MACs + b x bytes of activations over a study's trials.

    python benchmarks/recipe_cost.py runs/x [runs/y ...]

Uses the trials of the lowest rung of searches with the default space; prints a, b, b / a (MACs a byte), and the
relative error of each trial. Idle machine, please.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from netwright import nn
from netwright.storage import Store
from netwright.tasks.image_spaces import image_space


def main() -> None:
    """Fit and print."""
    space = image_space((1, 28, 28), 10)
    sizes, seconds = [], []
    for folder in map(Path, sys.argv[1:]):
        with Store.open(folder / "study.db", read_only=True) as store:
            trials = [t for t in store.trials() if t.state == "finished" and space.contains(t.architecture)]
        lowest = min(t.fidelity.cost for t in trials)
        for trial in (t for t in trials if t.fidelity.cost == lowest):
            size = nn.profile(space.resolve(trial.architecture), input_shape=(1, 28, 28))
            sizes.append((size.macs / 1e6, size.activation_bytes / 1e6))
            seconds.append(trial.metrics["train_time_s"] / trial.metrics["epochs"])
    a, y = np.array(sizes), np.array(seconds)
    weights, _ = nnls(a / y[:, None], np.ones(len(y)))
    errors = a @ weights / y - 1
    print(f"{len(y)} trials: {weights[0]:.2f} s a million MACs, {weights[1]:.2f} s a million bytes")
    print(f"MACs a byte: {weights[1] / weights[0]:.1f}; relative errors: {np.round(np.sort(errors), 2).tolist()}")


if __name__ == "__main__":
    main()
