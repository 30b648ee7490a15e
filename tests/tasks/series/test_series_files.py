"""Files of series as people have them: several series below each other, other dates and numbers, small units, names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from netwright import nn
from netwright.errors import DataError, SpecError
from netwright.export.runtimes import series as runtime
from netwright.tasks.series import SeriesClassification, SeriesForecasting
from netwright.tasks.series.gaps import filled
from netwright.tasks.series.reading import Timeline, read_timeline
from netwright.tasks.series.windows import cut
from netwright.tasks.tabular.reading import looks_like_names


def read(path: Path, head: str, rows: list[str], targets: str = "") -> Timeline:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return read_timeline(path, targets)


def days(count: int = 40) -> list[str]:
    return [str(np.datetime64("2024-01-01") + day) for day in range(count)]


def set_constants(monkeypatch: pytest.MonkeyPatch, task: SeriesForecasting | SeriesClassification) -> None:
    """Give the runtime what is written into model.py."""
    info = task.export_info()
    for name, value in {"INPUT_SHAPE": info.input_shape, "CLASS_NAMES": info.class_names, **info.constants}.items():
        monkeypatch.setattr(runtime, name, value)


@pytest.mark.parametrize("name", ["ds", "timestamp"])
@pytest.mark.parametrize("as_numbers", [False, True])
def test_series_below_each_other_are_refused(tmp_path: Path, name: str, as_numbers: bool) -> None:
    """Their times go up and down: windows would lie across two of them."""
    times = [str(1000 + 7 * n * n) for n in range(40)] if as_numbers else days()
    rows = [f"{shop},{time},{n % 7}" for shop in "ab" for n, time in enumerate(times)]
    with pytest.raises(DataError, match=rf"a\.csv: column '{name}' goes up and down.*several series.*frame\.pivot"):
        read(tmp_path / "a.csv", f"shop,{name},sales", rows)
    assert read(tmp_path / "a.csv", f"shop,{name},sales", rows[:40]).names == ("sales",)


@pytest.mark.parametrize("shops", [["a", "b", "c"], ["1", "2", "3"]])
def test_series_whose_rows_alternate_are_refused(tmp_path: Path, shops: list[str]) -> None:
    """Each time has a row of each; which column tells them apart is named."""
    rows = [f"{day},{shop},{(n + len(shop)) % 7}" for n, day in enumerate(days()) for shop in shops]
    with pytest.raises(
        DataError, match=r"a\.csv: column 'shop' tells several series apart, .* 'day'; give each series"
    ):
        read(tmp_path / "a.csv", "day,shop,sales", rows)


def test_another_date_may_go_up_and_down(tmp_path: Path) -> None:
    """Where one column tells the time of the rows; and 'time' may be a channel."""
    rows = [f"{day},2020-01-{1 + n * 7 % 28:02d},{n * 5 % 11}" for n, day in enumerate(days())]
    assert read(tmp_path / "a.csv", "day,built,time", rows).names == ("time",)


def test_steps_that_are_longer_than_usual_are_told(tmp_path: Path) -> None:
    """Stamps that are missing, and rows of one time."""
    rows = [f"{day},{n % 7}" for n, day in enumerate(days()) if n not in (5, 6, 20)]
    notes = read(tmp_path / "a.csv", "day,load", [*rows, rows[-1]]).notes
    end = "rows are taken for equally far apart"
    assert f"column 'day': 1 rows have the time of the row before; {end}" in notes
    assert f"column 'day': 2 of 37 steps are longer than usual (1 days), the longest 3 days; {end}" in notes
    months = [f"{2020 + n // 12}-{1 + n % 12:02d}-01,{n % 7}" for n in range(40)]
    assert not any("longer" in note for note in read(tmp_path / "a.csv", "day,load", months).notes)


@pytest.mark.parametrize("form", ["{m}/{d}/2024", "{d}.{m}.2024", "{m}/{d}/24 4:00 PM"])
def test_the_newest_row_first_is_refused_in_other_dates(tmp_path: Path, form: str) -> None:
    """Month or day first."""
    rows = [f"{form.format(m=1 + n // 28, d=1 + n % 28)},{n % 7}" for n in range(56)]
    with pytest.raises(DataError, match=r"column 'at' falls from the first row to the last"):
        read(tmp_path / "a.csv", "at,load", rows[::-1])
    assert read(tmp_path / "a.csv", "at,load", rows).names == ("load",)


def test_the_index_of_a_frame_tells_the_time() -> None:
    """Of one whose newest row comes first, and of one in no order."""

    class Frame(dict):  # type: ignore[type-arg]
        def __init__(self, index: np.ndarray) -> None:
            super().__init__(load=np.arange(40) % 7)
            self.index = index

        @property
        def columns(self) -> list[str]:
            return list(self)

    stamps = np.array(days(), dtype="datetime64[us]")
    assert read_timeline(Frame(stamps)).names == ("load",)
    with pytest.raises(DataError, match=r"the data frame: column 'the index' falls"):
        read_timeline(Frame(stamps[::-1]))
    with pytest.raises(DataError, match=r"the data frame: column 'the index' goes up and down"):
        read_timeline(Frame(np.roll(stamps, 7)))


@pytest.mark.parametrize("header", [True, False])
def test_decimal_commas_are_read_by_model_py_as_in_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: bool
) -> None:
    """With names or without; they are told."""
    rows = [f"{n % 28 + 1}.{n // 28 + 1}.2024;{n % 7},5;{'' if n == 57 else f'1.{n % 9}00,25 €'}" for n in range(60)]
    path = tmp_path / "a.csv"
    line = read(path, "day;load;price" if header else rows[0], rows if header else rows[1:])
    assert line.names == (("load", "price") if header else ("column2", "column3"))
    assert line.values[:, 1].tolist() == [1.5, 1100.25]
    task = SeriesForecasting.load(path, horizon=2, window=8)
    info = task.export_info()
    for name, value in {"INPUT_SHAPE": info.input_shape, **info.constants}.items():
        monkeypatch.setattr(runtime, name, value)
    found, gaps = runtime.read_series(path)
    assert gaps == 1
    assert np.array_equal(filled(line.values)[None, :, -8:], found.numpy())


def test_a_column_that_never_changes_is_no_channel(tmp_path: Path) -> None:
    """Its errors would have no scale; one that is asked for is refused, be it only the same in the training part."""
    rows = [f"{n % 7},3,{int(n > 90)}" for n in range(100)]
    line = read(tmp_path / "a.csv", "load,flag,late", rows)
    assert line.names == ("load", "late")
    assert "column 'flag' is left out: all its values are 3" in line.notes
    with pytest.raises(DataError, match=r"a\.csv: all values of the column 'flag' are 3; name another \(targets\)"):
        read_timeline(tmp_path / "a.csv", "flag")
    with pytest.raises(DataError, match=r"a: all values of 'late' in the training part \(the first 70 steps\) are 0"):
        cut(line, 2, 4, 1, (0.1, 0.2))
    task = SeriesForecasting.load(tmp_path / "a.csv", targets="load", horizon=2, window=4)
    assert task.names == ("load", "late")


def test_numbers_that_float32_cannot_hold_are_told_or_refused(tmp_path: Path) -> None:
    """Of a target those that it merges, of any channel those beyond it."""
    meter = [f"{1_700_000_000 + 20 * (n * n % 101)},{n % 7}" for n in range(101)]
    with pytest.raises(DataError, match=r"numbers of the column 'meter' reach 1\.7e\+09 .*subtract a number"):
        read(tmp_path / "a.csv", "meter,load", meter)
    assert read(tmp_path / "a.csv", "meter,load", meter, "load").names == ("load", "meter")
    some = [f"{1_700_000_000 + 60 * (n * 37 % 101)},{n % 7}" for n in range(101)]
    assert any("float32 merges" in note for note in read(tmp_path / "a.csv", "meter,load", some).notes)
    large = [f"{'1e39' if n == 5 else n % 5},{n % 7}" for n in range(40)]
    with pytest.raises(DataError, match="column 'x' has numbers beyond float32"):
        read(tmp_path / "a.csv", "x,load", large, "load")


def arrays(path: Path, **changes: np.ndarray) -> Path:
    x = np.random.default_rng(0).normal(size=(30, 2, 8))
    np.savez(path, **{"x_train": x, "y_train": np.arange(30) % 2, **changes})  # type: ignore[arg-type]
    return path


def test_arrays_may_name_the_classes(tmp_path: Path) -> None:
    """Those of the labels 0, 1, 2, ...; labels that are among the names are themselves."""
    names = np.array(["run", "walk", "sit"])
    assert SeriesClassification.load(arrays(tmp_path / "a.npz", classes=names)).class_names == ("run", "walk")
    ones = {"y_train": 1 + np.arange(30) % 2, "classes": np.array(["1", "2"])}
    assert SeriesClassification.load(arrays(tmp_path / "a.npz", **ones)).class_names == ("1", "2")
    few = {"y_train": 5 + np.arange(30) % 2, "classes": names}
    assert SeriesClassification.load(arrays(tmp_path / "a.npz", **few)).class_names == ("5", "6")


@pytest.mark.parametrize("name", ["x_valid", "X_test", "y_validation"])
def test_arrays_with_misspelt_names_are_refused(tmp_path: Path, name: str) -> None:
    """They would be passed over."""
    near = {"x_valid": "x_val", "X_test": "x_test", "y_validation": "y_val"}[name]
    with pytest.raises(DataError, match=rf"a\.npz has an array '{name}'; did you mean {near}\?"):
        SeriesClassification.load(arrays(tmp_path / "a.npz", **{name: np.zeros(3)}))
    assert SeriesClassification.load(arrays(tmp_path / "a.npz", speaker=np.zeros(3))).num_classes == 2


def test_steps_in_the_place_of_channels_are_told(tmp_path: Path) -> None:
    """More channels than steps are seldom meant."""
    x = np.random.default_rng(0).normal(size=(30, 8, 2))
    padded = np.concatenate([x, x, x[:, :, :1]], axis=2)
    notes = SeriesClassification.load(arrays(tmp_path / "a.npz", x_train=padded)).notes
    assert any("8 channels of 5 steps; arrays are (N, channels, length), so turn them" in note for note in notes)
    assert SeriesClassification.load(arrays(tmp_path / "a.npz")).notes == ()


def test_a_line_that_numbers_the_columns_is_no_series(tmp_path: Path) -> None:
    """As pandas writes it above a frame without names."""
    rows = [f"{n % 2},{n % 5},1,{n % 3},4" for n in range(40)]
    (tmp_path / "a.csv").write_text("\n".join(["0,1,2,3,4", *rows]) + "\n", encoding="utf-8")
    task = SeriesClassification.load(tmp_path / "a.csv")
    assert sum(len(part[1]) for part in (task.train(), task.validation(), task.test())) == 40
    assert "a.csv: the first line only numbers the columns and is left out" in task.notes


@pytest.mark.parametrize("normalisation", ["channel", "series"])
def test_the_unit_of_a_series_does_not_matter(tmp_path: Path, normalisation: str) -> None:
    """Of tesla or of volts networks see the same."""
    x = np.random.default_rng(0).normal(size=(30, 2, 8))
    seen = []
    for unit in (1.0, 1e-13):
        path = arrays(tmp_path / "a.npz", x_train=unit * x)
        task = SeriesClassification.load(path, normalisation=normalisation)  # type: ignore[arg-type]
        front = task.front()
        assert front is not None
        model = nn.build(front, input_shape=task.input_shape, seed=0)
        seen.append(model(torch.from_numpy(task.train()[0])))
    assert float(seen[0].std()) == pytest.approx(1.0, abs=0.1)
    assert torch.allclose(seen[0], seen[1], atol=1e-3)


@pytest.mark.parametrize("kind", [">f8", "<u2", "<f2", "?"])
def test_arrays_of_any_type_are_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Also those of another order of bytes, or of types that torch lacks."""
    values = (np.arange(16) % 5).reshape(2, 1, 8).astype(kind)
    np.save(tmp_path / "a.npy", values)
    monkeypatch.setattr(runtime, "INPUT_SHAPE", (1, 8))
    found, gaps = runtime.read_series(tmp_path / "a.npy")
    assert gaps == 0
    assert np.array_equal(values.astype(np.float32), found.numpy())


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ("date,0,1,oil", ("0", "1", "oil")),
        ("date,1,2,3", ("1", "2", "3")),
        (",0,1,2", ("0", "1", "2")),
        ("oil,20,21,22,23", ("oil", "20", "21", "22", "23")),
    ],
)
def test_numbers_that_count_on_are_names_beside_a_word(tmp_path: Path, head: str, names: tuple[str, ...]) -> None:
    """As in the electricity and traffic tables, or of a frame that pandas wrote with an index of dates."""
    first = days() if "oil,2" not in head else [f"{n * n % 11}" for n in range(40)]
    rows = [
        ",".join([day, *(str(n * place % 7) for place in range(3, 3 + head.count(",")))]) for n, day in enumerate(first)
    ]
    line = read(tmp_path / "a.csv", head, rows)
    assert (line.names, line.header) == (names, True)
    assert line.values.shape[1] == 40


