"""Learning curves: how well their ends are told from their beginnings, and what stopping early saves and loses.

    python benchmarks/learning_curves.py --data FOLDER [--seeds 50] [--sample 100] [--finished 10 30] [--trials 50]
        [--metric accuracy] [--jobs 1] [--write docs/figures/learning_curves.md]

FOLDER holds ``spikenas_curves/spikenas_cifar10.npz``: curves of 100 epochs of spiking networks on CIFAR-10. Those 690
that were trained for 200 epochs are left out, and so are 1,500 on which priors were chosen. For each seed curves are
drawn; their ends are told after 5, 10, 20 and 40 epochs by

    last       the last score (the baseline)
    alone      the parametric ensemble from the curve alone
    together   the same, from the beginnings of all curves of the draw
    study N    a model that also knows N whole curves

In the stopping experiment trials are trained one after another in random order, and judged every 5 epochs by the
default rule; what is stopped is never finished. ``median`` stops what is below the median of the others' running means
at the same epoch (from 5 trials on). Prints means over seeds with 95 % intervals; the best counts as lost where
nothing as good as the best of the trials was finished (Wilson interval).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from scipy.stats import binomtest, spearmanr, t

from netwright.predictors.curves import (
    Curve,
    Direction,
    Forecast,
    StudyCurves,
    extrapolate,
    extrapolate_together,
    judge,
)

HORIZON = 100
CUTS = (5, 10, 20, 40)
CHECKS = range(5, HORIZON, 5)
NUM_CHOSEN_ON = 1500
COLUMNS = ("Spearman, final", "Spearman, test", "mean absolute error", "in 90 % intervals", "width", "ms a curve")
RULES = ("study", "alone", "median")
PUBLISHED = """## Published, on other data

- Domhan et al. 2015 (parametric families, Markov chain Monte Carlo): optimisation about twice as fast with a rule that
  stops below a probability of 0.05.
- Baker et al. 2017 (regression on partial curves): up to six times as fast.
- Adriaensen et al. 2023 (LC-PFN, a transformer): over 10,000 times faster than that Markov chain; stopping two to six
  times as fast on 45 of 53 data sets.
- Rakotoarison et al. 2024 (ifBO): predictions 10 to 100 times faster than those of a deep Gaussian process or of an
  ensemble, and more accurate.
"""


@dataclass(frozen=True)
class Curves:
    """Whole curves of shape (n, 100), the metric's direction, and test accuracies of shape (n,)."""

    scores: np.ndarray
    direction: Direction
    test: np.ndarray

    @property
    def sign(self) -> float:
        """1 where more is better."""
        return 1.0 if self.direction == "max" else -1.0


def read(data: Path, metric: str) -> Curves:
    """Curves that nothing was chosen on."""
    arrays = np.load(data / "spikenas_curves" / "spikenas_cifar10.npz")
    order = np.random.default_rng(7).permutation(len(arrays["n_epochs"]))[NUM_CHOSEN_ON:]
    rows = np.sort(order[arrays["n_epochs"][order] == HORIZON])
    test = arrays["test_acc"][rows] / 100
    if metric == "accuracy":
        return Curves(arrays["val_acc_x250"][rows] / 25_000, "max", test)
    return Curves(arrays["val_loss_x1000"][rows] / 1000, "min", test)


def tell(method: str, beginnings: Sequence[Curve], whole: Sequence[Curve], direction: Direction) -> list[Forecast]:
    """The ends of curves."""
    if method == "last":
        return [Forecast.certain(curve.scores[-1]) for curve in beginnings]
    if method == "alone":
        return [extrapolate(curve, HORIZON, direction) for curve in beginnings]
    if method == "together":
        return extrapolate_together(beginnings, HORIZON, direction)
    study = StudyCurves(whole, HORIZON, direction)
    return [study.forecast(curve) for curve in beginnings]


def extrapolated(curves: Curves, methods: Sequence[str], sample: int, seed: int) -> np.ndarray:
    """Of each method and cut the `COLUMNS`, shape (methods, cuts, columns)."""
    drawn = np.random.default_rng(seed).permutation(len(curves.scores))
    asked = drawn[:sample]
    ends, found = curves.scores[asked, -1], []
    for method in methods:
        count = int(method.split()[1]) if method.startswith("study") else 0
        whole = [Curve.of(scores) for scores in curves.scores[drawn[sample : sample + count]]]
        for cut in CUTS:
            beginnings = [Curve.of(scores) for scores in curves.scores[asked, :cut]]
            began_s = time.process_time()
            forecasts = tell(method, beginnings, whole, curves.direction)
            took_ms = 1e3 * (time.process_time() - began_s) / sample
            medians = np.array([forecast.median for forecast in forecasts])
            low, high = np.array([forecast.interval(0.9) for forecast in forecasts]).T
            ranks = spearmanr(medians, ends).statistic, curves.sign * spearmanr(medians, curves.test[asked]).statistic
            inside = np.mean((low <= ends) & (ends <= high)) if method != "last" else np.nan
            width = np.median(high - low) if method != "last" else np.nan
            found.append((*ranks, np.abs(medians - ends).mean(), inside, width, took_ms))
    return np.array(found).reshape(len(methods), len(CUTS), len(COLUMNS))


def median_says_stop(curve: Curve, others: Sequence[Curve], sign: float) -> bool:
    """The median stopping rule: its best so far is worse than the median of the others' means up to here."""
    length = len(curve.scores)
    means = [np.mean(other.scores[:length]) for other in others if len(other.scores) >= length]
    return len(means) >= 5 and max(sign * s for s in curve.scores) < np.median(sign * np.array(means))


