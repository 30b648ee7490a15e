"""Speech recognition: what is read, repaired and refused."""

from __future__ import annotations

import json
import os
import re
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from speech_files import RATE, arrays, manifest, texts, tone, write_rows, write_wav

from netwright.errors import DataError, SpecError
from netwright.tasks import load_task
from netwright.tasks.speech_recognition import SpeechRecognition
from netwright.tasks.speech_recognition.audio import Sound, length_of, read_sound
from netwright.tasks.speech_recognition.ctc import COUNT, FRAMES, UNITS
from netwright.tasks.speech_recognition.features import ZERO_CODE
from netwright.tasks.speech_recognition.recordings import Recording
from netwright.tasks.speech_recognition.splitting import split_recordings
from netwright.tasks.speech_recognition.units import UNKNOWN, Units
from netwright.types import Architecture


def test_a_manifest_of_wav_files_becomes_frames_and_rows_of_units(tmp_path: Path) -> None:
    """Splits are those of the column; what is padded is the mean; rows say frames, units and the text."""
    task = SpeechRecognition.load(manifest(tmp_path))
    x, rows = task.train()
    assert (x.shape[:2], x.dtype, len(task.validation()[1])) == ((20, 24), np.uint8, 5)
    assert task.test_reads == 0
    assert len(task.test()[1]) == 5
    said = [task.units.decode(row[UNITS : UNITS + row[COUNT]]) for row in rows.tolist()]
    assert texts(30)[:20] == said
    frames = rows[0, FRAMES]
    assert frames == 1 + (round(0.12 * RATE) * len(said[0]) - 200) // 80
    assert (x[0, :, frames:] == ZERO_CODE).all()
    assert not (x[0, :, :frames] == ZERO_CODE).all()
    assert task.input_shape[1] % task.stride == 0
    assert set(task.units.texts) == {"", "a", "b", "c", "▁"}


def test_bands_fit_to_the_rate(tmp_path: Path) -> None:
    """Half of the range has fewer of them, about as wide; a number that is given is taken."""
    path = manifest(tmp_path)
    bands = [SpeechRecognition.load(path, rate=rate).input_shape[0] for rate in (8000, 11025, 16000)]
    assert bands == [24, 40, 40]
    assert SpeechRecognition.load(path, mels=40).input_shape[0] == 40


def test_json_lines_say_the_same_as_csv(tmp_path: Path) -> None:
    """The two forms of a manifest give the same examples."""
    path = manifest(tmp_path)
    lines = path.read_text().splitlines()[1:]
    rows = [dict(zip(("audio", "text", "split"), line.split(",")[:3], strict=True)) for line in lines]
    (tmp_path / "all.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n\n", encoding="utf-8-sig")
    one, other = SpeechRecognition.load(path), SpeechRecognition.load(tmp_path / "all.jsonl")
    assert one.fingerprint() == other.fingerprint()


def test_other_rates_and_channels_are_repaired_and_counted(tmp_path: Path) -> None:
    """A recording at another rate and in stereo gives nearly the same frames, and a note."""
    task = SpeechRecognition.load(manifest(tmp_path))
    text = texts(30)[0]
    quiet = np.random.default_rng(0)
    write_wav(tmp_path / "0.wav", tone(text, quiet, 22050), 22050, channels=2)
    again = SpeechRecognition.load(tmp_path / "all.csv")
    notes = " ".join(again.notes)
    assert re.search(r"resampled to 8000 a second \(29 at 8000, 1 at 22050\)", notes)
    assert "1 recordings of the train part have several channels" in notes
    frames = int(again.train()[1][0, FRAMES])
    before, after = (t.train()[0][0, :, : frames - 1].astype(float) for t in (task, again))
    assert np.corrcoef(before[4:36].ravel(), after[4:36].ravel())[0, 1] > 0.9


