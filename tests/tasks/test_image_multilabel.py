"""The task image-multilabel: targets, splits that keep each label's part, exact metrics, files, export."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from netwright.errors import DataError, MissingDependencyError, SpecError
from netwright.export.source import model_source
from netwright.tasks import TASKS, load_task
from netwright.tasks.image_multilabel import ImageMultilabel
from netwright.tasks.multilabel import label_metrics, stratified_sets

NAMES = ("cat", "dog", "owl")


def pictures(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)


def label_sets(n: int, seed: int = 0, classes: int = 3) -> np.ndarray:
    """(n, classes) of 0 and 1, each label somewhere."""
    y = (np.random.default_rng(seed).random((n, classes)) < [0.5, 0.3, 0.1][:classes]).astype(np.uint8)
    y[:classes] |= np.eye(classes, dtype=np.uint8)
    return y


def save_set(path: Path, **changes: np.ndarray) -> Path:
    arrays = {"x_train": pictures(60), "y_train": label_sets(60), "classes": np.array(NAMES)}
    np.savez(path, **{**arrays, **changes})
    return path


def save_images(folder: Path, n: int, name: str = "pictures") -> list[str]:
    (folder / name).mkdir(parents=True, exist_ok=True)
    files = [f"{name}/{i}.png" for i in range(n)]
    for file, pixels in zip(files, pictures(n), strict=True):
        Image.fromarray(pixels).save(folder / file)
    return files


def listed(row: np.ndarray) -> str:
    return "|".join(name for name, has in zip(NAMES, row, strict=True) if has)


def test_labels_of_arrays_become_targets_with_their_names(tmp_path: Path) -> None:
    """An npz file with labels (N, C) gives uint8 targets, names and a task that is registered with its metrics."""
    task = load_task("image-multilabel", save_set(tmp_path / "s.npz"))
    assert isinstance(task, ImageMultilabel)
    assert (task.class_names, task.output_shape, task.classifies) == (NAMES, (3,), False)
    assert task.train()[1].dtype == np.uint8
    assert task.train()[1].shape[1] == 3
    assert dict(TASKS[task.name].directions) == dict(task.directions)
    assert next(iter(task.directions)) == task.objective.metric


def test_csv_of_lists_columns_and_files_by_part_give_the_same_task(tmp_path: Path) -> None:
    """Labels with | between them, and columns of 0 and 1, mean the same; train.csv may stand alone for all parts."""
    y, folder = label_sets(40), tmp_path / "set"
    files = save_images(folder, 40)
    lists = [f"{file},{listed(row)}" for file, row in zip(files, y, strict=True)]
    columns = [f"{file},{','.join(map(str, row))}" for file, row in zip(files, y, strict=True)]
    (folder / "labels.csv").write_text("\n".join(["image,labels", *lists]))
    (folder / "columns.csv").write_text("\ufeff" + "\r\n".join(["image,cat,dog,owl", *columns, ""]), encoding="utf-8")
    tasks = [ImageMultilabel.load(data) for data in (folder, folder / "labels.csv", folder / "columns.csv")]
    assert {task.class_names for task in tasks} == {NAMES}
    assert len({task.fingerprint() for task in tasks}) == 1
    (folder / "train.csv").write_text("\n".join(["image,labels", *lists[:30]]))
    (folder / "test.csv").write_text("\n".join(["image,labels", *lists[30:]]))
    parts = ImageMultilabel.load(folder)
    assert np.array_equal(parts.test()[1], y[30:])
    assert parts.test()[0].shape == (10, 3, 8, 8)


def test_a_column_of_parts_is_obeyed(tmp_path: Path) -> None:
    """Rows of train, val and test go where they belong; images without a label count in a note."""
    y = label_sets(40)
    y[5] = 0
    parts = ["train"] * 20 + ["val"] * 10 + ["test"] * 10
    files = save_images(tmp_path, 40)
    rows = [f"{f},{p},{listed(row)}" for f, p, row in zip(files, parts, y, strict=True)]
    (tmp_path / "all.csv").write_text("\n".join(["image,split,labels", *rows]))
    task = ImageMultilabel.load(tmp_path / "all.csv")
    assert [len(part[1]) for part in (task.train(), task.validation(), task.test())] == [20, 10, 10]
    assert np.array_equal(task.train()[1], y[:20])
    assert f"{(y[:20].sum(1) == 0).sum()} training image(s) have no label" in " ".join(task.notes)


BAD_TABLES = {
    "no columns": ("0.png,cat\n", r"line 1: columns are .*give 'image' and 'labels'"),
    "one other column": ("image,cat\na,1\n", r"line 1: one column besides 'image': 'cat'.*image-classification"),
    "two forms": ("image,labels,cat\na,b,1\n", r"line 1: both 'labels' and columns of their own: .*cat"),
    "twice": ("image,labels,labels\n", r"line 1: columns without a name, or of one name"),
    "no rows": ("image,labels\n\n", r"no images below the line of columns"),
    "too few fields": (
        "image,labels\npictures/0.png,cat\npictures/1.png\n",
        r"line 3: 1 fields, the first line names 2",
    ),
    "no such image": ("image,labels\npictures/0.png,cat\nnone.png,dog\n", r"line 3: there is no image .*none\.png"),
    "outside": ("image,labels\n../secret.png,cat\n", r"line 2: image '\.\./secret\.png'; give a file's name relative"),
    "absolute": ("image,labels\n/etc/passwd,cat\n", r"line 2: image '/etc/passwd'"),
    "a label twice": ("image,labels\npictures/0.png,cat|cat\n", r"line 2: a label occurs twice in 'cat\|cat'"),
    "an image twice": (
        "image,labels\npictures/0.png,cat\npictures/0.png,dog\n",
        r"line 3: the image .* stands in .*line 2",
    ),
    "no number": ("image,cat,dog\npictures/0.png,1,yes\n", r"line 2: column 'dog' is 'yes'; give 0 or 1"),
    "unknown part": ("image,split,labels\npictures/0.png,tset,cat\n", r"line 2: split 'tset'; give train, val or test"),
    "no training part": ("image,split,labels\npictures/0.png,test,cat\n", r"no image of the training part"),
    "unknown label": (
        "image,split,labels\npictures/0.png,train,cat|dog\npictures/1.png,test,cow\n",
        r"line 3: the label 'cow' occurs in no training image; known: 'cat', 'dog'",
    ),
    "one label": ("image,labels\npictures/0.png,cat\npictures/1.png,cat\n", r"only the label 'cat'"),
    "open quote": ('image,labels\npictures/0.png,"cat\n', r"line 2: unexpected end of data; quote fields"),
}


@pytest.mark.parametrize(("text", "message"), BAD_TABLES.values(), ids=list(BAD_TABLES))
def test_what_is_wrong_with_a_table_is_told_by_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    """Each fault of a CSV file is an error that names the file and, where there is one, the line."""
    save_images(tmp_path, 2)
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        ImageMultilabel.load(tmp_path / "bad.csv")
    assert "bad.csv" in str(caught.value)


def test_a_table_that_is_not_utf8_and_damaged_images_are_refused(tmp_path: Path) -> None:
    """The line of the first byte that is no UTF-8 is named, and the image that cannot be decoded."""
    save_images(tmp_path, 2)
    (tmp_path / "a.csv").write_bytes(b"image,labels\npictures/0.png,\xe9t\xe9\n")
    with pytest.raises(DataError, match=r"line 2: not UTF-8"):
        ImageMultilabel.load(tmp_path / "a.csv")
    (tmp_path / "pictures" / "1.png").write_bytes(b"no image")
    (tmp_path / "b.csv").write_text("image,labels\npictures/0.png,cat|dog\npictures/1.png,cat\n")
    with pytest.raises(DataError, match=r"1 image file\(s\) cannot be read: .*1\.png"):
        ImageMultilabel.load(tmp_path / "b.csv")


BAD_LABELS = {
    "class numbers": (
        np.arange(60) % 3,
        r"labels of shape \(60,\).*for one class an image use .* image-classification",
    ),
    "soft": (label_sets(60) * 0.5, r"value\(s\) are neither 0 nor 1, the first is 0\.5 in row \d+, column \d"),
    "NaN": (np.where(label_sets(60) > 0, np.nan, 0.0), r"neither 0 nor 1, the first is nan"),
    "no example of one": (label_sets(60) * np.uint8([1, 1, 0]), r"1 label\(s\) that no training example has: 'owl'"),
    "too few columns": (label_sets(60)[:, :2], r"2 columns, but the names of the classes are 3"),
}


@pytest.mark.parametrize(("y", "message"), BAD_LABELS.values(), ids=list(BAD_LABELS))
def test_labels_that_are_no_sets_are_refused(tmp_path: Path, y: np.ndarray, message: str) -> None:
    """Labels other than a matrix of 0 and 1 that each class occurs in are an error with a cure."""
    with pytest.raises(DataError, match=message):
        ImageMultilabel.load(save_set(tmp_path / "s.npz", y_train=y))


def test_a_test_part_of_other_labels_is_refused_before_the_search(tmp_path: Path) -> None:
    """Columns that the training part does not have are found while loading, without reading test images."""
    path = save_set(tmp_path / "s.npz", x_test=pictures(5), y_test=np.ones((5, 4), np.uint8))
    with pytest.raises(DataError, match="4 columns, the training part has 3 labels"):
        ImageMultilabel.load(path)


@given(n=st.integers(2, 200), classes=st.integers(1, 6), share=st.floats(0.05, 0.6), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_a_split_is_a_partition_that_keeps_labels(n: int, classes: int, share: float, seed: int) -> None:
    """Kept and taken are disjoint and all; a label with one example stays in what is kept; the seed decides."""
    y = (np.random.default_rng(seed).random((n, classes)) < 0.2).astype(np.uint8)
    kept, taken = stratified_sets(y, share, seed)
    assert sorted([*kept, *taken]) == list(range(n))
    assert len(kept)
    assert len(taken)
    again = stratified_sets(y, share, seed)
    assert np.array_equal(kept, again[0])
    assert np.array_equal(taken, again[1])


def test_a_split_gives_each_label_its_share() -> None:
    """Of each of twelve labels, frequent or rare, between 17 and 23 % are taken where 20 % are asked for."""
    rng = np.random.default_rng(3)
    y = (rng.random((3000, 12)) < rng.uniform(0.02, 0.5, 12)).astype(np.uint8)
    _, taken = stratified_sets(y, 0.2, seed=1)
    shares = y[taken].sum(0) / y.sum(0)
    assert 0.17 < shares.min()
    assert shares.max() < 0.23
    assert abs(len(taken) - 600) <= 12


def test_metrics_are_what_they_are_called() -> None:
    """Mean average precision and micro F1 by their definitions, with equal scores and a label that nothing has."""
    rng = np.random.default_rng(0)
    y = (rng.random((300, 5)) < 0.2).astype(np.uint8)
    y[:, 4] = 0
    logits = np.round(rng.normal(size=(300, 5)) + y, 1)  # many are equal
    found = label_metrics(logits, y)
    precisions = []
    for scores, wanted in zip(logits.T[:4], y.T[:4], strict=True):
        at = [(wanted[scores >= t].mean(), wanted[scores >= t].sum()) for t in np.unique(scores)[::-1]]
        gained = np.diff([hits for _, hits in at], prepend=0) / wanted.sum()
        precisions.append(sum(p * g for (p, _), g in zip(at, gained, strict=True)))
    both = ((logits > 0) & (y > 0)).sum()
    assert found["mean_average_precision"] == pytest.approx(np.mean(precisions), abs=1e-12)
    assert found["micro_f1"] == pytest.approx(2 * both / ((logits > 0).sum() + y.sum()), abs=1e-12)
    assert np.isnan(list(label_metrics(np.full((2, 2), np.nan), y[:2, :2]).values())).all()
    assert label_metrics(logits[:2], np.zeros((2, 5), dtype=np.uint8))["mean_average_precision"] == 0.0


def test_a_missing_scikit_learn_is_named_with_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not installed with netwright alone; from arrays, too."""
    path = save_set(tmp_path / "s.npz")
    monkeypatch.setattr("netwright.tasks.metrics.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"netwright\[vision\]"):
        ImageMultilabel.load(path)
    with pytest.raises(MissingDependencyError, match=r"netwright\[vision\]"):
        ImageMultilabel.from_arrays((np.zeros((20, 8, 8, 3), np.uint8), label_sets(20)))


def test_loss_and_scores_are_those_of_torch(tmp_path: Path) -> None:
    """The loss is binary cross entropy, smoothed toward one half; scores do not depend on how answers are cut."""
    task = ImageMultilabel.load(save_set(tmp_path / "s.npz"))
    outputs, targets = torch.randn(20, 3), torch.from_numpy(label_sets(20))
    expected = torch.nn.BCEWithLogitsLoss()(outputs, targets.float() * 0.8 + 0.1)
    assert torch.allclose(task.loss(outputs, targets, 0.2), expected)
    whole = task.scores([(outputs, targets)])
    cut = task.scores([(outputs[:7], targets[:7]), (outputs[7:], targets[7:])])
    assert set(whole) == {*task.directions, "loss"}
    assert whole == pytest.approx(cut)


def test_the_source_of_a_network_prints_labels(tmp_path: Path) -> None:
    """model.py reads an image and prints those labels whose probability is above .5, most probable first."""
    from safetensors.torch import save_file

    from netwright.nn.building import build

    task = ImageMultilabel.load(save_set(tmp_path / "s.npz"))
    space = task.default_space()
    term = task.network(space, task.references()[0].architecture)
    (tmp_path / "model.py").write_text(model_source(term, task.export_info()))
    network = build(term, input_shape=task.input_shape, seed=0)
    bias = next(p for name, p in reversed(list(network.named_parameters())) if name.endswith("bias"))
    with torch.no_grad():
        bias.copy_(torch.tensor([1000.0, -1000.0, 2000.0]))
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    Image.fromarray(pictures(1)[0]).resize((30, 20)).save(tmp_path / "a.png")
    done = subprocess.run(
        [sys.executable, "model.py", "a.png"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    names = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert sorted(names) == ["cat", "owl"]


def test_options_are_checked(tmp_path: Path) -> None:
    """A wrong size, layout or file of weights is an error that says what is allowed."""
    path = save_set(tmp_path / "s.npz")
    with pytest.raises(SpecError, match="image_size"):
        ImageMultilabel.load(path, image_size="12by12")
    with pytest.raises(SpecError, match="layout"):
        ImageMultilabel.load(path, layout="WHC")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match=r"pretrained.*a safetensors file"):
        ImageMultilabel.load(path, pretrained=path)


@pytest.mark.parametrize("sign", [";", ",", ", ", " "])
def test_lists_with_another_sign_between_labels_are_refused(tmp_path: Path, sign: str) -> None:
    """Each list would be a label of its own; labels of several words, and lists with | in them, are as they are."""
    files = save_images(tmp_path, 6)

    def load(lists: list[str]) -> ImageMultilabel:
        lines = ["image,labels", *(f'{file},"{labels}"' for file, labels in zip(files, lists, strict=True))]
        (tmp_path / "t.csv").write_text("\n".join(lines))
        return ImageMultilabel.load(tmp_path / "t.csv")

    some = [f"cat{sign}dog", "cat", "dog", f"dog{sign}owl", f"owl{sign}cat", "owl"]
    with pytest.raises(DataError, match=r"t\.csv, line 2: 'cat.*dog' would be one label.*put '\|' between labels"):
        load(some)
    assert load([*some[:5], "owl|cat"]).num_classes == 6
    two = [f"red{sign}car", f"blue{sign}bus"] * 3
    assert load(two).num_classes == 2
