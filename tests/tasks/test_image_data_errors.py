"""Everything that is wrong with people's images and labels is said at once, in a message that names it and a cure."""

from __future__ import annotations

import gzip
import os
import pickle
import re
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netwright.errors import DataError, SpecError
from netwright.tasks.image_classification import ImageClassification
from netwright.tasks.labels import Classes


def good(n: int = 40) -> dict[str, np.ndarray]:
    """A set that is accepted: 40 + 10 colour images of two classes."""
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (n, 6, 5, 3), dtype=np.uint8),
        "y_train": np.arange(n) % 2,
        "x_test": rng.integers(0, 256, (10, 6, 5, 3), dtype=np.uint8),
        "y_test": np.arange(10) % 2,
    }


def refused(data: str | Path, message: str, **options: object) -> None:
    """Loading ends within 2 s in a `DataError` of one short paragraph that ``message`` (a pattern) describes."""
    start = time.monotonic()
    with pytest.raises(DataError) as caught:
        ImageClassification.load(data, **options)  # type: ignore[arg-type]
    assert time.monotonic() - start < 2
    text = str(caught.value)
    assert re.search(message, text), text
    assert "\n" not in text
    assert len(text) < 900


def with_nan(x: np.ndarray) -> np.ndarray:
    x = x / 255
    x[7, 1, 2, 0] = x[9, 0, 0, 1] = np.nan
    x[11, 0, 0, 1] = np.inf
    return x


ARRAYS: dict[str, tuple[dict[str, Callable[[dict[str, np.ndarray]], object]], str]] = {
    "NaN": (
        {"x_train": lambda d: with_nan(d["x_train"]), "x_test": lambda d: d["x_test"] / 255},
        r"x_train of set\.npz: \d of \d+ values are NaN or infinite, the first at index \(\d+, 1, 2, 0\); remove",
    ),
    "empty": (
        {"x_train": lambda d: d["x_train"][:0], "y_train": lambda d: d["y_train"][:0]},
        r"x_train of set\.npz: no examples",
    ),
    "empty test": (
        {"x_test": lambda d: d["x_test"][:0], "y_test": lambda d: d["y_test"][:0]},
        r"x_test of set\.npz is empty: shape \(0, 6, 5, 3\)",
    ),
    "one class": ({"y_train": lambda d: d["y_train"] * 0}, r"only the class 0; a classification needs at least two"),
    "label count": (
        {"y_train": lambda d: d["y_train"][:-1]},
        r"x_train of set\.npz: 40 images, but labels of shape \(39,\); one label an image",
    ),
    "test label count": ({"y_test": lambda d: d["y_test"][:-3]}, r"x_test of set\.npz: 10 images, .* \(7,\)"),
    "label NaN": (
        {"y_train": lambda d: np.where(np.arange(40) == 5, np.nan, d["y_train"])},
        r"1 label\(s\) are NaN or infinite, the first in row 5; remove these rows",
    ),
    "label 0.5": (
        {"y_train": lambda d: d["y_train"] + 0.5 * (np.arange(40) == 3)},
        r"label 1\.5 in row 3 is no whole number; give class numbers or names",
    ),
    "soft labels": (
        {"y_train": lambda d: np.full((40, 2), 0.5)},
        r"label 0\.5 in row 0 is no whole number",
    ),
    "two hot": (
        {"y_train": lambda d: np.concatenate([np.eye(2, dtype=int)[d["y_train"][1:]], [[1, 1]]])},
        r"shape \(40, 2\) are not one-hot: 1 row\(s\) without exactly one 1, the first is row 39",
    ),
    "labels of rank 3": (
        {"y_train": lambda d: np.ones((40, 2, 2), int)},
        r"labels have shape \(40, 2, 2\); give \(N,\)",
    ),
    "complex labels": ({"y_train": lambda d: d["y_train"] + 0j}, r"labels are of type complex128; give whole numbers"),
    "unknown test label": (
        {"y_test": lambda d: d["y_test"] + 4 * (np.arange(10) == 9)},
        r"x_test of set\.npz: 1 label\(s\) that the training part does not have: 5; it has 0, 1; the first is row 9",
    ),
    "negative test label": ({"y_test": lambda d: d["y_test"] - 1}, r"does not have: -1; it has 0, 1"),
    "strings against numbers": (
        {"y_test": lambda d: d["y_test"].astype(str)},
        r"labels of x_test of set\.npz: labels are strings, those of the training part are numbers; use one kind",
    ),
    "lonely class": (
        {"y_train": lambda d: d["y_train"] + 5 * (np.arange(40) == 0)},
        r"x_train of set\.npz: 1 class\(es\) have fewer than the 2 examples that splitting needs: '5' has 1; add",
    ),
    "grey test of colour": (
        {"x_test": lambda d: d["x_test"][..., :1]},
        r"x_test of set\.npz has images of 1 x 6 x 5 .*, x_train of set\.npz of 3 x 6 x 5; convert them",
    ),
    "other size": ({"x_test": lambda d: d["x_test"][:, :4]}, r"x_test .* 3 x 4 x 5 .* 3 x 6 x 5"),
    "float test of bytes": (
        {"x_test": lambda d: d["x_test"] / 255},
        r"x_test of set\.npz is float64, x_train of set\.npz is uint8; save both as one type and range",
    ),
    "rows of pixels": (
        {"x_train": lambda d: d["x_train"].reshape(40, -1)},
        r"x_train of set\.npz has shape \(40, 90\); images are .*; reshape rows of pixels to \(N, H, W\)",
    ),
    "both may be channels": (
        {"x_train": lambda d: d["x_train"][:, :3]},
        r"shape \(40, 3, 5, 3\): .*both could be the channels; say layout='HWC' or layout='CHW'",
    ),
    "neither may be channels": (
        {"x_train": lambda d: np.repeat(d["x_train"], 3, axis=3)},
        r"shape \(40, 6, 5, 9\): .*neither looks like the channels; say layout.* \(--task-option layout=HWC\)",
    ),
    "constant": (
        {"x_train": lambda d: d["x_train"] * 0 + 9},
        r"x_train of set\.npz: every value is 9, there is nothing",
    ),
    "constant in float32": (
        {"x_train": lambda d: d["x_train"] * 1e-320, "x_test": lambda d: d["x_test"] * 1e-320},
        r"x_train of set\.npz: every value is about 0, there is nothing to learn from; check how it was made",
    ),
    "beyond float32": (
        {"x_train": lambda d: d["x_train"] * 1e300, "x_test": lambda d: d["x_test"] * 1e300},
        r"x_train of set\.npz: values reach 2\.55e\+302, and float32 holds up to 3\.40282e\+38; divide them",
    ),
    "no axes": ({"x_train": lambda d: np.float32(3)}, r"x_train of set\.npz is a single number; give an array of"),
    "test without axes": ({"x_test": lambda d: np.float32(3)}, r"x_test of set\.npz is a single number; give an"),
    "labels without axes": ({"y_train": lambda d: np.int64(3)}, r"40 images, but labels of shape \(\); one label"),
    "complex": ({"x_train": lambda d: d["x_train"] * 1j}, r"x_train .* values of type complex128; images are real"),
    "strings for images": ({"x_train": lambda d: d["x_train"].astype(str)}, r"values of type <U\d+; images are real"),
    "Python objects": (
        {"x_train": lambda d: d["x_train"].astype(object)},
        r"the array x_train of '.*set\.npz' holds Python objects, which are never unpickled; save numbers",
    ),
    "labels as Python objects": (
        {"y_train": lambda d: np.array(["a", "b"], object)[d["y_train"]]},
        r"the array y_train .* holds Python objects, .* such as y_train\.astype\(str\)",
    ),
}


