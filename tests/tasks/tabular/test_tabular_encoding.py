"""What columns are taken for, what is told of them, and comparisons that are fair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netwright.errors import DataError
from netwright.export.runtimes import table as runtime
from netwright.tasks.tabular import TabularClassification
from netwright.tasks.tabular.categories import code_of, codes_of
from netwright.tasks.tabular.encoding import Encoding, EncodingOptions
from netwright.tasks.tabular.metrics import fitted_temperature
from netwright.tasks.tabular.reading import Table
from netwright.tasks.tabular.spaces import MOST_TOKENS, tabular_portfolio, tabular_references, tabular_space


def of(**columns: list[str]) -> Table:
    return Table("t", tuple(columns), tuple(map(tuple, columns.values())))


def learn(options: EncodingOptions | None = None, **columns: list[str]) -> Encoding:
    return Encoding.learn(of(**columns), options or EncodingOptions())


def write(path: Path, head: str, rows: list[str]) -> Path:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def test_one_word_beside_many_numbers_is_a_missing_value() -> None:
    """As ``-`` or ``unknown`` in a third of the rows; of few different numbers it is one more category."""
    cells = ["unknown" if i % 3 == 0 else str(i) for i in range(90)]
    encoding = learn(x=cells)
    assert [(c.name, c.indicated) for c in encoding.numbers] == [("x", True)]
    found = encoding.encode(of(x=cells))
    assert found.rows[:, 1].tolist() == [float(i % 3 == 0) for i in range(90)]
    assert dict(found.no_numbers) == {"x": 30}
    few = ["3+" if i % 5 == 0 else str(i % 3) for i in range(90)]
    assert learn(x=few).categories[0].values == ("0", "1", "2", "3+")
    texts = ["ab"[i % 2] * (i % 3) + str(i) for i in range(90)]
    assert learn(x=texts, y=few).numbers == ()


def test_infinite_numbers_make_no_categories() -> None:
    """They count as missing; a column without any other is left out."""
    cells = ["inf" if i % 10 == 0 else "-inf" if i % 10 == 1 else str(i) for i in range(100)]
    encoding = learn(x=cells, all=["inf", "-inf"] * 50)
    assert encoding.needed == ("x",)
    assert "column 'all' is left out: it has no finite number" in encoding.notes
    found = encoding.encode(of(x=cells))
    assert found.rows[:, 1].sum() == 20
    assert np.isfinite(found.rows).all()


def test_a_cell_that_is_no_number_is_indicated_as_a_missing_one() -> None:
    """Where the training part has one, empty cells or not."""
    cells = ["x1"] + [str(i) for i in range(99)]
    rows = learn(x=cells).encode(of(x=cells)).rows
    assert rows[:, 1].tolist() == [1.0] + [0.0] * 99


def test_categories_that_are_numbers_may_be_written_in_two_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As pandas writes 1.0 where some are missing, and 1 where none is; the same in model.py."""
    (tmp_path / "d").mkdir()
    train = [f"{i % 3}.0,{'ab'[i % 2]}" for i in range(60)]
    write(tmp_path / "d" / "train.csv", "code,label", train)
    test = write(tmp_path / "d" / "test.csv", "code,label", ["0,a", "1,b", "2e0,a", "02,a"])
    task = TabularClassification.load(tmp_path / "d", categorical="code")
    assert task.test()[0][:, 0].tolist() == [1, 2, 3, 0]
    for name, value in task.export_info().constants.items():
        monkeypatch.setattr(runtime, name, value)
    assert np.array_equal(task.test()[0], runtime.encode(*runtime.read_rows(test), test)[0].numpy())


@pytest.mark.parametrize(
    ("values", "cells", "codes"),
    [
        (("1", "2"), ("1.0", "2", "3", "01"), (1, 2, 0, 0)),
        (("1.1", "1.10"), ("1.1", "1.10"), (1, 2)),
        (("False", "True"), ("true", "FALSE", "t"), (2, 1, 0)),
        (("007", "7"), ("7.0", "007", "7"), (2, 1, 2)),
        (("", "inf"), ("", "INF", "1_0"), (1, 0, 0)),
        (("9007199254740993",), ("9007199254740992", "9007199254740993"), (0, 1)),
    ],
)
def test_categories_that_differ_stay_apart(
    values: tuple[str, ...], cells: tuple[str, ...], codes: tuple[int, ...]
) -> None:
    """Another way of writing means a category where it is that of one alone."""
    assert codes == tuple(code_of(cell, codes_of(values)) for cell in cells)


