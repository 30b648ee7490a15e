"""Tables that are split by groups or in order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netwright.errors import DataError, MissingDependencyError, SpecError
from netwright.tasks.tabular import TabularClassification, TabularRegression
from netwright.tasks.tabular.splitting import grouped_split


def table(path: Path, rows: int = 240, *, day: str = "2020-01-{:02d}", label: str = "") -> Path:
    """Rows of 24 patients and 28 days; the amount tells where a row came to."""
    lines = [f"p{n * 7 % 24},{day.format(1 + n * 5 % 28)},{1.5 * n},{label or 'yn'[n % 2]}" for n in range(rows)]
    path.write_text("\n".join(["patient,day,amount,label", *lines]) + "\n", encoding="utf-8")
    return path


def rows_of(task: TabularClassification | TabularRegression) -> list[set[int]]:
    """Of each part, by the one number that stays as it is."""
    names = [column.name for column in task.rows.encoding.numbers]
    values = task.rows.encoding.numbers[names.index("amount")]
    found = []
    for part in (task.train(), task.validation(), task.test()):
        column = part[0][:, names.index("amount")].astype(np.float64)
        found.append({round(float(v) / 1.5) for v in np.interp(column, values.mapped, values.values)})
    return found


def test_rows_of_a_group_stay_in_one_part(tmp_path: Path) -> None:
    """The shares are about those asked for, classes are mixed alike, and networks do not see the group."""
    task = TabularClassification.load(table(tmp_path / "a.csv"), target="label", groups="patient")
    patients = [{row * 7 % 24 for row in part} for part in rows_of(task)]
    assert not patients[0] & patients[1]
    assert not patients[0] & patients[2]
    assert not patients[1] & patients[2]
    assert patients[0] | patients[1] | patients[2] == set(range(24))
    assert 0.1 < len(task.test()[1]) / 240 < 0.3
    assert 0.3 < task.test()[1].mean() < 0.7
    assert "patient" not in task.rows.encoding.needed
    other = TabularClassification.load(table(tmp_path / "b.csv"), target="label", groups="patient", seed=5)
    assert np.array_equal(other.test()[1], task.test()[1])  # whatever the seed
    assert rows_of(other)[1] != rows_of(task)[1]


def test_what_comes_last_tests(tmp_path: Path) -> None:
    """By dates in any order of writing, and by numbers; rows of one day stay together."""
    for form in ("2020-01-{:02d}", "{}.1.2020", "{}"):
        path = table(tmp_path / "a.csv", day=form)
        task = TabularRegression.load(path, target="amount", order="day", ignored="patient")
        parts = [part[1].ravel().tolist() for part in (task.train(), task.validation(), task.test())]
        days = [{1 + round(value / 1.5) * 5 % 28 for value in part} for part in parts]
        assert days[2] == {23, 24, 25, 26, 27, 28}
        assert max(days[0]) + 1 == min(days[1])
        assert max(days[1]) + 1 == min(days[2])
        assert sum(map(len, parts)) == 240
        assert "day" in task.rows.encoding.needed


def test_a_given_part_stays_and_shared_groups_are_told(tmp_path: Path) -> None:
    """Only the validation part is split off."""
    folder = tmp_path / "data"
    folder.mkdir()
    table(folder / "train.csv")
    lines = table(folder / "test.csv", 40).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 41
    task = TabularClassification.load(folder, target="label", groups="patient")
    assert len(task.test()[1]) == 40
    shared = [note for note in task.notes if "group(s) of 'patient' are in the" in note]
    assert ["in the training and in the test part" in note for note in shared] == [True, False]
    assert ["in the validation and in the test part" in note for note in shared] == [False, True]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"groups": "person"}, SpecError, "column as groups.*person"),
        ({"order": "label"}, SpecError, "another column than the target"),
        ({"order": "day", "groups": "patient"}, SpecError, "not given beside groups"),
        ({"groups": 1}, SpecError, "groups must be the name of a column"),
        ({"order": "patient"}, DataError, "line 2: 'p0' in column 'patient'.*no number or date"),
    ],
)
def test_what_cannot_split_is_named(
    tmp_path: Path, options: dict[str, object], error: type[Exception], message: str
) -> None:
    """Columns that are not there, the target, both at once, words that have no order."""
    with pytest.raises(error, match=message):
        TabularClassification.load(table(tmp_path / "a.csv"), target="label", **options)  # type: ignore[arg-type]


def test_rows_without_a_group_or_with_one_alone_are_named(tmp_path: Path) -> None:
    """With the line; one group, one day, a class of one group."""
    path = table(tmp_path / "a.csv")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("p14,", ",", 1), encoding="utf-8")
    with pytest.raises(DataError, match=r"a.csv, line 4: no value in column 'patient', by which rows are split"):
        TabularClassification.load(path, target="label", groups="patient")
    path.write_text("\n".join("one" + line[line.index(",") :] for line in text.splitlines()), encoding="utf-8")
    with pytest.raises(DataError, match="the groups of 'one' are too few"):
        TabularClassification.load(path, target="label", groups="one")
    table(path, day="1")
    with pytest.raises(DataError, match="column 'day' has too few different values"):
        TabularClassification.load(path, target="label", order="day")


def test_a_class_that_training_would_not_have_is_named(tmp_path: Path) -> None:
    """The last days alone have it."""
    path = table(tmp_path / "a.csv")
    lines = path.read_text(encoding="utf-8").splitlines()
    late = [line[:-1] + "late" if ",2020-01-28," in line else line for line in lines]
    path.write_text("\n".join(late) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="no training row has the class 'late'"):
        TabularClassification.load(path, target="label", order="day")


def test_large_groups_are_taken_where_there_are_no_others() -> None:
    """At least one group on either side."""
    kept, taken = grouped_split(["a"] * 50 + ["b"] * 50, np.zeros(100, np.int64), 0.1, seed=0)
    assert {len(kept), len(taken)} == {50}
    kept, taken = grouped_split(["a"] * 50, np.zeros(50, np.int64), 0.1, seed=0)
    assert (len(kept), len(taken)) == (50, 0)


@pytest.mark.parametrize("seed", range(20))
def test_random_groups_come_near_to_the_share(seed: int) -> None:
    """Of each class; sizes as they are in life: a few large, many small."""
    rng = np.random.default_rng(seed)
    groups = [str(n) for n in np.minimum(rng.zipf(1.6, 2000), 300)]
    strata = rng.integers(0, 3, 2000)
    kept, taken = grouped_split(groups, strata, 0.2, seed)
    assert not {groups[i] for i in kept} & {groups[i] for i in taken}
    assert len(kept) + len(taken) == 2000
    assert (np.bincount(strata[taken], minlength=3) / np.bincount(strata)) == pytest.approx(0.2, abs=0.1)


def test_a_part_far_from_its_share_is_told(tmp_path: Path) -> None:
    """Two groups have nearly all rows."""
    path = tmp_path / "a.csv"
    rows = [f"{('a', 'b')[n % 2] if n < 400 else f'c{n}'},{1.5 * n},{'yn'[n // 2 % 2]}" for n in range(404)]
    path.write_text("\n".join(["group,amount,label", *rows]) + "\n", encoding="utf-8")
    task = TabularClassification.load(path, target="label", groups="group")
    assert any("4 of 404 rows are held out, where a share of 0.2 is asked for" in note for note in task.notes)


def test_order_needs_but_three_values(tmp_path: Path) -> None:
    """Whatever their shares; what one part has alone may be most of the rows."""
    for counts in ((85, 1, 1, 1, 1, 1, 1), (60, 35, 5), (5, 35, 60)):
        path = tmp_path / "a.csv"
        years = [2019 + place for place, count in enumerate(counts) for _ in range(count)]
        lines = [f"{year},{n % 9}.5,{n}.25" for n, year in enumerate(years)]
        path.write_text("\n".join(["year,x,amount", *lines]) + "\n", encoding="utf-8")
        task = TabularRegression.load(path, target="amount", order="year")
        found = [{years[int(v)] for v in part[1].ravel()} for part in (task.train(), task.validation(), task.test())]
        assert max(found[0]) < min(found[1]) <= max(found[1]) < min(found[2])


def test_a_column_that_is_ignored_orders_too(tmp_path: Path) -> None:
    """With a decimal comma; the one cell that cannot be ordered is named."""
    path = tmp_path / "a.csv"
    lines = [f"{n // 2},{5 * (n % 2)};{n % 7},5;{'yn'[n // 2 % 2]}" for n in range(100)]
    path.write_text("\n".join(["t;x;label", *lines]) + "\n", encoding="utf-8")
    task = TabularClassification.load(path, target="label", order="t", ignored="t")
    assert len(task.test()[1]) == 20
    assert "t" not in task.rows.encoding.needed
    lines[77] = lines[77].replace("38,5", "unknown")
    path.write_text("\n".join(["t;x;label", *lines]) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"line 79: 'unknown' in column 't'.*\(1 such row"):
        TabularClassification.load(path, target="label", order="t", ignored="t")


def test_a_missing_scikit_learn_is_named_with_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not installed with netwright alone."""
    monkeypatch.setattr("netwright.tasks.metrics.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"netwright\[tables\]"):
        TabularClassification.load(table(tmp_path / "a.csv"), target="label")
