"""Does evolution whose children begin with their parents' weights reach the accuracy of evolution in half the time?

For each seed, regularized evolution in the default space three times, with the same seconds: every network from
nothing (``nothing``), every child from its parent's weights (``inherit``, as `netwright search --inherit`), and from
nothing with longer trainings, and so fewer of them (``longer``): what a line of short trainings comes to, one training
might come to as well. Hand-made references and the portfolio come first in all. The arms of a seed have the same
strategy, seeds and data; trials run one after the other, in a process of their own for each arm.

Prints, with 95 % intervals over the seeds (Student's t):
* the best validation accuracy so far (of a network that could be delivered) over the summed seconds of the trials:
  inheriting, training, scoring. They are seconds of the process's own clock (one thread), so that other work on the
  machine counts little;
* the seconds until the arm that inherits has the best accuracy that another came to, as a share of the seconds that
  the other took for it: the geometric mean, its interval, and in how many seeds it got there. A seed in which it did
  not counts with all its seconds, so that the ratio is then a lower bound;
* how much was inherited, and how many children computed at first what their parents did;
* with ``--retrain`` some of the arm that inherits, from its best to its worst, trained from nothing, and the rank
  correlation (Kendall's tau, 90 % interval) of the two orders: whether inheritance misled the search.

    python benchmarks/inheritance_fashion_mnist.py --json inheritance.json
    python benchmarks/inheritance_fashion_mnist.py --data digits --seconds 10 --seeds 0 --json smoke.json  # smoke test

Fashion-MNIST: Debian package dataset-fashion-mnist. One run takes 3 x seeds x seconds, divided by ``--processes``, and
about a third more for retraining.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scipy.stats import t as student

FASHION = "/usr/share/datasets/fashion-mnist"
ARMS = ("nothing", "inherit", "longer")
MARKS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
"""Shares of the seconds at which the best so far is told."""

Row = dict[str, Any]


def run_arm(arm: str, seed: int, args: argparse.Namespace, folder: Path) -> list[Row]:
    """Evolve, and say of each trial what came of it; of the last ones (origin ``retrained``) from nothing."""
    from netwright import ImageClassification
    from netwright.errors import ConstraintViolation
    from netwright.evaluation.inheriting import InheritingEvaluator
    from netwright.evaluation.trainer import TrainingEvaluator
    from netwright.strategies.evolution import RegularizedEvolution
    from netwright.study.inheriting import epochs_behind, parent_of
    from netwright.study.seeds import trial_seed
    from netwright.study.setup import first_proposals
    from netwright.types import Constraint, Fidelity, Objective, Trial, TrialState, best_first

    task = ImageClassification.load(args.data)
    space, limits = task.default_space(), (Constraint.parse(f"macs<={args.macs}"),)
    kind = InheritingEvaluator if arm == "inherit" else TrainingEvaluator
    evaluator = kind(task, space, work_dir=folder, constraints=limits)
    evaluator.prepare()
    strategy = RegularizedEvolution(
        space,
        seed=seed,
        constraints=limits,
        initial=first_proposals(task, space),
        population=args.population,
        tournament=max(1, args.population // 2),
    )
    trials: dict[int, Trial] = {}
    seeds: dict[int, int] = {}
    rows: list[Row] = []
    spent_s = 0.0
    fidelity = Fidelity(args.longer if arm == "longer" else args.epochs)
    while spent_s < args.seconds:
        (proposal,) = strategy.ask(1)
        number = len(trials)
        seeds[number] = trial_seed(seed, number, proposal, seeds)
        parent = parent_of(proposal, trials) if arm == "inherit" else None
        begin_s = time.process_time()
        try:
            given = {} if parent is None else {"parent": parent}
            metrics = evaluator(proposal.architecture, fidelity=fidelity, seed=seeds[number], **given)
            state = TrialState.FINISHED
        except ConstraintViolation as broken:
            metrics, state = broken.metrics, TrialState.INFEASIBLE
        asked = type(proposal)(proposal.architecture, fidelity, proposal.parents, proposal.origin)
        trials[number] = Trial(number, asked, seeds[number], state, metrics)
        strategy.tell([trials[number]])
        if state is TrialState.FINISHED:
            spent_s += time.process_time() - begin_s
            rows.append({"spent_s": spent_s, "origin": proposal.origin, **metrics})
    if arm == "inherit" and args.retrain:
        plain = TrainingEvaluator(task, space, work_dir=folder, constraints=limits)
        ranked = best_first(trials.values(), Objective("accuracy", "max"))
        lines = [t for t in ranked if t.metrics.get("inherited_share", 0) > 0]
        for number, trial in enumerate(lines[:: max(1, len(lines) // args.retrain)][: args.retrain]):
            longer = Fidelity(min(args.retrain_epochs, epochs_behind(trial)))
            found = plain(trial.architecture, fidelity=longer, seed=seed * 1000 + number)
            rows.append({"origin": "retrained", "inherited_accuracy": trial.metrics["accuracy"], **found})
    return rows


def best_until(rows: Sequence[Row], time_s: float) -> float:
    """Best accuracy within so many seconds of training; NaN before there was any."""
    return max((row["accuracy"] for row in rows if row.get("spent_s", math.inf) <= time_s), default=math.nan)


def time_to(rows: Sequence[Row], accuracy: float) -> float | None:
    """Seconds of training until an accuracy was reached; None where it never was."""
    return next((row["spent_s"] for row in rows if "spent_s" in row and row["accuracy"] >= accuracy), None)


def interval(values: Sequence[float], form: str = "+.4f") -> str:
    """Mean and 95 % interval (Student's t)."""
    if len(values) < 2:
        return f"{mean(values):{form}} (one seed: no interval)"
    half = float(student.ppf(0.975, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    return f"{mean(values):{form}} +- {half:{form.lstrip('+')}}"


def tell(seeds: Sequence[dict[str, list[Row]]], seconds: float) -> None:
    """Print what the seeds that are finished say."""
    print(f"\n{len(seeds)} seeds, {seconds:g} s of trials an arm")
    for mark in MARKS:
        found = {arm: [best_until(seed[arm], mark * seconds) for seed in seeds] for arm in ARMS}
        if not any(math.isnan(value) for values in found.values() for value in values):
            cells = "; ".join(f"{arm} {interval(values, '.4f')}" for arm, values in found.items())
            print(f"  best accuracy after {mark * seconds:6.0f} s: {cells}")
    for other in ("nothing", "longer"):
        gains = [best_until(seed["inherit"], math.inf) - best_until(seed[other], math.inf) for seed in seeds]
        print(f"  inherit minus {other}, at the end: {interval(gains)}; {ratio(seeds, other, seconds)}")
    children = [row for seed in seeds for row in seed["inherit"] if row.get("inherited_share", 0) > 0]
    if children:
        share, kept = mean(r["inherited_share"] for r in children), mean(r["inherited_function"] for r in children)
        print(f"  {len(children)} children: {share:.0%} inherited on average, the function kept in {kept:.0%}")
    for number, seed in enumerate(seeds):
        tell_fairness(number, [row for row in seed["inherit"] if row["origin"] == "retrained"])


def ratio(seeds: Sequence[dict[str, list[Row]]], other: str, seconds: float) -> str:
    """How the seconds to another arm's best compare with those that it took itself."""
    logs, reached = [], 0
    for seed in seeds:
        target = best_until(seed[other], math.inf)
        took_s, mine_s = time_to(seed[other], target), time_to(seed["inherit"], target)
        reached += mine_s is not None
        logs.append(math.log((mine_s or seconds) / (took_s or seconds)))
    ends = ""
    if len(logs) > 1:
        half = float(student.ppf(0.975, len(logs) - 1)) * stdev(logs) / math.sqrt(len(logs))
        ends = f" (95 %: {math.exp(mean(logs) - half):.2f} to {math.exp(mean(logs) + half):.2f})"
    return f"seconds to its best: x {math.exp(mean(logs)):.2f}{ends}, reached in {reached} of {len(seeds)}"


def tell_fairness(number: int, rows: Sequence[Row]) -> None:
    """Print how those trained again from nothing compare."""
    from netwright.study.rung_audit import measure_agreement
    from netwright.types import Architecture, Fidelity

    architectures = [Architecture({"n": n}) for n in range(len(rows))]
    below = {a: row["inherited_accuracy"] for a, row in zip(architectures, rows, strict=True)}
    above = {a: row["accuracy"] for a, row in zip(architectures, rows, strict=True)}
    found = measure_agreement("inheritance", Fidelity(), below, above, dict(zip(architectures, rows, strict=True)))
    if found is not None:
        print(f"  seed {number}: {found}")


def run_one(arm: str, seed: int, args: argparse.Namespace) -> list[Row]:
    """Run an arm in a process of its own, with one thread."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, *args.given, "--only", arm, "--seeds", str(seed), "--folder", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{arm}, seed {seed}, failed: {done.stderr[-2000:]}")
    rows: list[Row] = json.loads(done.stdout.splitlines()[-1])
    return rows


def main() -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=FASHION)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--seconds", type=float, default=150.0, help="of trials, in each arm")
    parser.add_argument("--epochs", type=float, default=0.15, help="of each training")
    parser.add_argument("--longer", type=float, default=0.6, help="epochs of each training of the arm of that name")
    parser.add_argument("--macs", default="1M", help="most multiply-accumulates of a network")
    parser.add_argument("--population", type=int, default=8)
    parser.add_argument("--retrain", type=int, default=5, help="networks trained again from nothing")
    parser.add_argument("--retrain-epochs", type=float, default=0.5, help="of these trainings, at most")
    parser.add_argument("--processes", type=int, default=1, help="arms at once; at most the number of cores")
    parser.add_argument("--json", type=Path, help="where the numbers go; arms that it holds are not run again")
    parser.add_argument("--only", choices=ARMS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.given = [
        a
        for name in ("data", "seconds", "epochs", "longer", "macs", "population", "retrain")
        for a in _option(args, name)
    ]
    args.given += ["--retrain-epochs", str(args.retrain_epochs)]
    if args.only:
        import torch

        torch.set_num_threads(1)
        print(json.dumps(run_arm(args.only, args.seeds[0], args, args.folder)))
        return
    print(f"netwright {version('netwright')}, torch {version('torch')}, {platform.machine()}; {' '.join(args.given)}")
    known = json.loads(args.json.read_text()) if args.json and args.json.is_file() else {}
    with ThreadPoolExecutor(args.processes) as pool:
        waiting = {
            (seed, arm): pool.submit(run_one, arm, seed, args)
            for seed in args.seeds
            for arm in ARMS
            if arm not in known.get(str(seed), {})
        }
        for seed in args.seeds:
            made = {arm: waiting[seed, arm].result() for arm in ARMS if (seed, arm) in waiting}
            known[str(seed)] = {**known.get(str(seed), {}), **made}
            if args.json:
                args.json.write_text(json.dumps(known))
            tell([known[str(s)] for s in args.seeds if {*ARMS} <= set(known.get(str(s), {}))], args.seconds)


def _option(args: argparse.Namespace, name: str) -> tuple[str, str]:
    return f"--{name}", str(getattr(args, name))


if __name__ == "__main__":
    main()