def test_flac_and_floating_point_wav_are_read_by_soundfile(tmp_path: Path) -> None:
    """The same sound gives the same bytes, but for the last bit."""
    soundfile = pytest.importorskip("soundfile")
    task = SpeechRecognition.load(manifest(tmp_path))
    sound = tone(texts(30)[0], np.random.default_rng(1))
    soundfile.write(tmp_path / "0.flac", sound, RATE)
    soundfile.write(tmp_path / "1.wav", sound / 32768, RATE, subtype="FLOAT")
    text = (tmp_path / "all.csv").read_text().replace("0.wav,", "0.flac,", 1)
    (tmp_path / "all.csv").write_text(text)
    again = SpeechRecognition.load(tmp_path / "all.csv")
    assert (again.train()[0][0] == task.train()[0][0]).all()
    floating = read_sound(tmp_path / "1.wav", "here")
    assert (floating.rate, floating.channels) == (RATE, 1)
    assert np.abs(floating.samples - sound / 32768).max() < 1e-6


def _tabbed(folder: Path, said: list[str]) -> Path:
    """A manifest as Common Voice has it: tabs, the files in ``clips``, no quotes around sentences."""
    manifest(folder)
    (folder / "clips").mkdir()
    lines = ["client_id\tpath\tsentence\tup_votes"]
    for number, text in enumerate(said):
        (folder / f"{number}.wav").rename(folder / "clips" / f"{number}.wav")
        lines.append(f"id{number % 5}\t{number}.wav\t{text}\t2")
    (folder / "validated.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "validated.tsv"


def test_a_table_of_common_voice_is_read(tmp_path: Path) -> None:
    """Quotes are signs of a sentence where they do not pair, which is told; ``client_id`` is the speaker."""
    said = texts(30)
    said[3] = f'"{said[3]}," a'
    said[7] = f'"{said[7]}'
    task = SpeechRecognition.load(_tabbed(tmp_path, said))
    assert any("quotes are read as signs of the text" in note for note in task.notes)
    assert any("by speaker" in note for note in task.notes)
    parts = (task.train(), task.validation(), task.test())
    found = [task.units.decode(row[UNITS : UNITS + row[COUNT]]) for _, rows in parts for row in rows.tolist()]
    assert sorted(found) == sorted(said)


def test_a_tabbed_table_may_be_named_in_capitals(tmp_path: Path) -> None:
    """Tabs are what parts its cells."""
    path = _tabbed(tmp_path, texts(30))
    path.rename(tmp_path / "VALIDATED.TSV")
    assert len(SpeechRecognition.load(tmp_path / "VALIDATED.TSV").train()[1]) > 10


def test_a_row_of_a_tabbed_table_is_named_by_its_line(tmp_path: Path) -> None:
    """As that of a .csv file."""
    path = _tabbed(tmp_path, texts(30))
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:4], "id1\t3.wav", *lines[5:]]))
    with pytest.raises(DataError, match=r"validated\.tsv:5: has another number of values than the 4 columns"):
        SpeechRecognition.load(path)


@pytest.mark.parametrize("says", ["unknown format: 3", "unknown extended format"])
def test_what_newer_versions_say_of_floating_point_wav(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str
) -> None:
    """Such files, in the extensible form too, are read by soundfile."""
    soundfile = pytest.importorskip("soundfile")
    sound = np.linspace(-0.5, 0.5, 400, dtype=np.float32)
    soundfile.write(tmp_path / "x.wav", sound, RATE, subtype="FLOAT", format="WAVEX")

    def refuses(*_: object) -> None:
        raise wave.Error(says)

    monkeypatch.setattr(wave, "open", refuses)
    assert np.abs(read_sound(tmp_path / "x.wav", "here").samples - sound).max() < 1e-6


def test_wav_files_of_other_kinds_are_read_by_soundfile(tmp_path: Path) -> None:
    """NIST's SPHERE files, as TIMIT has them, are called .wav, too."""
    soundfile = pytest.importorskip("soundfile")
    sound = tone("ab", np.random.default_rng(0))
    soundfile.write(tmp_path / "x.wav", sound, RATE, format="NIST", subtype="PCM_16")
    assert length_of(tmp_path / "x.wav", "here") == (len(sound), RATE)
    assert np.abs(read_sound(tmp_path / "x.wav", "here").samples - sound / 32768).max() < 1e-6


