"""``netwright search`` and ``netwright resume``: options in, a search with its progress, a result out."""

from __future__ import annotations

import re
import shlex
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netwright.cli.progress import Display, showing
from netwright.cli.text import clean

if TYPE_CHECKING:
    from netwright.study.result import Result

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors and the last line only.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]
Text = str | None
NUMBERS = ("workers", "seed", "min_epochs", "max_epochs", "eta", "latency_batch", "latency_threads")
"""Options that are numbers; the specification checks them, so that every form of it is refused in the same words."""


def search(
    spec: Annotated[Path | None, typer.Argument(help="YAML file; options win over its keys.")] = None,
    task: Annotated[Text, typer.Option(help="What is learned (netwright tasks lists them), or FILE.py:NAME.")] = None,
    data: Annotated[Text, typer.Option(help="File or folder of the task's data, or digits.")] = None,
    task_option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Of the task's data, such as target=income.")
    ] = None,
    budget: Annotated[Text, typer.Option(help="90s, 10m, 2h, '24 trials' or '300 epochs'.  [default: 10m]")] = None,
    constraint: Annotated[list[str] | None, typer.Option(help="Such as 'params<=200k'; may be repeated.")] = None,
    objective: Annotated[list[str] | None, typer.Option(help="Such as accuracy or latency_ms; repeatable.")] = None,
    workers: Annotated[Text, typer.Option(metavar="N", help="Trials at once.  [default: 1]")] = None,
    seed: Annotated[Text, typer.Option(metavar="N", help="Of everything random.  [default: 0]")] = None,
    out: Annotated[Text, typer.Option(help="Folder of the run, new or empty.  [default: runs/TIME]")] = None,
    space: Annotated[Text, typer.Option(help="A shipped search space (netwright spaces) or FILE.py:NAME.")] = None,
    strategy: Annotated[Text, typer.Option(help="auto, bayesian, evolution, ...; README lists all.")] = None,
    warm_start: Annotated[list[str] | None, typer.Option(help="Run to begin with; may be repeated.")] = None,
    ladder: Annotated[
        Text,
        typer.Option(
            metavar="A,B,...", help="Rungs: proxies, predictor, supernet, short, long, full; or default, none."
        ),
    ] = None,
    evaluator: Annotated[Text, typer.Option(help="training, or supernet: on shared weights.")] = None,
    supernet: Annotated[Text, typer.Option(help="Folder of a trained supernet, for that evaluator.")] = None,
    teacher: Annotated[
        bool | None,
        typer.Option("--teacher/--no-teacher", help="Of a supernet: its largest network teaches."),
    ] = None,
    inherit: Annotated[
        bool | None, typer.Option("--inherit/--no-inherit", help="Children begin with their parents' weights.")
    ] = None,
    halving: Annotated[bool | None, typer.Option("--halving/--no-halving", help="Stop hopeless trials early.")] = None,
    min_epochs: Annotated[Text, typer.Option(metavar="N", help="Epochs of the shortest training.")] = None,
    max_epochs: Annotated[Text, typer.Option(metavar="N", help="Epochs of the longest training.")] = None,
    eta: Annotated[Text, typer.Option(metavar="N", help="Of each eta trials of a rung, one goes on.")] = None,
    device: Annotated[Text, typer.Option(help="cpu, cuda, cuda:0 or mps.  [default: cpu]")] = None,
    unordered: Annotated[bool | None, typer.Option("--unordered/--ordered", help="Faster, not reproducible.")] = None,
    trial_time_limit: Annotated[Text, typer.Option(help="Such as 5m.")] = None,
    trial_memory_limit: Annotated[Text, typer.Option(help="Such as 2Gi.")] = None,
    latency_runtime: Annotated[Text, typer.Option(help="torch, onnxruntime, ...: docs/latency.md.")] = None,
    latency_batch: Annotated[Text, typer.Option(metavar="N", help="Examples a batch when latency is measured.")] = None,
    latency_threads: Annotated[Text, typer.Option(metavar="N", help="Threads when latency is measured.")] = None,
    latency_device_command: Annotated[
        Text, typer.Option(help="Measures {onnx} elsewhere and prints milliseconds; its runtime is device.")
    ] = None,
    latency_precision: Annotated[Text, typer.Option(help="float32, or int8 in an ONNX runtime.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Search for a network: data and limits in; source, weights, ONNX and the evidence out."""
    options = _options({key: value for key, value in locals().items() if key not in ("spec", "quiet", "as_json")})

    from netwright.run_folders import require_free
    from netwright.spec import SearchSpec, load_spec

    resolved = load_spec(spec, **options) if spec is not None else SearchSpec.from_options(**options)
    require_free(resolved.out)

    from netwright.search import search as run

    return _run(lambda display: run(resolved, listener=display), Path(resolved.out), quiet=quiet, as_json=as_json)


def _options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a specification by those of the command line."""
    options = {**given, **{key: _number(given[key]) for key in NUMBERS}}
    if options["latency_device_command"] is not None and options["latency_runtime"] is None:
        options["latency_runtime"] = "device"
    options["warm_start"] = options.pop("warm_start") or None
    options["task_options"] = task_options(options.pop("task_option") or ()) or None
    options["constraints"], options["objectives"] = options.pop("constraint") or None, options.pop("objective") or None
    return options


def resume(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    budget: Annotated[Text, typer.Option(help="A larger budget, such as 20m; what was spent counts.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Go on with a search that was interrupted, or with a finished one under a larger budget."""
    from netwright.cli.runs import study_folder

    folder = study_folder(run)
    if budget is not None:
        from netwright.types import Budget

        Budget.parse(budget)

    from netwright.search import resume as go_on

    return _run(lambda display: go_on(folder, budget=budget, listener=display), folder, quiet=quiet, as_json=as_json)


def task_options(texts: Sequence[str]) -> dict[str, str | int | float | bool]:
    """Options of a task from ``NAME=VALUE`` texts; true, false and numbers are what they look like.

    Raises:
        SpecError: a text has no name.
    """
    from netwright.errors import SpecError, wrong

    found: dict[str, str | int | float | bool] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.replace("-", "_").isidentifier():
            raise SpecError(wrong("task option", text, "NAME=VALUE, such as target=income"))
        plain = value if re.match("[-+]?0[0-9]", value) else _number(value)  # 007 is a name
        known = {"true": True, "false": False}.get(value.lower(), plain)
        found[name.replace("-", "_")] = value if known is None else known
    return found


def _number(text: str | None) -> str | int | float | None:
    """The number that a text is, or the text."""
    if text is None:
        return None
    if re.fullmatch(r"[-+]?[0-9]{1,20}", text):
        return int(text)
    return float(text) if re.fullmatch(r"[-+]?[0-9]+\.[0-9]+|\.[0-9]+|[0-9]+[eE][-+]?[0-9]{1,3}", text) else text


def _run(work: Callable[[Display], Result], folder: Path, *, quiet: bool, as_json: bool) -> int:
    """Run a search under a display and give its exit code.

    What a person's own code prints, at import or later, goes to standard error: standard output is the display's alone.
    """
    from netwright.errors import Interrupted

    try:
        with showing(quiet=quiet, as_json=as_json) as display, redirect_stdout(sys.stderr):
            result = work(display)
    except (Interrupted, KeyboardInterrupt) as stop:
        number = stop.signal_number if isinstance(stop, Interrupted) else signal.SIGINT
        print(f"stopped; {_how_to_go_on(folder)}", file=sys.stderr)
        return 128 + number
    display.finish(result)
    return 0


def _how_to_go_on(folder: Path) -> str:
    """The command that resumes, as a shell reads it; without a study there is none."""
    if not (folder / "study.db").is_file():
        return "nothing was begun, and nothing is kept"
    name = str(folder)
    quoted = shlex.quote(f"./{name}" if name.startswith("-") else name)
    return f"go on with: netwright resume {clean(quoted, 5000)}"
