"""``netwright show``, ``history``, ``diff`` and ``schema``: they read what a search left, and change nothing."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netwright.cli.progress import trial_text
from netwright.cli.runs import (
    ACCURACY,
    difference,
    find_trial,
    is_run,
    open_study,
    pareto_front,
    read_architecture,
    read_json,
    references,
)
from netwright.cli.text import FIRST, clean, duration, json_line, table, trial_object
from netwright.errors import SpecError, one_line
from netwright.readable import number
from netwright.types import Objective, Trial, TrialState, best_first

if TYPE_CHECKING:
    from netwright.storage import Event, StudyRecord
    from netwright.study.rung_audit import RungAgreement

Run = Annotated[Path, typer.Argument(help="Folder of the run.", metavar="RUN")]
MAX_COLUMNS = 6
MAX_ERRORS = 3
SCORES = ("scored", "shared")
"""Kinds of events that hold scores of many networks, which are not printed."""

TOLD = ("spent_s", "done", "budget", *SCORES, "ladder")
"""Kinds of events that are told in words of their own."""


def show(
    run: Run,
    top: Annotated[int, typer.Option(min=0, help="How many trials to list.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, all trials in it.")] = False,
) -> int:
    """Show a run: its best trials, Pareto front, reference networks, and what was exported."""
    with open_study(run) as store:
        study, trials, events = store.study, store.trials(), store.events()
    goals = study.objectives or (ACCURACY,)
    folder = run.parent if run.name == "study.db" else run
    card = read_json(folder / "best" / "card.json") if (folder / "best" / "card.json").is_file() else None
    if as_json:
        print(json_line(_as_object(study, trials, goals, events, card)))
        return 0
    for line in (*_header(folder, study, trials), *_progress(events)):
        print(line)
    ranked = best_first(trials, goals[0])
    _section("best trials", ranked[:top], goals)
    if len(goals) > 1:
        _section("Pareto front", pareto_front(trials, goals), goals)
    _section("reference networks", [trial for _, trial in references(trials)], goals)
    for agreement in _rungs(trials, events, goals[0]):
        print(f"\n{agreement}")
    _refused(trials, study)
    _failures(trials)
    _final(events, card)
    return 0


def history(run: Run) -> int:
    """Print the canonical history: one JSON line a trial, equal for equal searches."""
    terminal = sys.stdout.isatty()
    with open_study(run) as store:
        for line in store.history():
            print(_harmless(line) if terminal else line)
    return 0


def diff(
    what: Annotated[
        list[str], typer.Argument(help="RUN A B: two trials by id; or two JSON files of architectures.", metavar="WHAT")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Compare the architectures of two trials (RUN A B), or of two JSON files (A.json B.json)."""
    if len(what) == 3:
        with open_study(Path(what[0])) as store:
            trials = store.trials()
        first, second = (find_trial(trials, text).architecture for text in what[1:])
    elif len(what) == 2 and is_run(Path(what[0])):
        run = one_line(what[0])
        raise SpecError(f"diff RUN needs two trials, got one: give RUN A B; netwright show {run} lists them")
    elif len(what) == 2:
        first, second = (read_architecture(Path(text)) for text in what)
    else:
        raise SpecError(f"diff compares RUN A B (two trials) or two JSON files, got {len(what)} arguments")
    rows = difference(first, second)
    if as_json:
        different = [{"name": name, "a": a, "b": b} for name, a, b in rows]
        print(json_line({"equal": not rows, "different": different}))
    elif rows:
        print(table(("decision", clean(what[-2], 30), clean(what[-1], 30)), rows))
    else:
        print("the architectures are equal")
    return 0


def schema() -> int:
    """Print the JSON schema of a specification file."""
    from netwright.spec import schema_text

    print(schema_text(), end="")
    return 0


