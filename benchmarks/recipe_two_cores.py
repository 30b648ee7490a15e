"""How one network best uses two cores: threads of one process, or processes that share each step.

    python benchmarks/recipe_two_cores.py --steps 60

Prints images a wall second. Needs idle cores: wall time is the question here. Each way runs in a process of its own,
several times in turn, and the best run of each counts, since other work on the machine only makes a run slower.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

WAYS = {"1 process x 1 thread": (1, 1), "1 process x 2 threads": (1, 2), "2 processes x 1 thread": (2, 1)}


def main() -> None:
    """Measure each way in turn, or, with ``--way``, one of them here."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=WAYS)
    args = parser.parse_args()
    if args.way:
        print(measure(args.data, args.steps, *WAYS[args.way]))
        return
    best = dict.fromkeys(WAYS, 0.0)
    for _ in range(args.rounds):
        for way, (_, threads) in WAYS.items():
            command = [sys.executable, __file__, "--way", way, "--data", args.data, "--steps", str(args.steps)]
            environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            best[way] = max(best[way], float(done.stdout))
    base = best["1 process x 1 thread"]
    for way, rate in best.items():
        print(f"{way:<24} {rate:>7.0f} images/s   x{rate / base:.2f}")


def measure(data: str, steps: int, processes: int, threads: int) -> float:
    """Images a second of a training, without its start: a short training's time is taken from a longer one's."""
    import time

    import torch
    from recipe_fashion_mnist import early_resnet

    from netwright.evaluation import Recipe
    from netwright.evaluation.batches import Batches, Images
    from netwright.evaluation.training import TrainingOptions, train
    from netwright.nn.building import build
    from netwright.tasks.augmentation import Augmentation
    from netwright.tasks.image_classification import ImageClassification

    torch.set_num_threads(threads)
    task = ImageClassification.load(data, seed=0)
    recipe = Recipe(shards=processes)
    images = Images(*task.train(), task.scale)
    batches = Batches(images, batch_size=128, shards=processes, augmentation=Augmentation(2), seed=0)
    term = task.network(task.default_space(), early_resnet(task))
    times = []
    short = max(2, steps // 5)
    for count in (short, short, short + steps):
        model = build(term, input_shape=task.input_shape, seed=0).to(memory_format=torch.channels_last)
        start_s = time.perf_counter()
        options = TrainingOptions(processes=processes)
        train(model, batches, recipe, epochs=count / batches.steps_per_epoch, options=options)
        times.append(time.perf_counter() - start_s)
    return steps * batches.batch_size / (times[2] - times[1])


if __name__ == "__main__":
    main()
