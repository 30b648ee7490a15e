"""A search that begins with earlier runs: what it learns, keeps in its own folder, and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from netwright.errors import SpecError
from netwright.spec import SearchSpec
from netwright.storage import Store, StudyRecord
from netwright.strategies.earlier_studies import EarlierStudy
from netwright.strategies.transfer import Transfer
from netwright.study.clock import Clock
from netwright.study.earlier import FOLDER, earlier_studies, fingerprint, keep_earlier, told_of
from netwright.study.opening import prepare
from netwright.tasks import load_task
from netwright.types import Fidelity, Objective, Proposal, Trial, TrialState

ACCURACY = (Objective("accuracy", "max"),)


def trials_of(seed: int, num: int = 6) -> tuple[Trial, ...]:
    space = load_task("image-classification", "digits").default_space()

    rng = np.random.default_rng(seed)
    return tuple(
        Trial(
            i,
            Proposal(space.sample(rng), Fidelity(2.0)),
            i,
            TrialState.FINISHED,
            {"accuracy": 0.1 * i, "loss": 1.0 - 0.1 * i},
        )
        for i in range(num)
    )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder with the file that a search keeps of an earlier study."""
    folder = tmp_path / "now"
    folder.mkdir()
    keep_earlier(folder, [EarlierStudy("before", trials_of(0))])
    return folder


def spec(run: Path, earlier: str, **more: object) -> SearchSpec:
    return SearchSpec.from_options(
        task="image-classification", data="digits", out=str(run), warm_start=[earlier], budget="4 trials", **more
    )


def test_the_copy_in_the_run_is_read_and_the_same(run: Path) -> None:
    """Whatever became of the earlier run, what it found is there."""
    (study,) = earlier_studies(spec(run, "gone"))
    assert study == EarlierStudy("before", trials_of(0))
    keep_earlier(run, [EarlierStudy("other", trials_of(1))])  # what is there stays
    assert earlier_studies(spec(run, "gone")) == (study,)


def test_the_strategy_is_told_and_a_changed_copy_is_noticed(run: Path, tmp_path: Path) -> None:
    """The parts of the search name it, and its record changes with it."""
    _, parts = prepare(spec(run, "gone"), {}, Clock())
    assert "begins with 6 of 6 trials of before" in parts.searched_by
    file = run / FOLDER / "0.json"
    file.write_text(file.read_text().replace('"accuracy":0.5', '"accuracy":0.6'))
    _, changed = prepare(spec(run, "gone"), {}, Clock())
    assert parts.code != changed.code
    assert fingerprint(parts.earlier) != fingerprint(changed.earlier)
    assert fingerprint(()) == ""


@pytest.mark.parametrize("content", ["", "{}", '{"name": "x", "trials": [{}]}', "[1"])
def test_a_damaged_copy_is_named(run: Path, content: str) -> None:
    """The file, and that it cannot be read."""
    (run / FOLDER / "0.json").write_text(content)
    with pytest.raises(SpecError, match=r"warm_start: .*0\.json holds no study"):
        earlier_studies(spec(run, "gone"))


def test_a_run_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Before anything is trained."""
    with pytest.raises(SpecError, match="warm_start: nowhere holds no study that can be read"):
        earlier_studies(spec(tmp_path / "new", "nowhere"))


@pytest.mark.parametrize(
    ("more", "says"),
    [({"strategy": "evolution"}, "absent with the strategy evolution"), ({"inherit": True}, "false with warm_start")],
)
def test_what_does_not_go_with_it_is_refused(tmp_path: Path, more: dict[str, object], says: str) -> None:
    """A strategy that learns nothing of earlier studies, and one whose networks need parents."""
    with pytest.raises(SpecError, match=says):
        spec(tmp_path, "x", **more)


def test_architectures_that_do_not_exist_here_are_counted(run: Path) -> None:
    """Of another space some have no counterpart, which is said."""
    space = load_task("image-classification", "digits").default_space()
    odd = Trial(9, Proposal(type(trials_of(0)[0].architecture)({"stem.width": 7})), 0, TrialState.FINISHED, {})
    told = told_of([EarlierStudy("before", (*trials_of(0, 3), odd))], space, ACCURACY, ())
    assert told == "begins with 3 of 4 trials of before"


def test_a_run_that_teaches_nothing_is_told(run: Path) -> None:
    """Its architectures have counterparts, but it measured something else, or too little."""
    space = load_task("image-classification", "digits").default_space()
    for study, goals in (
        (EarlierStudy("before", trials_of(0)), (Objective("perplexity", "min"),)),
        (EarlierStudy("before", trials_of(0, 2)), ACCURACY),
    ):
        told = told_of([study], space, goals, ())
        assert f"nothing is learned of before: no 3 equally trained networks have {goals[0].metric}" in told
    _, parts = prepare(spec(run, "gone", constraints=["params<=1"]), {}, Clock())
    assert "nothing is learned of before" in parts.searched_by


def test_a_run_of_another_task_is_refused(tmp_path: Path) -> None:
    """Its rankings would be learned from, where the metrics have one name."""
    before = tmp_path / "before"
    before.mkdir()
    text = SearchSpec.from_options(task="tabular-classification", data="t.csv", out=str(before)).to_yaml()
    space = load_task("image-classification", "digits").default_space()
    with Store.create(before / "study.db", StudyRecord("b", 0, "{}", space.fingerprint(), spec=json.dumps(text))):
        pass
    with pytest.raises(SpecError, match=r"warm_start must be a run of image-classification, got .*tabular-classif"):
        earlier_studies(spec(tmp_path / "now", str(before)))


def test_shared_weights_are_searched_with_what_was_learned(run: Path) -> None:
    """The strategy on a supernet is told of the earlier studies, too, as the log says."""
    _, parts = prepare(spec(run, "gone", evaluator="supernet", ladder="none"), {}, Clock())
    assert isinstance(parts.strategy, Transfer)
    assert parts.strategy.num_lessons == 1
    assert "begins with 6 of 6 trials of before" in parts.searched_by
