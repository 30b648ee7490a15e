"""A task of one's own: pictures without noise, found from noisy ones. A data set, a loss, a metric and a space.

On the command line: ``netwright search --task examples/own_task.py:Denoising --data digits --task-option noise=0.5``.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits

import netwright as nw
from netwright import nn
from netwright.tasks.learning import LearningTask
from netwright.types import Objective


class Denoising(LearningTask):
    """Noisy digits in, digits out; measured by the peak signal-to-noise ratio in dB."""

    name, objective, directions = "denoising", Objective("psnr", "max"), {"psnr": "max"}

    @classmethod
    def load(cls, data, *, seed=0, noise: float = 0.3):
        rng = np.random.default_rng(seed)
        clean = load_digits().images[:, None].astype("float32") / 16
        noisy = (clean + noise * rng.standard_normal(clean.shape)).astype("float32")
        parts = np.split(rng.permutation(len(clean)), [1297, 1547])  # training, validation, test
        return cls(*((noisy[rows], clean[rows]) for rows in parts), data_name=data, seed=seed)

    def loss(self, outputs, targets, label_smoothing=0.0):
        return ((outputs - targets) ** 2).mean()

    def scores(self, answers):  # outputs and targets, batch by batch; the last one is smaller
        errors = torch.cat([((outputs - targets) ** 2).flatten(1).mean(1) for outputs, targets in answers])
        return {"psnr": -10 * math.log10(errors.mean()), "loss": float(errors.mean())}

    def default_space(self):
        width, kernel = nw.choice("width", [8, 16, 24]), nw.choice("kernel", [3, 5])
        body = nn.repeat("depth", lambda i: nn.conv_norm_act(width, kernel=kernel), 1, 4)
        return nw.SearchSpace(nn.seq(body, nn.conv(1, kernel=3)))


def main() -> None:
    """Search for half a minute, and say what came out."""
    task = Denoising.load("digits")
    with tempfile.TemporaryDirectory() as folder:
        result = nw.search(task=task, budget="6 trials", max_epochs=3, workers=2, out=Path(folder) / "run")
        assert result.card is not None
        noisy, clean = task.test()
        print(f"noisy pictures: {-10 * np.log10(np.mean((noisy - clean) ** 2)):.2f} dB")
        print(f"found: {dict(result.best.architecture)}, test {result.card['metrics']['test_psnr']:.2f} dB")
        print(
            f"checked: {result.verified}; files: {sorted(path.name for path in (Path(folder) / 'run/best').iterdir())}"
        )


if __name__ == "__main__":
    main()
