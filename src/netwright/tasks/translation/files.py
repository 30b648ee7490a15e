"""Reads pairs of sentences: two line-aligned text files, or tab-separated ones, for each part; also compressed (.gz).

What cannot be read is refused with file and line; what can be mended is, and counted. Knows no vocabularies.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from netwright.errors import DataError, SpecError, unknown, wrong
from netwright.tasks.text_files import PARTS, read_text

Pair = tuple[str, str]
MOST_CHARACTERS = 2000
"""In a sentence; a longer line is no sentence, and is left out."""

_LICENCE = "CC-BY"
"""How the third column of the tables of manythings.org begins: who wrote the sentences, and what is allowed."""

_CURES: Mapping[int, str] = {
    1: "a table is separated by tabs; two files are given as SOURCE,TARGET",
    4: "keep two columns: cut -f2,4 FILE > pairs.tsv, where the first and the third are numbers",
}
"""What to do about a table with so many columns; about other ones, keep two."""

_TABLE = "put the column that is translated first, and parts into files of a folder"


@dataclass
class Corpus:
    """Pairs of one part.

    Args:
        where: the files.
        pairs: source and target.
        notes: what was mended, with counts.
    """

    where: str
    pairs: list[Pair]
    notes: list[str] = field(default_factory=list)


def read_corpora(data: str | Path, source: str, target: str, names: Mapping[str, str]) -> dict[str, Corpus]:
    """Read the parts of a parallel corpus.

    Args:
        data: a folder with files PART.LANGUAGE or PART.tsv, each perhaps with .gz behind it; one table of two columns
            with a tab between; or two text files with a comma between them, the source first.
        source: ending of the source's files, such as ``en``; found where there are two languages only if empty.
        target: the same of the target's.
        names: file names of parts, where they are given: ``train``, ``validation``, ``test``.

    Returns:
        By part; ``train`` always.

    Raises:
        DataError: nothing is there, files of a pair have other numbers of lines, a line is no text.
        SpecError: an option names files of a folder, and the data is none.
    """
    text = str(data)
    if "," in text and not Path(text).exists():
        files = [Path(part.strip()) for part in text.split(",")]
        if len(files) != 2:
            raise DataError(wrong("data", text, "two text files with a comma between them, the source first"))
        sides = {"source": (source, _ending(files[0])), "target": (target, _ending(files[1]))}
        others = {option: asked for option, (asked, ending) in sides.items() if asked != ending}
        cure = "give the files in that order, or a folder of parts"
        _require_none({**others, **names}, "where the data is SOURCE,TARGET", cure)
        return {"train": read_pairs(*files)}
    path = Path(text)
    if path.is_file():
        _require_none({"source": source, "target": target, **names}, "where the data is one table", _TABLE)
        return {"train": read_table(path)}
    if not path.is_dir():
        cure = "a folder, a .tsv file, or SOURCE,TARGET"
        raise DataError(f"data: {path} does not exist; give {cure}")
    return _read_folder(path, source, target, names)


def _require_none(options: Mapping[str, str], where: str, cure: str) -> None:
    """Refuse options that would name files, where none of them could be followed.

    Raises:
        SpecError: names the first that is given.
    """
    for option, asked in options.items():
        if asked:
            raise SpecError(wrong(f"task option {option}", asked, f"left out {where}", cure))


def _read_folder(folder: Path, source: str, target: str, names: Mapping[str, str]) -> dict[str, Corpus]:
    files = sorted(file for file in folder.iterdir() if file.is_file() and "." in file.name)
    tables = {_stem(file): file for file in files if _ending(file) == "tsv"}
    trained = (names["train"],) if names.get("train") else PARTS["train"]
    stems = sorted({_stem(file) for file in files})
    if names.get("train") and names["train"] not in stems:
        raise DataError(f"{folder}: {unknown('train', names['train'], stems)}")
    others = [file for file in files if _stem(file) in trained and _ending(file) != "tsv"]
    found: dict[str, Corpus] = {}
    if any(name in tables for name in trained) and not (others and (source or target)):
        _require_none({"source": source, "target": target}, f"where {folder} has a table to train on", _TABLE)
        for part in PARTS:
            name, more = _named(part, list(tables), names, folder)
            if name:
                found[part] = read_table(tables[name])
                found[part].notes += more
    else:
        source, target = _languages(folder, others, source, target)
        sides = {(_stem(file), _ending(file)): file for file in files}
        both = [stem for stem, ending in sides if ending == source and (stem, target) in sides]
        for part in PARTS:
            name, more = _named(part, both, names, folder)
            if name:
                found[part] = read_pairs(sides[name, source], sides[name, target])
                found[part].notes += more
    if "train" not in found:
        cure = "add them, or name them by the option train"
        raise DataError(f"{folder} has no train.{source} and train.{target}, nor train.tsv (or with .gz); {cure}")
    return found


def _named(part: str, stems: Sequence[str], names: Mapping[str, str], folder: Path) -> tuple[str, list[str]]:
    """The file name of a part, and what is to be told of it."""
    if names.get(part):
        if names[part] not in stems:
            raise DataError(f"{folder}: {unknown(part, names[part], sorted(stems))}")
        return names[part], []
    exact = [stem for stem in PARTS[part] if stem in stems]
    if exact or part != "test":
        return (exact[0] if exact else ""), []
    alike = sorted(stem for stem in stems if re.match(r"test\W|test_|test\d", stem))
    others = ", ".join(alike[1:])
    more = [f"of several test parts {alike[0]} is taken, not {others}; say which by the option test"] if others else []
    return (alike[0] if alike else ""), more


def _languages(folder: Path, files: Sequence[Path], source: str, target: str) -> tuple[str, str]:
    """Endings of the source and of the target, found by the training files where they are not given."""
    if source and target:
        if source == target:
            raise DataError(f"source and target are both {source}; name the endings of two languages")
        return source, target
    endings = sorted({_ending(file) for file in files})
    if len(endings) != 2 or (source or target) not in ("", *endings):
        got = ", ".join(endings) or "none"
        raise DataError(
            f"{folder}: training files have the endings {got}; say which are translated: "
            "--task-option source=en --task-option target=de, or name the files: --task-option train=NAME"
        )
    if target:
        return next(e for e in endings if e != target), target
    return (source, next(e for e in endings if e != source)) if source else (endings[0], endings[1])


def _stem(file: Path) -> str:
    return file.name.removesuffix(".gz").rpartition(".")[0]


def _ending(file: Path) -> str:
    return file.name.removesuffix(".gz").rpartition(".")[2]


def read_pairs(source: Path, target: Path) -> Corpus:
    """Read two line-aligned files.

    Raises:
        DataError: they have other numbers of lines, or cannot be read as UTF-8.
    """
    ours, theirs = read_lines(source), read_lines(target)
    if len(ours) != len(theirs):
        raise DataError(
            f"{source} has {len(ours)} lines, {target} has {len(theirs)}; line n of both must be one sentence"
        )
    return _mended(f"{source.name} and {target.name}", list(zip(ours, theirs, strict=True)))


def read_table(path: Path) -> Corpus:
    """Read a file of ``source<TAB>target`` lines; a third column that is the licence in each of them is left out.

    Raises:
        DataError: a line has not two columns, or it cannot be read as UTF-8.
    """
    rows = [line.split("\t") if line.strip() else ["", ""] for line in read_lines(path)]
    filled = [row for row in rows if any(row)]
    licensed = bool(filled) and all(len(row) == 3 and row[2].startswith(_LICENCE) for row in filled)
    pairs: list[Pair] = []
    for number, row in enumerate(rows, start=1):
        columns = row[:2] if licensed else row
        if len(columns) != 2:
            cure = _CURES.get(len(columns), "keep two columns: cut -f1,2 FILE > pairs.tsv")
            needs = "needs source and target with a tab between"
            raise DataError(f"{path}, line {number}: {len(columns)} columns, {needs}; {cure}")
        pairs.append((columns[0], columns[1]))
    corpus = _mended(path.name, pairs)
    if licensed:
        corpus.notes.append(f"{path.name}: the third column, the licence of each pair, is left out")
    return corpus


def read_lines(path: Path) -> list[str]:
    """Lines of a text file in UTF-8, without what ends them; a .gz file is unpacked.

    Raises:
        DataError: it is not there, damaged, or not UTF-8; names the line.
    """
    lines = read_text(path).split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _mended(where: str, pairs: list[Pair]) -> Corpus:
    """Leave out pairs that are none, and unify characters; all is counted."""
    kept: list[Pair] = []
    counts = {"without any text": 0, "with an empty side": 0, f"longer than {MOST_CHARACTERS} characters": 0}
    controls = 0
    for ours, theirs in pairs:
        clean = clean_text(ours), clean_text(theirs)
        controls += _has_controls(ours) or _has_controls(theirs)
        if not any(clean):
            counts["without any text"] += 1
        elif not all(clean):
            counts["with an empty side"] += 1
        elif max(map(len, clean)) > MOST_CHARACTERS:
            counts[f"longer than {MOST_CHARACTERS} characters"] += 1
        else:
            kept.append(clean)
    notes = [f"{where}: {count} pairs {what} are left out" for what, count in counts.items() if count]
    notes += [f"{where}: control characters in {controls} pairs are read as spaces"] if controls else []
    if len(kept) < max(1, len(pairs) // 2):
        raise DataError(
            f"{where}: of {len(pairs)} pairs {len(kept)} can be used ({'; '.join(notes) or 'none is there'})"
        )
    return Corpus(where, kept, notes)


def clean_text(text: str) -> str:
    """A sentence in composed characters, without control characters, with single spaces.

    Example:
        >>> clean_text(" a" + chr(0) + "b  c ")
        'a b c'
    """
    plain = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text) if _has_controls(text) else text
    return " ".join(unicodedata.normalize("NFC", plain).split())


def lower_text(text: str) -> str:
    """A sentence in lower case, in composed characters again.

    Example:
        >>> lower_text("Ein Haus")
        'ein haus'
    """
    return unicodedata.normalize("NFC", text.lower())


def _has_controls(text: str) -> bool:
    return not text.isprintable() and any(unicodedata.category(c) == "Cc" for c in text)
