"""The command line called in this process, a stand-in for the search, and runs with a stored history."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from cli_helpers import ACCURACY, Answer, FakeSearch

from netwright.cli.main import run
from netwright.storage import Store, StudyRecord
from netwright.types import Objective, Trial


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Answer]:
    """The command line, called in an empty current folder."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)

    def call(*argv: object) -> Answer:
        capsys.readouterr()
        code = run([str(word) for word in argv])
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return call


@pytest.fixture
def fake_search(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeSearch:
    """Put a stand-in where the search is imported from."""
    fake = FakeSearch(tmp_path / "run")
    module = ModuleType("netwright.search")
    module.search, module.resume, module.export = fake.search, fake.resume, fake.export  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "netwright.search", module)
    return fake


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Make the folder of a run with a stored history."""

    def make(*trials: Trial, name: str = "demo", folder: str = "run", objectives: tuple[Objective, ...] = ()) -> Path:
        path = tmp_path / folder
        record = StudyRecord(name, 0, "{}", "0", objectives=objectives or (ACCURACY,), version="0.1.0")
        with Store.create(path / "study.db", record) as store:
            for trial in trials:
                store.commit(trial)
        return path

    return make
