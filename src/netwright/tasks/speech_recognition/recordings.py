"""What people have of speech: a manifest of audio files, or an npz file of samples or of frames.

* ``.csv`` or ``.tsv`` with a header line, or ``.jsonl`` with an object a line: ``audio`` (a path, relative to the
  manifest, or to ``clips`` beside it, as in Common Voice) and ``text``; ``split`` and ``speaker`` if there are. Cells
  of a ``.csv`` file are parted by commas, semicolons, tabs or bars.
* a folder with such files, or arrays, one a part: ``train``, ``validation`` (or ``valid``, ``val``, ``dev``), ``test``.
* ``.npz`` with ``offsets`` (N + 1,), ``texts`` (N,), and either ``audio`` (samples, whole numbers or in [-1, 1]) with
  ``sample_rate``, or ``frames`` (rows, bands); ``splits`` (N,) and ``speakers`` (N,) if there are.

A transcript, a path or a length that cannot be is told with its file and line before anything is decoded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.cells import is_any_number
from netwright.errors import DataError, one_line, shorten
from netwright.tasks.speech_recognition.audio import Sound, length_of, read_sound
from netwright.tasks.speech_recognition.units import tidy
from netwright.tasks.text_files import read_objects, read_records

AUDIO = (
    *("audio", "path", "file", "audio_path", "wav", "filename", "audio_filepath", "file_name", "wav_filename"),
    *("file_path", "filepath", "wav_path", "audio_file"),
)
TEXT = ("text", "transcript", "transcription", "sentence")
SPEAKER = ("speaker", "speaker_id", "client_id", "spk_id")
SPLIT = ("split", "subset")
BEGINNING = ("offset", "start", "start_time", "begin")
DURATION = ("duration", "duration_s")
END = ("end", "end_time")
"""Names of columns, in seconds, of a piece of a file."""

CLIPS = "clips"
_SLACK_S = 0.5
"""By how many seconds a file may be longer than its row says, and be no more than that."""

_HALVES = tuple(1 << (bits - 1) for bits in (8, 16, 24, 32))
"""Half the range of each kind of sound; those of 8 bits have no sign."""

_FEWEST_BANDS = 2
"""What lies between bands is made of two."""

SPLITS = {"train": "train", "training": "train", "validation": "validation", "valid": "validation", "val": "validation"}
SPLITS |= {"dev": "validation", "test": "test"}


@dataclass(frozen=True)
class Recording:
    """One recording.

    Args:
        where: file and line, for messages.
        text: its transcript.
        samples: its length in samples; frames where it is given as frames.
        rate: samples a second; 0 where it is given as frames.
        read: gives its sound, or its frames.
        split: ``train``, ``validation``, ``test``, or empty.
        speaker: empty if not known.
        audio: its file; None where it is given in an array.
    """

    where: str
    text: str
    samples: int
    rate: int
    read: Callable[[], Sound | NDArray[np.float32]]
    split: str = ""
    speaker: str = ""
    audio: Path | None = None


def read_recordings(path: Path, notes: list[str] | None = None) -> list[Recording]:
    """Read a manifest or an npz file, or a folder with one a part.

    Args:
        path: of it.
        notes: gets how quotes were read, where a person may have meant it otherwise.

    Raises:
        DataError: names the file, the line and what is wrong with it.
    """
    notes = [] if notes is None else notes
    if path.is_dir():
        found = [r for part, file in _files(path).items() for r in _of_part(part, _read(file, notes))]
    elif path.is_file():
        found = _read(path, notes)
    else:
        forms = "a .csv, .tsv or .jsonl manifest, a .npz file, or a folder with one a part (train.csv, ...)"
        raise DataError(f"{path}: no such file or folder; speech is read from {forms}")
    _require_once(found)
    return found


def _read(path: Path, notes: list[str]) -> list[Recording]:
    """The recordings of one file."""
    reader = _readers(notes).get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: a manifest ends in .csv, .tsv or .jsonl, arrays in .npz")
    found = list(reader(path))
    if not found:
        raise DataError(f"{path}: has no recordings")
    return found


def _readers(notes: list[str]) -> Mapping[str, Callable[[Path], Iterator[Recording]]]:
    """What reads a file, by the end of its name."""
    return {
        **dict.fromkeys((".csv", ".tsv"), partial(_from_table, notes=notes)),
        **dict.fromkeys((".jsonl", ".json"), _from_lines),
        ".npz": _from_npz,
    }


def _files(folder: Path) -> dict[str, Path]:
    """The file of each part, by name: ``train.tsv``, ``dev_manifest.json`` and the like; others are left alone."""
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        part = SPLITS.get(file.stem.lower().removesuffix("_manifest"))
        if part is None or file.suffix.lower() not in _readers([]) or not file.is_file():
            continue
        if part in found:
            raise DataError(f"{folder}: {found[part].name} and {file.name} are both the {part} part; leave one")
        found[part] = file
    if "train" not in found:
        cure = "give a manifest, or a folder with train.csv (.tsv, .jsonl, .npz) and files of other parts so named"
        raise DataError(f"{folder}: is a folder without a training part; {cure}")
    return found


def _of_part(part: str, recordings: Iterable[Recording]) -> Iterator[Recording]:
    """Recordings of a file that is a part."""
    for recording in recordings:
        if recording.split not in ("", part):
            raise DataError(f"{recording.where}: has the split {recording.split} in the file of the {part} part")
        yield replace(recording, split=part)


def _require_once(recordings: Iterable[Recording]) -> None:
    """Refuse a file that is named twice, whatever it is called: it could be in two parts, or mean pieces of it."""
    first: dict[Path, Recording] = {}
    for recording in recordings:
        if recording.audio is None:
            continue
        before = first.setdefault(recording.audio.resolve(), recording)
        if before is not recording:
            both = f", which is in {before.split}, not {recording.split}" if before.split != recording.split else ""
            raise DataError(
                f"{recording.where}: names the audio file {one_line(recording.audio.name)} that {before.where} names "
                f"already{both}; a line is a whole file: leave one out, or cut the file into its recordings"
            )


def _from_table(path: Path, notes: list[str]) -> Iterator[Recording]:
    """Rows of cells; between tabs quotes may be signs of a sentence."""
    names: list[str] = []
    for record in read_records(path, notes):
        where = f"{path}:{record.line}"
        if not names:
            names = record.cells
        elif len(record.cells) != len(names):
            raise DataError(f"{where}: has another number of values than the {len(names)} columns of the header")
        else:
            yield _listed(dict(zip(names, record.cells, strict=True)), path, where)


def _from_lines(path: Path) -> Iterator[Recording]:
    for number, row in read_objects(path):
        yield _listed(row, path, f"{path}:{number}")


def _listed(row: Mapping[str, Any], path: Path, where: str) -> Recording:
    named = {str(key).strip().lower(): value for key, value in row.items()}
    audio, text = (_value(named, names, where) for names in (AUDIO, TEXT))
    file = _audio_file(path.parent, audio, where)
    samples, rate = length_of(file, where)
    _require_whole(named, samples / rate, f"{where}: {one_line(file.name)}")
    return Recording(
        where,
        _said(text, where),
        samples,
        rate,
        lambda: read_sound(file, where),
        _split(_given(named, SPLIT), where),
        _given(named, SPEAKER),
        file,
    )


def _audio_file(folder: Path, name: str, where: str) -> Path:
    names = dict.fromkeys((name.strip(), name.strip().replace("\\", "/")))  # as Windows writes paths, too
    places = [place / one for one in names for place in (folder, folder / CLIPS)]
    try:
        found = [file for file in places if "\0" not in name and file.is_file()]
    except OSError as error:
        raise DataError(f"{where}: cannot look for the audio file {shorten(name)}: {error.strerror}") from error
    if not found:
        raise DataError(f"{where}: no such audio file: {one_line(name)}; it was looked for in {shorten(str(folder))}")
    return found[0]


def _require_whole(row: Mapping[str, Any], length_s: float, where: str) -> None:
    """Refuse a row that means a piece of its file, which would be read whole.

    A file that was cut out of a longer one may still say where that began: it lasts no longer than its row says.
    """
    begins_s, lasts_s, ends_s = (_seconds(row, names) for names in (BEGINNING, DURATION, END))
    if begins_s is None:
        return
    if lasts_s is None and ends_s is not None:
        lasts_s = ends_s - begins_s
    most_s = (begins_s or math.inf) if lasts_s is None else lasts_s + _SLACK_S
    if length_s > most_s:
        piece = f"an offset of {begins_s:g} s" + ("" if lasts_s is None else f" and a duration of {lasts_s:g} s")
        column = next(name for name in BEGINNING if _seconds(row, (name,)) is not None)
        raise DataError(
            f"{where} has {piece} and lasts {length_s:.2f} s; a line is a whole file: cut the file into its recordings,"
            f" or rename the column {column!r} if it means something else"
        )


def _seconds(row: Mapping[str, Any], names: tuple[str, ...]) -> float | None:
    """The first of these columns that holds a number; None where there is none."""
    for name in names:
        cell = row.get(name)
        if isinstance(cell, (str, int, float)) and not isinstance(cell, bool) and is_any_number(str(cell)):
            return float(cell) if math.isfinite(float(cell)) else None
    return None


def _value(row: Mapping[str, Any], names: tuple[str, ...], where: str) -> str:
    """The text of a column; a whole number is one, too, and so is the ``path`` in an object, as Hugging Face has it."""
    for name in names:
        value = row[name].get("path") if isinstance(row.get(name), Mapping) else row.get(name)
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            return str(value)
    lacks = f"{where}: has no {names[0]!r}"
    if odd := next((name for name in names if name in row), ""):
        raise DataError(f"{lacks}: {odd!r} is {shorten(row[odd])}; give it as a text")
    there = ", ".join(map(shorten, row)) or "nothing"
    raise DataError(f"{lacks}; it has {there}; name it one of {', '.join(names)}")


def _given(row: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """The first of these columns that is not empty."""
    return next((str(row[name]) for name in names if row.get(name) not in (None, "")), "")


def _said(text: str, where: str) -> str:
    if not tidy(text):
        raise DataError(f"{where}: the transcript is empty; leave out recordings in which nothing is said")
    return text


def _split(value: object, where: str) -> str:
    name = "" if value is None else str(value).strip().lower()
    if name and name not in SPLITS:
        raise DataError(f"{where}: the split must be train, validation or test, got {shorten(value)}")
    return SPLITS.get(name, "")


def _from_npz(path: Path) -> Iterator[Recording]:
    arrays = _arrays(path)
    key = "audio" if "audio" in arrays else "frames"
    for name in (key, "offsets", "texts"):
        if name not in arrays:
            raise DataError(f"{path}: has no {name!r}; it has {', '.join(map(repr, arrays))}")
    data, offsets, texts = arrays[key], arrays["offsets"], arrays["texts"]
    _check_arrays(path, key, data, offsets, texts)
    rate = _rate(arrays, path) if key == "audio" else 0
    middle, scale = middle_and_scale(data) if rate else (0.0, 1.0)
    splits, speakers = (arrays.get(name, np.full(len(texts), "")) for name in ("splits", "speakers"))
    if not len(splits) == len(speakers) == len(texts):
        raise DataError(f"{path}: splits and speakers must be as many as the {len(texts)} texts")
    for number, text in enumerate(texts.tolist()):
        where, part = f"{path}: recording {number}", slice(int(offsets[number]), int(offsets[number + 1]))
        if part.start == part.stop:
            raise DataError(f"{where}: has no samples")
        yield Recording(
            where,
            _said(str(text), where),
            part.stop - part.start,
            rate,
            _taker(data[part], middle, scale, rate, where),
            _split(splits[number], where),
            str(speakers[number]),
        )


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, KeyError, MemoryError, SyntaxError) as error:
        raise DataError(f"{path}: no npz file of plain arrays: {one_line(error)}") from error
    except Exception as error:  # zipfile and zlib raise their own
        if type(error).__module__ not in ("zipfile", "zlib"):
            raise
        raise DataError(f"{path}: a damaged npz file: {one_line(error)}") from error


def _check_arrays(path: Path, key: str, data: NDArray[Any], offsets: NDArray[Any], texts: NDArray[Any]) -> None:
    axes_fit = data.ndim == 1 if key == "audio" else data.ndim == 2 and data.shape[1] >= _FEWEST_BANDS
    if not axes_fit or data.dtype.kind not in "iuf":
        form = "(samples,)" if key == "audio" else f"(rows, bands), bands >= {_FEWEST_BANDS}"
        raise DataError(f"{path}: {key} must be numbers {form}, got {data.dtype} {data.shape}")
    if texts.ndim != 1 or texts.dtype.kind != "U":
        raise DataError(f"{path}: texts must be a row of strings, got {texts.dtype} {texts.shape}")
    if offsets.shape != (len(texts) + 1,) or offsets.dtype.kind not in "iu":
        raise DataError(f"{path}: offsets must be {len(texts) + 1} whole numbers, got {offsets.dtype} {offsets.shape}")
    if offsets[0] < 0 or offsets[-1] > len(data) or (np.diff(offsets.astype(np.int64)) < 0).any():
        raise DataError(f"{path}: offsets must ascend from 0 to at most {len(data)}, the length of {key}")


def _rate(arrays: Mapping[str, NDArray[Any]], path: Path) -> int:
    given = arrays.get("sample_rate")
    if given is None or given.size != 1 or given.dtype.kind not in "iuf" or not given.item() >= 1:
        raise DataError(f"{path}: 'sample_rate' must be one number, the samples a second")
    return int(given.item())


def middle_and_scale(samples: NDArray[Any]) -> tuple[float, float]:
    """What is taken from samples, and what they are then divided by, so that they are in [-1, 1].

    Whole numbers are those of the narrowest kind of sound that holds them all: what `numpy` makes of a list is wider.
    Those without a sign have their middle in the middle of their range.

    Args:
        samples: (n,) of sound.

    Example:
        >>> middle_and_scale(np.array([-30000, 30000])), middle_and_scale(np.array([3, 250], np.uint8))
        ((0.0, 32767.0), (128.0, 128.0))
    """
    if samples.dtype.kind == "f":
        return 0.0, 1.0
    info, low, high = np.iinfo(samples.dtype), int(samples.min(initial=0)), int(samples.max(initial=0))
    if info.min < 0:
        kinds = (half for half in _HALVES[1:] if -half <= low and high < half)
    else:
        kinds = (half for half in _HALVES if high < 2 * half)
    own = (info.max - info.min + 1) // 2
    half = float(min(next(kinds, own), own))
    return (0.0, half - 1) if info.min < 0 else (half, half)


def _taker(
    data: NDArray[Any], middle: float, scale: float, rate: int, where: str
) -> Callable[[], Sound | NDArray[np.float32]]:
    def take() -> Sound | NDArray[np.float32]:
        values = (data.astype(np.float32) - np.float32(middle)) / scale
        if not np.isfinite(values).all():
            raise DataError(f"{where}: has values that are not finite")
        return Sound(values, rate) if rate else values

    return take
