"""A training of a supernet that had ended and goes on: what is trained next, and what is kept of what was there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from netwright.errors import SearchError, SpaceError, SpecError, StudyMismatchError
from netwright.evaluation.supernet_files import WEIGHTS
from netwright.evaluation.supernet_settings import FURTHER_RATE, SupernetSettings
from netwright.evaluation.supernet_trainer import BEFORE
from netwright.execution import Outcome
from netwright.study.supernet_further import begin_cycle, forget_cycle, next_record
from netwright.study.supernet_phase import Ears, SupernetPhase
from netwright.study.supernet_record import RECORD, SupernetRecord, read_record
from netwright.tasks import load_task
from netwright.types import TrialState, digest


def asked(epochs: float = 6.0, budget: str = "", **options: object) -> SupernetRecord:
    settings = SupernetSettings(epochs=epochs, **options)  # type: ignore[arg-type]
    return SupernetRecord("image-classification", "digits", "default", 0, settings, "aa", "bb", budget=budget)


def finished(folder: Path, epochs: float = 6.0, budget: str = "", trained: float = 6.0) -> SupernetRecord:
    """A record with its weights in a folder."""
    import hashlib

    (folder / WEIGHTS).write_bytes(b"weights")
    of = hashlib.blake2b(b"weights", digest_size=16).hexdigest()
    known = replace(asked(epochs, budget), finished=True, spent_s=10.0, trained={"digest": of, "epochs": trained})
    known.write(folder)
    return known


def test_more_epochs_are_a_further_cycle(tmp_path: Path) -> None:
    """It begins where the one before ended, knows its weights, and is at a lower rate with other draws."""
    known = finished(tmp_path)
    record = next_record(known, asked(9.0), tmp_path)
    settings = record.settings
    assert (settings.cycle, settings.before, settings.after, settings.length) == (2, 6.0, known.digest, 3.0)
    assert record.spent_s == 10.0
    assert settings.rated.learning_rate == FURTHER_RATE * settings.recipe.learning_rate
    assert settings.draws == int(digest("0 2", 8), 16) != known.settings.draws == 0
    assert str(settings).endswith("cycle 2")
    third = replace(record, finished=True, trained={**known.trained, "epochs": 9.0})
    assert next_record(third, asked(12.0), tmp_path).settings.cycle == 3


def test_what_time_ended_early_goes_on_with_more_time_or_epochs(tmp_path: Path) -> None:
    """What counts is for how long it was trained, not for how long it might have been."""
    known = finished(tmp_path, epochs=40.0, budget="10m", trained=3.7)
    assert next_record(known, asked(40.0, "20m"), tmp_path).settings.before == 3.7
    assert next_record(known, asked(12.0), tmp_path).settings.length == pytest.approx(8.3)


def test_the_same_again_is_no_further_cycle(tmp_path: Path) -> None:
    """Of the first cycle and of a later one, finished or not."""
    known = finished(tmp_path)
    assert next_record(known, asked(), tmp_path).settings == known.settings
    second = next_record(known, asked(9.0), tmp_path)
    for done in (False, True):
        assert next_record(replace(second, finished=done), asked(9.0), tmp_path).settings == second.settings
    with pytest.raises(StudyMismatchError, match=r"epochs was 9.0 when the training in .* began, and is 10.0 now"):
        second.require_same(next_record(second, asked(10.0), tmp_path), tmp_path)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (asked(5.0), "epochs must be > 6, for which it was trained, got 5.0; raise --epochs"),
        (asked(9.0, sampling="fair"), "sampling was 'sandwich' when the training in"),
        (replace(asked(9.0), seed=1), "seed was 0 when the training in"),
        (replace(asked(9.0), data_fingerprint="x"), "data was 'bb' when the training in"),
    ],
)
def test_what_cannot_go_on_is_refused(tmp_path: Path, record: SupernetRecord, message: str) -> None:
    """A shorter training, and anything else that differs, by name."""
    with pytest.raises((SpecError, StudyMismatchError), match=message):
        next_record(finished(tmp_path), record, tmp_path)


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    """Before a cycle begins on them."""
    known = finished(tmp_path)
    (tmp_path / WEIGHTS).write_bytes(b"weightz")
    with pytest.raises(
        SpecError, match="is damaged, or not the file that the training wrote; train it again in another"
    ):
        next_record(known, asked(9.0), tmp_path)


def test_a_cycle_can_be_forgotten(tmp_path: Path) -> None:
    """The record is that of before; the weights were kept aside, and are where they were."""
    known = finished(tmp_path)
    record = next_record(known, asked(9.0), tmp_path)
    begin_cycle(tmp_path, record)
    assert (tmp_path / "work" / BEFORE).read_bytes() == b"weights"
    assert read_record(tmp_path) == record.with_versions()
    forget_cycle(tmp_path)
    assert read_record(tmp_path) == known
    assert sorted(path.name for path in tmp_path.iterdir()) == [RECORD, WEIGHTS]
    forget_cycle(tmp_path)
    assert read_record(tmp_path) == known


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cycle": 0}, "cycle must be a whole number >= 1, got 0"),
        ({"before": 6.0}, r"before must be in \[0, epochs \(6\)\), got 6.0"),
        ({"before": float("nan")}, "before must be in"),
    ],
)
def test_settings_of_a_cycle_refuse_what_cannot_be(options: dict[str, object], message: str) -> None:
    """Such as of a record that somebody wrote."""
    with pytest.raises(SpecError, match=message):
        SupernetSettings(epochs=6.0, **options)  # type: ignore[arg-type]


def phase_of(folder: Path) -> SupernetPhase:
    task = load_task("image-classification", "digits")
    return SupernetPhase(task, task.default_space(), asked(), folder)


def ends_by_memory(step: int) -> Callable[..., Outcome]:
    """A training that memory ends after so many steps."""

    def train(self: SupernetPhase, ears: Ears, deadline_s: float | None, note_time: Callable[[], None]) -> Outcome:
        (self.folder / "work").mkdir()
        told = {"step": step, "total": 9, "loss": 1.0, "step_s": 0.1}
        (self.folder / "work" / "position.json").write_text(json.dumps(told))
        time.sleep(0.01)
        note_time()
        assert read_record(self.folder).spent_s > 0  # a kill from here on would not lose the time
        return Outcome(0, TrialState.INFEASIBLE, {}, "MemoryError: out of memory", 1.0)

    return train


def test_what_memory_ends_before_its_first_step_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a mistake in what was given."""
    monkeypatch.setattr(SupernetPhase, "_train", ends_by_memory(0))
    with pytest.raises(SpaceError, match="memory of the supernet"):
        phase_of(tmp_path / "s").run(Ears(lambda text: None, lambda: None))
    assert not (tmp_path / "s").exists()


def test_what_memory_ends_later_keeps_its_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour is not thrown away; its time counts."""
    monkeypatch.setattr(SupernetPhase, "_train", ends_by_memory(5))
    with pytest.raises(SearchError, match="goes on from its last checkpoint"):
        phase_of(tmp_path / "s").run(Ears(lambda text: None, lambda: None))
    assert (tmp_path / "s" / "work").is_dir()
    assert read_record(tmp_path / "s").spent_s > 0
