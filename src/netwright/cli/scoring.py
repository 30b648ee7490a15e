"""``netwright score``: a space's architectures scored on one's own data by zero-cost proxies, before any training."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from netwright.cli.codes import FAILED, INTERRUPTED
from netwright.cli.outputs import require_no_input, require_writable, write_whole
from netwright.cli.searching import task_options
from netwright.cli.text import clean, duration
from netwright.errors import CapabilityError, SpecError, one_line

if TYPE_CHECKING:
    from netwright.cli.score_report import Report
    from netwright.evaluation.scoring import ProxyScorer
    from netwright.spec import SearchSpec

Text = str | None
REFRESH_S = 0.2


def score(
    data: Annotated[Text, typer.Option(help="File or folder of the task's data, or digits.")] = None,
    space: Annotated[str, typer.Option(help="A shipped search space (netwright spaces) or FILE.py:NAME.")] = "default",
    task: Annotated[str, typer.Option(help="A task (netwright tasks) or FILE.py:NAME.")] = "image-classification",
    task_option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Of the task's data, such as target=income.")
    ] = None,
    sample: Annotated[int, typer.Option(metavar="N", help="Architectures to score.")] = 1000,
    proxies: Annotated[str, typer.Option(metavar="A,B,...", help="Names, all, or default.")] = "default",
    batch: Annotated[int, typer.Option(metavar="N", help="Training examples each network is looked at with.")] = 64,
    seed: Annotated[int, typer.Option(metavar="N", help="Of sample, batch and first weights.")] = 0,
    workers: Annotated[int, typer.Option(metavar="N", help="Architectures at once.")] = 1,
    time_limit: Annotated[Text, typer.Option(help="Such as 10m: what is scored until then is told.")] = None,
    top: Annotated[int, typer.Option(metavar="N", min=0, help="How many of the best to list.")] = 10,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write everything to this file.")] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write a row an architecture to this file.")] = None,
) -> int:
    """Score architectures before training: which are best, do the scores agree, do they merely repeat size."""
    from netwright.spec import SearchSpec
    from netwright.types import parse_seconds

    read = task_options(task_option or ()) or None
    spec = SearchSpec.from_options(data=data, space=space, task=task, task_options=read, seed=seed, workers=workers)
    time_s = None if time_limit is None else parse_seconds("time_limit", time_limit, "90s, 10m or 2h")
    _require_outputs(json_file, csv_file, spec)
    try:
        report = _report(spec, sample, proxies, batch, time_s)
    except KeyboardInterrupt:
        print("\nstopped; nothing is written", file=sys.stderr)
        return INTERRUPTED
    return _tell(report, top, json_file, csv_file)


def _report(spec: SearchSpec, sample: int, proxies: str, batch: int, time_s: float | None) -> Report:
    """Draw, score, and put together what is told; what a person's own code prints goes to standard error."""
    from netwright.cli.score_report import Report
    from netwright.evaluation.score_table import ScoreTable
    from netwright.evaluation.scoring import sample_architectures
    from netwright.study.isolated_scores import IsolatedScores
    from netwright.temporary import temporary_folder

    progress = _Progress()
    with redirect_stdout(sys.stderr), temporary_folder() as folder:
        scorer = _scorer(spec, proxies, batch)
        drawn = sample_architectures(scorer.space, sample, spec.seed)
        begin_s = monotonic()
        try:
            with IsolatedScores(scorer, folder, workers=spec.workers) as scores:
                scored = scores.many(drawn, time_s=time_s, listener=progress)
        finally:
            progress.clear()
    if not scored:
        cure = "raise --time-limit, or score fewer or smaller networks"
        raise SpecError(f"time_limit: no architecture was scored within {duration(time_s)}; {cure}")
    table = ScoreTable(scorer.names, scored)
    return Report(spec, scorer.conditions, table, len(drawn), monotonic() - begin_s, sample)


def _scorer(spec: SearchSpec, proxies: str, batch: int) -> ProxyScorer:
    """The scorer; a space of a person's own is looked at closely, as before a search."""
    from netwright.evaluation.scoring import ProxyScorer, choose_proxies
    from netwright.study.preflight import require_networks
    from netwright.study.setup import find_space
    from netwright.tasks import load_task

    names = choose_proxies([name.strip() for name in proxies.split(",")])
    task = load_task(spec.task, spec.data, seed=spec.seed, **spec.task_options)
    if not task.classifies:
        cure = "take a task with one class an example (docs/tasks.md)"
        raise CapabilityError(f"networks of the task {one_line(spec.task)} cannot be scored before training; {cure}")
    space, _ = find_space(spec, task)
    if spec.space_file is not None:
        require_networks(task, space, f"space {one_line(spec.space)}", trained=False)
    return ProxyScorer(task, space, names, batch_size=batch, seed=spec.seed)


def _tell(report: Report, top: int, json_file: Path | None, csv_file: Path | None) -> int:
    from netwright.cli import score_report

    for line in score_report.lines(report, top):
        print(line)
    for path, text in ((json_file, score_report.as_json), (csv_file, score_report.as_csv)):
        if path is not None:
            write_whole(path, text(report))
            print(f"written: {clean(path)}")
    return FAILED if all(row.error for row in report.table.scored) else 0


def _require_outputs(json_file: Path | None, csv_file: Path | None, spec: SearchSpec) -> None:
    inputs = {"the data": Path(spec.data)}
    if spec.space_file is not None:
        inputs["the file of --space"] = spec.space_file[0]
    for option, path in (("--json", json_file), ("--csv", csv_file)):
        if path is not None:
            require_writable(option, path)
            require_no_input(option, path, inputs)
    if json_file is not None and csv_file is not None and json_file.resolve() == csv_file.resolve():
        raise SpecError(f"--json and --csv are the same file, {clean(csv_file)}; give each its own")


class _Progress:
    """How many architectures are scored, on standard error, where that is a terminal."""

    def __init__(self) -> None:
        self._begin_s = monotonic()
        self._shown_s = 0.0
        self._live = sys.stderr.isatty()

    def __call__(self, done: int, total: int) -> None:
        now_s = monotonic()
        if not self._live or now_s - self._shown_s < REFRESH_S:
            return
        self._shown_s = now_s
        left = duration((now_s - self._begin_s) / done * (total - done))
        print(f"\r{done} of {total} architectures, {left} left\x1b[K", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the line away."""
        if self._live and self._shown_s:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
