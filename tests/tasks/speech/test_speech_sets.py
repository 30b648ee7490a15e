"""The script that writes the recordings which figures of speech are measured on."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]


def test_nobody_is_heard_in_two_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who tests and who validates is not trained on, and each string says what its clips say."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    draw = np.random.default_rng(0)
    clips = [draw.integers(-900, 900, 1600).astype(np.int16) for _ in range(40)]
    source, out = tmp_path / "clips.npz", tmp_path / "strings.npz"
    np.savez(
        source,
        audio=np.concatenate(clips),
        offsets=np.arange(41) * 1600,
        digit=np.tile(np.arange(10), 4),
        speaker=np.repeat(np.arange(4), 10),
        speakers=np.array(["ada", "ben", "eve", "tom"]),
        sample_rate=np.array(8000),
    )
    import_module("speech_data").compose(source, out, test="eve", validation="ben", strings=20, held_out=5)
    with np.load(out) as made:
        splits = made["splits"]
        parts = {part: set(made["speakers"][splits == part].tolist()) for part in ("train", "validation", "test")}
        assert parts == {"train": {"ada", "tom"}, "validation": {"ben"}, "test": {"eve"}}
        assert np.bincount(np.unique(splits, return_inverse=True)[1]).tolist() == [5, 20, 5]
        lengths = np.diff(made["offsets"])
        for text, length in zip(made["texts"].tolist(), lengths.tolist(), strict=True):
            words = text.split()
            assert 3 <= len(words) <= 6
            assert len(words) * 1600 <= length <= 4 * 8000