@pytest.mark.parametrize(
    ("first", "below"),
    [
        ("2016-01-01,5", "2016-01-02,6"),
        ("a,1", "b,2"),
        ("?,3", "4,4"),
        ("soon,7", "4,4"),
        ("soon,0,2", "4,4,9"),
        (",0,1", "4.5,4,9"),
        ("Country,1960", "Chad,12"),
    ],
)
def test_rows_with_numbers_are_no_names(first: str, below: str) -> None:
    """Where they do not count on, or no word stands above numbers or dates."""
    assert not looks_like_names(first.split(","), [below.split(",")] * 9)


def test_an_option_says_whether_there_are_names(tmp_path: Path) -> None:
    """As of tables."""
    rows = [f"{n % 7},{n % 5}" for n in range(1960, 2060)]
    read(tmp_path / "a.csv", "2019,2020", rows)
    assert SeriesForecasting.load(tmp_path / "a.csv", horizon=2, header="yes").names == ("2019", "2020")
    assert SeriesForecasting.load(tmp_path / "a.csv", horizon=2, header="no").names == ("column1", "column2")
    with pytest.raises(SpecError, match="header must be auto, yes or no"):
        SeriesForecasting.load(tmp_path / "a.csv", header="maybe")  # type: ignore[arg-type]


