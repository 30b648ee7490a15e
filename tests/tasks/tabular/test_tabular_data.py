"""Tables: reading, targets, splits, encodings, and what is wrong with a file."""

from __future__ import annotations

import gzip
import os
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from netwright.errors import DataError, SpecError
from netwright.tasks import load_task
from netwright.tasks.tabular import TabularClassification, TabularRegression
from netwright.tasks.tabular.dates import days_of
from netwright.tasks.tabular.encoding import Encoding, EncodingOptions
from netwright.tasks.tabular.reading import Table, looks_like_names, read_table


def lines(count: int = 60) -> list[str]:
    """Rows of age, job, pay and a class that follows from the age."""
    jobs = ["cook", "clerk", "smith"]
    return [f"{20 + i % 40},{jobs[i % 3]},{i * 1.5},{'old' if i % 40 > 20 else 'young'}" for i in range(count)]


def write(path: Path, rows: list[str], head: str = "age,job,pay,label") -> Path:
    path.write_text("\n".join([*([head] if head else []), *rows]) + "\n", encoding="utf-8")
    return path


def test_a_file_with_and_without_names_gives_the_same_rows(tmp_path: Path) -> None:
    """The header is found, and said where there is none; gzip makes no difference."""
    named = TabularClassification.load(write(tmp_path / "a.csv", lines()))
    bare = write(tmp_path / "b.csv", lines(), head="")
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(bare.read_bytes()))
    for path in (bare, tmp_path / "c.csv.gz"):
        plain = TabularClassification.load(path)
        assert np.array_equal(named.train()[0], plain.train()[0])
        assert any("holds no names" in note for note in plain.notes)
    assert named.notes == ()
    assert named.class_names == ("old", "young")


def test_the_target_is_found_or_named(tmp_path: Path) -> None:
    """A column called label, else the last; or by name, or number from either end."""
    rows = [f"{i},{'yes' if i % 3 else 'no'},{'a' if i % 2 else 'b'}" for i in range(60)]
    path = write(tmp_path / "a.csv", rows, "x,label,z")
    assert TabularClassification.load(path).rows.target == "label"
    assert TabularClassification.load(path, target="z").rows.target == "z"
    assert TabularClassification.load(path, target=-1).rows.target == "z"
    assert TabularClassification.load(path, target="2").rows.target == "label"
    with pytest.raises(SpecError, match=r"column as target 'labell'.*label"):
        TabularClassification.load(path, target="labell")
    with pytest.raises(SpecError, match="target must be a column from 1 to 3"):
        TabularClassification.load(path, target=4)


def test_what_is_learned_is_learned_on_the_training_part(tmp_path: Path) -> None:
    """A category of the test part alone is 'other', and a number beyond the training part's is its end."""
    (tmp_path / "d").mkdir()
    write(tmp_path / "d" / "train.csv", lines())
    write(tmp_path / "d" / "test.csv", ["500,pilot,1,old", "20,cook,?,young", "x,cook,1,young"])
    task = TabularClassification.load(tmp_path / "d")
    test = task.test()[0]
    assert test[0, 2] == 0
    assert test[0, 0] == task.train()[0][:, 0].max()
    assert test[1, 1] == 0
    assert test[1, 2] == 1 + ("clerk", "cook", "smith").index("cook")
    assert any("'other': 1 in 'job'" in note for note in task.notes)
    assert any("no numbers count as missing: 1 in 'age'" in note for note in task.notes)


def test_splits_keep_the_mix_of_classes(tmp_path: Path) -> None:
    """Stratified; the test part does not depend on the seed."""
    path = write(tmp_path / "a.csv", lines(400))
    first, second = (TabularClassification.load(path, seed=s) for s in (0, 1))
    assert np.array_equal(first.test()[0][:, 2], second.test()[0][:, 2])  # its categories; numbers are scaled by train
    assert not np.array_equal(first.validation()[0], second.validation()[0])
    shares = [float(part[1].mean()) for part in (first.train(), first.validation(), first.test())]
    assert max(shares) - min(shares) < 0.02


def test_numbers_become_normal_by_their_ranks() -> None:
    """Half of a column is below 0; equal values get the middle of their ranks; order is kept."""
    cells = tuple(str(v) for v in [0] * 50 + list(range(1, 51)))
    encoding = Encoding.learn(Table("t", ("x",), (cells,)), EncodingOptions())
    found = encoding.encode(Table("t", ("x",), (cells,))).rows[:, 0]
    assert (np.diff(found) >= 0).all()
    assert found[0] == pytest.approx(-0.674, abs=0.01)
    assert found[50] == pytest.approx(0.0125, abs=0.001)  # the 51st of 100


