"""Trains the supernet of a task in a process of its own, as trials are run: killed at any moment it goes on.

It says how it stands in a small file, and stops where a file asks it to. Knows no folders of runs, no clocks and no
terminals.
"""

from __future__ import annotations

import importlib
import json
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from netwright.errors import SearchError
from netwright.evaluation.supernet_files import WEIGHTS, facts_of, load_supernet, save_supernet, supernet_of
from netwright.evaluation.supernet_settings import PLANNED, SupernetSettings
from netwright.evaluation.trainer import TrainerOptions, TrainingEvaluator, fitting_at_once
from netwright.space import SearchSpace
from netwright.tasks.base import Task
from netwright.types import Architecture, Fidelity, Metrics, canonical_json, digest

if TYPE_CHECKING:
    from netwright.evaluation.batches import Batches
    from netwright.evaluation.checkpoints import Checkpoints
    from netwright.evaluation.supernet_check import Distinct, Shown
    from netwright.evaluation.supernet_training import Position
    from netwright.evaluation.training import TrainingOptions
    from netwright.supernet import Supernet

_log = logging.getLogger(__name__)

POSITION, STOP, REPORT = "position.json", "stop", "report.json"
BEFORE = "before.safetensors"
"""Weights of the cycle before, where a training that had ended goes on."""

TOLD_EVERY_S = 0.5
RESERVE_S = 3.0
"""Kept of a deadline for the comparison of outputs and the file, with small examples."""

MOST_RESERVED = 0.2
"""Part of the time up to a deadline that is kept for it, at most."""


@dataclass(frozen=True, slots=True)
class Told:
    """How a training stands, as it said last.

    Args:
        step: steps made.
        total: of the whole training, as planned.
        loss: of the last step.
        step_s: wall seconds a step.
        networks: shared tensors and their bytes, for people.
    """

    step: int
    total: int
    loss: float
    step_s: float
    networks: str = ""


