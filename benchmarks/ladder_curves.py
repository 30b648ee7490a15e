"""What learning curves save on the ladder: the same search with and without them, on recorded curves.

    python benchmarks/ladder_curves.py --data FOLDER [--seeds 40] [--equivalents 40] [--write FILE.md]
        [--inner evolution]

FOLDER holds ``spikenas_curves/spikenas_cifar10.npz``: 15,625 spiking networks on CIFAR-10, validation accuracy after
each of 100 epochs. Rungs: 4, 11, 33 and 100 epochs; a longer training goes on from the shorter one and costs the
difference. The ladder around a strategy, without a pool. A network that would go on from 11 or 33 epochs and,
by the curves of the search so far, beats the best with a probability below 0.05 is not trained longer.

Printed, with 95 % intervals (bootstrap over seeds): regret of the best whole training in points of validation accuracy
after a third, two thirds and all of the budget; trainings ended by their curves in a search; full trainings saved by
them; and of all that were ended, how many would have beaten the best of that moment.
"""

from __future__ import annotations

import argparse
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from fidelities_nb201 import add_table, interval, mean, ratio

from netwright.benchmarks import load_benchmark
from netwright.benchmarks.table import Table
from netwright.strategies import BayesianOptimization, RegularizedEvolution
from netwright.study.ladder_strategy import Ladder
from netwright.types import Architecture, Fidelity, Objective, Trial, TrialState

HEAD = """## Learning curves

`python benchmarks/ladder_curves.py --data DATA`
"""
METRIC = "val_accuracy"
GOALS = (Objective(METRIC, "max"),)
LENGTHS = [Fidelity(float(epochs)) for epochs in (4, 11, 33, 100)]
FULL = LENGTHS[-1]
MARKS = (1 / 3, 2 / 3, 1.0)
INNER = {"bayesian": BayesianOptimization, "evolution": RegularizedEvolution}
ARMS = {"every training to its end": False, "ended by learning curves": True}


class Search:
    """One search, and what it came to.

    Attributes:
        best_at: best whole training at each of `MARKS`.
        num_wrong: trainings that were ended and would have beaten the best.
    """

    def __init__(self, table: Table, inner: str, *, by_curves: bool, seed: int) -> None:
        self._table = table
        self.ladder = Ladder(
            lambda: INNER[inner](table.space, seed=seed, objectives=GOALS),
            LENGTHS,
            objectives=GOALS,
            by_curves=by_curves,
        )
        self._best = 0.0
        self._trained: dict[Architecture, float] = {}
        self._num_seen = 0
        self.best_at: list[float] = []
        self.num_wrong = 0

    def run(self, equivalents: float) -> Search:
        """Search until so many full trainings are spent."""
        limits = [mark * equivalents * FULL.cost for mark in MARKS]
        spent, number = 0.0, 0
        while len(self.best_at) < len(MARKS):
            (proposal,) = self.ladder.ask(1)
            arch, length = proposal.architecture, proposal.fidelity
            spent += length.cost - self._trained.get(arch, 0.0)
            while len(self.best_at) < len(MARKS) and spent > limits[len(self.best_at)]:
                self.best_at.append(self._best)  # a training over the limit does not count
            self._trained[arch] = length.cost
            metrics = self._table.query(arch, length)
            if length == FULL:
                self._best = max(self._best, metrics[METRIC])
            self.ladder.tell([Trial(number, proposal, seed=0, state=TrialState.FINISHED, metrics=metrics)])
            self._look_at_ended()
            number += 1
        return self

    def _look_at_ended(self) -> None:
        ended = list(self.ladder.stopped)[self._num_seen :]
        self._num_seen += len(ended)
        self.num_wrong += sum(self._table.query(arch, FULL)[METRIC] > self._best for arch, _ in ended)


def main() -> None:
    """Run the searches and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--inner", choices=list(INNER), default="evolution")
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--equivalents", type=float, default=40)
    parser.add_argument("--write", type=Path, help="append the table to this file")
    args = parser.parse_args()
    table = load_benchmark("spikenas-cifar10", args.data)
    assert isinstance(table, Table)
    optimum = float(np.nanmax(table.column(METRIC, FULL)))
    after = f"regret after {', '.join(f'{mark * args.equivalents:g}' for mark in MARKS)} full-training equivalents"
    seeds = f"seeds 0 to {args.seeds - 1}"
    lines = [
        f"netwright {version('netwright')}; spikenas-cifar10; ladder around {args.inner}; {seeds}; {after}",
        "",
        "| arm | regret | | | ratio at the end | ended | saved | would have been best | seconds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    first: np.ndarray | None = None
    for name, by_curves in ARMS.items():
        start = time.perf_counter()
        found = [
            Search(table, args.inner, by_curves=by_curves, seed=seed).run(args.equivalents)
            for seed in range(args.seeds)
        ]
        regrets = 100 * (optimum - np.array([search.best_at for search in found]))
        first = regrets if first is None else first
        ended = np.array([len(search.ladder.stopped) for search in found])
        saved = np.array([search.ladder.epochs_saved for search in found]) / FULL.cost
        cells = [
            *(interval(regret, mean) for regret in regrets.T),
            interval(np.stack([regrets[:, -1], first[:, -1]]), ratio),
            interval(ended, mean),
            interval(saved, mean),
            f"{sum(search.num_wrong for search in found)} of {ended.sum()}",
        ]
        lines.append("| " + " | ".join([name, *cells, f"{time.perf_counter() - start:.0f}"]) + " |")
        print(lines[-1], flush=True)
    if args.write:
        add_table(args.write, HEAD, lines)


if __name__ == "__main__":
    main()
