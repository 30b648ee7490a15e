"""Searches, hand-made networks alone and a rival that is no network, in the same wall time: what scripts share.

A result is a line of a jsonl file; what is in it is not run again, so that arms and seeds can be run one at a time. The
table is written from all that the file holds.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scipy.stats import t as student

ALONE = """
import json, sys, tempfile, time
began_s = time.monotonic()
from pathlib import Path
from netwright.evaluation.trainer import TrainerOptions, TrainingEvaluator
from netwright.study.finishing import rival_scores
from netwright.study.delivery import scores_of
from netwright.tasks import load_task
from netwright.types import Budget, Fidelity
task_name, data, options, name, budget, seed, workers = json.loads(sys.argv[1])
task = load_task(task_name, data, seed=seed, **options)
if name == "rival":
    rival = task.rival(task.test())
    print(json.dumps({**rival.metrics, "wall_s": time.monotonic() - began_s}))
    sys.exit()
space = task.default_space()
arch = next(r.architecture for r in task.references() if r.name == name)
trained = TrainerOptions(deadline_s=began_s + Budget.parse(budget).time_s - 2.0, processes=workers)
with tempfile.TemporaryDirectory() as folder:
    evaluator = TrainingEvaluator(task, space, work_dir=Path(folder), options=trained)
    evaluator.prepare()
    fidelity = Fidelity(epochs=task.full_epochs or 60.0)
    metrics = dict(evaluator(arch, fidelity=fidelity, seed=seed))
    found = scores_of(task.network(space, arch), evaluator.weights_path(arch, fidelity, seed), task, task.test())
validation = {f"validation_{n}": metrics.pop(n) for n in list(metrics) if n in task.directions}
test = {f"test_{n}": v for n, v in found.items()}
print(json.dumps({**metrics, **validation, **test, "wall_s": time.monotonic() - began_s}))
"""


@dataclass(frozen=True)
class Case:
    """A data set and what is asked of it.

    Args:
        name: of the set.
        task: name of the task.
        data: file or folder.
        metric: that is compared, of the test part.
        least: whether less is better.
        references: hand-made networks, by name.
        options: of the task.
        rival: what is no network, for the table; empty for none.
    """

    name: str
    task: str
    data: str
    metric: str
    least: bool
    references: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    rival: str = ""

    @property
    def arms(self) -> tuple[str, ...]:
        """All that is compared."""
        return ("search", *self.references, *(("rival",) if self.rival else ()))


def parser(doc: str, written: str) -> argparse.ArgumentParser:
    """The options of a script."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--shared", type=Path, default=Path("../shared/data"), help="folder of the data")
    made.add_argument("--sets", nargs="+", help="all if not given")
    made.add_argument("--arms", nargs="+", help="search, names of references, rival; all if not given")
    made.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    made.add_argument("--budget", default="10m")
    made.add_argument("--workers", type=int, default=2)
    made.add_argument("--jsonl", type=Path, default=Path("runs") / f"{written}.jsonl", help="is appended to")
    made.add_argument("--write", type=Path, help=f"markdown table, such as docs/figures/{written}.md")
    return made


