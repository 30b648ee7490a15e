"""Does the ladder reach the accuracy of plain evolution in a third of the time?

For each data set and seed, one after the other on the same machine: plain evolution with the whole budget, and the
default search (the ladder) with a third of it, with ``--arms`` also with the whole; loading, scoring by proxies, final
training, export and check included. Plain evolution is ``--strategy evolution --ladder full``: no proxies, no
predictor, no halving, every network trained as long as the longest training of the search. With ``--max-epochs`` that
is the same length for all: what is delivered was trained for so many epochs in each search, and time buys nothing but
networks to choose from. Without it time also buys longer trainings, and more of it gives a better network whatever
the search does. ``--baseline halving`` compares with evolution in successive halving (``--ladder none``) instead.

Prints, with 95 % intervals over the seeds (Student's t):
* the test accuracy and the best validation accuracy of each search, and how much better the ladder is;
* the best validation accuracy so far (of any trained network, which is one that could be delivered) over time;
* the time until the ladder with the whole budget has the best validation accuracy that evolution came to, as a share
  of the time evolution took: the geometric mean, its interval, and in how many seeds the ladder got there at all. A
  seed in which it did not counts with its whole budget, so that the ratio is then a lower bound.

With ``--macs`` networks are small, so that a few minutes of two cores are enough for many of them.

    python benchmarks/ladder_and_evolution.py --macs 2M --budget 6m --max-epochs 0.5 --json ladder.json
    python benchmarks/ladder_and_evolution.py --data digits --budget 60s --seeds 0 --json smoke.json  # a smoke test
    python benchmarks/ladder_and_evolution.py --task tabular-classification --data TABLES/phoneme.csv.gz --budget 3m \
        --max-epochs 20

Classification of any kind: what is compared is accuracy. ``--evolution JSON`` takes plain evolution from an earlier run
with the same options instead of searching again, for a look at another version of the ladder; its version is told.

Fashion-MNIST: Debian package dataset-fashion-mnist.
One run takes seeds x data sets x 1.33 x budget (all arms: 2.33).
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from own_process import in_own_process
from scipy.stats import t as student

from netwright.types import Budget

FASHION = "/usr/share/datasets/fashion-mnist"
BASELINES = {"full": "full", "halving": "none"}
ARMS = ("evolution", "ladder", "third")
MARKS = (0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
"""Shares of the budget at which the best so far is told."""

SEARCH = """
import json, sys, time
begin_s = time.monotonic()
import netwright as nw
options = json.loads(sys.argv[1])
seen = []
def listen(status):
    if status.trial is not None and "accuracy" in status.trial.metrics:
        seen.append([time.monotonic() - begin_s, status.trial.metrics["accuracy"], status.trial.fidelity.epochs])
