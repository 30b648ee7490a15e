"""Intervals of numbers: where a column is cut, and that networks and model.py see the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from netwright import nn
from netwright.errors import SpecError
from netwright.export.runtimes import table as runtime
from netwright.space import SearchSpace
from netwright.tasks.tabular import TabularClassification, TabularRegression
from netwright.tasks.tabular.encoding import MOST_CUT, Encoding, EncodingOptions
from netwright.tasks.tabular.intervals import FEWEST_ROWS, MOST_INTERVALS, interval_codes, thresholds
from netwright.tasks.tabular.reading import Table
from netwright.tasks.tabular.spaces import tabular_portfolio, tabular_space


def noisy_steps(seed: int, rows: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=rows).round(2)
    return numbers, np.sin(3 * numbers) + rng.normal(0, 0.3, rows)


def test_cuts_are_those_of_a_decision_tree() -> None:
    """scikit-learn's, best first, with as many leaves; of classes and of values. Its thresholds are float32."""
    tree = pytest.importorskip("sklearn.tree")
    numbers, values = noisy_steps(0)
    classes = (values > 0).astype(np.int64) + (values > 0.5)
    for kind, criterion, targets in (
        (tree.DecisionTreeClassifier, "entropy", classes),
        (tree.DecisionTreeRegressor, "squared_error", values[:, None]),
    ):
        wanted_of = values.argsort().argsort() if targets is not classes else classes  # values by their ranks
        found = kind(criterion=criterion, max_leaf_nodes=24, min_samples_leaf=20).fit(numbers[:, None], wanted_of).tree_
        wanted = np.sort(found.threshold[found.feature >= 0])
        cuts = thresholds(numbers, targets, most=24, fewest=20, chance=1.0, apart=False)
        assert len(cuts) == 23
        assert np.allclose(cuts, wanted, atol=1e-5)


def test_a_number_that_says_nothing_of_the_target_is_not_cut() -> None:
    """With 200 columns of noise, of as many different values as rows, or of 300, some are by chance."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 2, 2000)
    rare = (rng.random(2000) < 0.01).astype(np.int64)
    for numbers in (rng.normal(size=(200, 2000)), rng.integers(0, 300, (200, 2000)).astype(np.float64)):
        for targets in (
            classes,
            rare,
            classes + 2 * rare,
            rng.integers(0, 200, 2000),
            rng.normal(size=(2000, 1)),
            rng.lognormal(sigma=2.0, size=(2000, 1)),
            rng.pareto(1.5, size=(2000, 1)),
        ):
            assert sum(bool(thresholds(column, targets)) for column in numbers) <= 8
    assert thresholds(np.full(50, 3.0), classes[:50]) == ()
    assert thresholds(np.array([1.0, 2.0]), np.array([0, 1])) == ()
    assert thresholds(np.full(50, np.nan), classes[:50]) == ()
    assert thresholds(np.arange(50.0), np.full((50, 1), 2.5)) == ()


def test_a_frequent_value_that_stands_apart_has_an_interval() -> None:
    """As gains of capital that some law makes frequent; neighbours on both sides are of the other class."""
    rng = np.random.default_rng(1)
    numbers = np.where(rng.random(4000) < 0.9, 0.0, rng.integers(10, 50, 4000) * 100.0)
    classes = np.where(numbers == 3000, 1, (rng.random(4000) < 0.1).astype(np.int64))
    cuts = thresholds(numbers, classes)
    assert interval_codes(np.array([2900.0]), cuts) != interval_codes(np.array([3000.0]), cuts)
    assert interval_codes(np.array([3000.0]), cuts) != interval_codes(np.array([3100.0]), cuts)


def test_intervals_are_no_more_and_no_smaller_than_they_may_be() -> None:
    """Also where one value is cut out near an end, and where only one more may be."""
    near_the_end = np.repeat([-1.0, 0.0, 1.0], [2, 50, 500])
    cuts = thresholds(near_the_end, np.repeat([0, 1, 0], [2, 50, 500]))
    assert np.bincount(interval_codes(near_the_end, cuts)).tolist() == [0, 52, 500]
    for seed in range(20):
        rng = np.random.default_rng(seed)
        numbers = np.arange(400).repeat(20).astype(np.float64)
        cuts = thresholds(numbers, rng.integers(0, 2, 400).repeat(20))
        assert 60 <= len(cuts) + 1 <= MOST_INTERVALS
        assert np.bincount(interval_codes(numbers, cuts))[1:].min() >= FEWEST_ROWS


def test_two_values_are_apart_already() -> None:
    """As are those of a column of yes and no; of three values each may be."""
    numbers = np.repeat([0.0, 1.0, 2.0], 50)
    classes = np.repeat([0, 1, 0], 50)
    assert thresholds(numbers[:100], classes[:100]) == ()
    assert thresholds(numbers, classes) == (0.5, 1.5)


def test_many_different_values_are_cut_by_rank() -> None:
    """So that time and memory have a bound; a step is found to a thousandth of the rows."""
    numbers = np.random.default_rng(2).normal(size=60_000)
    cuts = thresholds(numbers, (numbers > 0.5).astype(np.int64))
    assert min(abs(cut - 0.5) for cut in cuts) < 0.01


@pytest.mark.parametrize("kind", [TabularClassification, TabularRegression])
def test_model_py_finds_the_same_intervals(
    kind: type[TabularClassification | TabularRegression], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside dates, missing numbers and categories, at the cuts themselves, and for numbers beyond all seen."""
    rng = np.random.default_rng(3)
    lines = ["when,number,word,label"]
    for row in range(600):
        number = rng.integers(0, 40)
        label = int(8 < number < 20) ^ int(rng.random() < 0.05)
        date = f"2024-{1 + (label * 5 + row) % 12:02}-{1 + row % 28:02}"
        lines.append(f"{date},{'' if row % 9 == 0 else number / 4},{'abc'[row % 3]},{label}")
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    task = kind.load(path)
    assert "number" in [column.name for column in task.rows.encoding.intervals]
    test = tmp_path / "new.csv"
    cuts = {column.name: column.cuts for column in task.rows.encoding.intervals}["number"]
    cells = [f"2023-01-01,{cut!r},z" for cut in cuts] + ["2030-01-01,999,a", "2024-05-05,-999,b", "2024-05-05,,"]
    test.write_text("\n".join(["when,number,word", *cells]) + "\n", encoding="utf-8")
    for name, value in task.rows.constants().items():
        monkeypatch.setattr(runtime, name, value)
    columns = tuple(zip(*(line.split(",") for line in cells), strict=True))
    wanted = task.rows.encoding.encode(Table("t", ("when", "number", "word"), columns)).rows
    found, _ = runtime.encode(*runtime.read_rows(test), test)
    assert np.array_equal(found.numpy(), wanted)
    assert wanted[-1, -1] == 0  # missing
    assert len(set(wanted[: len(cuts), -1].tolist())) == len(cuts)  # a cut belongs to the interval below it


