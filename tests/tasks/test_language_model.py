"""Language modelling: windows, bits a character, refusals; from a text to a network that measures and goes on."""

from __future__ import annotations

import gzip
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import netwright as nw
from netwright import nn
from netwright.errors import DataError, SpecError
from netwright.export.runtimes import language as runtime
from netwright.tasks import load_task
from netwright.tasks.language_model import LanguageModelling, tokens_of, windows
from netwright.tasks.subwords import Characters, Subwords

LINES = ["to be or not to be, that is the question.", "all the world's a stage, and all the men and women players."]
TEXT = "\n".join(LINES * 40)


@pytest.fixture(scope="module")
def task() -> LanguageModelling:
    parts = {"train": TEXT, "validation": TEXT[: len(TEXT) // 4], "test": "a\u00e9 " + TEXT[:1000]}
    return LanguageModelling.from_texts(parts, context=16)


def test_every_token_but_the_first_is_scored_once() -> None:
    """Windows that overlap score what the one before did not; the end that fills no step is left."""
    tokens = np.arange(1, 40, dtype=np.int16)
    inputs, targets = windows(tokens, 8, 4)
    scored = targets[targets >= 0].tolist()
    assert scored == list(range(2, 2 + len(scored)))
    assert len(scored) > len(tokens) - 1 - 4
    assert all((row[1:] == wanted[:-1])[wanted[:-1] >= 0].all() for row, wanted in zip(inputs, targets, strict=True))


def test_windows_are_views_of_the_tokens() -> None:
    """Of a long text nothing is copied but the targets of windows that overlap; batches of them can be written to."""
    tokens = np.arange(100, dtype=np.int16)
    for step in (8, 4):
        inputs, targets = windows(tokens, 8, step)
        assert np.shares_memory(inputs, tokens)
        assert np.shares_memory(targets, tokens) == (step == 8)
        assert inputs[[1, 2]].flags.writeable
        index = np.arange(len(inputs))[:, None] * step + np.arange(8)
        assert len(inputs) == (100 - 1 - 8) // step + 1
        assert np.array_equal(inputs, tokens[index])
        scored = targets >= 0
        assert np.array_equal(targets[scored], tokens[index + 1][scored])
    assert np.array_equal(tokens, np.arange(100))


def test_units_are_no_split(tmp_path: Path) -> None:
    """Other units and windows of the same text hold out nothing that was learned; tokens are known by their texts."""
    (tmp_path / "all.txt").write_text(TEXT, encoding="utf-8")
    found = [load_task("language-model", tmp_path / "all.txt", context=context) for context in (8, 16)]
    assert not found[0].tests_what_was_learned(found[1])  # type: ignore[attr-defined]
    assert found[0].numbering["inputs"][:2] == [0, " "]  # type: ignore[attr-defined]
    (tmp_path / "all.txt").write_text(TEXT * 2, encoding="utf-8")
    other = load_task("language-model", tmp_path / "all.txt", context=16)
    assert found[0].tests_what_was_learned(other)  # type: ignore[attr-defined]


def test_a_uniform_guess_has_the_bits_of_the_vocabulary(task: LanguageModelling) -> None:
    """Bits a character are log2 of the characters; of subwords they count all characters of a token."""
    inputs, targets = task.validation()
    logits = torch.zeros(len(inputs), task.context, len(task.vocabulary))
    found = task.scores([(logits, torch.from_numpy(targets))])
    assert found["bits_per_character"] == pytest.approx(math.log2(len(task.vocabulary)))
    assert found["perplexity"] == pytest.approx(len(task.vocabulary))


def test_subwords_count_their_characters() -> None:
    """A token of several characters, or of a part of one, is divided among them; spaces and lines are kept."""
    pytest.importorskip("tokenizers")
    parts = dict.fromkeys(("train", "validation", "test"), TEXT + "\u00e9\n")
    task = LanguageModelling.from_texts(parts, units="subwords", vocabulary=300, context=16)
    tokens = task.vocabulary.encode(parts["train"])
    assert task.vocabulary.decode(tokens) == parts["train"]
    assert sum(map(task.vocabulary.num_characters, tokens)) == len(parts["train"])
    inputs, targets = task.validation()
    found = task.scores([(torch.zeros(len(inputs), 16, 300), torch.from_numpy(targets))])
    kept = targets[targets >= 0].tolist()
    characters = sum(map(task.vocabulary.num_characters, kept))
    assert found["bits_per_character"] == pytest.approx(math.log2(300) * len(kept) / characters)


def test_characters_that_are_not_known_are_counted(task: LanguageModelling) -> None:
    """They are one token, and a note tells how many there are."""
    assert any("test: 1 characters" in note for note in task.notes)
    assert 0 in task.test()[1]


@given(st.text(st.characters() | st.sampled_from("ab \n\r\t\x85\u2028")), st.booleans())
def test_tokens_are_those_of_the_vocabulary(text: str, subwords: bool) -> None:
    """Whatever the text is, and however it is cut for it."""
    known = Subwords(("100 101", "35 100", "259 13"), keep_spaces=True) if subwords else Characters("ab \n\U0001f600")
    found = tokens_of(known, text)
    assert found.dtype == np.int16
    assert found.tolist() == known.encode(text)


def test_a_text_longer_than_a_block_is_whole() -> None:
    """The blocks in which characters are looked up leave no seam."""
    text = "abc" * (1 << 19)
    assert np.array_equal(tokens_of(Characters("ab"), text), np.tile(np.array([1, 2, 0], dtype=np.int16), 1 << 19))


def test_parts_are_files_or_the_end_of_the_text(tmp_path: Path) -> None:
    """The test part is the last, the validation part before it; the same for a packed file."""
    (tmp_path / "all.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "all.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    plain, packed = (load_task("language-model", tmp_path / f, context=16) for f in ("all.txt", "all.txt.gz"))
    assert isinstance(plain, LanguageModelling)
    assert sum(plain.num_tokens.values()) == len(TEXT)
    beginning, last = plain.train()[0].ravel().tolist(), plain.test()[0][0].tolist()
    assert plain.vocabulary.decode(beginning) == TEXT[: len(beginning)]
    assert plain.vocabulary.decode(last) == TEXT[-plain.num_tokens["test"] :][:16]
    assert plain.fingerprint() == packed.fingerprint()
    (tmp_path / "train.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "test.txt").write_text(TEXT[:500], encoding="utf-8")
    both = load_task("language-model", tmp_path, context=16)
    assert isinstance(both, LanguageModelling)
    assert both.vocabulary.decode(both.test()[0][0].tolist()) == TEXT[:16]
    assert both.num_tokens["test"] == 500


@pytest.mark.parametrize(
    ("data", "options", "error", "says"),
    [
        (b"abc\n\xff", {}, DataError, r"t\.txt, line 2: byte 0xff"),
        (b"abc", {}, DataError, r"text has \d tokens in windows of 128"),
        (b"", {}, DataError, r"t\.txt: the train text has 0 tokens"),
        (b"a" * 9000, {}, DataError, r"t\.txt: the training text has one character only, 'a'"),
        (b"abc", {"units": "words"}, SpecError, "unknown task option units 'words'"),
        (b"abc", {"context": 4}, SpecError, "task option context"),
    ],
)
def test_what_cannot_be_used_is_refused(
    tmp_path: Path, data: bytes, options: dict[str, object], error: type[Exception], says: str
) -> None:
    """By file and line, or by the option."""
    (tmp_path / "t.txt").write_bytes(data)
    with pytest.raises(error, match=says):
        load_task("language-model", tmp_path / "t.txt", **options)


def test_every_reference_is_of_the_space_and_none_sees_ahead(task: LanguageModelling) -> None:
    """What comes later changes nothing before it; smaller references are found where a limit refuses them."""
    space = task.default_space()
    inputs = torch.from_numpy(task.validation()[0][:2]).long()
    for reference in task.references():
        term = task.network(space, reference.architecture)
        model = nn.build(term, input_shape=task.input_shape, input_dtype="int64").eval()
        changed = inputs.clone()
        changed[:, 9:] = 1
        torch.testing.assert_close(model(inputs)[:, :9], model(changed)[:, :9])
    few = task.narrowed(lambda a: nn.profile(space.resolve(a), input_shape=(16,), input_dtype="int64").params < 150_000)
    assert few


def test_vectors_of_tokens_begin_small(task: LanguageModelling) -> None:
    """A token that is rare is soon moved away from where it was drawn."""
    space = task.default_space()
    for reference in task.references():
        model = nn.build(space.resolve(reference.architecture), input_shape=(16,), input_dtype="int64")
        assert float(model.embedding.table.weight.detach().std()) == pytest.approx(0.05, rel=0.1)


@pytest.mark.long
def test_from_a_text_to_a_network_that_goes_on(task: LanguageModelling, tmp_path: Path) -> None:
    """The exported network measures a text as the task does, and goes on with one."""
    space = nw.SearchSpace(
        nn.seq(
            nn.embedding(len(task.vocabulary), 32),
            nn.positional_embedding(),
            nn.transformer_block(nw.choice("heads", [2, 4]), 2.0, causal=True),
            nn.layer_norm(),
            nn.linear(len(task.vocabulary)),
        )
    )
    out = tmp_path / "run"
    result = nw.search(task=task, space=space, budget="2 trials", max_epochs=8, out=out)
    assert result.best.metrics["bits_per_character"] < 3
    (tmp_path / "t.txt").write_text(TEXT[: len(TEXT) // 4], encoding="utf-8")
    script = str(out / "best" / "model.py")

    def run(*words: str) -> str:
        done = subprocess.run([sys.executable, script, *words], cwd=tmp_path, capture_output=True, check=True)
        return done.stdout.decode()

    bits = float(run("t.txt").split("\n")[0].split("\t")[1])
    assert bits == pytest.approx(result.best.metrics["bits_per_character"], abs=0.05)
    written = run("--continue", "to be")
    assert written.startswith("to be")
    assert len(written) > 100
    assert set(written) <= set(TEXT) | {"\ufffd"}


class OnMps(torch.Tensor):
    """Stands for a tensor on a device that has no float64."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.double:
            raise TypeError("no float64 here")
        found = super().__torch_function__(func, types, args, kwargs or {})
        return found.as_subclass(torch.Tensor) if func is torch.Tensor.cpu else found


def test_scores_are_made_where_there_is_float64(task: LanguageModelling) -> None:
    """On a device without it, too, they are what they are elsewhere."""
    inputs, targets = task.validation()
    logits = torch.randn(len(inputs), task.context, len(task.vocabulary), generator=torch.Generator().manual_seed(0))
    wanted = torch.from_numpy(targets)
    assert task.scores([(logits.as_subclass(OnMps), wanted)]) == task.scores([(logits, wanted)])


@pytest.mark.parametrize("text", ["ab", "abc", "ab" * 30 + "c"])
def test_model_py_divides_by_the_characters_that_it_scores(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A uniform guess has the bits of the vocabulary in a text of any length, as in the task; the first is given."""
    for name, value in {"CONTEXT": 8, "CHARACTERS": "abc", "SUBWORDS": False}.items():
        monkeypatch.setattr(runtime, name, value)
    monkeypatch.setattr(runtime, "Characters", Characters, raising=False)

    def uniform(rows: torch.Tensor) -> torch.Tensor:
        return torch.zeros(*rows.shape, 4)

    bits, perplexity = runtime.measure(uniform, text)  # type: ignore[arg-type]
    assert (bits, perplexity) == pytest.approx((2, 4))
    with pytest.raises(ValueError, match="at least two characters"):
        runtime.measure(uniform, text[:1])  # type: ignore[arg-type]
