"""The task: recordings are read, split, turned into frames and rows of units; networks are scored by word error rate.

The test part's sound is decoded by `SpeechRecognition.test` only; its transcripts and the lengths in its headers are
checked before, since all recordings are padded to the length of the longest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from netwright.errors import MissingDependencyError, SpecError, shorten, wrong
from netwright.tasks.base import Direction, Examples, ExportInfo, Reference
from netwright.tasks.learning import LearningTask, cost_in_pixels
from netwright.tasks.loaded import remembered
from netwright.tasks.narrowing import narrowed
from netwright.tasks.numbering import OUTPUTS, Numbering
from netwright.tasks.speech_recognition.augmentation import SpeechAugmentation
from netwright.tasks.speech_recognition.ctc import COUNT, FRAMES, UNITS, beam, ctc_loss, greedy
from netwright.tasks.speech_recognition.features import (
    CODES_A_UNIT,
    FLOOR,
    ZERO_CODE,
    FrontEnd,
)
from netwright.tasks.speech_recognition.loading import STRIDES, Loader, front_end
from netwright.tasks.speech_recognition.recordings import read_recordings
from netwright.tasks.speech_recognition.splitting import split_recordings
from netwright.tasks.speech_recognition.units import AUTO, Units
from netwright.types import Architecture, Objective, Value

if TYPE_CHECKING:
    from torch import Tensor, nn

    from netwright.space import SearchSpace

_log = logging.getLogger(__name__)
_LEAST_STEPS = 300
"""Of a training; with fewer, networks write nothing yet, and all are alike."""

_DECODED_AT_ONCE = 32
_BEAM_FRAMES = 0.1
"""What it costs to make a prefix longer by a unit in the beam search, in input frames of training."""


class SpeechRecognition(LearningTask):
    """Recordings with transcripts, split, checked and turned into frames. Make one with `load`.

    Inputs are log-mel frames (bands, T) of one byte a value, padded; targets are rows of units, see
    `netwright.tasks.speech_recognition.ctc`.
    """

    name = "speech-recognition"
    objective = Objective("wer", "min")
    least_steps = _LEAST_STEPS
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
        has_words: bool = True,
        augmentation: SpeechAugmentation | None = None,
        **others: object,
    ) -> None:
        super().__init__(train, validation, test, **others)  # type: ignore[arg-type]  # checked where it is called
        self.units, self.front_end, self.stride, self.beam_width = units, front, stride, beam_width
        self.has_words, self._augmentation = has_words, augmentation
        self._kept: Examples | None = None
        self.full_epochs = self._epochs()

    @classmethod
    @remembered
    def load(
        cls,
        data: str | Path,
        *,
        seed: int = 0,
        units: str = AUTO,
        vocabulary: int = 64,
        lowercase: bool = False,
        rate: int | None = None,
        mels: int | None = None,
        stride: int | None = None,
        longest_s: float = 20.0,
        beam: int = 1,
        augment: bool = True,
    ) -> SpeechRecognition:
        """Load and check recordings.

        Args:
            data: a manifest (.csv, .tsv, .jsonl), a .npz file, or a folder with one a part, see
                `netwright.tasks.speech_recognition.recordings`.
            seed: of the validation split, where the data has none.
            units: ``characters``, ``words``, ``subwords`` learned from the training transcripts, or ``auto``: words
                where these have few and each often, else characters.
            vocabulary: most subwords.
            lowercase: whether transcripts are made lower case.
            rate: samples a second that all are resampled to; the lowest of the training part, at most 16000, if None.
            mels: bands; 40 if None, and 24 up to 8000 samples a second. Neither is for frames.
            stride: 10 ms frames for a frame of the output: 1, 2, 4 or 8; by the transcripts if None.
            longest_s: training recordings that are longer are left out; others are an error.
            beam: width of the beam search in what the best network is measured by at the end, and in ``model.py``; 1
                for greedy decoding, which compares networks in any case.
            augment: whether training recordings are changed at random.

        Raises:
            DataError: the data cannot be used; names file and line.
            SpecError: an option is wrong.
            MissingDependencyError: the package jiwer, soundfile or tokenizers is needed and missing.
        """
        _require_options(stride, longest_s, beam)
        path, notes = Path(data), list[str]()
        parts, told = split_recordings(read_recordings(path, notes), seed)
        loader = Loader(path, parts, front_end(parts, rate, mels), lowercase)
        loader.notes += [*notes, *told]
        loader.choose_length(longest_s)
        found = loader.learn_units(units, vocabulary)
        loader.choose_stride(stride)
        return cls(
            loader.examples("train"),
            loader.examples("validation"),
            lambda: loader.examples("test"),
            num_test=len(parts["test"]),
            units=found,
            front=loader.front,
            stride=loader.stride,
            beam_width=beam,
            has_words=loader.has_words,
            augmentation=SpeechAugmentation() if augment else None,
            data_name=path.absolute().name,
            seed=seed,
            notes=tuple(loader.notes),
        )

    # --- shapes

    @property
    def numbering(self) -> Numbering:
        """The text of each unit that is written."""
        return {OUTPUTS: self.units.texts}

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Logits (T / stride, units)."""
        return (self.input_shape[1] // self.stride, len(self.units))

    @property
    def work(self) -> float:
        """One frame of the input counts as eight pixels: 170 recordings of 4 s are learned in a second of a core.

        Without AVX-512 it is 110 by the hand-made ``cnn`` and 65 by the ``gru``.
        """
        return cost_in_pixels(8.0 * self.input_shape[1])

    def _epochs(self) -> float:
        """As many as make 3000 steps, 30 to 400."""
        return float(min(400, max(30, round(3000 / self._steps))))

    @property
    def _steps(self) -> int:
        """Of an epoch."""
        return max(1, len(self._train[1]) // self._batch_size)

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
            "optimizer": "muon-all",
            "learning_rate": 0.02,
            "side_learning_rate": 2e-3,
            "batch_size": self._batch_size,
            "label_smoothing": 0.0,
            "clip_norm": 5.0,
            "weight_decay": 0.1,
        }

    @property
    def _batch_size(self) -> int:
        count = len(self._train[1])
        return 32 if count >= 512 else 16 if count >= 128 else 8

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """CTC's negative log-likelihood a unit, in nats; label smoothing has no meaning for it."""
        return ctc_loss(outputs, targets, self.stride)

    def scores(self, answers: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """``wer`` and ``cer``: words and characters wrong, missing or too many, a word or character said; ``loss``.

        Outputs are decoded greedily, whatever ``beam`` is: a beam search would take longer than short trainings.
        """
        return self._scored(answers, 1)

    def final_scores(self, network: nn.Module, part: str) -> dict[str, float]:
        """``beam_wer`` and ``beam_cer`` of a part, decoded by beam search; nothing where ``beam`` is 1."""
        if self.beam_width == 1:
            return {}
        import torch

        inputs, targets = self._again(part)
        device = next(network.parameters()).device
        network.eval()

        def answers() -> Iterable[tuple[Tensor, Tensor]]:
            for start in range(0, len(targets), _DECODED_AT_ONCE):
                few = slice(start, start + _DECODED_AT_ONCE)
                outputs = network(self.to_input(torch.from_numpy(inputs[few]).to(device)))
                yield outputs, torch.from_numpy(targets[few]).to(device)

        with torch.no_grad():
            found = self._scored(answers(), self.beam_width)
        return {f"beam_{name}": found[name] for name in ("wer", "cer")}

    @property
    def final_examples(self) -> float:  # type: ignore[override]  # it depends on the width of the beam here
        """What `final_scores` costs, in training examples."""
        if self.beam_width == 1:
            return 0.0
        return self._num_test * (1 + _BEAM_FRAMES * self.beam_width * (self.beam_width + 1) / self.stride)

    def test(self) -> Examples:
        """As of `LearningTask`; kept where `final_scores` decodes the same recordings once more."""
        found = super().test()
        self._kept = found if self.beam_width > 1 else None
        return found

    def _again(self, part: str) -> Examples:
        """Examples of a part; those of the test part as they were read for its scores."""
        if part != "test":
            return self.train() if part == "train" else self.validation()
        return self._kept or self.test()

    def _scored(self, answers: Iterable[tuple[Tensor, Tensor]], width: int) -> dict[str, float]:
        said, written, loss, count = list[str](), list[str](), 0.0, 0
        for outputs, targets in answers:
            said += [self.units.decode(row[UNITS : UNITS + row[COUNT]]) for row in targets.tolist()]
            written += self.transcribe(outputs, targets[:, FRAMES], width)
            loss += float(ctc_loss(outputs, targets, self.stride)) * len(targets)
            count += len(targets)
        return {**error_rates(said, written), "loss": loss / count}

    def transcribe(self, outputs: Tensor, frames: Tensor, width: int = 1) -> list[str]:
        """Write down what outputs (B, T / stride, units) say, for recordings of so many input frames (B,).

        Args:
            outputs: logits.
            frames: of the input.
            width: of the beam search; 1 for greedy decoding.
        """
        if width == 1:
            return [self.units.decode(row) for row in greedy(outputs, frames, self.stride)]
        rows = outputs.float().log_softmax(2).cpu().numpy()
        lengths = [-(-int(n) // self.stride) for n in frames]
        return [self.units.decode(beam(row[:n], width)) for row, n in zip(rows, lengths, strict=True)]

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
                    "BETWEEN_PARTS": " " if self.has_words else "",
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
