"""Names of columns: an index without one, words that also stand for a missing value; in training and in model.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netwright.errors import DataError
from netwright.export.runtimes import table as runtime
from netwright.tasks.tabular import TabularClassification, TabularRegression
from netwright.tasks.tabular.parts import read_parts


def write(path: Path, head: str, rows: list[str]) -> Path:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def rows_of(count: int = 40) -> list[str]:
    """A number, another, and a class."""
    return [f"{i * 7 % 11},{i % 4}.5,{'yes' if i % 3 else 'no'}" for i in range(count)]


def encoded_by_model(monkeypatch: pytest.MonkeyPatch, task: TabularClassification, path: Path) -> np.ndarray:
    """A file's rows as model.py encodes them."""
    for name, value in task.export_info().constants.items():
        monkeypatch.setattr(runtime, name, value)
    rows, _ = runtime.encode(*runtime.read_rows(path), path)
    return rows.numpy()


def encoded_by_task(task: TabularClassification, path: Path) -> np.ndarray:
    return task.rows.encoding.encode(read_parts(path).train).rows


@pytest.mark.parametrize(("name", "first"), [("", 0), ("", 1), ("Unnamed: 0", 0)])
def test_an_index_as_pandas_writes_it_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, first: int
) -> None:
    """With a note; model.py reads files with it and without."""
    plain = write(tmp_path / "a.csv", "a,b,label", rows_of())
    numbered = [f"{place},{row}" for place, row in enumerate(rows_of(), start=first)]
    path = write(tmp_path / "b.csv", f"{name},a,b,label", numbered)
    task = TabularClassification.load(path)
    assert task.rows.columns == ("a", "b", "label")
    assert task.notes == ("the first column of b.csv has no name, only counts the rows, and is left out",)
    assert np.array_equal(TabularClassification.load(plain).train()[0], task.train()[0])
    for asked in (plain, path):
        assert np.array_equal(encoded_by_task(task, plain), encoded_by_model(monkeypatch, task, asked))


def test_an_index_that_an_option_names_is_what_the_option_says(tmp_path: Path) -> None:
    """Left out once, or taken as a category, however it counts."""
    path = write(tmp_path / "a.csv", "Id,a,b,label", [f"{place},{row}" for place, row in enumerate(rows_of())])
    plain = write(tmp_path / "b.csv", "a,b,label", rows_of())
    without = TabularClassification.load(path, ignored="Id")
    assert np.array_equal(without.train()[0], TabularClassification.load(plain).train()[0])
    assert any("Id" in note for note in TabularClassification.load(path, categorical="Id").notes)


def test_an_index_of_a_test_file_may_go_on(tmp_path: Path) -> None:
    """The training part says whether there is one."""
    (tmp_path / "d").mkdir()
    numbered = [f"{place},{row}" for place, row in enumerate(rows_of())]
    write(tmp_path / "d" / "train.csv", ",a,b,label", numbered[:30])
    write(tmp_path / "d" / "test.csv", ",a,b,label", numbered[30:])
    task = TabularClassification.load(tmp_path / "d")
    assert task.rows.columns == ("a", "b", "label")
    assert len(task.test()[1]) == 10


def test_an_index_of_a_data_frame_file_is_left_out_too() -> None:
    """A frame that was read from such a file has it under the name that pandas gives."""

    class Frame(dict):  # type: ignore[type-arg]
        @property
        def columns(self) -> list[str]:
            return list(self)

        def __getitem__(self, name: str) -> np.ndarray:
            return np.array(super().__getitem__(name))

    frame = Frame({"Unnamed: 0": range(40), "a": [i % 7 for i in range(40)], "label": [i % 2 for i in range(40)]})
    assert TabularClassification.load(frame).rows.columns == ("a", "label")


