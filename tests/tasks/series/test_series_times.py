"""What tells the time of a forecast's rows: clocks beside dates, other dates, calendars, panels of series."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from netwright.errors import DataError
from netwright.tasks.series import SeriesForecasting
from netwright.tasks.series.reading import Timeline, read_timeline
from netwright.tasks.series.times import part_of_day

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def read(path: Path, head: str, rows: list[str], targets: str = "") -> Timeline:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return read_timeline(path, targets)


def days(count: int = 40) -> list[str]:
    return [str(np.datetime64("2024-01-01") + day) for day in range(count)]


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("hr", "{}"),
        ("Hour", "{}.0"),
        ("time", "{:02d}:30:00"),
        ("Time", "{:02d}.00.00"),
        ("at", "{:02d}:15"),
        ("time", "{}00"),
    ],
)
def test_an_hour_goes_on_with_the_date(tmp_path: Path, name: str, form: str) -> None:
    """A row of each hour is no row of each of 24 series, as in bike sharing or household power."""
    rows = [f"{day},{form.format(hour)},{(n + hour) % 7}" for n, day in enumerate(days()) for hour in range(24)]
    line = read(tmp_path / "a.csv", f"day,{name},load", rows, "load")
    assert line.names[0] == "load"
    assert not any("time of the row before" in note for note in line.notes)
    later = read(tmp_path / "a.csv", f"day,{name},load", [*rows[:100], *rows[110:]], "load").notes
    assert any("1 of 949 steps are longer than usual" in note for note in later)


def test_hours_and_minutes_may_be_two_columns(tmp_path: Path) -> None:
    """And an hour that comes twice is told."""
    rows = [f"{day},{hour},{minute},{hour % 5}" for day in days(9) for hour in range(24) for minute in (0, 30)]
    line = read(tmp_path / "a.csv", "day,hour,minute,load", [*rows, rows[-1]])
    assert (line.names, line.num_targets) == (("load", "hour", "minute"), 1)
    assert any("'day': 1 rows have the time of the row before" in note for note in line.notes)


def test_a_clock_that_goes_back_is_told(tmp_path: Path) -> None:
    """Midnight as hour 0 at the end of its day: nobody knows which is meant."""
    rows = [f"{day},{hour % 24},{hour % 5}" for day in days(9) for hour in range(1, 25)]
    notes = read(tmp_path / "a.csv", "day,hour,load", rows).notes
    assert any("'day': 9 rows have an earlier time than the row before" in note for note in notes)


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("price", "2.45"),
        ("hour", "25"),
        ("hour", "1.5"),
        ("minute", "60"),
        ("time", "1260"),
        ("load", "7"),
        ("at", "25:00"),
    ],
)
def test_other_numbers_are_no_clocks(name: str, cell: str) -> None:
    """A price may look like one, and a channel may be called time."""
    assert np.isnan(part_of_day(name, cell))


def test_series_of_each_hour_are_refused(tmp_path: Path) -> None:
    """Shops that have a row of each day and hour; what may be meant else is said."""
    rows = [f"{day},{hour},{shop},{hour % 5}" for day in days(9) for hour in range(24) for shop in "ab"]
    says = r"column 'shop' tells several series apart, .* of one 'day'; .*frame\.pivot\), or join to 'day' what goes on"
    with pytest.raises(DataError, match=says):
        read(tmp_path / "a.csv", "day,hour,shop,load", rows)


@pytest.mark.parametrize("stores", ["12345", "abcde"])
def test_series_that_two_columns_tell_apart_are_refused(tmp_path: Path, stores: str) -> None:
    """As those of shops and kinds of goods, one below the other."""
    kinds = ("bread", "milk", "tea")
    rows = [
        f"{day},{store},{kind},{(n * 7 + len(kind)) % 11}"
        for n, day in enumerate(days())
        for store, kind in product(stores, kinds)
    ]
    with pytest.raises(DataError, match=r"a\.csv: columns 'store' and 'family' tell several series apart, .* 'day'"):
        read(tmp_path / "a.csv", "day,store,family,sales", rows, "sales")
    one = [row for row in rows if f",{stores[0]},bread," in row]
    assert read(tmp_path / "a.csv", "day,store,family,sales", one, "sales").names == ("sales",)


def dates_of(form: str) -> list[str]:
    """56 dates, the oldest first."""
    found = []
    for n in range(56):
        month, day, year = (n // 28, 1 + n % 28, 2023) if "{d" in form else (n % 12, 1, 2001 + n // 12)
        name = MONTHS[month]
        quarter, short = 1 + n % 4, year - 2000
        year = 2001 + n // 4 if "{q}" in form else year
        found.append(form.format(d=day, m=month + 1, name=name, y=year, short=short, q=quarter))
    return found


@pytest.mark.parametrize(
    "form",
    [
        *("{d:02d}-{name}-2023", "{d} {name} 2023", "{d}-{name}-23", "{name} {d:02d}, 2023", "{name}. {d}, 2023 16:00"),
        *("{name} {y}", "{name}-{short:02d}", "{y}-{m:02d}", "{y}/{m}", "2023/{m}/{d}", "2023-{m}-{d} 8:00", "{y}Q{q}"),
        *("{y}-Q{q}", "Q{q} {y}"),
    ],
)
def test_the_newest_row_first_is_refused_however_dates_are_written(tmp_path: Path, form: str) -> None:
    """Names of months, months and quarters alone, digits left out."""
    rows = [f'"{date}",{n % 7}' for n, date in enumerate(dates_of(form))]
    with pytest.raises(DataError, match=r"column 'Date' falls from the first row to the last"):
        read(tmp_path / "a.csv", "Date,load", rows[::-1])
    line = read(tmp_path / "a.csv", "Date,load", rows)
    assert line.names == ("load",)
    assert not any("dates that are known" in note for note in line.notes)


def test_dates_that_are_not_known_are_told(tmp_path: Path) -> None:
    """Nobody can check the order of their rows."""
    rows = [f"{29 - n} grudnia,word{n % 3},{n % 7}" for n in range(28)]
    notes = read(tmp_path / "a.csv", "Date,kind,load", rows).notes
    told = "column 'Date' holds no dates that are known (such as '29 grudnia') and is left out"
    assert f"{told}; rows are taken to be the oldest first" in notes
    assert "column 'kind' holds no numbers and is left out" in notes


def test_codes_are_no_dates(tmp_path: Path) -> None:
    """Of another century, or with a month that is none."""
    rows = [f"{day},0817-{n % 12:02d},{n % 7}" for n, day in enumerate(days())]
    assert read(tmp_path / "a.csv", "day,code,load", rows).names == ("load",)
    rows = [f"{1900 + n % 9}-{10 + n % 9},{n % 7}" for n in range(40)]
    assert read(tmp_path / "a.csv", "code,load", rows).names == ("load",)


def test_the_calendar_is_seen_and_not_forecast(tmp_path: Path) -> None:
    """But where it is named, or nothing else is there; what is forecast stands in the summary."""
    rows = [f"{1 + n // 48 % 12},{n % 24},{n * n % 37}" for n in range(240)]
    line = read(tmp_path / "a.csv", "month,hour,load", rows)
    assert (line.num_targets, line.names) == (1, ("load", "month", "hour"))
    assert (
        "columns of the calendar are seen and not forecast: 'month', 'hour'; name them to forecast them (targets)"
        in (line.notes)
    )
    task = SeriesForecasting.load(tmp_path / "a.csv", horizon=3, window=24)
    assert "forecasts 3 steps of 'load'" in task.summary().splitlines()
    named = read_timeline(tmp_path / "a.csv", "hour,load")
    assert (named.num_targets, named.names) == (2, ("hour", "load", "month"))
    bare = [row.rpartition(",")[0] for row in rows]
    assert read(tmp_path / "a.csv", "month,hour", bare).num_targets == 2
    loads = [f"{n % 7}.5,{900 + n * n % 37},{800 + n * n % 41}" for n in range(60)]
    assert read(tmp_path / "a.csv", "temp,Hour 1,Hour 2", loads).num_targets == 3
    months = [f"{2024 + n // 12}{1 + n % 12:02d},{n * n % 37}" for n in range(60)]
    assert read(tmp_path / "a.csv", "month,load", months).names[:1] == ("load",)
    tariffs = [f"{n % 7}.5,{n % 5}.25" for n in range(60)]
    assert read(tmp_path / "a.csv", "day,night", tariffs).num_targets == 2


def test_a_table_on_its_side_is_refused(tmp_path: Path) -> None:
    """Its columns are times, its rows countries, as in tables of cases or of visits."""
    head = ["Province/State", "Country/Region", "Lat", "Long", *(f"1/{d}/20" for d in range(1, 29))]
    rows = [
        ",".join([f"p{n}", f"c{n}", f"{n}.5", f"{-n}.25", *(str(n * d % 97) for d in range(28))]) for n in range(20)
    ]
    with pytest.raises(
        DataError, match=r"names of 28 columns are times \('1/1/20', \.\.\.\), so that each row is a series"
    ):
        read(tmp_path / "a.csv", ",".join(head), rows)
    curve = [f"{day},{n % 7}.5,{n % 5},{n % 3}" for n, day in enumerate(days())]
    assert read(tmp_path / "a.csv", "day,Dec-24,Mar-25,Jun-25", curve).num_targets == 3
    bare = [row.partition(",")[2] for row in curve]
    with pytest.raises(DataError, match=r"or name the columns to forecast \(targets\)"):
        read(tmp_path / "a.csv", "Dec-24,Mar-25,Jun-25", bare)
    assert read(tmp_path / "a.csv", "Dec-24,Mar-25,Jun-25", bare, "Mar-25").num_targets == 1
    plain = [f"{n % 7},{n % 5},{n % 3}" for n in range(40)]
    assert read(tmp_path / "a.csv", "2020-01-01,load,temp", plain).names == ("2020-01-01", "load", "temp")


def test_a_data_frame_whose_index_is_dates_does_not_lie_on_its_side() -> None:
    """Though its channels are called as months."""

    class Frame(dict):  # type: ignore[type-arg]
        columns = property(list)
        index = np.array(days())

    values = np.arange(40) ** 2
    frame = Frame({"Dec-24": values % 7, "Mar-25": values % 11, "Jun-25": values % 13})
    assert read_timeline(frame).num_targets == 3
