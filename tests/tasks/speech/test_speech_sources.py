"""Speech as other tools write it: pieces of files, types of samples, packed sound, other manifests and scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from speech_files import RATE, arrays, manifest, texts, tone, write_rows, write_wav

from netwright.errors import DataError, SpecError
from netwright.export.runtimes import speech as runtime
from netwright.tasks.speech_recognition import SpeechRecognition
from netwright.tasks.speech_recognition.audio import length_of, read_sound
from netwright.tasks.speech_recognition.recordings import middle_and_scale, read_recordings


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    return path


def with_samples(path: Path, change: Any) -> Path:
    """An npz file whose samples are changed."""
    with np.load(arrays(path)) as z:
        rest = {name: z[name] for name in z.files}
    np.savez(path, **{**rest, "audio": change(rest["audio"])})
    return path


@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_samples_in_wider_types_are_the_same_sound(tmp_path: Path, kind: type) -> None:
    """What numpy makes of a list is as loud as what it was made of."""
    wanted = SpeechRecognition.load(arrays(tmp_path / "a.npz"))
    found = SpeechRecognition.load(with_samples(tmp_path / "a.npz", lambda audio: audio.astype(kind)))
    assert wanted.fingerprint() == found.fingerprint()


def test_samples_without_a_sign_have_their_middle_in_the_middle(tmp_path: Path) -> None:
    """Of 8 bits, as wav files have them; the same with all 16."""
    wanted = SpeechRecognition.load(arrays(tmp_path / "a.npz")).train()[0].astype(int)
    bytes_ = SpeechRecognition.load(with_samples(tmp_path / "a.npz", lambda a: (a // 256 + 128).astype(np.uint8)))
    assert np.abs(bytes_.train()[0] - wanted).mean() < 4
    words = SpeechRecognition.load(
        with_samples(tmp_path / "a.npz", lambda a: (a.astype(int) + 32768).astype(np.uint16))
    )
    assert np.abs(words.train()[0] - wanted).mean() < 0.1


@pytest.mark.parametrize(
    ("samples", "wanted"),
    [
        (np.array([-5, 5], np.int8), (0, 127)),
        (np.array([-5, 5], np.int16), (0, 32767)),
        (np.array([-32768, 32767], np.int64), (0, 32767)),
        (np.array([-32769, 5], np.int64), (0, 2**23 - 1)),
        (np.array([2**30], np.int32), (0, 2**31 - 1)),
        (np.array([2**40]), (0, 2.0**63)),
        (np.array([255], np.uint64), (128, 128)),
        (np.array([256], np.uint32), (32768, 32768)),
        (np.array([], np.int32), (0, 32767)),
        (np.array([0.5]), (0, 1)),
    ],
)
def test_the_narrowest_kind_of_sound_that_holds_all_samples(samples: np.ndarray, wanted: tuple[float, float]) -> None:
    """Its middle, and half its range."""
    assert wanted == middle_and_scale(samples)


@pytest.mark.parametrize(
    "given",
    [
        {"offset": 0.2, "duration": 0.1},
        {"offset": 0.2},
        {"start": "0.1", "end": "0.15"},
        {"begin": 0.0, "duration": 0.2},
    ],
)
def test_a_piece_of_a_file_is_refused(tmp_path: Path, given: dict[str, Any]) -> None:
    """It would be read whole, with the transcript of a piece."""
    manifest(tmp_path)
    write_wav(tmp_path / "long.wav", tone("abc" * 3, np.random.default_rng(0)))
    path = lines(tmp_path / "m.jsonl", [{"audio_filepath": "long.wav", "text": "ab", **given}])
    with pytest.raises(
        DataError, match=r"m\.jsonl:1: long\.wav has an offset of .* and lasts 1\.08 s; a line is a whole"
    ):
        read_recordings(path)


@pytest.mark.parametrize(
    "given",
    [
        {"offset": 0, "duration": 1.08},
        {"offset": 0},
        {"duration": 0.1},
        {"start": 12.5, "end": 13.6},
        {"begin_time": 3, "offset": ""},
        {"offset": 17.0},
        {"offset": None, "duration": "?"},
    ],
)
def test_a_whole_file_may_say_where_it_was_cut_out(tmp_path: Path, given: dict[str, Any]) -> None:
    """Its length agrees with that of the row, or it ends before it would begin."""
    write_wav(tmp_path / "0.wav", tone("abc" * 3, np.random.default_rng(0)))
    path = lines(tmp_path / "m.jsonl", [{"audio_filepath": "0.wav", "text": "ab", **given}])
    assert len(read_recordings(path)) == 1


def test_half_a_packed_file_is_damaged(tmp_path: Path) -> None:
    """Its decoder says nothing."""
    soundfile = pytest.importorskip("soundfile")
    if "MP3" not in soundfile.available_formats():
        pytest.skip("this libsndfile knows no mp3")
    sound = np.tile(tone("abc" * 4, np.random.default_rng(0)), 4) / 32768
    soundfile.write(tmp_path / "a.mp3", sound, RATE, format="MP3")
    assert len(read_sound(tmp_path / "a.mp3", "here").samples) >= len(sound)
    content = (tmp_path / "a.mp3").read_bytes()
    (tmp_path / "a.mp3").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"here: .*a\.mp3: ends after \d+ of \d+ samples; it is damaged"):
        read_sound(tmp_path / "a.mp3", "here")


def test_tags_of_a_packed_file_are_no_sound_that_is_missing(tmp_path: Path) -> None:
    """Without a frame of its encoder the length of an mp3 file is estimated, pictures of its tags included."""
    soundfile = pytest.importorskip("soundfile")
    if "MP3" not in soundfile.available_formats():
        pytest.skip("this libsndfile knows no mp3")
    sound = np.tile(tone("abc" * 4, np.random.default_rng(0)), 4) / 32768
    soundfile.write(tmp_path / "a.mp3", sound, RATE, format="MP3")
    content = (tmp_path / "a.mp3").read_bytes()
    second = content.index(content[:2], 4)
    assert b"Xing" in content[:second]
    picture = b"ID3\3\0\0" + bytes([0, 1, 0, 0]) + bytes(1 << 14)
    (tmp_path / "a.mp3").write_bytes(picture + content[second:])
    assert len(read_sound(tmp_path / "a.mp3", "here").samples) >= len(sound)
    (tmp_path / "a.mp3").write_bytes(picture + content[: len(content) // 2])
    with pytest.raises(DataError, match="it is damaged"):
        read_sound(tmp_path / "a.mp3", "here")


def test_a_packed_file_that_does_not_tell_its_length_says_so(tmp_path: Path) -> None:
    """It would be taken for one of three million years."""
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(tmp_path / "a.flac", tone("abc", np.random.default_rng(0)) / 32768, RATE)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21:26] = bytes([content[21] & 0xF0, 0, 0, 0, 0])  # where the first block of a flac file counts its samples
    (tmp_path / "a.flac").write_bytes(content)
    with pytest.raises(
        DataError, match=r"here: .*a\.flac: does not tell how long it is.*write it to a file of its own"
    ):
        length_of(tmp_path / "a.flac", "here")


@pytest.mark.parametrize("audio", [{"file_path": "0.wav"}, {"audio": {"path": "0.wav", "sampling_rate": 8000}}])
def test_more_names_and_objects_are_read(tmp_path: Path, audio: dict[str, Any]) -> None:
    """As Hugging Face writes them."""
    manifest(tmp_path)
    assert len(read_recordings(lines(tmp_path / "m.jsonl", [{**audio, "text": "ab"}]))) == 1


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"audio": {"bytes": "abc"}, "text": "a"}, r"has no 'audio': 'audio' is \{'bytes': 'abc'\}; give it as a text"),
        ({"audio": "0.wav", "text": None}, r"has no 'text': 'text' is None; give it as a text"),
        (
            {"audio": "0.wav", "phrase": "a"},
            r"has no 'text'; it has 'audio', 'phrase'; name it one of text, transcript,",
        ),
        ({"sound": "0.wav", "text": "a"}, r"has no 'audio'; it has 'sound', 'text'; name it one of audio, path, file,"),
    ],
)
def test_a_column_that_is_missing_says_how_it_may_be_called(tmp_path: Path, row: dict[str, Any], says: str) -> None:
    """Or what stands in it."""
    manifest(tmp_path)
    with pytest.raises(DataError, match=rf"m\.jsonl:1: {says}"):
        read_recordings(lines(tmp_path / "m.jsonl", [row]))


def frames(path: Path, bands: int = 40) -> Path:
    """An npz file of frames."""
    data = np.random.default_rng(0).normal(size=(1800, bands)).astype("float32")
    np.savez(path, frames=data, offsets=np.arange(0, 1801, 60), texts=np.array(texts(30)))
    return path


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rate": 8000}, "rate must be left out where frames are given, got 8000"),
        ({"mels": 13}, "mels must be left out where frames are given, which have 20 bands, got 13"),
    ],
)
def test_options_of_sound_are_refused_where_frames_are_given(
    tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    """They could change nothing."""
    path = frames(tmp_path / "f.npz", bands=20)
    with pytest.raises(SpecError, match=says):
        SpeechRecognition.load(path, **options)
    assert SpeechRecognition.load(path, mels=20).input_shape[0] == 20


@pytest.mark.parametrize(("train", "test"), [(arrays, frames), (frames, arrays)])
def test_sound_and_frames_are_not_mixed(tmp_path: Path, train: Any, test: Any) -> None:
    """Nobody can say what frames of another program are."""
    train(tmp_path / "train.npz")
    test(tmp_path / "test.npz")
    with pytest.raises(DataError, match=r"test\.npz: recording 0: is .*train\.npz: recording \d+ is .*; give one kind"):
        SpeechRecognition.load(tmp_path)


def written(folder: Path, said: list[str]) -> SpeechRecognition:
    """The task of recordings with these transcripts."""
    rng, rows = np.random.default_rng(0), []
    for number, text in enumerate(said):
        write_wav(folder / f"{number}.wav", tone("abc" * 3, rng))
        rows.append({"audio": f"{number}.wav", "text": text})
    return SpeechRecognition.load(write_rows(folder / "all.csv", rows))


@pytest.mark.parametrize(
    ("said", "has_words"),
    [
        ("请把客厅的灯打开", False),
        ("请 把 客厅 的 灯 打开", True),
        ("กรุณาเปิดไฟ", False),
        ("กรุณา เปิด ไฟใน", True),
        ("turn it on", True),
    ],
)
def test_languages_without_spaces_are_told_to_compare_letters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, has_words: bool
) -> None:
    """A transcript would be one word; between the parts of a long recording model.py writes no space then."""
    task = written(tmp_path, [said] * 10)
    assert has_words == (not any("--objective cer" in note for note in task.notes))
    monkeypatch.setattr(runtime, "BETWEEN_PARTS", task.export_info().constants["BETWEEN_PARTS"])
    monkeypatch.setattr(runtime, "INPUT_SHAPE", (2, 8))
    monkeypatch.setattr(runtime, "STRIDE", 8)
    monkeypatch.setattr(runtime, "UNITS", ("", said[0]))
    outputs = torch.tensor([[[0.0, 9.0]]])
    wrote = runtime.transcribe(lambda x: outputs, torch.zeros(2, 14, dtype=torch.uint8))  # type: ignore[arg-type]
    assert wrote == (" " if has_words else "").join([said[0]] * 3)
