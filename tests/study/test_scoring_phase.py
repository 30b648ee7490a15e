"""The ladder in a search: scores before the first trial, kills and resumes, what is told and kept."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import netwright as nw
from netwright import nn
from netwright.errors import StoreError
from netwright.evaluation.scored import Scored
from netwright.evaluation.scoring import sample_architectures
from netwright.space import SearchSpace
from netwright.storage import Store, StudyRecord
from netwright.study.scoring_phase import SCORED, make_scores, store_scores, stored_scores
from netwright.tasks.image_classification import ImageClassification
from netwright.types import Architecture

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of fork beside threads, Python 3.12

SEARCH = str(Path(__file__).with_name("ladder_search.py"))


@pytest.fixture(scope="module")
def task() -> ImageClassification:
    images = np.random.default_rng(0).integers(0, 255, (60, 8, 8, 1)).astype(np.uint8)
    return ImageClassification.from_arrays((images, np.arange(60) % 3), layout="HWC")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "study.db", StudyRecord("x", 0, "{}", ""))


def odd_space() -> SearchSpace:
    """A usual network, one without ReLU, and one without any parameter."""
    nets = {
        "usual": nn.seq(nn.conv(6), nn.relu(), nn.global_pool(), nn.linear(3)),
        "smooth": nn.seq(nn.conv(6), nn.gelu(), nn.global_pool(), nn.linear(3)),
        "empty": nn.global_pool(),
    }
    return SearchSpace(nn.one_of("net", nets))


def test_networks_that_proxies_are_not_for_are_scored_as_far_as_it_goes(
    task: ImageClassification, tmp_path: Path
) -> None:
    """Without ReLU, without parameters: what there is counts, the rest is no number, and nothing fails."""
    space = odd_space()
    pool = sample_architectures(space, 3, 0)
    scored = make_scores(task, space, pool, folder=tmp_path, seed=0, workers=1, may_go_on=lambda: 60.0)
    assert pool == [row.architecture for row in scored]
    by_net = {str(row.architecture["net"]): row for row in scored}
    assert by_net["usual"].error == by_net["smooth"].error == ""
    for net in ("usual", "smooth"):
        assert any(math.isfinite(value) for value in by_net[net].values.values())
    assert any(math.isnan(value) for value in by_net["empty"].values.values())


def test_scoring_ends_when_there_is_no_time(task: ImageClassification, tmp_path: Path) -> None:
    """What is scored by then is a beginning of the pool; nothing is a beginning, too."""
    space = odd_space()
    pool = sample_architectures(space, 3, 0)
    assert [] == make_scores(task, space, pool, folder=tmp_path, seed=0, workers=1, may_go_on=lambda: 0.0)


def test_scores_are_stored_whole(store: Store, tmp_path: Path) -> None:
    """NaN and reasons come back as they were; the files are not needed any more."""
    folder = tmp_path / "scores"
    folder.mkdir()
    rows = [Scored(Architecture({"a": 1}), {"x": 1.5, "y": math.inf}, {"params": 3.0}, {"y": "why"}, "", 0.5)]
    assert stored_scores(store) is None
    store_scores(store, rows, folder)
    assert rows == stored_scores(store)
    assert not folder.exists()
    store.close()


def test_scores_that_cannot_be_read_are_an_error(store: Store) -> None:
    store.append_event(SCORED, [{"architecture": "{}"}])
    with pytest.raises(StoreError, match="the scores of the ladder's pool cannot be read"):
        stored_scores(store)
    store.close()


@pytest.mark.slow
def test_a_search_killed_while_it_scores_is_the_same_search(tmp_path: Path) -> None:
    """A resume scores the rest; and one with a larger budget replays the history, though no file of a score is left."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run([sys.executable, SEARCH, whole, "search", "24 trials"], check=True)
    killed = subprocess.run([sys.executable, SEARCH, cut, "search", "24 trials", "4"], check=False)
    assert -9 == killed.returncode
    with Store.open(cut / "study.db", read_only=True) as store:
        assert ([], None) == (store.trials(), stored_scores(store))
    subprocess.run([sys.executable, SEARCH, cut, "resume", "24 trials"], check=True)
    assert not (cut / "work" / "scores").exists()
    expected, found = (history(run) for run in (whole, cut))
    assert expected == found
    with Store.open(whole / "study.db", read_only=True) as store:
        origins = {trial.proposal.origin for trial in store.trials()}
    assert {"probe", "predictor"} <= origins
    subprocess.run([sys.executable, SEARCH, cut, "resume", "27 trials"], check=True)
    assert expected == history(cut)[: len(expected)]
    assert len(history(cut)) > len(expected)


def history(run: Path) -> list[str]:
    with Store.open(run / "study.db", read_only=True) as store:
        return list(store.history())


@pytest.mark.slow
def test_a_short_search_keeps_its_time(tmp_path: Path) -> None:
    """Thirty seconds on digits, ladder and all, and a network at the end; a busy machine may add a fifth."""
    begin_s = time.monotonic()
    result = nw.search(task="image-classification", data="digits", budget="30s", out=tmp_path / "run")
    assert time.monotonic() - begin_s < 36
    assert result.verified
