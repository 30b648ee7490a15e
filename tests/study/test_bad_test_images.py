"""A test split that cannot be read, found at the very end: nothing of the search is lost by it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import netwright as nw
from netwright.errors import DataError, SpecError
from netwright.export import Card
from netwright.storage import Store
from netwright.study.delivery import LEAST_CHECKED, images_in, sample
from netwright.study.opening import run_folder
from netwright.study.plan import EXPORT_S
from netwright.types import Architecture, Proposal, Trial, TrialState


def write_data(path: Path, *, bad: bool) -> None:
    """Two classes of 4 x 4 pixels; with a NaN in the test part if it is to be bad."""
    random = np.random.default_rng(0)
    labels = np.arange(80) % 2
    images = (random.random((80, 4, 4)) / 2 + labels[:, None, None] / 2).astype(np.float32)
    test = images[60:].copy()
    if bad:
        test[3, 1, 1] = np.nan
    np.savez(path, x_train=images[:60], y_train=labels[:60], x_test=test, y_test=labels[60:])


@pytest.mark.long
def test_a_bad_test_image_loses_nothing_and_a_resume_finishes(tmp_path: Path) -> None:
    """The error names the image; history and network are there, and with mended data a resume adds the test figure."""
    data, run = tmp_path / "data.npz", tmp_path / "run"
    write_data(data, bad=True)
    options = {"budget": "2 trials", "min_epochs": 0.5, "max_epochs": 0.5, "constraints": ["params<=200k"]}
    with pytest.raises(DataError, match=r"x_test(.|\n)*nothing is lost.* mend this data, .*netwright resume") as caught:
        nw.search(task="image-classification", data=str(data), out=run, **options)
    assert "x_test" in str(caught.value)
    with Store.open(run / "study.db", read_only=True) as store:
        history = list(store.history())
    assert history
    card = Card.from_json((run / "best" / "card.json").read_bytes())
    assert "test_accuracy" not in card.metrics
    assert card.check is not None
    assert card.check.passed
    write_data(data, bad=False)
    result = nw.resume(run)
    assert result.verified
    assert "test_accuracy" in Card.from_json((run / "best" / "card.json").read_bytes()).metrics
    with Store.open(run / "study.db", read_only=True) as store:
        assert history == list(store.history())


def test_where_time_is_short_fewer_images_check_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 10 ms of training an image 47 s are enough for 5,000; a floor holds, and without a time there is no bound.

    Where the machine is twice as slow, the export takes 7 s more of them.
    """
    monkeypatch.setattr("netwright.study.machine.Slowness.__call__", lambda self, times=4: 1.0)
    trial = Trial(0, Proposal(Architecture({})), 0, TrialState.FINISHED, {"epochs": 2.0, "train_time_s": 20.0})
    assert 5000 == pytest.approx(images_in(47.0, trial, 1000))
    assert LEAST_CHECKED == images_in(0.0, trial, 1000)
    assert float("inf") == images_in(None, trial, 1000)
    with monkeypatch.context() as slow:
        slow.setattr("netwright.study.machine.Slowness.__call__", lambda self, times=4: 2.0)
        assert 5000 == pytest.approx(images_in(47.0 + EXPORT_S, trial, 1000))
    examples = {
        name: (np.arange(60).reshape(n, -1), np.arange(n) % 2) for name, n in (("validation", 20), ("test", 30))
    }
    metrics = {"validation_accuracy": 0.9}
    remark = sample(examples, metrics, 10, lambda few: {"accuracy": float(few[1].mean())})
    assert {"validation_sample": 4, "test_sample": 6} == {name: len(y) for name, (_, y) in examples.items()}
    assert {"validation_accuracy", "validation_sample_accuracy", "test_sample_accuracy"} == set(metrics)
    assert "10 of 50 examples were used to check the exported files" in remark


def refuse(out: Path, *names: str) -> None:
    """A search that is refused when these files, and folders that end in /, are in its folder."""
    with run_folder(out) as folder:
        for name in names:
            (folder / name).mkdir(parents=True) if name.endswith("/") else (folder / name).touch()
        raise SpecError("too late")


@pytest.mark.parametrize("existed", [True, False])
def test_what_is_not_ours_is_never_removed(tmp_path: Path, existed: bool) -> None:
    """A file that a person put into the folder meanwhile survives the clearing of a search that was refused."""
    out = tmp_path / "run"
    if existed:
        out.mkdir()
    with pytest.raises(SpecError):
        refuse(out, "log.txt", "work/", "mine.txt")
    assert ["mine.txt"] == [path.name for path in out.iterdir()]


@pytest.mark.parametrize("existed", [True, False])
def test_a_refused_search_leaves_no_folder(tmp_path: Path, existed: bool) -> None:
    """What was made is taken away; a folder that was there stays, empty."""
    out = tmp_path / "run"
    if existed:
        out.mkdir()
    with pytest.raises(SpecError):
        refuse(out, "log.txt", "work/weights/", "spec.yaml")
    assert (existed, []) == (out.exists(), list(out.iterdir()) if existed else [])
