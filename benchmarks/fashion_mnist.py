"""Is ten minutes of search worth more than ten minutes of training a good hand-made network?

For each seed, one after the other on the same machine: a search within the budget (loading, searching, final training,
export and check included), then every reference network trained alone for the whole budget with the same recipe, the
same data and the same number of processes. Prints the test accuracy of each, the differences with their 95 % interval
over the seeds, and writes it all as JSON.

    python benchmarks/fashion_mnist.py --data /usr/share/datasets/fashion-mnist --seeds 0 1 2 --json result.json

Fashion-MNIST: Debian package dataset-fashion-mnist. One run takes seeds x (1 + references) x budget.
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
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scipy.stats import t as student

REFERENCE = """
import json, sys, time
began_s = time.monotonic()
from pathlib import Path
from netwright.evaluation.trainer import TrainerOptions, TrainingEvaluator
from netwright.tasks import load_task
from netwright.types import Budget, Fidelity
data, name, budget, seed, workers, folder = sys.argv[1:]
task = load_task("image-classification", data, seed=int(seed))
space = task.default_space()
arch = next(r.architecture for r in task.references() if r.name == name)
options = TrainerOptions(deadline_s=began_s + Budget.parse(budget).time_s - 2.0, processes=int(workers))
evaluator = TrainingEvaluator(task, space, work_dir=Path(folder), options=options)
evaluator.prepare()
fidelity = Fidelity(epochs=60.0)
metrics = dict(evaluator(arch, fidelity=fidelity, seed=int(seed)))
from netwright.study.delivery import accuracy_of
term = task.network(space, arch)
metrics["test_accuracy"] = accuracy_of(term, evaluator.weights_path(arch, fidelity, int(seed)), task)
metrics["wall_s"] = time.monotonic() - began_s
print(json.dumps(metrics))
"""


def search(data: str, budget: str, seed: int, workers: int, folder: Path) -> dict[str, object]:
    """Run a search as a person would, and return its card's metrics and comparison."""
    began_s = time.monotonic()
    command = [sys.executable, "-m", "netwright", "search", "--task", "image-classification", "--data", data]
    command += ["--budget", budget, "--workers", str(workers), "--seed", str(seed), "--out", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the search failed: {done.stderr[-2000:]}")
    result = json.loads(done.stdout.splitlines()[-1])
    wall_s = time.monotonic() - began_s
    result = result.get("result", result)
    return {
        **result["card"]["metrics"],
        "wall_s": wall_s,
        "trials": result["trials"],
        "verified": result["verified"],
        "architecture": result["card"]["architecture"],
        "origin": result["best"]["origin"],
    }


def reference(data: str, name: str, budget: str, seed: int, workers: int) -> dict[str, float]:
    """Train a reference network alone for the whole budget."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", REFERENCE, data, name, budget, str(seed), str(workers), folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"training {name} failed: {done.stderr[-2000:]}")
    metrics: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return metrics


def show(seed: int, name: str, found: Mapping[str, Any]) -> None:
    """Print one result."""
    trials = f"{found['trials']} trials  " if "trials" in found else ""
    print(
        f"seed {seed} {name:9} test {found['test_accuracy']:.4f}  {found['wall_s']:.0f} s  {trials}"
        f"params {found['params']:.0f}  epochs {found['epochs']:.1f}",
        flush=True,
    )


def interval(values: list[float]) -> str:
    """Mean and 95 % interval (Student's t)."""
    if len(values) < 2:
        return f"{mean(values):+.4f} (one seed: no interval)"
    half = float(student.ppf(0.975, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    return f"{mean(values):+.4f} +- {half:.4f}"


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--budget", default="10m")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--references", nargs="*", default=["resnet", "mobilenet", "cnn"])
    parser.add_argument("--references-only", action="store_true", help="no search, no differences")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows: list[dict[str, object]] = []
    versions = {name: version(name) for name in ("netwright", "torch")}
    print(f"{versions}, python {platform.python_version()}, {platform.machine()}, budget {given.budget}", flush=True)
    for seed in given.seeds:
        row: dict[str, object] = {"seed": seed}
        if not given.references_only:
            folder = given.runs / f"fashion-{given.budget}-{seed}-{int(time.time())}"
            row["search"] = found = search(given.data, given.budget, seed, given.workers, folder)
            show(seed, "search", found)
        for name in given.references:
            row[name] = trained = reference(given.data, name, given.budget, seed, given.workers)
            show(seed, name, trained)
        rows.append(row)
        if given.json:
            given.json.write_text(json.dumps({"versions": versions, "budget": given.budget, "rows": rows}, indent=1))
    if given.references_only:
        return
    for name in given.references:
        gains = [r["search"]["test_accuracy"] - r[name]["test_accuracy"] for r in rows]  # type: ignore[index]
        print(f"search minus {name}: {interval(gains)} over {len(rows)} seeds")


if __name__ == "__main__":
    main()