@pytest.mark.parametrize(("changes", "message"), ARRAYS.values(), ids=list(ARRAYS))
def test_wrong_arrays_are_refused(tmp_path: Path, changes: dict[str, Callable], message: str) -> None:
    """Each fault of a set's arrays has a message that names the array, what is wrong, and the cure."""
    data = good()
    data.update({name: change(good()) for name, change in changes.items()})
    np.savez(tmp_path / "set.npz", **data)
    refused(tmp_path / "set.npz", message)


def test_the_good_set_is_accepted(tmp_path: Path) -> None:
    """The set which the faults are planted into loads, so that each error is the planted one."""
    np.savez_compressed(tmp_path / "set.npz", **good())
    assert len(ImageClassification.load(tmp_path / "set.npz").test()[1]) == 10


def test_nan_is_counted_over_the_training_part(tmp_path: Path) -> None:
    """The count is exact: three values of the rows that are trained on or validated with."""
    data = good()
    data.update(x_train=with_nan(data["x_train"]), x_val=data["x_test"] / 255, y_val=data["y_test"])
    data["x_test"] = data["x_test"] / 255
    np.savez(tmp_path / "set.npz", **data)
    refused(tmp_path / "set.npz", r"3 of 3600 values are NaN or infinite, the first at index \(7, 1, 2, 0\)")


def test_test_values_of_another_range_are_refused_when_read(tmp_path: Path) -> None:
    """Training floats in 0..1 and test floats in 0..255 are an error, not a bad accuracy."""
    data = good()
    data.update(x_train=data["x_train"] / 255, x_test=data["x_test"] * 1.0)
    np.savez(tmp_path / "set.npz", **data)
    task = ImageClassification.load(tmp_path / "set.npz")
    with pytest.raises(
        DataError, match=r"x_test of set\.npz: values reach 25\d, those of the training part reach 1; bring"
    ):
        task.test()


