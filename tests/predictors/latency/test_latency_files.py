"""A stored predictor predicts what it did; what is damaged or of something else is refused."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from made_up_devices import SPACE, drawn, table

from netwright.errors import DataError
from netwright.predictors.latency import (
    Knowledge,
    LatencyPredictor,
    load_latency_predictor,
    save_latency_predictor,
)
from netwright.testing import tiny_space
from netwright.types import Architecture


def sizes(architecture: Architecture) -> dict[str, float]:
    return {"macs": float(list(architecture.values()).count("nor_conv_3x3"))}


@pytest.fixture(scope="module")
def predictor() -> LatencyPredictor:
    """Of the board, from ten noisy measurements and two other devices."""
    known = Knowledge(SPACE, [table("gpu", drawn(50, 1)), table("phone", drawn(50, 2))], sizes, seed=3)
    return LatencyPredictor.fit(known, table("board", drawn(10, 3), 0.1))


@pytest.fixture
def folder(predictor: LatencyPredictor, tmp_path: Path) -> Path:
    """It, stored."""
    save_latency_predictor(predictor, tmp_path / "latency")
    return tmp_path / "latency"


def test_predictions_are_the_same(predictor: LatencyPredictor, folder: Path) -> None:
    """Latencies and ends of intervals, and what is known of the choice of the model."""
    loaded, asked = load_latency_predictor(folder, SPACE, sizes), drawn(50, 4)
    before, after = predictor.predict(asked), loaded.predict(asked)
    for name in ("latencies_ms", "low_ms", "high_ms"):
        np.testing.assert_allclose(getattr(before, name), getattr(after, name), rtol=1e-9)
    assert (predictor.model, dict(predictor.left_out_errors)) == (loaded.model, dict(loaded.left_out_errors))
    assert predictor.knowledge.devices == loaded.knowledge.devices


def test_another_space_is_refused(folder: Path) -> None:
    """The fingerprint differs."""
    with pytest.raises(DataError, match=r"space of .* must be the given one"):
        load_latency_predictor(folder, tiny_space(), sizes)


def test_other_sizes_are_refused(folder: Path) -> None:
    """A predictor made with sizes is not used without them."""
    with pytest.raises(DataError, match=r"sizes of .* must be those given \(\[\]\)"):
        load_latency_predictor(folder, SPACE)


@pytest.mark.parametrize("name", ["latency.json", "latency.npz"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    """Each of the two."""
    (folder / name).unlink()
    with pytest.raises(DataError, match=f"{name} does not exist"):
        load_latency_predictor(folder, SPACE, sizes)


@pytest.mark.parametrize("name", ["latency.json", "latency.npz"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_cut_file_is_refused(folder: Path, name: str, share: float) -> None:
    """Half a file is an error, whatever half."""
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=name):
        load_latency_predictor(folder, SPACE, sizes)


@pytest.mark.parametrize(
    ("key", "value"),
    [("format", 1), ("model", "magic"), ("latencies_ms", [1.0]), ("devices", ["gpu"]), ("surplus", 1), ("seed", -1)],
)
def test_a_changed_description_is_refused(folder: Path, key: str, value: object) -> None:
    """A format, model, count or key that cannot be."""
    told = json.loads((folder / "latency.json").read_text())
    (folder / "latency.json").write_text(json.dumps(told | {key: value}))
    with pytest.raises(DataError):
        load_latency_predictor(folder, SPACE, sizes)


def test_pickled_arrays_are_refused(folder: Path) -> None:
    """An array of objects is not unpickled."""
    np.savez(folder / "latency.npz", functions=np.array([{}], dtype=object), logs=np.zeros(1), local=np.zeros(1))
    with pytest.raises(DataError, match="cannot be read"):
        load_latency_predictor(folder, SPACE, sizes)


@pytest.mark.parametrize("name", ["functions", "logs", "local"])
@pytest.mark.parametrize("number", [1e300, -800.0])
def test_numbers_without_a_meaning_are_refused_or_predict(folder: Path, name: str, number: float) -> None:
    """A loaded predictor tells finite latencies, whatever was written into its arrays."""
    with np.load(folder / "latency.npz") as stored:
        arrays = dict(stored)
    np.savez(folder / "latency.npz", **{**arrays, name: np.full_like(arrays[name], number)})
    told = json.loads((folder / "latency.json").read_text())
    told["arrays"] = hashlib.blake2b((folder / "latency.npz").read_bytes(), digest_size=16).hexdigest()
    (folder / "latency.json").write_text(json.dumps(told))
    with suppress(DataError):
        found = load_latency_predictor(folder, SPACE, sizes).predict(drawn(3, 5))
        assert np.isfinite([found.latencies_ms, found.low_ms, found.high_ms]).all()


def test_files_of_two_saves_are_refused(predictor: LatencyPredictor, folder: Path) -> None:
    """A save that is killed between its two files leaves a pair that fits in shape."""
    description = (folder / "latency.json").read_bytes()
    other = LatencyPredictor.fit(predictor.knowledge, table("board", drawn(10, 6), 0.1))
    save_latency_predictor(other, folder)
    (folder / "latency.json").write_bytes(description)
    with pytest.raises(DataError, match=r"latency\.npz is not the file that latency\.json was written with; save"):
        load_latency_predictor(folder, SPACE, sizes)


def test_a_save_that_fails_leaves_what_was_there(
    predictor: LatencyPredictor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full: the older predictor is still whole, and no other file lies beside it."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DataError, match="cannot be written"):
        save_latency_predictor(predictor, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_an_unknown_compression_is_refused(folder: Path) -> None:
    """One byte of the zip's directory changed."""
    content = bytearray((folder / "latency.npz").read_bytes())
    content[content.rindex(b"PK\x01\x02") + 10] = 77
    content[content.index(b"PK\x01\x02") + 10] = 77
    (folder / "latency.npz").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read"):
        load_latency_predictor(folder, SPACE, sizes)


def test_a_file_is_no_folder(predictor: LatencyPredictor, tmp_path: Path) -> None:
    """Neither to read from nor to write into; a path may be text."""
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(DataError, match="is not what was saved"):
        load_latency_predictor(str(file), SPACE, sizes)
    with pytest.raises(DataError, match="cannot be written"):
        save_latency_predictor(predictor, str(file))
