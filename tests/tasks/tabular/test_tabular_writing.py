"""How files write numbers, columns and dates: found in training, and read by model.py in the same way."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pytest

from netwright.cells import delimiter_of
from netwright.errors import DataError
from netwright.export.runtimes import delimited
from netwright.export.runtimes import table as runtime
from netwright.export.source import model_source
from netwright.space import OpTerm
from netwright.tasks.tabular import TabularClassification, TabularRegression
from netwright.tasks.tabular.amounts import plain_number
from netwright.tasks.tabular.dates import date_order, days_of
from netwright.tasks.tabular.marks import decimal_mark, made_plain
from netwright.tasks.tabular.parts import read_parts
from netwright.tasks.tabular.reading import looks_like_names, read_table

Task = TabularClassification | TabularRegression


def write(path: Path, rows: list[str], head: str = "") -> Path:
    path.write_text("\n".join([*([head] if head else []), *rows]) + "\n", encoding="utf-8")
    return path


def by_model(monkeypatch: pytest.MonkeyPatch, task: Task, path: Path) -> np.ndarray:
    """A file's rows as model.py encodes them."""
    for name, value in task.export_info().constants.items():
        monkeypatch.setattr(runtime, name, value)
    return runtime.encode(*runtime.read_rows(path), path)[0].numpy()


def by_task(task: Task, path: Path) -> np.ndarray:
    table = made_plain(read_parts(path, "yes" if task.rows.header else "no").train, task.rows.marks)
    return task.rows.encoding.encode(table).rows


@pytest.mark.parametrize(
    ("cell", "mark", "plain"),
    [
        ("1,5", ",", "1.5"),
        ("1.234,50 €", ",", "1234.50"),
        ("€1,234.50", ".", "1234.50"),
        ("$-5", ".", "-5"),
        ("(1,234)", ".", "-1234"),
        ("45 %", ".", "45"),
        ("1 234 567,8", ",", "1234567.8"),
        ("1'234.5", ".", "1234.5"),
        ("1,5E+03", ",", "1.5E+03"),
        (",5", ",", "0.5"),
        ("12", ",", "12"),
        ("1,23", ".", "1,23"),
        ("0,123", ".", "0,123"),
        ("1.5", ",", "1.5"),
        ("31.12.2024", ",", "31.12.2024"),
        ("E5", ".", "E5"),
        ("-", ".", "-"),
        ("12,34,567", ".", "12,34,567"),
    ],
)
def test_numbers_with_marks_are_made_plain(cell: str, mark: str, plain: str) -> None:
    """Decimal marks, thousands, currencies, per cent and brackets; what is no such number stays."""
    assert plain == plain_number(cell, mark)


@pytest.mark.parametrize(
    ("cells", "mark"),
    [
        (["1,5", "2", ""], ","),
        (["1,234", "56"], "."),
        (["0,123", "1,234"], ","),
        (["5%", "10%"], "."),
        (["1,5"] * 60 + ["-"] * 40, ","),
        (["1.5", "2"], ""),
        (["1.234"] * 99 + ["1,5"], ""),
        (["$5", "€6"], ""),
        (["1,2", "1,2,3", "4"], ""),
        (["a", "b"], ""),
        ([], ""),
    ],
)
def test_a_column_tells_its_decimal_mark(cells: list[str], mark: str) -> None:
    """One mark and one unit for nearly all of its cells, a word for what is missing aside."""
    assert mark == decimal_mark(cells)


@pytest.mark.parametrize("head", ["", "size;share;price;pay"])
def test_a_table_with_decimal_commas_is_one_of_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: str
) -> None:
    """With names or without; inputs, the target, and what model.py reads; each column is told with an example."""
    rows = [f"{i % 37},5;{i % 11} %;1.{i % 9}00,50 €;{i * 7 % 100},25" for i in range(100)]
    path = write(tmp_path / "a.csv", rows, head)
    task = TabularRegression.load(path)
    plain = [f"{i % 37}.5,{i % 11},1{i % 9}00.50,{i * 7 % 100}.25" for i in range(100)]
    same = TabularRegression.load(write(tmp_path / "b.csv", plain, head.replace(";", ",")))
    assert np.array_equal(same.train()[0], task.train()[0])
    assert np.array_equal(same.test()[1], task.test()[1])
    assert np.array_equal(by_task(task, path), by_model(monkeypatch, task, path))
    name = "price" if head else "column3"
    assert f"column '{name}' has numbers such as '1.000,50 €', read as 1000.50" in task.notes


