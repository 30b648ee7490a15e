"""``netwright supernet``: weights that all networks of a space share, trained, asked, searched on and taken from."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from netwright.cli.runs import read_architecture
from netwright.cli.searching import AsJson, Quiet, Text, _number, _run, task_options
from netwright.cli.text import clean, duration, json_line, table
from netwright.errors import SpecError, one_line, wrong
from netwright.readable import number

if TYPE_CHECKING:
    from netwright.space import SearchSpace
    from netwright.study.supernet_further import Training
    from netwright.study.supernet_record import SupernetRecord
    from netwright.study.supernet_use import Scored
    from netwright.types import Architecture, Budget

TELL_EVERY_S = 10.0
"""Wall seconds between two lines about networks that are scored."""

Run = Annotated[Path, typer.Argument(help="Folder of the supernet.", metavar="RUN")]
Data = Annotated[Text, typer.Option(help="Where its data lies now, if not where it was.")]
Space = Annotated[Text, typer.Option(help="Where its space lies now, if not where it was.")]
Out = Annotated[Path, typer.Option(help="Folder to write to, new or empty.")]


def make_group() -> typer.Typer:
    """The commands of the group."""
    group = typer.Typer(
        help="Weights that all networks of a space share: train them once, choose among all networks.",
        add_completion=False,
        rich_markup_mode=None,
        no_args_is_help=True,
    )
    group.command("train")(train)
    group.command("evaluate")(evaluate)
    group.command("search")(search)
    group.command("extract")(extract)
    return group


def train(
    data: Annotated[Text, typer.Option(help="File or folder of the task's data, or digits.")] = None,
    task: Annotated[Text, typer.Option(help="What is learned.  [default: image-classification]")] = None,
    task_option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Of the task's data, such as target=income.")
    ] = None,
    space: Annotated[Text, typer.Option(help="A shipped search space (netwright spaces) or FILE.py:NAME.")] = None,
    within: Annotated[
        Path | None, typer.Option(help="JSON file of a network, or its card.json: only networks that lie within it.")
    ] = None,
    sampling: Annotated[
        Text, typer.Option(help="sandwich, uniform, fair, progressive, largest-first or pareto.  [default: sandwich]")
    ] = None,
    distil: Annotated[
        bool | None, typer.Option("--distil/--no-distil", help="The largest network teaches.  [default: distil]")
    ] = None,
    divergence: Annotated[Text, typer.Option(help="Of its answers: kl or alpha.  [default: kl]")] = None,
    labels: Annotated[
        Text, typer.Option(metavar="X", help="Share of labels in what the others learn.  [default: 0]")
    ] = None,
    epochs: Annotated[Text, typer.Option(metavar="E", help="Passes over the data, in all.")] = None,
    budget: Annotated[Text, typer.Option(help="A time such as 10m, in all.  [default: 10m without --epochs]")] = None,
    workers: Annotated[Text, typer.Option(metavar="N", help="Processes that share each step.  [default: 1]")] = None,
    seed: Annotated[Text, typer.Option(metavar="N", help="Of everything random.  [default: 0]")] = None,
    device: Annotated[Text, typer.Option(help="cpu, cuda, cuda:0 or mps.  [default: cpu]")] = None,
    memory_limit: Annotated[Text, typer.Option(help="Such as 2Gi; the machine's when absent.")] = None,
    out: Annotated[Text, typer.Option(help="Folder of the supernet; one that was begun goes on.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Refuse to begin a new one.")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Train the weights that all networks of a space share; again goes on, with more --epochs or --budget further."""
    from netwright.run_folders import require_free
    from netwright.study.supernet_record import is_supernet, read_record
    from netwright.study.supernet_use import new_training, options_of, search_spec

    known = read_record(Path(out)) if out is not None and is_supernet(Path(out)) else None
    read = task_options(task_option or ()) or None
    options = {"task": task, "task_options": read, "data": data, "space": space, "device": device, "out": out}
    numbers = {"workers": _number(workers), "seed": _number(seed)}
    spec = search_spec(known, **options, **numbers, trial_memory_limit=memory_limit)
    if known is None:
        if resume:
            cure = "give the folder of one that was begun (--out), or leave --resume out"
            raise SpecError(f"out: {one_line(spec.out)} holds no supernet that could go on; {cure}")
        require_free(spec.out)
    length, limit = _length(known, epochs, budget)
    tell = _Lines(sys.stdout, quiet=quiet, as_json=as_json)
    with redirect_stdout(sys.stderr):
        how = options_of(known, sampling=sampling, distil=distil, divergence=divergence, labels=_number(labels))
        largest = None if within is None else read_architecture(within)
        training = new_training(spec, epochs=length, budget=limit, options=how, within=largest)
        finished, spent_s = training.is_finished(), training.phase.record.spent_s
        left_s = None if limit is None else (limit.time_s or 0.0) - spent_s
        if not finished and left_s is not None and left_s <= 0:
            cure = f"more than what was spent already ({duration(spent_s)})"
            raise SpecError(wrong("budget", str(limit), cure, "give --epochs"))
        return _train(training, left_s, tell)