def stopped(rule: str, whole: Curve, others: Sequence[Curve], best: float | None, direction: Direction) -> Curve:
    """A curve as far as it is trained under a rule."""
    study = StudyCurves(others, HORIZON, direction)
    forecaster = study.forecast if rule == "study" else partial(extrapolate, horizon=HORIZON, direction=direction)
    for epoch in CHECKS:
        seen = whole.until(epoch)
        if rule == "median":
            stop = median_says_stop(seen, others, 1.0 if direction == "max" else -1.0)
        else:
            stop = judge(seen, best, direction, forecaster).stop
        if stop:
            return seen
    return whole


def simulated(curves: Curves, num_trials: int, seed: int) -> np.ndarray:
    """Share of the epochs saved, whether the best was lost, and by how much; shape (rules, 3)."""
    drawn = np.random.default_rng([seed, 1]).permutation(len(curves.scores))[:num_trials]
    ends, found = curves.sign * curves.scores[drawn, -1], []
    for rule in RULES:
        known: list[Curve] = []
        best: float | None = None
        for row in drawn:
            trained = stopped(rule, Curve.of(curves.scores[row]), known, best, curves.direction)
            known.append(trained)
            if trained.length == HORIZON:
                last = trained.scores[-1]
                best = last if best is None or curves.sign * last > curves.sign * best else best
        saved = 1 - sum(curve.length for curve in known) / (HORIZON * num_trials)
        missed = ends.max() - (curves.sign * best if best is not None else ends.min())
        found.append((saved, float(missed > 0), missed))
    return np.array(found)


def with_interval(values: np.ndarray, digits: int = 3) -> str:
    """Mean and half of its 95 % interval."""
    if np.isnan(values).any():
        return "-"
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{values.mean():.{digits}f} +- {half:.{digits}f}"


def extrapolation_table(results: np.ndarray, methods: Sequence[str]) -> list[str]:
    """Markdown of results of shape (seeds, methods, cuts, columns)."""
    lines = ["| epochs seen | by | " + " | ".join(COLUMNS) + " |", "|---" * (2 + len(COLUMNS)) + "|"]
    for place, cut in enumerate(CUTS):
        for number, method in enumerate(methods):
            columns = results[:, number, place].T
            digits = (3, 3, 4, 3, 3, 1)
            cells = [with_interval(values, d) for values, d in zip(columns, digits, strict=True)]
            lines.append(f"| {cut} | {method} | " + " | ".join(cells) + " |")
    return lines


def stopping_table(results: np.ndarray) -> list[str]:
    """Markdown of results of shape (seeds, rules, 3)."""
    lines = ["| rule | epochs saved | best lost (95 %) | lost by, mean |", "|---|---|---|---|"]
    for number, rule in enumerate(RULES):
        saved, lost, missed = results[:, number].T
        low, high = binomtest(int(lost.sum()), len(lost)).proportion_ci(method="wilson")
        share = f"{lost.mean():.2f} ({low:.2f} to {high:.2f})"
        lines.append(f"| {rule} | {with_interval(saved)} | {share} | {with_interval(missed, 5)} |")
    return lines


def over_seeds(measure: Callable[[int], np.ndarray], seeds: int, jobs: int) -> np.ndarray:
    """Results of all seeds, stacked."""
    if jobs == 1:
        return np.stack([measure(seed) for seed in range(seeds)])
    with ProcessPoolExecutor(jobs, get_context("fork")) as workers:
        return np.stack(list(workers.map(measure, range(seeds))))


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--sample", type=int, default=100, help="curves whose ends are told, for each seed")
    parser.add_argument("--finished", type=int, nargs="+", default=[10, 30], help="whole curves that a study knows")
    parser.add_argument("--trials", type=int, default=50, help="of a stopping experiment")
    parser.add_argument("--metric", choices=("accuracy", "loss"), nargs="+", default=["accuracy", "loss"])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write", type=Path, help="markdown file for the tables")
    args = parser.parse_args()
    methods = ["last", "alone", "together", *(f"study {count}" for count in args.finished)]
    versions = ", ".join(f"{name} {version(name)}" for name in ("netwright", "numpy", "scipy"))
    options = f"--seeds {args.seeds} --sample {args.sample} --trials {args.trials}"
    lines = ["# Learning curves (SpikeNAS-Bench, 100 epochs)", ""]
    lines += [f"{versions}; seeds 0 to {args.seeds - 1}; +- 95 % interval.", ""]
    lines += [f"    python benchmarks/learning_curves.py --data FOLDER {options}", ""]
    print("\n".join(lines))
    for metric in args.metric:
        curves = read(args.data, metric)
        told = over_seeds(partial(extrapolated, curves, methods, args.sample), args.seeds, args.jobs)
        part = [
            f"## Validation {metric}",
            "",
            "Ends told from beginnings:",
            "",
            *extrapolation_table(told, methods),
            "",
        ]
        print("\n".join(part), flush=True)
        saved = over_seeds(partial(simulated, curves, args.trials), args.seeds, args.jobs)
        stopping = [f"{args.trials} trials, stopped early:", "", *stopping_table(saved), ""]
        print("\n".join(stopping), flush=True)
        lines += part + stopping
    lines.append(PUBLISHED)
    if args.write:
        args.write.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
