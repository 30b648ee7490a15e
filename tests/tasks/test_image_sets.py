"""Sets of images as they are published: folders named after parts, augmented copies, MedMNIST, more than memory."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netwright import machine_memory
from netwright.errors import DataError
from netwright.export import runtime
from netwright.tasks.formats import array_files, image_files
from netwright.tasks.formats.image_files import ImageForm, decode_all, read_headers
from netwright.tasks.image_classification import ImageClassification
from netwright.tasks.image_multilabel import ImageMultilabel
from netwright.tasks.image_options import image_size_of


def save(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.mark.parametrize(
    "folders",
    [
        ("train", "test"),
        ("train_images", "test_images"),
        ("train", "valid", "test"),
        ("Train2017", "Val2017"),
        ("train",),
    ],
)
def test_folders_that_are_parts_are_no_classes(tmp_path: Path, folders: tuple[str, ...]) -> None:
    """Images in train/ and test/ without folders of classes would be told apart by their part, with a fine accuracy."""
    for folder in folders:
        for number in range(6):
            save(tmp_path / folder / f"{number}.png", number)
    with pytest.raises(
        DataError, match=r"holds '.*', which name parts of the data and no classes; arrange the images as"
    ):
        ImageClassification.load(tmp_path)


@pytest.mark.parametrize("folders", [("bus", "train"), ("freight_train", "steam_train"), ("test_tube", "flask")])
def test_classes_may_have_words_of_parts_in_their_names(tmp_path: Path, folders: tuple[str, ...]) -> None:
    """A train is a vehicle, too."""
    for folder in folders:
        for number in range(6):
            save(tmp_path / folder / f"{number}.png", number)
    assert tuple(sorted(folders)) == ImageClassification.load(tmp_path).class_names


def names_of_copies() -> list[str]:
    """Ten pictures of two kinds with three copies each."""
    return [f"{'ab'[n % 2]}/{n}_jpg.rf.{f'{n}{c}' * 16}.png" for n in range(20) for c in "xyz"]


def pictures(task: ImageClassification | ImageMultilabel, seeds: list[bytes]) -> list[set[int]]:
    """Which pictures each part has, by their pixels."""
    parts = [part()[0] for part in (task.train, task.validation, task.test)]
    return [{seeds.index(image.tobytes()) // 3 for image in part} for part in parts]


def test_copies_of_one_picture_are_not_divided(tmp_path: Path) -> None:
    """Neither by classes nor by sets of labels: what is scored was not seen mirrored in training."""
    names = names_of_copies()
    for seed, name in enumerate(names):
        save(tmp_path / name, seed)
    stored = [np.asarray(Image.open(tmp_path / name)).transpose(2, 0, 1).tobytes() for name in names]
    lines = [f"{name},{name[0]}" + ("|c" if number % 9 < 3 else "") for number, name in enumerate(names)]
    (tmp_path / "labels.csv").write_text("\n".join(["image,labels", *lines]))
    for task in (ImageClassification.load(tmp_path), ImageMultilabel.load(tmp_path)):
        found = pictures(task, stored)
        assert all(found)
        assert 20 == sum(map(len, found))


def test_copies_of_too_few_pictures_are_refused(tmp_path: Path) -> None:
    """One picture of each class cannot be in two parts, however many copies there are."""
    for kind in "ab":
        for copy in range(8):
            save(tmp_path / kind / f"{kind}_jpg.rf.{str(copy) * 32}.png")
    with pytest.raises(DataError, match=r"2 picture\(s\) are too few to be divided \(copies of one count once\)"):
        ImageClassification.load(tmp_path)


def arrays(dtype: type = np.uint8) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"x": rng.integers(0, 256, (40, 6, 5, 3)).astype(dtype), "y": np.arange(40)[:, None] % 2}


def test_the_names_of_medmnist_are_read(tmp_path: Path) -> None:
    """train_images, train_labels and so on, with labels (N, 1), are the set that other names make."""
    x, y = arrays().values()
    parts = {"train": slice(0, 20), "val": slice(20, 30), "test": slice(30, 40)}
    theirs = {f"{p}_images": x[s] for p, s in parts.items()} | {f"{p}_labels": y[s] for p, s in parts.items()}
    np.savez(tmp_path / "med.npz", **theirs)
    np.savez(
        tmp_path / "ours.npz",
        **{f"x_{p}": x[s] for p, s in parts.items()},
        **{f"y_{p}": y[s] for p, s in parts.items()},
    )
    tasks = [ImageClassification.load(tmp_path / name) for name in ("med.npz", "ours.npz")]
    assert tasks[0].fingerprint() == tasks[1].fingerprint()
    assert np.array_equal(tasks[0].test()[0], tasks[1].test()[0])
    del theirs["val_labels"]
    np.savez(tmp_path / "half.npz", **theirs)
    with pytest.raises(DataError, match="has no array val_labels; it has: "):
        ImageClassification.load(tmp_path / "half.npz")


def test_arrays_that_would_fill_the_memory_are_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a folder to keep them in they are not read into memory, and are welcome."""
    x, y = arrays().values()
    np.savez(tmp_path / "set.npz", x_train=x, y_train=y, x_val=x, y_val=y)
    monkeypatch.setattr(machine_memory, "memory_bytes", lambda: 4 * x.nbytes)
    with pytest.raises(
        DataError, match=r"the images of set\.npz take .* in memory, .*cache=FOLDER.*save them as uint8"
    ):
        ImageClassification.load(tmp_path / "set.npz")
    assert 40 == len(ImageClassification.load(tmp_path / "set.npz", cache=tmp_path / "kept").train()[1]) + 8


