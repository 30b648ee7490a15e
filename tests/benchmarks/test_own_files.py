"""A table of one's own becomes a benchmark, whatever its format; what cannot be one is refused with a cure."""

from __future__ import annotations

import gzip
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.benchmarks import (
    Benchmark,
    Columns,
    Meaning,
    MetricInfo,
    NotInBenchmark,
    Scores,
    Table,
    load_benchmark,
    read_table,
)
from netwright.errors import DataError, MissingDependencyError, SpecError, UsageError
from netwright.space import OneOf, Op, Repeat, SearchSpace, choice, integer
from netwright.types import Architecture, Fidelity

TEXT = """\
op,width,accuracy,latency_ms
conv,16,0.75,3.5
conv,32,0.875,5
skip,16,0.5,1.5
"""


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """A sparse table."""
    return write(tmp_path, TEXT)


def write(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def arch(**decisions: object) -> Architecture:
    return Architecture(decisions)


def answers(table: Table) -> list[object]:
    """Everything a table says."""
    space = table.space
    listed = list(space.enumerate())
    rng = np.random.default_rng(0)
    scores = [table.query(a, f) for a in listed for f in table.fidelities]
    near = [[a.to_json() for a in space.neighbours(b)] for b in listed]
    moves = [space.mutate(listed[0], rng) for _ in range(20)] if len(listed) > 1 else []
    optima = [table.optimum(metric) for metric in table.metrics]
    return [[a.to_json() for a in listed], repr(scores), near, moves, optima, space.fingerprint()]


# --- what is read ---


def test_csv_is_a_benchmark(csv: Path) -> None:
    """Columns that are not metrics are decisions; numbers are numbers."""
    table = read_table(csv, metrics={"accuracy": "max", "latency_ms": "min"})
    assert isinstance(table, Benchmark)
    assert {"accuracy": 0.875, "latency_ms": 5.0} == table.query(arch(op="conv", width=32))
    assert (0.875, 1.5) == (table.optimum("accuracy"), table.optimum("latency_ms"))
    assert ("accuracy", None, (Fidelity(),)) == (table.default_metric, table.cost, table.fidelities)
    assert table.name == "table"


def test_sparse_table_is_searched_on_its_rows(csv: Path) -> None:
    """An architecture that the columns allow and no row holds is not in the space, and cannot be asked for."""
    table = read_table(csv, metrics=["accuracy", "latency_ms"])
    assert 3 == table.space.count()
    with pytest.raises(NotInBenchmark, match=r"is not among the 3 listed architectures"):
        table.query(arch(op="skip", width=32))
    with pytest.raises(NotInBenchmark, match=r"decision 'op' must be one of"):
        table.query(arch(op="pool", width=32))


def test_complete_table_has_the_ordinary_space(tmp_path: Path) -> None:
    """With all combinations, neighbours differ in one decision."""
    table = read_table(write(tmp_path, TEXT + "skip,32,0.25,2\n"), metrics=["accuracy", "latency_ms"])
    near = table.space.neighbours(arch(op="conv", width=16))
    assert [arch(op="skip", width=16), arch(op="conv", width=32)] == list(near)


def test_one_architecture(tmp_path: Path) -> None:
    """A table of one architecture is a space of one."""
    table = read_table(write(tmp_path, "width,acc\n16,0.5\n"), metrics=["acc"])
    assert [arch(width=16)] == list(table.space.enumerate())
    assert 0.5 == table.optimum("acc")


def test_nan_and_constant_scores(tmp_path: Path) -> None:
    """A failed evaluation is NaN and never the optimum; where all failed there is none."""
    table = read_table(
        write(tmp_path, "w,acc,other,same\n1,nan,nan,1\n2,0.5,nan,1\n"), metrics=["acc", "other", "same"]
    )
    assert np.isnan(table.query(arch(w=1))["acc"])
    assert (0.5, None, 1.0) == (table.optimum("acc"), table.optimum("other"), table.optimum("same"))


def test_names_say_what_columns_are(tmp_path: Path) -> None:
    """decision: and metric: are enough; other columns are left out."""
    table = read_table(write(tmp_path, "id,decision:w,metric:loss,note\na,1,0.5,x\nb,2,0.25,y\n"))
    assert {"loss": 0.25} == table.query(arch(w=2))
    assert "min" == table.metrics["loss"].direction
    assert ["w"] == list(table.space.choices)


def test_decisions_alone_make_the_rest_metrics(csv: Path) -> None:
    """The other way round."""
    assert ["accuracy", "latency_ms"] == list(read_table(csv, decisions=["op", "width"]).metrics)


def test_cost_and_test_metric(tmp_path: Path) -> None:
    """Both are metrics as well."""
    path = write(tmp_path, "w,val,test,seconds\n1,0.5,0.25,10\n2,0.75,0.125,20\n")
    table = read_table(path, metrics={"val": "max"}, test_metric="test", cost="seconds")
    assert ("test", "seconds") == (table.metrics["val"].test_metric, table.cost)
    assert {"val": 0.5, "test": 0.25, "seconds": 10.0} == table.query(arch(w=1))
    assert ["w"] == list(table.space.choices)


def test_fidelities(tmp_path: Path) -> None:
    """Rows of one architecture at several epochs; what was not evaluated at one is said not to be."""
    path = write(tmp_path, "w,epochs,acc\n1,10,0.5\n1,1,0.25\n2,1,0.125\n")
    table = read_table(path, metrics=["acc"], fidelity="epochs")
    assert (Fidelity(epochs=1), Fidelity(epochs=10)) == table.fidelities
    assert (0.25, 0.5) == tuple(table.query(arch(w=1), f)["acc"] for f in table.fidelities)
    assert 0.5 == table.query(arch(w=1), Fidelity())["acc"] == table.optimum("acc")
    with pytest.raises(NotInBenchmark, match=r'has no Architecture\({"w":2}\) at Fidelity\(epochs=10.0'):
        table.query(arch(w=2))
    with pytest.raises(
        UsageError, match=r"fidelity must be one of the 2 of table, .* the nearest is Fidelity\(epochs=1"
    ):
        table.query(arch(w=1), Fidelity(epochs=3))


def test_seeds_are_averaged(tmp_path: Path) -> None:
    """With a seed column an architecture may have several rows; failed ones are left out of the mean."""
    path = write(tmp_path, "w,seed,acc\n1,0,0.5\n1,1,0.25\n2,0,0.125\n1,2,nan\n")
    table = read_table(path, metrics=["acc"], seed_column="seed")
    assert (0.375, 0.125) == (table.query(arch(w=1))["acc"], table.query(arch(w=2))["acc"])


def test_flags_text_and_fractions(tmp_path: Path) -> None:
    """A column of true and false is of flags; one of whole numbers and fractions is of fractions."""
    table = read_table(write(tmp_path, "bias,rate,op,acc\ntrue,0.5,3x3,1\nFalse,1,none,0\n"), metrics=["acc"])
    assert 1.0 == table.query(arch(bias=True, rate=0.5, op="3x3"))["acc"]
    assert 0.0 == table.query(arch(bias=False, rate=1.0, op="none"))["acc"]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters(tmp_path: Path, delimiter: str) -> None:
    """Semicolons, tabs and bars separate as well."""
    table = read_table(write(tmp_path, TEXT.replace(",", delimiter)), metrics=["accuracy", "latency_ms"])
    assert 3 == len(table)


def test_byte_order_mark_compression_and_empty_lines(tmp_path: Path) -> None:
    """What spreadsheets write before and between the lines does no harm."""
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(("\ufeff" + TEXT.replace("\n", "\r\n") + "\r\n").encode()))
    table = read_table(path, metrics=["accuracy", "latency_ms"])
    assert ("table", 3, ["op", "width"]) == (table.name, len(table), list(table.space.choices))


