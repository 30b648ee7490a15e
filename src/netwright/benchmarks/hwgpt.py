"""HW-GPT-Bench, scale s: language models like GPT-2 small. Predictions of the benchmark's networks, not measurements.

File: ``hwgpt_surrogate/hwgpt_s.npz``: 20,000 random architectures scored with the published surrogates of the
repository automl/HW-GPT-Bench (Apache-2.0).

The table is sparse, so searches stay on its rows (`RowsSpace`). The layers that an architecture does not have leave no
decisions behind.

Metrics: ``perplexity`` on OpenWebText, ``params``, and ``memory_bytes`` in 16 bits (the file's MB are taken as 10**6
bytes). All are better when small.

References:
    R. S. Sukthanker et al., 2024, "HW-GPT-Bench: Hardware-Aware Architecture Benchmark for Language Models".
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from netwright.benchmarks.base import MetricInfo
from netwright.benchmarks.data_files import Arrays, DataFile
from netwright.benchmarks.grouping import Grouping
from netwright.benchmarks.table import Meaning, Scores, Table
from netwright.space import Op, Repeat, SearchSpace, choice
from netwright.types import Fidelity, Value

METRICS = {
    "perplexity": MetricInfo("min"),
    "params": MetricInfo("min"),
    "memory_bytes": MetricInfo("min", unit="bytes"),
}
_FILE = DataFile("hwgpt-s", "hwgpt_surrogate/hwgpt_s.npz", "automl/HW-GPT-Bench (Apache-2.0)")


def hwgpt(data: str | Path | None) -> Table:
    """Read the surrogate table of HW-GPT-Bench.

    Args:
        data: folder that holds ``hwgpt_surrogate/hwgpt_s.npz``.

    Raises:
        DataError: the file is missing or cannot be read.
    """
    arrays = _FILE.read(data)
    columns = _columns(arrays)
    values: dict[str, tuple[Value, ...]] = {}
    codes = []
    for name, column in columns.items():
        found, places = np.unique(column, return_inverse=True)
        absent = int(found[0] == 0 and name != "bias")  # 0 stands for no such layer
        values[name] = tuple(found[absent:].tolist())
        codes.append(places.reshape(-1) + 1 - absent)
    grouping = Grouping.of(values, np.column_stack(codes))
    numbers = {
        "perplexity": grouping.mean(arrays["ppl"].astype(float)),
        "params": grouping.mean(1e6 * arrays["params_M"].astype(float)),
        "memory_bytes": grouping.mean(1e6 * arrays["float16_memory_MB"].astype(float)),
    }
    return Table(Meaning(_FILE.benchmark, METRICS), _space(values), grouping.rows, {Fidelity(): Scores(numbers)})


def _columns(arrays: Arrays) -> dict[str, np.ndarray]:
    """The column of every decision, in the order of the declaration."""
    columns = {"embed_dim": arrays["embed_dim"], "bias": arrays["bias"].astype(bool), "n_layer": arrays["n_layer"]}
    for layer in range(arrays["n_head"].shape[1]):
        columns[f"n_head{layer}"] = arrays["n_head"][:, layer]
        columns[f"mlp_ratio{layer}"] = arrays["mlp_ratio"][:, layer]
    return columns


def _space(values: dict[str, tuple[Value, ...]]) -> SearchSpace:
    choices = {name: choice(name, found) for name, found in values.items()}
    width, bias = ("width", choices["embed_dim"]), ("bias", choices["bias"])
    blocks = []
    for layer in range(sum(name.startswith("n_head") for name in values)):
        args = (width, bias, ("heads", choices[f"n_head{layer}"]), ("mlp_ratio", choices[f"mlp_ratio{layer}"]))
        blocks.append(Op("transformer_block", args))
    network = (Op("embedding", (width,)), Repeat(choices["n_layer"], tuple(blocks)), Op("head", (bias,)))
    return SearchSpace(Op("seq", (), network))