def test_idx_files_that_would_fill_the_memory_are_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The header says how much there is; what may be done is another format."""
    images = np.zeros((20, 4, 4), np.uint8)
    head = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in images.shape)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(head + images.tobytes())
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 20]) + bytes(20))
    monkeypatch.setattr(machine_memory, "memory_bytes", lambda: images.nbytes)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte take .*save them as one \.npz file.*cache=FOLDER"):
        ImageClassification.load(tmp_path)


def test_arrays_are_kept_in_files_where_a_system_cannot_set_room_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As macOS, where there is no posix_fallocate."""
    for number in range(12):
        save(tmp_path / "set" / "ab"[number % 2] / f"{number}.png", number)
    wanted = ImageClassification.load(tmp_path / "set")
    monkeypatch.delattr(array_files.os, "posix_fallocate")
    found = ImageClassification.load(tmp_path / "set", cache=tmp_path / "kept")
    assert np.array_equal(wanted.train()[0], np.asarray(found.train()[0]))
    assert any(name.endswith(".array") for name in os.listdir(tmp_path / "kept"))  # noqa: PTH208 - names, not paths


def test_odd_exif_does_not_keep_a_photo_from_being_turned(tmp_path: Path) -> None:
    """Pillow cannot write the tags of some phones again, which nobody needs to turn pixels; model.py turns alike."""
    assert image_files._TURNS == runtime.TURNS
    pixels = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x0112], exif[0x0213] = turn, 1
        file = tmp_path / f"{turn}.jpg"
        Image.fromarray(pixels).save(file, exif=exif, quality=95)
        upright = {1: 0, 2: 0, 3: 2, 4: 2, 5: -1, 6: -1, 7: 1, 8: 1}[turn]
        stored = np.asarray(Image.open(file))
        mirrored = stored if turn in (1, 3, 6, 8) else np.flip(stored, 0 if turn in (5, 7) else 1)
        wanted = np.rot90(mirrored, upright)
        data = file.read_bytes()
        where = data.index(bytes([0x02, 0x13, 0, 3])) + 2  # where the colours of a pixel lie is a number
        file.write_bytes(data[:where] + bytes([0, 2]) + data[where + 2 :])  # becomes a text
        form = ImageForm(3, *wanted.shape[:2])
        assert np.array_equal(wanted.transpose(2, 0, 1), decode_all([file], form)[0]), turn
        assert wanted.shape[:2] == (read_headers([file])[0].height, read_headers([file])[0].width)


def test_a_size_may_be_a_text() -> None:
    """As a quoted value of a YAML file is."""
    assert (96, 96) == image_size_of("96")
