"""Text classification: tables of texts and classes, refusals, and from a file to classes by model.py."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import netwright as nw
from netwright import nn
from netwright.errors import DataError
from netwright.export.runtime import read_weights
from netwright.tasks import load_task
from netwright.tasks.text_classification import TextClassification
from netwright.tasks.text_tables import Texts, read_labelled, split_parts

pytest.importorskip("tokenizers")

GOOD = ["fine", "lovely", "splendid", "great"]
BAD = ["awful", "dreadful", "poor", "boring"]
THINGS = ["film", "book", "play", "song", "story"]
ROWS = [(f"a {w} {t}, truly {w}", label) for label, ws in (("good", GOOD), ("bad", BAD)) for w in ws for t in THINGS]


def _write(path: Path, rows: list[tuple[str, str]], head: str = "text,label") -> Path:
    path.write_text(head + "\n" + "".join(f'"{text}",{label}\n' for text, label in rows), encoding="utf-8")
    return path


def test_a_file_is_read_and_split_by_classes(tmp_path: Path) -> None:
    """Each part has both classes in their shares; the other seed gives another validation part, the same test part."""
    path = _write(tmp_path / "t.csv", [*ROWS, ("", "good")])
    first, second = (load_task("text-classification", path, seed=seed) for seed in (0, 1))
    assert isinstance(first, TextClassification)
    assert isinstance(second, TextClassification)
    assert [np.bincount(part[1]).tolist() for part in (first.train(), first.validation(), first.test())] == [
        [14, 14],
        [3, 3],
        [3, 3],
    ]
    assert first.class_names == ("bad", "good")
    assert first.parts["test"] == second.parts["test"]
    assert first.parts["validation"] != second.parts["validation"]
    assert any("1 lines without a text" in note for note in first.notes)
    text = first.parts["train"][0][0]
    assert first.subwords.decode(first.train()[0][0].tolist()) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("text,label\na,b\nc\n", r"t\.csv, line 3: 1 columns, the first line has 2"),
        ("text,label\na,\n", r"t\.csv, line 2: no class in column 'label'"),
        ("words,mark\na,b\n", r"names the columns words, mark; say which"),
        ("text,label\n", "has no texts"),
        ("text,label\n" + "good film,yes\n" * 50, r"one class only \('yes'\)"),
        ("text,label\n" + "good film,yes\n" * 5, r"t\.csv: 5 texts are too few"),
        ('text,label\n"a\nb",c\n"d\ne"\n', r"t\.csv, line 4: 1 columns"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """By file and line, with a cure."""
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=says):
        load_task("text-classification", path)


def test_classes_of_the_test_part_must_be_known(tmp_path: Path) -> None:
    """The text is named by the line on which it begins, empty ones counted; by its number where there is no file."""
    _write(tmp_path / "train.csv", ROWS)
    _write(tmp_path / "test.csv", [*ROWS[:2], ("", "good"), ("over\ntwo lines", "bad"), ("x", "goood")])
    with pytest.raises(DataError, match=r"test\.csv, line 7: unknown class 'goood'.*good"):
        load_task("text-classification", tmp_path)
    parts = {"train": ROWS, "validation": [ROWS[0], ("x", "goood")], "test": ROWS}
    with pytest.raises(DataError, match="validation text 2: unknown class 'goood'"):
        TextClassification.from_texts(parts, vocabulary=300)


UNPAIRED = [(f"text {n}", "good" if n % 2 else "bad") for n in range(40)]
UNPAIRED[5], UNPAIRED[30] = ('"so he said', "good"), ('"yes" she said', "bad")
SWALLOWED = [*UNPAIRED[:30], ('she said yes"', "bad"), *UNPAIRED[31:]]
"""Here quotes pair, and all between them would be one text."""


def _table(path: Path, rows: list[tuple[str, str]], between: str) -> Path:
    path.write_text("".join(between.join(row) + "\n" for row in [("text", "label"), *rows]), encoding="utf-8")
    return path


def test_a_quote_that_is_not_closed_swallows_no_lines(tmp_path: Path) -> None:
    """A .csv file is refused by the line where the quote begins, or the note tells how far a text goes."""
    notes: list[str] = []
    with pytest.raises(DataError, match=r"t\.csv, line 7: .*close a quote at the end of its cell"):
        read_labelled(_table(tmp_path / "t.csv", UNPAIRED, ","), "", "", notes)
    with pytest.raises(DataError, match=r"t\.csv, line 7: unexpected end of data"):
        read_labelled(_table(tmp_path / "t.csv", UNPAIRED[:30], ","), "", "", notes)
    found = read_labelled(_table(tmp_path / "t.csv", SWALLOWED, ","), "", "", notes)
    assert len(found.rows) == 15
    assert notes == ["t.csv: 1 rows go over several lines, that of line 7 over 26"]
    assert found.place(6) == f"{tmp_path / 't.csv'}, line 33"


@pytest.mark.parametrize("rows", [UNPAIRED, UNPAIRED[:30], SWALLOWED])
def test_quotes_of_tsv_files_may_be_signs(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    """Where they do not pair, or would join whole rows, each line is a row, and a note says so."""
    notes: list[str] = []
    found = read_labelled(_table(tmp_path / "t.tsv", rows, "\t"), "", "", notes)
    assert found.rows == rows
    assert len(notes) == 1
    assert notes[0].startswith("t.tsv: quotes are read as signs of the text (line 7: ")
    assert notes[0].isprintable()


def test_quotes_of_tsv_files_are_taken_off_where_they_pair(tmp_path: Path) -> None:
    """As in a .csv file; a text may go over several lines, which is told."""
    notes: list[str] = []
    quoted = [('"so he said"', "good"), ('"he said ""no"""', "bad"), ('"two\nlines"', "bad")]
    found = read_labelled(_table(tmp_path / "t.tsv", quoted[:2], "\t"), "", "", notes)
    assert found.rows == [("so he said", "good"), ('he said "no"', "bad")]
    assert notes == []
    found = read_labelled(_table(tmp_path / "t.tsv", quoted, "\t"), "", "", notes)
    assert found.rows[2] == ("two lines", "bad")
    assert found.lines == [2, 3, 4]
    assert notes == ["t.tsv: 1 rows go over several lines, that of line 4 over 2"]