def test_lines_are_counted_where_cells_hold_several(tmp_path: Path) -> None:
    """Errors name the line at which a row ends, with empty lines and quoted line breaks before it."""
    path = write(tmp_path, 'op,acc\n"a\nb",0.5\n\nc,0.25\nd,x\n')
    with pytest.raises(DataError, match="line 6, column 'acc' must be a number"):
        read_table(path, metrics=["acc"])


def test_npz_equals_csv(tmp_path: Path, csv: Path) -> None:
    """Arrays of one dimension are columns."""
    path = tmp_path / "table.npz"
    columns = {"op": ["conv", "conv", "skip"], "width": [16, 32, 16], "accuracy": [0.75, 0.875, 0.5]}
    np.savez(path, **columns, latency_ms=np.array([3.5, 5.0, 1.5]))
    metrics = ["accuracy", "latency_ms"]
    assert answers(read_table(csv, metrics=metrics)) == answers(read_table(path, metrics=metrics))


def test_npz_matrix_is_several_decisions(tmp_path: Path) -> None:
    """The columns of a matrix of whole numbers or text are decisions, and can be named together."""
    path = tmp_path / "table.npz"
    np.savez(path, arch=np.array([[0, 1], [1, 0]]), acc=np.array([0.5, 0.25]), names=np.array(["a"]))
    table = read_table(path, decisions=["arch"], metrics=["acc"])
    assert {"acc": 0.25} == table.query(arch(arch0=1, arch1=0))


