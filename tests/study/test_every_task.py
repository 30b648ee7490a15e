"""Every task from a file to a program, in its default space: search, export, check, ``model.py`` on a file, resume.

Data are made here, small, and can be learned; that networks learn real data is what slower tests and figures say.
"""

from __future__ import annotations

import subprocess
import sys
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

import netwright as nw
from netwright.storage import Store
from netwright.tasks import TASKS

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Case:
    """A task on data made for it.

    Args:
        make: writes data into a folder; gives what ``--data`` is, and a file for ``model.py``.
        options: of the task.
        needs: packages.
        epochs: of a training.
    """

    make: Callable[[Path], tuple[Path, Path]]
    options: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    epochs: float = 1.0


def png(path: Path, pixels: np.ndarray) -> None:
    from PIL import Image

    Image.fromarray(pixels).save(path)


def squares(rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """A dark picture with a bright square in its upper or its lower half."""
    label = int(rng.integers(2))
    pixels = rng.integers(0, 60, (16, 16, 3)).astype(np.uint8)
    pixels[8 * label + 1 : 8 * label + 6, 4:10] = 230
    return pixels, label


def images(folder: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(0)
    drawn = [squares(rng) for _ in range(120)]
    x, y = np.stack([p for p, _ in drawn]), np.array([label for _, label in drawn])
    np.savez(folder / "a.npz", x_train=x[:90], y_train=y[:90], x_test=x[90:], y_test=y[90:])
    png(folder / "a.png", x[0])
    return folder / "a.npz", folder / "a.png"


def labelled(folder: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(0)
    drawn = [squares(rng) for _ in range(120)]
    y = np.array([[label, 1 - label, n % 2] for n, (_, label) in enumerate(drawn)], dtype=np.uint8)
    np.savez(folder / "a.npz", x_train=np.stack([p for p, _ in drawn]), y_train=y)
    png(folder / "a.png", drawn[0][0])
    return folder / "a.npz", folder / "a.png"


def boxes(folder: Path) -> tuple[Path, Path]:
    rng, lines = np.random.default_rng(0), ["image,xmin,ymin,xmax,ymax,label"]
    for number in range(40):
        pixels = rng.integers(0, 60, (64, 80, 3)).astype(np.uint8)
        left, top, side = (int(rng.integers(low, high)) for low, high in ((2, 50), (2, 36), (10, 24)))
        pixels[top : top + side, left : left + side] = 230
        png(folder / f"{number}.png", pixels)
        lines.append(f"{number}.png,{left},{top},{left + side},{top + side},square")
    (folder / "boxes.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "boxes.csv", folder / "0.png"


def sound(folder: Path) -> tuple[Path, Path]:
    rng, lines = np.random.default_rng(0), ["audio,text"]
    for number in range(40):
        said = [int(n) for n in rng.integers(0, 2, 3)]
        tones = [np.sin(2 * np.pi * (400, 1500)[n] * np.arange(2400) / 8000) for n in said]
        samples = np.concatenate([np.concatenate([t, np.zeros(800)]) for t in tones]) + rng.normal(0, 0.01, 9600)
        with wave.open(str(folder / f"{number}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes((samples * 9000).astype("<i2").tobytes())
        lines.append(f"{number}.wav,{' '.join(('low', 'high')[n] for n in said)}")
    (folder / "a.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "a.csv", folder / "0.wav"


def sentences(folder: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(0)
    ours, theirs = ("one", "two", "three", "four", "five"), ("eins", "zwei", "drei", "vier", "fünf")
    lines = []
    for _ in range(200):
        words = rng.integers(0, 5, 4)
        lines.append(f"{' '.join(ours[w] for w in words)}\t{' '.join(theirs[w] for w in words)}")
    (folder / "a.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "new.txt").write_text("two two one four\n", encoding="utf-8")
    return folder / "a.tsv", folder / "new.txt"


def reviews(folder: Path) -> tuple[Path, Path]:
    lines = [f"{('a good', 'a bad')[n % 2]} thing number {n},{('yes', 'no')[n % 2]}" for n in range(120)]
    (folder / "a.csv").write_text("\n".join(["text,label", *lines]) + "\n", encoding="utf-8")
    (folder / "new.txt").write_text("a good one\n", encoding="utf-8")
    return folder / "a.csv", folder / "new.txt"


def play(folder: Path) -> tuple[Path, Path]:
    (folder / "a.txt").write_text("to be or not to be, that is the question.\n" * 80, encoding="utf-8")
    (folder / "new.txt").write_text("to be or not", encoding="utf-8")
    return folder / "a.txt", folder / "new.txt"


def rows(folder: Path) -> tuple[Path, Path]:
    rng, lines = np.random.default_rng(0), []
    for _ in range(240):
        number, word = rng.normal(), "ab"[rng.integers(2)]
        lines.append(f"{number:.3f},{word},{int((number > 0) == (word == 'a'))}")
    (folder / "a.csv").write_text("\n".join(["x,word,label", *lines]) + "\n", encoding="utf-8")
    (folder / "new.csv").write_text("x,word\n0.5,a\n,c\n", encoding="utf-8")
    return folder / "a.csv", folder / "new.csv"


def waves(folder: Path) -> tuple[Path, Path]:
    rng, lines = np.random.default_rng(0), []
    for number in range(80):
        values = np.sin(np.arange(24) * (0.3, 1.1)[number % 2] + rng.uniform(0, 6)) + rng.normal(0, 0.1, 24)
        lines.append(",".join([str(number % 2), *(f"{value:.3f}" for value in values)]))
    (folder / "a.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "new.csv").write_text(lines[0] + "\n", encoding="utf-8")
    return folder / "a.csv", folder / "new.csv"


def load(folder: Path) -> tuple[Path, Path]:
    steps = np.arange(400)
    lines = [f"{value:.3f}" for value in np.sin(steps * np.pi / 6) + 0.01 * np.cos(steps)]
    (folder / "a.csv").write_text("\n".join(["load", *lines]) + "\n", encoding="utf-8")
    return folder / "a.csv", folder / "a.csv"


def ring(folder: Path) -> tuple[Path, Path]:
    nodes = np.arange(60)
    edges = np.stack([nodes, (nodes + 1) % 60])
    rng = np.random.default_rng(0)
    labels = (nodes >= 30).astype(np.int64)
    np.savez(
        folder / "a.npz", edge_index=edges, y=labels, x=rng.normal(labels[:, None], 0.5, (60, 8)).astype(np.float32)
    )
    (folder / "nodes.txt").write_text("0\n59\n", encoding="utf-8")
    return folder / "a.npz", folder / "nodes.txt"


CASES = {
    "image-classification": Case(images, needs=("PIL",)),
    "image-multilabel": Case(labelled, needs=("PIL", "sklearn")),
    "object-detection": Case(boxes, {"image_size": 64}, ("PIL", "faster_coco_eval")),
    "speech-recognition": Case(sound, needs=("jiwer",)),
    "translation": Case(sentences, {"vocabulary": 300, "most_tokens": 12}, ("tokenizers", "sacrebleu")),
    "text-classification": Case(reviews, {"vocabulary": 300, "most_tokens": 12}, ("tokenizers",)),
    "language-model": Case(play, {"context": 16}),
    "tabular-classification": Case(rows, {"target": "label"}, ("sklearn",)),
    "tabular-regression": Case(rows, {"target": "label"}, ("sklearn",)),
    "series-classification": Case(waves),
    "series-forecasting": Case(load, {"horizon": 2, "window": 12, "season": 12}),
    "node-classification": Case(ring, needs=("sklearn",)),
}


def test_every_task_has_a_case() -> None:
    """Those of the command line, all of them."""
    assert set(CASES) == set(TASKS)


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_task_goes_from_a_file_to_a_program(name: str, tmp_path: Path) -> None:
    """The network is checked, also in ONNX Runtime; ``model.py`` answers; a larger budget goes on with the same run."""
    case = CASES[name]
    for package in case.needs:
        pytest.importorskip(package)
    folder, run = tmp_path / "data", tmp_path / "run"
    folder.mkdir()
    data, new = case.make(folder)
    given = {"task": name, "data": str(data), "task_options": dict(case.options), "max_epochs": case.epochs}
    result = nw.search(**given, budget="1 trials", workers=1, out=str(run))  # type: ignore[arg-type]
    assert result.verified
    assert {"model.py", "weights.safetensors", "card.json", "model.onnx"} <= {f.name for f in (run / "best").iterdir()}
    done = subprocess.run(
        [sys.executable, run / "best" / "model.py", new], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout or name == "object-detection"  # whose answer may be no line
    more = nw.resume(run, budget="2 trials")
    assert more.verified
    with Store.open(run / "study.db") as store:
        architectures = [trial.architecture for trial in store.trials()]
    assert len(architectures) == 2
    assert len(set(architectures)) == 2
    assert result.best.id == 0