def _length(known: SupernetRecord | None, epochs: str | None, budget: str | None) -> tuple[float | None, Budget | None]:
    """Epochs and time that are asked for; where nothing is said those of the training that was begun."""
    if known is not None and epochs is None and budget is None:
        return known.settings.epochs, _time(known.budget or None, False)
    return _epochs(epochs), _time(budget, epochs is None)


def _train(training: Training, left_s: float | None, tell: _Lines) -> int:
    """Run the training, with signals and a log."""
    from netwright.errors import Interrupted
    from netwright.study.clock import StopRequest
    from netwright.study.supernet_phase import Ears

    stop = StopRequest()
    deadline_s = None if left_s is None else time.monotonic() + left_s
    ears = Ears(tell, lambda: stop.signal_number)
    folder = training.phase.folder
    try:
        with stop.listening(tell):
            record = training.run(ears, deadline_s)
    except (Interrupted, KeyboardInterrupt) as error:
        code = error.signal_number if isinstance(error, Interrupted) else signal.SIGINT
        print("stopped; the same command goes on where it was", file=sys.stderr)
        return 128 + code
    if tell.as_json:
        tell.write(json_line({"run": str(folder), "finished": True, **record.trained}))
    else:
        tell(f"trained: {folder}; go on with netwright supernet search, evaluate or extract")
    return 0


def evaluate(
    run: Run,
    architecture: Annotated[list[Path] | None, typer.Option(help="JSON file or card.json; repeatable.")] = None,
    sample: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Random networks.  [default: 8 without --architecture]")
    ] = None,
    audit: Annotated[Text, typer.Option(metavar="E", help="Also train each from nothing for E epochs.")] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of the draw.")] = 0,
    workers: Annotated[int, typer.Option(metavar="N", min=1, max=500, help="Networks at once.")] = 1,
    data: Data = None,
    space: Space = None,
    as_json: AsJson = False,
) -> int:
    """Score networks with shared weights, each with its own statistics of norms."""
    from netwright.study.supernet_use import agreement_of, choose_networks, open_supernet, score_networks

    epochs = _epochs(audit, "audit")
    count = sample if sample is not None else 0 if architecture else 8
    with redirect_stdout(sys.stderr):
        opened = open_supernet(run, data=data, space=space)
        given = [_of_space(opened.space, file) for file in architecture or ()]
        networks = choose_networks(opened, given, count, seed)
        if not networks:
            raise SpecError(wrong("sample", 0, ">= 1 without an architecture", "give --sample or --architecture"))
        told = _Told(_Lines(sys.stderr, quiet=False, as_json=False))
        rows = score_networks(opened, networks, audit_epochs=epochs, workers=workers, listener=told)
    goal = opened.task.objective
    found = None if epochs is None else agreement_of(rows, epochs, goal)
    if as_json:
        for row in rows:
            print(json_line(row.to_dict()))
        if found is not None:
            print(json_line({"audit": found.to_dict()}))
    else:
        print(_table(rows, goal.metric))
        if found is not None:
            print(found)
    if epochs is not None and found is None:
        both = sum(bool(row.metrics and row.trained) for row in rows)
        why = f"{both} networks were scored and trained; it takes four, and not all may be worth the same"
        print(f"warning: shared weights could not be compared with trainings: {why}", file=sys.stderr)
    values = {row.metrics[goal.metric] for row in rows if row.metrics}
    if len(values) == 1 and len(rows) > 1:
        print(f"warning: all {len(rows)} networks score the same; the supernet ranks nothing", file=sys.stderr)
    return 0