def test_missing_numbers_have_an_indicator_and_strings_an_other() -> None:
    """NaN, ?, NA and nothing are missing; rare strings are 'other'; a missing string is a value."""
    table = Table("t", ("x", "s"), (("1", "2", "", "3", ""), ("a", "a", "", "", "rare")))
    encoding = Encoding.learn(table, EncodingOptions())
    found = encoding.encode(table).rows
    assert [0, 0, 1, 0, 1] == found[:, 1].tolist()
    assert [0, 0] == found[[2, 4], 0].tolist()
    assert [2, 2, 1, 1, 0] == found[:, 2].tolist()


def test_useless_columns_are_left_out_and_named() -> None:
    """Constant ones, those without values, and names of rows."""
    ids = tuple(f"id{i}" for i in range(400))
    names, columns = ("c", "m", "i", "x"), (("7",) * 400, ("",) * 400, ids, tuple(map(str, range(400))))
    encoding = Encoding.learn(Table("t", names, columns), EncodingOptions())
    assert encoding.needed == ("x",)
    assert ["'c' is left out: all its values are '7'", "'m' is left out: all its values are missing"] == [
        note.removeprefix("column ") for note in encoding.notes[:2]
    ]
    assert "400 different texts in 400 rows name rows" in encoding.notes[2]


def test_huge_cardinalities_keep_the_frequent() -> None:
    """At most as many as allowed; all others are 'other'."""
    cells = tuple(f"v{i % 300}" for i in range(3000)) + ("often",) * 50
    encoding = Encoding.learn(Table("t", ("s",), (cells,)), EncodingOptions(most_categories=10))
    assert encoding.counts == (10,)
    assert "often" in encoding.categories[0].values


@pytest.mark.parametrize(
    ("first", "rest", "expected"),
    [
        (["a", "b"], [["1", "x"]], True),
        (["", "b"], [["0", "1.5"]], True),
        (["1", "b"], [["1", "x"]], False),
        (["u", "v"], [["u", "w"], ["x", "y"]], False),
        (["kind", "colour"], [["u", "w"], ["x", "y"]], True),
        (["a", "a"], [["1", "2"]], True),
        (["RI", "Na"], [["1.5", "x"]], True),
        (["cook", "NA"], [["smith", "3"]], False),
        (["kind", "NA"], [["u", "w"], ["x", "y"]], False),
        (["kind", ""], [["u", "1"], ["x", "2"]], False),
        (["", "0", "1"], [["0", "3", "x"], ["1", "4", "y"]], True),
        (["", "0", "1"], [["a", "3", "x"], ["b", "4", "y"]], False),
    ],
)
def test_names_are_told_from_rows(first: list[str], rest: list[list[str]], expected: bool) -> None:
    """No numbers among names, and something else below them."""
    assert expected == looks_like_names(first, rest)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", r"bad.csv is empty"),
        (b"a,b\n", r"bad.csv has names of columns, and no rows"),
        (b"a,b,label\n1,2,x\n1,2\n3,4,y\n", r"bad.csv, line 3: 2 cells, the table has 3 columns"),
        (b"a,a,label\n1,2,x\n3,4,y\n", r"1 name\(s\) of columns occur more than once: 'a'"),
        (b"a,b\n1,\xe9t\xe9\n", r"bad.csv, line 2: byte 0xe9 is no UTF-8; save the file as UTF-8"),
        (b"a,label\n1,x\n2,x\n3,x\n", r"column 'label', the target, has only the class 'x'"),
        (b"a,label\n1,\n2,?\n", r"column 'label', the target, has no values"),
        (b'a,label\n1,"x\n2,y\n', r"bad.csv, line \d+: no CSV"),
        (b"a,label\n1,x\n2,y\n1,x\n2,y\n5,z\n6,x\n7,y\n", r"1 class\(es\) have fewer than the 3 rows"),
        (b"a,label\n1,\0\n", r"bad.csv, line 2: a zero byte"),
        (b"\x1f\x8bno", r"damaged gzip"),
        (b"PAR1xxxx", r"is a Parquet file"),
    ],
)
def test_bad_files_are_named_with_their_line(tmp_path: Path, content: bytes, says: str) -> None:
    """One error, with what to do."""
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=says):
        load_task("tabular-classification", path)


