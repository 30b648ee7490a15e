"""A file of the test part that turns out to be broken at the end: it is named, nothing is lost, a resume delivers."""

from __future__ import annotations

import wave
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

import netwright as nw
from netwright.errors import DataError
from netwright.storage import Store

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
PARTS = ("train",) * 24 + ("val",) * 8 + ("test",) * 8


def picture(path: Path, rng: np.random.Generator, label: int) -> None:
    from PIL import Image

    pixels = rng.integers(0, 60, (64, 64, 3)).astype(np.uint8)
    pixels[20 + 20 * label : 36 + 20 * label, 10:30] = 230
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=90)


def photographs(folder: Path) -> tuple[Path, Path]:
    """Class folders."""
    rng = np.random.default_rng(0)
    for number, part in enumerate(PARTS):
        picture(folder / part / "ab"[number % 2] / f"{number}.jpg", rng, number % 2)
    return folder, folder / "test" / "b" / "39.jpg"


def boxes(folder: Path) -> tuple[Path, Path]:
    """A table of boxes beside the images."""
    rng, lines = np.random.default_rng(0), ["image,xmin,ymin,xmax,ymax,label,split"]
    for number, part in enumerate(PARTS):
        picture(folder / f"{number}.jpg", rng, number % 2)
        top = 20 + 20 * (number % 2)
        lines.append(f"{number}.jpg,10,{top},30,{top + 16},square,{part}")
    (folder / "boxes.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "boxes.csv", folder / "39.jpg"


def sound(folder: Path) -> tuple[Path, Path]:
    """A manifest of recordings."""
    rng, lines = np.random.default_rng(0), ["audio,text,split"]
    for number, part in enumerate(PARTS):
        tone = np.sin(2 * np.pi * (400, 1500)[number % 2] * np.arange(4800) / 8000) + rng.normal(0, 0.01, 4800)
        with wave.open(str(folder / f"{number}.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes((tone * 9000).astype("<i2").tobytes())
        lines.append(f"{number}.wav,{('low', 'high')[number % 2]},{part}")
    (folder / "a.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "a.csv", folder / "39.wav"


CASES: Mapping[str, tuple[Callable[[Path], tuple[Path, Path]], Mapping[str, int], str]] = {
    "image-classification": (photographs, {}, "PIL"),
    "object-detection": (boxes, {"image_size": 64}, "faster_coco_eval"),
    "speech-recognition": (sound, {}, "jiwer"),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_file_that_was_cut_off_is_named_and_a_resume_delivers(name: str, tmp_path: Path) -> None:
    """Half of the bytes are missing; what was trained is not trained again once they are back."""
    make, options, package = CASES[name]
    pytest.importorskip(package)
    folder, run = tmp_path / "data", tmp_path / "run"
    folder.mkdir()
    data, broken = make(folder)
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    given = {"task": name, "data": str(data), "task_options": dict(options), "max_epochs": 1}
    with pytest.raises(DataError, match=broken.name):
        nw.search(**given, budget="1 trials", workers=1, out=str(run))  # type: ignore[arg-type]
    broken.write_bytes(whole)
    assert nw.resume(run).verified
    with Store.open(run / "study.db") as store:
        assert len(store.trials()) == 1
        assert len(store.started()) == 1
