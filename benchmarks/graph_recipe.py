"""How much weight decay, and where: hand-made networks of a graph under several optimisers, by training them.

    python benchmarks/graph_recipe.py --data cora.npz [--seeds 4] [--epochs 200]

For each optimiser and each network: mean accuracy on the validation and the test nodes over seeds, with the standard
deviation of the latter. The test nodes decide nothing: the decay of 5e-4 is that of the papers.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from netwright.evaluation import Recipe, TrainingEvaluator
from netwright.nn import build
from netwright.tasks import load_task
from netwright.tasks.base import Task
from netwright.types import Architecture, Fidelity

RULES = {
    "adamw .5": {"optimizer": "adamw", "weight_decay": 0.5},
    "adam 5e-4": {"optimizer": "adam", "weight_decay": 5e-4},
    "adam 2e-3": {"optimizer": "adam", "weight_decay": 2e-3},
}


def trained(task: Task, architecture: Architecture, recipe: Recipe, epochs: float, seed: int) -> tuple[float, float]:
    """Accuracy on the validation and on the test nodes."""
    with tempfile.TemporaryDirectory() as folder:
        evaluator = TrainingEvaluator(task, task.default_space(), work_dir=Path(folder), recipe=recipe)
        fidelity = Fidelity(epochs)
        found = evaluator(architecture, fidelity=fidelity, seed=seed)
        weights = load_file(evaluator.weights_path(architecture, fidelity, seed))
    term = task.normalised(task.default_space().resolve(architecture))
    network = build(term, input_shape=task.input_shape, input_dtype=task.input_dtype).eval()
    network.load_state_dict(weights, strict=False)  # the graph itself is not in the file
    x, y = task.test()
    with torch.no_grad():
        right = network(torch.from_numpy(np.asarray(x))).argmax(1).numpy() == y
    return found["accuracy"], float(right.mean())


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--epochs", type=float, default=200.0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    task = load_task("node-classification", given.data)
    made = {reference.name: reference.architecture for reference in task.references()}
    made |= {f"portfolio {number + 1}": architecture for number, architecture in enumerate(task.portfolio())}
    print({name: version(name) for name in ("netwright", "torch")}, platform.python_version(), vars(given), "\n")
    print("| optimiser, decay | network | validation | test |\n|---|---|---|---|")
    for rule, changes in RULES.items():
        recipe = replace(Recipe().override(task.recipe()), **changes)  # type: ignore[arg-type]
        for name, architecture in made.items():
            rows = [trained(task, architecture, recipe, given.epochs, seed) for seed in range(given.seeds)]
            valid, test = np.array(rows).T
            print(f"| {rule} | {name} | {valid.mean():.4f} | {test.mean():.4f} +- {test.std(ddof=1):.4f} |", flush=True)


if __name__ == "__main__":
    main()
