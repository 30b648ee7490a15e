"""From recordings in their parts to arrays: which are too long, what the units and the stride are, and the examples.

Says what it had to do to them. Knows no network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError, SpecError, shorten, wrong
from netwright.machine_memory import require_room
from netwright.tasks.base import Examples
from netwright.tasks.scripts import without_spaces
from netwright.tasks.speech_recognition.audio import Sound
from netwright.tasks.speech_recognition.ctc import COUNT, FRAMES, UNITS, frames_needed
from netwright.tasks.speech_recognition.features import ZERO_CODE, FrontEnd, normalise, to_codes
from netwright.tasks.speech_recognition.recordings import Recording
from netwright.tasks.speech_recognition.units import AUTO, OFTEN, Units, tidy, unknown_in

STRIDES = (8, 4, 2, 1)
_SLACK = 1.6
_FIT_SHARE = 0.99
_MOST_LEFT_OUT = 0.1
_LONG_WORD = 5
"""Letters that words of a language without spaces have at most on average, where spaces are put between them."""

MELS, NARROW_MELS, NARROW_RATE = 40, 24, 8000
"""Bands, and those of sound of at most so many samples a second. As many bands over half of the range would tell the
harmonics of a voice apart, which differ from one person to the next."""


def front_end(parts: Mapping[str, Sequence[Recording]], rate: int | None, mels: int | None) -> FrontEnd | None:
    """What makes frames of sound; None where frames are given.

    Args:
        parts: all recordings.
        rate: samples a second; None for the lowest of the training part, at most 16000.
        mels: bands; None for as many as fit to the rate.

    Raises:
        DataError: some recordings are sound and some are frames.
        SpecError: options of sound are given with frames.
    """
    first = parts["train"][0]
    for recording in (r for part in parts.values() for r in part):
        if (recording.rate == 0) != (first.rate == 0):
            one, other = ("frames", "sound") if recording.rate == 0 else ("sound", "frames")
            raise DataError(f"{recording.where}: is {one}, {first.where} is {other}; give one kind in all parts")
    if first.rate:
        rate = rate or min(16_000, *(r.rate for r in parts["train"]), 16_000)
        fitting = NARROW_MELS if rate <= NARROW_RATE else MELS
        return FrontEnd(rate, fitting if mels is None else mels)
    found = first.read()
    bands = mels if isinstance(found, Sound) else found.shape[1]
    if rate is not None:
        raise SpecError(wrong("rate", rate, "left out where frames are given", "it is for sound"))
    if mels not in (None, bands):
        raise SpecError(wrong("mels", mels, f"left out where frames are given, which have {bands} bands", "cut those"))
    return None


class Loader:
    """Turns split recordings into arrays, and says what it had to do to them."""

    def __init__(self, path: Path, parts: dict[str, list[Recording]], front: FrontEnd | None, lowercase: bool) -> None:
        self.path, self.parts, self.front, self.lowercase = path, parts, front, lowercase
        self.notes: list[str] = []
        self.units: Units | None = None
        self.has_words = True
        self.stride, self.longest = 1, 0
        rates = Counter(r.rate for part in parts.values() for r in part)
        if self.front is not None and set(rates) != {self.front.rate}:
            found = ", ".join(f"{count} at {rate}" for rate, count in sorted(rates.items()))
            self.notes.append(f"recordings of other rates are resampled to {self.front.rate} a second ({found})")

    def choose_length(self, longest_s: float) -> None:
        """Leave out training recordings that are too long; refuse others, and those without a frame."""
        most = round(100 * longest_s)
        for part, recordings in self.parts.items():
            for recording in recordings:
                count = self._num_frames(recording)
                if count < 1:
                    raise DataError(f"{recording.where}: has {recording.samples} samples, less than one frame of 25 ms")
                if part != "train" and count > most:
                    cure = "cut it, or raise longest_s (--task-option longest_s=...)"
                    raise DataError(f"{recording.where}: lasts {count / 100:.1f} s, at most {longest_s:g} s; {cure}")
        self._keep(
            [self._num_frames(r) <= most for r in self.parts["train"]],
            f"last longer than longest_s={longest_s:g} s",
            "raise longest_s (--task-option longest_s=...), or cut them",
        )
        self.longest = max(self._num_frames(r) for part in self.parts.values() for r in part)

    def learn_units(self, kind: str, size: int) -> Units:
        """Learn the units of the training transcripts; say which others have that are not among them."""
        texts = {part: [self._text(r) for r in recordings] for part, recordings in self.parts.items()}
        units = Units.learn(kind, texts["train"], size)
        if (kind, units.kind) == (AUTO, "words"):
            said = f"the training transcripts have {len(units) - 1} words, each {OFTEN} times or more"
            self.notes.append(f"words are the units, since {said}; others are written with units=characters")
        self.units = units.with_others([*texts["validation"], *texts["test"]])
        self.has_words = has_words(texts["train"])
        if not self.has_words:
            self.notes.append(
                "the transcripts have no spaces between words, so that wer counts whole transcripts as right or wrong; "
                "compare networks by letters (--objective cer)"
            )
        for part in ("validation", "test"):
            if missing := unknown_in(self.units, texts[part]):
                self.notes.append(
                    f"the {part} transcripts have {'words' if units.kind == 'words' else 'characters'} that the "
                    f"training ones have not, and that count as mistakes: {missing}"
                )
        return self.units

    def choose_stride(self, given: int | None) -> None:
        """The largest stride with which nearly all transcripts fit with room.

        Training transcripts that do not fit are left out, others are told.
        """
        assert self.units is not None
        frames, needed = self._room("train")
        fitting = [s for s in STRIDES[1:] if np.mean(-(-frames // s) >= _SLACK * needed) >= _FIT_SHARE]
        self.stride = given or (fitting[0] if fitting else 1)
        why = f"have more {self.units.kind} than outputs at stride {self.stride}"
        lower = "; if so, give a lower stride" if self.stride > 1 else ""
        self._keep(-(-frames // self.stride) >= needed, why, f"are the texts right?{lower}")
        for part in ("validation", "test"):
            frames, needed = self._room(part)
            short = np.flatnonzero(-(-frames // self.stride) < needed)
            if len(short):
                first = self.parts[part][short[0]]
                self.notes.append(
                    f"{len(short)} of {len(frames)} {part} recordings {why}, so that no network can write them whole; "
                    f"they count, the first is {first.where} ({shorten(first.text, 60)})"
                )
        self.longest = -(-self.longest // self.stride) * self.stride
        self._check_memory()

    def _room(self, part: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Frames of the recordings of a part (N,), and how many outputs their transcripts need (N,)."""
        assert self.units is not None
        recordings = self.parts[part]
        needed = [frames_needed(self.units.encode(self._text(r))) for r in recordings]
        return np.array([self._num_frames(r) for r in recordings], np.int64), np.array(needed, np.int64)

    def _keep(self, kept: Sequence[bool] | NDArray[np.bool_], why: str, cure: str) -> None:
        """Leave out the training recordings that are not kept, with a count; refuse that for many of them."""
        train = self.parts["train"]
        left = [r for r, keep in zip(train, kept, strict=True) if not keep]
        if not left:
            return
        found = f"{len(left)} of {len(train)} training recordings {why}"
        first = f"the first is {left[0].where} ({shorten(left[0].text, 60)})"
        if len(left) > _MOST_LEFT_OUT * len(train):
            raise DataError(f"{found}, {first}; {cure}")
        self.notes.append(f"{found} and are left out, {first}")
        self.parts["train"] = [r for r, keep in zip(train, kept, strict=True) if keep]

    def _check_memory(self) -> None:
        """Refuse more than a quarter of this machine's memory."""
        count = sum(map(len, self.parts.values()))
        bands = self.front.mels if self.front else self._frames(self.parts["train"][0])[0].shape[1]
        needed = count * (bands * self.longest + 8 * (UNITS + self._most))
        padded = f"{count} recordings, padded to the longest ({self.longest / 100:.1f} s),"
        cure = "give a lower longest_s (and cut or leave out what is longer in validation and test), fewer mels, or"
        require_room(needed, f"{self.path.name}: {padded}", f"{cure} fewer recordings")

    @cached_property
    def _most(self) -> int:
        """Units of the longest transcript."""
        assert self.units is not None
        return max(len(self.units.encode(self._text(r))) for some in self.parts.values() for r in some)

    def examples(self, part: str) -> Examples:
        """Frames (N, bands, T) and rows of targets of a part."""
        recordings = self.parts[part]
        assert self.units is not None
        rows = [self.units.encode(self._text(r)) for r in recordings]
        targets = np.full((len(rows), UNITS + self._most), -1, np.int64)
        inputs: NDArray[np.uint8] | None = None
        channels = Counter[int]()
        for number, (recording, row) in enumerate(zip(recordings, rows, strict=True)):
            frames, count = self._frames(recording)
            channels[count] += 1
            if inputs is None:
                inputs = np.full((len(rows), frames.shape[1], self.longest), ZERO_CODE, np.uint8)
            elif frames.shape[1] != inputs.shape[1]:
                raise DataError(f"{recording.where}: has {frames.shape[1]} bands, those before it {inputs.shape[1]}")
            inputs[number, :, : len(frames)] = to_codes(normalise(frames)).T
            targets[number, FRAMES], targets[number, COUNT] = len(frames), len(row)
            targets[number, UNITS : UNITS + len(row)] = row
        assert inputs is not None
        if several := sum(count for number, count in channels.items() if number > 1):
            self.notes.append(f"{several} recordings of the {part} part have several channels, which are averaged")
        return inputs, targets

    def _frames(self, recording: Recording) -> tuple[NDArray[np.float32], int]:
        found = recording.read()
        if not isinstance(found, Sound):
            return found, 1
        assert self.front is not None
        try:
            frames = self.front.frames(found.samples, found.rate)
        except DataError as error:
            raise DataError(f"{recording.where}: {error}") from error
        return frames, found.channels

    def _num_frames(self, recording: Recording) -> int:
        if self.front is None:
            return recording.samples
        return self.front.num_frames(recording.samples, recording.rate)

    @cached_property
    def _texts(self) -> dict[str, str]:
        return {}

    def _text(self, recording: Recording) -> str:
        found = self._texts.get(recording.where)
        if found is None:
            found = self._texts[recording.where] = tidy(recording.text, self.lowercase)
        return found


def has_words(texts: Sequence[str]) -> bool:
    """Whether transcripts have words: false for languages without spaces, where none are put between words either.

    Example:
        >>> has_words(["请把客厅的灯打开"]), has_words(["请 把 客厅 的 灯 打开"]), has_words(["turn on the light"])
        (False, True, True)
    """
    if not without_spaces(texts):
        return True
    words = [word for text in texts for word in text.split()]
    return sum(map(len, words)) <= _LONG_WORD * len(words)
