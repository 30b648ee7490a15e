"""What ``translation_multi30k.py`` and ``language_model.py`` share: a search and hand-made networks at equal wall time.

Arms run one after the other on the same machine: a search within the budget (loading, searching, final training,
export and check included), and every hand-made network of the default space trained alone for the whole budget with
the same recipe, data and number of processes. Each result is appended to a JSON-lines file, of which the table is made;
so seeds and arms can be run one at a time, in any order.
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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scipy.stats import t as student

REFERENCE = """
import json, sys, time
began_s = time.monotonic()
from pathlib import Path
from netwright.evaluation.trainer import TrainerOptions, TrainingEvaluator
from netwright.nn import build
from netwright.study.delivery import scores_of
from netwright.tasks import load_task
from netwright.types import Budget, Fidelity
task_name, data, name, budget, seed, workers, options, reserve_s, folder = sys.argv[1:]
task = load_task(task_name, data, seed=int(seed), **json.loads(options))
space = task.default_space()
arch = next(r.architecture for r in task.references() if r.name == name)
deadline_s = began_s + Budget.parse(budget).time_s - float(reserve_s)
evaluator = TrainingEvaluator(
    task, space, work_dir=Path(folder), options=TrainerOptions(deadline_s=deadline_s, processes=int(workers))
)
evaluator.prepare()
fidelity = Fidelity(epochs=1000.0)  # the time ends it before
metrics = dict(evaluator(arch, fidelity=fidelity, seed=int(seed)))
weights, term = evaluator.weights_path(arch, fidelity, int(seed)), task.network(space, arch)
found = dict(scores_of(term, weights, task, task.test()))
from safetensors.torch import load_file
model = build(term, input_shape=task.input_shape, input_dtype=task.input_dtype)
model.load_state_dict(load_file(weights))
found |= task.final_scores(model.eval(), "test")
print(json.dumps({**metrics, **{f"test_{name}": value for name, value in found.items()}}))
"""


@dataclass(frozen=True)
class Comparison:
    """What is compared.

    Args:
        title: of the table.
        task: name of the task.
        arms: ``search``, then names of hand-made networks.
        metrics: of the test part, the main one first, with the names that people read.
        higher: whether more of the main one is better.
        script: that makes the table.
        reserve_s: wall seconds that a hand-made network's scores take after its training.
    """

    title: str
    task: str
    arms: tuple[str, ...]
    metrics: tuple[tuple[str, str], ...]
    higher: bool
    script: str
    reserve_s: float = 15.0


def run(
    comparison: Comparison,
    parser: argparse.ArgumentParser,
    options: Callable[[argparse.Namespace], dict[str, Any]],
) -> None:
    """Run what the command line asks for; ``options`` gives those of the task."""
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", choices=comparison.arms, default=list(comparison.arms))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    name = Path(comparison.script).stem
    parser.add_argument("--jsonl", type=Path, default=Path(f"runs/{name}.jsonl"))
    parser.add_argument("--markdown", type=Path, default=Path(f"docs/figures/{name}.md"))
    parser.add_argument("--table", action="store_true", help="run nothing, make the table")
    given = parser.parse_args()
    given.options = options(given)
    for seed in [] if given.table else given.seeds:
        for arm in given.arms:
            began_s = time.monotonic()
            found = _search(comparison, given, seed) if arm == "search" else _reference(comparison, given, arm, seed)
            facts = {"arm": arm, "seed": seed, "budget": given.budget, "options": given.options}
            row = {**facts, **found, "wall_s": time.monotonic() - began_s}
            given.jsonl.parent.mkdir(parents=True, exist_ok=True)
            with given.jsonl.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            said = ", ".join(f"{key} {row[f'test_{key}']:.4f}" for key, _ in comparison.metrics)
            print(f"seed {seed} {arm}: {said}", flush=True)
    rows = [json.loads(line) for line in given.jsonl.read_text(encoding="utf-8").splitlines()]
    text = f"# {comparison.title}\n\n{_table(comparison, rows, given.budget, given.options)}"
    text += f"\nMade by `benchmarks/{comparison.script}`; means and 95 % intervals over the seeds (Student's t).\n"
    given.markdown.write_text(text, encoding="utf-8")
    print(text)


def _search(comparison: Comparison, given: argparse.Namespace, seed: int) -> dict[str, Any]:
    folder = given.runs / f"{comparison.task}-{given.budget}-{seed}-{int(time.time())}"
    command = [sys.executable, "-m", "netwright", "search", "--task", comparison.task, "--data", str(given.data)]
    command += ["--budget", given.budget, "--workers", str(given.workers), "--seed", str(seed), "--out", str(folder)]
    command += [word for name, value in given.options.items() for word in ("--task-option", f"{name}={value}")]
    result = _run([*command, "--json"])
    result = result.get("result", result)
    return {**result["card"]["metrics"], "trials": result["trials"], "architecture": result["card"]["architecture"]}


def _reference(comparison: Comparison, given: argparse.Namespace, name: str, seed: int) -> dict[str, Any]:
    words = [comparison.task, str(given.data), name, given.budget, str(seed), str(given.workers)]
    words += [json.dumps(given.options), str(comparison.reserve_s)]
    with tempfile.TemporaryDirectory() as folder:
        return _run([sys.executable, "-c", REFERENCE, *words, folder])


def _run(command: Sequence[str]) -> dict[str, Any]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"failed: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _interval(values: Sequence[float]) -> str:
    """Mean and half of the 95 % interval (Student's t)."""
    if len(values) < 2:
        return f"{mean(values):.3f} (one seed)"
    half = float(student.ppf(0.975, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    return f"{mean(values):.3f} ± {half:.3f}"


def _table(comparison: Comparison, rows: Sequence[dict[str, Any]], budget: str, options: dict[str, Any]) -> str:
    """Markdown: a line an arm, and what the search gains over each hand-made network, seed by seed."""
    rows = [row for row in rows if row["budget"] == budget and row["options"] == options]
    seeds = sorted({row["seed"] for row in rows})
    names = " | ".join(f"test {name}" for _, name in comparison.metrics)
    lines = [f"| {budget}, two cores, seeds {', '.join(map(str, seeds))} | {names} | params | epochs | wall s |"]
    lines.append("|---" * (len(comparison.metrics) + 4) + "|")
    for arm in comparison.arms:
        of_arm = [row for row in rows if row["arm"] == arm]
        if of_arm:
            cells = [_interval([row[f"test_{key}"] for row in of_arm]) for key, _ in comparison.metrics]
            cells += [f"{mean(row[key] for row in of_arm):,.1f}" for key in ("params", "epochs", "wall_s")]
            lines.append(f"| {arm} | {' | '.join(cells)} |")
    lines.append("")
    by = {(row["arm"], row["seed"]): row for row in rows}
    key, name = comparison.metrics[0]
    better = "more" if comparison.higher else "less"
    for arm in comparison.arms[1:]:
        both = [seed for seed in seeds if ("search", seed) in by and (arm, seed) in by]
        if both:
            gains = [by["search", seed][f"test_{key}"] - by[arm, seed][f"test_{key}"] for seed in both]
            lines.append(f"- search minus {arm}, {len(both)} seed(s): {name} {_interval(gains)} ({better} is better)")
    return "\n".join(lines) + "\n"
