"""Subword vocabularies: what is learned, and that no text is lost in them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.tasks.subwords import FEWEST, Subwords, learn_merges, word_pattern, words_of, written

pytest.importorskip("tokenizers")

TEXTS = ["the cat sat on the mat", "the dog sat on the log", "Die Kötze saß auf dem Klötz", "the end."] * 3


@pytest.fixture(scope="module")
def subwords() -> Subwords:
    return Subwords(written(learn_merges(TEXTS, 280)))


def test_a_vocabulary_has_marks_bytes_and_merges(subwords: Subwords) -> None:
    """As many tokens as were asked for, each merge of two earlier ones; words that are frequent are one token."""
    assert len(subwords) == 280
    assert len(subwords.ranks) == 280 - FEWEST
    assert all(max(pair) < token for pair, token in subwords.ranks.items())
    assert len(subwords.encode("the")) == len(subwords.encode(" the sat"[1:])) - 1 == 1


def test_fewer_pairs_than_asked_for_are_all_there_are() -> None:
    """A short text gives a small vocabulary."""
    assert learn_merges(["ab ab"], 1000) == ((100, 101),)


@given(st.text())
def test_nothing_is_lost_but_spaces(subwords: Subwords, text: str) -> None:
    """Any text comes back, unknown characters too; runs of spaces are one."""
    text = text.encode("utf-8", "replace").decode()
    assert subwords.decode([*subwords.encode(text), 2, 100]) == " ".join(text.split())


@given(st.text())
def test_words_are_the_text(text: str) -> None:
    """Put together they are the text with single spaces, and none is empty."""
    assert "".join(words_of(text)) == " ".join(text.split())
    assert all(word.strip() for word in words_of(text))


def test_a_very_long_word_is_merged_in_parts(subwords: Subwords, monkeypatch: pytest.MonkeyPatch) -> None:
    """None has more than 64 signs, so that a line without spaces takes no time; what is shorter is merged whole."""
    seen: list[str] = []
    for spaces in (False, True):
        code = Subwords(subwords.merges, keep_spaces=spaces)
        merged = code.merged
        monkeypatch.setattr(code, "of_word", lambda word, merged=merged: seen.append(word) or merged(word))
        for text in ("the " + "cat" * 1000 + " sat", "=" * 500, "\u00f6" * 130):
            assert code.decode(code.encode(text)) == text
    assert max(len(word) for word in seen) == 65  # with a space before it
    assert words_of("a" * 64) == ["a" * 64]
    assert words_of(f"b {'a' * 65}") == ["b", " " + "a" * 64, "a"]


def test_merging_is_what_the_trainer_does(subwords: Subwords) -> None:
    """The package that learned the merges gives the same pieces for its own texts."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    from netwright.tasks.subwords import _printable_bytes

    letters = [chr(code) for code in _printable_bytes()]
    shown = ["".join(letters[byte] for byte in piece) for piece in subwords.pieces]
    merges = [(shown[left], shown[right]) for left, right in subwords.ranks]
    vocabulary = {piece: token for token, piece in enumerate(shown) if piece}
    other = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    other.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    for text in TEXTS:
        theirs = [token for word in words_of(text) for token in other.encode(word).ids]
        assert subwords.encode(text) == theirs


def naively_merged(subwords: Subwords, word: str) -> tuple[int, ...]:
    """One merge at a time, each looked for in all pairs."""
    tokens = [byte + 3 for byte in word.encode()]
    while known := [pair for pair in pairwise(tokens) if pair in subwords.ranks]:
        first = min(known, key=subwords.ranks.__getitem__)
        place = list(pairwise(tokens)).index(first)
        tokens[place : place + 2] = [subwords.ranks[first]]
    return tuple(tokens)


@given(st.text("thecasodgö ", max_size=40))
def test_merges_are_made_in_their_order(subwords: Subwords, word: str) -> None:
    """The pair learned first is merged first, the leftmost of several, whatever became of those beside it."""
    assert subwords.merged(word) == naively_merged(subwords, word)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "\u0939\u093f\u0928\u094d\u0926\u0940 \u092e\u0947\u0902",
            ["\u0939\u093f\u0928\u094d\u0926\u0940", " \u092e\u0947\u0902"],
        ),
        ("\u0e17\u0e35\u0e48\u0e19\u0e35\u0e48", ["\u0e17\u0e35\u0e48\u0e19\u0e35\u0e48"]),
        ("cafe\u0301s, o\u0308l", ["cafe\u0301s", ",", " o\u0308l"]),
        ("\u2764\ufe0fa \u0301b", ["\u2764\ufe0f", "a", " \u0301", "b"]),
    ],
)
def test_marks_belong_to_their_letters(text: str, words: list[str]) -> None:
    """Words of Hindi, Thai and decomposed letters are whole; a mark behind another sign is one more sign."""
    assert words_of(text) == words
    assert word_pattern(keep_spaces=True).findall(f"{text}\n") == [*words, "\n"]
