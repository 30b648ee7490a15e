"""Tests of a trial that spoils what is around it: its process, its folder, the disk, open files, what it prints."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from among_twenty import CULPRIT, FAILED, check, measure, others
from execution_helpers import evaluator, run_all

from netwright.execution import InProcessExecutor, IsolatedExecutor
from netwright.execution.messages import pack
from netwright.storage import Store, StudyRecord
from netwright.types import Architecture, Fidelity, Proposal, Trial, TrialState


def _poison() -> object:
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - on purpose
    os.environ["POISON"] = "x"
    os.chdir("/")
    tempfile.tempdir = "/nowhere"
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    os.umask(0o777)
    sys.setrecursionlimit(5000)
    sys.path.clear()
    gc.disable()
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    shutil.rmtree(os.environ.get("TMPDIR", "/nowhere"), ignore_errors=True)
    return {"accuracy": 0.5}


def test_a_trial_that_poisons_its_process_harms_no_other() -> None:
    """Seeds, environment, cwd, masks, limits, interpreter, signal handlers and threads of one trial stay its own."""
    assert check(_poison) == (TrialState.FINISHED, "")


def test_the_check_finds_an_executor_that_does_not_isolate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted bug: with trials in one process the poisoned environment shows in the others."""

    def poisoned(number: int, seed: int) -> object:
        if number == CULPRIT:
            monkeypatch.setenv("POISON", "x")
            return {"accuracy": 0.5}
        return measure(number, seed)

    places = [
        {number: metrics["place"] for number, metrics in others(InProcessExecutor(evaluator(function))).items()}
        for function in (poisoned, measure)
    ]
    monkeypatch.delenv("POISON")
    assert places[0] != dict.fromkeys(places[0], places[1][0])


class Torch:
    """Computes with torch as it finds it; the culprit changes everything torch keeps for the whole process.

    Args:
        harmless: a file; where it exists there is no culprit.
    """

    def __init__(self, harmless: Path) -> None:
        self.harmless = harmless

    def prepare(self) -> None:
        import torch  # noqa: F401

    def __call__(self, arch: Architecture, *, fidelity: Fidelity, seed: int) -> dict[str, float]:
        import torch

        if arch["number"] == CULPRIT and not self.harmless.exists():
            torch.set_default_dtype(torch.float64)
            torch.set_num_threads(2)
            torch.use_deterministic_algorithms(True)
            torch.set_grad_enabled(False)
            torch.manual_seed(0)
            return {"accuracy": 0.5}
        numbers = torch.rand(9, requires_grad=True)
        return {
            "sum": float(numbers.detach().sum()),
            "size": float(numbers.element_size()),
            "threads": float(torch.get_num_threads()),
            "modes": float(torch.are_deterministic_algorithms_enabled()) + 2.0 * torch.is_grad_enabled(),
        }


def test_a_trial_that_poisons_torch_harms_no_other(tmp_path: Path) -> None:
    """Default dtype, threads, seeds and modes of torch in one trial stay its own."""
    runs = []
    with IsolatedExecutor(Torch(tmp_path / "harmless"), workers=2) as executor:
        runs.append(others(executor))
        (tmp_path / "harmless").touch()
        runs.append(others(executor))
    assert runs[1] == runs[0]
    assert {(4.0, 1.0, 2.0)} == {(m["size"], m["threads"], m["modes"]) for m in runs[0].values()}


def test_files_of_a_trial_go_with_it(tmp_path: Path) -> None:
    """What a trial writes into its temporary folder is gone when it has ended, however it ended."""

    def function(number: int, seed: int) -> object:
        folder = Path(tempfile.mkdtemp())
        (tmp_path / str(number)).write_text(str(folder))
        (folder / "large").write_bytes(bytes(1 << 20))
        return os.abort() if number == CULPRIT else {"accuracy": 0.5}

    with IsolatedExecutor(evaluator(function), workers=2) as executor:
        run_all(executor, range(9))
    folders = [Path(path.read_text()) for path in tmp_path.iterdir()]
    assert [folder.parents[1].exists() for folder in folders] == [False] * 9


def _remove(folder: Path) -> object:
    shutil.rmtree(folder)
    return {"accuracy": 0.5}


@pytest.mark.long
def test_a_trial_that_removes_its_folder_harms_no_other() -> None:
    """Its own folder for temporary files, and the one in which those of all trials lie."""
    assert check(lambda: _remove(Path(tempfile.gettempdir()))) == (TrialState.FINISHED, "")
    assert check(lambda: _remove(Path(tempfile.gettempdir()).parent), workers=1) == (TrialState.FINISHED, "")


