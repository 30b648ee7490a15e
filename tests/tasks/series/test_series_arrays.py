"""Series for a forecast in npz files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netwright.errors import DataError
from netwright.tasks.series import SeriesForecasting
from netwright.tasks.series.reading import read_timeline

STEPS = np.arange(60)
LOAD = (STEPS % 7).astype(np.float32) + np.float32(0.1)


def test_arrays_are_columns_of_a_forecast(tmp_path: Path) -> None:
    """Of one dimension each by its name; of two as (steps, channels), with names or numbered. Values are exact."""
    path = tmp_path / "a.npz"
    dates = np.datetime64("2024-01-01") + STEPS.astype("timedelta64[D]")
    np.savez(path, when=dates, load=LOAD, heat=STEPS % 5)
    line = read_timeline(path)
    assert (line.name, line.names) == ("a", ("load", "heat"))
    assert line.values.shape == (2, 60)
    assert np.array_equal(line.values[0], LOAD)
    np.savez(path, values=np.stack([LOAD, STEPS % 5], axis=1))
    assert read_timeline(path).names == ("values1", "values2")
    np.savez(path, values=np.stack([LOAD, STEPS % 5], axis=1), names=np.array(["load", "heat"]))
    assert read_timeline(path, "heat").names == ("heat", "load")
    assert SeriesForecasting.load(path, horizon=2, window=8).input_shape[0] == 2


def test_missing_values_and_wrong_order_are_seen_as_in_a_table(tmp_path: Path) -> None:
    """NaN is a gap, and dates that fall are an error."""
    path = tmp_path / "a.npz"
    gap = LOAD.copy()
    gap[11] = np.nan
    np.savez(path, load=gap)
    assert np.flatnonzero(np.isnan(read_timeline(path).values[0])).tolist() == [11]
    dates = np.datetime64("2024-03-01") - STEPS.astype("timedelta64[D]")
    np.savez(path, when=dates, load=LOAD)
    with pytest.raises(DataError, match=r"a\.npz: column 'when' falls"):
        read_timeline(path)


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({}, "there are no arrays"),
        ({"a": LOAD, "b": LOAD[:50]}, r"different lengths \(.a. 60, .b. 50\)"),
        ({"a": LOAD.reshape(3, 20)}, r"3 steps of 20 channels; .* turn it .*\(a\.T\)"),
        ({"a": LOAD.reshape(20, 3), "names": np.array(["x"])}, "1 names for the 3 channels of .a."),
        ({"a": LOAD.reshape(3, 4, 5)}, r"has shape \(3, 4, 5\)"),
        ({"a": LOAD.astype(np.complex64)}, "holds complex64"),
    ],
)
def test_what_is_no_series_is_named(arrays: dict[str, np.ndarray], told: str, tmp_path: Path) -> None:
    """With the file and the array."""
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=rf"a\.npz: .*{told}"):
        read_timeline(tmp_path / "a.npz")


def test_a_file_that_is_no_npz_is_named(tmp_path: Path) -> None:
    """Also one with pickled objects, which are never loaded."""
    path = tmp_path / "a.npz"
    path.write_bytes(b"not a zip")
    with pytest.raises(DataError, match=r"a\.npz: no npz file of plain arrays"):
        read_timeline(path)
    np.savez(path, a=np.array([{}, 1], dtype=object))
    with pytest.raises(DataError, match=r"a\.npz: no npz file of plain arrays"):
        read_timeline(path)
    with pytest.raises(DataError, match="does not exist"):
        read_timeline(tmp_path / "none.npz")
