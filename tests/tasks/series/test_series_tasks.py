"""Time series: reading, windows, the naive forecast, and both tasks in a search."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import netwright as nw
from netwright import nn
from netwright.errors import BuildError, DataError, SpecError
from netwright.space import OpTerm
from netwright.tasks import load_task
from netwright.tasks.batch_size import fitting_batch_size
from netwright.tasks.series import SeriesClassification, SeriesForecasting
from netwright.tasks.series.reading import Timeline, read_timeline
from netwright.tasks.series.windows import cut, found_season, naive_forecast


def waves(count: int = 90, length: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Slow and fast waves, at random places."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 3
    time = np.arange(length)[None] * (1 + labels[:, None]) * 0.3 + rng.uniform(0, 6, (count, 1))
    return (np.sin(time) + 0.1 * rng.normal(size=time.shape)).astype(np.float32), labels


def line(path: Path, steps: int = 260) -> Path:
    """A load with a season of 12 steps, and a temperature."""
    time, rng = np.arange(steps), np.random.default_rng(0)
    load = 50 + 10 * np.sin(time * 2 * np.pi / 12) + rng.normal(size=steps)
    rows = [f"2020-{t},{load[t]:.3f},{rng.normal():.3f}" for t in range(steps)]
    path.write_text("\n".join(["time,load,temp", *rows]) + "\n", encoding="utf-8")
    return path


def run_model(folder: Path, file: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(folder / "model.py"), str(file)]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)


def test_npz_and_rows_say_the_same(tmp_path: Path) -> None:
    """A line of UCR's archive is a class and its values; one channel needs no dimension."""
    x, y = waves()
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y)
    (tmp_path / "d").mkdir()
    for name, rows in (("A_TRAIN.tsv", slice(0, 60)), ("A_TEST.tsv", slice(60, 90))):
        lines = ["\t".join([str(c), *map(repr, map(float, s))]) for s, c in zip(x[rows], y[rows], strict=True)]
        (tmp_path / "d" / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    whole, parts = SeriesClassification.load(tmp_path / "a.npz"), SeriesClassification.load(tmp_path / "d")
    assert whole.input_shape == parts.input_shape == (1, 24)
    assert whole.class_names == parts.class_names == ("0", "1", "2")
    assert np.array_equal(x[60:, None], parts.test()[0])
    assert len(parts.train()[1]) + len(parts.validation()[1]) == 60


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"x_train": np.zeros((4, 8))}, "only one of x_train and y_train"),
        ({"x": np.zeros((4, 8)), "y": np.zeros(4)}, "has no x_train and y_train"),
        ({"x_train": np.zeros((4, 8)), "y_train": np.zeros(3, int)}, "4 series, but labels of shape"),
        ({"x_train": np.full((4, 8), np.inf), "y_train": np.arange(4) % 2}, "series 0 has infinite values"),
        ({"x_train": np.full((4, 8), np.nan), "y_train": np.arange(4) % 2}, "series 0 has no value in channel 0"),
        ({"x_train": np.zeros((4, 8)), "y_train": np.zeros(4, int)}, "only the class 0"),
        ({"x_train": np.zeros((4, 8)), "y_train": np.arange(4)}, "4 class.* fewer than the 3 series"),
        (
            {
                "x_train": np.zeros((4, 8)),
                "y_train": np.arange(4) % 2,
                "x_test": np.zeros((2, 9)),
                "y_test": np.arange(2),
            },
            r"series of 1 x 9 \(channels x length\), x_train of a.npz: 1 x 8",
        ),
    ],
)
def test_bad_arrays_are_named(tmp_path: Path, arrays: dict[str, np.ndarray], says: str) -> None:
    """One error, with the part and the example."""
    np.savez(tmp_path / "a.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=says):
        SeriesClassification.load(tmp_path / "a.npz")


def test_bad_rows_and_files_are_named(tmp_path: Path) -> None:
    """With their line."""
    path = tmp_path / "a.csv"
    path.write_text("0,1,2,3,4\n1,2,3,x,5\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"a.csv, line 2: 'x' is no number"):
        SeriesClassification.load(path)
    (tmp_path / "b.npz").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"b\.npz: no npz file of plain arrays"):
        SeriesClassification.load(tmp_path / "b.npz")
    with pytest.raises(SpecError, match="normalisation must be channel, series or none"):
        SeriesClassification.load(path, normalisation="robust")  # type: ignore[arg-type]


def test_gaps_are_filled_and_counted(tmp_path: Path) -> None:
    """By straight lines, at the ends by the nearest value."""
    x, y = waves()
    x[0, :2], x[0, 5] = np.nan, np.nan
    x[0, [2, 4, 6]] = 1.0, 2.0, 4.0
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_test=x[:3], y_test=y[:3])
    task = SeriesClassification.load(tmp_path / "a.npz")
    assert [1.0, 1.0, 1.0, 3.0] == [float(task.test()[0][0, 0, i]) for i in (0, 1, 2, 5)]
    assert any("3 missing values are filled" in note for note in task.notes)


