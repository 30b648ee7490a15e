"""What the ladder needs on NAS-Bench-201 beside plain evolution, also where its rungs mislead.

    python benchmarks/ladder_nb201.py --data FOLDER [--seeds 50] [--arm evolution ladder ...] [--write FILE.md]

FOLDER holds ``nasbench201/nasbench201.npz``. The search reads the mean test accuracy (protocol A). Rungs: a pool of 128
random networks with scores (naswot, synflow, params, macs), a predictor, 12 and 200 epochs. A 12-epoch training costs
its seconds over those of the full training, about 1/17, and every evaluation is from scratch; scores are free, since
they take about a second where a full training takes hours. Of the networks trained for 12 epochs one in 17 goes on,
until it is measured what that training is worth. Arms:

    evolution       full trainings only
    bayesian        full trainings only
    halving         evolution in successive halving, by the ratio of the epochs
    ladder          the ladder around the Gaussian process, as in `netwright search`
    ladder-evolution  the ladder around evolution
    trainings       the ladder without pool: neither proxies nor predictor
    flipped         the ladder, all proxies (and the sizes among them) turned round
    noise           the ladder, the accuracies after 12 epochs permuted among the networks

Printed: full-training equivalents until the regret is at most ``--regret`` points, mean and median with 95 % intervals
(bootstrap over seeds), the mean's ratio to that of the first arm, how often it was reached within ``--equivalents``
(one that did not counts as that), and in what share of the searches each rung was dropped.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from fidelities_nb201 import Permuted, add_table, interval, mean, median, ratio

from netwright.benchmarks import load_benchmark
from netwright.benchmarks.table import Table
from netwright.comparison import Settings, make_rules
from netwright.comparison.journal import Journal
from netwright.comparison.truth import find_truth
from netwright.evaluation.scored import Scored
from netwright.strategies import BayesianOptimization, RegularizedEvolution, Strategy, SuccessiveHalving
from netwright.strategies.rung_sense import RungSense
from netwright.study.ladder_screen import Screen
from netwright.study.ladder_strategy import Ladder
from netwright.types import Architecture, Fidelity, Objective

HEAD = """# The ladder on NAS-Bench-201

`make bench-ladder`: `python benchmarks/ladder_nb201.py --data DATA`, with the options that each table names.
"""
NUM_SCORED = 128
GOALS = (Objective("test_accuracy", "max"),)
COST_RATIO = 300.0
"""A training of 12 epochs beside scores, about."""


@dataclass(frozen=True)
class Arm:
    """A way to search."""

    inner: type[RegularizedEvolution | BayesianOptimization]
    rungs: str = "ladder"  # full, halving, trainings, ladder
    flipped: bool = False
    noise: bool = False


ARMS: Mapping[str, Arm] = {
    "evolution": Arm(RegularizedEvolution, "full"),
    "bayesian": Arm(BayesianOptimization, "full"),
    "halving": Arm(RegularizedEvolution, "halving"),
    "ladder": Arm(BayesianOptimization),
    "ladder-evolution": Arm(RegularizedEvolution),
    "trainings": Arm(BayesianOptimization, "trainings"),
    "flipped": Arm(BayesianOptimization, flipped=True),
    "noise": Arm(BayesianOptimization, noise=True),
}


@cache
def read(name: str, data: Path) -> Table:
    """The table, once."""
    table = load_benchmark(name, data)
    assert isinstance(table, Table)
    return table


def scored(table: Table, arch: Architecture, sign: float) -> Scored:
    """What is known of a network before it is trained."""
    known = table.query(arch)
    values = {name: sign * known[name] for name in ("zc_naswot", "zc_logsynflow", "params", "macs")}
    return Scored(arch, values, {"params": known["params"], "macs": known["macs"]}, {})


def make(arm: Arm, table: Table, seed: int) -> Strategy:
    """The strategy of an arm."""

    def inner() -> Strategy:
        return arm.inner(table.space, seed=seed, objectives=GOALS)

    if arm.rungs == "full":
        return inner()
    lengths = list(table.fidelities)
    low, high = (float(length.epochs or 0.0) for length in lengths)
    if arm.rungs == "halving":
        return SuccessiveHalving(inner(), max_epochs=high, min_epochs=low, eta=high / low, objectives=GOALS)
    screen = None
    if arm.rungs == "ladder":
        screen = Screen(table.space, seed=seed, num_to_score=NUM_SCORED, cost_ratio=COST_RATIO)
        screen.fill([scored(table, arch, -1.0 if arm.flipped else 1.0) for arch in screen.to_score])
    sense = partial(RungSense, table.space, seed)
    return Ladder(inner, lengths, eta=high / low, objectives=GOALS, screen=screen, make_sense=sense)


def needed(args: argparse.Namespace, arm: Arm, seed: int) -> tuple[float, list[str]]:
    """Full trainings until the regret is small enough, and which rungs were dropped."""
    table = read(args.table, args.data)
    rules = make_rules(table, Settings(metric="test_accuracy", stop_at_optimum=False))
    truth = find_truth(table, rules)
    assert truth.optimum is not None
    journal = Journal(Permuted(table, "test_accuracy", seed) if arm.noise else table, rules, truth)
    strategy = make(arm, table, seed)
    while not journal.equivalents or journal.equivalents[-1] < args.equivalents:
        (proposal,) = strategy.ask(1)
        evaluation = journal.evaluate(len(journal.values), proposal, seed)
        journal.add(evaluation)
        if 100 * (truth.optimum - journal.values[-1]) <= args.regret + 1e-9:
            break
        strategy.tell([evaluation.trial])
    dropped: list[str] = []
    if isinstance(strategy, Ladder):
        dropped = [_length(length) for length in strategy.dropped]
        dropped += [] if strategy.screen is None else strategy.screen.dropped
    return min(journal.equivalents[-1], args.equivalents), dropped


def _length(length: Fidelity) -> str:
    return f"{length.epochs:g} epochs"


def told(found: list[tuple[float, list[str]]]) -> str:
    """Share of the searches in which each rung was dropped."""
    names = list(dict.fromkeys(name for _, dropped in found for name in dropped))
    shares = {name: np.mean([name in dropped for _, dropped in found]) for name in names}
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items()) or "-"


def main() -> None:
    """Run the searches and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--table", default="nasbench201-cifar10")
    parser.add_argument("--arm", nargs="+", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--equivalents", type=float, default=300)
    parser.add_argument("--regret", type=float, default=0.1, help="in points")
    parser.add_argument("--write", type=Path, help="append the table to this file")
    args = parser.parse_args()
    aim = f"full-training equivalents until regret <= {args.regret:g} points, at most {args.equivalents:g}"
    lines = [
        f"netwright {version('netwright')}, numpy {np.__version__}; {args.table}; seeds 0 to {args.seeds - 1}; {aim}",
        "",
        "| arm | mean | median | ratio to the first | reached | rungs dropped | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    first: np.ndarray | None = None
    for name in args.arm:
        start = time.perf_counter()
        found = list(map(partial(needed, args, ARMS[name]), range(args.seeds)))
        numbers = np.array([equivalents for equivalents, _ in found])
        first = numbers if first is None else first
        cells = [interval(numbers, mean), interval(numbers, median), interval(np.stack([numbers, first]), ratio)]
        reached = f"{np.mean(numbers < args.equivalents):.0%}"
        lines.append(
            "| " + " | ".join([name, *cells, reached, told(found), f"{time.perf_counter() - start:.0f}"]) + " |"
        )
        print(lines[-1], flush=True)
    if args.write:
        add_table(args.write, HEAD, lines)


if __name__ == "__main__":
    main()