def test_rows_without_a_target_are_left_out_and_counted(tmp_path: Path) -> None:
    """The documented repair."""
    path = write(tmp_path / "a.csv", [*lines(), "1,cook,2,", "3,cook,4,NA"])
    task = TabularClassification.load(path)
    assert "2 row(s) of a.csv without a target ('label') are left out" in task.notes


def test_unknown_labels_of_the_test_part(tmp_path: Path) -> None:
    """A full stop at the end is mended with a count, as UCI's adult needs; anything else is an error with its line."""
    (tmp_path / "d").mkdir()
    write(tmp_path / "d" / "train.csv", lines())
    test = write(tmp_path / "d" / "adult-test.csv", ["30,cook,1,old.", "20,cook,1,young."])
    assert any(
        "2 label(s) of adult-test.csv end in a full stop" in n for n in TabularClassification.load(test.parent).notes
    )
    write(test, ["30,cook,1,old", "20,cook,1,middling"])
    with pytest.raises(DataError, match=r"adult-test.csv, line 3: class 'middling' is not among .*'old', 'young'"):
        TabularClassification.load(test.parent)


def test_a_part_that_lacks_a_column_is_refused(tmp_path: Path) -> None:
    """And so are two files of one part."""
    (tmp_path / "d").mkdir()
    write(tmp_path / "d" / "train.csv", lines())
    write(tmp_path / "d" / "test.csv", ["30,1,old"], "age,pay,label")
    with pytest.raises(DataError, match=r"test.csv lacks 1 column\(s\) of train.csv: 'job'"):
        TabularClassification.load(tmp_path / "d")
    write(tmp_path / "d" / "train2.csv", lines())
    with pytest.raises(DataError, match=r"several files of the train part: train\.csv, train2\.csv"):
        TabularClassification.load(tmp_path / "d")


def test_a_target_of_numbers_must_be_numbers(tmp_path: Path) -> None:
    """With file and line; and a regression has units."""
    path = write(tmp_path / "a.csv", [f"{i},{2 * i + 100}" for i in range(60)], "x,y")
    task = TabularRegression.load(path)
    assert task.train()[1].shape[1:] == (1,)
    assert 100 < task.mean < 220
    write(path, [*(f"{i},{i}" for i in range(20)), "3,tall"], "x,y")
    with pytest.raises(DataError, match=r"a.csv, line 22: 'tall' in column 'y', the target, is no number"):
        TabularRegression.load(path)


def test_data_frames_and_parquet_say_what_files_say(tmp_path: Path) -> None:
    """A frame is anything with columns that can be listed."""
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = write(tmp_path / "a.csv", lines())
    table = read_table(path)
    pairs = zip(table.names, table.columns, strict=True)
    columns = {n: [float(v) for v in c] if n in ("age", "pay") else list(c) for n, c in pairs}

    class Column(list):  # type: ignore[type-arg]
        def tolist(self) -> list[object]:
            return list(self)

    class Frame:
        columns = table.names

        def __getitem__(self, name: str) -> Column:
            return Column(columns[name])

    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    from_csv, from_frame, from_parquet = (
        TabularClassification.load(data) for data in (path, Frame(), tmp_path / "a.parquet")
    )
    assert np.array_equal(from_csv.train()[0], from_frame.train()[0])
    assert np.array_equal(from_csv.train()[0], from_parquet.train()[0])
    assert from_csv.fingerprint() == from_parquet.fingerprint()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_of_real_libraries_say_what_files_say(tmp_path: Path, library: str) -> None:
    """Numbers, texts, truth values, dates, and missing ones of each."""
    frames = pytest.importorskip(library)
    rng = np.random.default_rng(0)
    days = [date(2020, 1, 1) + timedelta(days=int(number)) for number in rng.integers(0, 999, 120)]
    columns: dict[str, list[object]] = {
        "size": [None if place % 9 == 0 else float(value) for place, value in enumerate(rng.normal(size=120))],
        "count": rng.integers(0, 50, 120).tolist(),
        "kind": [("a", "b", None)[number] for number in rng.integers(0, 3, 120)],
        "open": [bool(number) for number in rng.integers(0, 2, 120)],
        "day": [None if place % 7 == 0 else day for place, day in enumerate(days)],
        "label": [("no", "yes")[number] for number in rng.integers(0, 2, 120)],
    }
    frame = frames.DataFrame(columns)
    if library == "pandas":
        frame.to_csv(tmp_path / "a.csv", index=False)
    else:
        frame.write_csv(tmp_path / "a.csv")
    from_frame = TabularClassification.load(frame, target="label")
    from_csv = TabularClassification.load(tmp_path / "a.csv", target="label")
    assert from_frame.rows.columns == from_csv.rows.columns == tuple(columns)
    values = [[c.values for c in task.rows.encoding.categories] for task in (from_frame, from_csv)]
    assert str(values[0]).lower() == str(values[1]).lower()  # polars writes true for True
    for part in ("train", "validation", "test"):
        for mine, other in zip(getattr(from_frame, part)(), getattr(from_csv, part)(), strict=True):
            assert np.array_equal(mine, other)