def test_parquet_equals_csv(tmp_path: Path, csv: Path) -> None:
    """With pyarrow."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"op": ["conv", "conv", "skip"], "width": [16, 32, 16], "accuracy": [0.75, 0.875, 0.5]}
    path = tmp_path / "table.parquet"
    parquet.write_table(pyarrow.table({**columns, "latency_ms": [3.5, 5.0, 1.5]}), path)
    metrics = ["accuracy", "latency_ms"]
    assert answers(read_table(csv, metrics=metrics)) == answers(read_table(path, metrics=metrics))


def test_parquet_null_is_nan(tmp_path: Path) -> None:
    """A null is a failed evaluation among metrics, and an empty cell among decisions."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "table.parquet"
    parquet.write_table(pyarrow.table({"w": [1, 2], "v": ["a", None], "acc": [0.5, None]}), path)
    assert np.isnan(read_table(path, decisions=["w"], metrics=["acc"]).query(arch(w=2))["acc"])
    with pytest.raises(DataError, match=r"row 1 \(the first is 0\), column 'v' is empty"):
        read_table(path, metrics=["acc"])


def test_parquet_of_categories_in_pieces(tmp_path: Path) -> None:
    """A column of categories, written in several pieces, is one column."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "table.parquet"
    pieces = [pyarrow.array(ops).dictionary_encode() for ops in (["b", "c"], ["a", "b"])]
    table = pyarrow.table({"op": pyarrow.chunked_array(pieces), "w": [1, 1, 1, 2], "acc": [0.1, 0.2, 0.3, 0.4]})
    parquet.write_table(table, path, row_group_size=2)
    read = read_table(path, metrics=["acc"])
    assert [0.3, 0.1, 0.4, 0.2] == read.column("acc").tolist()
    assert 0.4 == read.query(arch(op="b", w=2))["acc"]


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra that reads it is named."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'netwright\[tables\]'"):
        read_table(write(tmp_path, "no", "table.parquet"), metrics=["acc"])


def test_broken_parquet(tmp_path: Path) -> None:
    """A file that is none is refused."""
    pytest.importorskip("pyarrow")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_table(write(tmp_path, "no", "table.parquet"), metrics=["acc"])


# --- a declared space ---


def conditional() -> SearchSpace:
    """A depth, and a width for each layer there is."""
    layers = tuple(Op("conv", (("width", choice(f"width{i}", [8, 16])),)) for i in range(2))
    return SearchSpace(Repeat(integer("depth", 1, 2), layers))


def test_declared_space_with_inactive_decisions(tmp_path: Path) -> None:
    """Empty cells are decisions that an architecture does not have."""
    path = write(tmp_path, "depth,width0,width1,acc\n1,8,,0.5\n2,8,16,0.75\n2,16.0,16,0.25\n")
    table = read_table(path, metrics=["acc"], space=conditional())
    assert 0.5 == table.query(arch(depth=1, width0=8))["acc"]
    assert 3 == table.space.count()


def test_row_outside_a_declared_space(tmp_path: Path) -> None:
    """The line is named, and what is wrong with it."""
    path = write(tmp_path, "depth,width0,width1,acc\n2,8,8,0.5\n1,8,16,0.75\n")
    with pytest.raises(DataError, match=r"line 3 is not in the declared space: decision 'width1' = 16 is not active"):
        read_table(path, metrics=["acc"], space=conditional())


def test_value_outside_a_declared_space(tmp_path: Path) -> None:
    """The cell is named, and what is allowed."""
    path = write(tmp_path, "depth,width0,width1,acc\n1,12,,0.5\n")
    with pytest.raises(DataError, match=r"line 2, column 'width0' must be one of \[8, 16\] .*nearest: 8.*got 12"):
        read_table(path, metrics=["acc"], space=conditional())


def test_choice_without_column(csv: Path) -> None:
    """Every choice needs a column."""
    space = SearchSpace(Op("conv", (("width", choice("width", [16, 32])), ("kernel", choice("kernel", [3])))))
    with pytest.raises(SpecError, match="unknown decision column 'kernel'"):
        read_table(csv, metrics=["accuracy"], space=space)
    with pytest.raises(DataError, match="the choice 'kernel' of the space has no column"):
        read_table(csv, decisions=["width"], metrics=["accuracy"], space=space)


def test_column_that_is_no_choice(csv: Path) -> None:
    """Decisions that are named must be choices of the space."""
    space = SearchSpace(Op("conv", (("width", choice("width", [16, 32])),)))
    with pytest.raises(DataError, match="unknown decision 'op'"):
        read_table(csv, decisions=["op", "width"], metrics=["accuracy"], space=space)


def test_declared_values_of_mixed_kinds(tmp_path: Path) -> None:
    """A cell is read as the space writes it: text, a number, a flag or a list."""
    branches = ((3, Op("conv3")), ("3", Op("text")), (True, Op("flag")), ((1, 2), Op("pair")))
    space = SearchSpace(OneOf(choice("op", [key for key, _ in branches]), branches))
    table = read_table(write(tmp_path, 'op,acc\ntrue,0.5\n"[1, 2]",0.25\n3,0.125\n'), metrics=["acc"], space=space)
    assert 0.5 == table.query(arch(op=True))["acc"]
    assert 0.25 == table.query(arch(op=(1, 2)))["acc"]
    assert 0.125 == table.query(arch(op="3"))["acc"]


# --- what is refused ---

BAD_TEXT = {
    "duplicate rows": (TEXT + "conv,16,0.5,1\n", r"line 2 and line 5 are the same architecture; remove one, or name"),
    "empty decision": (TEXT + ",16,0.5,1\n", r"line 5, column 'op' is empty, and every architecture needs"),
    "empty metric": (TEXT + "skip,32,,1\n", r"line 5, column 'accuracy' is empty; give a number, or nan"),
    "text for a metric": (TEXT + "skip,32,93%,1\n", r"line 5, column 'accuracy' must be a number, .*got '93%'"),
    "infinite metric": (TEXT + "skip,32,inf,1\n", r"line 5, column 'accuracy' must be a finite number or nan, got inf"),
    "infinite decision": (TEXT + "skip,inf,1,1\n", r"line 5, column 'width' must be a finite number, .*got inf"),
    "short line": (TEXT + "skip,32,1\n", r"line 5: cells must be 4 as in the header, got 3"),
    "empty file": ("", r"is empty, or its first line is"),
    "no rows": ("op,width,accuracy,latency_ms\n", r"has a header and no rows"),
    "no header": ("1,2,3,4\n5,6,7,8\n", r"line 1 holds numbers, not names of columns"),
    "unnamed column": (",width,accuracy,latency_ms\n0,1,2,3\n", r"column 1 of 4 has no name; .*index=False"),
    "two of a name": ("op,op,accuracy,latency_ms\n0,1,2,3\n", r"columns 1 and 2 are both named 'op'"),
    "open quote": (TEXT + '"skip,32,1,1\n', r"cannot be read as CSV"),
}


@pytest.mark.parametrize("name", BAD_TEXT)
def test_bad_text(tmp_path: Path, name: str) -> None:
    """File, line and column are named, what is allowed, and a cure."""
    text, message = BAD_TEXT[name]
    with pytest.raises(DataError, match=message) as caught:
        read_table(write(tmp_path, text), metrics={"accuracy": "max", "latency_ms": "min"})
    assert "table.csv" in str(caught.value)


def test_not_utf8(tmp_path: Path) -> None:
    """Text in another encoding is refused."""
    path = tmp_path / "table.csv"
    path.write_bytes("op,acc\nfaltung_größe,1\n".encode("latin-1"))
    with pytest.raises(DataError, match="is not text in UTF-8"):
        read_table(path, metrics=["acc"])


def test_not_compressed(tmp_path: Path) -> None:
    """A file named .gz has to be one."""
    with pytest.raises(DataError, match="cannot be read"):
        read_table(write(tmp_path, TEXT, "table.csv.gz"), metrics=["accuracy"])


def test_cut_off_compression(tmp_path: Path) -> None:
    """A file that was not copied whole is refused."""
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(TEXT.encode())[:-10])
    with pytest.raises(DataError, match="cannot be read"):
        read_table(path, metrics=["accuracy"])


def test_missing_file(csv: Path) -> None:
    """The nearest name is suggested."""
    with pytest.raises(DataError, match=r"tabl.csv does not exist; did you mean 'table.csv'\?"):
        read_table(csv.with_name("tabl.csv"), metrics=["accuracy"])
    with pytest.raises(DataError, match="is a folder"):
        read_table(csv.parent, metrics=["accuracy"])


def test_unknown_kind(tmp_path: Path) -> None:
    """The kinds that can be read are listed."""
    with pytest.raises(DataError, match=r"ending of its name must be one of .*\.csv"):
        read_table(write(tmp_path, TEXT, "table.xlsx"), metrics=["accuracy"])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"metrics": {"acuracy": "max"}}, r"unknown metric column 'acuracy'; did you mean 'accuracy'\?"),
        ({"metrics": {"accuracy": "up"}}, r"direction of metric 'accuracy' must be 'max' or 'min', got 'up'"),
        ({"metrics": ["accuracy"], "cost": "time"}, "unknown cost column 'time'"),
        ({"metrics": ["accuracy"], "fidelity": "epochs"}, "unknown fidelity column 'epochs'"),
        ({"metrics": ["accuracy"], "seed_column": "seed"}, "unknown seed column 'seed'"),
        ({"metrics": ["accuracy"], "test_metric": "test"}, "unknown test metric column 'test'"),
        ({"metrics": ["accuracy"], "decisions": ["depth"]}, "unknown decision column 'depth'"),
        ({"metrics": ["accuracy"], "decisions": ["accuracy"]}, "named both as a decision and as something else"),
    ],
)
def test_wrong_columns(csv: Path, asked: dict[str, object], message: str) -> None:
    """What is named is not there, or cannot be."""
    with pytest.raises(SpecError, match=message):
        read_table(csv, **asked)  # type: ignore[arg-type]


def test_nothing_is_a_metric_or_a_decision(csv: Path) -> None:
    """Both are needed; the columns are listed."""
    with pytest.raises(DataError, match=r"no column is a metric; .*columns: op, width, accuracy, latency_ms"):
        read_table(csv)
    with pytest.raises(DataError, match="no column is a decision"):
        read_table(csv, metrics=["op", "width"])


@pytest.mark.parametrize(("cell", "got"), [("0", "0.0"), ("-1", "-1.0"), ("nan", "nan")])
def test_epochs_that_cannot_be(tmp_path: Path, cell: str, got: str) -> None:
    """Epochs are positive."""
    path = write(tmp_path, f"w,epochs,acc\n1,1,0.5\n1,{cell},0.5\n")
    with pytest.raises(DataError, match=f"line 3, column 'epochs' must be > 0, .*got {got}"):
        read_table(path, metrics=["acc"], fidelity="epochs")


def test_repeated_seed(tmp_path: Path) -> None:
    """A seed tells evaluations apart, or they are one too many."""
    path = write(tmp_path, "w,seed,acc\n1,0,0.5\n1,0,0.25\n")
    with pytest.raises(
        DataError, match=r"line 2 and line 3 are the same architecture; .* mend the seed in column 'seed'"
    ):
        read_table(path, metrics=["acc"], seed_column="seed")


@pytest.mark.parametrize("cell", ["net{}", "{}", "0.{:04}"], ids=["names", "numbers", "fractions"])
def test_what_differs_in_most_rows_is_no_decision(tmp_path: Path, cell: str) -> None:
    """A measurement or a name that nobody mentioned is not taken for a decision, unless it is said to be one."""
    path = write(tmp_path, "what,w,acc\n" + "".join(f"{cell.format(i)},{i % 7},0.5\n" for i in range(1_200)))
    with pytest.raises(
        DataError, match=r"column 'what' has 1200 different values in 1200 rows, .* name it as a metric"
    ):
        read_table(path, metrics=["acc"])
    assert 1_200 == read_table(path, decisions=["what", "w"], metrics=["acc"]).space.count()


def test_columns_named_like_metrics_are_metrics(tmp_path: Path) -> None:
    """What nobody mentioned and is measured gives no answer away; by its name it is known which way it is better."""
    path = write(tmp_path, "kernel_size,val_acc,test_acc,train_time_s,time_steps,latency_ms_gpu\n3,0.5,0.25,9,4,2\n")
    table = read_table(path, metrics=["val_acc"])
    assert ["kernel_size", "time_steps"] == list(table.space.choices)
    directions = {name: info.direction for name, info in table.metrics.items()}
    assert {"val_acc": "max", "test_acc": "max", "train_time_s": "min", "latency_ms_gpu": "min"} == directions
    assert "val_acc" == table.default_metric


def test_digits_are_codes(tmp_path: Path) -> None:
    """Digits that begin with 0 are text: 012 is not 12."""
    table = read_table(write(tmp_path, "code,acc\n012,0.5\n12,0.25\n"), metrics=["acc"])
    assert 0.5 == table.query(arch(code="012"))["acc"]


def test_npz_of_unequal_lengths(tmp_path: Path) -> None:
    """Both arrays are named."""
    np.savez(tmp_path / "table.npz", w=np.arange(3), acc=np.zeros(2))
    with pytest.raises(DataError, match=r"length of 'acc' must be that of 'w' \(3\), got 2"):
        read_table(tmp_path / "table.npz", metrics=["acc"])


def test_npz_with_pickled_objects(tmp_path: Path) -> None:
    """Objects are never read."""
    np.savez(tmp_path / "table.npz", w=np.array([{"a": 1}, None], dtype=object), acc=np.zeros(2))
    with pytest.raises(DataError, match="pickled objects are refused"):
        read_table(tmp_path / "table.npz", metrics=["acc"])


def test_npz_that_is_none(tmp_path: Path) -> None:
    """Neither text nor a single array is an npz file."""
    with pytest.raises(DataError, match="cannot be read as npz"):
        read_table(write(tmp_path, "no", "table.npz"), metrics=["acc"])
    with (tmp_path / "one.npz").open("wb") as stream:
        np.save(stream, np.zeros(3))
    with pytest.raises(DataError, match="holds a single array"):
        read_table(tmp_path / "one.npz", metrics=["acc"])


@pytest.mark.parametrize("array", [np.array(["a", "b"]), np.array([1j, 2j])])
def test_npz_metric_that_is_no_number(tmp_path: Path, array: np.ndarray) -> None:
    """Metrics are numbers."""
    np.savez(tmp_path / "table.npz", w=np.arange(2), acc=array)
    with pytest.raises(DataError, match="column 'acc' must be of numbers, as it is a metric"):
        read_table(tmp_path / "table.npz", metrics=["acc"])


def test_npz_without_rows_or_columns(tmp_path: Path) -> None:
    """Nothing to search."""
    np.savez(tmp_path / "table.npz", w=np.zeros(0), acc=np.zeros(0))
    with pytest.raises(DataError, match="has no rows"):
        read_table(tmp_path / "table.npz", metrics=["acc"])
    np.savez(tmp_path / "table.npz", w=np.zeros((2, 2)))
    with pytest.raises(DataError, match="holds no column"):
        read_table(tmp_path / "table.npz", metrics=["acc"])


# --- laws ---


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_order_of_rows_does_not_matter(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """A table and the same with its lines in another order give the same answers, neighbours and moves included."""
    cells = st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 4), st.sampled_from([0.5, 1.0, 2.0]))
    rows = data.draw(st.lists(cells, min_size=1, max_size=30, unique=True))
    lines = [f"{op},{width},{rate},{i / 32}\n" for i, (op, width, rate) in enumerate(rows)]
    folder = tmp_path_factory.mktemp("permuted")
    tables = []
    for name, ordered in (("a", lines), ("b", data.draw(st.permutations(lines)))):
        path = write(folder, "op,width,rate,acc\n" + "".join(ordered), f"{name}.csv")
        tables.append(read_table(path, metrics={"acc": "max"}))
    assert answers(tables[0]) == answers(tables[1])


def test_bytes_of_an_npz_file_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """Replaced by the same sign, different values would become one."""
    np.savez(tmp_path / "table.npz", w=np.array([b"\xe9", b"\xff"]), acc=np.zeros(2))
    with pytest.raises(DataError, match=r"column 'w' must be text in UTF-8, got b'\\xe9'; save it as text"):
        read_table(tmp_path / "table.npz", metrics=["acc"])


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"fidelity": "acc"}, "'acc' is named both as the fidelity column and as a metric; take one"),
        ({"seed_column": "acc"}, "'acc' is named both as the seed column and as a metric; take one"),
        ({"fidelity": "w", "seed_column": "w"}, "'w' is named both as the fidelity column and as the seed column"),
        ({"seed_column": "w", "cost": "w"}, "'w' is named both as the seed column and as a metric"),
        ({"fidelity": "w", "test_metric": "w"}, "'w' is named both as the fidelity column and as a metric"),
    ],
)
def test_a_column_has_one_role(tmp_path: Path, roles: Columns, message: str) -> None:
    """Epochs and repeats are not measured."""
    path = write(tmp_path, "w,v,acc\n1,1,1\n2,1,2\n")
    with pytest.raises(SpecError, match=message):
        read_table(path, metrics=["acc"], **roles)


@pytest.mark.parametrize("number", ["1e101", "-1e308"])
def test_a_number_too_large_to_be_squared_is_refused(tmp_path: Path, number: str) -> None:
    """Means and intervals of such numbers would be infinite."""
    path = write(tmp_path, f"w,acc\n1,0.5\n2,{number}\n")
    with pytest.raises(DataError, match=r"line 3, column 'acc' must be at most 1e\+100 in size, or nan"):
        read_table(path, metrics=["acc"])


def test_a_table_made_of_arrays_has_no_number_too_large_to_be_squared(tmp_path: Path) -> None:
    """As for files."""
    table = read_table(write(tmp_path, "w,acc\n1,0.5\n2,1\n"), metrics=["acc"])
    scores = {Fidelity(): Scores({"acc": np.array([1e308, 1.0])})}
    with pytest.raises(DataError, match=r"acc of t must be at most 1e\+100 in size, got 1e\+308"):
        Table(Meaning("t", {"acc": MetricInfo("max")}), table.space, table.architectures(), scores)


@pytest.mark.parametrize("digits", [400, 5000])
def test_a_decision_of_many_digits_is_refused(tmp_path: Path, digits: int) -> None:
    """It is no number that a processor has; a declared space does not have it either."""
    path = write(tmp_path, f"w,acc\n{'1' * digits},0.5\n2,1\n")
    with pytest.raises(DataError, match=r"line 2, column 'w' must be a number of at most 300 digits, got '1111"):
        read_table(path, metrics=["acc"])
    for declared in (choice("w", [1, 2]), integer("w", 1, 9)):
        with pytest.raises(DataError, match="line 2, column 'w' must be"):
            read_table(path, metrics=["acc"], space=SearchSpace(training={"w": declared}))


def test_brackets_in_a_cell_are_no_recursion(tmp_path: Path) -> None:
    """A cell is not read as JSON beyond the length that values have."""
    path = write(tmp_path, f"w,acc\n{'[' * 100_000},0.5\n2,1\n")
    with pytest.raises(DataError, match="line 2, column 'w' must be one of"):
        read_table(path, metrics=["acc"], space=SearchSpace(training={"w": choice("w", [1, 2])}))


def test_parquet_columns_of_lists_and_structs_are_refused(tmp_path: Path) -> None:
    """They are no decisions; so is a file whose pages are damaged."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "table.parquet"
    for cells in ([[1], [2]], [{"x": 1}, {"x": 2}]):
        parquet.write_table(pyarrow.table({"w": cells, "acc": [1.0, 2.0]}), path)
        with pytest.raises(DataError, match=r"column 'w' must be of numbers, flags or text, got '(list|struct)<"):
            read_table(path, metrics=["acc"])
    texts = [f"{'x' * 50}{number}" for number in range(1000)]
    parquet.write_table(pyarrow.table({"w": texts, "acc": np.arange(1000.0)}), path, compression="snappy")
    data = bytearray(path.read_bytes())
    data[100:3000] = b"\xff" * 2900
    path.write_bytes(data)
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_table(path, metrics=["acc"])