@pytest.mark.parametrize("promised", [0xFFFFFFFF, 0x7FFFFFFF])
def test_a_wav_file_that_was_written_to_a_pipe_has_its_true_length(tmp_path: Path, promised: int) -> None:
    """Its header promises gigabytes."""
    pytest.importorskip("soundfile")
    sound = tone("ab", np.random.default_rng(0))
    write_wav(tmp_path / "x.wav", sound)
    content = bytearray((tmp_path / "x.wav").read_bytes())
    content[4:8] = content[40:44] = promised.to_bytes(4, "little")
    (tmp_path / "x.wav").write_bytes(content)
    assert length_of(tmp_path / "x.wav", "here") == (len(sound), RATE)
    assert len(read_sound(tmp_path / "x.wav", "here").samples) == len(sound)


@pytest.mark.parametrize(
    ("names", "delimiter"),
    [
        (("audio_filepath", "text", "subset", "spk_id"), ","),
        (("file_name", "transcription", "split", "speaker"), ";"),
        (("wav_filename", "transcript", "split", "client_id"), "\t"),
        (("path", "sentence", "split", "speaker_id"), "|"),
    ],
)
def test_a_manifest_may_have_the_columns_of_other_tools(tmp_path: Path, names: tuple[str, ...], delimiter: str) -> None:
    """And other signs between them, and paths as Windows writes them."""
    path = manifest(tmp_path)
    wanted = SpeechRecognition.load(path).fingerprint()
    (tmp_path / "wavs").mkdir()
    for file in tmp_path.glob("*.wav"):
        file.rename(tmp_path / "wavs" / file.name)
    lines = path.read_text(encoding="utf-8").splitlines()
    text = "\n".join([",".join(names), *("wavs\\" + line for line in lines[1:])]).replace(",", delimiter)
    path.write_text(text, encoding="utf-8-sig")
    found = SpeechRecognition.load(path)
    assert found.fingerprint() == wanted
    assert any("3 speakers" in note for note in found.notes)


