"""Images that are kept in files instead of memory: the same task, mapped, made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netwright.errors import DataError, SpecError
from netwright.tasks.formats import array_files
from netwright.tasks.image_classification import ImageClassification


def save_folder(folder: Path, n: int = 40) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (n, 9, 7, 3), dtype=np.uint8)
    for i, image in enumerate(pixels):
        (folder / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / "ab"[i % 2] / f"{i}.png")
    return folder


def same_task(a: ImageClassification, b: ImageClassification) -> bool:
    parts = zip((*a.train(), *a.validation(), *a.test()), (*b.train(), *b.validation(), *b.test()), strict=True)
    return all(np.array_equal(x, y) and x.dtype == y.dtype for x, y in parts) and (
        (a.fingerprint(), a.mean, a.std, a.mirrors) == (b.fingerprint(), b.mean, b.std, b.mirrors)
    )


STORED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "uint8 HWC": lambda x: x,
    "uint8 CHW": lambda x: np.ascontiguousarray(x.transpose(0, 3, 1, 2)),
    "Fortran order": np.asfortranarray,
    "float32": lambda x: (x / 255).astype(np.float32),
    "grey": lambda x: x[..., 0],
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("change", STORED.values(), ids=list(STORED))
def test_arrays_in_files_give_the_same_task(tmp_path: Path, change: Callable, save: Callable) -> None:
    """An npz file with a cache gives the parts, the moments and the fingerprint of one in memory, bit for bit."""
    x = np.random.default_rng(0).integers(0, 256, (60, 9, 7, 3), dtype=np.uint8)
    save(tmp_path / "s.npz", x_train=change(x), y_train=np.arange(60) % 3, x_val=change(x[:9]), y_val=np.arange(9) % 3)
    cached = ImageClassification.load(tmp_path / "s.npz", cache=tmp_path / "cache")
    assert same_task(ImageClassification.load(tmp_path / "s.npz"), cached)
    assert isinstance(cached.train()[0], np.memmap)


def test_decoded_files_are_kept_and_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is decoded once, some rows at a time; a file that changes is decoded anew."""
    folder = save_folder(tmp_path / "set")
    monkeypatch.setattr(array_files, "ROWS_AT_ONCE_BYTES", 1000)
    plain = ImageClassification.load(folder)
    assert same_task(plain, ImageClassification.load(folder, cache=tmp_path / "cache"))
    made = {file: file.stat().st_mtime_ns for file in (tmp_path / "cache").iterdir()}
    assert same_task(plain, ImageClassification.load(folder, cache=tmp_path / "cache"))
    assert made == {file: file.stat().st_mtime_ns for file in (tmp_path / "cache").iterdir()}
    Image.new("RGB", (7, 9), "red").save(folder / "a" / "0.png")
    changed = ImageClassification.load(folder, cache=tmp_path / "cache")
    assert same_task(ImageClassification.load(folder), changed)
    assert changed.fingerprint() != plain.fingerprint()


def test_nothing_half_written_is_left_or_used(tmp_path: Path) -> None:
    """A damaged image ends in its error and leaves no file; a file cut short is made again."""
    folder = save_folder(tmp_path / "set")
    good = (folder / "b" / "39.png").read_bytes()
    (folder / "b" / "39.png").write_bytes(good[:60])
    with pytest.raises(DataError, match=r"39\.png"):
        ImageClassification.load(folder, cache=tmp_path / "cache", validation_share=0.5).test()
    assert not list((tmp_path / "cache").glob("*.part"))
    (folder / "b" / "39.png").write_bytes(good)
    task = ImageClassification.load(folder, cache=tmp_path / "cache")
    for file in (tmp_path / "cache").iterdir():
        file.write_bytes(file.read_bytes()[:100])
    assert same_task(ImageClassification.load(folder), ImageClassification.load(folder, cache=tmp_path / "cache"))
    assert task.input_shape == (3, 9, 7)


def test_a_folder_that_cannot_be_written_and_a_full_disk_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option names what is wrong with the folder; too little space is found before anything is written."""
    folder = save_folder(tmp_path / "set")
    (tmp_path / "file").write_text("")
    with pytest.raises(SpecError, match="cache must be a folder that can be written to"):
        ImageClassification.load(folder, cache=tmp_path / "file")
    monkeypatch.setattr(array_files.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10})())
    with pytest.raises(DataError, match=r"cache: .* has 0 MiB free, the images take 0 MiB; name another folder"):
        ImageClassification.load(folder, cache=tmp_path / "cache")
