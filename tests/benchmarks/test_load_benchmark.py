"""A benchmark is opened by its name, from a file, or through a plug-in."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import numpy as np
import pytest

from netwright import benchmarks
from netwright.benchmarks import MetricInfo, Scores, Table, load_benchmark
from netwright.benchmarks.table import Meaning
from netwright.errors import DataError, UsageError
from netwright.space import Op, SearchSpace, choice
from netwright.space.coded_rows import CodedRows
from netwright.types import Architecture, Fidelity

SPACE = SearchSpace(Op("conv", (("width", choice("width", [8, 16])),)))
ROWS = CodedRows({"width": (8, 16)}, np.array([[1], [2]]))


def small(data: str | Path | None = None) -> Table:
    """A benchmark as a plug-in makes it."""
    del data
    meaning = Meaning("small", {"acc": MetricInfo("max"), "loss": MetricInfo("min")})
    scores = {Fidelity(1): Scores({"acc": np.array([0.25, 0.5])}), Fidelity(2): Scores({"loss": np.array([1.0, 0.5])})}
    return Table(meaning, SPACE, ROWS, scores)


def test_unknown_names_list_the_known_ones() -> None:
    """The nearest is suggested, and files are said to be possible."""
    with pytest.raises(
        UsageError, match=r"unknown benchmark 'nasbench201-cifar'; did you mean 'nasbench201-cifar10'.*csv"
    ):
        load_benchmark("nasbench201-cifar")


def test_a_file_is_read_with_its_columns(tmp_path: Path) -> None:
    """What the columns are is passed on."""
    path = tmp_path / "mine.csv"
    path.write_text("w,acc\n1,0.5\n2,0.75\n")
    assert 0.75 == load_benchmark(str(path), metrics={"acc": "max"}).optimum("acc")
    assert 0.5 == load_benchmark(path, metrics={"acc": "min"}).optimum("acc")


def test_columns_are_for_files() -> None:
    """A published benchmark knows its columns."""
    with pytest.raises(UsageError, match="cost must be left out for the benchmark 'nasbench-macro'"):
        load_benchmark("nasbench-macro", cost="time")


def test_missing_file(tmp_path: Path) -> None:
    """What looks like a file is one."""
    with pytest.raises(DataError, match=r"nothing\.csv does not exist"):
        load_benchmark(str(tmp_path / "nothing.csv"))


def test_an_object_is_returned_as_it_is() -> None:
    """Whatever keeps the protocol is a benchmark."""
    table = small()
    assert load_benchmark(table) is table


def test_plug_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point adds a name."""
    point = EntryPoint("theirs", f"{__name__}:small", benchmarks.ENTRY_POINTS)
    monkeypatch.setattr(benchmarks, "entry_points", lambda group: EntryPoints([point] if group == point.group else []))
    assert "theirs" in benchmarks.benchmark_names()
    monkeypatch.setattr(EntryPoint, "load", lambda self: small)
    assert "small" == load_benchmark("theirs").name


def test_a_fidelity_may_know_some_metrics_only() -> None:
    """What is not known at a fidelity is not answered there, and has no optimum."""
    table = small()
    assert ({"acc": 0.25}, {"loss": 1.0}) == (
        table.query(Architecture({"width": 8}), Fidelity(1)),
        table.query(Architecture({"width": 8})),
    )
    assert (None, 0.5) == (table.optimum("acc"), table.optimum("acc", Fidelity(1)))
    with pytest.raises(UsageError, match="unknown metric 'accuracy'"):
        table.optimum("accuracy")


def test_answers_are_frozen() -> None:
    """Nobody changes a table by what it gave away."""
    with pytest.raises(ValueError, match="read-only"):
        small().column("loss")[0] = 0.0


def test_tables_that_cannot_be() -> None:
    """Lengths, metrics and rows have to fit."""
    meaning = Meaning("bad", {"acc": MetricInfo("max")})
    with pytest.raises(DataError, match=r"acc of bad must be of shape \(2,\), a number a row, got \(3,\)"):
        Table(meaning, SPACE, ROWS, {Fidelity(): Scores({"acc": np.zeros(3)})})
    with pytest.raises(DataError, match="bad has 2 architectures at 0 fidelities"):
        Table(meaning, SPACE, ROWS, {})
    with pytest.raises(UsageError, match="metrics must be at least one metric"):
        Meaning("bad", {})
    with pytest.raises(UsageError, match="unknown metric 'time'"):
        Meaning("bad", {"acc": MetricInfo("max")}, cost="time")


@pytest.mark.slow
def test_no_torch() -> None:
    """Benchmarks are read without torch."""
    import subprocess
    import sys

    code = "import sys, netwright.benchmarks; sys.exit('torch' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", code]).returncode
