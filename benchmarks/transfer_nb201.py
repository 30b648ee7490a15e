"""What an earlier study of CIFAR-10 is worth on NAS-Bench-201's other two data sets, protocol A.

    python benchmarks/transfer_nb201.py --data FOLDER [--seeds 200] [--jobs 2] [--write docs/figures/transfer.md]

FOLDER holds ``nasbench201/nasbench201.npz``. For each data set: the search without an earlier study; with one by
random search, and by evolution, on CIFAR-10; and with unlike ones, of which the scores are permuted or inverted.
Printed are the mean regret in points with its 95 % interval, the queries to the optimum, where a search stops (their
mean counts those that never get there with the number of queries), and the labels that the earlier study has cost.
Seeds are 0 to ``seeds - 1``, the same for all; each has an earlier study of its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

from netwright.space import SearchSpace
from netwright.space.remembering import RememberingSpace
from netwright.strategies import BayesianOptimization, RandomSearch, RegularizedEvolution, Strategy
from netwright.strategies.transfer import Transfer
from netwright.testing import cell_space
from netwright.types import Architecture, Trial, TrialState

COUNTS = (5, 10, 20, 50, 100)
DATASETS = ("cifar100", "ImageNet16_120")
EARLIER = ("none", "random", "evolution", "permuted", "inverted")
"""Earlier studies: none, two like ones, and two unlike ones."""

OTHER_SEEDS = 100_000
"""Seeds of earlier studies begin here."""

HEAD = "| data set | earlier study | labels of it | " + " | ".join(f"@{c}" for c in COUNTS)


@lru_cache(maxsize=1)
def the_space() -> SearchSpace:
    """One for all searches of a process."""
    return RememberingSpace(cell_space())


@lru_cache(maxsize=4)
def the_table(folder: Path, dataset: str) -> dict[Architecture, float]:
    """Accuracies in %."""
    return read_table(folder, dataset)


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


def earlier_study(folder: Path, kind: str, num_trials: int, seed: int) -> list[Trial]:
    """Trials of a study of CIFAR-10; the unlike ones are random searches that are told wrong scores."""
    table = the_table(folder, "cifar10")
    make = RegularizedEvolution if kind == "evolution" else RandomSearch
    strategy = make(the_space(), seed=OTHER_SEEDS + seed)
    trials: list[Trial] = []
    for number in range(num_trials):
        (proposal,) = strategy.ask(1)
        accuracy = table[proposal.architecture] / 100
        trials.append(Trial(number, proposal, 0, TrialState.FINISHED, {"accuracy": accuracy}))
        strategy.tell(trials[-1:])
    return list(_misled(kind, trials, seed))


def _misled(kind: str, trials: list[Trial], seed: int) -> Iterator[Trial]:
    scores = np.array([trial.metrics["accuracy"] for trial in trials])
    if kind == "permuted":
        scores = np.random.default_rng(seed).permutation(scores)
    elif kind == "inverted":
        scores = -scores
    for trial, score in zip(trials, scores.tolist(), strict=True):
        yield Trial(trial.id, trial.proposal, 0, TrialState.FINISHED, {"accuracy": score})


def regrets(seed: int, folder: Path, dataset: str, kind: str, num_queries: int, num_trials: int) -> np.ndarray:
    """Regret after each query of one search, shape (num_queries,), in points."""
    table = the_table(folder, dataset)
    optimum = max(table.values())
    if kind == "none":
        return optimum - best_so_far(BayesianOptimization(the_space(), seed=seed), table, num_queries, optimum)
    earlier = [earlier_study(folder, kind, num_trials, seed)]
    return optimum - best_so_far(Transfer(the_space(), seed=seed, earlier=earlier), table, num_queries, optimum)


def row(dataset: str, kind: str, found: np.ndarray, num_trials: int) -> str:
    """A row of the table, of regrets of shape (seeds, queries)."""
    seeds, num_queries = found.shape
    half = 1.96 * found.std(axis=0, ddof=1) / np.sqrt(seeds)
    cells = [f"{found[:, c - 1].mean():.3f} ± {half[c - 1]:.3f}" if c <= num_queries else "" for c in COUNTS]
    is_there = found <= 1e-6
    reached = np.where(is_there.any(axis=1), is_there.argmax(axis=1) + 1.0, np.inf)
    capped = np.minimum(reached, num_queries)
    mean = f"{capped.mean():.1f} ± {1.96 * capped.std(ddof=1) / np.sqrt(seeds):.1f}"
    ends = [f"{np.median(reached):g}", f"{np.quantile(reached, 0.95, method='higher'):g}", mean]
    labels = "0" if kind == "none" else str(num_trials)
    return f"| {' | '.join([dataset, kind, labels, *cells, *ends])} |"


def main() -> None:
    """Run the comparison, print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--trials", type=int, default=150, help="of an earlier study")
    parser.add_argument("--dataset", nargs="+", choices=DATASETS, default=list(DATASETS))
    parser.add_argument("--earlier", nargs="+", choices=EARLIER, default=list(EARLIER))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write", type=Path, help="a Markdown file")
    args = parser.parse_args()
    head = f"{HEAD} | queries to the optimum: median | 95 % | mean |"
    lines = [head, "|" + "---|" * (head.count("|") - 1)]
    print(*lines, sep="\n", flush=True)
    with ProcessPoolExecutor(args.jobs) as pool:
        for dataset in args.dataset:
            for kind in args.earlier:
                search = partial(
                    regrets,
                    folder=args.data,
                    dataset=dataset,
                    kind=kind,
                    num_queries=args.queries,
                    num_trials=args.trials,
                )
                lines.append(row(dataset, kind, np.array(list(pool.map(search, range(args.seeds)))), args.trials))
                print(lines[-1], flush=True)
    versions = f"netwright {version('netwright')}, numpy {np.__version__}; seeds 0 to {args.seeds - 1}; protocol A"
    print(versions)
    if args.write:
        text = TEXT.format(versions=versions, seeds=args.seeds)
        args.write.write_text("\n".join(["# Transfer", "", text, "", *lines, ""]), encoding="utf-8")


TEXT = """Mean regret in points after so many queries, with its 95 % interval, and queries to the optimum, on
NAS-Bench-201 ({versions}; `python benchmarks/transfer_nb201.py --data DATA --seeds {seeds} --write
docs/figures/transfer.md`). The labels of the earlier study, all of CIFAR-10, are queries that were paid for before, and
are not among those counted. `permuted` and `inverted` are random searches that were told wrong scores: studies of a
task unlike the present one."""


if __name__ == "__main__":
    main()
