"""Begins a search, goes on with one, exports a network of one: opens the run's folder, and has a `Sitting` run."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from netwright.errors import (
    DiskFullError,
    Interrupted,
    NetwrightError,
    SpecError,
    UsageError,
    one_line,
)
from netwright.execution.outcomes import is_disk_full
from netwright.progress import Listener
from netwright.spec import SearchSpec
from netwright.storage import Store
from netwright.study.allowance import spent_already
from netwright.study.clock import Clock
from netwright.study.earlier import keep_earlier
from netwright.study.opening import log_file, prepare, prepare_again, record_of, run_folder, write_specification
from netwright.study.recorded import BUDGET, read_recorded
from netwright.study.result import Result
from netwright.study.settings import Settings
from netwright.study.setup import Parts
from netwright.study.sitting import SPENT, Sitting
from netwright.types import TrialState

_log = logging.getLogger(__name__)


def start(spec: SearchSpec | str | Path | None, options: Mapping[str, Any], listener: Listener | None) -> Result:
    """Begin a search, see `netwright.search.search`."""
    clock = Clock()
    settings, parts = prepare(spec, options, clock)
    return start_prepared(settings, parts, clock, listener)


def start_prepared(settings: Settings, parts: Parts, clock: Clock, listener: Listener | None) -> Result:
    """Begin a search whose parts are made."""
    with (
        _noting_interruption(settings.out),
        run_folder(settings.out) as folder,
        Store.create(folder / "study.db", record_of(settings, parts)) as store,  # first: from here on it can be resumed
        log_file(folder / "log.txt"),
    ):
        write_specification(folder, settings.text)
        keep_earlier(folder, parts.earlier)
        run = None if settings.out is None else folder
        return Sitting(settings, parts, store, run, clock, listener).run()


def go_on_prepared(settings: Settings, parts: Parts, listener: Listener | None) -> Result:
    """Go on with a search whose parts are made: where an earlier sitting began it with the same parts.

    Raises:
        StudyMismatchError: space, data, code or specification changed.
    """
    assert settings.out is not None
    with (
        _noting_interruption(settings.out),
        Store.open(settings.out / "study.db") as store,
        log_file(settings.out / "log.txt"),
    ):
        clock = Clock(settings.budget.time_s, _spent_s(store))
        store.study.require_same(record_of(settings, parts))
        return Sitting(settings, parts, store, settings.out, clock, listener).run()


def restart(run: Path, budget: str | None, listener: Listener | None, objects: Mapping[str, Any]) -> Result:
    """Go on with a search, see `netwright.search.resume`."""
    with _noting_interruption(run), Store.open(run / "study.db") as store, log_file(run / "log.txt"):
        clock = Clock(spent_s=_spent_s(store))
        recorded = read_recorded(run, store)
        settings, parts = prepare_again(run, recorded, budget, objects, clock)
        store.study.require_same(record_of(settings, parts))
        write_specification(run, settings.text)
        if str(settings.budget) != recorded.budget:
            store.append_event(BUDGET, str(settings.budget))
        sitting = Sitting(settings, parts, store, run, clock, listener)
        sitting.warn(recorded.warning)
        sitting.warn("" if budget is None else spent_already(settings.budget, sitting.trials, clock.elapsed_s))
        return sitting.run()


def export_again(run: Path, trial_id: int, out: Path, objects: Mapping[str, Any]) -> Path:
    """Export a trial of a run, see `netwright.search.export`."""
    from netwright.study.delivery import export_trial

    with Store.open(run / "study.db", read_only=True) as store:
        settings, parts = prepare_again(run, read_recorded(run, store), None, objects, Clock())
        store.study.require_same(record_of(settings, parts))
        trials = store.trials()
    trial = next((t for t in trials if t.id == trial_id), None)
    if trial is None or trial.state is not TrialState.FINISHED:
        state = "there is no such trial" if trial is None else f"it is {trial.state}"
        raise SpecError(f"trial {trial_id} cannot be exported: {state}; netwright show {run} lists the trials")
    if parts.task is None:
        raise SpecError(f"trial {trial_id} cannot be exported: the search has an evaluator of its own, and no network")
    export_trial(trial, parts, settings.seed, trials, out)
    return out


@contextmanager
def _noting_interruption(run: Path | None) -> Iterator[None]:
    """Say how a search that was stopped goes on.

    Where it was asked to, in one line of the log, which a program that set up no logging prints; where the disk is
    full, in the error.
    """
    try:
        yield
    except Interrupted as stop:
        cure = "nothing is kept, since no folder was given (out=)"
        if run is not None:
            cure = f"what was finished is stored; go on with netwright.resume({str(run)!r}, ...)"
        _log.warning("%s; %s", stop, cure)
        raise
    except (NetwrightError, OSError) as error:
        if isinstance(error, UsageError) or not (isinstance(error, DiskFullError) or is_disk_full(error)):
            raise
        cure = "free space, then start it again"
        if run is not None and (run / "study.db").is_file():
            cure = f"what was finished is stored; free space, then go on with: netwright resume {one_line(run)}"
        raise DiskFullError(f"the disk is full: {error}; {cure}") from error


def _spent_s(store: Store) -> float:
    """Wall seconds of the earlier sittings, as they noted it."""
    noted = [event.body for event in store.events(SPENT)]
    return float(noted[-1]) if noted and isinstance(noted[-1], (int, float)) else 0.0