def test_a_transcript_may_be_a_whole_number(tmp_path: Path) -> None:
    """In JSON, where digits are read aloud; true is none."""
    manifest(tmp_path)
    rows = [{"audio": f"{n}.wav", "text": 10 + n % 3} for n in range(30)]
    (tmp_path / "all.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert SpeechRecognition.load(tmp_path / "all.jsonl").units.texts == ("", "0", "1", "2", "▁")
    (tmp_path / "all.jsonl").write_text(json.dumps({"audio": "0.wav", "text": True}), encoding="utf-8")
    with pytest.raises(DataError, match="has no 'text'"):
        SpeechRecognition.load(tmp_path / "all.jsonl")
    for line, says in (("[1]", "a JSON object on each line"), ("{", "no JSON object on one line")):
        (tmp_path / "all.jsonl").write_text(f"\n{line}\n", encoding="utf-8")
        with pytest.raises(DataError, match=rf"all\.jsonl, line 2: {says}"):
            SpeechRecognition.load(tmp_path / "all.jsonl")


def _divided(folder: Path) -> dict[str, Path]:
    """A folder with a manifest for each part, as Common Voice has it, and one of all recordings."""
    path = manifest(folder)
    lines = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    path.unlink()
    files = {}
    for part in ("train", "dev", "test", "validated"):
        rows = [line[:2] for line in lines if line[2] == part or part == "validated"]
        files[part] = folder / f"{part}.tsv"
        files[part].write_text("path\tsentence\n" + "".join(f"{a}\t{b}\n" for a, b in rows), encoding="utf-8")
    return files


def test_a_folder_with_a_manifest_a_part_is_read(tmp_path: Path) -> None:
    """Each goes to the part that its name says; a manifest of another name is left alone."""
    wanted = SpeechRecognition.load(manifest(tmp_path / "one"))
    _divided(tmp_path / "two")
    found = SpeechRecognition.load(tmp_path / "two")
    assert found.fingerprint() == wanted.fingerprint()
    assert len(found.test()[1]) == 5
    assert found.data_name == "two"


def test_folders_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    """Two files of one part, a recording in two, no training part."""
    files = _divided(tmp_path / "data")
    (tmp_path / "data" / "train_manifest.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match=r"train\.tsv and train_manifest\.json are both the train part"):
        SpeechRecognition.load(tmp_path / "data")
    (tmp_path / "data" / "train_manifest.json").unlink()
    text = files["test"].read_text(encoding="utf-8")
    files["test"].write_text(text + "0.wav\tab\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"train\.tsv:2: names the audio file 0\.wav .*which is in test, not train"):
        SpeechRecognition.load(tmp_path / "data")
    files["train"].unlink()
    with pytest.raises(DataError, match=r"is a folder without a training part; give a manifest"):
        SpeechRecognition.load(tmp_path / "data")


def test_data_that_is_not_there_is_answered_with_all_that_is_read(tmp_path: Path) -> None:
    """Every kind of manifest, arrays, and a folder."""
    with pytest.raises(DataError, match=r"nowhere: no such file or folder; .* \.tsv or \.jsonl .* \.npz .* a folder"):
        SpeechRecognition.load(tmp_path / "nowhere")


def test_a_part_with_the_split_of_another_is_refused(tmp_path: Path) -> None:
    """Which of the two is meant nobody knows."""
    files = _divided(tmp_path / "data")
    files["test"].write_text("path\tsentence\tsplit\n25.wav\tab\ttrain\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"test\.tsv:2: has the split train in the file of the test part"):
        SpeechRecognition.load(tmp_path / "data")


def _spoken(counts: dict[str, int]) -> list[Recording]:
    """Recordings of some speakers; nothing of them is read."""
    return [
        Recording(f"{who} {n}", "a", 8000, RATE, lambda: Sound(np.zeros(1, np.float32), RATE), speaker=who)
        for who, count in counts.items()
        for n in range(count)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_parts_have_their_shares_of_recordings_whoever_speaks(seed: int) -> None:
    """One that speaks nearly always is trained on; many speakers are drawn until a part is large enough."""
    parts, _ = split_recordings(_spoken({"much": 900, **{f"s{n}": 10 + n for n in range(9)}}), seed)
    assert {r.speaker for r in parts["train"]} == {"much"}
    assert len({r.speaker for r in parts["test"]}) == 8  # all but two, which are left for the other parts
    even = _spoken({f"s{n}": 5 + n % 7 for n in range(40)})
    parts, _ = split_recordings(even, seed)
    assert len(parts["test"]) / len(even) == pytest.approx(0.2, abs=0.02)
    assert len(parts["validation"]) / len(even) == pytest.approx(0.12, abs=0.02)
    assert parts["test"] == split_recordings(even, seed + 1)[0]["test"]


@pytest.mark.parametrize("counts", [(10, 10, 10), (200, 5, 5), (5, 60, 40)])
def test_of_three_speakers_each_part_has_one(counts: tuple[int, int, int]) -> None:
    """The one with most recordings is trained on, where one has most."""
    parts, notes = split_recordings(_spoken(dict(zip("abc", counts, strict=True))), 0)
    speakers = {name: {r.speaker for r in part} for name, part in parts.items()}
    assert sorted(len(found) for found in speakers.values()) == [1, 1, 1]
    assert len(set().union(*speakers.values())) == 3
    if max(counts) > min(counts):
        assert speakers["train"] == {"abc"[counts.index(max(counts))]}
    assert sum("by speaker" in note for note in notes) == 2


def test_two_speakers_are_in_all_parts() -> None:
    """There is none to spare; that is told."""
    parts, notes = split_recordings(_spoken({"a": 30, "b": 30}), 0)
    assert all(len({r.speaker for r in part}) == 2 for part in parts.values())
    assert "2 speakers are in the training and in the test part" in notes


def test_speakers_are_kept_apart_where_nothing_is_split(tmp_path: Path) -> None:
    """Without a column of splits, no speaker is in two parts."""
    path = manifest(tmp_path)
    lines = [line.split(",")[:2] for line in path.read_text().splitlines()[1:]]
    rows = [{"audio": audio, "text": text, "speaker": f"s{number % 5}"} for number, (audio, text) in enumerate(lines)]
    task = SpeechRecognition.load(write_rows(tmp_path / "plain.csv", rows))
    assert sorted([len(task.train()[1]), len(task.validation()[1]), len(task.test()[1])]) == [6, 6, 18]
    assert any("by speaker" in note for note in task.notes)


def test_frames_given_as_arrays(tmp_path: Path) -> None:
    """Feature files have bands of their own, and the lengths of their recordings."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(40, 80, 30)
    frames = rng.normal(size=(int(lengths.sum()), 13)).astype("float32")
    np.savez(tmp_path / "f.npz", frames=frames, offsets=np.r_[0, np.cumsum(lengths)], texts=np.array(texts(30)))
    task = SpeechRecognition.load(tmp_path / "f.npz")
    assert task.input_shape[0] == 13
    assert task.export_info().constants["RATE"] == 0
    total = sum(int(part[1][:, FRAMES].sum()) for part in (task.train(), task.validation(), task.test()))
    assert total == lengths.sum()


def test_frames_of_one_band_are_refused(tmp_path: Path) -> None:
    """What lies between bands is made of two."""
    frames = np.ones((600, 1), np.float32)
    np.savez(tmp_path / "f.npz", frames=frames, offsets=np.arange(0, 601, 20), texts=np.array(texts(30)))
    with pytest.raises(DataError, match=r"frames must be numbers \(rows, bands\), bands >= 2, got float32 \(600, 1\)"):
        SpeechRecognition.load(tmp_path / "f.npz")


@pytest.mark.parametrize(("units", "count"), [("characters", 4), ("words", 9), ("subwords", 11)])
def test_units_are_learned_and_give_the_text_back(tmp_path: Path, units: str, count: int) -> None:
    """Characters, words and subwords: all write what was said."""
    task = load_task("speech-recognition", arrays(tmp_path / "a.npz"), units=units, vocabulary=11)
    assert len(task.units) - 1 == count  # type: ignore[attr-defined]
    assert task.units.decode(task.units.encode("ab ca")) == "ab ca"  # type: ignore[attr-defined]


def test_units_are_words_where_these_are_few_and_each_is_said_often(tmp_path: Path) -> None:
    """Else characters; what is chosen is told, and can be said by a person."""
    many = load_task("speech-recognition", arrays(tmp_path / "a.npz", 300))
    assert many.units.kind == "words"  # type: ignore[attr-defined]
    assert any("words are the units, since the training transcripts have 9 words" in n for n in many.notes)  # type: ignore[attr-defined]
    few = load_task("speech-recognition", arrays(tmp_path / "b.npz", 60))
    assert few.units.kind == "characters"  # type: ignore[attr-defined]
    assert Units.learn("auto", ["one two"] * 20).kind == "words"
    assert Units.learn("auto", ["one two"] * 20 + ["three"] * 19).kind == "characters"
    assert Units.learn("auto", [f"w{n}" for n in range(201)] * 20).kind == "characters"
    assert Units.learn("auto", []).kind == "characters"


def test_what_only_the_test_part_has_counts_as_a_mistake(tmp_path: Path) -> None:
    """An unknown character is told before a search, cannot be written, and does not break the loss."""
    path = manifest(tmp_path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-1], lines[-1].replace(texts(30)[-1], "ab d")]))
    task = SpeechRecognition.load(path)
    assert any("test transcripts have characters" in note and "'d'" in note for note in task.notes)
    _, rows = task.test()
    outputs = torch.zeros(len(rows), *task.output_shape)
    scores = task.scores([(outputs, torch.from_numpy(rows))])
    assert np.isfinite(list(scores.values())).all()
    assert scores["wer"] == 1.0


@pytest.mark.parametrize("kind", ["characters", "words", "subwords"])
def test_what_is_not_known_is_given_back_as_it_was_said(kind: str) -> None:
    """References are the transcripts themselves, word by word; a network writes none of what is not known."""
    units = Units.learn(kind, ["the sat", "then sat"], 12)
    known = units.with_others(["the cat sat", "cat then"])
    for text in ("the cat sat", "cat then", "the sat"):
        assert known.decode(known.encode(text)) == text
    assert known.texts == units.texts
    assert len(known) == len(units)
    assert all(n < len(units) or n >= UNKNOWN for n in known.encode("the cat sat"))
    assert len(known.decode(known.encode("the zoo sat")).split()) == 3
    assert len(units.decode(units.encode("the cat sat")).split()) == 3


def test_a_space_is_written_though_no_training_text_has_one() -> None:
    """Two words are two words."""
    units = Units.learn("characters", ["one", "two"])
    assert units.texts == ("", "e", "n", "o", "t", "w", "▁")
    assert units.decode(units.encode("one two")) == "one two"


def test_words_beside_an_unknown_one_are_right(tmp_path: Path) -> None:
    """One of three words is a mistake where it alone is not known; so are its characters."""
    path = manifest(tmp_path)
    rows = [line.split(",") for line in path.read_text().splitlines()[1:]]
    for row in rows:
        row[1] = "ab ca cc" if row[2] == "test" else "ab cc"
    named = [dict(zip(("audio", "text", "split"), row[:3], strict=True)) for row in rows]
    task = SpeechRecognition.load(write_rows(path, named), units="words", stride=4)
    _, targets = task.test()
    outputs = np.full((len(targets), *task.output_shape), -9.0, np.float32)
    for frame, unit in enumerate([task.units.texts.index("▁ab"), 0, task.units.texts.index("▁cc")]):
        outputs[:, frame, unit] = 9
    outputs[:, 3:, 0] = 9
    scores = task.scores([(torch.from_numpy(outputs), torch.from_numpy(targets))])
    assert scores["wer"] == pytest.approx(1 / 3)
    assert scores["cer"] == pytest.approx(3 / 8)


def test_speakers_in_two_parts_are_told(tmp_path: Path) -> None:
    """Of validation and of test."""
    notes = SpeechRecognition.load(manifest(tmp_path)).notes
    for part in ("validation", "test"):
        assert f"3 speakers are in the training and in the {part} part" in notes


def test_transcripts_of_other_parts_that_cannot_fit_are_counted(tmp_path: Path) -> None:
    """They stay and count as mistakes."""
    path = manifest(tmp_path)
    lines = path.read_text().splitlines()
    lines[-1] = ",".join([lines[-1].split(",")[0], "abc" * 60, *lines[-1].split(",")[2:]])
    path.write_text("\n".join(lines))
    task = SpeechRecognition.load(path)
    assert any(re.search(r"1 of 5 test recordings have more characters .*they count, .*csv:31", n) for n in task.notes)
    assert len(task.test()[1]) == 5


def test_recordings_that_are_too_long_have_the_cure_of_their_own(tmp_path: Path) -> None:
    """Few are left out; of many the option is named, not their texts."""
    path = manifest(tmp_path)
    lengths = sorted(
        len(line.split(",")[1]) for line in path.read_text().splitlines()[1:] if line.split(",")[2] == "train"
    )
    assert lengths[-1] > lengths[0]
    lines = [line for line in path.read_text().splitlines() if ",train," in line or line.startswith("audio")]
    short = next(line for line in lines[1:] if len(line.split(",")[1]) == lengths[0]).split(",")
    for number, part in enumerate(("validation", "test")):
        (tmp_path / f"copy{number}.wav").write_bytes((tmp_path / short[0]).read_bytes())
        lines.append(f"copy{number}.wav,{short[1]},{part},s9")
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"of 20 training recordings last longer .*; raise longest_s") as raised:
        SpeechRecognition.load(path, longest_s=0.12 * lengths[0] + 0.05)
    assert "texts" not in str(raised.value)


def test_more_than_the_memory_holds_is_refused_before_anything_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All recordings are padded to the longest."""
    monkeypatch.setattr(os, "sysconf", lambda name: {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 60}[name])
    monkeypatch.setattr("netwright.tasks.speech_recognition.recordings.read_sound", pytest.fail)
    taken = "take 0.0 GiB in memory, more than a quarter .* lower longest_s"
    says = rf"all.csv: 30 recordings, padded to the longest \(1.0 s\), {taken}"
    with pytest.raises(DataError, match=says):
        SpeechRecognition.load(manifest(tmp_path))


def _empty_text(folder: Path) -> None:
    _change(folder, lambda row: [row[0], "  ", *row[2:]])


def _only_a_mark(folder: Path) -> None:
    _change(folder, lambda row: [row[0], "▁", *row[2:]])


def _long_name(folder: Path) -> None:
    _change(folder, lambda row: ["x" * 300, *row[1:]])


def _named_twice(folder: Path) -> None:
    _change(folder, lambda row: ["./1.wav", *row[1:]])


def _in_two_parts(folder: Path) -> None:
    _change(folder, lambda row: ["29.wav", *row[1:]])


def _missing_file(folder: Path) -> None:
    _change(folder, lambda row: ["no.wav", *row[1:]])


def _odd_split(folder: Path) -> None:
    _change(folder, lambda row: [*row[:2], "third", row[3]])


def _no_split(folder: Path) -> None:
    _change(folder, lambda row: [*row[:2], "", row[3]])


def _short_row(folder: Path) -> None:
    _change(folder, lambda row: row[:2])


def _cut_file(folder: Path) -> None:
    content = (folder / "3.wav").read_bytes()
    (folder / "3.wav").write_bytes(content[: len(content) // 2])


def _no_sound(folder: Path) -> None:
    write_wav(folder / "3.wav", np.zeros(0, np.int16))


def _short_sound(folder: Path) -> None:
    write_wav(folder / "3.wav", np.zeros(50, np.int16))


def _no_wav(folder: Path) -> None:
    (folder / "3.wav").write_bytes(b"hello")


def _no_column(folder: Path) -> None:
    text = (folder / "all.csv").read_text()
    (folder / "all.csv").write_text(text.replace("text", "words", 1))


def _texts_too_long(folder: Path) -> None:
    text = (folder / "all.csv").read_text().splitlines()
    (folder / "all.csv").write_text("\n".join([text[0], *(t.replace(",", "," + "ab" * 99, 1) for t in text[1:])]))


def _change(folder: Path, what: Callable[[list[str]], list[str]]) -> None:
    lines = (folder / "all.csv").read_text().splitlines()
    lines[4] = ",".join(what(lines[4].split(",")))
    (folder / "all.csv").write_text("\n".join(lines))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (_empty_text, r"all\.csv:5: the transcript is empty"),
        (_only_a_mark, r"all\.csv:5: the transcript is empty"),
        (_long_name, r"all\.csv:5: cannot look for the audio file 'x+\.\.\.: File name too long"),
        (_named_twice, r"all\.csv:5: names the audio file 1\.wav that .*all\.csv:3 names already; a line is a whole"),
        (_in_two_parts, r"all\.csv:31: names .*29\.wav that .*all\.csv:5 names already, which is in train, not test"),
        (_missing_file, r"all\.csv:5: no such audio file: no\.wav"),
        (_odd_split, r"all\.csv:5: the split must be train, validation or test, got 'third'"),
        (_no_split, r"all\.csv:5: has no split, but 29 recordings have one"),
        (_short_row, r"all\.csv:5: has another number of values than the 4 columns"),
        (_cut_file, r"all\.csv:5: .*3\.wav: ends after \d+ of \d+ samples"),
        (_no_sound, r"all\.csv:5: .*3\.wav: has no sound"),
        (_short_sound, r"all\.csv:5: has 50 samples, less than one frame"),
        (_no_wav, r"all\.csv:5: .*3\.wav: no wav file, or a damaged one"),
        (_no_column, r"all\.csv:2: has no 'text'; it has 'audio', 'words'"),
        (_texts_too_long, r"20 of 20 training recordings have more characters than outputs at stride 1"),
    ],
)
def test_bad_recordings_are_named_with_file_and_line(tmp_path: Path, damage: Callable[[Path], None], says: str) -> None:
    """The error says which line of which file, and what is wrong there."""
    path = manifest(tmp_path)
    damage(tmp_path)
    with pytest.raises(DataError, match=says):
        SpeechRecognition.load(path)


def test_a_transcript_longer_than_its_audio_is_left_out_and_counted(tmp_path: Path) -> None:
    """One of many is no reason to stop."""
    path = manifest(tmp_path)
    _change(tmp_path, lambda row: [row[0], "abc" * 60, *row[2:]])
    task = SpeechRecognition.load(path, stride=2)
    assert len(task.train()[1]) == 19
    assert any(re.search(r"1 of 20 training .* left out, the first is .*all\.csv:5", note) for note in task.notes)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"units": "sounds"}, "units must be one of auto, characters, words, subwords"),
        ({"stride": 3}, "stride must be 1, 2, 4 or 8"),
        ({"beam": 0}, "beam must be a whole number"),
        ({"mels": 1}, "mels must be 4 to"),
        ({"rate": 5}, "rate must be 1000 to"),
        ({"longest_s": -1}, "longest_s must be more than 0"),
        ({"units": "subwords", "vocabulary": 2}, "vocabulary must be 8 to"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, options: dict[str, object], says: str) -> None:
    """Each names itself and what is allowed."""
    with pytest.raises(SpecError, match=says):
        load_task("speech-recognition", arrays(tmp_path / "a.npz"), **options)


@pytest.mark.parametrize("missing", ["audio", "offsets", "texts", "sample_rate"])
def test_an_npz_file_says_what_it_lacks(tmp_path: Path, missing: str) -> None:
    """The array is named."""
    with np.load(arrays(tmp_path / "a.npz")) as z:
        rest = {name: z[name] for name in z.files if name != missing}
    np.savez(tmp_path / "b.npz", **rest)
    with pytest.raises(DataError, match="frames" if missing == "audio" else missing):
        SpeechRecognition.load(tmp_path / "b.npz")


def test_offsets_that_cannot_be(tmp_path: Path) -> None:
    """They ascend and stay inside."""
    with np.load(arrays(tmp_path / "a.npz")) as z:
        rest = {**{name: z[name] for name in z.files}, "offsets": z["offsets"] + 1}
    np.savez(tmp_path / "b.npz", **rest)
    with pytest.raises(DataError, match=r"offsets must ascend from 0 to at most"):
        SpeechRecognition.load(tmp_path / "b.npz")


def test_references_that_are_too_large_are_made_smaller(tmp_path: Path) -> None:
    """Under a limit of parameters each keeps its kind of blocks."""
    from netwright.nn import profile

    task = SpeechRecognition.load(arrays(tmp_path / "a.npz"))
    space = task.default_space()

    def params(arch: Architecture) -> int:
        return profile(space.resolve(arch), input_shape=task.input_shape).params

    found = task.narrowed(lambda arch: params(arch) <= 60_000)
    assert [r.name.partition("-x")[0] for r in found] == ["cnn", "gru", "conformer"]
    assert [r.architecture["block0"] for r in found] == ["conv", "gru", "conformer"]
    assert all(params(r.architecture) <= 60_000 for r in found)


def test_a_missing_library_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without jiwer, nothing is loaded."""
    from netwright.errors import MissingDependencyError

    monkeypatch.setitem(__import__("sys").modules, "jiwer", None)
    with pytest.raises(MissingDependencyError, match=r"netwright\[speech\]"):
        SpeechRecognition.load(arrays(tmp_path / "a.npz"))
