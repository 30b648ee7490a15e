"""What a search finds on spoken digit strings (or yes and no) beside hand-made networks that get the same time.

Arms are ``search`` and the names of the references, each with the whole budget on the same machine, the same data and
as many processes. Every arm is one line of a jsonl file, so that seeds and arms can be run one at a time, and what is
there already is not run again; the table is made of all lines there are. A seed also decides who is heard: of the six
speakers of fsdd, number ``seed`` is tested on, the next one validates, four are trained on. Word error rates are of
greedy decoding, in one look at the test part.

    python benchmarks/speech_fsdd.py --data fsdd.npz --budget 15m --seeds 0 1 2
    python benchmarks/speech_fsdd.py --set yesno --data yesno.npz --budget 5m --arms search gru --seeds 0

Data: the Free Spoken Digit Dataset and OpenSLR SLR1 as npz files, see ``benchmarks/speech_data.py``.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scipy.stats import t as student
from speech_data import compose, yes_and_no

ARMS = ("search", "cnn", "gru", "conformer")
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")

REFERENCE = """
import json, sys, time
began_s = time.monotonic()
from pathlib import Path
from netwright import nn
from netwright.evaluation.batches import Data
from netwright.evaluation.trainer import TrainerOptions, TrainingEvaluator
from netwright.evaluation.training import evaluate
from netwright.tasks import load_task
from netwright.types import Budget, Fidelity
data, name, budget, seed, workers, folder = sys.argv[1:]
task = load_task("speech-recognition", data, seed=int(seed))
space = task.default_space()
arch = next(r.architecture for r in task.references() if r.name == name)
options = TrainerOptions(deadline_s=began_s + Budget.parse(budget).time_s - 5.0, processes=int(workers))
evaluator = TrainingEvaluator(task, space, work_dir=Path(folder), options=options)
evaluator.prepare()
fidelity = Fidelity(epochs=EPOCHS)
metrics = dict(evaluator(arch, fidelity=fidelity, seed=int(seed)))
model = nn.build(task.network(space, arch), input_shape=task.input_shape, seed=0)
from safetensors.torch import load_file
model.load_state_dict(load_file(evaluator.weights_path(arch, fidelity, int(seed))))
found = evaluate(model, Data(*task.test(), task.to_input), scores=task.scores)
metrics |= {f"test_{key}": value for key, value in found.items()}
metrics["wall_s"] = time.monotonic() - began_s
print(json.dumps(metrics))
"""


def prepare(which: str, source: Path, seed: int, folder: Path) -> Path:
    """Write the recordings of a seed, unless they are there."""
    out = folder / f"{which}-{seed}.npz"
    if out.exists():
        return out
    folder.mkdir(parents=True, exist_ok=True)
    if which == "yesno":
        yes_and_no(source, out, seed=seed)
    else:
        test, validation = SPEAKERS[seed % 6], SPEAKERS[(seed + 1) % 6]
        compose(source, out, test=test, validation=validation, seed=seed)
    return out


def search(data: Path, budget: str, seed: int, workers: int, folder: Path) -> dict[str, Any]:
    """Run a search as a person would; loading, final training, export and check are within the budget."""
    command = [sys.executable, "-m", "netwright", "search", "--task", "speech-recognition", "--data", str(data)]
    command += ["--budget", budget, "--workers", str(workers), "--seed", str(seed), "--out", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the search failed: {done.stderr[-2000:]}")
    result = json.loads(done.stdout.splitlines()[-1])
    result = result.get("result", result)
    return {**result["card"]["metrics"], "trials": result["trials"], "origin": result["best"]["origin"]}


def reference(data: Path, name: str, budget: str, seed: int, workers: int, folder: Path, epochs: float) -> Any:
    """Train a reference alone for the whole budget."""
    script = REFERENCE.replace("EPOCHS", repr(epochs))
    command = [sys.executable, "-c", script, str(data), name, budget, str(seed), str(workers), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"training {name} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def table(rows: list[dict[str, Any]]) -> str:
    """Word error rates on the test part: mean over the seeds with a 95 % interval, and each seed's."""
    lines = [
        "| set | budget | arm | test WER | test CER | by seed | params | epochs |",
        "|---|---|---|---|---|---|---|---|",
    ]
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["set"], row["budget"], row["arm"]), []).append(row)
    for (which, budget, arm), found in groups.items():
        by_seed = ", ".join(f"{r['seed']}: {r['test_wer']:.3f}" for r in sorted(found, key=lambda r: r["seed"]))
        wer, cer = (interval([r[key] for r in found]) for key in ("test_wer", "test_cer"))
        sizes = ", ".join(f"{r['params'] / 1000:.0f}k" for r in found)
        epochs = ", ".join(f"{r['epochs']:.0f}" for r in found)
        lines.append(f"| {which} | {budget} | {arm} | {wer} | {cer} | {by_seed} | {sizes} | {epochs} |")
    return "\n".join(lines) + "\n"


def interval(values: list[float]) -> str:
    """Mean and 95 % interval (Student's t)."""
    if len(values) < 2:
        return f"{mean(values):.3f}"
    half = float(student.ppf(0.975, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    return f"{mean(values):.3f} ± {half:.3f}"


def recorded(jsonl: Path) -> list[dict[str, Any]]:
    """What was run before; of an arm that was run twice with one seed the last time counts."""
    lines = jsonl.read_text(encoding="utf-8").splitlines() if jsonl.exists() else []
    return list({_which(row): row for row in map(json.loads, lines)}.values())


def _which(row: dict[str, Any]) -> tuple[str, str, str, int]:
    return row["set"], row["budget"], row["arm"], row["seed"]


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=("fsdd", "yesno"), default="fsdd")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--budget", default="15m")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="*", choices=ARMS, default=list(ARMS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--epochs", type=float, default=0.0, help="most of a reference; 60 on fsdd, 400 on yesno")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--jsonl", type=Path, default=Path("speech.jsonl"))
    parser.add_argument("--table", type=Path, help="where to write the table, such as docs/figures/speech.md")
    given = parser.parse_args()
    epochs = given.epochs or {"fsdd": 60.0, "yesno": 400.0}[given.set]
    there = {_which(row) for row in recorded(given.jsonl)}
    for seed in given.seeds:
        data = prepare(given.set, given.data, seed, given.runs)
        for arm in given.arms:
            if (given.set, given.budget, arm, seed) in there:
                print(f"{arm} seed {seed}: is in {given.jsonl} already", flush=True)
                continue
            began_s = time.monotonic()
            folder = given.runs / f"{given.set}-{given.budget}-{arm}-{seed}-{int(time.time())}"
            if arm == "search":
                found = search(data, given.budget, seed, given.workers, folder)
            else:
                found = reference(data, arm, given.budget, seed, given.workers, folder, epochs)
            row = {"set": given.set, "budget": given.budget, "arm": arm, "seed": seed, **found}
            row["wall_s"] = time.monotonic() - began_s
            with given.jsonl.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(f"{arm} seed {seed}: test WER {row['test_wer']:.4f}, {row['wall_s']:.0f} s", flush=True)
    text = table(recorded(given.jsonl))
    print(text)
    if given.table:
        given.table.write_text(f"# Speech recognition: search and hand-made networks in the same time\n\n{text}")


if __name__ == "__main__":
    main()
