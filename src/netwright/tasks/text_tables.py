"""Reads tables of texts and their classes, and splits off the parts that are not there. Knows no tokens.

What cannot be read is refused with file and line; what is left out is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from netwright.errors import DataError, shorten, unknown
from netwright.tasks.text_files import PARTS, read_records

Labelled = tuple[str, str]
"""A text and its class."""

KINDS = ("csv", "tsv", "jsonl")
"""Endings of tables."""

MOST_CLASSES = 1000
_HELD_OUT = 0.15
_FEWEST = 20


@dataclass
class Texts:
    """What a file holds.

    Args:
        where: the file, for messages.
        label: name of the column with the classes.
        rows: texts and classes.
        lines: line on which each row begins.
        text: name of the column with the texts.
    """

    where: str
    label: str
    rows: list[Labelled] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    text: str = ""

    def place(self, row: int) -> str:
        """Where a text stands, for messages."""
        return f"{self.where}, line {self.lines[row]}"


def read_parts(path: Path, text: str, label: str, notes: list[str]) -> dict[str, Texts]:
    """Read the parts there are, ``train`` always.

    Args:
        path: a .csv, .tsv or .jsonl file (perhaps .gz), or a folder with train, validation and test files of that kind.
        text: name of the column with the text; empty to find it.
        label: name of the column with the class; empty to find it.
        notes: gets what was left out, with counts.

    Raises:
        DataError: nothing is there, a file cannot be used, or a column of the training part is none of classes.
    """
    files = _files(path)
    train = read_labelled(files.pop("train"), text, label, notes)
    _require_classes(train)
    return {"train": train, **{part: read_labelled(file, "", "", notes, train) for part, file in files.items()}}


def _files(path: Path) -> dict[str, Path]:
    if path.is_file():
        return {"train": path}
    if not path.is_dir():
        raise DataError(f"data: {path} does not exist; give a .csv, .tsv or .jsonl file, or a folder with train.csv")
    found: dict[str, Path] = {}
    for part, names in PARTS.items():
        endings = [f"{name}.{kind}{packed}" for name in names for kind in KINDS for packed in ("", ".gz")]
        there = [path / name for name in endings if (path / name).is_file()]
        if there:
            found[part] = there[0]
    if "train" not in found:
        raise DataError(f"{path} has no train file ({', '.join(KINDS)})")
    return found


def read_labelled(path: Path, text: str, label: str, notes: list[str], train: Texts | None = None) -> Texts:
    """Read a table of texts and classes.

    Args:
        path: of a .csv or .tsv file with a line of names, or of a .jsonl file.
        text: name of the column with the text; empty to find it.
        label: name of the column with the class; empty to find it.
        notes: gets what was left out, with counts.
        train: the training texts, whose columns those of other parts are; None to find them.

    Raises:
        DataError: a column is not there, a line has other columns, a class is missing, a quote is not closed; names the
            line where the row begins.
    """
    records = read_records(path, notes)
    names = [name.strip() for name in records[0].cells] if records else []
    ours, theirs = _columns(path, names, text, label) if train is None else _columns_as(train, path, names)
    found = Texts(str(path), names[theirs], text=names[ours])
    for line, row, _ in records[1:]:
        if len(row) != len(names):
            raise DataError(f"{path}, line {line}: {len(row)} columns, the first line has {len(names)}")
        if not row[theirs].strip():
            raise DataError(f"{path}, line {line}: no class in column {names[theirs]!r}")
        if row[ours].strip():
            found.rows.append((" ".join(row[ours].split()), " ".join(row[theirs].split())))
            found.lines.append(line)
    empty = len(records) - 1 - len(found.rows)
    notes += [f"{path.name}: {empty} lines without a text are left out"] if empty else []
    if not found.rows:
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


def _columns_as(train: Texts, path: Path, names: list[str]) -> tuple[int, int]:
    """Where the columns of the training part are in another one; a test file often has no classes."""
    for what, name in (("text", train.text), ("class", train.label)):
        if name not in names:
            cure = "add it, or take the file out of the folder: the part is then split off the training texts"
            there = f"has no column {name!r}, the {what} in {Path(train.where).name} (columns: {', '.join(names)})"
            raise DataError(f"{path}: {there}; {cure}")
    return names.index(train.text), names.index(train.label)


def _require_classes(train: Texts) -> None:
    """Refuse a column that is none of classes, before anything is split off."""
    number = len({label for _, label in train.rows})
    if number > min(MOST_CLASSES, max(2, len(train.rows) // 2)):
        cure = f"at most {MOST_CLASSES}, and two texts each; name another column (--task-option label=NAME)"
        raise DataError(
            f"{train.where}: column {shorten(train.label, 60)}, the class, has {number} different values in "
            f"{len(train.rows)} texts; {cure}"
        )


def split_parts(parts: Mapping[str, Texts], seed: int, notes: list[str]) -> dict[str, list[Labelled]]:
    """The parts there are, and those split off the training texts, each class in its share.

    Args:
        parts: those there are, ``train`` among them.
        seed: of the validation part; the test part does not depend on it.
        notes: gets how many were split off.

    Raises:
        DataError: the training texts are too few.
    """
    found = {part: texts.rows for part, texts in parts.items() if part != "train"}
    where, train = parts["train"].where, parts["train"].rows
    for part, number in (("test", 0), ("validation", seed)):
        if part in parts:
            continue
        if len(train) < _FEWEST:
            cure = f"give at least {2 * _FEWEST}"
            raise DataError(f"{where}: {len(train)} texts are too few to split the {part} part off; {cure}")
        order = np.random.default_rng([number, 73]).permutation(len(train)).tolist()
        chosen = _chosen_together(train, order)
        found[part] = [train[i] for i in sorted(chosen)]
        train = [one for i, one in enumerate(train) if i not in chosen]
        notes.append(f"{part}: {len(found[part])} texts are split off the training texts")
    notes += _repeated(parts, found, train)
    return {**found, "train": train}


def _repeated(
    parts: Mapping[str, Texts], found: Mapping[str, Sequence[Labelled]], train: Sequence[Labelled]
) -> list[str]:
    """What is told of texts that stand several times: in one part where parts were split off, or in two given ones."""
    notes = []
    if len(found) + 1 > len(parts):
        rows = parts["train"].rows
        again = len(rows) - len({text for text, _ in rows})
        notes += [f"{again} texts stand in the training texts again; those alike are kept in one part"] if again else []
    known = {text for text, _ in train}
    for part in parts:
        count = 0 if part == "train" else sum(text in known for text, _ in found[part])
        notes += [f"{count} {part} texts are training texts, too"] if count else []
    return notes


def _chosen_together(rows: Sequence[Labelled], order: Sequence[int]) -> set[int]:
    """Which texts are split off, as `_chosen`, those that are the same together; of each class some are left.

    Example:
        >>> sorted(_chosen_together([("a", "x"), *[(f"{n}", "x") for n in range(12)], ("a", "x")], range(14)))
        [0, 13]
    """
    alike: dict[str, list[int]] = {}
    for i, (text, _) in enumerate(rows):
        alike.setdefault(text, []).append(i)
    firsts = [i for i in order if alike[rows[i][0]][0] == i]  # a text has the place of one row, however often it stands
    weights = {i: len(alike[rows[i][0]]) for i in firsts}
    chosen = {i for first in _chosen([label for _, label in rows], firsts, weights) for i in alike[rows[first][0]]}
    left = {label for i, (_, label) in enumerate(rows) if i not in chosen}
    lost = {text for text, label in rows if label not in left}  # a text may have several classes
    return {i for i in chosen if rows[i][0] not in lost}


def _chosen(labels: Sequence[str], order: Sequence[int], weights: Mapping[int, int] | None = None) -> set[int]:
    """Which texts are split off: of each class its share, of those that are too small for one text a share together.

    Args:
        labels: of all texts.
        order: of the texts; the first of a class are taken, but for those that are more than is left of its share.
        weights: rows that a text stands for; one if not given.

    Example:
        >>> len(_chosen(["a"] * 20 + ["b", "b", "c", "c", "d", "d", "e", "e"], range(28)))
        4
        >>> sorted(_chosen(["a"] * 20, range(20), {0: 9} | dict.fromkeys(range(1, 20), 1)))
        [1, 2, 3, 4]
    """
    members: dict[str, list[int]] = {}
    for i in order:
        members.setdefault(labels[i], []).append(i)
    weigh = {i: 1 if weights is None else weights[i] for i in order}
    counts = {label: sum(weigh[i] for i in rows) for label, rows in members.items()}
    sizes = {label: round(_HELD_OUT * count) for label, count in counts.items()}
    small = [label for label, rows in members.items() if len(rows) > 1 and not sizes[label]]
    share = round(_HELD_OUT * sum(counts[label] for label in small))
    sizes |= dict.fromkeys(small[:share], 1)
    chosen: set[int] = set()
    for label, rows in members.items():
        left = sizes[label]
        for i in rows:
            if weigh[i] <= left:
                chosen.add(i)
                left -= weigh[i]
    return chosen
