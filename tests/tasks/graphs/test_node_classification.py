"""Graphs as people have them: what is read, what is mended and told, what is refused; networks and runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import netwright as nw
from netwright import nn
from netwright.errors import CapabilityError, DataError, MissingDependencyError, SpecError
from netwright.evaluation.trainer import TrainingEvaluator, scored_at_once
from netwright.export import Card, export_network
from netwright.export.runtimes import nodes as runtime
from netwright.spec import SearchSpec
from netwright.study.delivery import scores_of
from netwright.study.setup import first_plan
from netwright.supernet.differentiable.of_task import search_task
from netwright.supernet.differentiable.options import Options
from netwright.tasks import load_task
from netwright.tasks.graphs.task import NodeClassification, macro_f1
from netwright.types import Architecture, Fidelity


def ring(count: int = 24) -> dict[str, Any]:
    """Two classes on the halves of a ring; features say the half, with noise."""
    rng = np.random.default_rng(0)
    nodes = np.arange(count)
    labels = (nodes >= count // 2).astype(np.int64)
    order = rng.permutation(count)
    third = count // 3
    return {
        "x": (np.stack([labels, 1 - labels, rng.random(count)], axis=1)).astype(np.float32),
        "edge_index": np.stack([nodes, (nodes + 1) % count]),
        "y": labels,
        "train_idx": order[:third],
        "val_idx": order[third : 2 * third],
        "test_idx": order[2 * third :],
    }


def load(folder: Path, changes: dict[str, Any] | None = None, **options: object) -> Any:
    arrays = {**ring(), **(changes or {})}
    np.savez(folder / "ring.npz", **{name: array for name, array in arrays.items() if array is not None})
    return load_task("node-classification", folder / "ring.npz", **options)


def a_folder(folder: Path, **changes: str) -> Path:
    """The same graph as tables; a file that is the empty text is left out."""
    arrays = ring()
    words = {"train_idx": "train", "val_idx": "val", "test_idx": "test"}
    texts = {
        "features": "\n".join(",".join(map(str, row)) for row in arrays["x"]),
        "edges": "source,target\n" + "\n".join(f"{a},{b}" for a, b in arrays["edge_index"].T),
        "labels": "node,label\n" + "\n".join(f"{n},{'ab'[label]}" for n, label in enumerate(arrays["y"])),
        "split": "node,part\n" + "\n".join(f"{n},{word}" for key, word in words.items() for n in arrays[key]),
    }
    for name, text in {**texts, **changes}.items():
        if text:
            (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def test_a_file_and_a_folder_are_the_same_graph(tmp_path: Path) -> None:
    """But for the names of the classes; both have each edge in both directions."""
    packed = load(tmp_path)
    (tmp_path / "folder").mkdir()
    tables = load_task("node-classification", a_folder(tmp_path / "folder"))
    for one, other in zip((*packed.train(), *packed.test()), (*tables.train(), *tables.test()), strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(packed.graph.edges, tables.graph.edges)
    assert packed.graph.edges.shape == (2, 48)
    assert np.allclose(packed.graph.features.matrix(), tables.graph.features.matrix())
    assert (packed.class_names, tables.class_names) == (("0", "1"), ("a", "b"))


def test_loops_and_doubles_are_left_out_and_counted(tmp_path: Path) -> None:
    """And nodes without an edge are told."""
    edges = np.array([[0, 1, 0, 3, 3], [1, 0, 1, 3, 4]])
    notes = "\n".join(load(tmp_path, {"edge_index": edges}).notes)
    assert "1 edge(s) of a node with itself left out" in notes
    assert "1 edge(s) that are there twice left out" in notes
    assert "1 edge(s) added, the other direction" in notes
    assert "20 node(s) have no edge" in notes
    assert load(tmp_path, {"edge_index": edges}, directed=True).graph.edges.tolist() == [[1, 0, 3], [0, 1, 4]]


def test_parts_that_are_missing_are_split_off(tmp_path: Path) -> None:
    """All three, or the validation part alone; disjoint, and told."""
    none = load(tmp_path, {"train_idx": None, "val_idx": None, "test_idx": None})
    parts = list(none.graph.parts.values())
    assert len(np.unique(np.concatenate(parts))) == sum(map(len, parts)) == 24
    assert "no split is given" in "\n".join(none.notes)
    some = load(tmp_path, {"val_idx": None, "train_idx": np.arange(4, 20), "test_idx": np.arange(4)})
    assert "validation nodes: 4 of the training nodes are taken" in "\n".join(some.notes)


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        ({}, [120, 40, 40]),
        ({"train_share": 0.3}, [60, 100, 40]),
        ({"train_share": 0.3, "test_share": 0.5}, [60, 40, 100]),
        ({"validation_share": 0.25, "train_share": 0.9}, [120, 40, 40]),
    ],
)
def test_the_training_part_has_the_share_that_is_named(
    tmp_path: Path, options: dict[str, float], sizes: list[int]
) -> None:
    """Of all nodes with a class; validation gets what training and test leave, unless it has a share of its own."""
    task = load(tmp_path, {**ring(200), "train_idx": None, "val_idx": None, "test_idx": None}, **options)
    assert [len(part[1]) for part in (task.train(), task.validation(), task.test())] == sizes


def test_the_training_share_is_of_the_nodes_that_are_not_given_for_testing(tmp_path: Path) -> None:
    """Which may be more than 1 - `train_share` of all."""
    given = {**ring(200), "train_idx": None, "val_idx": None, "test_idx": np.arange(0, 200, 2)}
    task = load(tmp_path, given)
    assert [len(part[1]) for part in (task.train(), task.validation(), task.test())] == [60, 40, 100]


def test_shares_that_leave_nothing_to_validate_on_are_refused(tmp_path: Path) -> None:
    """With the cure; where the data has parts no share is used."""
    says = r"train_share must be < 1 - test_share \(0\.8\), got 0\.8; lower one of them"
    with pytest.raises(SpecError, match=says):
        load(tmp_path, {"train_idx": None, "val_idx": None, "test_idx": None}, train_share=0.8)
    assert len(load(tmp_path, train_share=0.8).train()[1]) == 8


def test_nodes_without_features_are_told_apart_by_number(tmp_path: Path) -> None:
    """The features are then those of the identity."""
    task = load(tmp_path, {"x": None}, scaling="none")
    assert np.array_equal(task.graph.features.matrix(), np.eye(24))


BAD: tuple[tuple[dict[str, Any], str], ...] = (
    ({"edge_index": np.array([[0, 24], [1, 2]])}, r"ring.npz: edge_index\[:, 1\]: there is no node 24; .* 0 to 23"),
    ({"edge_index": np.array([[0, 1, 2]])}, r"edge_index is int64 \(1, 3\)"),
    ({"edge_index": np.array([[1, 2], [1, 2]])}, "no edge between two nodes"),
    ({"train_idx": np.array([0, 23, 50])}, r"train_idx\[2\]: there is no node 50"),
    ({"val_idx": ring()["train_idx"]}, r"val_idx\[0\]: node \d+ is a training node already"),
    ({"train_idx": np.array([0, 0, 23])}, r"train_idx\[1\]: node 0 is there twice"),
    (
        {"y": np.where(np.arange(24) == ring()["train_idx"][0], -1, 1)},
        r"train_idx\[0\]: training node \d+ has no class",
    ),
    ({"y": np.zeros(24, dtype=np.int64)}, "only the class 0; a classification needs at least two"),
    ({"y": np.where(np.arange(24) == ring()["test_idx"][0], 7, ring()["y"])}, "test nodes: 1 label.* does not have: 7"),
    ({"x": np.full((24, 3), np.nan)}, "features of 24 node.* NaN or infinite, the first of node 0"),
    ({"edge_index": None}, "has no array edge_index"),
    ({"feat_indptr": np.arange(25)}, "sparse features are feat_indptr.*only feat_indptr"),
    (
        {"y": np.where(np.arange(24) == ring()["val_idx"][2], 7, ring()["y"])},
        rf"ring.npz: y\[{ring()['val_idx'][2]}\], validation nodes: 1 label.* does not have: 7",
    ),
    (
        {"train_idx": None, "val_idx": None, "test_idx": None, "y": np.where(np.arange(24) == 5, 9, ring()["y"])},
        r"ring.npz: y\[5\]: the class 9 has 1 node.* to be split, fewer than 3; give the parts",
    ),
    (
        {"x": None, "edge_index": np.array([[0, 1], [1, 5_000_000_000]])},
        r"ring.npz: edge_index\[:, 1\]: node 5000000000, but labels and edges name 25 nodes; number the nodes from 0",
    ),
)


@pytest.mark.parametrize(("changes", "message"), BAD, ids=range(len(BAD)))
def test_what_cannot_be_used_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """File and entry, and what was expected."""
    with pytest.raises(DataError, match=message):
        load(tmp_path, changes)


BAD_TABLES: tuple[tuple[dict[str, str], str], ...] = (
    ({"edges": "source,target\n0,1\n1,99\n"}, "edges.csv, line 3: there is no node 99"),
    ({"edges": "0,1\n1,one\n"}, "edges.csv, line 2: 'one' is no number of a node"),
    ({"edges": "0,1,2\n"}, "edges.csv, line 1: 3 cells; give 2"),
    ({"labels": "0,a\n1,b\n0,a\n"}, "labels.csv, line 3: node 0 has a class already"),
    ({"split": "0,train\n1,holdout\n"}, "split.csv, line 2: unknown part 'holdout'"),
    ({"features": "1,0\n0,x\n"}, "features.csv.*'x' in column"),
    ({"edges": ""}, "has no edges.csv"),
    ({"edges": "0,1\n1,--2\n"}, "edges.csv, line 2: '--2' is no number of a node"),
    (
        {"labels": "0,a\n1,b\n2,a\n3,zebra\n", "split": "0,train\n1,train\n2,val\n3,test\n"},
        "labels.csv, line 4, test nodes: 1 label.* does not have: 'zebra'",
    ),
    (
        {"labels": "node,label\n0,a\n1,a\n2,a\n3,b\n4,b\n", "split": ""},
        "labels.csv, line 5: the class 'b' has 2 node.* to be split, fewer than 3",
    ),
    (
        {"features": "", "labels": "0,a\n1,b\n999999999999,a\n"},
        "labels.csv, line 3: node 999999999999, but labels and edges name 25 nodes; number the nodes from 0 without",
    ),
)


@pytest.mark.parametrize(("changes", "message"), BAD_TABLES, ids=range(len(BAD_TABLES)))
def test_what_cannot_be_used_in_tables_is_named(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    """File and line."""
    with pytest.raises(DataError, match=message):
        load_task("node-classification", a_folder(tmp_path, **changes))


def test_classes_of_three_nodes_are_split_into_three_parts(tmp_path: Path) -> None:
    """One for each part; where one part is missing, two are enough."""
    labels = "".join(f"{n},{'c' if n < 3 else 'ab'[n % 2]}\n" for n in range(24))
    task = load_task("node-classification", a_folder(tmp_path, labels=labels, split=""))
    assert [(part[1] == 2).sum() for part in (task.train(), task.validation(), task.test())] == [1, 1, 1]
    split = "".join(f"{n},{'test' if n % 8 == 0 else 'train'}\n" for n in range(24))
    task = load_task("node-classification", a_folder(tmp_path, labels=labels, split=split))
    assert [(part[1] == 2).sum() for part in (task.train(), task.validation(), task.test())] == [1, 1, 1]


def test_macro_f1_is_the_mean_over_the_classes_that_occur(tmp_path: Path) -> None:
    """Also with classes that are never answered, and answers that never occur."""
    answers = [(torch.eye(2)[[0, 0, 1, 0]], torch.tensor([0, 0, 1, 1]))]
    assert load(tmp_path).scores(answers)["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert macro_f1(np.array([0, 0, 1]), np.array([0, 2, 2])) == pytest.approx((2 / 3 + 0) / 2)


def test_a_missing_scikit_learn_is_named_with_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not installed with netwright alone."""
    monkeypatch.setattr("netwright.tasks.metrics.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"macro F1 needs the package 'scikit-learn'.*netwright\[graphs\]"):
        load(tmp_path)


def test_options_are_checked(tmp_path: Path) -> None:
    """Words and shares."""
    with pytest.raises(SpecError, match="scaling must be auto, rows, columns or none"):
        load(tmp_path, scaling="log")
    with pytest.raises(SpecError, match="train_share must be between 0 and 1"):
        load(tmp_path, train_share=1.5)


@pytest.mark.long
@pytest.mark.parametrize("x", [None, np.eye(24)[:, :20]], ids=["dense", "sparse"])
def test_points_of_the_space_build_and_are_counted(tmp_path: Path, x: Any) -> None:
    """References, portfolio and random points, with features as a matrix or sparse."""
    task = load(tmp_path, {} if x is None else {"x": x})
    assert task.sizes.dense == (x is None)
    space = task.default_space()
    points = [r.architecture for r in task.references()] + list(task.portfolio())
    points += [space.sample(np.random.default_rng(seed)) for seed in range(12)]
    for point in points:
        term = task.network(space, point)
        model = nn.build(term, input_shape=(1,), input_dtype="int64", seed=0)
        assert nn.profile(term, input_shape=(1,), input_dtype="int64").params == sum(
            p.numel() for p in model.parameters()
        )
        assert model(torch.tensor([[3], [0]])).shape == (2, 2)


def test_a_network_learns_the_halves(tmp_path: Path) -> None:
    """A few steps tell them apart."""
    task = load(tmp_path)
    space = task.default_space()
    evaluator = TrainingEvaluator(task, space, work_dir=tmp_path / "work")
    found = evaluator(task.references()[2].architecture, fidelity=Fidelity(epochs=40), seed=0)
    assert found["accuracy"] == 1.0


def test_the_runtime_reads_numbers_of_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a table or an array; what is none is named with its line."""
    monkeypatch.setattr(runtime, "NUM_NODES", 10)
    table = tmp_path / "nodes.csv"
    table.write_text("node\n3\n9\n", encoding="utf-8")
    assert runtime.read_nodes(table).tolist() == [[3], [9]]
    np.save(tmp_path / "nodes.npy", np.array([1, 2]))
    assert runtime.read_nodes(tmp_path / "nodes.npy").tolist() == [[1], [2]]
    table.write_text("3\n10\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 2: there is no node 10; nodes are 0 to 9"):
        runtime.read_nodes(table)
    table.write_text("3\nfour\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 2: 'four' is no number of a node"):
        runtime.read_nodes(table)


def test_cora_is_read(shared_data: Path) -> None:
    """The public split of Cora, whose edges have both directions already."""
    task = load_task("node-classification", shared_data / "graph" / "cora.npz")
    assert (task.graph.num_nodes, task.graph.edges.shape, task.graph.features.count) == (2708, (2, 10556), 1433)
    assert [len(part[1]) for part in (task.train(), task.validation(), task.test())] == [140, 500, 1000]
    assert task.notes == ()


def test_a_search_never_compares_after_a_few_steps(tmp_path: Path) -> None:
    """An epoch is one step: the shortest training is at least 60, a third of the longest; a person may ask for less."""
    task = load(tmp_path)
    folder = str(tmp_path / "ring.npz")
    asked = {"task": "node-classification", "data": folder, "budget": "2m"}
    for given, least in (({}, pytest.approx(200 / 3)), ({"max_epochs": 30.0}, 30), ({"min_epochs": 5.0}, 5)):
        assert first_plan(SearchSpec.from_options(**asked, **given), task).min_epochs == least


@pytest.mark.long
def test_networks_that_are_mixed_are_refused_and_single_ones_searched(tmp_path: Path) -> None:
    """At once, before anything is written: a relaxed network would not hold the graph; those of a supernet do."""
    task = load(tmp_path)
    says = "darts cannot search networks of the task node-classification.*take enas"
    with pytest.raises(CapabilityError, match=says):
        search_task(task, task.default_space(), "darts", Options(), budget_s=1.0)
    given = {"task": "node-classification", "data": str(tmp_path / "ring.npz"), "out": str(tmp_path / "run")}
    with pytest.raises(CapabilityError, match=says):
        nw.search(**given, strategy="darts", budget="2 trials")
    assert not (tmp_path / "run").exists()
    options = Options(epochs=3, wrap=task.normalised, input_dtype=task.input_dtype)
    found = search_task(task, task.default_space(), "enas", options, budget_s=1.0, fits=False)
    assert task.default_space().contains(found.architecture)
    assert 0.0 <= found.accuracy <= 1.0


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["001", "1"], ("001", "1")),
        (["2", "10"], ("2", "10")),
        (["2.0", "10"], ("2", "10")),
        (["0.5", "0.25"], ("0.25", "0.5")),
    ],
)
def test_labels_that_differ_are_different_classes(tmp_path: Path, labels: list[str], names: tuple[str, ...]) -> None:
    """Of tables and of arrays of texts: only whole numbers that are written as such are numbers."""
    cells = [labels[n % 2] for n in range(24)]
    text = "".join(f"{n},{cell}\n" for n, cell in enumerate(cells))
    assert load_task("node-classification", a_folder(tmp_path, labels=text, split="")).class_names == names
    parts = {"train_idx": None, "val_idx": None, "test_idx": None}
    for array in (np.array(cells), np.array(cells, dtype=np.bytes_)):
        assert load(tmp_path, {"y": array, **parts}).class_names == names


def test_labels_that_are_no_whole_numbers_are_refused(tmp_path: Path) -> None:
    """Floats are read where they are whole, and NaN is no class."""
    halves = np.where(np.arange(24) < 12, 0.25, 0.75)
    with pytest.raises(DataError, match=r"ring\.npz: y\[0\]: the class 0\.25 is no whole number \(24 such nodes\)"):
        load(tmp_path, {"y": halves})
    known = ring()["y"].astype(np.float64)
    spare = int(ring()["test_idx"][0])
    known[spare] = np.nan
    task = load(tmp_path, {"y": known, "test_idx": ring()["test_idx"][1:]})
    assert task.class_names == ("0", "1")
    assert task.graph.labels[spare] == -1


def test_a_class_that_is_called_none_is_told(tmp_path: Path) -> None:
    """Nodes without a class are many as a rule; a class that is taken for none is to be seen."""
    labels = "".join(f"{n},{'none' if n % 3 == 0 else 'ab'[n % 2]}\n" for n in range(24))
    notes = load_task("node-classification", a_folder(tmp_path, labels=labels, split="")).notes
    assert "labels.csv: 8 node(s) whose class is written 'none' count as nodes without a class" in notes


@pytest.mark.parametrize("name", ["", "node", "id"])
def test_an_index_is_no_feature(tmp_path: Path, name: str) -> None:
    """A column that counts the nodes is left out and told; in another order than the lines it is refused."""
    rows = [",".join(map(str, row)) for row in ring()["x"]]
    head = f"{name},a,b,c\n"
    indexed = head + "\n".join(f"{n},{row}" for n, row in enumerate(rows))
    task = load_task("node-classification", a_folder(tmp_path, features=indexed))
    assert task.graph.features.count == 3
    assert sum("only counts the rows" in note for note in task.notes) == 1
    turned = head + "\n".join(f"{23 - n},{row}" for n, row in enumerate(rows))
    with pytest.raises(DataError, match=r"features\.csv: column .* counts the rows in another order"):
        load_task("node-classification", a_folder(tmp_path, features=turned))


def test_a_frame_without_names_has_no_line_of_features_more(tmp_path: Path) -> None:
    """As pandas writes it: an index, and columns 0, 1, 2."""
    rows = "\n".join(f"{n},{','.join(map(str, row))}" for n, row in enumerate(ring()["x"]))
    task = load_task("node-classification", a_folder(tmp_path, features=",0,1,2\n" + rows))
    assert (task.graph.num_nodes, task.graph.features.count) == (24, 3)


@pytest.mark.long
def test_a_graph_is_written_with_what_is_delivered_alone(tmp_path: Path) -> None:
    """Files of trials hold what was learned; scores, checkpoints and exported files are those of the whole network."""
    from safetensors.torch import load_file

    task = load(tmp_path)
    space, architecture = task.default_space(), task.references()[1].architecture
    evaluator = TrainingEvaluator(task, space, work_dir=tmp_path / "work")
    found = evaluator(architecture, fidelity=Fidelity(epochs=60), seed=0)
    path = evaluator.weights_path(architecture, Fidelity(epochs=60), 0)
    term = task.network(space, architecture)
    model = nn.build(term, input_shape=(1,), input_dtype="int64", seed=0)
    assert sorted(load_file(path)) == sorted(name for name, _ in model.named_parameters())
    assert scores_of(term, path, task, task.validation())["accuracy"] == found["accuracy"]
    checkpoints = evaluator.checkpoint_files(architecture, Fidelity(epochs=60), 0)
    assert [name for file in checkpoints for name in load_file(file) if "edges" in name] == []
    longer = evaluator(architecture, fidelity=Fidelity(epochs=90), seed=0)
    plain = TrainingEvaluator(task, space, work_dir=tmp_path / "other")
    whole = plain(architecture, fidelity=Fidelity(epochs=90), seed=0)
    assert {n: v for n, v in longer.items() if n != "train_time_s"} == {
        n: v for n, v in whole.items() if n != "train_time_s"
    }
    card = Card("node-classification", {"validation_accuracy": found["accuracy"]}, dict(architecture))
    out = export_network(
        term,
        path,
        info=task.export_info(),
        out=tmp_path / "out",
        card=card,
        onnx=False,
        examples={"validation": task.validation()},
    )
    assert sorted(load_file(out / "weights.safetensors")) == sorted(model.state_dict())


def test_all_nodes_are_scored_in_one_pass(tmp_path: Path) -> None:
    """Since each pass computes all of them."""
    assert scored_at_once(load(tmp_path)) == 24


def deep_point(task: NodeClassification) -> Architecture:
    """GCNII with eight layers."""
    deep = {"join": "deep", "deep.layers": 8, "deep.restart": 0.1}
    return task.default_space().architecture({**task.references()[0].architecture, **deep}, drop_inactive=True)


def test_a_deep_network_is_a_point_of_the_space(tmp_path: Path) -> None:
    """It learns the halves."""
    task = load(tmp_path)
    evaluator = TrainingEvaluator(task, task.default_space(), work_dir=tmp_path / "work")
    assert evaluator(deep_point(task), fidelity=Fidelity(epochs=40), seed=0)["accuracy"] > 0.8


@pytest.mark.slow
def test_a_deep_network_is_written_in_onnx(tmp_path: Path) -> None:
    """Exported, and compared on all validation nodes in one pass."""
    pytest.importorskip("onnxruntime")
    task = load(tmp_path)
    point = deep_point(task)
    term = task.network(task.default_space(), point)
    weights = nn.build(term, input_shape=(1,), input_dtype="int64", seed=0).state_dict()
    card = Card(task.name, {}, dict(point))
    examples = {"validation": task.validation()}
    out = export_network(term, weights, info=task.export_info(), out=tmp_path / "out", card=card, examples=examples)
    assert (out / "model.onnx").is_file()
