"""Benchmarks that choose an operation or a width for each layer of a chain, all trained on CIFAR-10.

NAS-Bench-Macro: ``nasbench_macro/nasbench_macro.npz``, made from the repository xiusu/NAS-Bench-Macro (Apache-2.0).
    8 layers in stages of 2, 3 and 3, each an identity or one of two inverted bottlenecks; all 6,561 networks. In the
    first layer of a stage the identity changes the shape; in the others it is none, so that 22212202 and 22212220 are
    one network. There are 3,969 different ones, the table holds one training of each, and so do canonical ids.
Channel-Bench-Macro: ``channel_bench_macro/{resnet,mobilenet}.npz``, made from the repository mingkai-zheng/GENIUS (no
licence stated).
    The width of 7 groups of layers, from 1 to 4 quarters of the full one; all 16,384 networks, for two designs.

Metrics: ``test_accuracy`` in [0, 1], mean of three seeds; ``params``; ``macs`` (the files' FLOPs are multiply-adds: a
block of kernel 3 and expansion 3 on 64 channels of 16 x 16 adds 6,733,824).

References:
    X. Su et al., 2021, "Prioritized Architecture Sampling with Monto-Carlo Tree Search" (NAS-Bench-Macro).
    X. Su et al., 2021, "BCNet" (Channel-Bench-Macro).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from netwright.benchmarks.base import MetricInfo
from netwright.benchmarks.data_files import Arrays, DataFile
from netwright.benchmarks.grouping import Grouping
from netwright.benchmarks.table import Meaning, Scores, Table
from netwright.errors import UsageError, unknown
from netwright.space import Node, OneOf, Op, SearchSpace, choice
from netwright.types import Fidelity

BLOCKS = ("identity", "mb_k3_e3", "mb_k5_e6")
"""The blocks of NAS-Bench-Macro, in the order of its digits 0, 1 and 2."""

STAGE_STARTS = (0, 2, 5)
"""The layers of NAS-Bench-Macro that change the shape."""

WIDTHS = (1, 2, 3, 4)
METRICS = {"test_accuracy": MetricInfo("max"), "params": MetricInfo("min"), "macs": MetricInfo("min")}
_CHANNELS = "mingkai-zheng/GENIUS (no licence)"
_MACRO = DataFile("nasbench-macro", "nasbench_macro/nasbench_macro.npz", "xiusu/NAS-Bench-Macro (Apache-2.0)")
_CHANNEL = {
    design: DataFile(f"channel-bench-{design}", f"channel_bench_macro/{design}.npz", _CHANNELS)
    for design in ("resnet", "mobilenet")
}


def nasbench_macro(data: str | Path | None) -> Table:
    """Read NAS-Bench-Macro.

    Args:
        data: folder that holds ``nasbench_macro/nasbench_macro.npz``.

    Raises:
        DataError: the file is missing or cannot be read.
    """
    arrays = _MACRO.read(data)
    names = [f"layer{i}" for i in range(arrays["arch"].shape[1])]
    layers = [_block(name, stage_start=layer in STAGE_STARTS) for layer, name in enumerate(names)]
    grouping = Grouping.of(dict.fromkeys(names, BLOCKS), arrays["arch"].astype(np.int64) + 1)
    return _table(_MACRO.benchmark, layers, grouping, arrays)


def _block(name: str, *, stage_start: bool) -> Node:
    kind = "mbconv_new_shape" if stage_start else "mbconv"
    small, large = (Op(kind, (("kernel", k), ("expansion", e))) for k, e in ((3, 3), (5, 6)))
    skip = Op("new_shape" if stage_start else "identity")
    return OneOf(choice(name, BLOCKS), tuple(zip(BLOCKS, (skip, small, large), strict=True)))


def channel_bench(design: str, data: str | Path | None) -> Table:
    """Read Channel-Bench-Macro.

    Args:
        design: ``resnet`` or ``mobilenet``.
        data: folder that holds ``channel_bench_macro/resnet.npz`` or ``mobilenet.npz``.

    Raises:
        UsageError: there is no such design.
        DataError: the file is missing or cannot be read.
    """
    if design not in _CHANNEL:
        raise UsageError(unknown("design", design, _CHANNEL))
    arrays = _CHANNEL[design].read(data)
    names = [f"width{i}" for i in range(arrays["arch"].shape[1])]
    layers: list[Node] = [Op("conv", (("quarters", choice(name, WIDTHS)),)) for name in names]
    grouping = Grouping.of(dict.fromkeys(names, WIDTHS), arrays["arch"].astype(np.int64))
    return _table(_CHANNEL[design].benchmark, layers, grouping, arrays)


def _table(name: str, layers: list[Node], grouping: Grouping, arrays: Arrays) -> Table:
    numbers = {
        "test_accuracy": grouping.mean(arrays["mean_acc"].astype(float) / 100),
        "params": grouping.mean(arrays["params"].astype(float)),
        "macs": grouping.mean(arrays["flops"].astype(float)),
    }
    space = SearchSpace(Op("seq", (), tuple(layers)))
    return Table(Meaning(name, METRICS), space, grouping.rows, {Fidelity(): Scores(numbers)})