def test_the_training_part_says_how_numbers_are_written(tmp_path: Path) -> None:
    """Also those of a test part that could be read in another way; classes are never rewritten."""
    (tmp_path / "d").mkdir()
    write(tmp_path / "d" / "train.csv", [f'"{i},5";{"5%" if i % 2 else "10%"}' for i in range(40)], "x;label")
    write(tmp_path / "d" / "test.csv", ['"1,500";5%', '"39,500";10%'], "x;label")
    task = TabularClassification.load(tmp_path / "d")
    assert task.class_names == ("10%", "5%")
    low, high = task.test()[0][:, 0]
    assert low < -1 < 1 < high


def test_columns_that_are_categories_stay_as_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an option says so."""
    rows = [f"{(i % 3) * 10}%;{i};{'ab'[i % 2]}" for i in range(60)]
    path = write(tmp_path / "a.csv", rows, "band;x;label")
    task = TabularClassification.load(path, categorical="band")
    assert task.rows.encoding.categories[0].values == ("0%", "10%", "20%")
    assert np.array_equal(by_task(task, path), by_model(monkeypatch, task, path))


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("1,5;2,5;a\n3,5;4,5;b\n", ";"),
        ("a,b,c\n1,2,x;y\n", ","),
        ("x;y,1\nz,2\nu,3\n", ","),
        ("a\tb,c\n1\t2,5\n", "\t"),
        ('"a;b";"c, d"\n"1";"2, 3"\n', ";"),
        ("a;b\n1;2\n3\n", ";"),
        ("a\n1\n", ","),
        ("", ","),
        ("\n\na|b\n1|2\n", "|"),
    ],
)
def test_the_delimiter_cuts_rows_evenly(text: str, delimiter: str) -> None:
    """A comma comes last, since it stands in numbers, too."""
    file = io.StringIO(text, newline="")
    assert delimiter == delimiter_of(file)
    assert file.read() == text


def test_delimiters_at_the_ends_of_lines_make_no_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first line still holds names, and the last column is the last one that has something."""
    rows = [f"{i},{i % 5},{'ab'[i % 2]}," for i in range(60)]
    path = write(tmp_path / "a.csv", rows, "x,y1,kind,")
    task = TabularClassification.load(path)
    assert (task.rows.columns, task.rows.target) == (("x", "y1", "kind"), "kind")
    assert np.array_equal(by_task(task, path), by_model(monkeypatch, task, path))
    other = write(tmp_path / "b.csv", ["1,2,", "3,4,5"], "x,z,")
    assert read_table(other, header="yes").names == ("x", "z", "column3")


@pytest.mark.parametrize(
    ("first", "rest", "expected"),
    [
        (["0", "1", "2", "3"], [["5.1", "3.5", "1.4", "a"]], True),
        (["0", "1", "2"], [["5", "3", "a"]], False),
        (["1,5", "a"], [["2,5", "b"]], False),
        (["1.200", "a"], [["2.300", "b"]], False),
    ],
)
def test_a_first_line_of_numbers(first: list[str], rest: list[list[str]], expected: bool) -> None:
    """0, 1, 2, 3 are names of a frame that has none; numbers with a decimal comma are no names."""
    assert expected == looks_like_names(first, rest)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PK\x03\x04rest", r"bad\.csv is a zip or an Excel file, no text; save the table as CSV"),
        (b"\xd0\xcf\x11\xe0rest", r"bad\.csv is an Excel file"),
        ("a\tb\n1\té\n".encode("utf-16"), r"iconv -f utf-16 -t utf-8"),
    ],
)
def test_files_of_other_programs_are_named(tmp_path: Path, content: bytes, says: str) -> None:
    """With the cure, also where they are gzipped."""
    for data in (content, gzip.compress(content)):
        (tmp_path / "bad.csv").write_bytes(data)
        with pytest.raises(DataError, match=says):
            read_table(tmp_path / "bad.csv")


