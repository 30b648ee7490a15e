"""What a recogniser of speech is to hear in training: word error rates of unheard speakers after a short one.

    python benchmarks/speech_recipe.py --data fsdd.npz --seeds 0 1 --epochs 8 --variants "as it is" "no noise"

Digit strings as of ``speech_fsdd.py``, whose seeds decide who is tested on and who validates: neither is trained on,
and both are told here. One hand-made network, one thread, a line a seed and variant.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from speech_fsdd import SPEAKERS, prepare

from netwright.evaluation import Recipe, TrainingEvaluator
from netwright.evaluation.batches import Data
from netwright.evaluation.training import evaluate
from netwright.nn import build
from netwright.tasks import load_task
from netwright.tasks.speech_recognition.augmentation import SpeechAugmentation
from netwright.types import Fidelity

VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "no noise": {"noise": 0.0},
    "noise in .8": {"noise": 0.8},
    "warp .25": {"warp": 0.25},
    "speed .3": {"speed": 0.3},
    "all stronger": {"warp": 0.25, "speed": 0.3, "noise": 0.8},
    "not bent": {"bend": 0.0},
    "wide masks": {"band_share": 0.3},
    "longer masks": {"time_frames": 20, "time_masks": 3},
}
"""Changes of `SpeechAugmentation`."""


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--epochs", type=float, default=8.0)
    parser.add_argument("--network", default="gru", help="hand-made network of the default space")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--mels", type=int, help="bands; as many as fit to the rate if not given")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    print({name: version(name) for name in ("netwright", "torch")}, platform.python_version(), vars(given), "\n")
    print("| variant | seed | validation WER | test WER | seconds |\n|---|---|---|---|---|")
    for seed in given.seeds:
        data = prepare("fsdd", given.data, seed, given.runs)
        for variant in given.variants:
            task: Any = load_task("speech-recognition", str(data), seed=seed, mels=given.mels)
            change = replace(SpeechAugmentation(), **VARIANTS[variant])
            task.augmentation = lambda shift, flip, change=change: change
            architecture = next(r.architecture for r in task.references() if r.name == given.network)
            with tempfile.TemporaryDirectory() as folder:
                recipe = Recipe().override(task.recipe())
                evaluator = TrainingEvaluator(task, task.default_space(), work_dir=Path(folder), recipe=recipe)
                fidelity = Fidelity(given.epochs)
                found = evaluator(architecture, fidelity=fidelity, seed=seed)
                weights = load_file(evaluator.weights_path(architecture, fidelity, seed))
            network = build(task.network(task.default_space(), architecture), input_shape=task.input_shape, seed=0)
            network.load_state_dict(weights)
            test = evaluate(network, Data(*task.test(), task.to_input), scores=task.scores)
            who = f"{seed} ({SPEAKERS[(seed + 1) % 6]}, {SPEAKERS[seed % 6]})"
            wer = f"{found['wer']:.3f} | {test['wer']:.3f}"
            print(f"| {variant} | {who} | {wer} | {found['train_time_s']:.0f} |", flush=True)


if __name__ == "__main__":
    main()