def test_too_many_decisions_are_refused_at_once(tmp_path: Path) -> None:
    """Ten thousand columns are most likely no decisions, and a search among them would take minutes to begin."""
    names = [f"d{number}" for number in range(10_000)]
    path = write(
        tmp_path, "\n".join([",".join([*names, "acc"]), *(f"{row}," + ",".join(["1"] * 10_000) for row in range(60))])
    )
    start = time.process_time()
    with pytest.raises(DataError, match=r"columns that are decisions must be at most 1000, got 10000; name those that"):
        read_table(path, metrics=["acc"])
    assert time.process_time() - start < 1
    assert 3 == len(read_table(path, decisions=names[:3], metrics=["acc"]).space.choices)


def test_a_number_of_python_alone_is_no_number(tmp_path: Path) -> None:
    """1_000 may be a thousand or a slip."""
    with pytest.raises(DataError, match=r"line 3, column 'acc' must be a number, .*, got '1_000'"):
        read_table(write(tmp_path, "w,acc\n1,1\n2,1_000\n"), metrics=["acc"])


def test_a_damaged_npz_file_gives_no_advice_to_unpickle(tmp_path: Path) -> None:
    """As numpy does of whatever begins like nothing it knows."""
    (tmp_path / "table.npz").write_bytes(b"damaged" * 50)
    with pytest.raises(DataError, match="it does not begin as one; it is damaged") as caught:
        read_table(tmp_path / "table.npz")
    assert "allow_pickle" not in str(caught.value)


def test_a_path_that_is_too_long_is_shortened() -> None:
    """And is an error like any other."""
    for path in ("x" * 5000 + ".csv", Path("x" * 5000 + ".csv")):
        with pytest.raises(DataError, match=r"the table 'xxx.*\.\.\. cannot be opened: File name too long") as caught:
            load_benchmark(path)
        assert len(str(caught.value)) < 300