def test_another_column_without_a_name_is_named_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its place, with a note; model.py finds it."""
    path = write(tmp_path / "a.csv", ",b,label", rows_of())
    task = TabularClassification.load(path)
    assert task.rows.columns == ("column1", "b", "label")
    assert task.notes == ("the first column of a.csv has no name of its own and is called 'column1'",)
    assert np.array_equal(encoded_by_task(task, path), encoded_by_model(monkeypatch, task, path))


@pytest.mark.parametrize("head", ["RI,Na,label", "NA,RI,label", "'RI',?,label"])
def test_names_that_look_like_missing_values_are_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: str
) -> None:
    """As sodium among the columns of a table of glass; training and model.py call them the same."""
    path = write(tmp_path / "a.csv", head, rows_of())
    task = TabularClassification.load(path)
    assert task.rows.columns == tuple(head.replace("'", "").split(","))
    assert np.array_equal(encoded_by_task(task, path), encoded_by_model(monkeypatch, task, path))
    turned = [",".join(row.split(",")[::-1]) for row in rows_of()]
    other = write(tmp_path / "b.csv", ",".join(head.split(",")[::-1]), turned)
    assert np.array_equal(encoded_by_task(task, path), encoded_by_model(monkeypatch, task, other))


@pytest.mark.parametrize("test", [["5,7"], ["5,7", "6,7", "8,7"]])
def test_a_later_part_of_a_regression_may_have_equal_targets(tmp_path: Path, test: list[str]) -> None:
    """Or one row alone; the training part may not."""
    (tmp_path / "d").mkdir()
    write(tmp_path / "d" / "train.csv", "x,y", [f"{i},{2 * i}" for i in range(40)])
    write(tmp_path / "d" / "val.csv", "x,y", test)
    write(tmp_path / "d" / "test.csv", "x,y", test)
    task = TabularRegression.load(tmp_path / "d")
    assert [7.0] * len(test) == task.test()[1].ravel().tolist() == task.validation()[1].ravel().tolist()
    write(tmp_path / "d" / "train.csv", "x,y", [f"{i},3" for i in range(40)])
    with pytest.raises(DataError, match=r"train\.csv: all values of the target 'y' are 3"):
        TabularRegression.load(tmp_path / "d")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "the first column of a.csv has no name, only counts the rows in another order, and is left out"),
        ("Unnamed: 0", "the first column of a.csv has no name, only counts the rows in another order, and is left out"),
        ("id", "column 'id' only counts the rows in another order and is left out"),
        ("Row-Number", "column 'Row-Number' only counts the rows in another order and is left out"),
    ],
)
def test_a_shuffled_index_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, says: str) -> None:
    """As a shuffled frame writes it; a column of another name, or with other numbers, stays."""
    rows = [f"{place * 7 % 40},{row}" for place, row in enumerate(rows_of())]
    path = write(tmp_path / "a.csv", f"{name},a,b,label", rows)
    task = TabularClassification.load(path)
    assert task.rows.columns == ("a", "b", "label")
    assert task.notes == (says,)
    assert np.array_equal(encoded_by_task(task, path), encoded_by_model(monkeypatch, task, path))
    assert len(TabularClassification.load(write(path, "size,a,b,label", rows)).rows.columns) == 4
    others = [f"{place * 7 % 41},{row}" for place, row in enumerate(rows_of())]
    assert len(TabularClassification.load(write(path, "id,a,b,label", others)).rows.columns) == 4


def test_an_index_that_is_the_target_stays(tmp_path: Path) -> None:
    """Where it is named."""
    path = write(tmp_path / "a.csv", "id,x", [f"{i},{i * 3 % 40}" for i in range(40)])
    assert TabularRegression.load(path, target="id").rows.columns == ("id", "x")


def test_columns_that_pandas_numbers_have_these_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first line of a frame without names is no row."""
    path = write(tmp_path / "a.csv", ",0,1,2", [f"{place},{row}" for place, row in enumerate(rows_of())])
    task = TabularClassification.load(path)
    assert task.rows.columns == ("0", "1", "2")
    assert sum(len(part[1]) for part in (task.train(), task.validation(), task.test())) == 40
    assert np.array_equal(encoded_by_task(task, path), encoded_by_model(monkeypatch, task, path))


def test_dates_are_read_by_model_py_as_in_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the last bit; what is none is missing and counted."""
    times = [
        f"2024-{1 + i % 12:02d}-{1 + i % 28:02d}T{i % 24:02d}:30:00{'Z' if i % 2 else '+05:30'}" for i in range(120)
    ]
    rows = [f"{time},{10**17 + i},{'yes' if i % 3 else 'no'}" for i, time in enumerate(times)]
    path = write(tmp_path / "a.csv", "at,stamp,label", rows)
    task = TabularClassification.load(path)
    assert np.array_equal(encoded_by_task(task, path), encoded_by_model(monkeypatch, task, path))
    names, cells = runtime.read_rows(write(path, "at,stamp", ["2024-13-01,1", "2024-12-01,x"]))
    _, notes = runtime.encode(names, cells, path)
    assert notes == [
        "at: 1 cell(s) are no dates and count as missing",
        "stamp: 1 cell(s) are no numbers and count as missing",
    ]
