"""Begins a search, goes on with one, exports a network of one: opens the run's folder, and has a `Sitting` run."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
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
from netwright.study.recorded import BUDGET, Recorded, read_recorded
from netwright.study.result import Result
from netwright.study.settings import Settings
from netwright.study.setup import Parts
from netwright.study.sitting import SPENT, Sitting
from netwright.types import TrialState

_log = logging.getLogger(__name__)

CARRIED = " carried "
"""Stands in a code fingerprint between that of a person's own code and that of networks carried over from a run."""


def start(spec: SearchSpec | str | Path | None, options: Mapping[str, Any], listener: Listener | None) -> Result:
    """Begin a search, see `netwright.search.search`."""
    clock = Clock()
    settings, parts = prepare(spec, options, clock)
    return start_prepared(settings, parts, clock, listener)


def start_prepared(settings: Settings, parts: Parts, clock: Clock, listener: Listener | None) -> Result:
    """Begin a search whose parts are made."""
    with (
        _noting_interruption(settings.out, carried=parts.carried),
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
        _noting_interruption(settings.out, carried=parts.carried),
        Store.open(settings.out / "study.db") as store,
        log_file(settings.out / "log.txt"),
    ):
        clock = Clock(settings.budget.time_s, _spent_s(store))
        recorded = read_recorded(settings.out, store)
        is_new = str(settings.budget) != recorded.budget
        return _go_on(store, recorded, settings, parts, clock, listener, budget_given=is_new)


def restart(run: Path, budget: str | None, listener: Listener | None, objects: Mapping[str, Any]) -> Result:
    """Go on with a search, see `netwright.search.resume`."""
    with _noting_interruption(run), Store.open(run / "study.db") as store, log_file(run / "log.txt"):
        clock = Clock(spent_s=_spent_s(store))
        if CARRIED in store.study.code_fingerprint:
            cure = "give that command again with the same options, a larger budget perhaps; it goes on"
            raise SpecError(f"{one_line(run)} was begun by netwright transfer, with networks of another run; {cure}")
        recorded = read_recorded(run, store)
        settings, parts = prepare_again(run, recorded, budget, objects, clock)
        return _go_on(store, recorded, settings, parts, clock, listener, budget_given=budget is not None)


def _go_on(
    store: Store,
    recorded: Recorded,
    settings: Settings,
    parts: Parts,
    clock: Clock,
    listener: Listener | None,
    *,
    budget_given: bool,
) -> Result:
    """Go on with a search over its open store.

    Raises:
        StudyMismatchError: space, data or code changed.
    """
    assert settings.out is not None
    store.study.require_same(record_of(settings, parts))
    write_specification(settings.out, settings.text)
    if str(settings.budget) != recorded.budget:
        store.append_event(BUDGET, str(settings.budget))
    sitting = Sitting(settings, parts, store, settings.out, clock, listener)
    sitting.warn(recorded.warning)
    sitting.warn(spent_already(settings.budget, sitting.trials, clock.elapsed_s) if budget_given else "")
    return sitting.run()


def export_again(run: Path, trial_id: int, out: Path, objects: Mapping[str, Any]) -> Path:
    """Export a trial of a run, see `netwright.search.export`."""
    from netwright.study.delivery import export_trial

    with Store.open(run / "study.db", read_only=True) as store:
        settings, parts = prepare_again(run, read_recorded(run, store), None, objects, Clock())
        now, carried = record_of(settings, parts), store.study.code_fingerprint
        if carried.startswith(now.code_fingerprint + CARRIED):  # which networks began with what is no matter here
            now = replace(now, code_fingerprint=carried)
        store.study.require_same(now)
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
def _noting_interruption(run: Path | None, *, carried: bool = False) -> Iterator[None]:
    """Say how a search that was stopped goes on.

    Where it was asked to, in one line of the log, which a program that set up no logging prints; where the disk is
    full, in the error.

    Args:
        run: its folder; None where nothing is kept.
        carried: whether its networks are those of another run, so that it is not resumed by itself.
    """
    again = "the same netwright transfer"
    try:
        yield
    except Interrupted as stop:
        cure = "nothing is kept, since no folder was given (out=)"
        if run is not None:
            by = again if carried else f"netwright.resume({str(run)!r}, ...)"
            cure = f"what was finished is stored; go on with {by}"
        _log.warning("%s; %s", stop, cure)
        raise
    except (NetwrightError, OSError) as error:
        if isinstance(error, UsageError) or not (isinstance(error, DiskFullError) or is_disk_full(error)):
            raise
        cure = "free space, then start it again"
        if run is not None and (run / "study.db").is_file():
            by = again if carried else f"netwright resume {one_line(run)}"
            cure = f"what was finished is stored; free space, then go on with: {by}"
        raise DiskFullError(f"the disk is full: {error}; {cure}") from error


def _spent_s(store: Store) -> float:
    """Wall seconds of the earlier sittings, as they noted it."""
    noted = [event.body for event in store.events(SPENT)]
    return float(noted[-1]) if noted and isinstance(noted[-1], (int, float)) else 0.0
