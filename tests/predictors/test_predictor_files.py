"""Predictors as files: what was read predicts bit for bit as before, and hostile files are refused in plain words."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from netwright.errors import DataError, NetwrightError, StudyMismatchError, UsageError
from netwright.predictors import files as module
from netwright.predictors.files import Header, load_predictor, save_predictor
from netwright.predictors.predictor import KINDS, Predictor
from netwright.testing import cell_space, tiny_space
from netwright.types import Architecture

pytest.importorskip("sklearn")

SPACE = cell_space()
RNG = np.random.default_rng(0)
CELLS = list(dict.fromkeys(SPACE.sample(RNG) for _ in range(40)))
VALUES = [sum(value == "nor_conv_3x3" for value in cell.values()) / 6 for cell in CELLS]


def scores(cell: Architecture) -> dict[str, float]:
    return {"convs": float(sum(value == "nor_conv_3x3" for value in cell.values()))}


def saved(path: Path, kind: str = "process") -> Predictor:
    predictor = Predictor(SPACE, kind=kind, seed=5)
    predictor.fit(CELLS[:16], VALUES[:16])
    save_predictor(predictor, path)
    return predictor


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of an average's file."""
    path = tmp_path_factory.mktemp("files") / "whole.npz"
    saved(path, "average")
    return path.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_it_predicts_bit_for_bit(kind: str, tmp_path: Path) -> None:
    """Means and intervals of a predictor that was read are equal, not near; nothing is left beside the file."""
    before = saved(tmp_path / "p.npz", kind).predict(CELLS)
    after = load_predictor(tmp_path / "p.npz", SPACE).predict(CELLS)
    for name in ("mean", "lower", "upper"):
        assert getattr(before, name).tobytes() == getattr(after, name).tobytes()
    assert ["p.npz"] == [path.name for path in tmp_path.iterdir()]


def test_it_goes_on_learning(tmp_path: Path) -> None:
    """After an update it is what it would have become without the file."""
    predictor = saved(tmp_path / "p.npz")
    read = load_predictor(tmp_path / "p.npz", SPACE)
    for one in (predictor, read):
        one.update(CELLS[16:20], VALUES[16:20])
    assert predictor.observations == read.observations
    assert predictor.predict(CELLS).mean.tobytes() == read.predict(CELLS).mean.tobytes()


def test_scores_are_given_again(tmp_path: Path) -> None:
    """A predictor that learnt from scores needs them, one that did not refuses them."""
    predictor = Predictor(SPACE, kind="process", scores=scores)
    predictor.fit(CELLS[:16], VALUES[:16])
    save_predictor(predictor, tmp_path / "scores.npz")
    read = load_predictor(tmp_path / "scores.npz", SPACE, scores=scores)
    assert predictor.predict(CELLS).mean.tobytes() == read.predict(CELLS).mean.tobytes()
    with pytest.raises(UsageError, match=r"scores must be those the predictor learnt from \(convs\)"):
        load_predictor(tmp_path / "scores.npz", SPACE)
    saved(tmp_path / "none.npz")
    with pytest.raises(UsageError, match=r"learnt from \(none\)"):
        load_predictor(tmp_path / "none.npz", SPACE, scores=scores)


def test_another_space_is_refused(tmp_path: Path) -> None:
    """The message names both spaces."""
    saved(tmp_path / "p.npz")
    with pytest.raises(StudyMismatchError, match=f"{SPACE.fingerprint()}.*{tiny_space().fingerprint()}"):
        load_predictor(tmp_path / "p.npz", tiny_space())


def test_files_that_are_none(tmp_path: Path) -> None:
    """A missing file, a folder, text, an npz of something else."""
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    for path in (tmp_path / "missing.npz", tmp_path, tmp_path / "text.npz", tmp_path / "other.npz"):
        with pytest.raises(DataError, match=path.name):
            load_predictor(path, SPACE)