def test_words_of_spreadsheets_are_missing_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In training and in model.py."""
    words = ("#DIV/0!", "-nan", "#N/A N/A", "1.#QNAN")
    rows = [f"{words[i // 10 % 4] if i % 10 == 0 else i},{'ab'[i % 2]}" for i in range(80)]
    path = write(tmp_path / "a.csv", rows, "x,label")
    task = TabularClassification.load(path)
    assert [(c.name, c.indicated) for c in task.rows.encoding.numbers] == [("x", True)]
    found = by_model(monkeypatch, task, path)
    assert np.array_equal(by_task(task, path), found)
    assert found[:, 1].sum() == 8


def test_model_py_swallows_no_lines(tmp_path: Path) -> None:
    """Quotes that do not close are an error there, too."""
    path = write(tmp_path / "a.csv", ['1,"x', "2,y"], "a,b")
    with pytest.raises(ValueError, match=r"a\.csv, line \d+: no CSV"):
        list(delimited.read_cells(path))


def test_what_is_no_frame_is_refused() -> None:
    """With what it is."""
    with pytest.raises(DataError, match="data must be a path or a data frame, got ndarray"):
        TabularClassification.load(np.zeros((4, 2)))


def test_an_index_in_a_parquet_file_is_left_out(tmp_path: Path) -> None:
    """Whatever it holds; it is not the last column, which is the target."""
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    for index in ([3 * i for i in range(40)], [f"row{i}" for i in range(40)]):
        columns = {"x": [i % 7 for i in range(40)], "pay": [i * 1.5 for i in range(40)], "__index_level_0__": index}
        parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
        task = TabularRegression.load(tmp_path / "a.parquet")
        assert (task.rows.columns, task.rows.target) == (("x", "pay"), "pay")
        assert task.notes == ("column '__index_level_0__' is the index of a data frame and is left out",)


def test_times_in_nanoseconds_are_read_from_parquet(tmp_path: Path) -> None:
    """Without pandas, which Arrow wants for them."""
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    start = 1_700_000_000_000_000_001
    at = pa.array([start + i * 10**15 for i in range(5)], pa.timestamp("ns"))
    parquet.write_table(pa.table({"at": at, "y": list(range(5))}), tmp_path / "a.parquet")
    days = [days_of(cell) for cell in read_table(tmp_path / "a.parquet").column("at")]
    assert days == pytest.approx([(start / 1e9 + i * 1e6) / 86400 for i in range(5)], abs=1e-10)


def test_texts_without_a_mark_of_their_encoding_are_read_from_parquet(tmp_path: Path) -> None:
    """As the texts that a CSV file has."""
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table({"kind": [b"cook", "Köchin".encode(), None], "y": [1, 2, 3]}), tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet").column("kind") == ("cook", "Köchin", "")


@pytest.mark.parametrize(
    ("cell", "order", "days"),
    [
        ("2024-03-01 06:00:00+00", "ymd", 19783.25),
        ("2024-03-01 06:00:00 UTC", "ymd", 19783.25),
        ("2024/03/01", "ymd", 19783.0),
        ("1.3.2024", "dmy", 19783.0),
        ("01/03/24 6:00", "dmy", 19783.25),
        ("3/1/2024 6:00 PM", "mdy", 19783.75),
        ("3/1/2024, 12:00:00 am", "mdy", 19783.0),
        ("31-12-69", "dmy", -1.0),
    ],
)
def test_dates_in_other_orders_are_days(cell: str, order: str, days: float) -> None:
    """Day or month first, years of two digits, twelve hours, offsets without minutes."""
    assert days == pytest.approx(days_of(cell, order), abs=1e-9)


@pytest.mark.parametrize("cell", ["1.3/2024", "3/1/2024 13:00 PM", "13/1/2024", "1.3.202", "1/3"])
def test_what_is_no_date_of_an_order_is_none(cell: str) -> None:
    """Two kinds of marks, an hour that there is not, a month that there is not."""
    assert np.isnan(days_of(cell, "mdy"))


def test_a_column_of_dates_tells_the_order_of_their_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One in which nearly all are dates; it is told, and model.py reads them in it."""
    for order, form in (("dmy", "{d}.{m}.2024"), ("mdy", "{m}/{d}/2024 6:30 PM")):
        days = [form.format(d=1 + i % 28, m=1 + i // 28) for i in range(120)]
        rows = [f"{day},{i % 7},{'late' if i > 60 else 'early'}" for i, day in enumerate(days)]
        path = write(tmp_path / "a.csv", rows, "day,x,label")
        task = TabularClassification.load(path)
        assert [(c.name, c.order) for c in task.rows.encoding.numbers if c.dates] == [("day", order)]
        word = {"dmy": "day", "mdy": "month"}[order]
        assert f"column 'day' holds dates, the {word} first, and is read as days since the start of 1970" in task.notes
        found = by_model(monkeypatch, task, path)
        assert np.array_equal(by_task(task, path), found)
        assert (np.diff(found[:, 0]) >= 0).all()
    assert date_order(["1/2/2024", "3/4/2024"]) == ""


def test_what_reads_cells_is_written_into_model_py(tmp_path: Path) -> None:
    """Alone, it reads a file as training did."""
    rows = [f"{i % 31 + 1}.1.2024;{i % 37},5;{'ab'[i % 2]};{'xy'[i % 2]}" for i in range(100)]
    path = write(tmp_path / "a.csv", rows, "day;size;kind;label")
    task = TabularClassification.load(path)
    text = model_source(OpTerm("linear", (("features", 2),)), task.export_info())
    names: dict[str, object] = {"__name__": "model", "__file__": str(tmp_path / "model.py")}
    exec(compile(text, "model.py", "exec"), names)
    encoded, _ = names["encode"](*names["read_rows"](path), "x")  # type: ignore[operator]
    assert np.array_equal(by_task(task, path), encoded.numpy())
