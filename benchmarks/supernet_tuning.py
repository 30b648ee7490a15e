"""How fast should a network learn that goes on from shared weights?

Of a search on shared weights after a front (``netwright search --evaluator supernet --objective accuracy
--objective latency_ms --out RUN``), some of the networks of its front are trained further from their shared weights, at
several rates (times the recipe's) and for several lengths, one process and one thread. Printed: accuracy and loss on
the validation images before and after, and the process's seconds.

    python benchmarks/supernet_tuning.py RUN --rates 0.03 0.1 0.3 --epochs 2 4 --networks 2
"""

from __future__ import annotations

import argparse
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from netwright.evaluation.supernet_evaluator import SupernetEvaluator
from netwright.evaluation.supernet_files import WEIGHTS
from netwright.study.supernet_parts import LOSS, front_finalists
from netwright.study.supernet_use import open_supernet
from netwright.types import Fidelity, Objective


def main() -> None:
    """Run what the command line asks for."""
    import torch

    from netwright.cli.runs import open_study

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of the search")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.03, 0.1, 0.3])
    parser.add_argument("--epochs", type=float, nargs="+", default=[2.0, 4.0])
    parser.add_argument("--networks", type=int, default=2, help="spread over the front, the largest first")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(f"netwright {version('netwright')}, torch {version('torch')}; {given.run.name}", flush=True)
    opened = open_supernet(given.run / "supernet")
    with open_study(given.run) as store:
        scored = [trial for trial in store.trials() if trial.fidelity.epochs is None and "loss" in trial.metrics]
    for trial in front_finalists(scored, (LOSS, Objective("latency_ms", "min")), given.networks):
        before = trial.metrics
        print(f"{before['latency_ms']:.3f} ms: {before['accuracy']:.4f}, loss {before['loss']:.4f} with shared weights")
        for rate in given.rates:
            for epochs in given.epochs:
                with tempfile.TemporaryDirectory() as folder:
                    evaluator = SupernetEvaluator(
                        opened.task,
                        opened.folder / WEIGHTS,
                        space=opened.space,
                        work_dir=Path(folder),
                        tunes=True,
                        tuning_rate=rate,
                    )
                    begin_s = time.process_time()
                    after = evaluator(trial.architecture, fidelity=Fidelity(epochs), seed=1)
                    took_s = time.process_time() - begin_s
                told = f"{after['accuracy']:.4f}, loss {after['loss']:.4f} ({took_s:.0f} s)"
                print(f"  rate x {rate:g}, {epochs:g} epochs: {told}", flush=True)


if __name__ == "__main__":
    main()
