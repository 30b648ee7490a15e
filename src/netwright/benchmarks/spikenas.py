"""SpikeNAS-Bench: every cell of a space trained as a spiking network on CIFAR-10, with its whole learning curve.

File: ``spikenas_curves/spikenas_cifar10.npz``, made from the repository YuanLi-X/SpikeNAS-Bench (no licence stated).

Metrics, accuracies in [0, 1]:
    ``val_accuracy``, ``val_loss``, ``train_accuracy``, ``train_loss``
        After each epoch. 690 architectures were trained for 200 epochs; for them epoch 100 is in the middle of the
        schedule.
    ``test_accuracy``
        At the end of the training; known at the full fidelity only.
    ``train_time_s``
        Seconds until the epoch, the cost: the time of the whole training times the share of its epochs.
    ``params``, ``firing_rate``
        Weights; mean over the layers of how often a neuron fires.

Fidelities: 1 to 100 epochs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from netwright.benchmarks.base import MetricInfo
from netwright.benchmarks.cells import cell_space
from netwright.benchmarks.data_files import Arrays, DataFile
from netwright.benchmarks.grouping import Grouping
from netwright.benchmarks.table import Meaning, Scores, Table
from netwright.types import Fidelity

CURVES = {
    "val_accuracy": ("val_acc_x250", 25_000),
    "val_loss": ("val_loss_x1000", 1_000),
    "train_accuracy": ("train_acc_x250", 25_000),
    "train_loss": ("train_loss_x1000", 1_000),
}
"""Array of every curve, and what its whole numbers are divided by (accuracies are in hundredths of 1 / 250)."""

METRICS = {
    "val_accuracy": MetricInfo("max", "test_accuracy"),
    "test_accuracy": MetricInfo("max"),
    "val_loss": MetricInfo("min"),
    "train_accuracy": MetricInfo("max"),
    "train_loss": MetricInfo("min"),
    "train_time_s": MetricInfo("min", unit="s"),
    "params": MetricInfo("min"),
    "firing_rate": MetricInfo("min"),
}
_FILE = DataFile("spikenas-cifar10", "spikenas_curves/spikenas_cifar10.npz", "YuanLi-X/SpikeNAS-Bench (no licence)")


def spikenas(data: str | Path | None) -> Table:
    """Read SpikeNAS-Bench.

    Args:
        data: folder that holds ``spikenas_curves/spikenas_cifar10.npz``.

    Raises:
        DataError: the file is missing or cannot be read.
    """
    arrays = _FILE.read(data)
    pairs = [(int(source), int(target)) for source, target in arrays["edges"]]
    edges = {f"edge{source}-{target}": (source, target) for source, target in pairs}
    operations = arrays.names("op_names")
    grouping = Grouping.of(dict.fromkeys(edges, operations), arrays["ops"].astype(np.int64) + 1)
    scores = _scores(arrays, grouping)
    meaning = Meaning(_FILE.benchmark, METRICS, cost="train_time_s")
    return Table(meaning, cell_space(edges, operations), grouping.rows, scores)


def _scores(arrays: Arrays, grouping: Grouping) -> dict[Fidelity, Scores]:
    curves = {metric: arrays[array] / divisor for metric, (array, divisor) in CURVES.items()}
    num_epochs = arrays[CURVES["val_accuracy"][0]].shape[1]
    time_s = grouping.mean(arrays["elapsed_s"] / arrays["n_epochs"])
    fixed = {
        "params": grouping.mean(arrays["params"].astype(float)),
        "firing_rate": grouping.mean(arrays["firing_rate"].mean(axis=1, dtype=float)),
    }
    scores = {}
    for epoch in range(1, num_epochs + 1):
        numbers = {metric: grouping.mean(curve[:, epoch - 1]) for metric, curve in curves.items()}
        if epoch == num_epochs:
            numbers["test_accuracy"] = grouping.mean(arrays["test_acc"].astype(float) / 100)
        scores[Fidelity(epochs=epoch)] = Scores({**numbers, "train_time_s": time_s * epoch, **fixed})
    return scores
