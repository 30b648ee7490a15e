"""From transcripts to rows of numbers and back: characters, words, or subwords that are learned from the transcripts.

Unit 0 is CTC's blank. Within units a space is written as a low line of its own (``▁``), so that a row of units becomes
text by joining them. What a part has and the training part has not is `UNKNOWN` or a number above it in its rows: no
network can write it, so it counts as a mistake. Knows no sound and no network.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

from netwright.errors import DataError, MissingDependencyError, SpecError, shorten, wrong

Kind = Literal["characters", "words", "subwords"]
KINDS: tuple[Kind, ...] = ("characters", "words", "subwords")
AUTO = "auto"
"""Words where they are few and each is heard often, else characters."""

MOST_WORDS, OFTEN = 200, 20
"""Words that may be units of themselves, and how often each must be said in the training transcripts."""

SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
BLANK, UNKNOWN = 0, 1 << 20
_UNKNOWN_TEXT = "\N{REPLACEMENT CHARACTER}"
_MOST = 8192


def tidy(text: str, lowercase: bool = False) -> str:
    """A transcript with composed characters and single spaces.

    Example:
        >>> tidy(" Two  words ", lowercase=True)
        'two words'
    """
    plain = " ".join(unicodedata.normalize("NFC", text).replace(SPACE, " ").split())
    return plain.lower() if lowercase else plain


@dataclass(frozen=True)
class Units:
    """What a network writes.

    Args:
        kind: of the units.
        texts: of each, the blank's (empty) first.
        merges: pairs that subwords are joined of, the first learned first.
        others: what other parts have besides, see `with_others`.
    """

    kind: Kind
    texts: tuple[str, ...]
    merges: tuple[tuple[str, str], ...] = ()
    others: tuple[str, ...] = ()

    @classmethod
    def learn(cls, kind: str, transcripts: Sequence[str], size: int = 64) -> Units:
        """Find the units of the training transcripts.

        Args:
            kind: one of `KINDS`, or `AUTO`.
            transcripts: tidy.
            size: most subwords, the single characters included.

        Raises:
            SpecError: another kind, or a size that cannot be.
            DataError: there are more units than a network can tell apart from so few transcripts.
            MissingDependencyError: subwords need the package tokenizers.
        """
        if kind == AUTO:
            kind = fitting_kind(transcripts)
        if kind == "subwords":
            return _learn_subwords(transcripts, size)
        if kind not in KINDS:
            raise SpecError(wrong("units", kind, f"one of {', '.join((AUTO, *KINDS))}"))
        parts = (text.replace(" ", SPACE) if kind == "characters" else _words(text) for text in transcripts)
        always = {SPACE} if kind == "characters" else set()  # transcripts of one word each are followed by others
        found = sorted(always.union(*parts))
        if len(found) > _MOST:
            raise DataError(f"the training transcripts have {len(found)} {kind}, at most {_MOST}; use units=subwords")
        return cls(kind, ("", *found))

    def __len__(self) -> int:
        return len(self.texts)

    def with_others(self, transcripts: Iterable[str]) -> Units:
        """The same, for tidy transcripts of other parts besides: their rows give the very text back.

        Networks write none of what these have besides.
        """
        parts = {part for text in transcripts for part in self._parts(text)}
        return replace(self, others=tuple(sorted(parts.difference(self.texts))))

    @cached_property
    def _numbers(self) -> dict[str, int]:
        numbers = {part: UNKNOWN + 1 + number for number, part in enumerate(self.others)}
        return numbers | {unit: number for number, unit in enumerate(self.texts)}

    def encode(self, text: str) -> list[int]:
        """A tidy transcript as numbers; what is not known is `UNKNOWN`, or a number above it for each of the others."""
        return [self._numbers.get(part, UNKNOWN) for part in self._parts(text)]

    def decode(self, numbers: Iterable[int]) -> str:
        """Numbers as text."""
        return " ".join("".join(map(self._text, numbers)).replace(SPACE, " ").split())

    def _text(self, number: int) -> str:
        if number < len(self.texts):
            return self.texts[number]
        if UNKNOWN < number <= UNKNOWN + len(self.others):
            return self.others[number - UNKNOWN - 1]
        return SPACE + _UNKNOWN_TEXT if self.kind == "words" else _UNKNOWN_TEXT

    def _parts(self, text: str) -> list[str]:
        if self.kind == "characters":
            return list(text.replace(" ", SPACE))
        words = _words(text)
        if self.kind == "words":
            return words
        rank = {pair: number for number, pair in enumerate(self.merges)}
        return [part for word in words for part in _merge(list(word), rank)]


def fitting_kind(transcripts: Iterable[str]) -> Kind:
    """What `AUTO` stands for.

    Example:
        >>> fitting_kind(["one two"] * 20), fitting_kind(["one two"] * 20 + ["three"])
        ('words', 'characters')
    """
    counts = Counter(word for text in transcripts for word in text.split())
    often = min(counts.values(), default=0) >= OFTEN
    return "words" if often and len(counts) <= MOST_WORDS else "characters"


def _words(text: str) -> list[str]:
    return [f"{SPACE}{word}" for word in text.split()]


def _merge(parts: list[str], rank: dict[tuple[str, str], int]) -> list[str]:
    """Join the pair that was learned first until none is left, as byte-pair encoding does."""
    while len(parts) > 1:
        first = min(pairwise(parts), key=lambda pair: rank.get(pair, len(rank)))
        if first not in rank:
            break
        joined: list[str] = []
        for part in parts:
            if joined and (joined[-1], part) == first:
                joined[-1] += part
            else:
                joined.append(part)
        parts = joined
    return parts


def _learn_subwords(transcripts: Sequence[str], size: int) -> Units:
    """Byte-pair encoding: Sennrich et al. (2016), *Neural Machine Translation of Rare Words with Subword Units*."""
    if not 8 <= size <= _MOST:
        raise SpecError(wrong("vocabulary", size, f"8 to {_MOST}"))
    try:
        import tokenizers as library
    except ImportError:
        raise MissingDependencyError("tokenizers", "speech", "units=subwords") from None
    import json

    tokenizer: Any = library.Tokenizer(library.models.BPE())
    tokenizer.pre_tokenizer = library.pre_tokenizers.Metaspace()
    trainer = library.trainers.BpeTrainer(vocab_size=size, show_progress=False)
    tokenizer.train_from_iterator(list(transcripts), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    pieces = sorted(model["vocab"], key=model["vocab"].__getitem__)
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in model["merges"]]
    return Units("subwords", ("", *pieces), tuple((a, b) for a, b in merges))


def unknown_in(units: Units, texts: Iterable[str]) -> str:
    """What is not known of some transcripts, for people: at most five; empty for nothing."""
    pattern = re.compile(r".", re.DOTALL) if units.kind != "words" else re.compile(r"\S+")
    known = set("".join(units.texts)) | {" "} if units.kind != "words" else {t[1:] for t in units.texts}
    found = sorted({m for text in texts for m in pattern.findall(text)} - known)
    return ", ".join(shorten(one, 30) for one in found[:5]) + (", ..." if len(found) > 5 else "")
