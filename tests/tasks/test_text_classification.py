"""Text classification: tables of texts and classes, refusals, and from a file to classes by model.py."""

from __future__ import annotations

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
        ("text,label\n" + "good film,yes\n" * 5, "5 texts are too few"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """By file and line, with a cure."""
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=says):
        load_task("text-classification", path)


def test_classes_of_the_test_part_must_be_known(tmp_path: Path) -> None:
    """The text is named by its number."""
    _write(tmp_path / "train.csv", ROWS)
    _write(tmp_path / "test.csv", [*ROWS[:3], ("x", "goood")])
    with pytest.raises(DataError, match=r"test text 4: unknown class 'goood'.*good"):
        load_task("text-classification", tmp_path)


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
