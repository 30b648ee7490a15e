"""Checkpoints of a training: one file, written atomically, that is used only if it is whole and of this very training.

Two are kept. The *stable* one is from before the decay of the learning rate; it serves every length of training of the
same (architecture, seed, recipe, data). The *decay* one serves the interrupted training of one length. Weights,
optimiser state and position are in one safetensors file with a digest; a torn, foreign or older-format file is ignored
with a line in the log, and the training starts over, to the same result.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from netwright.evaluation.recipe import Schedule

_log = logging.getLogger(__name__)
_FORMAT = "netwright-training-1"


@dataclass(frozen=True)
class TrainingState:
    """Where a training stands.

    Args:
        step: the next step.
        schedule: of the training.
        tensors: weights and buffers (``model/...``) and optimiser state (``optimizer/...``).
    """

    step: int
    schedule: Schedule
    tensors: Mapping[str, Tensor]


class Checkpoints:
    """The checkpoints of one training.

    Args:
        folder: where they lie; made when the first is written.
        key: of (architecture, seed, share of the data): a file name.
        fingerprint: of all the trajectory depends on; a checkpoint with another one is not used.
        length: distinguishes trainings of different length: a file name.
    """

    def __init__(self, folder: Path, key: str, fingerprint: str, length: str) -> None:
        self.stable_path = folder / f"{key}.stable.safetensors"
        self.decay_path = folder / f"{key}.{length}.decay.safetensors"
        self.fingerprint = fingerprint

    def load(self, schedule: Schedule) -> TrainingState | None:
        """The furthest state that a training with this schedule can go on from."""
        state = self._read(self.decay_path)
        if state is not None and state.step >= state.schedule.branch:
            return state
        state = self._read(self.stable_path)
        if state is None or state.step > schedule.branch:
            return None
        return TrainingState(state.step, schedule, state.tensors)

    def save(self, state: TrainingState) -> None:
        """Write the state; a stable state does not replace one that is further."""
        if state.step > state.schedule.branch:
            self._write(self.decay_path, state)
        elif state.step > self._stable_step():
            self._write(self.stable_path, state)

    def discard_decay(self) -> None:
        """Remove what only an interrupted training needs."""
        self.decay_path.unlink(missing_ok=True)

    def _stable_step(self) -> int:
        state = self._read(self.stable_path)
        return -1 if state is None else state.step

    def _read(self, path: Path) -> TrainingState | None:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.warning("checkpoint %s cannot be read (%s); training starts over", path.name, error)
            return None
        try:
            tensors = load(data)
            facts = _metadata(path)
            position = json.loads(facts["position"])
            schedule = Schedule(**position["schedule"])
            step = int(position["step"])
            genuine = (facts["fingerprint"], facts["digest"]) == (self.fingerprint, _digest(tensors, facts["position"]))
        except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
            _log.warning("checkpoint %s is damaged (%s); training starts over", path.name, error)
            return None
        if not genuine:
            _log.warning("checkpoint %s is damaged or of another training; training starts over", path.name)
            return None
        return TrainingState(step, schedule, tensors)

    def _write(self, path: Path, state: TrainingState) -> None:
        position = json.dumps({"step": state.step, "schedule": asdict(state.schedule), "format": _FORMAT})
        tensors = {name: t.detach().cpu().contiguous() for name, t in state.tensors.items()}
        metadata = {"fingerprint": self.fingerprint, "position": position, "digest": _digest(tensors, position)}
        write_atomically(path, save(tensors, metadata=metadata))


def _metadata(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata() or {})


def _digest(tensors: Mapping[str, Tensor], position: str) -> str:
    state = hashlib.blake2b(position.encode(), digest_size=16)
    for name in sorted(tensors):
        state.update(name.encode())
        state.update(tensors[name].contiguous().numpy().tobytes())
    return state.hexdigest()


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that, whenever this is interrupted, there is either the old file or the new one whole.

    The file is readable by its owner only; folders are made where they are missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