def test_windows_follow_each_other_and_never_look_ahead() -> None:
    """Of each part what is asked for lies in it alone; inputs end where it begins."""
    values = np.stack([np.arange(200), -np.arange(200)]).astype(np.float32)
    found = cut(Timeline("t", ("a", "b"), values, 1, ()), 5, 10, 1, (0.1, 0.2))
    for (inputs, targets), low, high in ((found.train, 10, 140), (found.validation, 140, 160), (found.test, 160, 200)):
        assert (inputs.shape[1:], targets.shape[1:]) == ((2, 10), (1, 5))
        assert np.array_equal(inputs[:, 0, -1] + 1, targets[:, 0, 0])
        assert (targets.min(), targets.max()) == (low, high - 1)
    assert found.scale.tolist() == [1.0]
    assert np.array_equal(found.naive_test[0, 0], np.full(5, 159.0))
    with pytest.raises(DataError, match="30 steps leave 19 to train on"):
        cut(Timeline("t", ("a",), values[:1, :30], 1, ()), 5, 10, 1, (0.1, 0.2))


def test_the_naive_forecast_repeats_the_last_season() -> None:
    """Also beyond one season; a season is found where there is one."""
    targets = np.arange(20.0)[None]
    assert [[[7.0, 8.0, 9.0, 7.0, 8.0]]] == naive_forecast(targets, np.array([10]), 5, 3).tolist()
    time = np.arange(300)
    assert found_season((np.sin(time * 2 * np.pi / 7) + 0.02 * time)[None]) == 7
    assert found_season(np.random.default_rng(0).normal(size=(1, 300))) == 1


