"""``netwright tasks``: what can be searched for by name, from which data, and by what it is measured."""

from __future__ import annotations

from typing import Annotated

import typer

from netwright.cli.text import clean, json_line


def tasks(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> int:
    """List the tasks with their data and metrics."""
    from netwright.tasks import TASKS

    if as_json:
        rows = [{"name": n, "metrics": dict(entry.directions), "data": entry.data} for n, entry in TASKS.items()]
        print(json_line({"tasks": rows}))
        return 0
    for name, entry in TASKS.items():
        metrics = ", ".join(f"{metric} ({direction})" for metric, direction in entry.directions.items())
        print(f"{name}: {clean(metrics)}\n  {clean(entry.data)}")
    print("FILE.py:NAME: a task of your own, a class with load(data, *, seed, **options); see docs/tasks.md")
    return 0
