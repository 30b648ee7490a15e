"""Translation: what is read, mended and refused; rows; a search from two files to translations by model.py."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import netwright as nw
from netwright import nn
from netwright.errors import DataError, MissingDependencyError, SpecError
from netwright.export import model_source
from netwright.export.runtimes import translation as runtime
from netwright.tasks import load_task
from netwright.tasks.numbering import numbered_weights
from netwright.tasks.subwords import Subwords
from netwright.tasks.translation import Translation
from netwright.tasks.translation.files import Corpus, read_corpora
from netwright.tasks.translation.scoring import bleu_and_chrf, tokenizer_of
from netwright.tasks.translation.task import _split

pytest.importorskip("tokenizers")
pytest.importorskip("sacrebleu")

WHO = {
    "a man": "ein Mann",
    "a woman": "eine Frau",
    "the dog": "der Hund",
    "a child": "ein Kind",
    "the cat": "die Katze",
}
DOES = {"runs": "rennt", "sleeps": "schläft", "plays": "spielt", "eats": "isst"}
WHERE = {"in the park": "im Park", "at home": "zu Hause", "on the street": "auf der Straße", "outside": "draußen"}
PAIRS = [
    (f"{a} {b} {c} .", f"{x} {y} {z} .") for a, x in WHO.items() for b, y in DOES.items() for c, z in WHERE.items()
]


def _write(folder: Path, name: str, pairs: list[tuple[str, str]], ending: str = "") -> None:
    for side, language in enumerate(("en", "de")):
        text = "\n".join(pair[side] for pair in pairs) + "\n"
        path = folder / f"{name}.{language}{ending}"
        path.write_bytes(gzip.compress(text.encode()) if ending else text.encode())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    order = np.random.default_rng(0).permutation(len(PAIRS)).tolist()
    shuffled = [PAIRS[i] for i in order]
    _write(folder, "train", shuffled[:60])
    _write(folder, "val", shuffled[60:70], ".gz")
    _write(folder, "test_one", shuffled[70:])
    _write(folder, "test_two", shuffled[60:70])
    return folder


def _load(data: str | Path, **options: object) -> Translation:
    task = load_task("translation", data, **{"vocabulary": 320, "source": "en", "target": "de", **options})
    assert isinstance(task, Translation)
    return task


def test_rows_hold_the_source_and_the_target_one_place_to_the_right(data: Path) -> None:
    """Marks are where they belong, and decode to the texts that were read."""
    task = _load(data)
    inputs, targets = task.train()
    assert inputs.shape == (60, task.source_length + task.target_length)
    assert task.output_shape == (task.target_length, len(task.target))
    for row, wanted, (ours, theirs) in zip(inputs.tolist(), targets.tolist(), task.parts["train"], strict=True):
        source, target = row[: task.source_length], row[task.source_length :]
        assert task.source.decode(source) == ours
        length = wanted.index(2) + 1
        assert task.target.decode(wanted[:length]) == theirs
        assert target[:length] == [1, *wanted[: length - 1]]
        assert set(wanted[length:]) <= {-1}
        assert set(target[length:]) <= {0}


def test_parts_are_found_by_their_names(data: Path) -> None:
    """Packed or not; the first of several test parts is taken, and that is told, or the one that is named."""
    first, second = _load(data), _load(data, test="test_two")
    assert [len(first.parts[part]) for part in ("train", "validation", "test")] == [60, 10, 10]
    assert any("test_one is taken, not test_two" in note for note in first.notes)
    assert second.parts["test"] == first.parts["validation"]
    assert first.fingerprint() == _load(data).fingerprint() != _load(data, joint=True).fingerprint()
    assert len(_load(data, joint=True).merges[0]) == len(_load(data, joint=True).merges[1])


def test_two_files_and_tables_do_as_well(data: Path, tmp_path: Path) -> None:
    """What is missing is split off, another validation part by another seed, the same test part."""
    table = tmp_path / "all.tsv"
    table.write_text("".join(f"{a}\t{b}\n" for a, b in PAIRS), encoding="utf-8")
    none = {"source": "", "target": ""}
    two = f"{data / 'train.en'},{data / 'train.de'}"
    tasks = [_load(table, **none), _load(table, seed=1, **none), _load(two)]
    sizes = [[len(task.parts[part]) for part in ("train", "validation", "test")] for task in tasks]
    assert sizes == [[64, 8, 8], [64, 8, 8], [48, 6, 6]]
    assert tasks[0].parts["test"] == tasks[1].parts["test"]
    assert tasks[0].parts["validation"] != tasks[1].parts["validation"]


def test_what_can_be_mended_is_counted(tmp_path: Path) -> None:
    """Empty lines, empty sides, very long lines, control characters, composed characters, a mark of byte order."""
    odd = [("", ""), ("only", ""), ("x " * 2000, "y"), ("a\x00b", "c"), ("u\u0308ber", "x"), *PAIRS]
    for side, language in enumerate(("en", "de")):
        text = "\ufeff" + "\r\n".join(pair[side] for pair in odd) + "\r\n"
        (tmp_path / f"train.{language}").write_bytes(text.encode())
    corpus = read_corpora(tmp_path, "en", "de", {})["train"]
    assert corpus.pairs == [("a b", "c"), ("\u00fcber", "x"), *PAIRS]
    told = " ".join(corpus.notes)
    for count in (
        "1 pairs without any text",
        "1 pairs with an empty side",
        "1 pairs longer than",
        "in 1 pairs are read",
    ):
        assert count in told


def _unequal(folder: Path) -> None:
    (folder / "train.de").write_text("eins\n", encoding="utf-8")


def _latin(folder: Path) -> None:
    lines = (folder / "train.de").read_bytes().split(b"\n")
    (folder / "train.de").write_bytes(b"\n".join([*lines[:2], "für".encode("latin-1"), *lines[3:]]))


def _damaged(folder: Path) -> None:
    packed = gzip.compress((folder / "train.en").read_bytes())
    (folder / "train.en").unlink()
    (folder / "train.en.gz").write_bytes(packed[:-20])


def _empty(folder: Path) -> None:
    (folder / "train.de").write_text("\n" * len(PAIRS), encoding="utf-8")


def _third(folder: Path) -> None:
    (folder / "train.fr").write_text("un\n", encoding="utf-8")


def _few(folder: Path) -> None:
    _write(folder, "train", PAIRS[:5])


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_unequal, r"train\.de has 1 lines, .*train\.en has 80;"),
        (_latin, r"train\.de, line 3: byte 0xfc is no UTF-8"),
        (_damaged, r"train\.en\.gz cannot be read"),
        (_empty, r"of 80 pairs 0 can be used .*80 pairs with an empty side"),
        (_third, r"endings de, en, fr; say which.*source=en"),
        (_few, r"5 pairs are too few"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, spoil: Callable[[Path], None], says: str) -> None:
    """By file and line, with a cure."""
    _write(tmp_path, "train", PAIRS)
    spoil(tmp_path)
    with pytest.raises(DataError, match=says):
        load_task("translation", tmp_path)


def test_a_table_needs_two_columns(tmp_path: Path) -> None:
    """The line is named."""
    (tmp_path / "t.tsv").write_text("a\tb\na\tb\tc\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"t\.tsv, line 2: 3 columns, .*cut -f1,2 FILE > pairs\.tsv"):
        load_task("translation", tmp_path / "t.tsv")
    with pytest.raises(DataError, match="absent does not exist"):
        load_task("translation", tmp_path / "absent")
    (tmp_path / "t.tsv").unlink()
    _write(tmp_path, "train", PAIRS)
    with pytest.raises(DataError, match="unknown test 'test_x'; known: train"):
        load_task("translation", tmp_path, test="test_x")


@pytest.mark.parametrize("option", [{"vocabulary": 100}, {"most_tokens": 0}, {"joint": "perhaps"}])
def test_options_have_ranges(data: Path, option: dict[str, object]) -> None:
    """They are named."""
    with pytest.raises(SpecError, match=f"task option {next(iter(option))}"):
        _load(data, **option)


def test_longer_pairs_of_all_parts_are_counted() -> None:
    """Training pairs are left out; of others the beginning is read, which is told, too."""
    long = (" ".join(["a man"] * 60), "ein Mann")
    parts = {"train": [*PAIRS * 20, long], "validation": [*PAIRS[:9], long], "test": [*PAIRS[:7], long, long[::-1]]}
    task = Translation.from_pairs(parts, vocabulary=320)
    room = f"of more than {task.source_length} source or {task.target_length} target tokens"
    assert task.notes[:3] == (
        f"1 training pairs {room} are left out",
        f"of 1 validation pairs {room} the beginnings are read",
        f"of 2 test pairs {room} the beginnings are read",
    )
    assert len(task.parts["train"]) == 20 * len(PAIRS)
    assert len(task.parts["test"]) == len(task.test()[1]) == 9


class _Recorder(torch.nn.Module):
    """Stands for a network: keeps the sources that it is to translate."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen: list[list[int]] = []

    def translate(self, rows: torch.Tensor, most: int, beams: int) -> torch.Tensor:
        self.seen += rows.tolist()
        return torch.full((len(rows), 1), 2)