def run(cases: Sequence[Case], given: argparse.Namespace, doc: str) -> None:
    """Run what is asked for and not yet there, and show the table."""
    known = {case.name for case in cases}
    unknown = set(given.sets or ()) - known
    if unknown:
        raise SystemExit(f"--sets: {', '.join(sorted(unknown))} unknown; there are {', '.join(sorted(known))}")
    given.jsonl.parent.mkdir(parents=True, exist_ok=True)
    rows = _read(given.jsonl)
    for case in (case for case in cases if case.name in (given.sets or known)):
        for seed in given.seeds:
            for arm in (arm for arm in case.arms if arm in (given.arms or case.arms)):
                key = {"set": case.name, "arm": arm, "seed": seed, "budget": given.budget, "workers": given.workers}
                if any(all(row.get(k) == v for k, v in key.items()) for row in rows):
                    continue
                row = {**key, **_one(case, arm, seed, given)}
                rows.append(row)
                with given.jsonl.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
                print(
                    f"{case.name} {arm} seed {seed}: {case.metric} {row[case.metric]:.4f}, {row['wall_s']:.0f} s",
                    flush=True,
                )
    text = table(cases, [row for row in rows if row["budget"] == given.budget], given, doc)
    print(text)
    if given.write:
        given.write.write_text(text, encoding="utf-8")


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _one(case: Case, arm: str, seed: int, given: argparse.Namespace) -> dict[str, Any]:
    began_s = time.monotonic()
    if arm != "search":
        asked = json.dumps([case.task, case.data, dict(case.options), arm, given.budget, seed, given.workers])
        done = _run([sys.executable, "-c", ALONE, asked], f"{case.name} {arm}")
        return dict(json.loads(done.splitlines()[-1]))
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "netwright", "search", "--task", case.task, "--data", case.data]
        command += [f"--task-option={name}={value}" for name, value in case.options.items()]
        command += ["--budget", given.budget, "--workers", str(given.workers), "--seed", str(seed)]
        result = json.loads(_run([*command, "--out", f"{folder}/run", "--json"], case.name).splitlines()[-1])
    result = result.get("result", result)
    card = result["card"]
    kept = {"trials": result["trials"], "origin": result["best"]["origin"], "architecture": card["architecture"]}
    return {**card["metrics"], **kept, "verified": result["verified"], "wall_s": time.monotonic() - began_s}


def _run(command: list[str], what: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{what} failed: {done.stderr[-2000:]}")
    return done.stdout


def interval(values: Sequence[float]) -> str:
    """Mean and 95 % interval (Student's t)."""
    if len(values) < 2:
        return f"{mean(values):.4f} (one seed)"
    half = float(student.ppf(0.975, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    return f"{mean(values):.4f} ± {half:.4f}"


def _command(cases: Sequence[Case], rows: Sequence[Mapping[str, Any]], given: argparse.Namespace) -> str:
    """What gives all of these rows at once."""
    words = ["python", f"benchmarks/{Path(sys.argv[0]).name}", "--budget", given.budget, "--workers", given.workers]
    words += ["--seeds", *sorted({row["seed"] for row in rows})]
    for option, found, known in (
        ("--sets", {row["set"] for row in rows}, [case.name for case in cases]),
        ("--arms", {row["arm"] for row in rows}, dict.fromkeys(arm for case in cases for arm in case.arms)),
    ):
        words += [] if found.issuperset(known) else [option, *(name for name in known if name in found)]
    return " ".join(map(str, words))


def table(cases: Sequence[Case], rows: Sequence[Mapping[str, Any]], given: argparse.Namespace, doc: str) -> str:
    """All results as a markdown page."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("netwright", "torch"))
    lines = [f"# {doc.splitlines()[0]}", "", f"`{_command(cases, rows, given)}`; {versions}.", ""]
    lines += ["| set | metric | arm | mean, 95 % interval | seeds | search better by |", "|---|---|---|---|---|---|"]
    for case in cases:
        by_arm = {
            a: {r["seed"]: r[case.metric] for r in rows if (r["set"], r["arm"]) == (case.name, a)} for a in case.arms
        }
        for arm, found in by_arm.items():
            if not found:
                continue
            shared = sorted(set(found) & set(by_arm["search"]))
            sign = 1 if case.least else -1
            gains = [sign * (found[seed] - by_arm["search"][seed]) for seed in shared]
            name = case.rival if arm == "rival" else arm
            gain = "" if arm == "search" or not gains else interval(gains)
            lines.append(
                f"| {case.name} | {case.metric} | {name} | {interval(list(found.values()))} | {len(found)} | {gain} |"
            )
    return "\n".join(lines) + "\n"
