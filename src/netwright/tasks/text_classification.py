"""Text classification: texts with one class each, as rows of subwords. Knows no search spaces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from netwright.errors import DataError, SpecError, unknown, wrong
from netwright.space import SearchSpace
from netwright.tasks.base import Examples, ExportInfo, Reference, Task
from netwright.tasks.learning import ClassifyingTask, any_moved
from netwright.tasks.loaded import remembered
from netwright.tasks.numbering import INPUTS, OUTPUTS, Numbering, classes
from netwright.tasks.subwords import FEWEST, Subwords, learn_merges, meanings, written
from netwright.tasks.text_tables import MOST_CLASSES, Labelled, read_parts, split_parts
from netwright.types import Architecture, Value

_END = 2
_LONGEST = 0.99


class TextClassification(ClassifyingTask):
    """Texts with classes. Made by `load` or `from_texts`.

    Args:
        parts: texts and classes by part: ``train``, ``validation``, ``test``.
        merges: of the subwords, as text.
        length: tokens that a row has room for.
        class_names: of the classes.
        others: as of `LearningTask`.
    """

    name = "text-classification"
    input_dtype = "int64"
    least_steps = 100

    def __init__(
        self,
        parts: Mapping[str, Sequence[Labelled]],
        merges: tuple[str, ...],
        length: int,
        class_names: tuple[str, ...],
        **others: object,
    ) -> None:
        self.parts, self.merges, self.length = parts, merges, length
        self.subwords = Subwords(merges)
        numbers = {name: number for number, name in enumerate(class_names)}
        train, validation, test = (self._rows(parts[part], numbers) for part in ("train", "validation", "test"))
        super().__init__(train, validation, test, class_names, **others)

    @classmethod
    @remembered
    def load(
        cls,
        data: str | Path,
        *,
        seed: int = 0,
        text: str = "",
        label: str = "",
        vocabulary: int = 4000,
        most_tokens: int = 256,
    ) -> TextClassification:
        """Read texts with classes; parts that are not there are split off.

        Args:
            data: a .csv or .tsv file with a line of names, or a .jsonl file of objects (each perhaps .gz), or a folder
                with train, validation and test files of that kind.
            seed: of the split.
            text: name of the column with the text; ``text``, or the first of two, if not given.
            label: name of the column with the class; ``label``, or the other of two, if not given.
            vocabulary: most subwords, from 259 to 30,000.
            most_tokens: of a text; of a longer one the beginning is read.

        Raises:
            DataError: the data cannot be used.
            SpecError: an option is wrong.
        """
        for name, value, low, high in (
            ("vocabulary", vocabulary, FEWEST, 30_000),
            ("most_tokens", most_tokens, 4, 1024),
        ):
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise SpecError(wrong(f"task option {name}", value, f"a whole number in [{low}, {high}]"))
        notes: list[str] = []
        parts = read_parts(Path(str(data)), str(text), str(label), notes)
        return cls.from_texts(
            split_parts(parts, seed, notes),
            vocabulary=vocabulary,
            most_tokens=most_tokens,
            data_name=Path(data).name,
            seed=seed,
            notes=notes,
            places={part: texts.place for part, texts in parts.items()},
        )

    @classmethod
    def from_texts(
        cls,
        parts: Mapping[str, Sequence[Labelled]],
        *,
        vocabulary: int = 4000,
        most_tokens: int = 256,
        data_name: str = "texts",
        seed: int = 0,
        notes: Sequence[str] = (),
        places: Mapping[str, Callable[[int], str]] | None = None,
    ) -> TextClassification:
        """Make the task of texts with classes by part: ``train``, ``validation``, ``test``; options as of `load`.

        Args:
            parts: texts and classes.
            vocabulary: most subwords.
            most_tokens: of a text.
            data_name: for people.
            seed: of the split, for the fingerprint.
            notes: what a person should know of the data.
            places: where the text of a row stands, by part, for messages; by its number if it is not given.

        Raises:
            DataError: the training texts have one class only, or more than `MOST_CLASSES`, or another part has a class
                that they have not.
        """
        names = tuple(sorted({label for _, label in parts["train"]}))
        if len(names) < 2:
            raise DataError(f"{data_name}: the training texts have one class only ({(names or ('none',))[0]!r})")
        if len(names) > MOST_CLASSES:
            raise DataError(f"{data_name}: the training texts have {len(names)} classes; at most {MOST_CLASSES}")
        _require_known(parts, names, places or {})
        merges = written(learn_merges((text for text, _ in parts["train"]), vocabulary))
        subwords = Subwords(merges)
        lengths = [len(subwords.encode(text)) + 1 for text, _ in parts["train"]]
        length = max(4, min(most_tokens, int(np.quantile(lengths, _LONGEST))))
        cut = sum(n > length for n in lengths)
        told = [
            *notes,
            *([f"of {cut} training texts of more than {length} tokens the beginning is read"] if cut else []),
        ]
        return cls(parts, merges, length, names, data_name=data_name, seed=seed, notes=tuple(told))

    @property
    def work(self) -> float:
        """What a text costs, in pixels of an image."""
        return 4.0 * self.length

    @property
    def numbering(self) -> Numbering:
        """The text of each subword, and the name of each class."""
        return {INPUTS: meanings(self.subwords), OUTPUTS: classes(self.class_names)}

    def tests_what_was_learned(self, there: Task) -> bool:
        """Whether a text is held out here that another reading of the same data trains on; its tokens are no matter."""
        if not isinstance(there, TextClassification):
            return super().tests_what_was_learned(there)
        return any_moved(there.texts("train"), self.texts("train"), self.texts("validation") | self.texts("test"))

    def texts(self, part: str) -> set[str]:
        """The texts of a part, each once."""
        return {text for text, _ in self.parts[part]}

    def _rows(self, texts: Sequence[Labelled], numbers: Mapping[str, int]) -> Examples:
        rows = np.zeros((len(texts), self.length), dtype=np.int16)
        for row, (text, _) in enumerate(texts):
            tokens = [*self.subwords.encode(text)[: self.length - 1], _END]
            rows[row, : len(tokens)] = tokens
        return rows, np.array([numbers[label] for _, label in texts], dtype=np.int64)

    def recipe(self) -> Mapping[str, Value]:
        """Adam for all: embeddings are most of what is learned."""
        return {"optimizer": "adamw", "learning_rate": 2e-3, "side_learning_rate": 2e-3, "clip_norm": 1.0}

    def default_space(self) -> SearchSpace:
        from netwright.tasks.text_spaces import class_space

        return class_space(len(self.subwords), self.num_classes)

    def references(self) -> tuple[Reference, ...]:
        from netwright.tasks.text_spaces import class_references

        return class_references(self.default_space())

    def narrowed(self, admits: Callable[[Architecture], bool]) -> tuple[Reference, ...]:
        from netwright.tasks.text_spaces import narrowed_classes

        return narrowed_classes(self.default_space(), admits)

    def export_info(self) -> ExportInfo:
        """What an exported network must know."""
        return ExportInfo(
            task=self.name,
            input_shape=self.input_shape,
            class_names=self.class_names,
            input_dtype=self.input_dtype,
            output_shape=self.output_shape,
            runtime="text",
            constants={"LENGTH": self.length, "MERGES": self.merges},
            num_values=len(self.subwords),
        )


def _require_known(
    parts: Mapping[str, Sequence[Labelled]], names: tuple[str, ...], places: Mapping[str, Callable[[int], str]]
) -> None:
    """Refuse classes that the training texts have not."""
    known = set(names)
    for part in ("validation", "test"):
        for row, (_, label) in enumerate(parts[part]):
            if label not in known:
                place = places[part](row) if part in places else f"{part} text {row + 1}"
                raise DataError(f"{place}: {unknown('class', label, names)}")
