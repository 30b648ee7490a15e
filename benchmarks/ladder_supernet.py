"""What does the rung of shared weights say, and does it pay?

For each seed, one after the other on one machine: a search on the ladder without the rung ``supernet`` and one with
it, with the same budget, so that the training of the shared weights is paid by the search. Prints what each found, and
of the rung its Kendall's tau with the short training, with its 90 % interval, beside that of the size and of the other
rungs, as the search itself told it. Over several seeds the difference of the accuracies has a 95 % interval (Student's
t); of one seed there is none.

A search measures its rung on few networks. ``--audit N`` also scores N random networks within the limit with the shared
weights of each search and by the default proxies, and trains each as long as the short training, from another seed.
``--of RUN`` does only that, for a search that was made before with the same data.

    python benchmarks/ladder_supernet.py --budget 3m --macs 2M --max-epochs 0.5
    python benchmarks/ladder_supernet.py --budget '40 trials' --macs 2M --max-epochs 3 --images 12000 --audit 32

A budget of time is what a person gives, and depends on what else the machine does; one of trials does not, but there
the rung is not paid by fewer trials: its processor time is told. Fashion-MNIST: Debian package dataset-fashion-mnist.
One run takes seeds x 2 x budget.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import resource
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
from own_process import in_own_process
from scipy.stats import t as student

from netwright.evaluation.proxies.ensemble import aggregate
from netwright.evaluation.scoring import ProxyScorer, sample_architectures
from netwright.evaluation.shared_scores import SharedScorer
from netwright.evaluation.supernet_files import WEIGHTS
from netwright.evaluation.trainer import TrainerOptions, TrainingEvaluator
from netwright.study.rung_audit import measure_agreement
from netwright.study.supernet_use import open_supernet
from netwright.tasks import load_task
from netwright.types import Constraint, Fidelity

AUDIT_SEED = 1000
FASHION = "/usr/share/datasets/fashion-mnist"
ARMS = {"without": "proxies,predictor,short,long,full", "with": "proxies,predictor,supernet,short,long,full"}

SEARCH = """
import json, sys, time
import netwright as nw
options = json.loads(sys.argv[1])
seen = []
def listen(status):
    if status.trial is not None and "accuracy" in status.trial.metrics:
        seen.append(status.trial.metrics["accuracy"])
    elif status.message.startswith(("ladder", "supernet: trained", "warning")):
        print(status.message, file=sys.stderr)