def search(
    run: Run,
    budget: Annotated[Text, typer.Option(help="90s, 10m, or '200 trials'.  [default: 10m]")] = None,
    constraint: Annotated[list[str] | None, typer.Option(help="Such as 'params<=200k'; may be repeated.")] = None,
    objective: Annotated[list[str] | None, typer.Option(help="Such as accuracy or latency_ms; repeatable.")] = None,
    strategy: Annotated[Text, typer.Option(help="auto, evolution, ...; those with rungs are none here.")] = None,
    workers: Annotated[Text, typer.Option(metavar="N", help="Networks at once.  [default: 1]")] = None,
    seed: Annotated[Text, typer.Option(metavar="N", help="Of the search.  [default: the supernet's]")] = None,
    max_epochs: Annotated[Text, typer.Option(metavar="N", help="Most epochs of the finalists.")] = None,
    teacher: Annotated[bool, typer.Option("--teacher", help="Finalists learn from the largest network, too.")] = False,
    latency_runtime: Annotated[Text, typer.Option(help="torch, onnxruntime, ...: docs/latency.md.")] = None,
    out: Annotated[Text, typer.Option(help="Folder of the search, new or empty.  [default: RUN/search]")] = None,
    data: Data = None,
    space: Space = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Search on shared weights with any strategy; finalists go on from them, are exported and verified."""
    from netwright.run_folders import require_free
    from netwright.spec import SUPERNET
    from netwright.study.supernet_record import read_finished
    from netwright.study.supernet_use import search_spec

    spec = search_spec(
        read_finished(run),
        evaluator=SUPERNET,
        supernet=str(run),
        budget=budget,
        constraints=constraint or None,
        objectives=objective or None,
        strategy=strategy,
        workers=_number(workers),
        seed=_number(seed),
        max_epochs=_number(max_epochs),
        teacher=teacher or None,
        latency_runtime=latency_runtime,
        data=data,
        space=space,
        out=out or str(run / "search"),
    )
    require_free(spec.out)

    from netwright.search import search as begin

    return _run(lambda display: begin(spec, listener=display), Path(spec.out), quiet=quiet, as_json=as_json)


def extract(
    run: Run,
    architecture: Annotated[Path, typer.Option(help="JSON file of decisions, or a card.json.")],
    out: Out,
    data: Data = None,
    space: Space = None,
) -> int:
    """Take a network out: source, weights, ONNX and card, checked."""
    from netwright.run_folders import require_free
    from netwright.study.supernet_use import choose_networks, extract_network, open_supernet

    require_free(out)
    with redirect_stdout(sys.stderr):
        opened = open_supernet(run, data=data, space=space)
        chosen = choose_networks(opened, [_of_space(opened.space, architecture)], 0, 0)[0]
        metrics = extract_network(opened, chosen, out)
    goal = opened.task.objective.metric
    print(f"the network is in {clean(out)}: validation {goal} {metrics[goal]:.4f} with shared weights, checked")
    return 0


def _of_space(space: SearchSpace, file: Path) -> Architecture:
    """An architecture of a file, written as the space writes it."""
    return space.architecture(dict(read_architecture(file)))


def _table(rows: list[Scored], metric: str) -> str:
    columns = (metric, "loss", "params", "macs")
    trained = any(row.trained for row in rows)
    head = ["network", *columns, *(["trained"] if trained else []), "note"]
    lines = []
    for row in rows:
        cells = [number(name, row.metrics[name]) if name in row.metrics else "-" for name in columns]
        alone = [f"{row.trained[metric]:.4f}" if metric in row.trained else "-"] if trained else []
        lines.append([row.architecture.id[:12], *cells, *alone, row.error])
    return table(head, lines)


def _epochs(text: str | None, name: str = "epochs") -> float | None:
    if text is None:
        return None
    found = _number(text)
    if isinstance(found, str) or found is None or not 0 < found <= 1e6:
        raise SpecError(wrong(name, text, "a number > 0, at most 1e6"))
    return float(found)


def _time(text: str | None, needed: bool) -> Budget | None:
    from netwright.types import Budget

    return Budget.parse(text) if text is not None else Budget.parse("10m") if needed else None


class _Told:
    """Says now and then how many networks are done."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._told_s = tell, time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now_s = time.monotonic()
        if done < total and now_s - self._told_s >= TELL_EVERY_S:
            self._told_s = now_s
            self._tell(f"{done} of {total} scores and trainings are done")


class _Lines:
    """Prints lines with the time that is gone."""

    def __init__(self, out: TextIO, *, quiet: bool, as_json: bool) -> None:
        self.as_json = as_json
        self._out, self._quiet, self._began_s = out, quiet, time.monotonic()

    def __call__(self, text: str) -> None:
        gone_s = time.monotonic() - self._began_s
        if self.as_json:
            self.write(json_line({"elapsed_s": round(gone_s, 3), "message": text}))
        elif not self._quiet:
            self.write(f"[{duration(gone_s)}] {clean(text)}")

    def write(self, line: str) -> None:
        """Print a line as it is."""
        print(line, file=self._out, flush=True)
