"""Accel-NASBench: networks like MnasNet, trained by a short recipe on ImageNet and timed on six accelerators.

File: ``accel_nasbench/accel_nasbench.npz``, made from the repository afzalxo/Accel-NASBench (Apache-2.0).

The table is sparse: 5,125 architectures of a space of billions, so searches stay on them (`RowsSpace`). 13 of them were
trained twice; the numbers are then means.

Metrics: ``val_accuracy`` and ``val_top5_accuracy`` in [0, 1], ``train_time_s`` (the cost), ``macs``, ``params``,
``latency_ms_<device>`` and ``throughput_<device>`` in images a second. At most 44 of a metric are missing: NaN.

References:
    A. Ahmad et al., 2024, "Accel-NASBench: Sustainable Benchmarking for Accelerator-Aware NAS".
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from netwright.benchmarks.base import MetricInfo
from netwright.benchmarks.data_files import Arrays, DataFile
from netwright.benchmarks.grouping import Grouping
from netwright.benchmarks.table import Meaning, Scores, Table
from netwright.space import Node, Op, Repeat, SearchSpace, choice
from netwright.types import Fidelity, Value

DECISIONS = {"expansion": "arch_e", "kernel": "arch_k", "layers": "arch_l", "squeeze": "arch_se"}
"""Array of every decision; each has a column a block."""

_FILE = DataFile("accel-nasbench", "accel_nasbench/accel_nasbench.npz", "afzalxo/Accel-NASBench (Apache-2.0)")


def accel_nasbench(data: str | Path | None) -> Table:
    """Read Accel-NASBench.

    Args:
        data: folder that holds ``accel_nasbench/accel_nasbench.npz``.

    Raises:
        DataError: the file is missing or cannot be read.
    """
    arrays = _FILE.read(data)
    values: dict[str, tuple[Value, ...]] = {}
    codes = []
    for block in range(arrays["arch_e"].shape[1]):
        for decision, array in DECISIONS.items():
            found, places = np.unique(arrays[array][:, block], return_inverse=True)
            values[f"{decision}{block}"] = tuple(found.tolist())
            codes.append(places.reshape(-1) + 1)
    grouping = Grouping.of(values, np.column_stack(codes))
    numbers = {metric: grouping.mean(column) for metric, column in _columns(arrays).items()}
    meaning = Meaning(_FILE.benchmark, {metric: _info(metric) for metric in numbers}, cost="train_time_s")
    return Table(meaning, _space(values), grouping.rows, {Fidelity(): Scores(numbers)})


def _space(values: dict[str, tuple[Value, ...]]) -> SearchSpace:
    choices = {name: choice(name, found) for name, found in values.items()}
    blocks: list[Node] = []
    for block in range(len(values) // len(DECISIONS)):
        args = [(decision, choices[f"{decision}{block}"]) for decision in DECISIONS if decision != "layers"]
        most = max(layers for layers in values[f"layers{block}"] if isinstance(layers, int))
        layer = Op("mbconv", (("block", block), *args))
        blocks.append(Repeat(choices[f"layers{block}"], (layer,) * most))
    return SearchSpace(Op("seq", (), tuple(blocks)))


def _columns(arrays: Arrays) -> dict[str, np.ndarray]:
    """Every metric, by name; accuracies become shares."""
    columns = {
        "val_accuracy": arrays["val_top1"] / 100.0,
        "val_top5_accuracy": arrays["val_top5"] / 100.0,
        "train_time_s": arrays["train_time"],
        "macs": 1e6 * arrays["macs"],
        "params": 1e6 * arrays["params"],
    }
    for array in sorted(arrays):
        if array.startswith(("latency_", "throughput_")):
            columns[array.replace("latency_", "latency_ms_")] = arrays[array]
    return {metric: column.astype(float) for metric, column in columns.items()}


def _info(metric: str) -> MetricInfo:
    if metric.startswith("throughput_"):
        return MetricInfo("max", unit="images/s")
    unit = "s" if metric == "train_time_s" else "ms" if metric.startswith("latency_ms_") else ""
    return MetricInfo("max" if metric.endswith("accuracy") else "min", unit=unit)
