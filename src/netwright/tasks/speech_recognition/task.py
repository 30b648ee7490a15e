"""The task: recordings are read, split, turned into frames and rows of units; networks are scored by word error rate.

The test part's sound is decoded by `SpeechRecognition.test` only; its transcripts and the lengths in its headers are
checked before, since all recordings are padded to the length of the longest.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError, MissingDependencyError, SpecError, shorten, wrong
from netwright.machine_memory import require_room
from netwright.tasks.base import Direction, Examples, ExportInfo, Reference
from netwright.tasks.learning import LearningTask, cost_in_pixels
from netwright.tasks.narrowing import narrowed
from netwright.tasks.speech_recognition.audio import Sound
from netwright.tasks.speech_recognition.augmentation import SpeechAugmentation
from netwright.tasks.speech_recognition.ctc import COUNT, FRAMES, UNITS, beam, ctc_loss, frames_needed, greedy
from netwright.tasks.speech_recognition.features import (
    CODES_A_UNIT,
    FLOOR,
    ZERO_CODE,
    FrontEnd,
    normalise,
    to_codes,
)
from netwright.tasks.speech_recognition.recordings import Recording, read_recordings
from netwright.tasks.speech_recognition.splitting import split_recordings
from netwright.tasks.speech_recognition.units import Units, tidy, unknown_in
from netwright.types import Architecture, Objective, Value

if TYPE_CHECKING:
    from torch import Tensor

    from netwright.space import SearchSpace

_log = logging.getLogger(__name__)
STRIDES = (8, 4, 2, 1)
_SLACK = 1.6
_FIT_SHARE = 0.99
_MOST_LEFT_OUT = 0.1


class SpeechRecognition(LearningTask):
    """Recordings with transcripts, split, checked and turned into frames. Make one with `load`.

    Inputs are log-mel frames (bands, T) of one byte a value, padded; targets are rows of units, see
    `netwright.tasks.speech_recognition.ctc`.
    """

    name = "speech-recognition"
    objective = Objective("wer", "min")
    directions: ClassVar[Mapping[str, Direction]] = MappingProxyType({"wer": "min", "cer": "min"})
    metric_ranges: ClassVar[Mapping[str, tuple[float, float]]] = MappingProxyType(
        {"wer": (0.0, float("inf")), "cer": (0.0, float("inf")), "loss": (0.0, float("inf"))}
    )
    tolerance_spans: ClassVar[Mapping[str, float]] = MappingProxyType({"wer": 1.0, "cer": 1.0})

    def __init__(
        self,
        train: Examples,
        validation: Examples,
        test: Examples | Callable[[], Examples],
        *,
        units: Units,
        front: FrontEnd | None,
        stride: int,
        beam_width: int = 1,
        augmentation: SpeechAugmentation | None = None,
        **others: object,
    ) -> None:
        super().__init__(train, validation, test, **others)  # type: ignore[arg-type]  # checked where it is called
        self.units, self.front_end, self.stride, self.beam_width = units, front, stride, beam_width
        self._augmentation = augmentation
        self.full_epochs = self._epochs()

    @classmethod
    def load(
        cls,
        data: str | Path,
        *,
        seed: int = 0,
        units: str = "characters",
        vocabulary: int = 64,
        lowercase: bool = False,
        rate: int | None = None,
        mels: int = 40,
        stride: int | None = None,
        longest_s: float = 20.0,
        beam: int = 1,
        augment: bool = True,
    ) -> SpeechRecognition:
        """Load and check recordings.

        Args:
            data: a manifest (.csv, .tsv, .jsonl) or a .npz file, see `netwright.tasks.speech_recognition.recordings`.
            seed: of the validation split, where the data has none.
            units: ``characters``, ``words``, or ``subwords`` learned from the training transcripts.
            vocabulary: most subwords.
            lowercase: whether transcripts are made lower case.
            rate: samples a second that all are resampled to; the lowest of the training part, at most 16000, if None.
            mels: bands.
            stride: 10 ms frames for a frame of the output: 1, 2, 4 or 8; by the transcripts if None.
            longest_s: training recordings that are longer are left out; others are an error.
            beam: width of the beam search in scores; 1 for greedy decoding.
            augment: whether training recordings are changed at random.

        Raises:
            DataError: the data cannot be used; names file and line.
            SpecError: an option is wrong.
            MissingDependencyError: the package jiwer, soundfile or tokenizers is needed and missing.
        """
        _require_options(stride, longest_s, beam)
        path = Path(data)
        parts, notes = split_recordings(read_recordings(path), seed)
        loader = _Loader(path, parts, FrontEnd(rate, mels) if rate else _front_end(parts["train"], mels), lowercase)
        loader.notes += notes
        loader.choose_length(longest_s)
        loader.learn_units(units, vocabulary)
        loader.choose_stride(stride)
        assert loader.units is not None
        return cls(
            loader.examples("train"),
            loader.examples("validation"),
            lambda: loader.examples("test"),
            num_test=len(parts["test"]),
            units=loader.units,
            front=loader.front,
            stride=loader.stride,
            beam_width=beam,
            augmentation=SpeechAugmentation() if augment else None,
            data_name=path.name,
            seed=seed,
            notes=tuple(loader.notes),
        )

    # --- shapes

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Logits (T / stride, units)."""
        return (self.input_shape[1] // self.stride, len(self.units))

    @property
    def work(self) -> float:
        """One frame of the input counts as eight pixels: 100 recordings of 4 s are learned in a second of a core."""
        return cost_in_pixels(8.0 * self.input_shape[1])

    def _epochs(self) -> float:
        """As many as make 3000 steps, 30 to 400."""
        steps = max(1, len(self._train[1]) // self._batch_size)
        return float(min(400, max(30, round(3000 / steps))))

    # --- learning

    def to_input(self, stored: Tensor) -> Tensor:
        """Bytes (B, bands, T) as the normalised log energies that they stand for; what is padded is 0."""
        import torch

        return (stored.to(torch.float32) - ZERO_CODE) / CODES_A_UNIT

    def augmentation(self, shift: float, flip: bool) -> SpeechAugmentation | None:
        """Speed, throat, and masked bands and frames; the arguments are for images."""
        return self._augmentation

    def recipe(self) -> Mapping[str, Value]:
        """Gradients are clipped, since CTC's are large at first; small sets are learned in small batches."""
        return {
            "learning_rate": 0.02,
            "batch_size": self._batch_size,
            "label_smoothing": 0.0,
            "clip_norm": 5.0,
            "weight_decay": 0.02,
        }

    @property
    def _batch_size(self) -> int:
        count = len(self._train[1])
        return 32 if count >= 512 else 16 if count >= 128 else 8

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """CTC's negative log-likelihood a unit, in nats; label smoothing has no meaning for it."""
        return ctc_loss(outputs, targets, self.stride)

    def scores(self, answers: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """``wer`` and ``cer``: words and characters wrong, missing or too many, a word or character said; ``loss``."""
        said, written, loss, count = list[str](), list[str](), 0.0, 0
        for outputs, targets in answers:
            said += [self.units.decode(row[UNITS : UNITS + row[COUNT]]) for row in targets.tolist()]
            written += self.transcribe(outputs, targets[:, FRAMES])
            loss += float(ctc_loss(outputs, targets, self.stride)) * len(targets)
            count += len(targets)
        return {**error_rates(said, written), "loss": loss / count}

    def transcribe(self, outputs: Tensor, frames: Tensor) -> list[str]:
        """Write down what outputs (B, T / stride, units) say, for recordings of so many input frames (B,)."""
        if self.beam_width == 1:
            return [self.units.decode(row) for row in greedy(outputs, frames, self.stride)]
        rows = outputs.float().log_softmax(2).cpu().numpy()
        lengths = [-(-int(n) // self.stride) for n in frames]
        return [self.units.decode(beam(row[:n], self.beam_width)) for row, n in zip(rows, lengths, strict=True)]

    # --- networks

    def default_space(self) -> SearchSpace:
        """See `netwright.tasks.speech_recognition.spaces.speech_space`."""
        from netwright.tasks.speech_recognition.spaces import speech_space

        return speech_space(self.input_shape, self.stride, len(self.units))

    def references(self) -> tuple[Reference, ...]:
        """A CNN, a GRU network and a Conformer."""
        from netwright.tasks.speech_recognition.spaces import speech_references

        return speech_references(self.default_space())

    def narrowed(self, admits: Callable[[Architecture], bool]) -> tuple[Reference, ...]:
        """Those of the references that are not admitted, made smaller until they are."""
        from netwright.tasks.speech_recognition.spaces import DEPTHS, SIZES

        return narrowed(self.default_space(), self.references(), admits, SIZES, DEPTHS)

    def data_line(self) -> str:
        """What is learned from, in one line."""
        bands, longest = self.input_shape
        counts = f"train {len(self._train[1])}, validation {len(self._validation[1])}, test {self._num_test}"
        return (
            f"{self.data_name}: {bands} bands x {longest / 100:g} s, {len(self.units) - 1} {self.units.kind}; {counts}"
        )

    def summary(self) -> str:
        """What a person checks before a search."""
        x, rows = self._train
        hours = rows[:, FRAMES].sum() / 360_000
        shown = ", ".join(shorten(self.units.decode(row[UNITS : UNITS + row[COUNT]]), 60) for row in rows[:3])
        known = ", ".join(map(repr, self.units.texts[1:40]))
        lines = [
            f"{self.name} on {self.data_line()}",
            f"frames: {x.shape[1]} bands, a byte each; {hours:.2f} h to train on; one output for {self.stride} frames",
            f"transcripts such as {shown}",
            f"{self.units.kind}: {known}{', ...' if len(self.units) > 40 else ''}",
            *(f"note: {note}" for note in self.notes),
        ]
        return "\n".join(lines)

    def export_info(self) -> ExportInfo:
        """What an exported network must know."""
        front = self.front_end
        return ExportInfo(
            task=self.name,
            input_shape=self.input_shape,
            output_shape=self.output_shape,
            runtime="speech",
            constants=MappingProxyType(
                {
                    "UNITS": self.units.texts,
                    "STRIDE": self.stride,
                    "BEAM": self.beam_width,
                    "RATE": front.rate if front else 0,
                    "WINDOW": front.window if front else 0,
                    "HOP": front.hop if front else 0,
                    "FFT": front.fft if front else 0,
                    "FLOOR": FLOOR,
                    "CODES_A_UNIT": CODES_A_UNIT,
                    "ZERO_CODE": ZERO_CODE,
                }
            ),
        )


def error_rates(said: Sequence[str], written: Sequence[str]) -> dict[str, float]:
    """Word and character error rate, by jiwer.

    Args:
        said: the transcripts, none empty.
        written: what a network wrote down.
    """
    jiwer = _jiwer()
    pair = (list(said), list(written))
    return {"wer": float(jiwer.wer(*pair)), "cer": float(jiwer.cer(*pair))}


def _jiwer() -> Any:
    try:
        import jiwer
    except ImportError:
        raise MissingDependencyError("jiwer", "speech", "speech recognition") from None
    return jiwer


def _require_options(stride: int | None, longest_s: float, beam_width: int) -> None:
    _jiwer()
    if stride is not None and stride not in STRIDES:
        raise SpecError(wrong("stride", stride, "1, 2, 4 or 8"))
    if isinstance(longest_s, bool) or not 0 < longest_s < 1000:
        raise SpecError(wrong("longest_s", longest_s, "more than 0 and less than 1000 seconds"))
    if isinstance(beam_width, bool) or not isinstance(beam_width, int) or not 1 <= beam_width <= 100:
        raise SpecError(wrong("beam", beam_width, "a whole number, 1 to 100"))


def _front_end(recordings: Sequence[Recording], mels: int) -> FrontEnd | None:
    """For the lowest rate of the training part, at most 16000; None where frames are given."""
    rates = {recording.rate for recording in recordings}
    return None if rates == {0} else FrontEnd(min(16_000, *rates, 16_000), mels)


class _Loader:
    """Turns split recordings into arrays, and says what it had to do to them."""

    def __init__(self, path: Path, parts: dict[str, list[Recording]], front: FrontEnd | None, lowercase: bool) -> None:
        self.path, self.parts, self.lowercase = path, parts, lowercase
        self.front = None if parts["train"][0].rate == 0 else front
        self.notes: list[str] = []
        self.units: Units | None = None
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

    def learn_units(self, kind: str, size: int) -> None:
        """Learn the units of the training transcripts; say which others have that are not among them."""
        texts = {part: [self._text(r) for r in recordings] for part, recordings in self.parts.items()}
        units = Units.learn(kind, texts["train"], size)
        self.units = units.with_others([*texts["validation"], *texts["test"]])
        for part in ("validation", "test"):
            if missing := unknown_in(self.units, texts[part]):
                self.notes.append(
                    f"the {part} transcripts have {kind if kind == 'words' else 'characters'} that the training ones "
                    f"have not, and that count as mistakes: {missing}"
                )

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
        cure = (
            "give a lower longest_s (and cut or leave out what is longer in validation and test), fewer mels, or fewer"
        )
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