class SupernetTrainer(TrainingEvaluator):
    """Trains shared weights and writes them; an evaluator, so that an executor can run it.

    Args:
        task: the data.
        space: of the networks.
        settings: how it is trained.
        folder: where ``supernet.safetensors`` is written, and what is needed meanwhile under ``work``.
        options: device, deadline, processes that share each step, memory.
    """

    metric_ranges: Mapping[str, tuple[float, float]] = {"stopped": (0.0, 1.0), "train_time_s": (0.0, float("inf"))}

    def __init__(
        self,
        task: Task,
        space: SearchSpace,
        settings: SupernetSettings,
        *,
        folder: Path,
        options: TrainerOptions | None = None,
    ) -> None:
        super().__init__(task, space, work_dir=Path(folder) / "work", recipe=settings.rated, options=options)
        self.settings, self.folder = settings, Path(folder)

    def prepare(self) -> None:
        """Load data and import torch, without running a torch operation."""
        super().prepare()
        importlib.import_module("netwright.evaluation.supernet_training")

    def __call__(self, arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
        """Train; the arguments say nothing here, since all is in the settings.

        Returns:
            epochs (those of earlier cycles, too), steps of this cycle, train_time_s of this call, and whether it was
            asked to stop before its end.

        Raises:
            SpaceError: the networks cannot share weights, or need more memory.
            TrialError: the loss was not finite twice.
            SearchError: all networks that were looked at give the same outputs; no weights are written.
        """
        from netwright.evaluation.supernet_training import train_supernet

        settings = self.settings
        supernet = self._supernet()
        batches = self._batches(self.recipe, Fidelity(settings.length), settings.draws)
        checkpoints = self._checkpoints()
        size = f"{len(supernet.bank)} shared tensors of {supernet.bank.num_bytes / 2**20:.3g} MiB together"
        _log.info("supernet: %s; trained with %s", size, settings)
        planned = self.recipe.schedule(settings.length, batches.steps_per_epoch).total
        teller = _Teller(self.work_dir, f"{size}; {supernet.remark}" if supernet.remark else size)
        trained = train_supernet(
            supernet,
            batches,
            self.recipe,
            settings.sampler(supernet.networks, planned),
            epochs=settings.length,
            distil=settings.distil and self.task.classifies,
            divergence=settings.divergence,
            labels=settings.labels,
            loss=self.task.loss,
            options=self._training_options(checkpoints),
            listener=teller,
        )
        epochs = settings.before + trained.epochs
        metrics = {"epochs": epochs, "steps": float(trained.steps), "train_time_s": trained.time_s}
        if teller.stopped:
            return {**metrics, "stopped": 1.0}
        self._write_checked(supernet, batches)
        checkpoints.discard_decay()
        return {**metrics, "stopped": 0.0}

    def _training_options(self, checkpoints: Checkpoints) -> TrainingOptions:
        from netwright.evaluation.training import Deadline, TrainingOptions

        options = self.options
        deadline = None if options.deadline_s is None else Deadline(options.deadline_s, self._reserve_s())
        return TrainingOptions(checkpoints, options.checkpoint_every_s, deadline, options.processes)

    @property
    def _much(self) -> Shown:
        from netwright.evaluation.supernet_check import Shown

        return Shown.of(self.task.work, fitting_at_once(self.task))

    def _reserve_s(self) -> float:
        """Wall seconds for the comparison of outputs: by the pixels that are shown, beside small examples."""
        from netwright.evaluation.supernet_check import SMALL, Shown

        assert self.options.deadline_s is not None
        much, small, batch = self._much, Shown(), self.recipe.batch_size or 128
        part = batch / self.recipe.shards
        longer = (much.images + much.shards * part) * self.task.work / (small.images + small.shards * 64) / SMALL
        left_s = self.options.deadline_s - time.monotonic()
        return max(RESERVE_S, min(MOST_RESERVED * left_s, RESERVE_S * longer))

    def _write_checked(self, supernet: Supernet, batches: Batches) -> None:
        """Write the weights, once it is seen that networks on them differ, and what was seen."""
        from netwright.evaluation.supernet_check import compare_outputs

        shown = self._images(*self.task.validation())
        classes = self.task.classifies
        distinct = compare_outputs(supernet, shown, batches, self.settings.seed, classes=classes, much=self._much)
        self._require_distinct(distinct)
        written = save_supernet(self.folder / WEIGHTS, supernet, self.task)
        report = {
            "digest": written,
            "tensors": len(supernet.bank),
            "bytes": supernet.bank.num_bytes,
            "checked": distinct.to_dict(),
            "warning": distinct.warning,
            "remark": supernet.remark,
        }
        _write(self.work_dir / REPORT, report)

    def _supernet(self) -> Supernet:
        """New weights, or those that the cycle before left."""
        device = self.options.device
        if self.settings.cycle > 1:
            before = self.work_dir / BEFORE
            return load_supernet(before, self.task, self.space, digest=self.settings.after, device=device)
        bound = int(self._memory_bound())
        return supernet_of(self.task, self.space, seed=self.settings.seed, memory_bytes=bound, device=device)

    def _require_distinct(self, distinct: Distinct) -> None:
        if distinct.all_equal:
            cure = "this space's networks cannot be told apart by shared weights; search it with --evaluator training"
            raise SearchError(f"supernet: {distinct.warning}; {cure}")

    def _checkpoints(self) -> Checkpoints:
        from netwright.evaluation.checkpoints import Checkpoints

        settings, limited = self.settings, self.options.deadline_s is not None
        facts = {
            **facts_of(self.task, self.space),
            **{name: value for name, value in settings.to_dict().items() if name != "epochs"},
            "flip": self._mirrors(),
            "device": self.options.device,
        }
        if settings.sampling in PLANNED:  # what a step runs depends on the length
            facts["epochs"] = settings.epochs
        length = digest(canonical_json([settings.epochs, limited]))
        return Checkpoints(self.checkpoints_folder, "supernet", digest(canonical_json(facts), 32), length)


def read_told(folder: Path) -> Told | None:
    """What a training said last; None before it said anything."""
    with suppress(OSError, ValueError, TypeError):
        return Told(**json.loads((folder / "work" / POSITION).read_text(encoding="utf-8")))
    return None


def ask_to_stop(folder: Path) -> None:
    """Let a training stop after its step, with a checkpoint."""
    (folder / "work").mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "work" / STOP).touch()


def forget(folder: Path) -> None:
    """Let the next training run to its end, and tell nothing that an earlier one said."""
    for name in (STOP, POSITION, REPORT):
        (folder / "work" / name).unlink(missing_ok=True)


class _Teller:
    """Listener of a training: writes down how it stands, and looks whether it is to stop."""

    def __init__(self, folder: Path, networks: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder, self._networks = folder, networks
        self._told_s = -1e9
        self.stopped = False

    def __call__(self, position: Position) -> bool:
        now_s = time.monotonic()
        if now_s - self._told_s >= TOLD_EVERY_S or position.step >= position.total:
            self._told_s = now_s
            _write(self._folder / POSITION, asdict(Told(**asdict(position), networks=self._networks)))
            self.stopped = (self._folder / STOP).exists() and position.step < position.total
        return self.stopped


def _write(path: Path, value: object) -> None:
    """Replace a small file; it is a note that need not survive a crash of the machine."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(json.dumps(value), encoding="utf-8")
    temporary.replace(path)
