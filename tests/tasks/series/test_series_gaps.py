"""Gaps of a forecast: no window looks ahead, no filled value is asked for, and the memory that windows take."""

from __future__ import annotations

import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from netwright.errors import DataError
from netwright.tasks.series import SeriesForecasting
from netwright.tasks.series.gaps import filled, filled_by_season
from netwright.tasks.series.reading import Timeline, read_timeline
from netwright.tasks.series.task import _moments
from netwright.tasks.series.windows import cut, found_season

SHARES = (0.1, 0.2)


def gapped(steps: int = 200) -> np.ndarray:
    """A clock without gaps, and two channels with long and short ones, also across the borders of the parts."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, steps)).astype(np.float32)
    values[2] = np.arange(steps)
    values[:2][rng.random((2, steps)) < 0.05] = np.nan
    values[1, :15] = np.nan
    values[0, 136:141] = values[1, 150:163] = np.nan
    return values


def naive(row: np.ndarray, at: int, ahead: int, season: int) -> float:
    """The last value that is known a whole number of seasons before; else the last before the first of these places."""
    first = at + ahead - season * (1 + ahead // season)
    known = [row[place] for place in range(first, -1, -season) if not np.isnan(row[place])]
    return float(known[0] if known else filled(row[None, :at])[0, first])


@pytest.mark.parametrize("season", [1, 7])
def test_no_window_and_no_naive_forecast_looks_ahead(season: int) -> None:
    """Each is what the values before its end alone give."""
    values, window = gapped(), 10
    found = cut(Timeline("t", ("a", "b", "clock"), values, 1, ()), 5, window, season, SHARES)
    for (inputs, _), forecasts in (
        (found.train, None),
        (found.validation, found.naive_validation),
        (found.test, found.naive_test),
    ):
        ends = inputs[:, 2, -1].astype(int) + 1
        for number, at in enumerate(ends.tolist()):
            assert np.array_equal(inputs[number], filled(values[:, :at])[:, -window:])
            if forecasts is not None:
                expected = [naive(values[0], at, ahead, season) for ahead in range(5)]
                assert expected == forecasts[number, 0].tolist()


def test_what_is_asked_for_was_never_filled() -> None:
    """A window is left out where one of its targets is missing, or a channel has not begun; only then."""
    values = gapped()
    found = cut(Timeline("t", ("a", "b", "clock"), values, 1, ()), 5, 10, 1, SHARES)
    for (inputs, targets), low, high in (
        (found.train, 10, 140),
        (found.validation, 140, 160),
        (found.test, 160, 200),
    ):
        ends = [at for at in range(max(low, 16), high - 4) if not np.isnan(values[0, at : at + 5]).any()]
        assert ends == (inputs[:, 2, -1] + 1).tolist()
        assert np.array_equal(targets[:, 0], np.stack([values[0, at : at + 5] for at in ends]))


def test_gaps_and_windows_left_out_are_counted(tmp_path: Path) -> None:
    """Both are told before a search."""
    rows = [f"{'' if t in (30, 95) else t},{'NA' if t < 20 else t % 7}" for t in range(100)]
    (tmp_path / "a.csv").write_text("\n".join(["load,temp", *rows]) + "\n", encoding="utf-8")
    task = SeriesForecasting.load(tmp_path / "a.csv", targets="load", horizon=4, window=8)
    assert "a: 22 missing values are filled with the last one before them" in task.notes
    assert any(note.endswith("are left out: 17 training, 4 test") for note in task.notes)
    whole = SeriesForecasting.load(tmp_path / "a.csv", targets="temp", horizon=4, window=8)
    assert any(note.endswith("are left out: 13 training") for note in whole.notes)


def test_gaps_neither_lower_nor_raise_what_errors_are_scaled_by() -> None:
    """Only pairs of values that are in the data count."""
    values = (np.arange(200) % 2).astype(np.float32)[None]
    values[0, 40:60] = values[0, 100::10] = np.nan
    assert [1.0] == cut(Timeline("t", ("a",), values, 1, ()), 2, 4, 1, SHARES).scale.tolist()


def test_a_season_is_found_beside_gaps() -> None:
    """What is missing is like nothing."""
    wave = np.sin(np.arange(400) * 2 * np.pi / 24)[None]
    wave[0, np.random.default_rng(0).random(400) < 0.2] = np.nan
    wave[0, 100:160] = np.nan
    assert found_season(wave) == 24


def test_a_gap_is_filled_from_seasons_before() -> None:
    """Where no season before has a value, with the last one; before the first value, with that."""
    nan = np.nan
    row = np.array([[nan, 1.0, 2.0, nan, nan, 5.0, nan, nan]])
    assert filled(row).tolist() == [[1.0, 1.0, 2.0, 2.0, 2.0, 5.0, 5.0, 5.0]]
    assert filled_by_season(row, 3).tolist() == [[1.0, 1.0, 2.0, 2.0, 1.0, 5.0, 5.0, 1.0]]
    assert filled_by_season(row, 100).tolist() == filled(row).tolist()


def test_too_many_gaps_are_refused() -> None:
    """With the part, the counts and the channel that begins last."""
    values = np.arange(400, dtype=np.float32).reshape(2, 200)
    values[0, ::3] = np.nan
    with pytest.raises(DataError, match=r"t: 126 of 126 training windows are asked for missing .* 9 must be left"):
        cut(Timeline("t", ("a", "b"), values, 1, ()), 5, 10, 1, SHARES)
    values[0], values[1, :150] = 0, np.nan
    with pytest.raises(DataError, match=r"before each channel has begun \('b' is the last to\).*take out a column"):
        cut(Timeline("t", ("a", "b"), values, 1, ()), 5, 10, 1, SHARES)


def test_windows_that_would_fill_the_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any is cut: of all three parts where gaps lie between those to train on, else these take none."""
    values = np.zeros((2, 1000), np.float32)
    values[0] = np.arange(1000)
    whole = Timeline("t", ("a", "b"), values.copy(), 1, ())
    values[0, 500] = np.nan
    line = Timeline("t", ("a", "b"), values, 1, ())
    counts = (681, 96, 196)
    needed = 4 * (sum(counts) * (20 + 5) + (96 + 196) * 5)
    monkeypatch.setattr(os, "sysconf", lambda name: 2 if name == "SC_PAGE_SIZE" else 2 * needed)
    found = cut(line, 5, 10, 1, SHARES)
    assert counts == tuple(len(part[1]) for part in (found.train, found.validation, found.test))
    monkeypatch.setattr(os, "sysconf", lambda name: 2 if name == "SC_PAGE_SIZE" else 2 * needed - 1)
    with pytest.raises(DataError, match=r"t: 973 windows of 2 channels x 10 steps.*GiB.*give a shorter window"):
        cut(line, 5, 10, 1, SHARES)
    assert len(cut(whole, 5, 10, 1, SHARES).train[1]) == 686
    monkeypatch.setattr(os, "sysconf", lambda name: 2 if name == "SC_PAGE_SIZE" else 2 * (96 + 196) * 4 * 30 - 1)
    with pytest.raises(DataError, match=r"t: 292 windows of 2 channels x 10 steps.*GiB.*give a shorter window"):
        cut(whole, 5, 10, 1, SHARES)


