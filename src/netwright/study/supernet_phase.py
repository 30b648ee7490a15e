"""The training of a supernet as a part of a run: in a process of its own, told as it goes, stopped by a signal.

A training that was interrupted goes on from its checkpoint. Knows no strategies; what decides the weights is in the
record, what is said of them is for people.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from netwright.errors import Interrupted, SearchError, SpaceError, SpecError, TrialError, UsageError
from netwright.evaluation.supernet_files import WEIGHTS
from netwright.evaluation.supernet_trainer import (
    REPORT,
    SupernetTrainer,
    Told,
    ask_to_stop,
    forget,
    read_told,
)
from netwright.evaluation.trainer import TrainerOptions
from netwright.execution import IsolatedExecutor, Job, Limits, Outcome
from netwright.study.opening import log_file
from netwright.study.supernet_record import SupernetRecord, is_supernet, read_record
from netwright.types import Architecture, Fidelity, TrialState

if TYPE_CHECKING:
    from netwright.space import SearchSpace
    from netwright.tasks.base import Task

_log = logging.getLogger(__name__)

TELL_EVERY_S = 10.0
"""Wall seconds between two lines about a training."""

PATIENCE_S = 30.0
"""For a step and a checkpoint, after a signal."""

_POLL_S = 0.25


@dataclass(frozen=True)
class Ears:
    """What a training is told and tells.

    Args:
        tell: a line for people.
        signal: number of the signal that asked to stop; None while none did.
    """

    tell: Callable[[str], None]
    signal: Callable[[], int | None]


class SupernetPhase:
    """Trains a supernet into a folder.

    Args:
        task: the data.
        space: of the networks.
        record: what is to be trained.
        folder: where it lies; may hold an earlier part of this very training.
        workers: processes that share each step.
        memory_bytes: most memory; None for the machine's.
    """

    def __init__(
        self,
        task: Task,
        space: SearchSpace,
        record: SupernetRecord,
        folder: Path,
        *,
        workers: int = 1,
        memory_bytes: int | None = None,
    ) -> None:
        self.task, self.space, self.folder = task, space, folder
        self.record = record
        self.workers, self.memory_bytes = workers, memory_bytes

    @property
    def weights(self) -> Path:
        """The file of the shared weights."""
        return self.folder / WEIGHTS

    def open(self) -> bool:
        """Take over what the folder holds of this training; returns whether it is finished.

        Raises:
            SpecError: the folder's record cannot be read.
            StudyMismatchError: it is of another training.
        """
        if is_supernet(self.folder):
            before = read_record(self.folder)
            before.require_same(self.record, self.folder)
            self.record = before
        return self.record.finished and self.weights.is_file()

    def run(self, ears: Ears, deadline_s: float | None = None) -> SupernetRecord:
        """Train to the end, or find that it was trained before.

        Args:
            ears: told and telling.
            deadline_s: reading of ``time.monotonic()`` at which it must have ended; None for none.

        Returns:
            The record of the finished training.

        Raises:
            Interrupted: a signal asked to stop; it goes on when it is run again.
            SpaceError: the networks cannot share weights, or need more memory.
            SearchError: the training failed.
        """
        if self.open():
            ears.tell(f"supernet: it was trained before ({self.record.settings})")
            return self.record
        existed = self.folder.exists()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.record = self.record.with_versions()
        self.record.write(self.folder)
        try:
            with log_file(self.folder / "log.txt"):
                self._train_logged(Ears(lambda text: _say(ears, text), ears.signal), deadline_s)
        except UsageError:
            if not existed and not self._has_begun():  # nothing was trained
                shutil.rmtree(self.folder)
            raise
        return self.record

    def _has_begun(self) -> bool:
        """Whether a step of this sitting was made."""
        told = read_told(self.folder)
        return told is not None and told.step > 0

    def _train_logged(self, ears: Ears, deadline_s: float | None) -> None:
        ears.tell(f"supernet: training, {self.record.settings}")
        began_s, before_s = time.monotonic(), self.record.spent_s

        def note_time() -> None:
            self.record = replace(self.record, spent_s=round(before_s + time.monotonic() - began_s, 3))
            self.record.write(self.folder)

        try:
            outcome = self._train(ears, deadline_s, note_time)
        finally:
            note_time()
        self._finish(outcome, ears)

    def _train(self, ears: Ears, deadline_s: float | None, note_time: Callable[[], None]) -> Outcome:
        """Train; the time is noted now and then, so that it is known after a kill."""
        forget(self.folder)
        options = TrainerOptions(
            device=self.record.device, deadline_s=deadline_s, processes=self.workers, memory_bytes=self.memory_bytes
        )
        trainer = SupernetTrainer(self.task, self.space, self.record.settings, folder=self.folder, options=options)
        limits = Limits(memory_bytes=self.memory_bytes)
        with IsolatedExecutor(trainer, limits=limits, log_dir=self.folder / "logs") as executor:
            executor.submit(Job(0, Architecture({}), Fidelity(), self.record.settings.seed))
            told_s, asked_s, sized = time.monotonic(), None, False
            while True:
                for outcome in executor.wait(_POLL_S):
                    return outcome
                now_s, number, told = time.monotonic(), ears.signal(), read_told(self.folder)
                if number is not None and asked_s is None:
                    asked_s = now_s
                    ask_to_stop(self.folder)
                elif number is not None and asked_s is not None and now_s - asked_s > PATIENCE_S:
                    raise Interrupted(number)  # leaving the block kills it; the last checkpoint is there
                if told is not None and (not sized or now_s - told_s >= TELL_EVERY_S):
                    ears.tell(_size_line(told) if not sized else _line(told))
                    told_s, sized = now_s, True
                    note_time()

    def _finish(self, outcome: Outcome, ears: Ears) -> None:
        if outcome.state is not TrialState.FINISHED:
            raise _error(outcome, begun=self._has_begun())
        if outcome.metrics.get("stopped"):
            raise Interrupted(ears.signal() or 2)
        report = json.loads((self.folder / "work" / REPORT).read_text(encoding="utf-8"))
        epochs, steps = outcome.metrics["epochs"], int(outcome.metrics["steps"])
        trained = {**report, "epochs": epochs, "steps": steps}
        self.record = replace(self.record, finished=True, trained=trained)
        self.record.write(self.folder)
        shutil.rmtree(self.folder / "work", ignore_errors=True)  # it only served to go on
        ears.tell(f"supernet: trained for {epochs:.3g} epochs ({steps} steps) in {self.record.spent_s:.0f} s")
        if report["warning"]:
            ears.tell(f"warning: supernet: {report['warning']}")


def _say(ears: Ears, text: str) -> None:
    _log.info("%s", text)
    ears.tell(text)


def _size_line(told: Told) -> str:
    return f"supernet: {told.networks}; {told.total} steps planned"


def _line(told: Told) -> str:
    left_s = (told.total - told.step) * told.step_s
    return f"supernet: step {told.step} of {told.total}, loss {told.loss:.3f}, {left_s:.0f} s left for it"


def _error(outcome: Outcome, *, begun: bool) -> Exception:
    """What a failed training is raised as: a mistake in what was given stays one, but not once steps were made."""
    cause = outcome.error.partition("\n")[0]
    kind, _, text = cause.partition(": ")
    known: dict[str, type[Exception]] = {
        "SpaceError": SpaceError,
        "SpecError": SpecError,
        "SearchError": SearchError,
        "TrialError": TrialError,
    }
    if kind in known:
        return known[kind](text)
    if outcome.state is TrialState.INFEASIBLE:
        cure = "make the widest choices or the batch smaller, or give it more memory"
        told = f"memory of the supernet: its training was ended ({cause}); {cure}"
        if begun:
            return SearchError(f"{told}; run it again, and it goes on from its last checkpoint")
        return SpaceError(told)
    return SearchError(f"the training of the supernet failed: {cause or outcome.state}; see its log")
