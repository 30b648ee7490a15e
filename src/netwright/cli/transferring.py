"""``netwright transfer`` and ``netwright report transfer``: what one data set taught, for another."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from netwright.cli.runs import study_folder
from netwright.cli.searching import AsJson, Quiet, task_options
from netwright.cli.text import clean, json_line, table


def transfer(
    run: Annotated[Path, typer.Argument(help="Folder of the run.", metavar="RUN")],
    data: Annotated[str, typer.Option(help="Other data of the same task.")],
    out: Annotated[Path, typer.Option(help="Folder to write to; one that was stopped goes on.")],
    budget: Annotated[str, typer.Option(help="Of each of both searches: 90s, 10m, '24 trials'.")] = "10m",
    workers: Annotated[int, typer.Option(metavar="N", help="Trials at once.")] = 1,
    seed: Annotated[int, typer.Option(metavar="N", help="Of everything random.")] = 0,
    networks: Annotated[int, typer.Option(metavar="N", help="Networks that are carried over, at most.")] = 4,
    weights: Annotated[bool, typer.Option("--weights/--no-weights", help="Begin with trained weights.")] = True,
    compare: Annotated[bool, typer.Option("--compare/--no-compare", help="Search from nothing, too.")] = True,
    task_option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Of the other data, where it differs from the run's.")
    ] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Train the networks that a run found on other data, and compare with a search from nothing at the same budget."""
    from netwright.cli.progress import showing
    from netwright.errors import Interrupted

    folder = study_folder(run)
    from netwright.types import Budget

    Budget.parse(budget)
    options = task_options(task_option or ())
    from netwright.study.transfer import transfer as carry

    try:
        with showing(quiet=quiet, as_json=as_json) as display:
            arms = carry(
                folder,
                data,
                out,
                budget=budget,
                seed=seed,
                workers=workers,
                most=networks,
                weights=weights,
                compare=compare,
                task_options=options,
                listener=display,
            )
    except (Interrupted, KeyboardInterrupt) as stop:
        print("stopped; the same command goes on", file=sys.stderr)
        return 128 + (stop.signal_number if isinstance(stop, Interrupted) else signal.SIGINT)
    if as_json:
        print(json_line({"arms": [arm.to_dict() for arm in arms]}))
        return 0
    rows = [
        (
            arm.name,
            f"{arm.validation:.4f}",
            f"{arm.test:.4f}",
            f"{arm.share:.0%}",
            arm.result.num_trials,
            arm.result.run,
        )
        for arm in arms
    ]
    print(table(("", f"validation {arms[0].metric}", f"test {arms[0].metric}", "weights", "trials", "run"), rows))
    return 0


def make_report() -> typer.Typer:
    """The commands of the group ``report``."""
    group = typer.Typer(help="Comparisons of runs.", add_completion=False, rich_markup_mode=None, no_args_is_help=True)
    group.callback()(_group)
    group.command("transfer")(report_transfer)
    return group


def _group() -> None:
    """Take a name, though there is one command only."""


def report_transfer(
    runs: Annotated[list[Path], typer.Argument(help="Two runs or more.", metavar="RUN RUN...")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Say how the rankings of runs on different data sets agree, by the architectures that both have trained."""
    from itertools import combinations

    from netwright.errors import SpecError, wrong
    from netwright.study.rung_audit import FEWEST
    from netwright.study.transfer import likeness

    if len(runs) < 2:
        raise SpecError(wrong("runs", [str(r) for r in runs], "two runs or more"))
    found = [likeness(a, b) for a, b in combinations([study_folder(run) for run in runs], 2)]
    if as_json:
        keys = ("runs", "count", "tau", "low", "high", "place")
        print(json_line({"pairs": [{key: getattr(one, key) for key in keys} for one in found]}))
        return 0
    rows = []
    for one in found:
        unknown = "too few to say" if one.count < FEWEST else "all alike in one of them"
        tau = f"{one.tau:.2f} [{one.low:.2f}, {one.high:.2f}]" if one.tau == one.tau else unknown
        rows.append((clean(one.runs[0], 40), clean(one.runs[1], 40), one.count, tau, one.place or "-"))
    print(table(("run", "run", "architectures of both", "Kendall's tau, 95 %", "best of the first is number"), rows))
    return 0