def test_moments_are_exact_and_copy_nothing_large() -> None:
    """In float64, of each channel, within the memory of a part of the series."""
    series = np.random.default_rng(0).normal(50, 2, (3000, 2, 300)).astype(np.float32)
    wide = series.astype(np.float64)
    tracemalloc.start()
    mean, std = _moments(series)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < series.nbytes
    assert mean == pytest.approx(wide.mean(axis=(0, 2)), rel=1e-12)
    assert std == pytest.approx(wide.std(axis=(0, 2)), rel=1e-12)


def test_an_index_as_pandas_writes_it_is_no_channel(tmp_path: Path) -> None:
    """It is left out and named; a column of dates without a name as ever."""
    (tmp_path / "a.csv").write_text("\n".join([",load", *(f"{t},{t % 5}" for t in range(9))]) + "\n", encoding="utf-8")
    line = read_timeline(tmp_path / "a.csv")
    assert line.names == ("load",)
    assert line.notes == ("the first column of a.csv has no name, only counts the rows, and is left out",)


def test_windows_without_gaps_are_views(tmp_path: Path) -> None:
    """They take no memory, and are what copies are, to the last bit: values, moments and fingerprint."""
    rows = [f"{t % 13}.{t % 7},{t % 5}" for t in range(400)]
    (tmp_path / "a.csv").write_text("\n".join(["load,temp", *rows]) + "\n", encoding="utf-8")
    task = SeriesForecasting.load(tmp_path / "a.csv", horizon=3, window=40)
    inputs, _ = task.train()
    series = read_timeline(tmp_path / "a.csv").values
    assert np.shares_memory(inputs[0], inputs[1])
    assert np.array_equal(inputs, np.stack([series[:, at - 40 : at] for at in range(40, 40 + len(inputs))]))
    copied = cut(Timeline("a", ("load", "temp"), series, 2, ()), 3, 40, 0, SHARES)
    for name in ("train", "validation", "test"):
        pair = tuple(np.ascontiguousarray(array) for array in getattr(copied, name))
        copied = replace(copied, **{name: pair})
    same = SeriesForecasting(copied, ("load", "temp"), data_name="a")
    assert (same.mean, same.std) == (task.mean, task.std)
    assert same.fingerprint() == task.fingerprint() == super(SeriesForecasting, same)._fingerprint
    assert task.to_input(torch.from_numpy(np.array(inputs[5:9]))).is_contiguous()
