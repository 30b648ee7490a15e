"""Checkpoints that are whole and of this training, or nothing."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from netwright.evaluation.checkpoints import Checkpoints, TrainingState, write_atomically
from netwright.evaluation.recipe import Schedule

SCHEDULE = Schedule(total=100, branch=50, warmup=5)


def checkpoints(folder: Path, fingerprint: str = "f", length: str = "e1") -> Checkpoints:
    return Checkpoints(folder, "key", fingerprint, length)


def state(step: int, value: float = 1.0) -> TrainingState:
    tensors = {"model/w": torch.full((3, 2), value), "optimizer/step/w": torch.tensor(4.0)}
    return TrainingState(step, SCHEDULE, tensors)


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    """Position, schedule and tensors survive, bit for bit."""
    checkpoints(tmp_path).save(state(20, 0.1))
    found = checkpoints(tmp_path).load(SCHEDULE)
    assert found is not None
    assert (found.step, found.schedule) == (20, SCHEDULE)
    expected = state(20, 0.1).tensors
    assert found.tensors.keys() == expected.keys()
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in expected.items())


def test_a_longer_training_goes_on_from_the_stable_state(tmp_path: Path) -> None:
    """A stable state serves every training whose decay begins later, and none whose decay begins earlier."""
    checkpoints(tmp_path).save(state(50))
    longer, shorter = Schedule(400, 200, 5), Schedule(40, 20, 5)
    found = checkpoints(tmp_path, length="e4").load(longer)
    assert found is not None
    assert (found.step, found.schedule) == (50, longer)
    assert checkpoints(tmp_path, length="e04").load(shorter) is None


def test_a_state_in_the_decay_serves_its_own_length_only(tmp_path: Path) -> None:
    """The decay of one length is no part of another training."""
    checkpoints(tmp_path).save(state(50, 1.0))
    checkpoints(tmp_path).save(state(70, 2.0))
    own, other = (checkpoints(tmp_path, length=name).load(SCHEDULE) for name in ("e1", "e2"))
    assert own is not None
    assert other is not None
    assert (own.step, other.step) == (70, 50)
    checkpoints(tmp_path).discard_decay()
    assert checkpoints(tmp_path).load(SCHEDULE).step == 50  # type: ignore[union-attr]


def test_an_earlier_state_does_not_replace_a_further_one(tmp_path: Path) -> None:
    """A short training run again does not undo a longer one's progress."""
    checkpoints(tmp_path).save(state(40))
    checkpoints(tmp_path).save(state(10))
    assert checkpoints(tmp_path).load(SCHEDULE).step == 40  # type: ignore[union-attr]


def test_torn_at_any_offset_it_is_ignored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file cut at any length is no checkpoint, and the log says so."""
    kept = checkpoints(tmp_path)
    kept.save(state(20))
    data = kept.stable_path.read_bytes()
    with caplog.at_level(logging.WARNING):
        for length in range(len(data)):
            kept.stable_path.write_bytes(data[:length])
            assert kept.load(SCHEDULE) is None
    assert len(caplog.records) == len(data)
    assert "training starts over" in caplog.text


def test_any_flipped_bit_is_noticed(tmp_path: Path) -> None:
    """A file with one bit changed is ignored, or gives the very same state."""
    kept = checkpoints(tmp_path)
    kept.save(state(20))
    data = bytearray(kept.stable_path.read_bytes())
    for bit in range(0, len(data) * 8, 7):
        data[bit // 8] ^= 1 << bit % 8
        kept.stable_path.write_bytes(data)
        found = kept.load(SCHEDULE)
        assert found is None or (
            found.step == 20 and all(torch.equal(found.tensors[k], v) for k, v in state(20).tensors.items())
        )
        data[bit // 8] ^= 1 << bit % 8


def test_a_checkpoint_of_another_training_is_ignored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The fingerprint of data, recipe and space must agree."""
    checkpoints(tmp_path, fingerprint="other").save(state(20))
    with caplog.at_level(logging.WARNING):
        assert checkpoints(tmp_path).load(SCHEDULE) is None
    assert "of another training" in caplog.text


def test_a_file_that_is_no_checkpoint_is_ignored(tmp_path: Path) -> None:
    """A pickle, text or an empty file in its place is never loaded."""
    kept = checkpoints(tmp_path)
    for junk in (b"", b"\x80\x04\x95bad", b"PK\x03\x04", b"hello" * 100, b"\xff" * 64):
        kept.stable_path.write_bytes(junk)
        assert kept.load(SCHEDULE) is None


_WRITER = """
import sys
from pathlib import Path
from netwright.evaluation.checkpoints import write_atomically
for i in range(10**9):
    write_atomically(Path(sys.argv[1]), bytes([i % 256]) * 200_000)
    print(i, flush=True)
"""


@pytest.mark.long
def test_killed_while_writing_there_is_a_whole_file(tmp_path: Path) -> None:
    """Whenever the writer is killed, the file holds one of the contents it wrote, whole."""
    path = tmp_path / "deep" / "file"
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        for _ in range(5):
            child.stdout.readline()
        child.kill()
    data = path.read_bytes()
    assert len(data) == 200_000
    assert len(set(data)) == 1
    assert path.stat().st_mode & 0o077 == 0


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without room on the disk, the previous file stays and nothing else is left."""
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
