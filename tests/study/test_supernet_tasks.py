"""Shared weights of every task: a small search from real files to a checked network, and what goes on with its weights.

Data are pieces of real sets, so that each case takes a minute or two; what is asserted of scores is what a network that
learned anything passes and an answer without looking at the inputs does not.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import netwright as nw
from netwright.cli.runs import open_study
from netwright.errors import CapabilityError, NetwrightError, SpaceError
from netwright.export import Card
from netwright.study.supernet_use import choose_networks, extract_network, open_supernet, score_networks
from netwright.tasks import load_task
from netwright.tasks.base import Task
from netwright.types import Fidelity

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

Make = Callable[[Path, Path], Path]
"""Writes a piece of the real data (the first folder) into a folder, and says what ``--data`` is."""


@dataclass(frozen=True)
class Case:
    """A task on a piece of real data.

    Args:
        make: the data.
        epochs: of the shared weights, and of finalists.
        options: of the task.
        trivial: main metric of the best answer that does not look at the inputs; None where a minute is not enough to
            beat it.
        needs: packages.
        mixes: whether its default space is known to be one that darts searches; others may be refused.
    """

    make: Make
    epochs: float
    options: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    trivial: Callable[[Task], float] | None = None
    needs: tuple[str, ...] = ()
    mixes: bool = False


# --- data --------------------------------------------------------------------------------------------------------


def lines_of(path: Path, count: int, start: int = 0) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [line.rstrip("\n") for line in islice(file, start, start + count)]


def labelled_images(shared: Path, out: Path) -> Path:
    """Pictures of CIFAR-10 with three labels: animal, vehicle, flies."""
    from PIL import Image

    with np.load(shared / "cifar10_jpeg" / "test.npz") as z:
        jpeg, offsets, labels, names = z["jpeg"], z["offsets"], z["labels"], [str(name) for name in z["names"]]
    count = 360
    files = [io.BytesIO(jpeg[offsets[i] : offsets[i + 1]].tobytes()) for i in range(count)]
    pixels = np.stack([np.asarray(Image.open(file).convert("RGB").resize((16, 16))) for file in files])
    kinds = [names[label] for label in labels[:count]]
    vehicles = {"airplane", "automobile", "ship", "truck"}
    targets = np.array([[k not in vehicles, k in vehicles, k in {"airplane", "bird"}] for k in kinds], dtype=np.uint8)
    np.savez(out / "pictures.npz", x_train=pixels, y_train=targets)
    return out / "pictures.npz"


def blood_cells(shared: Path, out: Path) -> Path:
    """Some images of each part of bccd."""
    with (shared / "bccd" / "boxes.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    most = {"train": 32, "val": 8, "test": 8}
    parts = {part: list(dict.fromkeys(r["image"] for r in rows if r["split"] == part))[:n] for part, n in most.items()}
    kept = {name for names in parts.values() for name in names}
    (out / "images").mkdir()
    for name in kept:
        shutil.copy(shared / "bccd" / "images" / name, out / "images" / name)
    with (out / "boxes.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row for row in rows if row["image"] in kept)
    return out / "boxes.csv"


def spoken_digits(shared: Path, out: Path) -> Path:
    """Clips of three words by five speakers; a sixth and a seventh part of them to validate and to test on."""
    with np.load(shared / "fsdd" / "fsdd.npz") as z:
        audio, offsets, digits, takes = z["audio"], z["offsets"], z["digit"], z["take"]
        rate = int(z["sample_rate"])
    words = {0: "zero", 1: "one", 6: "six"}
    rows = [i for i in range(len(digits)) if int(digits[i]) in words and takes[i] < 20]
    split = {0: "validation", 1: "test"}
    pieces = [audio[offsets[i] : offsets[i + 1]] for i in rows]
    np.savez(
        out / "words.npz",
        audio=np.concatenate(pieces),
        offsets=np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])]),
        texts=np.array([words[int(digits[i])] for i in rows]),
        splits=np.array([split.get(int(takes[i]) // 3, "train") for i in rows]),
        sample_rate=np.array(rate),
    )
    return out / "words.npz"


def sentences(shared: Path, out: Path) -> Path:
    for ending in ("en", "de"):
        for part, name, count in (("train", "train", 400), ("validation", "val", 40), ("test", "test_2016_flickr", 30)):
            lines = lines_of(shared / "multi30k" / f"{name}.{ending}.gz", count)
            (out / f"{part}.{ending}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return out


def texts_of_two_kinds(shared: Path, out: Path) -> Path:
    """Lines of plays and of an encyclopedia."""
    plays = [line for line in lines_of(shared / "text" / "tinyshakespeare.txt.gz", 2000) if len(line) > 30][:200]
    known = [line for line in lines_of(shared / "text" / "wikitext2_valid.txt.gz", 2000) if len(line) > 30][:200]
    with (out / "texts.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for play, fact in zip(plays, known, strict=True):
            writer.writerows([[play, "play"], [fact[:120], "fact"]])
    return out / "texts.csv"


def play(shared: Path, out: Path) -> Path:
    text = "\n".join(lines_of(shared / "text" / "tinyshakespeare.txt.gz", 600))
    (out / "play.txt").write_text(text, encoding="utf-8")
    return out / "play.txt"


def table(name: str, count: int) -> Make:
    def make(shared: Path, out: Path) -> Path:
        rows = lines_of(shared / "tabular" / f"{name}.csv.gz", 100_000)
        chosen = np.sort(np.random.default_rng(0).permutation(len(rows))[:count])
        (out / f"{name}.csv").write_text("\n".join(rows[i] for i in chosen) + "\n", encoding="utf-8")
        return out / f"{name}.csv"

    return make


def demand_by_day(shared: Path, out: Path) -> Path:
    return Path(shutil.copy(shared / "timeseries" / "ItalyPowerDemand.npz", out))


def demand_by_hour(shared: Path, out: Path) -> Path:
    """Days of 24 hours behind one another."""
    with np.load(shared / "timeseries" / "ItalyPowerDemand.npz") as z:
        hours = z["x_test"][:60].reshape(-1)
    (out / "hours.csv").write_text("demand\n" + "\n".join(f"{v:.4f}" for v in hours) + "\n", encoding="utf-8")
    return out / "hours.csv"


def citations(shared: Path, out: Path) -> Path:
    return Path(shutil.copy(shared / "graph" / "cora.npz", out))


# --- what an answer without looking is worth ---------------------------------------------------------------------


def most_frequent(task: Task) -> float:
    """Accuracy of the most frequent class."""
    targets = task.validation()[1]
    return float(np.bincount(targets).max() / len(targets))


def deviation(task: Task) -> float:
    """Error of the mean."""
    return float(task.validation()[1].std())


def positives(task: Task) -> float:
    """Mean average precision of one order for all labels."""
    return float(task.validation()[1].mean(axis=0).mean())


def evenly(task: Task) -> float:
    """Perplexity where every token is as likely as any other."""
    return float(task.output_shape[-1])


def one_by_one(task: Task) -> float:
    """Bits a character by how often each occurs."""
    _, counts = np.unique(task.train()[0], return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def level(task: Task) -> float:
    """MASE of the mean of all steps."""
    wanted = task.validation()[1].astype(np.float64)
    mean = task.train()[1].mean(axis=(0, 2))[None, :, None]
    return float((np.abs(wanted - mean).mean(axis=(0, 2)) / task.windows.scale).mean())  # type: ignore[attr-defined]


CASES: Mapping[str, Case] = {
    "image-multilabel": Case(labelled_images, 6, trivial=positives, needs=("PIL",), mixes=True),
    "object-detection": Case(
        blood_cells, 3, {"image_size": 96, "flips": "both"}, needs=("PIL", "faster_coco_eval")
    ),
    "speech-recognition": Case(spoken_digits, 3, needs=("jiwer",)),
    "translation": Case(
        sentences,
        4,
        {"vocabulary": 400, "most_tokens": 24, "lowercase": True, "source": "en", "target": "de"},
        trivial=evenly,
        needs=("tokenizers", "sacrebleu"),
    ),
    "text-classification": Case(
        texts_of_two_kinds, 6, {"vocabulary": 600, "most_tokens": 32}, trivial=most_frequent, needs=("tokenizers",),
        mixes=True,
    ),
    "language-model": Case(play, 3, {"context": 32}, trivial=one_by_one, mixes=True),
    "tabular-classification": Case(table("banknote_authentication", 600), 12, trivial=most_frequent),
    "tabular-regression": Case(table("winequality-white", 800), 12, trivial=deviation),
    "series-classification": Case(demand_by_day, 40, trivial=most_frequent),
    "series-forecasting": Case(demand_by_hour, 12, {"horizon": 6, "window": 24, "season": 24}, trivial=level),
    "node-classification": Case(citations, 200, trivial=most_frequent),
}  # fmt: skip


@pytest.fixture(params=sorted(CASES))
def name(request: pytest.FixtureRequest) -> str:
    """A task of which the packages are there."""
    for package in CASES[request.param].needs:
        pytest.importorskip(package)
    return str(request.param)


@pytest.fixture
def data(name: str, shared_data: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return CASES[name].make(shared_data, folder)


def test_every_task_has_a_case() -> None:
    """But for plain images, which all other tests of shared weights are about."""
    from netwright.tasks import TASKS

    assert set(CASES) | {"image-classification"} == set(TASKS)


def test_a_search_on_shared_weights_ends_with_a_checked_network(name: str, data: Path, tmp_path: Path) -> None:
    """Some are scored with them, the best goes on from them, is written, and beats an answer that does not look.

    Then the run is resumed to the same end, and its weights are scored and taken out on their own.
    """
    case, run = CASES[name], tmp_path / "run"
    given = {"task": name, "data": str(data), "task_options": dict(case.options), "strategy": "random"}
    result = nw.search(**given, evaluator="supernet", budget="10 trials", max_epochs=case.epochs, out=str(run))
    card = Card.from_json((run / "best" / "card.json").read_bytes())
    assert result.verified
    assert card.check is not None
    assert card.check.passed
    assert {"model.py", "weights.safetensors", "card.json"} <= {file.name for file in (run / "best").iterdir()}
    with open_study(run) as store:
        trials = store.trials()
    scored = [t for t in trials if t.fidelity == Fidelity() and t.metrics]
    assert len(scored) >= 4
    assert len({tuple(sorted(t.metrics.items())) for t in scored}) > 1
    task, metric = load_task(name, data, **case.options), result.objectives[0]
    best = result.best.metrics[metric.metric]
    assert math.isfinite(best)
    if case.trivial is not None:
        assert metric.sign * best < metric.sign * case.trivial(task)
    again = nw.resume(run)
    assert (again.best, again.verified) == (result.best, True)
    opened = open_supernet(run / "supernet")
    (row,) = score_networks(opened, choose_networks(opened, [scored[0].architecture], 0, 0))
    assert row.metrics[metric.metric] == scored[0].metrics[metric.metric]
    found = extract_network(opened, scored[0].architecture, tmp_path / "out")
    taken = Card.from_json((tmp_path / "out" / "card.json").read_bytes())
    assert taken.check is not None
    assert taken.check.passed
    assert found[metric.metric] == row.metrics[metric.metric]


def test_what_networks_of_a_step_learn_from_one_another(name: str, data: Path, tmp_path: Path) -> None:
    """Classes; other tasks refuse the options that say how, by name, before anything is trained."""
    case = CASES[name]
    given = {"task": name, "data": str(data), "task_options": dict(case.options), "budget": "6 trials", "teacher": True}
    task = load_task(name, data, **case.options)
    if task.classifies:
        return
    with pytest.raises(NetwrightError, match=f"teacher must be left out for the task {name}"):
        nw.search(**given, evaluator="supernet", out=str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("method", ["darts", "enas"])
def test_a_differentiable_search_works_or_says_what_to_do(name: str, method: str, data: Path, tmp_path: Path) -> None:
    """ENAS, which mixes nothing, searches each default space; DARTS what can be mixed, and else names the cure."""
    case, run = CASES[name], tmp_path / "run"
    given = {"task": name, "data": str(data), "task_options": dict(case.options), "strategy": method}
    options = {"budget": "1 trials", "max_epochs": 1.0, "out": str(run)}
    refused = ""
    try:
        result = nw.search(**given, **options)
    except (SpaceError, CapabilityError) as error:
        refused = str(error)
    if refused:
        assert (method, case.mixes) == ("darts", False), refused
        assert "take --strategy enas" in refused or "take enas" in refused
        return
    found = json.loads((run / "differentiable.json").read_text(encoding="utf-8"))
    assert result.verified
    assert 1 <= len(found["architectures"]) <= 4
    assert math.isnan(found["accuracy"]) != load_task(name, data, **case.options).classifies