result = nw.search(**options, listener=listen)
card = result.card["metrics"]
print(json.dumps({
    "test_accuracy": card["test_accuracy"], "validation": seen, "wall_s": time.monotonic() - begin_s,
    "trials": result.num_trials, "origin": result.best.proposal.origin, "params": card["params"],
    "rungs": [str(rung) for rung in result.rungs], "verified": result.verified,
}))
"""

Row = dict[str, Any]


def search(data: str, budget_s: float, seed: int, folder: Path, arm: Mapping[str, Any]) -> Row:
    """Run a search in a process of its own, and return what it found and when."""
    options = {
        "data": data,
        "budget": f"{budget_s:g}s",
        "seed": seed,
        "out": str(folder),
        **arm,
    }
    return in_own_process(SEARCH, options)[0]


def best_until(row: Row, time_s: float) -> float:
    """Best validation accuracy of what had been trained by a time; NaN before there was anything."""
    return max((accuracy for end_s, accuracy, _ in row["validation"] if end_s <= time_s), default=math.nan)


def time_to(row: Row, accuracy: float) -> float | None:
    """Seconds until a validation accuracy was reached; None where it never was."""
    return next((end_s for end_s, found, _ in row["validation"] if found >= accuracy), None)


def interval(values: Sequence[float], form: str = "+.4f") -> str:
    """Mean and 95 % interval (Student's t)."""
    if len(values) < 2:
        return f"{mean(values):{form}} (one seed: no interval)"
    return f"{mean(values):{form}} +- {_half(values):{form.lstrip('+')}}"


def _half(values: Sequence[float]) -> float:
    return float(student.ppf(0.975, len(values) - 1)) * stdev(values) / math.sqrt(len(values))


def ratio_line(rows: Sequence[Row], budget_s: float) -> str:
    """How the ladder's time to evolution's best compares with evolution's."""
    logs, reached = [], 0
    for row in rows:
        target = best_until(row["evolution"], math.inf)
        took_s = time_to(row["evolution"], target)
        ladder_s = time_to(row["ladder"], target)
        reached += ladder_s is not None
        logs.append(math.log((ladder_s or budget_s) / (took_s or budget_s)))
    middle = math.exp(mean(logs))
    ends = ""
    if len(logs) > 1:
        half = _half(logs)
        ends = f" (95 %: {math.exp(mean(logs) - half):.2f} to {math.exp(mean(logs) + half):.2f})"
    return f"time to evolution's best validation accuracy: x {middle:.2f}{ends}; reached in {reached} of {len(rows)}"


def tell(name: str, rows: Sequence[Row], budget_s: float) -> None:
    """Print what all seeds of a data set say."""
    arms = [arm for arm in ARMS if arm in rows[0]]
    print(f"\n{name}: {len(rows)} seeds, budget {budget_s:g} s")
    for arm in arms:
        found = interval([row[arm]["test_accuracy"] for row in rows], ".4f")
        best = interval([best_until(row[arm], math.inf) for row in rows], ".4f")
        print(f"  {arm:9} test accuracy {found}; best validation accuracy {best}")
    for arm, words in (("ladder", "in the same time"), ("third", "in a third of the time")):
        if arm in arms and "evolution" in arms:
            gains = [row[arm]["test_accuracy"] - row["evolution"]["test_accuracy"] for row in rows]
            better = [best_until(row[arm], math.inf) - best_until(row["evolution"], math.inf) for row in rows]
            print(f"  ladder minus evolution, {words}: test {interval(gains)}; validation {interval(better)}")
    print("  best validation accuracy so far, mean and 95 % interval:")
    for mark in MARKS:
        cells = []
        for arm in arms:
            known = [best for row in rows if not math.isnan(best := best_until(row[arm], mark * budget_s))]
            cells.append(f"{arm} {interval(known, '.4f') if len(known) == len(rows) else 'nothing yet in some'}")
        print(f"    {mark * budget_s:7.0f} s  {';  '.join(cells)}")
    if {"ladder", "evolution"} <= set(arms):
        print(f"  {ratio_line(rows, budget_s)}")


def earlier(path: Path, given: argparse.Namespace, budget_s: float) -> dict[tuple[str, int], Row]:
    """What plain evolution came to in an earlier run, by data set and seed."""
    kept = json.loads(path.read_text())
    wanted = {"budget_s": budget_s, "baseline": given.baseline, "macs": given.macs, "max_epochs": given.max_epochs}
    wanted["task"] = given.task
    if {name: kept.get(name) for name in wanted} != wanted:
        raise SystemExit(f"{path} was made with other options than {wanted}")
    print(f"evolution: as it was measured with {kept['versions']} in {path.name}", flush=True)
    return {(data, row["seed"]): row["evolution"] for data, rows in kept["rows"].items() for row in rows}


def run_seed(
    data: str, budget_s: float, seed: int, given: argparse.Namespace, known: Mapping[tuple[str, int], Row]
) -> Row:
    """All searches of a seed."""
    shared: dict[str, Any] = {} if given.max_epochs is None else {"max_epochs": given.max_epochs}
    shared |= {} if given.macs is None else {"constraints": [f"macs<={given.macs}"]}
    shared |= {"task": given.task, "workers": given.workers}
    plain = {"strategy": "evolution", "ladder": BASELINES[given.baseline], **shared}
    arms = (("evolution", plain, budget_s), ("ladder", shared, budget_s), ("third", shared, budget_s / 3))
    row: Row = {"seed": seed}
    for arm, options, time_s in arms:
        if arm not in given.arms:
            continue
        if arm == "evolution" and (data, seed) in known:
            row[arm] = known[data, seed]
            continue
        folder = given.runs / f"ladder-{Path(data).name}-{arm}-{seed}-{int(time.time())}"
        row[arm] = found = search(data, time_s, seed, folder, options)
        print(
            f"seed {seed} {arm:9} test {found['test_accuracy']:.4f}  validation {best_until(found, math.inf):.4f}  "
            f"{found['wall_s']:.0f} s of {time_s:.0f}  {found['trials']} trials, best by {found['origin'] or '-'}",
            flush=True,
        )
        for rung in found["rungs"]:
            print(f"    {rung}", flush=True)
    return row


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=[FASHION, "digits"])
    parser.add_argument("--task", default="image-classification", help="one that is scored by accuracy")
    parser.add_argument("--macs", help="most multiply-accumulates of a network, such as 2M")
    parser.add_argument("--budget", default="10m", help="a time")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--baseline", choices=list(BASELINES), default="full")
    parser.add_argument("--max-epochs", type=float, help="of the full training, the same in all searches")
    parser.add_argument(
        "--arms", nargs="+", choices=ARMS, default=["evolution", "third"], help="without evolution nothing is compared"
    )
    parser.add_argument("--evolution", type=Path, help="JSON of an earlier run, to take evolution from")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    budget_s = Budget.parse(given.budget).time_s
    if budget_s is None:
        parser.error("--budget must be a time, such as 10m")
    versions = {name: version(name) for name in ("netwright", "torch")}
    print(
        f"{versions}, python {platform.python_version()}, {platform.machine()}, baseline {given.baseline}, "
        f"full training {given.max_epochs or 'as long as there is time'}, macs <= {given.macs or 'any'}",
        flush=True,
    )
    known = {} if given.evolution is None else earlier(given.evolution, given, budget_s)
    found: dict[str, list[Row]] = {}
    for data in given.data:
        rows = found.setdefault(data, [])
        for seed in given.seeds:
            rows.append(run_seed(data, budget_s, seed, given, known))
            if given.json:
                kept = {"versions": versions, "budget_s": budget_s, "baseline": given.baseline}
                kept |= {"task": given.task, "max_epochs": given.max_epochs, "macs": given.macs, "rows": found}
                given.json.write_text(json.dumps(kept, indent=1))
        tell(data, rows, budget_s)


if __name__ == "__main__":
    main()