def test_model_py_maps_numbers_to_the_last_bit() -> None:
    """By the same sums as in training."""
    rng = np.random.default_rng(0)
    knots, heights = np.sort(rng.normal(size=128) * 1e6), np.sort(rng.normal(size=128))
    values = rng.normal(size=5000) * 1.2e6
    expected = np.interp(values, knots, heights)
    assert [runtime.mapped(v, knots.tolist(), heights.tolist()) for v in values.tolist()] == expected.tolist()


@pytest.mark.parametrize("name", ["customer_id", "PassengerId", "ID", "row"])
def test_numbers_that_seem_to_name_rows_are_told(name: str) -> None:
    """They stay, since a person knows better; other columns are not suspected."""
    ids = [str(1000 + 7 * i) for i in range(50)]
    encoding = learn(**{name: ids, "paid": ids[::-1]})
    assert encoding.needed == (name, "paid")
    assert encoding.notes == (
        f"column {name!r} has another whole number in each row; if it only names rows, leave it out (ignored)",
    )


def test_an_index_of_a_part_of_a_frame_is_left_out(tmp_path: Path) -> None:
    """A first column without a name, with another whole number in each row; with repeated ones it stays."""
    rows = [f"{i * 13 % 101},{i % 7},{'ab'[i % 2]}" for i in range(60)]
    task = TabularClassification.load(write(tmp_path / "a.csv", ",x,label", rows))
    assert task.rows.columns == ("x", "label")
    assert task.notes == ("the first column of a.csv has no name, only numbers the rows, and is left out",)
    again = TabularClassification.load(write(tmp_path / "a.csv", ",x,label", [*rows, rows[0]]))
    assert again.rows.columns == ("column1", "x", "label")


def test_rare_classes_are_named(tmp_path: Path) -> None:
    """With their counts."""
    rows = [f"{i},{'often' if i > 3 else 'seldom' if i else 'once'}" for i in range(40)]
    with pytest.raises(DataError, match=r"1 class\(es\) have fewer than the 3 rows .*: 'once' has 1; add rows"):
        TabularClassification.load(write(tmp_path / "a.csv", "x,label", rows))


def test_a_test_file_without_targets_is_told_apart(tmp_path: Path) -> None:
    """As competitions give it."""
    rows = [f"{i},{'ab'[i % 2]}" for i in range(40)]
    write(tmp_path / "train.csv", "x,label", rows)
    write(tmp_path / "test.csv", "x", ["1", "2"])
    with pytest.raises(DataError, match=r"test\.csv lacks .*: 'label'; add them, or take the file out of the folder"):
        TabularClassification.load(tmp_path)


def test_wide_tables_have_no_transformers() -> None:
    """Their cost grows with the square of the columns."""
    for columns, names in ((MOST_TOKENS, ["mlp", "resnet", "ft-transformer"]), (MOST_TOKENS + 1, ["mlp", "resnet"])):
        space = tabular_space(columns, (), 2, classes=True)
        references = tabular_references(space)
        assert names == [reference.name for reference in references]
        for architecture in (*(r.architecture for r in references), *tabular_portfolio(space)):
            assert space.contains(architecture)


def test_a_forest_weighs_classes_as_networks_do(tmp_path: Path) -> None:
    """Where rare classes weigh as much as frequent ones, it finds more of the rare ones."""
    rng = np.random.default_rng(0)
    rare = rng.random(600) < 0.1
    values = rng.normal(size=600) + rare
    rows = [f"{value:.3f},{'rare' if one else 'usual'}" for value, one in zip(values, rare, strict=True)]
    path = write(tmp_path / "a.csv", "x,label", rows)
    found = {}
    for balanced in (False, True):
        task = TabularClassification.load(path, balanced=balanced)
        found[balanced] = task.rival(task.test()).metrics["test_balanced_accuracy"]
    assert found[True] > found[False] + 0.05


def test_a_validation_part_without_errors_makes_nobody_sure() -> None:
    """Of 98 right answers the next is right with a probability of 99 %; a network that is surer stays so."""
    targets = np.arange(98) % 2
    unsure = 0.5 * np.eye(2)[targets]
    assert fitted_temperature(unsure, targets) == pytest.approx(0.5 / np.log(99), rel=1e-6)
    assert fitted_temperature(100 * unsure, targets) == 1.0
    assert fitted_temperature(100 * unsure, np.zeros(98, dtype=np.int64)) > 1.0
