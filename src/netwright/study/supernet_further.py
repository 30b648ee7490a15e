"""A supernet whose training had ended is trained further: a cycle of its own, on the weights that are there.

A cycle has its own warmup and decay, at a part of the learning rate, and draws other networks and batches than the
cycles before. It can be interrupted as the first one can; where it fails, all is as it was before. Knows no terminals.

References:
    Loshchilov, Hutter (2017), SGDR: Stochastic Gradient Descent with Warm Restarts, section 3 (cycles; ours begin at a
    lower rate, and anneal linearly as all our trainings do).
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from netwright.errors import NetwrightError, SpecError, wrong
from netwright.evaluation.checkpoints import write_atomically
from netwright.evaluation.supernet_files import WEIGHTS, require_whole
from netwright.evaluation.supernet_trainer import BEFORE
from netwright.study.supernet_phase import Ears, SupernetPhase
from netwright.study.supernet_record import RECORD, SupernetRecord, read_finished

EARLIER = "before.json"
"""Under ``work``: the record that the cycle before left."""


@dataclass(frozen=True)
class Training:
    """A training that a person asks for.

    Args:
        phase: trains.
        begins: whether a further cycle begins, of a training that had ended.
    """

    phase: SupernetPhase
    begins: bool = False

    def is_finished(self) -> bool:
        """Whether nothing is left to do.

        Raises:
            UsageError: the folder holds another training.
        """
        return not self.begins and self.phase.open()

    def run(self, ears: Ears, deadline_s: float | None) -> SupernetRecord:
        """Train, see `SupernetPhase.run`; a further cycle that fails leaves what was there before it."""
        folder = self.phase.folder
        if self.begins:
            begin_cycle(folder, self.phase.record)
        try:
            return self.phase.run(ears, deadline_s)
        except NetwrightError:
            forget_cycle(folder)
            raise


def next_record(known: SupernetRecord, asked: SupernetRecord, folder: Path) -> SupernetRecord:
    """The record of what is trained next in a folder that holds a training; a further cycle, or the one that is known.

    Args:
        known: of the folder.
        asked: what is asked for, as if the folder were empty.
        folder: for messages.

    Raises:
        StudyMismatchError: something else than the length differs from what the folder holds.
        SpecError: the length is no longer than what was trained, or the weights are damaged.
    """
    mine = known.settings
    settings = replace(asked.settings, cycle=mine.cycle, before=mine.before, after=mine.after)
    same_length = (settings.epochs, asked.budget) == (mine.epochs, known.budget)
    if not known.finished or same_length:
        return replace(asked, settings=settings)
    known.require_same(replace(asked, settings=replace(settings, epochs=mine.epochs), budget=known.budget), folder)
    read_finished(folder)
    require_whole(folder / WEIGHTS, known.digest)
    done = float(cast(float, known.trained.get("epochs", mine.epochs)))
    if asked.settings.epochs <= done * (1 + 1e-9):
        cure = "raise --epochs to train it further, or name another folder (--out)"
        raise SpecError(wrong("epochs", asked.settings.epochs, f"> {done:.4g}, for which it was trained", cure))
    further = replace(asked.settings, cycle=mine.cycle + 1, before=done, after=known.digest)
    return replace(asked, settings=further, spent_s=known.spent_s)


def begin_cycle(folder: Path, record: SupernetRecord) -> None:
    """Keep what is there, and write down that a cycle began: whenever this is interrupted one of both holds."""
    work = folder / "work"
    for kept, source in ((BEFORE, WEIGHTS), (EARLIER, RECORD)):
        write_atomically(work / kept, (folder / source).read_bytes())
    record.with_versions().write(folder)


def forget_cycle(folder: Path) -> None:
    """After a cycle that failed: the record of what was there before; its weights were not touched."""
    earlier = folder / "work" / EARLIER
    if earlier.is_file():
        write_atomically(folder / RECORD, earlier.read_bytes())
        shutil.rmtree(folder / "work", ignore_errors=True)
