"""Subword vocabularies: byte pairs merged in the order in which a trainer found them; learned from the training texts.

Tokens are 0 (padding), 1 (begin), 2 (end), the 256 bytes from 3 on, then one for each merge: no character is unknown.
What stands below the line marked *copied* is written into exported networks that read or write text, see
`netwright.export.runtime`; it uses the standard library alone.

References:
    Sennrich, Haddow, Birch (2016), Neural Machine Translation of Rare Words with Subword Units; over bytes as in Wang,
    Cho, Gu (2020), Neural Machine Translation with Byte-Level Subwords.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Hashable, Iterable
from functools import lru_cache
from itertools import pairwise

from netwright.errors import MissingDependencyError

FEWEST = 259
"""Tokens of a vocabulary without merges: three marks and the bytes."""

_SEPARATOR = "\x1f"


def learn_merges(texts: Iterable[str], size: int) -> tuple[tuple[int, int], ...]:
    """Learn the pairs that are merged, with the package tokenizers.

    Args:
        texts: to learn from.
        size: most tokens of the vocabulary, >= `FEWEST`; fewer where the texts have fewer pairs that occur twice.

    Returns:
        Pairs of tokens, (left, right); the first makes token `FEWEST`.

    Raises:
        MissingDependencyError: the package tokenizers is not installed.

    Example:
        >>> learn_merges(["aba aba", "ab"], 260)
        ((100, 101),)
    """
    try:
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    except ImportError:
        raise MissingDependencyError("tokenizers", "text", "learning a vocabulary of subwords") from None
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(_SEPARATOR, "removed"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size - FEWEST + 256, min_frequency=2, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator((_SEPARATOR.join(words_of(text)) for text in texts), trainer)
    return _numbered(tokenizer.to_str())


def _numbered(text: str) -> tuple[tuple[int, int], ...]:
    """The merges of a tokenizer of that package as pairs of our tokens."""
    import json

    known = {chr(code): byte + 3 for byte, code in enumerate(_printable_bytes())}
    found: list[tuple[int, int]] = []
    for left, right in json.loads(text)["model"]["merges"]:
        found.append((known[left], known[right]))
        known.setdefault(left + right, len(known) + 3)
    return tuple(found)


def _printable_bytes() -> list[int]:
    """The character that stands for each byte in that package: itself where it can be seen, else one from 256 on."""
    seen = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [byte if byte in seen else next(others) for byte in range(256)]


def written(merges: Iterable[tuple[int, int]], width: int = 100) -> tuple[str, ...]:
    """Merges as lines of text, which `Subwords` reads.

    Example:
        >>> written([(100, 101), (259, 102)], 12)
        ('100 101', '259 102')
    """
    lines = [""]
    for left, right in merges:
        pair = f"{left} {right}"
        if lines[-1] and len(lines[-1]) + len(pair) + 1 > width:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + pair
    return tuple(lines)


def meanings(vocabulary: Subwords | Characters) -> list[Hashable]:
    """What each token stands for: its text, or of marks and of what is not known a number.

    Example:
        >>> meanings(Characters("ab")), meanings(Subwords(("100 101",)))[-1]
        ([0, 'a', 'b'], b'ab')
    """
    if isinstance(vocabulary, Characters):
        return [0, *vocabulary.characters]
    return [0, 1, 2, *vocabulary.pieces[3:]]


# ---------------------------------------------------------------- copied where the network reads or writes text


class Subwords:
    """Text to tokens and back; ``merges`` are pairs of tokens, as text. Spaces are single unless they are kept."""

    def __init__(self, merges: tuple[str, ...], keep_spaces: bool = False) -> None:
        self.merges, self.keep_spaces = merges, keep_spaces
        numbers = [int(number) for number in " ".join(merges).split()]
        self.pieces: list[bytes] = [b"", b"", b"", *(bytes([byte]) for byte in range(256))]
        self.ranks: dict[tuple[int, int], int] = {}
        for left, right in zip(numbers[::2], numbers[1::2], strict=True):
            self.ranks[left, right] = len(self.pieces)
            self.pieces.append(self.pieces[left] + self.pieces[right])
        self.of_word = lru_cache(maxsize=1 << 16)(self.merged)

    def __len__(self) -> int:
        return len(self.pieces)

    def encode(self, text: str) -> list[int]:
        """Tokens of a text, without a mark at the end."""
        words = word_pattern(keep_spaces=True).findall(text) if self.keep_spaces else words_of(text)
        return [token for word in words for token in self.of_word(word)]

    def merged(self, word: str) -> tuple[int, ...]:
        """Tokens of a word: the pair that was learned first is merged first."""
        tokens = [byte + 3 for byte in word.encode("utf-8", "replace")]
        none = len(self.pieces)
        ranks = [self.ranks.get(pair, none) for pair in pairwise(tokens)]
        while ranks and (first := min(ranks)) < none:
            place = ranks.index(first)
            tokens[place : place + 2] = [first]
            del ranks[place]
            for beside in range(max(0, place - 1), min(place + 1, len(ranks))):
                ranks[beside] = self.ranks.get((tokens[beside], tokens[beside + 1]), none)
        return tuple(tokens)

    def decode(self, tokens: Iterable[int]) -> str:
        """Text of tokens, up to the mark at the end; what is no text is replaced."""
        data = bytearray()
        for token in tokens:
            if token == 2:
                break
            data += self.pieces[token]
        text = data.decode("utf-8", "replace")
        return text if self.keep_spaces else " ".join(text.split())

    def num_characters(self, token: int) -> int:
        """How many characters begin in a token."""
        return sum(byte & 0xC0 != 0x80 for byte in self.pieces[token])

    @property
    def facts(self) -> list[str]:
        """What tells it from others."""
        return list(self.merges)


class Characters:
    """Text to characters and back; token 0 stands for all that are not known."""

    def __init__(self, characters: str) -> None:
        self.characters = characters
        self.numbers = {character: number for number, character in enumerate(characters, start=1)}

    def __len__(self) -> int:
        return len(self.characters) + 1

    def encode(self, text: str) -> list[int]:
        """A token for each character."""
        return [self.numbers.get(character, 0) for character in text]

    def decode(self, tokens: Iterable[int]) -> str:
        """Text of tokens."""
        return "".join(self.characters[token - 1] if token else "\N{REPLACEMENT CHARACTER}" for token in tokens)

    def num_characters(self, token: int) -> int:
        """One."""
        return 1

    @property
    def facts(self) -> list[str]:
        """What tells it from others."""
        return [self.characters]


def words_of(text: str) -> list[str]:
    """Words and runs of other signs, each with the space before it; those of more than 64 signs in several parts."""
    return word_pattern(keep_spaces=False).findall(" ".join(text.split()))


@lru_cache(maxsize=2)
def word_pattern(keep_spaces: bool) -> re.Pattern[str]:
    """What a word is: a letter with letters, digits and the marks of letters behind it, which many scripts write."""
    marks = "".join(chr(code) for code in range(0x300, 0x1F000) if unicodedata.category(chr(code))[0] == "M")
    spaces = r"|\s" if keep_spaces else ""
    return re.compile(rf" ?\w[\w{marks}]{{0,63}}| ?[^\w\s]{{1,64}}{spaces}")
