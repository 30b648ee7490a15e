"""Mean regret of the strategies on NAS-Bench-201, protocol A (the search reads the mean test accuracy).

    python benchmarks/strategies_nb201.py --data FOLDER [--seeds 200] [--queries 300] [--dataset cifar10 ...]

FOLDER holds ``nasbench201/nasbench201.npz``. Prints, for each dataset and strategy, the mean regret in points with
its 95 % interval after 10, 20, 50, 100, 150 and 300 queries, and the median and the 95th percentile of the number of
queries to the optimum, where a search stops. One
query is one proposal. Seeds are 0 to ``seeds - 1``, the same for every strategy.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np

from netwright.space import SearchSpace
from netwright.space.remembering import RememberingSpace
from netwright.strategies import BayesianOptimization, LocalSearch, RandomSearch, RegularizedEvolution, Strategy
from netwright.testing import cell_space
from netwright.types import Architecture, Trial, TrialState

COUNTS = (10, 20, 50, 100, 150, 300)
DATASETS = ("cifar10", "cifar100", "ImageNet16_120")
STRATEGIES: dict[str, Callable[[SearchSpace, int], Strategy]] = {
    "random": lambda space, seed: RandomSearch(space, seed=seed),
    "evolution": lambda space, seed: RegularizedEvolution(space, seed=seed),
    "local": lambda space, seed: LocalSearch(space, seed=seed),
    "bayesian": lambda space, seed: BayesianOptimization(space, seed=seed),
}


def read_table(folder: Path, dataset: str) -> dict[Architecture, float]:
    """Mean test accuracy in % after 200 epochs, by architecture of `cell_space`."""
    with np.load(folder / "nasbench201" / "nasbench201.npz") as arrays:
        names = [str(name) for name in arrays["op_names"]]
        rows = arrays["ops"].tolist()
        accuracies = arrays[f"{dataset}__test_200"].tolist()
    return {
        Architecture({f"edge{i}": names[op] for i, op in enumerate(ops)}): accuracy
        for ops, accuracy in zip(rows, accuracies, strict=True)
    }


def best_so_far(strategy: Strategy, table: dict[Architecture, float], num_queries: int, optimum: float) -> np.ndarray:
    """Best accuracy after each query, shape (num_queries,), in %; nothing is asked once the optimum was found."""
    accuracies: list[float] = []
    while len(accuracies) < num_queries and (not accuracies or max(accuracies) < optimum):
        (proposal,) = strategy.ask(1)
        query = len(accuracies)
        accuracies.append(table[proposal.architecture])
        metrics = {"accuracy": accuracies[-1] / 100}
        strategy.tell([Trial(query, proposal, query, TrialState.FINISHED, metrics)])
    return np.maximum.accumulate(np.pad(accuracies, (0, num_queries - len(accuracies)), mode="edge"))


def main() -> None:
    """Run the comparison and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--dataset", nargs="+", choices=DATASETS, default=list(DATASETS))
    parser.add_argument("--strategy", nargs="+", choices=sorted(STRATEGIES), default=list(STRATEGIES))
    args = parser.parse_args()
    counts = [c for c in COUNTS if c <= args.queries]
    print(f"netwright {version('netwright')}, numpy {np.__version__}; seeds 0 to {args.seeds - 1}; protocol A")
    print("mean regret in points +- half of its 95 % interval, after so many queries")
    print(
        "dataset | strategy | " + " | ".join(map(str, counts)) + " | median and 95 % queries to the optimum | seconds"
    )
    space = RememberingSpace(cell_space())
    for dataset in args.dataset:
        table = read_table(args.data, dataset)
        optimum = max(table.values())
        for name in args.strategy:
            begin = time.perf_counter()
            curves = [best_so_far(STRATEGIES[name](space, s), table, args.queries, optimum) for s in range(args.seeds)]
            regret = optimum - np.array(curves)
            half = 1.96 * regret.std(axis=0, ddof=1) / np.sqrt(args.seeds)
            cells = [f"{regret[:, c - 1].mean():.3f} +- {half[c - 1]:.3f}" for c in counts]
            reached = np.where((regret <= 1e-6).any(axis=1), (regret <= 1e-6).argmax(axis=1) + 1.0, np.inf)
            seconds = time.perf_counter() - begin
            ends = [f"{np.quantile(reached, q, method='higher' if q > 0.5 else 'midpoint'):g}" for q in (0.5, 0.95)]
            print(" | ".join([dataset, name, *cells, *ends, f"{seconds:.0f}"]), flush=True)


if __name__ == "__main__":
    main()