def test_gaps_of_a_single_column_are_gaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that pandas writes as quotes with nothing between; empty lines are none."""
    rows = ["1", '""', "3", "", "   "] * 20
    line = read(tmp_path / "a.csv", "load", rows)
    assert line.values.shape == (1, 60)
    assert np.isnan(line.values[0, 1::3]).all()
    set_constants(monkeypatch, SeriesForecasting.load(tmp_path / "a.csv", horizon=1, window=6, season=3))
    assert runtime.read_series(tmp_path / "a.csv")[1] == 2


def test_empty_rows_at_the_end_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As spreadsheets leave them; those before are gaps. model.py does the same."""
    rows = [f"{day},{n % 7},{n % 5}" if n != 20 else ",," for n, day in enumerate(days())]
    wanted = read(tmp_path / "a.csv", "day,load,temp", rows).values
    assert np.isnan(wanted[:, 20]).all()
    found = read(tmp_path / "b.csv", "day,load,temp", [*rows, *[",,"] * 9, " , ,"]).values
    assert np.array_equal(wanted, found, equal_nan=True)
    set_constants(monkeypatch, SeriesForecasting.load(tmp_path / "b.csv", horizon=1, window=8))
    series, gaps = runtime.read_series(tmp_path / "b.csv")
    assert gaps == 0
    assert np.array_equal(wanted[None, :, -8:], series.numpy())


