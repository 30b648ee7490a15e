"""Forms of tables in the wild: cells between blanks, ARFF, Excel's first line, folders with other files in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netwright.errors import DataError
from netwright.export.runtimes.delimited import read_cells
from netwright.tasks import load_task
from netwright.tasks.tabular import TabularClassification
from netwright.tasks.tabular.reading import read_table


def german(count: int = 60, gap: str = " ") -> str:
    """Rows as in UCI's german.data: codes and numbers, and the class at the end."""
    rng = np.random.default_rng(0)
    rows = [
        [f"A1{rng.integers(4)}", f"{rng.integers(6, 60)}", f"{rng.normal():.3f}", f"{1 + n % 2}"] for n in range(count)
    ]
    return "\n".join(gap.join(row) for row in rows) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        german(),
        german(gap="   "),
        "\n".join(f"   {line}" for line in german().splitlines()),
        german().replace("\n", " \n"),
        german().replace("\n", "\r\n"),
    ],
    ids=["one", "several", "leading", "trailing", "dos"],
)
def test_cells_between_blanks_are_read(tmp_path: Path, text: str) -> None:
    """As those between commas are; model.py reads the same."""
    (tmp_path / "a.csv").write_text(german().replace(" ", ","), encoding="utf-8")
    (tmp_path / "b.data").write_bytes(text.encode())
    comma, blank = (TabularClassification.load(tmp_path / name) for name in ("a.csv", "b.data"))
    assert np.array_equal(comma.train()[0], blank.train()[0])
    assert np.array_equal(comma.test()[1], blank.test()[1])
    rows = [[cell for cell in cells if cell] for _, cells in read_cells(tmp_path / "b.data")]
    assert rows == [line.split() for line in german().splitlines()]


def test_a_first_line_of_names_may_be_between_blanks(tmp_path: Path) -> None:
    """And cells with blanks in them between quotes."""
    text = "\n".join(f'"code {line.split()[0]}" {line.split(maxsplit=1)[1]}' for line in german().splitlines())
    (tmp_path / "a.txt").write_text(f"code months share risk\n{text}\n", encoding="utf-8")
    task = TabularClassification.load(tmp_path / "a.txt")
    assert task.rows.columns == ("code", "months", "share", "risk")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x y kind\n" + "".join(f'"{n}" {line}\n' for n, line in enumerate(german().splitlines())), "cut by blanks"),
        ("".join(f'18.0   8 307.0 {n}\t"ford torino"\n' for n in range(40)), "a.csv: cells are cut by blanks"),
        ("% comment\n@RELATION iris\n@ATTRIBUTE x REAL\n@DATA\n5.1,1\n", r"a\.csv is an ARFF file.*CSV or Parquet"),
        ("sep=;\nx;y\n1;2\n", r"a\.csv, line 1: sep=; is no row, but meant for Excel; take this line out"),
    ],
)
def test_what_is_no_table_is_named_with_its_cure(tmp_path: Path, text: str, says: str) -> None:
    """Not by the cells that a comma would make of it."""
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=says):
        load_task("tabular-classification", tmp_path / "a.csv")


def test_texts_between_commas_keep_their_blanks(tmp_path: Path) -> None:
    """Words of a cell are no numbers between blanks."""
    rows = "".join(f"the {word} sat here,{n % 2}\n" for n, word in enumerate(["cat", "dog", "cow", "hen"] * 10))
    (tmp_path / "a.csv").write_text(f"text,label\n{rows}", encoding="utf-8")
    assert load_task("tabular-classification", tmp_path / "a.csv").rows.columns == ("text", "label")


@pytest.mark.parametrize("cell", ["29 December {n}", "29 Dec {n} 10:00", "1 234 {n}"])
def test_dates_and_amounts_with_blanks_are_cells(tmp_path: Path, cell: str) -> None:
    """Beside another cell, in a file without names."""
    rows = "".join(f"{cell.format(n=500 + n)};{n % 7}.5\n" for n in range(40))
    (tmp_path / "a.csv").write_text(rows, encoding="utf-8")
    assert read_table(tmp_path / "a.csv").columns[0][0] == cell.format(n=500)


@pytest.mark.parametrize("name", ["test.py", "val_loss.png"])
def test_programs_and_pictures_beside_a_table_are_no_parts(tmp_path: Path, name: str) -> None:
    """Whatever they are called; they are told."""
    (tmp_path / "train.csv").write_text(german().replace(" ", ","), encoding="utf-8")
    (tmp_path / name).write_bytes(b"x")
    assert f"files of the folder that are not read: {name}" in load_task("tabular-classification", tmp_path).notes


def test_files_of_a_folder_that_are_not_read_are_told(tmp_path: Path) -> None:
    """One that is called as a missing part is refused, as UCI's adult.test, whose score would be another one."""
    (tmp_path / "train.csv").write_text(german().replace(" ", ","), encoding="utf-8")
    (tmp_path / "notes.md").write_text("read me", encoding="utf-8")
    assert "files of the folder that are not read: notes.md" in load_task("tabular-classification", tmp_path).notes
    (tmp_path / "adult.test").write_text("1,2", encoding="utf-8")
    with pytest.raises(DataError, match=r"adult\.test is no table by its name .*no other test part; call it test\.csv"):
        load_task("tabular-classification", tmp_path)
    (tmp_path / "test.csv").write_text(german(20).replace(" ", ","), encoding="utf-8")
    notes = load_task("tabular-classification", tmp_path).notes
    assert "files of the folder that are not read: adult.test, notes.md" in notes


def test_a_test_file_whose_targets_are_empty_is_to_be_taken_out(tmp_path: Path) -> None:
    """As Kaggle gives it."""
    (tmp_path / "train.csv").write_text(
        "age,label\n" + "".join(f"{n},{'ab'[n % 2]}\n" for n in range(40)), encoding="utf-8"
    )
    (tmp_path / "test.csv").write_text("age,label\n" + "".join(f"{n},\n" for n in range(9)), encoding="utf-8")
    with pytest.raises(DataError, match=r"test\.csv: column 'label', the target, has no values; take the file out"):
        load_task("tabular-classification", tmp_path)