result = nw.search(**options, listener=listen)
print(json.dumps({
    "test_accuracy": result.card["metrics"]["test_accuracy"], "validation": max(seen), "trials": result.num_trials,
    "origin": result.best.proposal.origin, "rungs": [rung.to_dict() for rung in result.rungs],
    "told": [str(rung) for rung in result.rungs], "notes": list(result.notes), "verified": result.verified,
}))
"""

Row = dict[str, Any]


def subset(data: str, count: int, folder: Path) -> str:
    """Data with so many of the training images, spread over all; the test images are those of the data."""
    task = load_task("image-classification", data, seed=0)
    splits = [task.train(), task.validation()]
    x, y = (np.concatenate([split[place] for split in splits]) for place in (0, 1))
    rows = np.random.default_rng(0).permutation(len(y))[:count]
    x_test, y_test = task.test()
    path = folder / f"{Path(data).name}-{count}.npz"
    last = (0, 2, 3, 1)
    np.savez(path, x_train=x[rows].transpose(last), y_train=y[rows], x_test=x_test.transpose(last), y_test=y_test)
    return str(path)


def search(options: Row) -> Row:
    """Run a search in a process of its own; what it found, and what it took."""
    before, begin_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    found, remarks = in_own_process(SEARCH, options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found["wall_s"] = time.monotonic() - begin_s
    found["processor_s"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found["remarks"] = remarks
    return found


def audit(run: Path, data: str, given: argparse.Namespace) -> list[str]:
    """How shared weights, proxies and sizes rank random networks that are trained shortly; one line each."""
    opened = open_supernet(run / "supernet", data=data)
    limits = [Constraint.parse(f"macs<={given.macs}")] if given.macs else []
    with tempfile.TemporaryDirectory() as folder:
        options = TrainerOptions(keep_weights=False)
        trainer = TrainingEvaluator(
            opened.task, opened.space, work_dir=Path(folder), constraints=limits, options=options
        )
        space = opened.space.limited(trainer.keeps_known_limits)
        networks = sample_architectures(space, given.audit, AUDIT_SEED)
        shared = SharedScorer(opened.task, run / "supernet" / WEIGHTS, opened.record.digest, opened.space)
        proxies = ProxyScorer(opened.task, opened.space, ("default",), seed=0)
        scores = {"supernet": [shared.score(a).values["supernet"] for a in networks]}
        rows = [proxies(a) for a in networks]
        scores["proxies"] = aggregate({name: [row[name] for row in rows] for name in rows[0]}).tolist()
        length = Fidelity(given.short)
        trained = {a: trainer(a, fidelity=length, seed=AUDIT_SEED) for a in networks}
    accuracies = {a: found["accuracy"] for a, found in trained.items()}
    lines = [
        f"trained {given.short:g} epochs: accuracy {min(accuracies.values()):.3f} to {max(accuracies.values()):.3f}"
    ]
    for rung, values in scores.items():
        said = dict(zip(networks, values, strict=True))
        lines.append(str(measure_agreement(rung, length, said, accuracies, trained, random=networks)))
    return [f"audit of {opened.record.origin}", *lines]


def run_seed(given: argparse.Namespace, data: str, seed: int) -> Row:
    """Both searches of a seed."""
    row: Row = {"seed": seed}
    for arm in given.arms:
        options = {
            "task": "image-classification",
            "data": data,
            "budget": given.budget,
            "seed": seed,
            "workers": given.workers,
            "strategy": given.strategy,
            "ladder": ARMS[arm],
            "constraints": [f"macs<={given.macs}"] if given.macs else [],
            "out": str(given.runs / f"ladder-supernet-{arm}-{seed}-{int(time.time())}"),
            **({"max_epochs": given.max_epochs} if given.max_epochs else {}),
        }
        row[arm] = found = search(options)
        print(
            f"seed {seed} {arm:7} test {found['test_accuracy']:.4f}  validation {found['validation']:.4f}  "
            f"{found['trials']} trials, best by {found['origin'] or '-'}; {found['wall_s']:.0f} s, "
            f"{found['processor_s']:.0f} s of processors",
            flush=True,
        )
        if arm == "with" and given.audit:
            found["audit"] = audit(Path(options["out"]), data, given)
        for line in (*found["told"], *found["remarks"], *found.get("audit", ())):
            print(f"    {line}", flush=True)
    return row


def tell(rows: Sequence[Row]) -> None:
    """Print what all seeds say."""
    if any(arm not in row for row in rows for arm in ARMS):
        return
    for name in ("test_accuracy", "validation"):
        gains = [row["with"][name] - row["without"][name] for row in rows]
        ends = " (one seed: no interval)"
        if len(gains) > 1:
            half = float(student.ppf(0.975, len(gains) - 1)) * stdev(gains) / math.sqrt(len(gains))
            ends = f" +- {half:.4f}"
        print(f"with minus without the rung, {name}: {mean(gains):+.4f}{ends}")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=FASHION)
    parser.add_argument("--images", type=int, help="training images that are used; all by default")
    parser.add_argument("--macs", help="most multiply-accumulates of a network, such as 2M")
    parser.add_argument("--budget", default="3m")
    parser.add_argument("--max-epochs", type=float)
    parser.add_argument("--strategy", default="auto")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--audit", type=int, default=0, metavar="N", help="networks")
    parser.add_argument("--short", type=float, default=1 / 3, help="epochs of the audit's trainings")
    parser.add_argument("--of", type=Path, metavar="RUN", help="audit the supernet of this run, and search nothing")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    versions = {name: version(name) for name in ("netwright", "torch")}
    print(f"{versions}, python {platform.python_version()}, {platform.machine()}, {vars(given)}", flush=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        data = subset(given.data, given.images, Path(folder)) if given.images else given.data
        if given.of:
            print("\n".join(audit(given.of, data, given)))
            return
        for seed in given.seeds:
            rows.append(run_seed(given, data, seed))
            if given.json:
                given.json.write_text(json.dumps({"versions": versions, "rows": rows}, indent=1), encoding="utf-8")
    tell(rows)


if __name__ == "__main__":
    main()