def test_a_season_is_not_four_of_them() -> None:
    """Where every fourth is hardly more like; but a week of days that differ is one, and a wiggle on a wave is none."""
    time = np.arange(2400)
    year = np.sin(time * 2 * np.pi / 12)
    assert found_season((year + 0.1 * np.sin(time * 2 * np.pi / 48))[None]) == 12
    assert found_season((year + 0.8 * np.sin(time * 2 * np.pi / 84))[None]) == 84
    hours = np.arange(52 * 168)
    week = np.sin(hours * 2 * np.pi / 24) - 0.4 * (hours // 24 % 7 >= 5)
    assert found_season(week[None]) == 168
    noise = np.random.default_rng(5).normal(size=2000)
    assert found_season((np.sin(np.arange(2000) * 2 * np.pi / 52.18) + 0.5 * noise)[None]) == 52


def test_a_forecast_follows_the_level_of_its_window() -> None:
    """A window shifted and stretched gives the same forecast, shifted and stretched."""
    body = OpTerm("linear", (("features", 3),))
    model = nn.build(OpTerm("reversible_norm", children=(body,)), input_shape=(2, 8), seed=0)
    x = torch.randn(4, 2, 8, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(model(5 * x + 100), 5 * model(x) + 100, atol=1e-3)
    with pytest.raises(BuildError, match="its body must give"):
        nn.build(OpTerm("reversible_norm", children=(OpTerm("flatten"),)), input_shape=(2, 8), seed=0)


def test_series_norm_has_mean_0_and_deviation_1() -> None:
    """Each series and channel by itself."""
    model = nn.build(OpTerm("series_norm"), input_shape=(2, 50), seed=0)
    out = model(torch.randn(3, 2, 50, generator=torch.Generator().manual_seed(0)) * 7 + 3)
    assert torch.allclose(out.mean(2), torch.zeros(3, 2), atol=1e-5)
    assert torch.allclose(out.std(2, unbiased=False), torch.ones(3, 2), atol=1e-3)


def test_every_point_of_the_spaces_can_be_built(tmp_path: Path) -> None:
    """Short and long series, one channel and several; forecasts of some channels and of all."""
    rng = np.random.default_rng(0)
    for channels, length in ((1, 6), (3, 40), (2, 150)):
        x = rng.normal(size=(30, channels, length)).astype(np.float32)
        np.savez(tmp_path / "a.npz", x_train=x, y_train=np.arange(30) % 2)
        task = SeriesClassification.load(tmp_path / "a.npz", normalisation="series")
        space = task.default_space()
        points = [
            *(r.architecture for r in task.references()),
            *task.portfolio(),
            *(space.sample(rng) for _ in range(15)),
        ]
        for point in points:
            assert nn.profile(task.network(space, point), input_shape=task.input_shape).output_shape == (2,)
    for targets in ("", "load"):
        forecast = SeriesForecasting.load(line(tmp_path / "a.csv"), targets=targets, horizon=6)
        space = forecast.default_space()
        points = [*(r.architecture for r in forecast.references()), *(space.sample(rng) for _ in range(25))]
        for point in points:
            found = nn.profile(forecast.network(space, point), input_shape=forecast.input_shape)
            assert found.output_shape == forecast.output_shape == ((1 if targets else 2), 6)


@pytest.mark.long
def test_a_classification_from_data_to_file(tmp_path: Path) -> None:
    """Searched, checked, and run on an array and on lines."""
    x, y = waves()
    np.savez(tmp_path / "a.npz", x_train=x[:60], y_train=y[:60], x_test=x[60:], y_test=y[60:])
    out = tmp_path / "run"
    result = nw.search(
        task="series-classification", data=str(tmp_path / "a.npz"), budget="3 trials", max_epochs=8, out=out
    )
    assert result.verified
    np.save(tmp_path / "ask.npy", x[60:])
    (tmp_path / "ask.csv").write_text("\n".join(",".join(map(str, s)) for s in x[60:]) + "\n", encoding="utf-8")
    first, second = (run_model(out / "best", tmp_path / name, tmp_path) for name in ("ask.npy", "ask.csv"))
    assert first.returncode == second.returncode == 0
    said = [text.split("\t")[0] for text in first.stdout.splitlines()]
    assert said == [text.split("\t")[0] for text in second.stdout.splitlines()]
    assert np.mean([a == str(b) for a, b in zip(said, y[60:], strict=True)]) > 0.6
    (tmp_path / "short.csv").write_text("1,2,3\n", encoding="utf-8")
    assert (
        "short.csv, row 1: 3 values, a series has 24"
        in run_model(out / "best", tmp_path / "short.csv", tmp_path).stderr
    )


@pytest.mark.long
def test_a_forecast_from_data_to_file(tmp_path: Path) -> None:
    """Beside the naive forecast, checked by its own metrics, and run on a table."""
    data, out = line(tmp_path / "a.csv"), tmp_path / "run"
    options = {"targets": "load", "horizon": 6, "window": 24}
    nw.search(
        task="series-forecasting", data=str(data), task_options=options, budget="3 trials", max_epochs=10, out=out
    )
    card = json.loads((out / "best" / "card.json").read_text(encoding="utf-8"))
    assert 0 < card["metrics"]["test_mase"] < 1.2
    assert 0.8 < card["metrics"]["naive_test_mase"] < 1.3
    assert any("seasonal naive forecast (season of 12 steps)" in remark for remark in card["remarks"])
    task = load_task("series-forecasting", data, **options)
    assert task.summary().count("note") == 2
    done = run_model(out / "best", data, tmp_path)
    lines = done.stdout.splitlines()
    assert (done.returncode, lines[0], len(lines)) == (0, "load", 7)
    assert all(25 < float(value) < 75 for value in lines[1:])
    (tmp_path / "b.csv").write_text("load\n1\n", encoding="utf-8")
    assert "lacks the column(s) 'temp'" in run_model(out / "best", tmp_path / "b.csv", tmp_path).stderr


def of_labels(path: Path, labels: list[str]) -> SeriesClassification:
    """Lines of these labels, three each, and six values."""
    lines = [f"{label},{n},1,2,{n + i},3,4" for i in range(3) for n, label in enumerate(labels)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return SeriesClassification.load(path)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["007", "7", "010"], ("007", "010", "7")),
        (["10", "9", "-1"], ("-1", "9", "10")),
        (["1.0000000e+00", "2.0000000e+00"], ("1", "2")),
        (["1", "0.5"], ("0.5", "1")),
        (["none", "some"], ("none", "some")),
    ],
)
def test_labels_that_differ_are_different_classes(tmp_path: Path, labels: list[str], names: tuple[str, ...]) -> None:
    """Only whole numbers that are written as such are numbers; a word such as none is a class among words."""
    assert of_labels(tmp_path / "a.csv", labels).class_names == names


def test_a_label_that_is_missing_is_refused(tmp_path: Path) -> None:
    """Nothing among words, and any word for it among numbers."""
    for labels in (["a", "b", ""], ["1", "2", "NaN"]):
        with pytest.raises(DataError, match=r"a\.csv, line 3: no class"):
            of_labels(tmp_path / "a.csv", labels)