LABELS = {
    "numbers from 5": (np.array([5, 9, 5, -3]), ("-3", "5", "9"), [1, 2, 1, 0]),
    "floats": (np.array([1.0, 0.0, 1.0, 2.0]), ("0", "1", "2"), [1, 0, 1, 2]),
    "column": (np.array([[7], [3], [7], [3]]), ("3", "7"), [1, 0, 1, 0]),
    "one-hot": (np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]]), ("0", "1", "2"), [1, 0, 2, 1]),
    "float one-hot": (np.eye(2)[[1, 0, 1, 0]], ("0", "1"), [1, 0, 1, 0]),
    "strings": (np.array(["dög", "cat", "dög", "a b"]), ("a b", "cat", "dög"), [2, 1, 2, 0]),
    "bytes": (np.array([b"x", b"a", b"x", b"a"]), ("a", "x"), [1, 0, 1, 0]),
    "bytes of no text": (np.array([b"\xff", b"\xe9", b"a"]), ("a", r"\udce9", r"\udcff"), [2, 1, 0]),
    "halves of characters": (np.array(["\ud800", "a", "b"]), ("a", "b", "\N{REPLACEMENT CHARACTER}"), [2, 0, 1]),
    "booleans": (np.array([True, False, True, False]), ("0", "1"), [1, 0, 1, 0]),
    "unsigned": (np.array([2, 1, 2, 1], np.uint64), ("1", "2"), [1, 0, 1, 0]),
}


@pytest.mark.parametrize(("labels", "names", "numbers"), LABELS.values(), ids=list(LABELS))
def test_labels_of_every_accepted_form_become_class_numbers(
    labels: np.ndarray, names: tuple[str, ...], numbers: list[int]
) -> None:
    """Numbers of any range, strings and one-hot rows are mapped to 0..C-1, and the names are kept."""
    classes = Classes.learn(labels, "y")
    assert "".join(classes.names).encode()
    assert names == classes.names
    assert numbers == classes.encode(labels, "y").tolist()


def test_a_huge_label_is_refused() -> None:
    """A label beyond 64 bits would wrap around."""
    with pytest.raises(DataError, match="label 18446744073709551615 is beyond 64-bit signed numbers"):
        Classes.learn(np.array([1, 2**64 - 1], np.uint64), "y")