def test_a_document_of_any_length_is_read(tmp_path: Path) -> None:
    """The limit of the csv module is what it was afterwards, after a refusal, too."""
    long = "word " * 40_000
    before = csv.field_size_limit()
    for path, between in ((tmp_path / "t.csv", ","), (tmp_path / "t.tsv", "\t")):
        notes: list[str] = []
        found = read_labelled(_table(path, [(f'"{long}"', "good"), ("b", "bad")], between), "", "", notes)
        assert found.rows == [(long.strip(), "good"), ("b", "bad")]
        assert notes == []
    with pytest.raises(DataError, match="close a quote"):
        read_labelled(_table(tmp_path / "t.csv", UNPAIRED, ","), "", "", [])
    assert csv.field_size_limit() == before


def test_texts_that_are_the_same_are_in_one_part(tmp_path: Path) -> None:
    """Where parts are split off, with a count; where they are given, those in two are counted."""
    rows = [(f"text {n % 40}", "good" if n % 2 else "bad") for n in range(120)]
    task = load_task("text-classification", _write(tmp_path / "t.csv", rows))
    assert isinstance(task, TextClassification)
    parts = [{text for text, _ in task.parts[part]} for part in ("train", "validation", "test")]
    assert sum(map(len, parts)) == len(set().union(*parts)) == 40
    assert sum(map(len, task.parts.values())) == 120
    assert any("80 texts stand in the training texts again; those alike are kept in one part" in n for n in task.notes)
    (tmp_path / "given").mkdir()
    for part in ("train", "validation", "test"):
        _write(tmp_path / "given" / f"{part}.csv", [*ROWS[:25], (f"only {part}", "good")])
    given = load_task("text-classification", tmp_path / "given")
    assert isinstance(given, TextClassification)
    assert {"25 validation texts are training texts, too", "25 test texts are training texts, too"} <= set(given.notes)


def test_a_text_of_several_classes_takes_none_away() -> None:
    """What the training texts would have no class without stays with them."""
    rows = [*[(f"text {n}", "good") for n in range(60)], ("text 5", "odd")]
    for seed in range(20):
        parts = split_parts({"train": Texts("here", "label", rows, list(range(61)))}, seed, [])
        assert {label for _, label in parts["train"]} == {"good", "odd"}
        where = [name for name, texts in parts.items() if "text 5" in {text for text, _ in texts}]
        assert where == ["train"]


def test_small_classes_are_split_together(tmp_path: Path) -> None:
    """Of classes of three texts each part has its share, and none loses all its texts."""
    rows = [(f"text {n} of {c}", f"class{c}") for c in range(20) for n in range(3)]
    task = load_task("text-classification", _write(tmp_path / "t.csv", rows))
    assert isinstance(task, TextClassification)
    assert {part: len(texts) for part, texts in task.parts.items()} == {"test": 9, "validation": 8, "train": 43}
    assert task.num_classes == 20
    assert len({label for _, label in task.parts["test"]}) == 9


