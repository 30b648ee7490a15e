"""Earlier studies from the folders of runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from netwright.errors import StoreError
from netwright.storage import Store, StudyRecord
from netwright.strategies import RandomSearch
from netwright.strategies.transfer import Transfer
from netwright.study.earlier import read_earlier
from netwright.testing import Simulation, tiny_space


def test_a_run_is_read_and_searched_on(tmp_path: Path) -> None:
    """Name and trials are those of the store, and a search begins with the best of them."""
    space = tiny_space()
    trials = Simulation(RandomSearch(space), space).run(5).told
    with Store.create(tmp_path / "study.db", StudyRecord("first", 0, "{}", space.fingerprint())) as store:
        for trial in trials:
            store.commit(trial)
    earlier = read_earlier(tmp_path)
    best = max(trials, key=lambda trial: trial.metrics["accuracy"])
    assert ("first", trials) == (earlier.name, list(earlier.trials))
    assert best.architecture == Transfer(space, earlier=[earlier]).ask(1)[0].architecture


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    """The message says where a study was looked for."""
    with pytest.raises(StoreError, match="there is no study at"):
        read_earlier(tmp_path)