def test_a_class_missing_in_validation_is_a_note(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A given validation part may lack classes; that is logged and stands in the summary."""
    data = good()
    np.savez(tmp_path / "set.npz", **data, x_val=data["x_test"][:4], y_val=[1, 1, 1, 1])
    task = ImageClassification.load(tmp_path / "set.npz")
    assert task.notes == ("1 class(es) have no validation images: '0'",)
    assert "note: 1 class(es) have no validation images: '0'" in task.summary()
    assert "no validation images" in caplog.text
    assert task.validation()[1].tolist() == [1, 1, 1, 1]


def test_a_validation_label_unknown_in_training_is_refused(tmp_path: Path) -> None:
    """A class that only the validation part has cannot be learned."""
    data = good()
    np.savez(tmp_path / "set.npz", **data, x_val=data["x_test"][:2], y_val=[1, 2])
    refused(tmp_path / "set.npz", r"labels of x_val of set\.npz: 1 label\(s\) that the training part does not have: 2")


def test_a_set_smaller_than_any_batch_is_accepted() -> None:
    """Three images of each class are one for each part."""
    x = good(6)["x_train"]
    task = ImageClassification.from_arrays((x, np.array([0, 1] * 3)))
    assert [len(part()[1]) for part in (task.train, task.validation, task.test)] == [2, 2, 2]


NAMES = {
    "no labels": ({"x_train"}, r"has no array y_train; it has: x_train$"),
    "half a test part": ({"x_train", "y_train", "x_test"}, r"has no array y_test; it has: x_test, x_train, y_train"),
    "other names": ({"images", "y_train"}, r"has no array x_train; it has: images, y_train"),
    "misspelt": ({"X_train", "y_train"}, r"has no array x_train; it has: X_train, y_train; did you mean 'X_train'"),
    "misspelt test": (
        {"x_train", "y_train", "x_tst", "y_tst"},
        r"has an array 'x_tst'; did you mean 'x_test'\? known: x_",
    ),
}


@pytest.mark.parametrize(("names", "message"), NAMES.values(), ids=list(NAMES))
def test_wrong_names_of_arrays_are_refused(tmp_path: Path, names: set[str], message: str) -> None:
    """What is missing, what is there, and what was probably meant are named."""
    data = good()
    np.savez(tmp_path / "set.npz", **{n: data["x_train" if n[0] in "xXi" else "y_train"] for n in names})
    refused(tmp_path / "set.npz", message)


def test_paths_that_are_not_there_suggest_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt name, file, or folder on the way is answered with what is there."""
    (tmp_path / "my cells").mkdir()
    np.savez(tmp_path / "my cells" / "cells.npz", **good())
    monkeypatch.chdir(tmp_path)
    refused("digit", r"data 'digit' does not exist; did you mean 'digits'\?")
    refused("my cells/celsl.npz", r"data 'my cells/celsl\.npz' does not exist; did you mean 'my cells/cells\.npz'\?")
    refused("my_cells/cells.npz", r"data 'my_cells' does not exist; did you mean 'my cells'\?")
    refused("zzz", r"data 'zzz' does not exist; give the name of an embedded set \(digits\), a \.npz file, a folder")
    refused("", "data is empty; give the name of an embedded set")
    refused("my cells/cells.npz/x", r"data '.*' does not exist|cannot read")


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a\0b", "x" * 300, "-x", "a\nb", "$(touch x)", "\x1b[31m"])
def test_names_that_attack_are_data(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Odd names are refused in one clean line, and nothing is made by them."""
    monkeypatch.chdir(tmp_path)
    refused(name, "does not exist|cannot read")
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_no_data_are_refused(tmp_path: Path) -> None:
    """A file of another kind, a device and a pipe are refused without being read."""
    (tmp_path / "data.txt").write_text("1,2")
    refused(tmp_path / "data.txt", r"data '.*data\.txt' is a file of no known kind; give")
    os.mkfifo(tmp_path / "pipe.npz")
    refused(tmp_path / "pipe.npz", "is neither a file nor a folder")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    refused(tmp_path / "loop", r"cannot read '.*loop': Too many levels of symbolic links")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    """The file and the reason are named."""
    np.savez(tmp_path / "set.npz", **good())
    (tmp_path / "set.npz").chmod(0)
    refused(tmp_path / "set.npz", r"cannot read '.*set\.npz': Permission denied")


@pytest.mark.parametrize("name", ["set.npz", "train-images-idx3-ubyte"])
def test_a_file_that_may_not_be_opened_is_refused(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal of the system becomes one clean line, whoever runs this."""
    np.savez(tmp_path / "set.npz", **good())
    (tmp_path / "train-images-idx3-ubyte").touch()
    (tmp_path / "train-labels-idx1-ubyte").touch()

    def deny(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(zipfile, "ZipFile", deny)
    monkeypatch.setattr(Path, "open", deny)
    refused(tmp_path / name if name.endswith("npz") else tmp_path, f"cannot read '.*{name}': Permission denied")


class Touch:
    """Unpickling it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path(self.path),)  # type: ignore[return-value]


def test_a_malicious_pickle_never_runs(tmp_path: Path) -> None:
    """As an object array, as the whole file, as an array's bytes, as an image and as idx: refused, nothing runs."""
    trap = tmp_path / "ran"
    payload = pickle.dumps(Touch(trap))
    folder = tmp_path / "data"
    folder.mkdir()
    np.savez(folder / "object.npz", **{**good(), "x_train": np.array([Touch(trap)], object)})
    refused(folder / "object.npz", "holds Python objects, which are never unpickled")
    (folder / "whole.npz").write_bytes(payload)
    refused(folder / "whole.npz", r"is not an npz file \(File is not a zip file\); write one with numpy\.savez")
    with zipfile.ZipFile(folder / "member.npz", "w") as archive:
        archive.writestr("x_train.npy", payload)
        archive.writestr("y_train.npy", payload)
    refused(folder / "member.npz", "cannot read the array x_train")
    for name in ("a", "b"):
        (tmp_path / "images" / name).mkdir(parents=True)
        (tmp_path / "images" / name / "1.png").write_bytes(payload)
    refused(tmp_path / "images", "not a JPEG, PNG, BMP, WEBP image")
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (folder / name).write_bytes(payload)
    refused(folder, "is not an idx file")
    assert not trap.exists()
    pickle.loads(payload)
    assert trap.exists()


def test_damaged_npz_files_are_refused(tmp_path: Path) -> None:
    """Truncated, wrong check sum, a header that promises more than is there, and an empty file."""
    path = tmp_path / "set.npz"
    np.savez(path, **good())
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(path, r"'.*set\.npz' is not an npz file \(File is not a zip file\)")
    start = whole.index(good()["x_train"].tobytes())
    path.write_bytes(whole[:start] + b"\0\0\0\0" + whole[start + 4 :])
    refused(path, r"cannot read the array x_train of '.*set\.npz': Bad CRC-32")
    path.write_bytes(b"")
    refused(path, "is not an npz file")
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("x_train.npy", "w") as stream:
            header = {"descr": "|u1", "fortran_order": False, "shape": (2**31, 2**20, 3)}
            np.lib.format.write_array_header_1_0(stream, header)
        archive.writestr("y_train.npy", b"")
    refused(path, r"the array x_train of .* is damaged: shape \(2147483648, 1048576, 3\) uint8, but 0 bytes of data")


def write_idx(folder: Path, name: str, data: bytes, *, packed: bool = False) -> None:
    folder.mkdir(exist_ok=True)
    (folder / (name + ".gz" if packed else name)).write_bytes(gzip.compress(data) if packed else data)


def idx_bytes(array: np.ndarray, shape: tuple[int, ...] | None = None) -> bytes:
    shape = shape or array.shape
    return bytes((0, 0, 8, len(shape))) + struct.pack(f">{len(shape)}I", *shape) + array.astype(np.uint8).tobytes()


IMAGES, LABELS_8 = np.arange(20 * 16).reshape(20, 4, 4), np.arange(20) % 2
IDX: dict[str, tuple[bytes, bytes, str]] = {
    "truncated": (idx_bytes(IMAGES)[:-5], idx_bytes(LABELS_8), r"truncated: 315 bytes where 320 were expected; fetch"),
    "only a header": (b"\0\0\x08", idx_bytes(LABELS_8), r"images.* is truncated: 3 bytes where 4 were expected"),
    "too much": (
        idx_bytes(IMAGES) + b"1",
        idx_bytes(LABELS_8),
        r"has more data than its header says \(shape \(20, 4, 4\)\)",
    ),
    "floats": (b"\0\0\x0d\x03" + idx_bytes(IMAGES)[4:], idx_bytes(LABELS_8), r"starts with 00000d03, not 00000803 or"),
    "swapped": (
        idx_bytes(LABELS_8),
        idx_bytes(IMAGES),
        r"images-idx3-ubyte' is not an idx file of 3 axes: it starts with",
    ),
    "huge": (
        idx_bytes(IMAGES, (2**32 - 1, 2**16, 2**16)),
        idx_bytes(LABELS_8),
        r"a header of shape .*, which no file holds",
    ),
    "counts": (
        idx_bytes(IMAGES),
        idx_bytes(LABELS_8[:-2]),
        r"train-images-idx3-ubyte: 20 images, but labels of shape \(18,\)",
    ),
    "empty": (idx_bytes(IMAGES[:0]), idx_bytes(LABELS_8[:0]), r"no examples"),
}


@pytest.mark.parametrize(("images", "labels", "message"), IDX.values(), ids=list(IDX))
def test_damaged_idx_files_are_refused(tmp_path: Path, images: bytes, labels: bytes, message: str) -> None:
    """Each fault of a header or of the data names the file."""
    write_idx(tmp_path, "train-images-idx3-ubyte", images)
    write_idx(tmp_path, "train-labels-idx1-ubyte", labels)
    refused(tmp_path, message)


def test_a_truncated_or_false_gz_file_is_refused(tmp_path: Path) -> None:
    """A download that broke off, one that is no gzip file, and one with a broken inside are named."""
    write_idx(
        tmp_path,
        "train-images-idx3-ubyte",
        idx_bytes(np.random.default_rng(0).integers(0, 256, (20, 9, 9))),
        packed=True,
    )
    write_idx(tmp_path, "train-labels-idx1-ubyte", idx_bytes(LABELS_8), packed=True)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    assert ImageClassification.load(tmp_path).num_classes == 2
    path.write_bytes(whole[: len(whole) // 2])
    refused(tmp_path, r"images-idx3-ubyte\.gz' is truncated")
    path.write_bytes(b"<html>not found</html>")
    refused(tmp_path, r"cannot read '.*images-idx3-ubyte\.gz': Not a gzipped file")
    path.write_bytes(whole[:-8] + bytes(8))
    refused(tmp_path, r"cannot read '.*images-idx3-ubyte\.gz': CRC check failed")
    path.unlink()
    refused(tmp_path, r"labels-idx1-ubyte\.gz' is there, but the file of its images is not")


def test_the_header_of_idx_test_files_is_checked_at_once(tmp_path: Path) -> None:
    """A test part of other images is found before a search, its data when it is read."""
    for prefix in ("train", "t10k"):
        write_idx(tmp_path, f"{prefix}-images-idx3-ubyte", idx_bytes(IMAGES))
        write_idx(tmp_path, f"{prefix}-labels-idx1-ubyte", idx_bytes(LABELS_8))
    write_idx(tmp_path, "t10k-images-idx3-ubyte", idx_bytes(IMAGES)[:-1])
    task = ImageClassification.load(tmp_path)
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte' is truncated: 319 bytes where 320"):
        task.test()
    write_idx(tmp_path, "t10k-images-idx3-ubyte", idx_bytes(IMAGES, (20, 2, 8)))
    refused(tmp_path, r"t10k-images-idx3-ubyte has images of 1 x 2 x 8 .*1 x 4 x 4")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed must be a whole number >= 0, got -1"),
        ({"seed": 0.5}, "seed must be a whole number"),
        ({"validation_share": 0}, "validation_share must be between 0 and 1, both excluded, got 0"),
        ({"validation_share": "10%"}, "validation_share must be between 0 and 1"),
        ({"test_share": 1.0}, "test_share must be between 0 and 1"),
        ({"layout": "NHWC"}, "layout must be 'auto', 'HWC' or 'CHW', got 'NHWC'"),
        ({"image_size": 0}, "image_size must be a number of pixels, or height and width, from 1 to 4096, got 0"),
        ({"image_size": (8, 8, 3)}, "image_size must be a number of pixels"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], message: str) -> None:
    """Each option says what it may be."""
    with pytest.raises(SpecError, match=message):
        ImageClassification.load("digits", **options)  # type: ignore[arg-type]


def noise(height: int = 8, width: int = 6, seed: int = 0, channels: int = 3) -> Image.Image:
    x = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return Image.fromarray(x[..., 0] if channels == 1 else x)


def make_folder(top: Path, classes: tuple[str, ...] = ("cat", "dog"), n: int = 4, channels: int = 3) -> Path:
    """``n`` PNG images in each class folder."""
    for seed, name in enumerate(classes):
        (top / name).mkdir(parents=True)
        for row in range(n):
            noise(seed=100 * seed + row, channels=channels).save(top / name / f"{row}.png")
    return top


def test_corrupt_images_are_named(tmp_path: Path) -> None:
    """Text, a truncated image, an empty file and a broken link under image names: how many, and which."""
    make_folder(tmp_path)
    (tmp_path / "cat" / "a.jpg").write_text("no image")
    (tmp_path / "cat" / "b.png").write_bytes(b"")
    (tmp_path / "dog" / "c.png").symlink_to(tmp_path / "nowhere.png")
    refused(
        tmp_path,
        r"3 image file\(s\) cannot be read: '.*cat/a\.jpg' \(not a JPEG.*\), '.*cat/b\.png' \(.*\), "
        r"'.*dog/c\.png' \(no regular file, or a broken link\); repair or remove them",
    )


@pytest.mark.parametrize(("suffix", "reason"), [("png", "truncated|broken"), ("jpg", "truncated")])
def test_a_truncated_image_is_named(tmp_path: Path, suffix: str, reason: str) -> None:
    """An image whose header is fine but whose data breaks off is not half used."""
    make_folder(tmp_path / "train")
    path = tmp_path / "train" / "cat" / f"half.{suffix}"
    noise().resize((96, 128)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    make_folder(tmp_path / "test")
    refused(tmp_path, rf"1 image file\(s\) cannot be read: '.*half\.{suffix}' \(.*({reason})")


def test_many_corrupt_images_give_a_short_message(tmp_path: Path) -> None:
    """Five are named, the rest is counted."""
    make_folder(tmp_path)
    for row in range(50):
        (tmp_path / "cat" / f"bad{row:02}.png").write_text("x")
    refused(tmp_path, r"50 image file\(s\) cannot be read: .*bad04.* and 45 more; repair or remove them")


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    """A PNG of a few kilobytes that claims 9,000 x 9,000 or 40,000 x 40,000 pixels takes no memory."""
    make_folder(tmp_path)
    data = bytearray((tmp_path / "cat" / "0.png").read_bytes())
    data[16:24] = struct.pack(">II", 9000, 9000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "cat" / "0.png").write_bytes(data)
    refused(tmp_path, r"cat/0\.png' \(9000 x 9000 pixels are too many\)")
    data[16:24] = struct.pack(">II", 40000, 40000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "cat" / "0.png").write_bytes(data)
    refused(tmp_path, r"cat/0\.png' \(Image size \(1600000000 pixels\) exceeds limit")


def test_folders_that_hold_no_classes_are_refused(tmp_path: Path) -> None:
    """An empty folder, images without class folders, an empty class, a single class."""
    (tmp_path / "set").mkdir()
    refused(tmp_path / "set", r"no images found: '.*set' has no class folders; arrange them as CLASS/\*\.jpg")
    noise().save(tmp_path / "set" / "1.png")
    refused(tmp_path / "set", "no images found")
    make_folder(tmp_path / "set", ("cat",))
    refused(tmp_path / "set", r"labels of set: only the class 'cat'; a classification needs at least two classes")
    (tmp_path / "set" / "dog").mkdir()
    (tmp_path / "set" / "dog" / "readme.txt").write_text("later")
    refused(tmp_path / "set", r"the class folder '.*dog' holds no images \(\.jpg, .*\); fill it or remove it")


def test_wrong_split_folders_are_refused(tmp_path: Path) -> None:
    """A misspelt split folder, a test class that was never trained, a class with too few images."""
    make_folder(tmp_path / "train")
    make_folder(tmp_path / "vall")
    refused(tmp_path, r"holds train/ and also 'vall'; did you mean 'val'\? known: train, .*test")
    (tmp_path / "vall").rename(tmp_path / "other")
    make_folder(tmp_path / "test", ("cat", "fox"))
    refused(
        tmp_path,
        r"labels of test/ of .*: 1 label\(s\) that the training part does not have: 'fox'; it has 'cat', 'dog'; "
        r"the first is .*test/fox/0\.png",
    )
    make_folder(tmp_path / "few" / "x", ("cat", "dog"), n=2)
    refused(
        tmp_path / "few" / "x", r"2 class\(es\) have fewer than the 3 examples that splitting needs: 'cat' has 2, 'dog'"
    )


def test_given_split_folders_are_used(tmp_path: Path) -> None:
    """train, validation and test folders are taken as they are; a class of the name train is a class."""
    make_folder(tmp_path / "set" / "train", n=5)
    make_folder(tmp_path / "set" / "validation", n=3)
    make_folder(tmp_path / "set" / "test", n=2)
    task = ImageClassification.load(tmp_path / "set")
    assert [len(part()[1]) for part in (task.train, task.validation, task.test)] == [10, 6, 4]
    vehicles = ImageClassification.load(make_folder(tmp_path / "vehicles", ("bus", "train", "test")))
    assert vehicles.class_names == ("bus", "test", "train")


def test_odd_but_right_folders_are_accepted(tmp_path: Path) -> None:
    """Spaces, other scripts, hidden entries, upper-case suffixes, other files and links do no harm."""
    top = make_folder(tmp_path / "my große 数据", ("rote Blüte", "猫 & $(touch x)", "-rf"))
    (top / ".hidden").mkdir()
    (top / "notes.txt").write_text("x")
    (top / "rote Blüte" / ".DS_Store").write_bytes(b"x")
    (top / "rote Blüte" / "Thumbs.db").write_bytes(b"x")
    noise(seed=7).save(top / "rote Blüte" / "BIG.JPG", format="JPEG")
    task = ImageClassification.load(top)
    assert task.class_names == ("-rf", "rote Blüte", "猫 & $(touch x)")
    assert task.notes == ("1 entries in class folders are no images (.jpg, .jpeg, .png, .bmp, .webp) and were ignored",)
    assert sum(len(part()[1]) for part in (task.train, task.validation, task.test)) == 13


def test_a_link_that_loops_is_not_followed_for_ever(tmp_path: Path) -> None:
    """A link to itself is ignored; a link to the folder above is a class without images."""
    make_folder(tmp_path / "set")
    (tmp_path / "set" / "self").symlink_to(tmp_path / "set" / "self")
    (tmp_path / "set" / "cat" / "up").symlink_to(tmp_path / "set")
    task = ImageClassification.load(tmp_path / "set")
    assert task.class_names == ("cat", "dog")
    assert task.notes == ("1 entries in class folders are no images (.jpg, .jpeg, .png, .bmp, .webp) and were ignored",)
    (tmp_path / "set" / "above").symlink_to(tmp_path / "set")
    refused(tmp_path / "set", r"the class folder '.*above' holds no images")


def test_a_class_name_that_is_no_text_is_made_one(tmp_path: Path) -> None:
    """A folder name that is not UTF-8 gives a name that can be written anywhere."""
    make_folder(tmp_path)
    (tmp_path / "cat").rename(tmp_path / os.fsdecode(b"c\xe4t"))
    names = ImageClassification.load(tmp_path).class_names
    assert names == ("c�t", "dog")
    assert names[0].encode("utf-8")


def test_images_of_different_sizes_are_resized(tmp_path: Path) -> None:
    """Without an option the median size counts, at most 64 pixels long; an option is obeyed; each leaves a note."""
    make_folder(tmp_path)
    for row in range(9):
        noise(200, 100, seed=row).save(tmp_path / "cat" / f"big{row}.png")
    task = ImageClassification.load(tmp_path)
    assert task.input_shape == (3, 64, 32)
    assert task.notes == ("images are resized to 64 x 32",)
    assert ImageClassification.load(tmp_path, image_size=10).input_shape == (3, 10, 10)
    assert ImageClassification.load(tmp_path, image_size=(12, 9)).input_shape == (3, 12, 9)


def test_one_size_is_kept_up_to_a_bound(tmp_path: Path) -> None:
    """Images of one size stay as they are, but camera pictures are scaled down."""
    small = make_folder(tmp_path / "small")
    assert ImageClassification.load(small).notes == ()
    for name in ("a", "b"):
        (tmp_path / "large" / name).mkdir(parents=True)
        for row in range(3):
            noise(600, 300, seed=row).save(tmp_path / "large" / name / f"{row}.png")
    assert ImageClassification.load(tmp_path / "large").input_shape == (3, 256, 128)


def test_what_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The need is computed before anything is decoded, and the cure is named."""
    make_folder(tmp_path)
    monkeypatch.setattr(os, "sysconf", lambda name: 50)
    refused(
        tmp_path, r"8 images of 4096 x 4096 take 0\.4 GiB in memory, .*; give a smaller image_size", image_size=4096
    )


def test_grey_and_colour_together_become_colour(tmp_path: Path) -> None:
    """All grey gives one channel; one colour image among them gives three, grey ones repeated."""
    make_folder(tmp_path, channels=1)
    assert ImageClassification.load(tmp_path).input_shape == (1, 8, 6)
    noise(seed=5).save(tmp_path / "cat" / "colour.png")
    task = ImageClassification.load(tmp_path)
    assert task.input_shape == (3, 8, 6)
    x = np.concatenate([part()[0] for part in (task.train, task.validation, task.test)])
    assert sum(bool((image == image[:1]).all()) for image in x) == 8


def test_every_kind_of_pixels_is_decoded(tmp_path: Path) -> None:
    """16 bits, palettes, transparency, one bit and CMYK become bytes of the right brightness."""
    make_folder(tmp_path)
    deep = (np.arange(48).reshape(8, 6) * 1300).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "cat" / "deep.png")
    noise(seed=1).convert("P").save(tmp_path / "cat" / "palette.png")
    noise(seed=2).convert("RGBA").save(tmp_path / "cat" / "alpha.png")
    noise(seed=3).convert("1").save(tmp_path / "dog" / "bits.png")
    noise(seed=4).convert("CMYK").save(tmp_path / "dog" / "cmyk.jpg")
    task = ImageClassification.load(tmp_path)
    x = np.concatenate([part()[0] for part in (task.train, task.validation, task.test)])
    assert len(x) == 13
    expected = np.broadcast_to((deep >> 8).astype(np.uint8), (3, 8, 6))
    assert any(np.array_equal(expected, image) for image in x)
    alpha = np.asarray(noise(seed=2)).transpose(2, 0, 1)
    assert any(np.array_equal(alpha, image) for image in x)


def test_pictures_are_turned_as_the_camera_says(tmp_path: Path) -> None:
    """A recorded rotation is applied, and counts for the size."""
    make_folder(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = noise(6, 8, seed=9)
    turned.save(tmp_path / "cat" / "turned.png", exif=exif)
    task = ImageClassification.load(tmp_path)
    assert (task.input_shape, task.notes) == ((3, 8, 6), ())
    x = np.concatenate([part()[0] for part in (task.train, task.validation, task.test)])
    expected = np.rot90(np.asarray(turned), -1).transpose(2, 0, 1)
    assert any(np.array_equal(expected, image) for image in x)


def test_images_of_tiny_numbers_stay_different(tmp_path: Path) -> None:
    """All of them are near the same step of 255, and would be stored as one number."""
    data = good()
    x = data["x_train"] * 1e-8
    np.savez(tmp_path / "set.npz", x_train=x, y_train=data["y_train"])
    images = ImageClassification.load(tmp_path / "set.npz").train()[0]
    assert np.float32 == images.dtype
    assert len(np.unique(images)) > 100


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (2, 4)])
def test_image_files_of_a_few_pixels_need_no_layout(tmp_path: Path, size: tuple[int, int]) -> None:
    """Where the channels of an image file stand is known, whatever its size and whatever is said of arrays."""
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for row in range(4):
            noise(*size, seed=row).save(tmp_path / name / f"{row}.png")
    assert (3, *size) == ImageClassification.load(tmp_path).input_shape
    assert (3, *size) == ImageClassification.load(tmp_path, layout="HWC").input_shape


def test_a_size_is_for_image_files(tmp_path: Path) -> None:
    """Arrays are not resized: to ignore what was asked for would be worse than to refuse it."""
    np.savez(tmp_path / "set.npz", **good())
    for data in (tmp_path / "set.npz", "digits"):
        with pytest.raises(SpecError, match="image_size must be left out, except for a folder of image files"):
            ImageClassification.load(data, image_size=8)


def test_a_class_missing_in_the_test_part_is_a_note(tmp_path: Path) -> None:
    """The figure at the end then says nothing of that class."""
    np.savez(tmp_path / "set.npz", **{**good(), "y_test": np.ones(10, int)})
    assert ("1 class(es) have no test images: '0'",) == ImageClassification.load(tmp_path / "set.npz").notes


@pytest.mark.parametrize(("peak", "seen"), [(255, 0), (4095, 15)])
def test_sixteen_bits_of_which_few_are_used_are_refused(tmp_path: Path, peak: int, seen: int) -> None:
    """A network sees the upper eight: of 12-bit data four would be left, of 8-bit data none."""
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for row in range(4):
            pixels = np.random.default_rng(row).integers(0, peak, (8, 6)).astype(np.uint16)
            pixels[0, 0] = peak
            Image.fromarray(pixels).save(tmp_path / name / f"{row}.png")
    refused(tmp_path, rf"the 8 image\(s\) of 16 bits, such as '.*png', reach {peak} of 65535, .* {seen} of 255; save")


def test_a_path_that_is_too_long_is_shortened() -> None:
    """No message is a screenful."""
    refused("x" * 5000 + ".npz", r"cannot read 'xxx.*\.\.\.: File name too long")


def test_a_line_says_where_each_part_comes_from(tmp_path: Path) -> None:
    """Which examples are the test part is no guess: given, or split off by a seed that is told."""
    np.savez(tmp_path / "set.npz", **good())
    line = ImageClassification.load(tmp_path / "set.npz", seed=3).data_line()
    assert line == "set: 3 x 6 x 5, 2 classes; train 30, validation 10 (split off by seed 3), test 10 (given)"
