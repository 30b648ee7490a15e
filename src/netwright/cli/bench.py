"""``netwright bench``: strategies compared on a benchmark, or on a table of one's own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from netwright.cli.bench_table import TableOptions, open_table
from netwright.cli.codes import FAILED, INTERRUPTED
from netwright.cli.outputs import require_no_input, require_writable, write_whole
from netwright.cli.text import clean, clean_indented, duration, table
from netwright.errors import SpecError

if TYPE_CHECKING:
    from netwright.comparison import Comparison
    from netwright.comparison.journal import SearchRun

Text = str | None
List = list[str] | None
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
REFRESH_S = 0.2
TABLE = (
    "A .csv, .tsv, .parquet or .npz file, or a benchmark: accel-nasbench, channel-bench-mobilenet, "
    "channel-bench-resnet, hwgpt-s, nasbench-macro, nasbench201-cifar10, nasbench201-cifar100, "
    "nasbench201-imagenet16-120, spikenas-cifar10."
)
"""What may be named: `netwright.benchmarks.BENCHMARKS`, which is not imported for ``--help``."""


def bench(
    name: Annotated[str, typer.Argument(metavar="TABLE", help=TABLE)],
    strategy: Annotated[List, typer.Option(help="Such as random,local,evolution:population=50,tournament=10.")] = None,
    queries: Annotated[int, typer.Option(metavar="N", help="Evaluations of a search.")] = 300,
    seeds: Annotated[int, typer.Option(metavar="N", help="Searches of each strategy.")] = 30,
    protocol: Annotated[str, typer.Option(help="oracle (what is read is reported) or validation.")] = "oracle",
    metric: Annotated[Text, typer.Option(help="What the searches read.  [default: the table's first]")] = None,
    test_metric: Annotated[Text, typer.Option(help="What the incumbent is scored by (validation).")] = None,
    direction: Annotated[Text, typer.Option(help="max or min: in which the metric is better.")] = None,
    objective: Annotated[List, typer.Option(help="A further one, such as latency_ms:min; may be repeated.")] = None,
    constraint: Annotated[List, typer.Option(help="Such as 'params<=1M'; may be repeated.")] = None,
    cost: Annotated[Text, typer.Option(help="Metric with the seconds of an evaluation.")] = None,
    continued: Annotated[bool, typer.Option("--continued", help="A longer training goes on from a shorter.")] = False,
    proxy: Annotated[List, typer.Option(help="A metric known without training, such as naswot; repeatable.")] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Simulate so many workers, too.")] = None,
    target: Annotated[list[float] | None, typer.Option(help="A regret; with workers, the time to it.")] = None,
    data: Annotated[Text, typer.Option(metavar="FOLDER", help="Folder of the published benchmarks' files.")] = None,
    decisions: Annotated[Text, typer.Option(metavar="A,B,...", help="Of a file: columns that are decisions.")] = None,
    fidelity_column: Annotated[Text, typer.Option(help="Of a file: column of the epochs.")] = None,
    seed_column: Annotated[Text, typer.Option(help="Of a file: column that tells repeats apart.")] = None,
    space: Annotated[Text, typer.Option(help="Of a file: FILE.py:NAME of a declared space; runs that file.")] = None,
    jobs: Annotated[int | None, typer.Option(metavar="N", help="Processes.  [default: one for each core]")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write everything to this file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Write the curves of regret to this .svg file.")] = None,
) -> int:
    """Compare strategies on a table: curves with intervals, queries to the optimum, tests over paired seeds."""
    _one_thread()
    _require_outputs(json_file, plot, _inputs(name, data, space))
    if not strategy:
        raise SpecError("strategy is missing; name some to compare: --strategy random,local,evolution")
    from netwright.comparison import Settings, compare

    settings = Settings(
        metric=metric,
        protocol=protocol,
        test_metric=test_metric,
        direction=direction,
        objectives=tuple(objective or ()),
        constraints=tuple(constraint or ()),
        queries=queries,
        seeds=seeds,
        cost=cost,
        workers=workers,
        targets=tuple(target or ()),
        continued=continued,
        proxies=tuple(proxy or ()),
    )
    loaded = open_table(TableOptions(name, data, decisions, fidelity_column, seed_column, space), settings)
    progress = Progress()
    try:
        comparison = compare(loaded, strategy, settings, jobs=jobs, listener=progress)
    except KeyboardInterrupt:
        print("\nstopped; nothing is written", file=sys.stderr)
        return INTERRUPTED
    finally:
        progress.clear()
    _print(comparison)
    _write(comparison, json_file, plot)
    return FAILED if comparison.crashes else 0


def _one_thread() -> None:
    """One thread for numerical libraries, which read this when they are loaded: processes use the cores better."""
    if "numpy" not in sys.modules:
        for variable in THREADS:
            os.environ[variable] = "1"


def _inputs(name: str, data: str | None, space: str | None) -> dict[str, Path]:
    """What is read, and so is not written over, by what it is."""
    texts = {"the table itself": name, "the folder of --data": data, "the file of --space": space and _file_of(space)}
    return {what: Path(text) for what, text in texts.items() if text and os.path.exists(text)}  # noqa: PTH110 - Path.exists raises for long names


def _file_of(space: str) -> str:
    return space.rpartition(":")[0]


def _require_outputs(json_file: Path | None, plot: Path | None, inputs: Mapping[str, Path]) -> None:
    for option, path in (("--json", json_file), ("--plot", plot)):
        if path is not None:
            require_writable(option, path)
            require_no_input(option, path, inputs)
    if plot is not None and plot.suffix.lower() != ".svg":
        raise SpecError(f"--plot: {clean(plot)} must end in .svg, the only kind of picture that is written")
    if json_file is not None and plot is not None and json_file.resolve() == plot.resolve():
        raise SpecError(f"--json and --plot are the same file, {clean(plot)}; give each its own")


class Progress:
    """How many searches have ended, on standard error, where that is a terminal."""

    def __init__(self) -> None:
        self._start_s = monotonic()
        self._shown_s = 0.0
        self._crashed = 0
        self._live = sys.stderr.isatty()

    def __call__(self, ended: int, total: int, run: SearchRun) -> None:
        self._crashed += bool(run.error)
        now_s = monotonic()
        if not self._live or (now_s - self._shown_s < REFRESH_S and ended < total):
            return
        self._shown_s = now_s
        left = (now_s - self._start_s) / ended * (total - ended)
        crashed = f", {self._crashed} crashed" if self._crashed else ""
        print(
            f"\r{ended} of {total} searches{crashed}, {duration(left)} left\x1b[K", end="", file=sys.stderr, flush=True
        )

    def clear(self) -> None:
        """Take the line away."""
        if self._live and self._shown_s:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _print(comparison: Comparison) -> None:
    from netwright.comparison import tables

    print(clean(tables.headline(comparison)))
    if comparison.about:
        print(clean(comparison.about))
    for rows_of in tables.ALL_ROWS:
        headers, rows = rows_of(comparison)
        if rows:
            print()
            print(table(headers, rows))
    lines = tables.pair_lines(comparison)
    if lines:
        print()
    for line in (*lines, *tables.note_lines(comparison)):
        print(clean_indented(line))


def _write(comparison: Comparison, json_file: Path | None, plot: Path | None) -> None:
    from netwright.comparison import to_dict, to_svg

    if json_file is not None:
        write_whole(json_file, json.dumps(to_dict(comparison), allow_nan=False) + "\n")
        print(f"written: {clean(json_file)}")
    if plot is not None:
        write_whole(plot, to_svg(comparison))
        print(f"written: {clean(plot)}")
