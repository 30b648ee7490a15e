"""The image classification task: splits, laziness of the test part, moments, one answer for every way of storing."""

from __future__ import annotations

import gzip
import json
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from netwright.errors import DataError, MissingDependencyError, SpecError
from netwright.space.terms import OpTerm
from netwright.tasks import TASKS, load_task
from netwright.tasks.image_classification import ImageClassification
from netwright.tasks.splits import SplitOptions, stratified_split
from netwright.types import Architecture, Objective

FASHION = Path("/usr/share/datasets/fashion-mnist")


def pictures(n: int = 60, channels: int = 3, seed: int = 0) -> np.ndarray:
    """``n`` random images (n, 9, 7, channels), uint8, with black and white in them."""
    x = np.random.default_rng(seed).integers(0, 256, (n, 9, 7, channels), dtype=np.uint8)
    x[:, 0, 0], x[:, 0, 1] = 0, 255
    return x


def save(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


def save_set(path: Path, change: Callable[[np.ndarray], np.ndarray] = lambda x: x, channels: int = 3) -> Path:
    """60 training and 20 test images of 3 classes, stored as ``change`` says."""
    train, test = pictures(60, channels), pictures(20, channels, seed=1)
    return save(
        path, x_train=change(train), y_train=np.repeat([0, 1, 2], 20), x_test=change(test), y_test=np.arange(20) % 3
    )


def same(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> bool:
    return all(x.dtype == y.dtype and np.array_equal(x, y) for x, y in zip(a, b, strict=True))


STORED = {
    "CHW": lambda x: x.transpose(0, 3, 1, 2),
    "float32 in 0..1": lambda x: (x / 255).astype(np.float32),
    "float64 in 0..1": lambda x: x / 255,
    "float32 in 0..255": lambda x: x.astype(np.float32),
    "int64": lambda x: x.astype(np.int64),
    "big-endian 16 bit": lambda x: x.astype(">u2"),
    "Fortran order": np.asfortranarray,
}


@pytest.mark.parametrize("change", STORED.values(), ids=list(STORED))
def test_every_way_of_storing_arrays_gives_the_same_task(tmp_path: Path, change: Callable) -> None:
    """The same images as HWC or CHW, floats or integers, give equal arrays, splits, moments and fingerprints."""
    expected = ImageClassification.load(save_set(tmp_path / "plain.npz"))
    actual = ImageClassification.load(save_set(tmp_path / "other.npz", change))
    assert expected.train()[0].dtype == np.uint8
    assert expected.input_shape == actual.input_shape == (3, 9, 7)
    assert same(expected.train(), actual.train())
    assert same(expected.validation(), actual.validation())
    assert same(expected.test(), actual.test())
    assert (expected.mean, expected.std, expected.scale) == (actual.mean, actual.std, actual.scale)
    assert expected.fingerprint() == actual.fingerprint()


def test_a_folder_of_png_files_gives_the_same_task_as_arrays(tmp_path: Path) -> None:
    """Images saved without loss in class folders give the arrays and the split of the npz file they came from."""
    expected = ImageClassification.load(save_set(tmp_path / "set.npz"))
    for part, images, labels in (
        ("train", pictures(60), np.repeat([0, 1, 2], 20)),
        ("test", pictures(20, seed=1), np.arange(20) % 3),
    ):
        for row, (image, label) in enumerate(zip(images, labels, strict=True)):
            folder = tmp_path / "set" / part / str(label)
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{row:03}.png")
    actual = ImageClassification.load(tmp_path / "set")
    assert same(expected.train(), actual.train())
    assert same(expected.validation(), actual.validation())
    order = np.argsort(np.arange(20) % 3, kind="stable")
    assert same(tuple(array[order] for array in expected.test()), actual.test())
    assert actual.notes == ()


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_give_the_same_task_as_arrays(tmp_path: Path, packed: bool) -> None:
    """MNIST's files, packed or not, give the arrays and the split of the same images in an npz file."""
    save_set(tmp_path / "set.npz", channels=1)
    expected = ImageClassification.load(tmp_path / "set.npz")
    folder = tmp_path / "idx"
    folder.mkdir()
    for prefix, images, labels in (
        ("train", pictures(60, 1), np.repeat([0, 1, 2], 20)),
        ("t10k", pictures(20, 1, seed=1), np.arange(20) % 3),
    ):
        for name, array in ((f"{prefix}-images-idx3-ubyte", images[..., 0]), (f"{prefix}-labels-idx1-ubyte", labels)):
            data = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
            data += array.astype(np.uint8).tobytes()
            path = folder / (name + ".gz" if packed else name)
            path.write_bytes(gzip.compress(data) if packed else data)
    actual = ImageClassification.load(folder)
    assert actual.input_shape == (1, 9, 7)
    assert same(expected.train(), actual.train())
    assert same(expected.test(), actual.test())
    assert expected.fingerprint() == actual.fingerprint()


def test_grey_arrays_with_and_without_a_channel_axis_are_the_same(tmp_path: Path) -> None:
    """(N, H, W) and (N, H, W, 1) give (N, 1, H, W)."""
    four = ImageClassification.load(save_set(tmp_path / "four.npz", channels=1))
    three = ImageClassification.load(save_set(tmp_path / "three.npz", lambda x: x[..., 0], channels=1))
    assert four.train()[0].shape[1:] == (1, 9, 7)
    assert same(four.train(), three.train())


def test_images_keep_their_labels_through_the_split() -> None:
    """Image and label of one example stay together in all three parts, and no example is in two of them."""
    labels = np.random.default_rng(0).integers(0, 5, 200)
    x = np.zeros((200, 4, 6), np.uint8)
    x[:, 0, 0], x[:, 0, 1] = np.arange(200), labels
    task = ImageClassification.from_arrays((x, labels))
    seen = []
    for images, classes in (task.train(), task.validation(), task.test()):
        assert np.array_equal(images[:, 0, 0, 1], classes)
        seen += images[:, 0, 0, 0].tolist()
    assert sorted(seen) == list(range(200))


def test_the_validation_split_follows_the_seed_and_the_test_split_does_not() -> None:
    """Another seed gives another validation part of the same size, and the very same test part."""
    a, again, b = (ImageClassification.load("digits", seed=seed) for seed in (0, 0, 1))
    assert same(a.validation(), again.validation())
    assert not same(a.validation(), b.validation())
    assert a.validation()[0].shape == b.validation()[0].shape
    assert same(a.test(), b.test())
    assert a.fingerprint() == again.fingerprint() != b.fingerprint()


@settings(deadline=None, derandomize=True, max_examples=200)
@given(
    counts=st.lists(st.integers(2, 60), min_size=2, max_size=8),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**40),
)
def test_splits_are_stratified_disjoint_and_decided_by_the_seed(counts: list[int], share: float, seed: int) -> None:
    """Each class is split by the share to within one example, none is emptied, and all rows are used once."""
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    kept, taken = stratified_split(labels, share, seed)
    assert np.array_equal(np.sort(np.concatenate([kept, taken])), np.arange(len(labels)))
    sizes = np.bincount(labels[taken], minlength=len(counts))
    for size, count in zip(sizes, counts, strict=True):
        assert 1 <= size <= count - 1
        assert abs(size - count * share) <= 1 or size in (1, count - 1)
    assert np.array_equal(taken, stratified_split(labels, share, seed)[1])


def test_a_large_split_has_the_share_exactly() -> None:
    """Rounding each class does not add up: the part taken is the share of all."""
    labels = np.repeat(np.arange(10), 15)
    assert len(stratified_split(labels, 0.1, 0)[1]) == 15


def test_small_sets_get_a_larger_validation_part_unless_told() -> None:
    """0.1 of 60,000, 500 of 4,000, a quarter of 1,000; what a person says counts."""
    shares = [SplitOptions().share_for(n) for n in (60_000, 4_000, 1_000)]
    assert shares == [0.1, 0.125, 0.25]
    assert SplitOptions(validation_share=0.4).share_for(1_000) == 0.4


def test_the_test_images_are_not_read_before_they_are_asked_for(tmp_path: Path) -> None:
    """A damaged test array does not stop loading, summary, fingerprint or export facts; `test` is counted and fails."""
    x, x_test = pictures(60), pictures(200, seed=1)
    y, y_test = np.repeat([0, 1, 2], 20), np.arange(200) % 3
    path = save(tmp_path / "set.npz", x_train=x, y_train=y, x_test=x_test, y_test=y_test)
    whole = ImageClassification.load(path)
    assert (whole.test_reads, whole.test()[0].shape, whole.test_reads) == (0, (200, 3, 9, 7), 1)
    data = bytearray(path.read_bytes())
    start = data.index(x_test[100:].tobytes())
    data[start : start + 64] = bytes(64)
    path.write_bytes(data)
    task = ImageClassification.load(path)
    assert whole.fingerprint() == task.fingerprint()
    assert "test 200" in task.summary()
    task.export_info()
    assert task.test_reads == 0
    with pytest.raises(DataError, match=r"cannot read the array x_test .*Bad CRC"):
        task.test()
    assert task.test_reads == 1


def test_test_image_files_are_not_opened_before_they_are_asked_for(tmp_path: Path) -> None:
    """Files of test/ that are no images at all are noticed by `test` only."""
    for part in ("train", "test"):
        for name in ("a", "b"):
            folder = tmp_path / part / name
            folder.mkdir(parents=True)
            for row, image in enumerate(pictures(6)):
                Image.fromarray(image).save(folder / f"{row}.png")
    (tmp_path / "test" / "a" / "0.png").write_bytes(b"nothing")
    task = ImageClassification.load(tmp_path)
    with pytest.raises(DataError, match=r"1 image file\(s\) cannot be read: .*a/0\.png"):
        task.test()


def test_moments_are_those_of_the_scaled_training_part_only() -> None:
    """Mean and deviation of each channel equal numpy's in float64, over the training images alone."""
    x = pictures(400)
    task = ImageClassification.from_arrays((x, np.arange(400) % 2), (255 - x[:50], np.arange(50) % 2))
    scaled = task.train()[0] / 255.0
    assert len(scaled) == 300
    np.testing.assert_allclose(task.mean, scaled.mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(task.std, scaled.std(axis=(0, 2, 3)), rtol=1e-12)


def test_a_constant_channel_gets_deviation_one() -> None:
    """Nothing is divided by zero."""
    x = pictures(40)
    x[..., 2] = 7
    task = ImageClassification.from_arrays((x, np.arange(40) % 2))
    assert task.std[2] == 1.0
    assert task.mean[2] == pytest.approx(7 / 255)


def test_floats_that_are_no_steps_of_255_stay_floats() -> None:
    """Continuous values in 0..1 are kept as float32 with scale 1; nothing is rounded."""
    x = np.random.default_rng(0).random((40, 5, 4))
    task = ImageClassification.from_arrays((x, np.arange(40) % 2))
    images = np.concatenate([task.train()[0], task.validation()[0], task.test()[0]])[:, 0]
    assert (images.dtype, task.scale) == (np.float32, 1.0)
    assert sorted(map(tuple, x.astype(np.float32).reshape(40, -1))) == sorted(map(tuple, images.reshape(40, -1)))


@pytest.mark.parametrize(
    ("low", "high", "dtype", "scale", "value_range"),
    [
        (-1, 1, np.float32, 1.0, (-1.0, 1.0)),
        (-4, 2, np.float64, 4.0, (-1.0, 0.5)),
        (0, 60000, np.uint16, 65535.0, (0.0, 1.0)),
        (0, 2.0**20, np.float64, 2.0**20, (0.0, 1.0)),
    ],
)
def test_other_ranges_are_recorded(
    low: float, high: float, dtype: type, scale: float, value_range: tuple[float, float]
) -> None:
    """What the network sees is stored / scale, and the range of it is known to an export."""
    x = np.linspace(low, high, 40 * 20).reshape(40, 5, 4).astype(dtype)
    x[:] = np.where(np.arange(20).reshape(5, 4) == 0, np.array(low, dtype), x)
    x[:, 4, 3] = high
    info = ImageClassification.from_arrays((x, np.arange(40) % 2)).export_info()
    assert info.scale == scale
    assert info.value_range == pytest.approx(value_range)


def test_an_odd_test_image_does_not_change_what_values_mean() -> None:
    """Test images between the steps of 255 come back as floats in the same unit as the training part's bytes."""
    x = pictures(40, 1)[..., 0] / 255
    task = ImageClassification.from_arrays((x, np.arange(40) % 2), (x[:4] * 0.999 + 0.0003, np.arange(4) % 2))
    assert (task.train()[0].dtype, task.scale) == (np.uint8, 255.0)
    np.testing.assert_allclose(task.test()[0][:, 0] / task.scale, x[:4] * 0.999 + 0.0003, atol=1e-6)


def test_the_layout_option_decides_what_the_shape_does_not() -> None:
    """3 x 5 x 4 images are read as CHW when told so, and 13 channels are allowed then."""
    x = np.random.default_rng(0).integers(0, 256, (30, 3, 5, 4), dtype=np.uint8)
    y = np.arange(30) % 2
    assert ImageClassification.from_arrays((x, y), layout="CHW").input_shape == (3, 5, 4)
    assert ImageClassification.from_arrays((x, y), layout="HWC").input_shape == (4, 3, 5)
    many = np.random.default_rng(0).integers(0, 256, (30, 6, 7, 13), dtype=np.uint8)
    assert ImageClassification.from_arrays((many, y), layout="HWC").input_shape == (13, 6, 7)


def test_digits_have_their_published_figures() -> None:
    """1,797 images of ten classes with the known counts; 561,718 ink cells, of 16 a pixel at most."""
    task = ImageClassification.load("digits")
    parts = task.train(), task.validation(), task.test()
    counts = sum(np.bincount(y) for _, y in parts)
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    cells = np.rint(np.concatenate([x for x, _ in parts]) / 255 * 16)
    assert (cells.sum(), cells.max()) == (561718, 16)


@pytest.mark.slow
def test_digits_are_those_of_scikit_learn() -> None:
    """All 1,797 images and labels are there, 16 ink cells becoming 255."""
    datasets = pytest.importorskip("sklearn.datasets")
    found = datasets.load_digits()
    expected = sorted(zip(found.images.reshape(-1, 64).tolist(), found.target.tolist(), strict=True))
    task = ImageClassification.load("digits")
    actual = []
    for x, y in (task.train(), task.validation(), task.test()):
        assert set(y) == set(range(10))
        actual += list(zip((x.reshape(-1, 64) / 255 * 16).round().tolist(), y.tolist(), strict=True))
    assert expected == sorted(actual)
    assert max(map(max, (row for row, _ in actual))) == 16


def test_digits_without_scikit_learn_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which package is missing and how to install it."""
    monkeypatch.setattr("netwright.tasks.formats.digits.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"'scikit-learn'.*pip install 'netwright\[vision\]'"):
        ImageClassification.load("digits")


def test_images_without_pillow_name_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which package is missing and how to install it."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(pictures(1)[0]).save(tmp_path / name / "1.png")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingDependencyError, match=r"'pillow'.*pip install 'netwright\[vision\]'"):
        ImageClassification.load(tmp_path)


def test_the_facts_of_the_task_are_there(tmp_path: Path) -> None:
    """Objective, ranges, export facts and summary say what the data is."""
    task = ImageClassification.load(save_set(tmp_path / "cells.npz"))
    assert task.objective == Objective("accuracy", "max")
    assert task.metric_ranges["accuracy"] == (0.0, 1.0)
    info = task.export_info()
    assert (info.task, info.input_shape, info.scale) == ("image-classification", (3, 9, 7), 255.0)
    assert (info.class_names, info.mean, info.std) == (("0", "1", "2"), task.mean, task.std)
    expected = (
        "image-classification on cells: 3 classes\n"
        "images: 3 x 9 x 7 (channels x height x width), uint8; train 45, validation 15, test 20\n"
        "classes (training images): '0' 15, '1' 15, '2' 15"
    )
    assert expected == task.summary()


def test_the_network_of_an_architecture_normalises_first() -> None:
    """The normalisation of the training data stands before the network, so that an export carries it."""

    class Space:
        def resolve(self, arch: Architecture) -> OpTerm:
            return OpTerm("linear", (("width", arch["width"]),))

    task = ImageClassification.load("digits")
    term = task.network(Space(), Architecture({"width": 10}))  # type: ignore[arg-type]
    assert [child.kind for child in term.children] == ["normalize", "linear"]
    assert term.children[0].arg("mean") == task.mean
    assert term.children[0].arg("std") == task.std
    assert term.children[1].arg("width") == 10


def test_tasks_are_loaded_by_name() -> None:
    """The registry gives what the class gives, options included."""
    task = load_task("image-classification", "digits", seed=3, validation_share=0.5)
    assert isinstance(task, ImageClassification)
    assert task.split == SplitOptions(3, 0.5)
    assert "image-classification" in TASKS
    with pytest.raises(SpecError, match="unknown task 'image-clasification'; did you mean 'image-classification'"):
        load_task("image-clasification", "digits")


def test_loading_data_imports_neither_torch_nor_scikit_learn() -> None:
    """A process that only loads the digits stays small and can be forked."""
    code = (
        "import sys, json; from netwright.tasks import load_task; load_task('image-classification', 'digits');"
        "print(json.dumps([name for name in ('torch', 'sklearn', 'PIL', 'scipy') if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_fashion_mnist_has_its_published_figures() -> None:
    """60,000 and 10,000 images of ten equal classes, with the known mean and deviation; nothing is held as floats."""
    if not FASHION.is_dir():
        pytest.skip("the Debian package dataset-fashion-mnist is not installed")
    task = ImageClassification.load(FASHION)
    (x, y), (x_val, y_val), (x_test, _) = task.train(), task.validation(), task.test()
    assert (x.shape, x_val.shape, x_test.shape) == ((54000, 1, 28, 28), (6000, 1, 28, 28), (10000, 1, 28, 28))
    assert (x.dtype, x.flags.c_contiguous) == (np.uint8, True)
    assert np.bincount(y).tolist() == [5400] * 10
    assert np.bincount(y_val).tolist() == [600] * 10
    assert task.mean[0] == pytest.approx(0.2860, abs=5e-4)
    assert task.std[0] == pytest.approx(0.3530, abs=5e-4)


def test_a_folder_of_real_photographs_equals_their_decoded_arrays(shared_data: Path, tmp_path: Path) -> None:
    """Real JPEG files in class folders give what decoding them by hand gives."""
    source = shared_data / "cifar10_jpeg" / "train.npz"
    if not source.is_file():
        pytest.skip(f"no {source}")
    with np.load(source) as z:
        jpeg, offsets, labels, names = z["jpeg"], z["offsets"], z["labels"][:300], z["names"]
    rows = np.argsort([str(names[label]) for label in labels], kind="stable")
    arrays = []
    for rank, row in enumerate(rows):
        folder = tmp_path / str(names[labels[row]])
        folder.mkdir(exist_ok=True)
        file = folder / f"{rank:04}.jpg"
        file.write_bytes(jpeg[offsets[row] : offsets[row + 1]].tobytes())
        with Image.open(file) as image:
            arrays.append(np.asarray(image))
    expected = ImageClassification.from_arrays((np.stack(arrays), names[labels[rows]].astype(str)))
    actual = ImageClassification.load(tmp_path)
    assert actual.input_shape == (3, 32, 32)
    assert actual.class_names[:2] == ("airplane", "automobile")
    for a, b in ((expected.train(), actual.train()), (expected.test(), actual.test())):
        assert same(a, b)
    assert expected.fingerprint() == actual.fingerprint()


def test_a_task_survives_the_way_into_another_process() -> None:
    """A spawned process gets the same data, and can read the test part."""
    task = ImageClassification.load("digits")
    copy = pickle.loads(pickle.dumps(task))
    assert task.fingerprint() == copy.fingerprint()
    assert same(task.test(), copy.test())


def test_the_default_space_fits_the_data_and_holds_the_references() -> None:
    """The space is asked for with the data's shape, and each reference is a point of it."""
    task = ImageClassification.load("digits")
    space = task.default_space()
    references = task.references()
    assert len({reference.architecture.id for reference in references}) == len(references) >= 2
    assert [reference.name for reference in references if space.explain(reference.architecture)] == []
