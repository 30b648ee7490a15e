"""Benchmarks: spaces whose architectures were all evaluated before, by name or from a file of one's own. No torch here.

Published ones are read from a folder of data (`load_benchmark`); none is shipped. Third parties add a benchmark through
an entry point of the group ``netwright.benchmarks``: its name, and a function of the folder of data.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import TypedDict, Unpack

from netwright.benchmarks.accel import accel_nasbench
from netwright.benchmarks.base import Benchmark, MetricInfo, NotInBenchmark
from netwright.benchmarks.hwgpt import hwgpt
from netwright.benchmarks.macro import channel_bench, nasbench_macro
from netwright.benchmarks.nasbench201 import DATASETS, nasbench201
from netwright.benchmarks.own_files import KINDS, read_table
from netwright.benchmarks.spikenas import spikenas
from netwright.benchmarks.table import Meaning, Scores, Table
from netwright.errors import UsageError, unknown, wrong
from netwright.space import SearchSpace

__all__ = [
    "BENCHMARKS",
    "Benchmark",
    "Columns",
    "Meaning",
    "MetricInfo",
    "NotInBenchmark",
    "Scores",
    "Table",
    "benchmark_names",
    "load_benchmark",
    "read_table",
]

Loader = Callable[[str | Path | None], Benchmark]

BENCHMARKS: Mapping[str, Loader] = MappingProxyType(
    {
        "accel-nasbench": accel_nasbench,
        "channel-bench-mobilenet": partial(channel_bench, "mobilenet"),
        "channel-bench-resnet": partial(channel_bench, "resnet"),
        "hwgpt-s": hwgpt,
        "nasbench-macro": nasbench_macro,
        **{f"nasbench201-{dataset}": partial(nasbench201, dataset) for dataset in DATASETS},
        "spikenas-cifar10": spikenas,
    }
)
"""What reads each published benchmark from a folder of data, by name."""

ENTRY_POINTS = "netwright.benchmarks"


class Columns(TypedDict, total=False):
    """What may be said about the columns of a file of one's own; see `read_table`."""

    decisions: Sequence[str] | None
    metrics: Mapping[str, str] | Sequence[str] | None
    fidelity: str | None
    cost: str | None
    seed_column: str | None
    space: SearchSpace | None
    test_metric: str | None


def benchmark_names() -> list[str]:
    """Names `load_benchmark` knows: ours and those of installed plug-ins."""
    return sorted({*BENCHMARKS, *(point.name for point in entry_points(group=ENTRY_POINTS))})


def load_benchmark(
    name_or_file: str | Path | Benchmark, data: str | Path | None = None, **columns: Unpack[Columns]
) -> Benchmark:
    """Open a benchmark: by its name, or from a file of one's own. An object that is one is returned as it is.

    Args:
        name_or_file: a name of ours or of a plug-in, or the path of a table (see `read_table`); a `Path` is never a
            name.
        data: folder of data of the published benchmarks.
        **columns: what the columns of a file are.

    Raises:
        UsageError: there is no such name, or columns are given for a benchmark that is not a file.
        DataError: the files are missing or cannot be used.
    """
    if isinstance(name_or_file, Benchmark):
        return name_or_file
    name = str(name_or_file)
    loader = None if isinstance(name_or_file, Path) else _loader(name)
    if loader is None:
        if isinstance(name_or_file, str) and not name.lower().endswith(tuple(KINDS)) and not os.path.exists(name):  # noqa: PTH110 - Path.exists raises for names that are too long
            raise UsageError(f"{unknown('benchmark', name, benchmark_names())}; or a file: {', '.join(KINDS)}")
        return read_table(name_or_file, **columns)
    given = [key for key, value in columns.items() if value is not None]
    if given:
        raise UsageError(wrong(given[0], columns.get(given[0]), f"left out for the benchmark {name!r}, which knows it"))
    return loader(data)


def _loader(name: str) -> Loader | None:
    if name in BENCHMARKS:
        return BENCHMARKS[name]
    for point in entry_points(group=ENTRY_POINTS):
        if point.name == name:
            loaded: Loader = point.load()
            return loaded
    return None