@pytest.mark.parametrize("word", ["none", "NA", "null", "?", "None", "nan"])
def test_a_class_may_be_called_as_a_missing_value(tmp_path: Path, word: str) -> None:
    """Among texts, where it stands three times; an empty cell, and a word that stands there less often, is missing."""
    rows = [f"{i},{'mild' if i % 3 else word}" for i in range(60)]
    task = TabularClassification.load(write(tmp_path / "a.csv", [*rows, "1,", "2,n/a", "3,n/a"], "x,label"))
    assert sorted(["mild", word]) == list(task.class_names)
    parts = (task.train(), task.validation(), task.test())
    assert sum(len(y) for _, y in parts) == 60
    lost, told = task.notes
    assert lost == "3 row(s) of a.csv without a target ('label') are left out"
    assert told.startswith(f"'{word}', which stands in 20 row(s) of a.csv, counts as a class of 'label', not as a")


def test_a_word_among_numbers_is_a_missing_value(tmp_path: Path) -> None:
    """In a target of numbers, of either task, however often it stands there; later parts follow the training part."""
    rows = [f"{i},{'NA' if i % 3 == 0 else i % 2}" for i in range(60)]
    path = write(tmp_path / "a.csv", rows, "x,label")
    assert TabularClassification.load(path).class_names == ("0", "1")
    assert "20 row(s) of a.csv without a target ('label') are left out" in TabularRegression.load(path).notes
    (tmp_path / "d").mkdir()
    write(tmp_path / "d" / "train.csv", [f"{i},{'none' if i % 2 else 'some'}" for i in range(40)], "x,label")
    write(tmp_path / "d" / "test.csv", ["1,none", "2,some", "3,NA"], "x,label")
    assert TabularClassification.load(tmp_path / "d").test()[1].tolist() == [0, 1]


def test_numbers_written_in_two_ways_are_one_class(tmp_path: Path) -> None:
    """1 and 1.0, in a part or between parts; 7 and 007 are two."""
    (tmp_path / "d").mkdir()
    train = write(tmp_path / "d" / "train.csv", [f"{i},{i % 2}{'.0' if i % 3 else ''}" for i in range(60)], "x,label")
    write(tmp_path / "d" / "test.csv", ["1,1.00", "2,0"], "x,label")
    task = TabularClassification.load(tmp_path / "d")
    assert task.class_names == ("0", "1")
    assert task.test()[1].tolist() == [1, 0]
    assert any(note.startswith("train.csv: classes that are one number in several ways") for note in task.notes)
    write(train, [f"{i},{'007' if i % 2 else '7'}" for i in range(60)], "x,label")
    assert TabularClassification.load(train).class_names == ("007", "7")


@pytest.mark.parametrize(
    ("cell", "days"),
    [
        ("2024-03-01", 19783.0),
        ("2024-03-01T06:00", 19783.25),
        ("2024-03-01 06:00:00.5Z", 19783.25 + 0.5 / 86400),
        ("2024-03-01T06:00:00-02:30", 19783.25 + 2.5 / 24),
        ("2024-03-01T06:00+0230", 19783.25 - 2.5 / 24),
        ("1969-12-31", -1.0),
    ],
)
def test_dates_are_days(cell: str, days: float) -> None:
    """ISO dates and times, with an offset or without."""
    assert days == pytest.approx(days_of(cell), abs=1e-9)


@pytest.mark.parametrize("cell", ["2024-02-30", "2024-3-1", "1.3.2024", "2024-03-01 24:00", "20240301", "", "2024-03"])
def test_what_is_no_date_is_none(cell: str) -> None:
    """Other forms, and days that there are not."""
    assert np.isnan(days_of(cell))


