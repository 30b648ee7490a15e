"""The point of a supernet: one training, then a front of networks over latency, beside independent trainings.

For each seed, one after the other on the same machine and with the same budget: a search after accuracy and latency on
shared weights (``evaluator supernet``: training, search, finalists and export included), and the default search, which
trains each network by itself. Each gives a front over the latency that it measured itself, with the accuracy on the
validation images of the weights that it would deliver. For each network of the supernet's front the best network of
the other front that is no slower (by more than ``--slack``, since latencies are measured anew) is its counterpart.

Prints both fronts, and of how many of the supernet's networks the accuracy is at least that of the counterpart; then,
with ``--test``, the same on the test images for the ends and the middle of the front.

Searches that ``--json`` holds are not run again, so that seeds and arms can be run apart (``--arms independent``).

    python benchmarks/supernet_front.py --budget 30m --seeds 0 1 2 --json front.json
    python benchmarks/supernet_front.py --data digits --budget 90s --seeds 0  # a smoke test

Needs an idle machine; takes seeds x 2 x budget. Fashion-MNIST: Debian package dataset-fashion-mnist.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from own_process import in_own_process

from netwright.search import export

FASHION = "/usr/share/datasets/fashion-mnist"
ARMS: Mapping[str, Mapping[str, Any]] = {"supernet": {"evaluator": "supernet"}, "independent": {}}

SEARCH = """
import json, sys, time
begin_s = time.monotonic()
import netwright as nw
result = nw.search(**json.loads(sys.argv[1]))
print(json.dumps({
    "wall_s": time.monotonic() - begin_s, "trials": result.num_trials, "rungs": [str(rung) for rung in result.rungs],
    "front": [
        {"trial": t.id, "latency_ms": t.metrics["latency_ms"], "accuracy": t.metrics["accuracy"],
         "epochs": t.metrics.get("epochs"), "origin": t.proposal.origin}
        for t in result.front
    ],
}))
"""

Row = dict[str, Any]


def search(arm: str, seed: int, given: argparse.Namespace) -> Row:
    """Run a search in a process of its own; its front, the fastest first."""
    folder = given.runs / f"front-{Path(given.data).name}-{arm}-{seed}-{int(time.time())}"
    options = {
        "task": "image-classification",
        "data": given.data,
        "budget": given.budget,
        "seed": seed,
        "workers": given.workers,
        "objectives": ["accuracy", "latency_ms"],
        "out": str(folder),
        **ARMS[arm],
    }
    found, _ = in_own_process(SEARCH, options)
    found["run"] = str(folder)
    found["front"].sort(key=lambda point: point["latency_ms"])
    return found


def counterpart(point: Row, others: Sequence[Row], slack: float) -> Row | None:
    """The best of the others that is no slower; None where all are."""
    fast = [other for other in others if other["latency_ms"] <= point["latency_ms"] * (1 + slack)]
    return max(fast, key=lambda other: float(other["accuracy"]), default=None)


def compare(shared: Row, independent: Row, given: argparse.Namespace) -> None:
    """Print each network of the supernet's front beside its counterpart, and how many are at least as good."""
    as_good = alone = 0
    for point in shared["front"]:
        other = counterpart(point, independent["front"], given.slack)
        told = "none is as fast" if other is None else f"{other['accuracy']:.4f} at {other['latency_ms']:.3f} ms"
        alone += other is None
        as_good += other is None or point["accuracy"] >= other["accuracy"]
        trained = "shared weights" if not point["epochs"] else f"{point['epochs']:.3g} epochs"
        print(f"    {point['latency_ms']:8.3f} ms  {point['accuracy']:.4f} ({trained});  independent: {told}")
    num = len(shared["front"])
    print(f"  {as_good} of {num} at least as good ({alone} faster than all independent ones)", flush=True)


def test_accuracies(shared: Row, independent: Row, given: argparse.Namespace) -> None:
    """Print what the ends and the middle of the supernet's front, and their counterparts, have on the test images."""
    front = shared["front"]
    for number in sorted({0, len(front) // 2, len(front) - 1}) if front else ():
        other = counterpart(front[number], independent["front"], given.slack)
        row = {"latency_ms": front[number]["latency_ms"]}
        for arm, run, point in (("supernet", shared, front[number]), ("independent", independent, other)):
            if point is not None:
                with tempfile.TemporaryDirectory() as folder:
                    written = export(Path(run["run"]), point["trial"], Path(folder) / "out")
                    card = json.loads((written / "card.json").read_text(encoding="utf-8"))
                row[arm] = card["metrics"]["test_accuracy"]
        print(f"  on the test images: {row}", flush=True)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=FASHION)
    parser.add_argument("--budget", default="30m")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", choices=tuple(ARMS), default=list(ARMS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--slack", type=float, default=0.05, help="how much slower a counterpart may be")
    parser.add_argument("--test", action="store_true", help="also on the test images")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    versions = {name: version(name) for name in ("netwright", "torch")}
    print(f"{versions}, python {platform.python_version()}, {platform.machine()}, budget {given.budget}", flush=True)
    known: dict[str, Row] = {}
    if given.json and given.json.is_file():
        known = json.loads(given.json.read_text(encoding="utf-8"))
    for seed in given.seeds:
        name = f"{given.budget} {seed}"
        for arm in given.arms:
            if arm not in known.get(name, {}):
                known[name] = {**known.get(name, {}), arm: search(arm, seed, given)}
                if given.json:
                    given.json.write_text(json.dumps(known, indent=1), encoding="utf-8")
        found = known[name]
        for arm, row in found.items():
            best = max((point["accuracy"] for point in row["front"]), default=float("nan"))
            told = f"{row['trials']} trials, front of {len(row['front'])}, best {best:.4f}, {row['wall_s']:.0f} s"
            print(f"seed {seed} {arm:11} {told}", *row["rungs"], sep="\n    ", flush=True)
        if {*ARMS} <= {*found}:
            compare(found["supernet"], found["independent"], given)
            if given.test:
                test_accuracies(found["supernet"], found["independent"], given)


if __name__ == "__main__":
    main()
