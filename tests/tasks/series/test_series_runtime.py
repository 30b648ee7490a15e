"""What an exported model.py reads of time series: all that training reads from text, with gaps filled as there."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from netwright.export.runtimes import series as runtime
from netwright.export.source import model_source
from netwright.space import OpTerm
from netwright.tasks.base import ExportInfo
from netwright.tasks.series import SeriesClassification, SeriesForecasting
from netwright.tasks.series.gaps import filled
from netwright.tasks.series.reading import read_labelled, read_timeline

Setter = Callable[[ExportInfo], None]


@pytest.fixture
def as_of(monkeypatch: pytest.MonkeyPatch) -> Setter:
    """Give the runtime the constants that are written into model.py."""

    def set_constants(info: ExportInfo) -> None:
        named = {"INPUT_SHAPE": info.input_shape, "CLASS_NAMES": info.class_names, **info.constants}
        for name, value in named.items():
            monkeypatch.setattr(runtime, name, value)

    return set_constants


def table(path: Path, *, delimiter: str = ",", header: bool = True, steps: int = 60) -> Path:
    """Dates, a load and a temperature; some are missing, also at the start of the last window of 8 steps."""
    rng = np.random.default_rng(0)
    rows = [["day", "'load'", "temp"]] if header else []
    for t in range(steps):
        gap = t in (0, 20, 49, 50, 51, 52, 53, 57)
        rows.append([f"2020-{t}", "NA" if gap else f"{rng.normal():.4f}", "?" if t == 30 else f"{rng.normal():.4f}"])
    text = "\n".join(delimiter.join(row) for row in rows) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def ucr(path: Path) -> Path:
    """Lines of a class and six values, tabs between, some missing at the ends and between."""
    rng = np.random.default_rng(0)
    rows = [[str(n % 2), *(f"{value:.4f}" for value in rng.normal(size=6))] for n in range(20)]
    rows[0][2] = rows[0][3] = rows[3][1] = rows[4][6] = "NaN"
    path.write_text("\n".join("\t".join(row) for row in rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "delimiter", "header"),
    [
        ("a.csv", ",", True),
        ("a.csv", ";", True),
        ("a.tsv", "\t", False),
        ("a.csv.gz", "|", True),
        ("a.csv", ";", False),
    ],
)
def test_a_forecast_is_asked_of_the_file_it_was_trained_on(
    tmp_path: Path, as_of: Setter, name: str, delimiter: str, header: bool
) -> None:
    """Delimiter, gzip, missing names and gaps are read as in training."""
    path = table(tmp_path / name, delimiter=delimiter, header=header)
    as_of(SeriesForecasting.load(path, horizon=2, window=8).export_info())
    found, gaps = runtime.read_series(path)
    assert gaps == 3
    assert np.array_equal(filled(read_timeline(path).values)[None, :, -8:], found.numpy())


def test_an_unnamed_column_is_named_as_in_training(tmp_path: Path, as_of: Setter) -> None:
    """By its place; one that only counts the rows is in neither."""
    rows = [f"{t % 5}.5,{t % 3}" for t in range(60)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join([",load", *rows]) + "\n", encoding="utf-8")
    as_of(SeriesForecasting.load(path, horizon=2, window=8).export_info())
    assert runtime.CHANNELS == ("column1", "load")
    assert runtime.read_series(path)[0].shape == (1, 2, 8)


def test_lines_of_the_archive_are_asked_as_they_were_trained_on(tmp_path: Path, as_of: Setter) -> None:
    """Tabs between, a class before the values or not, gaps filled by straight lines; arrays the same."""
    path = ucr(tmp_path / "a.tsv")
    as_of(SeriesClassification.load(path).export_info())
    expected = read_labelled(path).train.series
    found, gaps = runtime.read_series(path)
    assert gaps == 4
    assert np.array_equal(expected, found.numpy())
    rows = [line.split("\t")[1:] for line in path.read_text(encoding="utf-8").splitlines()]
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress("\n".join(map(";".join, rows)).encode()))
    np.save(tmp_path / "c.npy", np.array(rows, dtype=np.float64))
    for name in ("b.csv.gz", "c.npy"):
        same, gaps = runtime.read_series(tmp_path / name)
        assert gaps == 4
        assert np.array_equal(expected, same.numpy())


def test_a_first_line_that_numbers_the_cells_is_left_out_as_in_training(tmp_path: Path, as_of: Setter) -> None:
    """As pandas writes it; also in a file without the classes."""
    path = ucr(tmp_path / "a.tsv")
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(["\t".join(map(str, range(7))), *lines]) + "\n", encoding="utf-8")
    as_of(SeriesClassification.load(path).export_info())
    expected = read_labelled(path).train.series
    assert expected.shape == (20, 1, 6)
    bare = tmp_path / "b.tsv"
    rows = ["\t".join(map(str, range(6))), *(line.split("\t", 1)[1] for line in lines)]
    bare.write_text("\n".join(rows) + "\n", encoding="utf-8")
    for file in (path, bare):
        assert np.array_equal(expected, runtime.read_series(file)[0].numpy())


def test_what_cannot_be_read_is_named(tmp_path: Path, as_of: Setter) -> None:
    """With its row, as training would."""
    path = table(tmp_path / "a.csv")
    as_of(SeriesForecasting.load(path, horizon=2, window=8).export_info())
    rows = [f"{t},{t}" for t in range(8)]
    for text, says in (
        ("\n".join(["load,temp", *rows, "1"]), "row 10: 1 cells for 2 columns"),
        ("\n".join(["load,temp", *rows[1:], "1_0,2"]), "row 9, load: '1_0' is no number"),
        ("\n".join(["load,temp", *rows[1:]]), "7 rows, a window has 8"),
        ("\n".join(["load,temp", *(f"{t},NA" for t in range(9))]), "temp: no value"),
        ("\n".join(["load,warmth", *rows]), r"lacks the column\(s\) 'temp'"),
        ("", "no rows"),
    ):
        path.write_text(text + "\n", encoding="utf-8")
        with pytest.raises(ValueError, match=says):
            runtime.read_series(path)
    path.with_suffix(".gz").write_bytes(b"\x1f\x8bno")
    with pytest.raises(ValueError, match="no CSV file in UTF-8"):
        runtime.read_series(path.with_suffix(".gz"))


def test_filled_gaps_are_told_on_standard_error(
    tmp_path: Path, as_of: Setter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With their count; the forecast alone goes to standard output."""
    path = table(tmp_path / "a.csv")
    as_of(SeriesForecasting.load(path, targets="load", horizon=2, window=8).export_info())
    monkeypatch.setattr(runtime, "load", lambda: lambda x: x[:, :1, :2])
    assert runtime.main([str(path)]) == 0
    said = capsys.readouterr()
    assert said.err == f"{path}: 3 missing values are filled with the last one before them\n"
    assert said.out.splitlines()[0] == "load"
    assert len(said.out.splitlines()) == 3


def test_the_runtime_stands_alone_in_model_py(tmp_path: Path) -> None:
    """Copied beside a network, it reads a file with nothing of netwright."""
    path = table(tmp_path / "a.csv", delimiter=";")
    info = SeriesForecasting.load(path, horizon=2, window=8).export_info()
    source = model_source(OpTerm("reversible_norm", children=(OpTerm("linear", (("features", 2),)),)), info)
    names: dict[str, object] = {"__name__": "model"}
    exec(compile(source, "model.py", "exec"), names)
    found, gaps = names["read_series"](path)  # type: ignore[operator]
    assert (tuple(found.shape), gaps) == ((1, 2, 8), 3)
    assert "netwright" not in source.split('"""', maxsplit=2)[2]
