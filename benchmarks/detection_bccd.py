"""Is a search of half an hour worth more than half an hour of training a good hand-made detector? On blood cells.

Arms, one after the other on the same machine: a search within the budget (loading, searching, final training, export
and check included), and every hand-made detector of the default space trained alone for the whole budget with the same
recipe, data and number of processes. Each result is appended to a JSON-lines file; the table is made of that file, so
that seeds and arms can be run one at a time, in any order.

    python benchmarks/detection_bccd.py --data bccd --seeds 0 1 2
    python benchmarks/detection_bccd.py --data bccd --seeds 1 --arms search       # one run, appended
    python benchmarks/detection_bccd.py --table                                    # the table alone

bccd: github.com/Shenggan/BCCD_Dataset, as a CSV with a column ``split`` (205 training, 87 validation, 72 test images).
One run takes seeds x arms x budget.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scipy.stats import t as student

ARMS = ("search", "resnet-fpn", "mobilenet-fpn", "cnn-pan")
METRICS = ("map50", "map")
LONGEST_EPOCHS = 600.0
"""Of a hand-made detector trained alone: the time ends its training before."""

REFERENCE = """
import json, sys, time
began_s = time.monotonic()
from pathlib import Path
from netwright.evaluation.trainer import TrainerOptions, TrainingEvaluator
from netwright.study.delivery import scores_of
from netwright.tasks import load_task
from netwright.types import Budget, Fidelity
data, name, budget, seed, workers, options, epochs, folder = sys.argv[1:]
task = load_task("object-detection", data, seed=int(seed), **json.loads(options))
space = task.default_space()
arch = next(r.architecture for r in task.references() if r.name == name)
limits = TrainerOptions(deadline_s=began_s + Budget.parse(budget).time_s - 5.0, processes=int(workers))
evaluator = TrainingEvaluator(task, space, work_dir=Path(folder), options=limits)
evaluator.prepare()
fidelity = Fidelity(epochs=float(epochs))
metrics = dict(evaluator(arch, fidelity=fidelity, seed=int(seed)))
found = scores_of(task.network(space, arch), evaluator.weights_path(arch, fidelity, int(seed)), task, task.test())
print(json.dumps({**metrics, **{f"test_{name}": value for name, value in found.items()}}))
"""


def search(given: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Run a search as a person would; its card's metrics."""
    folder = given.runs / f"bccd-{given.budget}-{seed}-{int(time.time())}"
    command = [sys.executable, "-m", "netwright", "search", "--task", "object-detection", "--data", given.data]
    command += ["--budget", given.budget, "--workers", str(given.workers), "--seed", str(seed), "--out", str(folder)]
    command += [word for name, value in given.options.items() for word in ("--task-option", f"{name}={value}")]
    result = _run([*command, "--json"])
    result = result.get("result", result)
    return {**result["card"]["metrics"], "trials": result["trials"], "architecture": result["card"]["architecture"]}


def reference(given: argparse.Namespace, name: str, seed: int) -> dict[str, Any]:
    """Train a hand-made detector alone for the whole budget."""
    words = [given.data, name, given.budget, str(seed), str(given.workers), json.dumps(given.options)]
    with tempfile.TemporaryDirectory() as folder:
        return _run([sys.executable, "-c", REFERENCE, *words, str(LONGEST_EPOCHS), folder])


def _run(command: Sequence[str]) -> dict[str, Any]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"failed: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def interval(values: Sequence[float]) -> str:
    """Mean and half of the 95 % interval (Student's t)."""
    if len(values) < 2:
        return f"{mean(values):.3f} (one seed)"
    half = float(student.ppf(0.975, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    return f"{mean(values):.3f} ± {half:.3f}"


def table(rows: Sequence[dict[str, Any]], budget: str) -> str:
    """Markdown: a line an arm, and what the search gains over each hand-made detector, seed by seed."""
    rows = [row for row in rows if row["budget"] == budget]
    seeds = sorted({row["seed"] for row in rows})
    lines = [f"| {budget}, two cores, seeds {', '.join(map(str, seeds))} | test mAP@.5 | test mAP@[.5:.95] |"]
    lines[0] += " validation mAP@[.5:.95] | params | epochs | wall s |"
    lines.append("|---|---|---|---|---|---|---|")
    for arm in ARMS:
        of_arm = [row for row in rows if row["arm"] == arm]
        if of_arm:
            cells = [interval([row[key] for row in of_arm]) for key in ("test_map50", "test_map")]
            cells.append(interval([row.get("map", row.get("validation_map")) for row in of_arm]))
            cells += [f"{mean(row[key] for row in of_arm):,.0f}" for key in ("params", "epochs", "wall_s")]
            lines.append(f"| {arm} | {' | '.join(cells)} |")
    lines.append("")
    by = {(row["arm"], row["seed"]): row for row in rows}
    for arm in ARMS[1:]:
        pairs = [(by["search", seed], by[arm, seed]) for seed in seeds if ("search", seed) in by and (arm, seed) in by]
        if pairs:
            gains = [f"{m} {interval([a[f'test_{m}'] - b[f'test_{m}'] for a, b in pairs])}" for m in METRICS]
            lines.append(f"- search minus {arm}, {len(pairs)} seed(s): {', '.join(gains)}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="bccd")
    parser.add_argument("--budget", default="30m")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--options", type=json.loads, default={"flips": "both"}, help="of the task, as JSON")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--jsonl", type=Path, default=Path("runs/detection_bccd.jsonl"))
    parser.add_argument("--markdown", type=Path, default=Path("docs/figures/detection_bccd.md"))
    parser.add_argument("--table", action="store_true", help="run nothing, make the table")
    given = parser.parse_args()
    for seed in [] if given.table else given.seeds:
        for arm in given.arms:
            began_s = time.monotonic()
            found = search(given, seed) if arm == "search" else reference(given, arm, seed)
            facts = {"arm": arm, "seed": seed, "budget": given.budget, "options": given.options}
            row = {**facts, **found, "wall_s": time.monotonic() - began_s}
            given.jsonl.parent.mkdir(parents=True, exist_ok=True)
            with given.jsonl.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(f"seed {seed} {arm}: test map50 {row['test_map50']:.4f} map {row['test_map']:.4f}", flush=True)
    rows = [json.loads(line) for line in given.jsonl.read_text(encoding="utf-8").splitlines()]
    text = "# Detection on blood cells\n\n" + table(rows, given.budget)
    text += "\nMade by `benchmarks/detection_bccd.py`; means and 95 % intervals over the seeds (Student's t).\n"
    given.markdown.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
