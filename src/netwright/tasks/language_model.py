"""Language modelling: what comes next in a text, from what came before; scored in bits a character.

Texts are cut into windows of one length. In training each token of a window is predicted from those before it in the
window; validation and test windows overlap by half, so that every token is scored once, and all but those at the very
beginning with at least half a window before them. Knows no search spaces.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError, SpecError, unknown, wrong
from netwright.space import SearchSpace
from netwright.tasks.base import Examples, ExportInfo, Reference, Task
from netwright.tasks.learning import LearningTask
from netwright.tasks.loaded import remembered
from netwright.tasks.numbering import INPUTS, OUTPUTS, Numbering
from netwright.tasks.subwords import FEWEST, Characters, Subwords, learn_merges, meanings, written
from netwright.tasks.text_files import PARTS, read_text
from netwright.types import Architecture, Objective, Value, digest

if TYPE_CHECKING:
    from torch import Tensor

UNITS = ("characters", "subwords")
_HELD_OUT = 0.05
_FEWEST_WINDOWS = 4
_FULL_TOKENS = 4e7
_BLOCK = 1 << 20
"""Characters that are looked up at once."""

Vocabulary = Characters | Subwords


class LanguageModelling(LearningTask):
    """A text as windows of tokens. Made by `load` or `from_texts`.

    Args:
        texts: by part: ``train``, ``validation``, ``test``.
        vocabulary: makes tokens of them.
        context: tokens of a window.
        others: as of `LearningTask`.
    """

    name = "language-model"
    objective = Objective("bits_per_character", "min")
    directions = MappingProxyType({"bits_per_character": "min", "perplexity": "min", "token_accuracy": "max"})
    metric_ranges = MappingProxyType(
        {
            "bits_per_character": (0.0, float("inf")),
            "perplexity": (1.0, 1e22),
            "token_accuracy": (0.0, 1.0),
            "loss": (0.0, float("inf")),
        }
    )
    input_dtype = "int64"
    least_steps = 100

    def __init__(self, texts: Mapping[str, str], vocabulary: Vocabulary, context: int, **others: object) -> None:
        self.vocabulary, self.context = vocabulary, context
        self.digests = {part: digest(text) for part, text in texts.items()}
        tokens = {part: tokens_of(vocabulary, text) for part, text in texts.items()}
        self.num_tokens = {part: len(found) for part, found in tokens.items()}
        for part, found in tokens.items():
            if len(found) < _FEWEST_WINDOWS * context:
                where = f"{others.get('data_name', 'text')}: the {part} text"
                cure = f"give at least {_FEWEST_WINDOWS * context}, or a smaller context"
                raise DataError(f"{where} has {len(found)} tokens in windows of {context}; {cure}")
        train, validation, test = (
            windows(tokens[part], context, context if part == "train" else context // 2)
            for part in ("train", "validation", "test")
        )
        super().__init__(train, validation, test, **others)  # type: ignore[arg-type]
        self.full_epochs = float(np.clip(round(_FULL_TOKENS / len(tokens["train"])), 3, 60))

    @classmethod
    @remembered
    def load(
        cls,
        data: str | Path,
        *,
        seed: int = 0,
        units: str = "characters",
        vocabulary: int = 1000,
        context: int = 128,
    ) -> LanguageModelling:
        """Read a text; what there is no file of is split off its end.

        Args:
            data: a text file in UTF-8 (or .gz), or a folder with train.txt, and perhaps validation.txt and test.txt.
            seed: not used: the parts are one after the other in the text.
            units: ``characters`` or ``subwords``.
            vocabulary: most subwords, from 259 to 30,000.
            context: tokens of a window, from 8 to 1024.

        Raises:
            DataError: the data cannot be used.
            SpecError: an option is wrong.
        """
        if units not in UNITS:
            raise SpecError(unknown("task option units", str(units), UNITS))
        for name, value, low, high in (("vocabulary", vocabulary, FEWEST, 30_000), ("context", context, 8, 1024)):
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise SpecError(wrong(f"task option {name}", value, f"a whole number in [{low}, {high}]"))
        texts = _read_parts(Path(str(data)))
        notes = [f"{part}: the last characters of the training text" for part in PARTS if part not in texts]
        return cls.from_texts(
            _split(texts), units=units, vocabulary=vocabulary, context=context, data_name=Path(data).name, notes=notes
        )

    @classmethod
    def from_texts(
        cls,
        texts: Mapping[str, str],
        *,
        units: str = "characters",
        vocabulary: int = 1000,
        context: int = 128,
        data_name: str = "text",
        notes: Iterable[str] = (),
    ) -> LanguageModelling:
        """Make the task of texts by part: ``train``, ``validation``, ``test``; options as of `load`.

        Raises:
            DataError: a text is too short, or the training text is one character again and again.
        """
        told = list(notes)
        found: Vocabulary
        if units == "characters":
            counts = Counter(texts["train"])
            if len(counts) == 1:
                raise DataError(f"{data_name}: the training text has one character only, {next(iter(counts))!r}")
            found = Characters("".join(sorted(counts, key=lambda c: (-counts[c], c))[:30_000]))
            known = set(found.characters)
            for part in ("validation", "test"):
                lost = sum(c not in known for c in texts[part])
                told += [f"{part}: {lost} characters that the training text has not are one, unknown"] if lost else []
        else:
            found = Subwords(written(learn_merges(texts["train"].splitlines(), vocabulary)), keep_spaces=True)
        return cls(texts, found, context, data_name=data_name, notes=tuple(told))

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Logits of each next token."""
        return self.context, len(self.vocabulary)

    @property
    def work(self) -> float:
        """What a window costs, in pixels of an image."""
        return 40.0 * self.context

    @property
    def numbering(self) -> Numbering:
        """The text of each token, which is read and written."""
        tokens = meanings(self.vocabulary)
        return {INPUTS: tokens, OUTPUTS: tokens}

    def tests_what_was_learned(self, there: Task) -> bool:
        """Whether another reading of the same data trains on another text; units and windows are no matter."""
        if not isinstance(there, LanguageModelling):
            return super().tests_what_was_learned(there)
        return self.digests["train"] != there.digests["train"]

    @cached_property
    def _characters(self) -> NDArray[np.int64]:
        """Of each token: how many characters begin in it."""
        return np.array([self.vocabulary.num_characters(token) for token in range(len(self.vocabulary))])

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Cross entropy in nats a token."""
        from netwright.tasks.tokens import token_loss

        return token_loss(outputs, targets, label_smoothing, float(self.context))

    def scores(self, answers: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """``bits_per_character``, ``perplexity`` of a token, ``token_accuracy``, and ``loss`` in nats a token."""
        import torch

        from netwright.tasks.tokens import token_scores

        counts, lengths = torch.zeros(2, dtype=torch.int64), torch.from_numpy(self._characters)

        def counted() -> Iterable[tuple[Tensor, Tensor]]:
            for outputs, targets in answers:
                known = targets[targets >= 0].long().cpu()
                counts.add_(torch.tensor([len(known), int(lengths[known].sum())]))
                yield outputs, targets

        found = token_scores(counted())
        tokens, characters = counts.tolist()
        return {**found, "bits_per_character": found["loss"] * tokens / max(1, characters) / math.log(2)}

    def recipe(self) -> Mapping[str, Value]:
        """Measured with ``benchmarks/language_model.py``."""
        return {
            "optimizer": "muon-all",
            "learning_rate": 0.02,
            "side_learning_rate": 2e-3,
            "batch_size": 32,
            "warmup_steps": 100,
            "label_smoothing": 0.0,
            "clip_norm": 1.0,
        }

    def default_space(self) -> SearchSpace:
        from netwright.tasks.text_spaces import language_space

        return language_space(len(self.vocabulary))

    def references(self) -> tuple[Reference, ...]:
        from netwright.tasks.text_spaces import language_references

        return language_references(self.default_space())

    def narrowed(self, admits: Callable[[Architecture], bool]) -> tuple[Reference, ...]:
        from netwright.tasks.text_spaces import narrowed_language

        return narrowed_language(self.default_space(), admits)

    def export_info(self) -> ExportInfo:
        """What an exported network must know."""
        is_subwords = isinstance(self.vocabulary, Subwords)
        return ExportInfo(
            task=self.name,
            input_shape=self.input_shape,
            input_dtype=self.input_dtype,
            output_shape=self.output_shape,
            runtime="language",
            constants={
                "CONTEXT": self.context,
                "CHARACTERS": "" if isinstance(self.vocabulary, Subwords) else self.vocabulary.characters,
                "MERGES": self.vocabulary.merges if isinstance(self.vocabulary, Subwords) else (),
                "SUBWORDS": is_subwords,
            },
            num_values=len(self.vocabulary),
        )

    @cached_property
    def _fingerprint(self) -> str:
        state = hashlib.blake2b(json.dumps([self.vocabulary.facts, self.context]).encode(), digest_size=16)
        for array in (*self.train(), *self.validation()):
            state.update(np.ascontiguousarray(array).data)
        return state.hexdigest()

    def data_line(self) -> str:
        """What is learned from, in one line."""
        sizes = ", ".join(f"{part} {self.num_tokens[part]}" for part in PARTS)
        return f"{self.data_name}: {sizes} tokens of {len(self.vocabulary)}, in windows of {self.context}"


def tokens_of(vocabulary: Vocabulary, text: str) -> NDArray[np.int16]:
    """What ``vocabulary.encode(text)`` gives, (n,), without a list of an object a token.

    Example:
        >>> tokens_of(Characters("ab"), "abcb").tolist()
        [1, 2, 0, 2]
    """
    if isinstance(vocabulary, Subwords):  # no token goes over the end of a line
        lines = io.StringIO(text, newline="\n")
        return np.fromiter((token for line in lines for token in vocabulary.encode(line)), dtype=np.int16)
    numbers = np.zeros(sys.maxunicode + 1, dtype=np.int16)
    for character, number in vocabulary.numbers.items():
        numbers[ord(character)] = number
    found = np.empty(len(text), dtype=np.int16)
    for start in range(0, len(text), _BLOCK):
        codes = text[start : start + _BLOCK].encode("utf-32-le", "surrogatepass")
        found[start : start + _BLOCK] = numbers[np.frombuffer(codes, dtype="<u4")]
    return found


def windows(tokens: NDArray[np.int16], length: int, step: int) -> Examples:
    """Cut tokens into windows.

    Args:
        tokens: (n,) of a text.
        length: of a window.
        step: from one window to the next; where it is shorter, what an earlier one has scored is not scored again.

    Returns:
        Inputs (N, length), and for each the token behind it, -1 where it is not scored. Nothing is copied but the
        targets of windows that overlap.

    Example:
        >>> inputs, targets = windows(np.arange(7, dtype=np.int16), 4, 2)
        >>> inputs.tolist(), targets.tolist()
        ([[0, 1, 2, 3], [2, 3, 4, 5]], [[1, 2, 3, 4], [-1, -1, 5, 6]])
    """
    every = np.lib.stride_tricks.sliding_window_view(tokens, length, writeable=True)
    inputs, targets = every[:-1:step], every[1::step]
    if step < length:
        targets = targets.copy()
        targets[1:, : length - step] = -1
    return inputs, targets


def _read_parts(path: Path) -> dict[str, str]:
    if path.is_file():
        return {"train": read_text(path)}
    if not path.is_dir():
        raise DataError(f"data: {path} does not exist; give a text file, or a folder with train.txt")
    found: dict[str, str] = {}
    for part, names in PARTS.items():
        files = [path / f"{name}.txt{packed}" for name in names for packed in ("", ".gz")]
        there = [file for file in files if file.is_file()]
        if there:
            found[part] = read_text(there[0])
    if "train" not in found:
        raise DataError(f"{path} has no train.txt (or train.txt.gz)")
    return found


def _split(texts: Mapping[str, str]) -> dict[str, str]:
    """The parts there are, and those that are cut off the end of the training text: the test part is the last."""
    train, found = texts["train"], dict(texts)
    size = int(_HELD_OUT * len(train))
    for part in ("test", "validation"):
        if part not in texts:
            train, found[part] = train[: len(train) - size], train[len(train) - size :]
    return {**found, "train": train}
