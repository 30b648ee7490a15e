"""How many more trials do two workers finish than one, on the same training and two cores?

    python benchmarks/two_workers.py --data /usr/share/datasets/fashion-mnist --trials 8 --rounds 3

Runs the same search (same seed, no successive halving, so every trial is the same amount of training) with one worker
and with two, in turns, and prints the ratio of their trials a second, start-up left out, with its spread over rounds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import netwright as nw
from netwright import nn

SPACE = nw.SearchSpace(
    nn.seq(
        nn.conv_norm_act(16, kernel=nw.choice("kernel", [3, 5]), stride=2),
        nn.residual(nn.conv_norm_act(32, kernel=3, stride=2)),
        nn.residual(nn.conv_norm_act(64, kernel=3, stride=2)),
        nn.global_pool(),
        nn.linear(10),
    ),
    training={"weight_decay": nw.real("weight_decay", 0.01, 0.2)},
)


def trials_a_second(data: str, workers: int, trials: int, epochs: float) -> float:
    """Trials finished a second between the first and the last end, weighted as if all were running from the start."""
    ends: list[float] = []
    began: list[float] = []

    def listen(status: nw.Status) -> None:
        if not began and status.phase == "search" and status.running:
            began.append(time.monotonic())
        if status.trial is not None and status.phase == "search":
            ends.append(time.monotonic() - status.trial.duration_s)
            ends.append(time.monotonic())

    with tempfile.TemporaryDirectory() as folder:
        nw.search(
            task="image-classification",
            data=data,
            space=SPACE,
            strategy="random",
            halving=False,
            workers=workers,
            min_epochs=epochs,
            max_epochs=epochs,
            budget=f"{trials} trials",
            out=Path(folder) / "run",
            listener=listen,
        )
    return (len(ends) / 2) / (max(ends) - min(ends))


def main() -> None:
    """Measure in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--epochs", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    ratios = []
    for number in range(given.rounds):
        one = trials_a_second(given.data, 1, given.trials, given.epochs)
        two = trials_a_second(given.data, 2, given.trials, given.epochs)
        ratios.append(two / one)
        print(f"round {number}: one worker {one:.3f}, two workers {two:.3f} trials a second, ratio {two / one:.2f}")
    print(f"median ratio {median(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}, netwright {nw.__version__}")


if __name__ == "__main__":
    main()
