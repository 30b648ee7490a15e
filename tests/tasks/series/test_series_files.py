"""Files of series as people have them: several series below each other, other dates and numbers, small units, names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from netwright import nn
from netwright.errors import DataError
from netwright.export.runtimes import series as runtime
from netwright.tasks.series import SeriesClassification, SeriesForecasting
from netwright.tasks.series.gaps import filled
from netwright.tasks.series.reading import Timeline, read_timeline
from netwright.tasks.series.windows import cut


def read(path: Path, head: str, rows: list[str], targets: str = "") -> Timeline:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return read_timeline(path, targets)


def days(count: int = 40) -> list[str]:
    return [str(np.datetime64("2024-01-01") + day) for day in range(count)]


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