@pytest.mark.parametrize("head", ["label,0,1,2,3", "label,1,2,3,4", ",0,1,2,3"])
@pytest.mark.parametrize("labels", ["01", "ab"])
def test_names_of_values_are_no_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: str, labels: str) -> None:
    """As pandas writes them behind the name of the class, in each file of a folder; model.py leaves them out, too."""
    for part, count in (("train", 20), ("val", 10), ("test", 10)):
        rows = [f"{labels[n % 2]},{n % 5},1,{n % 3},4" for n in range(count)]
        (tmp_path / f"{part}.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    task = SeriesClassification.load(tmp_path)
    assert task.class_names == tuple(labels)
    assert [len(part[1]) for part in (task.train(), task.validation(), task.test())] == [20, 10, 10]
    assert "train.csv: the first line only numbers the columns and is left out" in task.notes
    set_constants(monkeypatch, task)
    assert np.array_equal(task.train()[0], runtime.read_series(tmp_path / "train.csv")[0].numpy())


def test_a_series_that_counts_is_a_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its class is one of the others'."""
    rows = ["a,0,1,2,3,4", *(f"{'ab'[n % 2]},{n % 5},1,{n % 3},4,{n % 2}" for n in range(39))]
    (tmp_path / "a.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    task = SeriesClassification.load(tmp_path / "a.csv")
    assert sum(len(part[1]) for part in (task.train(), task.validation(), task.test())) == 40
    set_constants(monkeypatch, task)
    assert len(runtime.read_series(tmp_path / "a.csv")[0]) == 40


def test_files_of_the_archive_that_are_no_tables_are_named(tmp_path: Path) -> None:
    """With how to write them, alone or in a folder; beside a table (here of blanks between values) they are left."""
    (tmp_path / "Gun_TRAIN.ts").write_text("# comment\n@data\n1,2,3,4,5:1\n", encoding="utf-8")
    (tmp_path / "README.txt").write_text("of guns", encoding="utf-8")
    for path in (tmp_path, tmp_path / "Gun_TRAIN.ts"):
        with pytest.raises(DataError, match=r"Gun_TRAIN\.ts is a file of sktime or Weka, no table; write it as npz"):
            SeriesClassification.load(path)
    rows = [f"  {n % 2}.0e+00  -7.5e-01  {n}  3  4" for n in range(30)]
    (tmp_path / "Gun_TRAIN.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert SeriesClassification.load(tmp_path).input_shape == (1, 4)


def test_steps_before_channels_are_refused(tmp_path: Path) -> None:
    """Fewer steps than networks take: Keras has its arrays so."""
    x = np.zeros((30, 50, 1))
    with pytest.raises(DataError, match=r"x_train of a\.npz: 50 channels of 1 steps; .*x\.transpose\(0, 2, 1\)"):
        SeriesClassification.load(arrays(tmp_path / "a.npz", x_train=x))
    with pytest.raises(DataError, match=r"x_train of a\.npz: series of 3 steps; networks need 4 or more"):
        SeriesClassification.load(arrays(tmp_path / "a.npz", x_train=x[:, :3].transpose(0, 2, 1)))


def test_infinite_values_of_a_frame_are_no_gaps() -> None:
    """As those of a file."""

    class Frame(dict):  # type: ignore[type-arg]
        @property
        def columns(self) -> list[str]:
            return list(self)

    load = np.arange(40.0) % 7
    load[3] = np.inf
    with pytest.raises(DataError, match=r"the data frame, row 3: 'inf' in 'load'; mend it"):
        read_timeline(Frame(load=load))