def test_a_column_that_is_none_of_classes_is_refused(tmp_path: Path) -> None:
    """By its name: too many classes in all, or hardly a text of each."""
    with pytest.raises(
        DataError, match=r"t\.csv: column 'label', the class, has 30 different values in 40 texts; .*NAME"
    ):
        load_task("text-classification", _write(tmp_path / "t.csv", [(f"a {n}", str(n % 30)) for n in range(40)]))
    rows = [(f"a {n}", str(n % 1001)) for n in range(2002)]
    with pytest.raises(DataError, match=r"has 1001 different values in 2002 texts; at most 1000, and two texts each"):
        load_task("text-classification", _write(tmp_path / "t.csv", rows))
    with pytest.raises(DataError, match="the training texts have 1001 classes; at most 1000"):
        TextClassification.from_texts({"train": rows, "validation": rows, "test": rows})


def test_every_reference_is_of_the_space_and_builds(tmp_path: Path) -> None:
    """So do random networks, and smaller references where a limit refuses them."""
    task = load_task("text-classification", _write(tmp_path / "t.csv", ROWS))
    space, rng = task.default_space(), np.random.default_rng(0)

    def params(architecture: nw.Architecture) -> int:
        found = nn.profile(task.network(space, architecture), input_shape=task.input_shape, input_dtype="int64")
        assert found.output_shape == (2,)
        return found.params

    sizes = [params(a) for a in [*(r.architecture for r in task.references()), *(space.sample(rng) for _ in range(20))]]
    assert len(set(sizes)) > 10
    assert len(task.narrowed(lambda a: params(a) < 40_000)) >= 2


def test_padding_behind_a_text_changes_nothing(tmp_path: Path) -> None:
    """Whatever network of the default space reads it, in rows with room for more, too; rare tokens begin small."""
    task = load_task("text-classification", _write(tmp_path / "t.csv", ROWS))
    space, rng = task.default_space(), np.random.default_rng(1)
    rows = torch.from_numpy(task.validation()[0]).long()
    wider = torch.nn.functional.pad(rows, (0, 7))
    for architecture in [*(r.architecture for r in task.references()), *(space.sample(rng) for _ in range(6))]:
        models = [
            nn.build(space.resolve(architecture), input_shape=tuple(x.shape[1:]), input_dtype="int64").eval()
            for x in (rows, wider)
        ]
        own, given = models[0].state_dict(), models[1].state_dict()
        models[0].load_state_dict({name: given[name][: len(value)] for name, value in own.items()})
        with torch.no_grad():
            torch.testing.assert_close(models[0](rows), models[1](wider), atol=1e-5, rtol=1e-4)
        assert float(given["embedding.table.weight"].std()) == pytest.approx(0.05, rel=0.05)


@pytest.mark.long
def test_from_a_file_to_classes(tmp_path: Path) -> None:
    """The exported network says the class of each line; an empty one stays empty."""
    task = load_task("text-classification", _write(tmp_path / "t.csv", ROWS))
    assert isinstance(task, TextClassification)
    space = nw.SearchSpace(
        nn.seq(
            nn.embedding(len(task.subwords), nw.choice("features", [16, 32])),
            nn.global_pool("max"),
            nn.linear(2),
        )
    )
    result = nw.search(task=task, space=space, budget="2 trials", max_epochs=60, out=tmp_path / "run")
    assert result.best.metrics["accuracy"] > 0.6
    texts = [text for text, _ in task.parts["test"]]
    model = nn.build(space.resolve(result.best.architecture), input_shape=task.input_shape, input_dtype="int64")
    model.load_state_dict(read_weights(tmp_path / "run" / "best" / "weights.safetensors"))
    wanted = [task.class_names[i] for i in model.eval()(torch.from_numpy(task.test()[0]).long()).argmax(1).tolist()]
    lines = "\n".join([texts[0], "", *texts[1:]]) + "\n"
    script = str(tmp_path / "run" / "best" / "model.py")
    done = subprocess.run([sys.executable, script], input=lines.encode(), cwd=tmp_path, capture_output=True, check=True)
    said = [line.split("\t")[0] for line in done.stdout.decode().split("\n")]
    assert said == [wanted[0], "", *wanted[1:], ""]


def test_a_text_that_stands_often_takes_no_more_than_the_share_of_a_part(tmp_path: Path) -> None:
    """Whichever part its copies are in, each part has about its share of the rows."""
    rows = [("the same again", "good")] * 100 + [(f"a {n}th film", "good") for n in range(60)] + ROWS
    path = _write(tmp_path / "t.csv", rows)
    for seed in range(3):
        task = load_task("text-classification", path, seed=seed)
        sizes = [len(part[1]) for part in (task.train(), task.validation(), task.test())]
        assert sum(sizes) == len(rows)
        assert 0.05 * len(rows) < min(sizes[1:])
        assert max(sizes[1:]) <= 0.15 * len(rows)