ODD = ["Das  HAUS", "J\u030c\x00\u00c4", "\u0130stanbul", "stra\u1e9ee", *(ours.title() for ours, _ in PAIRS[:5])]


@pytest.mark.parametrize("lowercase", [False, True])
def test_an_exported_network_reads_texts_as_the_task_does(
    data: Path, lowercase: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In lower case, too, where the network learned that: both make the same rows of the same texts."""
    task = _load(data, lowercase=lowercase)
    for name, value in task.export_info().constants.items():
        assert hasattr(runtime, name)
        monkeypatch.setattr(runtime, name, value)
    monkeypatch.setattr(runtime, "Subwords", Subwords, raising=False)
    ours, theirs = _Recorder(), _Recorder()
    task.translate(ours, ODD)
    runtime.translate(theirs, ODD)
    assert ours.seen == theirs.seen


@pytest.mark.parametrize("lowercase", [False, True])
def test_model_py_knows_whether_it_reads_lower_case(data: Path, lowercase: bool) -> None:
    """A text in capitals is, for it, the one that was learned from, or it is another."""
    task = _load(data, lowercase=lowercase)
    space = _space(task)
    term = task.network(space, space.sample(np.random.default_rng(0)))
    module: dict[str, Any] = {"__name__": "model"}
    exec(model_source(term, task.export_info()), module)
    assert [module["clean"](text) for text in ODD] == [task.prepared(text) for text in ODD]
    learned = [ours for ours, _ in task.parts["train"]]
    assert ([module["clean"](text.upper()) for text in learned] == learned) is lowercase


def test_a_missing_library_is_found_before_a_search(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without sacrebleu, which measures at the end only, nothing is loaded."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "sacrebleu"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(MissingDependencyError, match=r"sacrebleu.*netwright\[text\]"):
        _load(data)
    with pytest.raises(MissingDependencyError, match="sacrebleu"):
        Translation.from_pairs({"train": PAIRS, "validation": PAIRS, "test": PAIRS})


def test_positions_stand_beside_tokens_and_time_is_planned_for_the_beam_search(data: Path) -> None:
    """Vectors of positions have a third of the spread of those of tokens; the test part is what takes time."""
    task = _load(data)
    space = task.default_space()
    model = nn.build(
        space.resolve(task.references()[0].architecture), input_shape=task.input_shape, input_dtype="int64"
    )
    inner = model.encoder_decoder
    tokens = inner.source.weight.detach().std() * inner.source.embedding_dim**0.5
    assert float(inner.source_positions.weight.detach().std() / tokens) == pytest.approx(0.3, rel=0.1)
    assert task.final_examples == 4 * len(task.parts["test"])


def test_every_reference_is_of_the_space_and_builds(data: Path) -> None:
    """So do smaller ones where a limit refuses them."""
    task = _load(data)
    space = task.default_space()
    rng = np.random.default_rng(0)
    for architecture in [*(r.architecture for r in task.references()), *(space.sample(rng) for _ in range(10))]:
        found = nn.profile(task.network(space, architecture), input_shape=task.input_shape, input_dtype="int64")
        assert found.output_shape == task.output_shape

    def small(architecture: nw.Architecture) -> bool:
        term = task.network(space, architecture)
        return nn.profile(term, input_shape=task.input_shape, input_dtype="int64").params < 200_000

    narrowed = task.narrowed(small)
    assert len(narrowed) >= 3
    assert all(small(reference.architecture) for reference in narrowed)


def _space(task: Translation) -> nw.SearchSpace:
    return nw.SearchSpace(
        nn.encoder_decoder(
            nn.encoder_layer(64, mixer=nw.choice("mixer", ["attention", "convolution"])),
            nn.decoder_layer(64),
            source_length=task.source_length,
            source_tokens=len(task.source),
            target_tokens=len(task.target),
            source_features=32,
            target_features=32,
        )
    )


@pytest.mark.long
def test_from_files_to_translations(data: Path, tmp_path: Path) -> None:
    """The best network is measured by BLEU, exported, checked, and translates alone as it does in the task."""
    task = _load(data)
    out = tmp_path / "run"
    result = nw.search(task=task, space=_space(task), budget="2 trials", max_epochs=40, out=out)
    card = json.loads((out / "best" / "card.json").read_text(encoding="utf-8"))
    assert [(o.metric, o.direction) for o in result.objectives] == [("perplexity", "min")]
    assert result.best.metrics["perplexity"] < 30
    assert 0 <= card["metrics"]["test_bleu"] <= 100
    again = {(one["split"], one["runtime"], one["metric"]) for one in card["check"]["rescored"]}
    assert ("test", "onnxruntime", "perplexity") in again
    assert len(again) == 8

    from netwright.export.runtime import read_weights

    model = nn.build(_space(task).resolve(result.best.architecture), input_shape=task.input_shape, input_dtype="int64")
    model.load_state_dict(read_weights(out / "best" / "weights.safetensors"))
    texts = [ours for ours, _ in task.parts["test"]]
    with torch.inference_mode():
        wanted = task.translate(model, texts)
    lines = "\n".join([texts[0], "", *texts[1:]]) + "\n"
    run = subprocess.run(
        [sys.executable, str(out / "best" / "model.py")],
        cwd=tmp_path,
        input=lines.encode(),
        capture_output=True,
        check=True,
    )
    assert run.stdout.decode().splitlines() == [wanted[0], "", *wanted[1:]]
    (tmp_path / "bad.txt").write_bytes(b"ok\n\xff\n")
    run = subprocess.run(
        [sys.executable, str(out / "best" / "model.py"), "bad.txt"], cwd=tmp_path, capture_output=True, check=False
    )
    assert run.returncode == 2
    assert b"bad.txt, line 2: no UTF-8" in run.stderr


def test_other_tables_of_a_folder_are_left_alone(tmp_path: Path) -> None:
    """Two line-aligned files are found beside a table that is no training part, also by a name of their own."""
    _write(tmp_path, "corpus", PAIRS)
    (tmp_path / "about.tsv").write_text("name\tvalue\tunit\n", encoding="utf-8")
    for languages in ({}, {"source": "de"}, {"source": "de", "target": "en"}):
        options = {"source": "", "target": "", **languages}
        assert len(read_corpora(tmp_path, **options, names={"train": "corpus"})["train"].pairs) == len(PAIRS)
    with pytest.raises(DataError, match=r"training files have the endings none; .*train=NAME"):
        read_corpora(tmp_path, "", "", {})
    with pytest.raises(DataError, match=r"unknown train 'corpse'; did you mean 'corpus'\? known: about, corpus"):
        read_corpora(tmp_path, "", "", {"train": "corpse"})
    with pytest.raises(DataError, match="source and target are both en"):
        read_corpora(tmp_path, "en", "en", {"train": "corpus"})


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_a_file_in_utf_16_is_named_as_such(tmp_path: Path, encoding: str) -> None:
    """It is what some programs of tables write; another way of saving it helps."""
    mark = "" if encoding == "utf-16" else "\ufeff"
    (tmp_path / "t.tsv").write_bytes((mark + "".join(f"{a}\t{b}\n" for a, b in PAIRS)).encode(encoding))
    with pytest.raises(DataError, match=r"t\.tsv is UTF-16; .*iconv -f utf-16"):
        load_task("translation", tmp_path / "t.tsv")


def test_pairs_that_are_the_same_are_split_off_together() -> None:
    """No pair that is trained on is in a part that was split off; each part has about its share."""
    often = [("save", "speichern"), ("cancel", "abbrechen")]
    corpora = {"train": Corpus("here", [*often * 10, *PAIRS * 2, *often * 10])}
    for seed in range(5):
        notes: list[str] = []
        parts = _split(corpora, seed, notes)
        assert sum(map(len, parts.values())) == 200
        assert all(10 <= len(parts[part]) <= 20 for part in ("validation", "test"))
        distinct = [set(pairs) for pairs in parts.values()]
        assert sum(map(len, distinct)) == len(set().union(*distinct)) == 82
    with pytest.raises(DataError, match=r"here: its 2 different sources are too few to split the test part off"):
        _split({"train": Corpus("here", often * 40)}, 0, [])


CHINESE = "\u4ed6\u5728\u516c\u56ed\u91cc\u8dd1\u6b65\u3002"
JAPANESE = "\u5f7c\u306f\u516c\u5712\u3092\u8d70\u3063\u3066\u3044\u308b\u3002"
THAI = "\u0e40\u0e02\u0e32\u0e27\u0e34\u0e48\u0e07\u0e43\u0e19\u0e2a\u0e27\u0e19"


@pytest.mark.parametrize(("text", "name"), [(CHINESE, "zh"), (JAPANESE, "char"), (THAI, "char"), ("er rennt .", "13a")])
def test_bleu_counts_what_its_language_has(text: str, name: str) -> None:
    """Characters where no spaces stand between words: what is nearly right is worth something there, too."""
    assert tokenizer_of([text]) == name
    assert tokenizer_of([text], "intl") == "intl"
    whole = text * 3
    assert bleu_and_chrf([whole], [whole], name)["bleu"] == pytest.approx(100)
    if name != "13a":
        assert bleu_and_chrf([whole[1:]], [whole], name)["bleu"] > 50 > bleu_and_chrf([whole[1:]], [whole])["bleu"]
    with pytest.raises(SpecError, match="unknown task option bleu_tokenizer 'words'"):
        tokenizer_of([text], "words")


def test_the_task_tells_how_its_translations_are_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    """By sacreBLEU's signatures, before a search; the tokenizer is that of the target's letters, or what is asked."""
    pairs = [(ours, f"{CHINESE}{number}") for number, (ours, _) in enumerate(PAIRS)]
    parts = {"train": pairs[:60], "validation": pairs[60:70], "test": pairs[70:]}
    task = Translation.from_pairs(parts, vocabulary=320)
    assert "|tok:zh|" in task.notes[-1]
    assert "chrF nrefs:1|" in task.notes[-1]
    asked = Translation.from_pairs(parts, vocabulary=320, bleu_tokenizer="char")
    assert "|tok:char|" in asked.notes[-1]
    monkeypatch.setattr(task, "translate", lambda network, texts: [theirs for _, theirs in parts["test"]])
    assert task.final_scores(torch.nn.Identity(), "test") == pytest.approx({"bleu": 100, "chrf": 100})


def test_pairs_of_one_source_are_split_off_together() -> None:
    """In any case: what is tested on has no source that was trained on; of parts that are given, they are counted."""
    several = [(f"Say it {n}.", f"Sag es {n}, {k}.") for n in range(60) for k in range(2)]
    several += [(ours.lower(), theirs.upper()) for ours, theirs in several[::2]]
    for seed in range(3):
        parts = _split({"train": Corpus("here", several)}, seed, [])
        sources = [{ours.casefold() for ours, _ in pairs} for pairs in parts.values()]
        assert sum(map(len, parts.values())) == 180
        assert sum(map(len, sources)) == len(set().union(*sources)) == 60
    given = {"train": [*PAIRS, ("Run!", "Lauf!")], "validation": PAIRS[:5], "test": [*PAIRS[:4], ("run!", "Renn!")]}
    notes = Translation.from_pairs(given, vocabulary=320).notes
    assert {"4 test pairs are training pairs, too", "1 test sources are training sources, too, with other targets"} <= {
        *notes
    }


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("pairs.tsv", {"source": "de"}, "task option source must be left out where the data is one table, got 'de'"),
        ("pairs.tsv", {"test": "newstest"}, "task option test must be left out where the data is one table"),
        ("x.en,x.de", {"source": "de", "target": "en"}, "task option source must be left out .* SOURCE,TARGET"),
        ("x.en,x.de", {"train": "x"}, "task option train must be left out"),
        ("only", {"target": "en"}, "task option target must be left out where .*only has a table"),
    ],
)
def test_options_that_could_not_be_followed_are_refused(
    tmp_path: Path, name: str, options: dict[str, str], says: str
) -> None:
    """Which column is translated, and what is tested on, is never another one than was asked for."""
    table = "".join(f"{a}\t{b}\n" for a, b in PAIRS)
    (tmp_path / "only").mkdir()
    for file in ("pairs.tsv", "only/train.tsv"):
        (tmp_path / file).write_text(table, encoding="utf-8")
    _write(tmp_path, "x", PAIRS)
    data = ",".join(str(tmp_path / part) for part in name.split(","))
    with pytest.raises(SpecError, match=says):
        load_task("translation", data, **options)
    if "," in name:
        agreeing = read_corpora(data, "en", "de", {})["train"]
        assert agreeing.pairs == PAIRS


def test_files_of_languages_that_are_named_win_over_a_table(tmp_path: Path) -> None:
    """A table has no languages that could be asked for."""
    _write(tmp_path, "train", PAIRS)
    (tmp_path / "train.tsv").write_text("".join(f"{a}\t{a}\n" for a, _ in PAIRS), encoding="utf-8")
    turned = [(theirs, ours) for ours, theirs in PAIRS]
    assert read_corpora(tmp_path, "de", "en", {})["train"].pairs == turned
    assert read_corpora(tmp_path, "", "", {})["train"].pairs == [(ours, ours) for ours, _ in PAIRS]


def test_tables_of_tutorials_are_read_or_refused_with_a_cure(tmp_path: Path) -> None:
    """A third column is left out where it is the licence in each line; others are told how to be cut."""
    path = tmp_path / "fra.txt"
    licence = "CC-BY 2.0 (France) Attribution: tatoeba.org #1 (CM) & #2 (CK)"
    rows = [f"{a}\t{b}\t{licence}\n" for a, b in PAIRS]
    path.write_text("".join([*rows, "\n"]), encoding="utf-8")
    corpus = read_corpora(path, "", "", {})["train"]
    assert corpus.pairs == PAIRS
    assert "fra.txt: the third column, the licence of each pair, is left out" in corpus.notes
    for text, says in (
        ("".join([*rows[:2], "a\tb\tc\n"]), r"line 1: 3 columns, .*cut -f1,2 FILE"),
        ("1\ta\t2\tb\n", r"line 1: 4 columns, .*cut -f2,4 FILE"),
        ("English,French\n", r"line 1: 1 columns, .*separated by tabs; two files are given as SOURCE,TARGET"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match=says):
            read_corpora(path, "", "", {})


def test_what_was_learned_is_known_again_whatever_options_make_of_it(tmp_path: Path) -> None:
    """Other languages, case and vocabulary hold nothing out that was learned where parts are given; other splits do."""
    for part, pairs in (("train", PAIRS[:60]), ("val", PAIRS[60:70]), ("test", PAIRS[70:])):
        _write(tmp_path, part, pairs)
        (tmp_path / f"{part}.fr").write_text("".join(f"un {n} {part}\n" for n in range(len(pairs))), encoding="utf-8")
    task = _load(tmp_path)
    for options in ({"target": "fr"}, {"lowercase": True}, {"vocabulary": 300}):
        assert not _load(tmp_path, **options).tests_what_was_learned(task)
    files = f"{tmp_path / 'train.en'},{tmp_path / 'train.de'}"
    assert _load(files, seed=1).tests_what_was_learned(_load(files))
    assert not _load(files, lowercase=True).tests_what_was_learned(_load(files))


def test_tables_of_vectors_are_numbered_by_the_texts_of_tokens(data: Path) -> None:
    """The source's and the target's, and nothing else of a network, have rows of tokens."""
    task = _load(data)
    space = _space(task)
    model = nn.build(
        task.network(space, space.sample(np.random.default_rng(0))), input_shape=task.input_shape, input_dtype="int64"
    )
    weights = numbered_weights(model, task.numbering)
    assert sorted(weights.values()) == ["source", "target"]
    sizes = {role: len(dict(model.named_parameters())[name]) for name, role in weights.items()}
    assert sizes == {"source": len(task.source), "target": len(task.target)}
    assert task.numbering["source"][3 + ord("a")] == b"a"