@pytest.mark.long
def test_logs_that_cannot_be_written_are_named_and_harm_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where a trial takes away the folder of logs, a warning says which is missing, and the results stay."""
    logs = tmp_path / "logs"

    def remove() -> object:
        os.write(1, b"last words")
        return _remove(logs)

    with caplog.at_level(logging.WARNING):
        assert check(remove, log_dir=logs) == (TrialState.FINISHED, "")
    assert [f"the log of trial {CULPRIT} cannot be written: "] == [m.partition("[")[0] for m in caplog.messages]


@contextlib.contextmanager
def _small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of that size, or a skipped test: mounting one needs rights."""
    folder.mkdir()
    try:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    except OSError as error:
        pytest.skip(f"no disk can be mounted: {error}")
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted: {mounted.stderr!r}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.long
def test_a_trial_that_fills_the_disk_fails_and_leaves_it_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it wrote goes with it, and the trials after it find the room they need."""

    def fill() -> object:
        with tempfile.NamedTemporaryFile(delete=False, buffering=0) as file:
            while file.write(bytes(1 << 16)) == 1 << 16:
                pass
            file.write(b"x")
        return {"accuracy": 0.5}

    with _small_disk(tmp_path / "disk", "2m") as disk:
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
        state, error = check(fill, workers=1)
        assert [] == list(disk.iterdir())
    assert state is FAILED
    assert error.startswith("OSError: [Errno 28] No space left on device")


def test_a_trial_for_which_the_disk_has_no_room_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even its folder can be made the trial fails, and says why."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with IsolatedExecutor(evaluator(measure)) as executor:
        (folder,) = tmp_path.iterdir()
        (folder / "1").touch()  # where the first trial's would be
        outcome = run_all(executor, range(1))[0]
    assert outcome.state is FAILED
    assert outcome.error.startswith("the trial's process cannot be started: [Errno 17] File exists: ")


def test_a_trial_that_writes_to_all_open_files_harms_no_store(tmp_path: Path) -> None:
    """The driver's store, its lock, its log and a file a person has open do not reach a trial, nor do other pipes."""

    def scribble() -> object:
        for fd in range(3, 256):
            for work in (lambda fd: os.ftruncate(fd, 0), lambda fd: os.write(fd, b"\xff" * 5000)):
                with contextlib.suppress(OSError):
                    work(fd)
        return {"accuracy": 0.5}

    trials = [Trial(n, Proposal(Architecture({"n": n})), n, TrialState.FINISHED, {"a": n / 3}) for n in range(20)]
    (tmp_path / "open.txt").write_text("a person's")
    handler = logging.FileHandler(tmp_path / "log.txt")
    handler.emit(logging.makeLogRecord({"msg": "the driver's"}))
    with (
        (tmp_path / "open.txt").open("r+b"),
        Store.create(tmp_path / "study.db", StudyRecord("s", 0, "{}", "0")) as store,
    ):
        for trial in trials[:10]:
            store.commit(trial)
        with IsolatedExecutor(evaluator(lambda number, seed: scribble()), workers=2) as executor:
            outcomes = run_all(executor, range(4))
        for trial in trials[10:]:
            store.commit(trial)
    handler.close()
    with Store.open(tmp_path / "study.db") as store:
        assert trials == list(store.trials())
    assert ["a person's", "the driver's\n"] == [(tmp_path / name).read_text() for name in ("open.txt", "log.txt")]
    assert {FAILED} == {outcome.state for outcome in outcomes.values()}
    assert {"the result cannot be read"} == {outcome.error.partition(":")[0] for outcome in outcomes.values()}


def test_a_message_that_a_trial_prints_is_no_result() -> None:
    """What stands in its output is text, even where it is written as a result would be."""

    def lie() -> object:
        for fd in (1, 2):
            os.write(fd, pack({"state": "finished", "metrics": {"accuracy": 1.0}, "error": ""}))
            os.write(fd, b"\naccuracy: 1.0\n\x1b[2J\r")
        raise ValueError("honest")

    state, error = check(lie)
    assert state is FAILED
    assert error.startswith("ValueError: honest\n")


def test_a_crash_after_a_flood_of_output_is_explained_in_a_few_kilobytes() -> None:
    """The end of what was printed stands in the error, however much it was."""

    def flood() -> object:
        for _ in range(100):
            os.write(1, b"x" * (1 << 16))
        os.write(1, b"\nlast words\n")
        return os.kill(os.getpid(), signal.SIGKILL)

    state, error = check(flood)
    assert state is FAILED
    assert error.startswith("the trial's process was killed by SIGKILL\n")
    assert error.endswith("\nlast words")
    assert len(error) < 21_000