def test_lines_of_json_are_rows(tmp_path: Path) -> None:
    """Keys of the first are the columns; numbers and flags are classes, too, and what is null or absent is empty."""
    first, second = {"text": "a\u2028film", "label": 3, "id": 1}, {"label": True, "text": 'so "so"'}
    rows = [first, second, {"text": None, "label": 3}]
    path = tmp_path / "t.jsonl"
    path.write_text("\ufeff" + "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    notes: list[str] = []
    found = read_labelled(path, "", "", notes)
    assert found.rows == [("a film", "3"), ('so "so"', "true")]
    assert found.lines == [1, 3]
    assert notes == ["t.jsonl: 1 lines without a text are left out"]
    for line, says in (("[1]", "a JSON object on each line"), ("{", "no JSON"), ("{}", "no class")):
        (tmp_path / "u.jsonl").write_bytes(path.read_bytes() + b"\n" + line.encode())
        with pytest.raises(DataError, match=rf"u\.jsonl, line 6: {says}"):
            read_labelled(tmp_path / "u.jsonl", "", "", [])


def test_a_folder_may_hold_lines_of_json(tmp_path: Path) -> None:
    """Packed or not, for each part."""
    for part, packed in (("train", True), ("test", False)):
        data = "".join(json.dumps({"text": f"{part} {text}", "label": label}) + "\n" for text, label in ROWS).encode()
        name = tmp_path / f"{part}.jsonl{'.gz' if packed else ''}"
        name.write_bytes(gzip.compress(data) if packed else data)
    task = load_task("text-classification", tmp_path)
    assert len(task.test()[1]) == len(ROWS)


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_other_signs_may_stand_between_cells(tmp_path: Path, sign: str) -> None:
    """Of a .csv file whose first line has no comma; commas are signs of the text then."""
    path = tmp_path / "t.csv"
    path.write_text(f'text{sign}label\nwell, well{sign}good\n"a{sign}b"{sign}bad\n', encoding="utf-8")
    notes: list[str] = []
    assert read_labelled(path, "", "", notes).rows == [("well, well", "good"), (" ".join(f"a{sign}b".split()), "bad")]
    assert notes == []


def test_a_comma_in_the_name_of_a_column_separates_no_cells(tmp_path: Path) -> None:
    """Rows are cut by the sign by which they have equally many cells."""
    path = tmp_path / "t.csv"
    path.write_text("text;class, or label\nwell, well;good\nno;bad\n", encoding="utf-8")
    assert read_labelled(path, "text", "class, or label", []).rows == [("well, well", "good"), ("no", "bad")]


@pytest.mark.parametrize(
    ("ending", "train", "test"),
    [("csv", "text,label", "id,text"), ("tsv", "sentence\tlabel", "index\tsentence")],
)
def test_a_test_file_without_classes_is_named(tmp_path: Path, ending: str, train: str, test: str) -> None:
    """Its number is no class, as Kaggle and GLUE give such files; columns are those of the training part."""
    between = "," if ending == "csv" else "\t"
    rows = [f"{text.replace(',', '')}{between}{label}\n" for text, label in ROWS]
    (tmp_path / f"train.{ending}").write_text("".join([train + "\n", *rows]), encoding="utf-8")
    untold = "".join(f"{n}{between}a film\n" for n in range(9))
    (tmp_path / f"test.{ending}").write_text(f"{test}\n{untold}", encoding="utf-8")
    says = rf"test\.{ending}: has no column 'label', the class in train\.{ending} \(columns: .*\); .*out of the folder"
    with pytest.raises(DataError, match=says):
        load_task("text-classification", tmp_path)
    turned = [f"{label}{between}{text.replace(',', '')}\n" for text, label in ROWS[:4]]
    head = between.join(reversed(train.split(between)))
    (tmp_path / f"test.{ending}").write_text("".join([head + "\n", *turned]), encoding="utf-8")
    task = load_task("text-classification", tmp_path)
    assert isinstance(task, TextClassification)
    assert [label for _, label in task.parts["test"]] == [label for _, label in ROWS[:4]]


def test_a_vocabulary_is_no_split(tmp_path: Path) -> None:
    """Other subwords of the same texts hold out nothing that was learned; another seed does."""
    path = _write(tmp_path / "t.csv", ROWS)
    task = load_task("text-classification", path)
    assert isinstance(task, TextClassification)
    assert not load_task("text-classification", path, vocabulary=300).tests_what_was_learned(task)  # type: ignore[attr-defined]
    assert load_task("text-classification", path, seed=1).tests_what_was_learned(task)  # type: ignore[attr-defined]
    assert task.numbering["outputs"] == ("bad", "good")