def test_parts_agree_on_what_labels_are(tmp_path: Path) -> None:
    """Numbers where all are, in whichever way they are written."""
    for name, labels in (("train.csv", ["1", "2"]), ("test.csv", ["1.0", "2.0"])):
        of_labels(tmp_path / name, labels)
    assert SeriesClassification.load(tmp_path).test()[1].tolist() == [0, 1] * 3
    of_labels(tmp_path / "train.csv", ["01", "1"])
    with pytest.raises(DataError, match=r"1 label\(s\) that the training part does not have: '2'"):
        SeriesClassification.load(tmp_path)


def timeline(path: Path, head: str, rows: list[str], targets: str = "") -> Timeline:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return read_timeline(path, targets)


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("timestamp", [1_700_000_000 + 3600 * t for t in range(40)]),
        ("Time", [t**2 for t in range(40)]),
        ("hours", [0.1 * t for t in range(40)]),
        ("id", list(range(1, 41))),
    ],
)
def test_a_column_that_tells_the_time_is_no_channel(tmp_path: Path, name: str, times: list[float]) -> None:
    """It rises by equal steps, or has such a name and rises; where it is named it is told in advance."""
    rows = [f"2020-{t},{time},{t % 7}" for t, time in enumerate(times)]
    line = timeline(tmp_path / "a.csv", f"date,{name},load", rows)
    assert line.names == ("load",)
    assert sum(f"'{name}'" in note for note in line.notes) == 1
    assert timeline(tmp_path / "a.csv", f"date,{name},load", rows, name).names == (name, "load")
    with pytest.raises(DataError, match=r"a\.csv has no column to forecast: .*name one \(targets\)"):
        timeline(tmp_path / "a.csv", f"date,{name}", [row.rpartition(",")[0] for row in rows])


def test_what_rises_unevenly_is_a_channel(tmp_path: Path) -> None:
    """A meter, such as of a counter; what is missing changes nothing."""
    rows = [f"{'' if t == 5 else t**2},{'' if t == 5 else 3 * t},{t % 7}" for t in range(40)]
    assert timeline(tmp_path / "a.csv", "meter,place,load", rows).names == ("meter", "load")


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("day", [f"2024-01-{31 - t:02d}" for t in range(30)]),
        ("at", [f"2024-01-{31 - t // 2:02d} 12:00" for t in range(30)]),
        ("timestamp", [1_700_000_000 - 3600 * t for t in range(30)]),
        ("time", [(30 - t) ** 2 for t in range(30)]),
    ],
)
def test_the_newest_row_first_is_refused(tmp_path: Path, name: str, times: list[object]) -> None:
    """With the cure; the same rows turned around are read."""
    rows = [f"{time},{t % 7}" for t, time in enumerate(times)]
    with pytest.raises(DataError, match=rf"a\.csv: column '{name}' falls .* the newest row comes first; sort the rows"):
        timeline(tmp_path / "a.csv", f"{name},load", rows)
    assert timeline(tmp_path / "a.csv", f"{name},load", rows[::-1]).names == ("load",)


@pytest.mark.parametrize("places", [[29 - t for t in range(30)], [t * 7 % 30 for t in range(30)]])
def test_an_index_in_another_order_is_refused(tmp_path: Path, places: list[int]) -> None:
    """Rows of a forecast have an order, which it contradicts."""
    rows = [f"{place},{t % 7}" for t, place in enumerate(places)]
    with pytest.raises(DataError, match=r"a\.csv: column 'column1' counts the rows in another order.*sort the rows"):
        timeline(tmp_path / "a.csv", ",load", rows)


def test_small_steps_are_made_in_one_part(tmp_path: Path) -> None:
    """Batches of less than 64; few series are passed over more often, and compared after 150 steps at least."""
    x, y = waves(40)
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_val=x[:9], y_val=y[:9], x_test=x[:9], y_test=y[:9])
    few = SeriesClassification.load(tmp_path / "a.npz")
    assert (few.recipe()["shards"], fitting_batch_size(len(few.train()[1]))) == (1, 16)
    assert (few.full_epochs, few.least_epochs) == (750, 75)
    many = SeriesForecasting.load(line(tmp_path / "a.csv", 6000), horizon=6)
    assert (many.recipe()["shards"], fitting_batch_size(len(many.train()[1]))) == (2, 128)
    assert many.full_epochs == 60


def test_a_window_shows_a_whole_season(tmp_path: Path) -> None:
    """Four horizons if nothing is said, or a season and a horizon, unless that is half of the training part."""
    path = line(tmp_path / "a.csv")
    for horizon, season, window in ((1, 0, 13), (6, 0, 24), (2, 40, 42), (2, 89, 91), (2, 90, 8), (3, 1, 12)):
        task = SeriesForecasting.load(path, targets="load", horizon=horizon, season=season)
        assert (task.input_shape, task.windows.season) == ((2, window), season or 12)
    assert SeriesForecasting.load(path, horizon=1, window=5).input_shape == (2, 5)