def test_networks_without_intervals_do_not_look_at_them() -> None:
    """They get whole rows, whose last columns may be anything; those with them do."""
    space = tabular_space(3, (4,), 2, classes=True, intervals=(6, 3))
    rows = np.array([[0.3, -1.0, 2.0, 1, 5, 2], [0.3, -1.0, 2.0, 1, 1, 0]], dtype=np.float32)
    seen = {}
    for architecture in tabular_portfolio(space):
        for kind in ("plain", "tokens", "periodic", "bins"):
            decisions = {**architecture, "input": kind, "token": 8, "frequencies": 8, "frequency.scale": 0.5}
            if decisions["body"] == "mlp":
                changed = space.architecture(decisions, drop_inactive=True)
                network = nn.build(space.resolve(changed), input_shape=(6,), seed=0).eval()
                with torch.inference_mode():
                    first, second = network(torch.from_numpy(rows))
                seen[kind, bool(changed["intervals"])] = not torch.equal(first, second)
    assert seen == {(kind, shown): shown for kind in ("plain", "tokens", "periodic", "bins") for shown in (False, True)}


def test_rows_are_as_long_as_a_person_wants_them(tmp_path: Path) -> None:
    """With the option off they hold each column once; there are intervals with another scaling; the summary tells."""
    numbers, values = noisy_steps(5, 400)
    path = tmp_path / "rows.csv"
    lines = [f"{number},{int(value > 0)}" for number, value in zip(numbers, values, strict=True)]
    path.write_text("\n".join(["x,label", *lines]) + "\n", encoding="utf-8")
    task, scaled, plain = (
        TabularClassification.load(path, **more) for more in ({}, {"scaling": "standard"}, {"intervals": False})
    )  # type: ignore[arg-type]
    assert task.input_shape == scaled.input_shape == (2,)
    assert plain.input_shape == (1,)
    assert "1 columns of numbers, 0 of categories, 1 of intervals of numbers; target" in task.summary()
    assert "intervals" not in plain.summary()
    assert "intervals" in task.default_space().choices
    assert "intervals" not in plain.default_space().choices
    with pytest.raises(SpecError, match="intervals must be true or false, got 'no'"):
        TabularClassification.load(path, intervals="no")  # type: ignore[arg-type]


def test_spaces_of_tables_without_intervals_have_no_such_choice() -> None:
    """And of very wide tables: each column would make the first layer wider."""
    assert "intervals" not in tabular_space(3, (), 2, classes=True).choices
    numbers, values = noisy_steps(4, 100)
    columns = tuple(tuple(map(str, numbers + place)) for place in range(MOST_CUT + 1))
    names = tuple(f"n{place}" for place in range(len(columns)))
    targets = (values > 0).astype(np.int64)
    assert Encoding.learn(Table("t", names, columns), EncodingOptions(), targets).intervals == ()
    assert Encoding.learn(Table("t", names[1:], columns[1:]), EncodingOptions(), targets).intervals != ()
    assert isinstance(tabular_space(3, (), 2, classes=True, intervals=(4,)), SearchSpace)