def _harmless(line: str) -> str:
    """JSON in ASCII escapes where a character could steer the terminal."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in line)


def _header(folder: Path, study: StudyRecord, trials: list[Trial]) -> list[str]:
    counts = Counter(trial.state for trial in trials)
    states = ", ".join(f"{counts[state]} {state}" for state in TrialState)
    goals = ", ".join(f"{goal.metric} ({goal.direction})" for goal in study.objectives) or "accuracy (max)"
    limits = ", ".join(str(limit) for limit in study.constraints) or "none"
    return [
        f"run          {clean(folder)}",
        f"study        {clean(study.name, 80)}, seed {study.seed}, netwright {clean(study.version, 20) or '-'}",
        f"objectives   {clean(goals)}",
        f"constraints  {clean(limits)}",
        f"trials       {len(trials)}: {states}; {duration(sum(t.duration_s for t in trials))} of evaluation",
    ]


def _progress(events: list[Event]) -> list[str]:
    """How far the search is, from the events that it writes."""
    last = {event.kind: event.body for event in events}
    spent, budget = last.get("spent_s"), last.get("budget")
    ended = [event for event in events if event.kind in ("done", "budget")][-1:]  # a larger budget opens it again
    if ended and ended[0].kind == "done":
        state = f"finished: its budget of {clean(ended[0].body, 80)} is spent"
    else:
        state = "not finished: it runs, or netwright resume goes on with it"
        state += f"; its budget is now {clean(budget, 80)}" if budget is not None else ""
    time = [f"time         {duration(float(spent))} so far, in all sittings"] if isinstance(spent, (int, float)) else []
    return [f"state        {state}", *time]


def _rungs(trials: list[Trial], events: list[Event], goal: Objective) -> tuple[RungAgreement, ...]:
    """What the ladder measured, or without one what the trials say."""
    from netwright.study.ladder_report import stored_agreements  # numpy is not loaded for --help
    from netwright.study.rung_audit import rung_agreements

    return stored_agreements(events) or rung_agreements(trials, goal)


def _section(title: str, trials: list[Trial], goals: tuple[Objective, ...]) -> None:
    if not trials:
        return
    first = [goal.metric for goal in goals]
    others = sorted({name for trial in trials for name in trial.metrics} - {*first, *FIRST, "epochs"})
    shown = [name for name in FIRST if name not in first and any(name in trial.metrics for trial in trials)]
    names = (first + shown + others)[:MAX_COLUMNS]
    rows = [
        (
            trial.id,
            trial.proposal.origin or "-",
            _epochs(trial),
            *(number(name, trial.metrics[name]) if name in trial.metrics else "-" for name in names),
            trial.architecture.id[:8],
        )
        for trial in trials
    ]
    print(f"\n{title}")
    print(table(("trial", "origin", "epochs", *(clean(name, 24) for name in names), "architecture"), rows))


def _epochs(trial: Trial) -> str:
    """Epochs trained; those asked for where it is not known."""
    epochs = trial.metrics.get("epochs", trial.fidelity.epochs)
    return "-" if epochs is None else f"{epochs:.3g}"


def _refused(trials: list[Trial], study: StudyRecord) -> None:
    """The references that nothing can be compared with, and why."""
    from netwright.study.finals import refused_references

    for text in refused_references(trials, study.constraints):
        print(clean(text))


def _failures(trials: list[Trial]) -> None:
    failed = [trial for trial in trials if trial.state is TrialState.FAILED]
    if failed:
        print("\nfailed trials" + (f" (the last {MAX_ERRORS} of {len(failed)})" if len(failed) > MAX_ERRORS else ""))
        for trial in failed[-MAX_ERRORS:]:
            print(trial_text(trial))


def _final(events: list[Event], card: object) -> None:
    others = {event.kind: event.body for event in events if event.kind not in TOLD}
    if others:
        print("\nother events, the last of each kind")
        for kind, body in others.items():
            print(f"{clean(kind, 40)}: {clean(json_line(body), 200)}")
    if isinstance(card, dict):
        print("\nexported (best/)")
        remarks = card.get("remarks")
        for remark in remarks if isinstance(remarks, list) else ():
            print(f"NOTE: {clean(remark)}")
        metrics = card.get("metrics")
        for name, value in sorted(metrics.items()) if isinstance(metrics, dict) else ():
            shown = number(name, float(value)) if isinstance(value, (int, float)) else value
            print(f"{clean(name, 40)}: {clean(shown, 80)}")
        check = card.get("check")
        if isinstance(check, dict):
            print(f"check: {'passed' if check.get('passed') is True else 'FAILED'}")


def _as_object(
    study: StudyRecord, trials: list[Trial], goals: tuple[Objective, ...], events: list[Event], card: object
) -> dict[str, object]:
    ranked = best_first(trials, goals[0])
    return {
        "study": {
            "name": study.name,
            "seed": study.seed,
            "version": study.version,
            "objectives": [[goal.metric, goal.direction] for goal in goals],
            "constraints": [str(limit) for limit in study.constraints],
        },
        "counts": {state.value: sum(trial.state is state for trial in trials) for state in TrialState},
        "best": ranked[0].id if ranked else None,
        "front": [trial.id for trial in pareto_front(trials, goals)],
        "references": {name: trial.id for name, trial in references(trials)},
        "rungs": [agreement.to_dict() for agreement in _rungs(trials, events, goals[0])],
        "trials": [trial_object(trial) for trial in trials],
        "events": [{"kind": event.kind, "body": event.body} for event in events if event.kind not in SCORES],
        "card": card,
    }