def test_cut_and_flipped_files(tmp_path: Path, written: bytes) -> None:
    """Cut anywhere it is an error in plain words; with a byte flipped it is one too, or reads."""
    path, rng = tmp_path / "p.npz", np.random.default_rng(0)
    for length in rng.integers(0, len(written), 60).tolist():
        path.write_bytes(written[:length])
        with pytest.raises(DataError, match=r"p\.npz"):
            load_predictor(path, SPACE)
    for place in rng.integers(0, len(written), 60).tolist():
        changed = bytearray(written)
        changed[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        try:
            load_predictor(path, SPACE)
        except NetwrightError as error:
            assert str(error)  # noqa: PT017 - it may be read as well, where the byte says nothing


def rewritten(source: Path, target: Path, **arrays: np.ndarray) -> None:
    """The same file with other arrays in it."""
    with np.load(source) as loaded:
        np.savez(target, allow_pickle=True, **{**dict(loaded), **arrays})


def header(source: Path, **values: object) -> np.ndarray:
    """The header of a file with other values in it."""
    with np.load(source) as loaded:
        told = json.loads(loaded["header"].tobytes())
    assert set(values) <= set(Header.model_fields) | {"unknown"}
    return np.frombuffer(json.dumps({**told, **values}).encode(), np.uint8)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": "other 7"}, "unknown format 'other 7'"),
        ({"kind": "processx"}, "did you mean 'process'"),
        ({"seed": "1"}, "seed"),
        ({"slopes": [1.0, -1.0]}, "slopes.1"),
        ({"slopes": [float("nan"), 1.0]}, "slopes.0|JSON"),
        ({"widths": [1, 2, 3]}, "columns of a predictor"),
        ({"operations": ["x"] * 5000}, "operations"),
        ({"score_names": ["a"]}, "columns of a predictor|scores must be"),
        ({"architectures": ["{"]}, "architecture must be JSON"),
        ({"architectures": []}, "values must be as many"),
        ({"unknown": 1}, "unknown"),
        ({"kind": "forest"}, "feature"),
    ],
)
def test_headers_that_say_something_else(values: dict[str, object], message: str, tmp_path: Path) -> None:
    """Each is refused, and the message says what is wrong."""
    saved(tmp_path / "p.npz")
    rewritten(tmp_path / "p.npz", tmp_path / "q.npz", header=header(tmp_path / "p.npz", **values))
    with pytest.raises(UsageError, match=message):
        load_predictor(tmp_path / "q.npz", SPACE)


def test_arrays_that_are_something_else(tmp_path: Path) -> None:
    """Objects, NaN, other shapes, other types and values out of order are refused."""
    saved(tmp_path / "p.npz")
    some: dict[str, np.ndarray] = {
        "values": np.array([{}], dtype=object),
        "model.solved": np.full(16, np.nan),
        "model.rows": np.zeros((16, 2)),
        "errors": np.array([3.0, 1.0]),
        "scale.targets": np.zeros(3),
        "reference": np.zeros((4, 2)),
        "header": np.frombuffer(b"[" * 100_000, np.uint8),
    }
    for name, array in some.items():
        rewritten(tmp_path / "p.npz", tmp_path / "q.npz", **{name: array})
        with pytest.raises(DataError, match=r"q\.npz"):
            load_predictor(tmp_path / "q.npz", SPACE)


def test_trees_that_lead_nowhere(tmp_path: Path) -> None:
    """A node that leads back, beyond the end, or asks for a column that is not there would hang or crash."""
    saved(tmp_path / "p.npz", "forest")
    with np.load(tmp_path / "p.npz") as loaded:
        arrays = dict(loaded)
    for name, value in (("left", 0), ("right", 10**9), ("feature", 10**6), ("feature", -7), ("roots", -1)):
        changed = arrays[f"model.{name}"].copy()
        changed[0] = value
        rewritten(tmp_path / "p.npz", tmp_path / "q.npz", **{f"model.{name}": changed})
        with pytest.raises(DataError, match="the trees of a predictor lead nowhere"):
            load_predictor(tmp_path / "q.npz", SPACE)


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file that unpacks to more than a predictor may be is refused by its size."""
    monkeypatch.setattr(module, "LARGEST_BYTES", 1 << 20)
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("values.npy", bytes(2 << 20))
    with pytest.raises(DataError, match="more than a predictor"):
        load_predictor(path, SPACE)


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    """It cannot be written there, and that is said."""
    with pytest.raises(DataError, match="cannot be written"):
        saved(tmp_path / "nowhere" / "p.npz")