def test_a_column_of_dates_is_a_number(tmp_path: Path) -> None:
    """Where 98 % of its cells are, with a note; else, or where it is asked for, categories as ever."""
    days = [f"2024-{1 + i // 28 % 12:02d}-{1 + i % 28:02d}" for i in range(120)]
    rows = [f"{day},{i % 7},{'late' if i > 60 else 'early'}" for i, day in enumerate(days)]
    task = TabularClassification.load(write(tmp_path / "a.csv", [*rows, "soon,1,late", ",2,late"], "day,x,label"))
    encoding = task.rows.encoding
    assert [(column.name, column.dates) for column in encoding.numbers] == [("day", True), ("x", False)]
    assert "column 'day' holds dates and is read as days since the start of 1970" in task.notes
    found = encoding.encode(Table("t", ("day", "x"), (tuple(sorted(days)), ("1",) * 120))).rows[:, 0]
    assert (np.diff(found) >= 0).all()
    assert found[0] < -2 < 2 < found[-1]
    told = TabularClassification.load(tmp_path / "a.csv", categorical="day")
    assert [column.name for column in told.rows.encoding.numbers] == ["x"]
    mixed = [f"{'2024-03-01' if i % 2 else 'never'},{'a' if i % 3 else 'b'}" for i in range(60)]
    assert TabularClassification.load(write(tmp_path / "b.csv", mixed, "day,label")).rows.encoding.numbers == ()


@pytest.mark.parametrize("start", [10**17, 1_700_000_000_000_000_000])
def test_numbers_of_many_digits_stay_apart(start: int) -> None:
    """Identifiers, and times in nanoseconds: knots have all digits of a float64, in the constants of model.py too."""
    step = 1000
    cells = tuple(str(start + step * i) for i in range(400))
    encoding = Encoding.learn(Table("t", ("x",), (cells,)), EncodingOptions())
    assert (np.diff(encoding.encode(Table("t", ("x",), (cells,))).rows[:, 0]) > 0).mean() > 0.98
    values = encoding.numbers[0].values
    assert values == tuple(float(repr(value)) for value in values)
    assert len(set(values)) == len(values)


def test_a_target_that_float32_blurs_is_told_or_refused(tmp_path: Path) -> None:
    """Where it merges values, by how far it moves them beside their spread."""
    for spread, says in ((60, None), (30, "refused"), (1_000_000, "fine")):
        rows = [f"{i},{1_700_000_000 + spread * (i * 37 % 101)}" for i in range(101)]
        path = write(tmp_path / "a.csv", rows, "x,y")
        if says == "refused":
            with pytest.raises(DataError, match=r"a.csv: numbers of the target 'y' reach 1\.7e\+09.*subtract a number"):
                TabularRegression.load(path)
        else:
            notes = TabularRegression.load(path).notes
            assert any("float32 merges" in note for note in notes) == (says is None)


def test_a_table_that_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its cells, before they are read."""
    path = write(tmp_path / "a.csv", lines())
    needed = 32 * (61 * 4 + 1)
    monkeypatch.setattr(os, "sysconf", lambda name: 2 if name == "SC_PAGE_SIZE" else 2 * needed)
    assert len(read_table(path)) == 60
    monkeypatch.setattr(os, "sysconf", lambda name: 2 if name == "SC_PAGE_SIZE" else 2 * needed - 1)
    with pytest.raises(DataError, match=r"a\.csv: 245 cells take .* GiB in memory.*leave out rows or columns"):
        read_table(path)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_first_line_tells_the_delimiter(tmp_path: Path, end: str) -> None:
    """Whatever ends it, and where lines are empty before it."""
    (tmp_path / "a.csv").write_bytes(end.join(["", "a;b", "1,5;x", "2,5;y"]).encode())
    table = read_table(tmp_path / "a.csv")
    assert (table.names, table.columns) == (("a", "b"), (("1,5", "2,5"), ("x", "y")))


def test_a_target_may_be_called_as_a_number(tmp_path: Path) -> None:
    """The name comes first, then the place; a number with a zero before it is a name."""
    rows = [f"{'a' if i % 3 else 'b'},{i},{'c' if i % 2 else 'd'}" for i in range(60)]
    path = write(tmp_path / "a.csv", rows, "3,x,007")
    for given, found in ((3, "3"), ("007", "007"), (1, "3"), ("-1", "007")):
        assert TabularClassification.load(path, target=given, header="yes").rows.target == found
    with pytest.raises(SpecError, match="column as target '002'"):
        TabularClassification.load(path, target="002", header="yes")
