"""Text classification: texts with one class each, as rows of subwords. Knows no search spaces."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from netwright.errors import DataError, SpecError, unknown, wrong
from netwright.space import SearchSpace
from netwright.tasks.base import Examples, ExportInfo, Reference
from netwright.tasks.learning import ClassifyingTask
from netwright.tasks.subwords import FEWEST, Subwords, learn_merges, written
from netwright.tasks.text_files import read_text
from netwright.types import Architecture, Value

Labelled = tuple[str, str]
"""A text and its class."""

PARTS: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test",),
}
_END = 2
_LONGEST = 0.99
_HELD_OUT = 0.15
_FEWEST = 20


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
            data: a .csv or .tsv file (perhaps .gz) with a line of names, or a folder with train, validation and test
                files of that kind.
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
        files = _files(Path(str(data)))
        parts = {part: read_labelled(file, str(text), str(label), notes) for part, file in files.items()}
        return cls.from_texts(
            _split(parts, seed, notes),
            vocabulary=vocabulary,
            most_tokens=most_tokens,
            data_name=Path(data).name,
            seed=seed,
            notes=notes,
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
    ) -> TextClassification:
        """Make the task of texts with classes by part: ``train``, ``validation``, ``test``; options as of `load`.

        Raises:
            DataError: the training texts have one class only, or another part has a class that they have not.
        """
        counts = Counter(label for _, label in parts["train"])
        if len(counts) < 2:
            raise DataError(f"{data_name}: the training texts have one class only ({next(iter(counts), 'none')!r})")
        for part in ("validation", "test"):
            for number, (_, label) in enumerate(parts[part], start=1):
                if label not in counts:
                    raise DataError(f"{part} text {number}: {unknown('class', label, sorted(counts))}")
        merges = written(learn_merges((text for text, _ in parts["train"]), vocabulary))
        subwords = Subwords(merges)
        lengths = [len(subwords.encode(text)) + 1 for text, _ in parts["train"]]
        length = max(4, min(most_tokens, int(np.quantile(lengths, _LONGEST))))
        cut = sum(n > length for n in lengths)
        told = [
            *notes,
            *([f"of {cut} training texts of more than {length} tokens the beginning is read"] if cut else []),
        ]
        return cls(parts, merges, length, tuple(sorted(counts)), data_name=data_name, seed=seed, notes=tuple(told))

    @property
    def work(self) -> float:
        """What a text costs, in pixels of an image."""
        return 4.0 * self.length

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


def _files(path: Path) -> dict[str, Path]:
    if path.is_file():
        return {"train": path}
    if not path.is_dir():
        raise DataError(f"data: {path} does not exist; give a .csv or .tsv file, or a folder with train.csv")
    found: dict[str, Path] = {}
    for part, names in PARTS.items():
        endings = [f"{name}.{kind}{packed}" for name in names for kind in ("csv", "tsv") for packed in ("", ".gz")]
        there = [path / name for name in endings if (path / name).is_file()]
        if there:
            found[part] = there[0]
    if "train" not in found:
        raise DataError(f"{path} has no train.csv or train.tsv")
    return found


def read_labelled(path: Path, text: str, label: str, notes: list[str]) -> list[Labelled]:
    """Read a table of texts and classes.

    Args:
        path: of a .csv or .tsv file with a line of names.
        text: name of the column with the text; empty to find it.
        label: name of the column with the class; empty to find it.
        notes: gets what was left out, with counts.

    Raises:
        DataError: a column is not there, a line has other columns, a class is missing; names the line.
    """
    tabs = path.name.removesuffix(".gz").endswith(".tsv")
    reader = csv.reader(io.StringIO(read_text(path), newline=""), delimiter="\t" if tabs else ",")
    found: list[Labelled] = []
    empty = 0
    try:
        names = next(reader, [])
        ours, theirs = _columns(path, [name.strip() for name in names], text, label)
        for row in reader:
            if not row:
                continue
            if len(row) != len(names):
                raise DataError(f"{path}, line {reader.line_num}: {len(row)} columns, the first line has {len(names)}")
            if not row[theirs].strip():
                raise DataError(f"{path}, line {reader.line_num}: no class in column {names[theirs]!r}")
            if not row[ours].strip():
                empty += 1
                continue
            found.append((" ".join(row[ours].split()), row[theirs].strip()))
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}") from None
    notes += [f"{path.name}: {empty} lines without a text are left out"] if empty else []
    if not found:
        raise DataError(f"{path} has no texts")
    return found


def _columns(path: Path, names: list[str], text: str, label: str) -> tuple[int, int]:
    for what, name in (("text", text), ("label", label)):
        if name and name not in names:
            raise DataError(f"{path}: {unknown(f'column of option {what}', name, names)}")
    text = text or ("text" if "text" in names else "")
    label = label or ("label" if "label" in names else "")
    if len(names) == 2 and bool(text) != bool(label):
        other = next(name for name in names if name != (text or label))
        text, label = text or other, label or other
    if not text or not label or text == label:
        cure = "--task-option text=NAME --task-option label=NAME"
        raise DataError(f"{path}: the first line names the columns {', '.join(names) or 'none'}; say which: {cure}")
    return names.index(text), names.index(label)


def _split(parts: Mapping[str, list[Labelled]], seed: int, notes: list[str]) -> dict[str, list[Labelled]]:
    """The parts there are, and those split off the training texts, each class in its share."""
    found = {part: texts for part, texts in parts.items() if part != "train"}
    train = parts["train"]
    for part, number in (("test", 0), ("validation", seed)):
        if part in parts:
            continue
        if len(train) < _FEWEST:
            raise DataError(f"{len(train)} texts are too few to split the {part} part off; give at least {2 * _FEWEST}")
        order = np.random.default_rng([number, 73]).permutation(len(train)).tolist()
        chosen: set[int] = set()
        for label in sorted({label for _, label in train}):
            members = [i for i in order if train[i][1] == label]
            chosen |= set(members[: round(_HELD_OUT * len(members))])
        found[part] = [train[i] for i in sorted(chosen)]
        train = [one for i, one in enumerate(train) if i not in chosen]
        notes.append(f"{part}: {len(found[part])} texts are split off the training texts")
    return {**found, "train": train}
