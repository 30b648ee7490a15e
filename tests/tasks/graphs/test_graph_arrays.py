"""Arrays of graphs as other programs write them: matrices by columns, labels as true and false, other arrays."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netwright.errors import DataError
from netwright.tasks import load_task
from netwright.tasks.graphs.data import Features


def ring(count: int = 24) -> dict[str, Any]:
    nodes = np.arange(count)
    return {
        "x": np.random.default_rng(0).normal(size=(count, 3)),
        "edge_index": np.stack([nodes, (nodes + 1) % count]),
        "y": (nodes >= count // 2).astype(np.int64),
    }


def load(folder: Path, **changes: Any) -> Any:
    arrays = {**ring(), **changes}
    np.savez(folder / "ring.npz", **{name: array for name, array in arrays.items() if array is not None})
    return load_task("node-classification", folder / "ring.npz")


def test_labels_may_be_true_and_false(tmp_path: Path) -> None:
    """As a mask of one of two classes."""
    task = load(tmp_path, y=ring()["y"].astype(bool))
    assert task.class_names == ("0", "1")
    assert np.array_equal(task.graph.labels, ring()["y"])


def test_arrays_that_are_not_needed_are_not_read(tmp_path: Path) -> None:
    """Though they hold Python objects; those that are needed are refused, as ever."""
    names = np.array(["a paper", None], dtype=object)
    assert load(tmp_path, titles=names).num_classes == 2
    with pytest.raises(DataError, match=r"ring\.npz: no npz file of plain arrays: y \(save it as numbers or texts, or"):
        load(tmp_path, y=np.array([None] * 24, dtype=object))


@pytest.mark.parametrize("kind", ["csc", "bsr"])
def test_sparse_features_that_are_not_rows_are_named(tmp_path: Path, kind: str) -> None:
    """A square matrix by columns would be read the other way round."""
    sparse = pytest.importorskip("scipy.sparse")
    matrix = sparse.random(24, 24, density=0.2, random_state=0, format=kind)
    folder = tmp_path / "graph"
    folder.mkdir()
    sparse.save_npz(folder / "features.npz", matrix)
    edges = ring()["edge_index"].T.tolist()
    (folder / "edges.csv").write_text("".join(f"{a},{b}\n" for a, b in edges), encoding="utf-8")
    (folder / "labels.csv").write_text("".join(f"{n},{'ab'[n % 2]}\n" for n in range(24)), encoding="utf-8")
    with pytest.raises(DataError, match=rf"features\.npz: a sparse matrix in the form {kind}; save its rows: save_npz"):
        load_task("node-classification", folder)
    sparse.save_npz(folder / "features.npz", matrix.tocsr())
    task = load_task("node-classification", folder, scaling="none")
    assert np.allclose(task.graph.features.matrix(), matrix.toarray())


def test_the_unit_of_a_feature_does_not_matter() -> None:
    """Small ones are brought to deviation 1, too; constant ones to 0."""
    matrix = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    wide = np.concatenate([matrix, 1e-12 * matrix, np.full((50, 1), 1e6, np.float32)], axis=1)
    found = Features.of_matrix(wide).standardised(np.arange(50)).matrix()
    assert np.allclose(found[:, :2], found[:, 2:4], atol=1e-4)
    assert found[:, :4].std(0) == pytest.approx(1.0, abs=1e-3)
    assert not found[:, 4].any()


def test_numbered_names_are_no_node(tmp_path: Path) -> None:
    """The first line of a frame without names would shift the features of all nodes by one."""
    folder = tmp_path / "graph"
    folder.mkdir()
    x = np.random.default_rng(0).normal(size=(24, 4))
    rows = "\n".join(",".join(map(str, row)) for row in x)
    (folder / "features.csv").write_text(f"0,1,2,3\n{rows}\n", encoding="utf-8")
    edges = ring()["edge_index"].T.tolist()
    (folder / "edges.csv").write_text("".join(f"{a},{b}\n" for a, b in edges), encoding="utf-8")
    (folder / "labels.csv").write_text("".join(f"{n},{'ab'[n % 2]}\n" for n in range(24)), encoding="utf-8")
    task = load_task("node-classification", folder, scaling="none")
    assert np.allclose(task.graph.features.matrix(), x, atol=1e-6)


def parts(count: int = 24) -> dict[str, np.ndarray]:
    order = np.random.default_rng(1).permutation(count)
    return {"train": order[:8], "val": order[8:14], "test": order[14:]}


@pytest.mark.parametrize("features", ["node_feat", "node_features", "feat", "features", "X"])
@pytest.mark.parametrize("word", ["val", "valid", "validation"])
def test_arrays_have_the_names_that_others_give_them(tmp_path: Path, features: str, word: str) -> None:
    """Of OGB, DGL and PyTorch Geometric: features and the given parts are read, and nothing is split off."""
    given = {f"{word if name == 'val' else name}_idx": nodes for name, nodes in parts().items()}
    task = load(tmp_path, x=None, **{features: ring()["x"]}, num_nodes=np.array(24), **given)
    assert task.graph.features.count == 3
    assert task.validation()[0][:, 0].tolist() == sorted(parts()["val"].tolist())
    assert not any("split" in note or "taken" in note or "not read" in note for note in task.notes)


def test_the_files_of_platonov_and_others_are_read(tmp_path: Path) -> None:
    """Edges a line each, and labels under their own name; one of their ten splits has to be named."""
    arrays = {"edges": ring()["edge_index"].T, "node_labels": ring()["y"], "node_features": ring()["x"]}
    bare = {"x": None, "edge_index": None, "y": None}
    assert load(tmp_path, **bare, **arrays).graph.features.count == 3
    masks = {f"{part}_masks": np.zeros((10, 24), dtype=bool) for part in ("train", "val", "test")}
    with pytest.raises(DataError, match=r"the array test_masks is not read, .*name one split test_idx .*or test_mask"):
        load(tmp_path, **bare, **arrays, **masks)


def test_what_is_not_read_is_told_and_may_not_be_the_features(tmp_path: Path) -> None:
    """A matrix with a row a node is refused where there are no features; what else is there is named."""
    blob = np.random.default_rng(0).normal(size=(24, 16))
    assert "ring.npz: arrays that are not read: blob" in load(tmp_path, blob=blob).notes
    with pytest.raises(DataError, match=r"ring\.npz has no features under the names x, .*but an array blob"):
        load(tmp_path, x=None, blob=blob)
    names = np.array(["a", None], dtype=object)
    assert load(tmp_path, x=None, edge_feat=np.zeros((24, 1)), names=names).graph.features.count == 24


def test_arrays_that_are_damaged_and_not_needed_are_no_features(tmp_path: Path) -> None:
    """Nor an error."""
    load(tmp_path, x=None)
    with zipfile.ZipFile(tmp_path / "ring.npz", "a") as file:
        file.writestr("blob.npy", b"no array")
    task = load_task("node-classification", tmp_path / "ring.npz")
    assert "ring.npz: arrays that are not read: blob" in task.notes


def test_one_thing_under_two_names_is_refused(tmp_path: Path) -> None:
    """Features in two arrays, and parts that differ; a mask and numbers of the same nodes are one part."""
    with pytest.raises(DataError, match="has the arrays x and feat, which are names of one thing; leave one"):
        load(tmp_path, feat=np.eye(24))
    given = {f"{part}_idx": nodes for part, nodes in parts().items()}
    mask = np.isin(np.arange(24), parts()["val"])
    assert len(load(tmp_path, **given, valid_mask=mask).validation()[1]) == 6
    with pytest.raises(DataError, match="val_idx and valid_mask are different nodes; leave one"):
        load(tmp_path, **given, valid_mask=~mask)


def test_labels_are_as_many_as_nodes(tmp_path: Path) -> None:
    """Fewer are no nodes without a class; these are counted."""
    with pytest.raises(DataError, match=r"ring\.npz: y has 12 entries for 24 nodes; give one a node, -1"):
        load(tmp_path, y=ring()["y"][6:18])
    some = np.where(np.arange(24) % 4 == 0, -1, ring()["y"])
    assert "ring.npz: 6 of 24 nodes have no class" in load(tmp_path, y=some).notes


@pytest.mark.parametrize("x", [np.ones((24, 1)), np.zeros((24, 2)), np.full((24, 3), 0.1)])
@pytest.mark.parametrize("scaling", ["auto", "columns"])
def test_features_that_are_the_same_for_all_tell_no_nodes_apart(tmp_path: Path, x: np.ndarray, scaling: str) -> None:
    """Placeholders of a graph without features: each node then has one of its own."""
    np.savez(tmp_path / "ring.npz", **{**ring(), "x": x})
    task = load_task("node-classification", tmp_path / "ring.npz", scaling=scaling)
    assert any("all nodes have the same features" in note for note in task.notes)
    assert task.graph.features.count == 24
    assert len(task.references()) > 0


def folder_of_pandas(folder: Path, width: int, **changes: str) -> tuple[Path, np.ndarray]:
    """Tables whose columns have no names, as ``DataFrame(...).to_csv(index=False)`` writes them."""
    folder.mkdir()
    x = np.random.default_rng(0).normal(size=(24, width))
    head = ",".join(map(str, range(width)))
    edges = ring()["edge_index"].T[1:].tolist()  # without 0,1
    texts = {
        "features": f"{head}\n" + "".join(",".join(map(str, row)) + "\n" for row in x),
        "edges": "0,1\n" + "".join(f"{a},{b}\n" for a, b in edges),
        "labels": "0,1\n" + "".join(f"{n},{'ab'[n % 2]}\n" for n in range(24)),
        "split": "0,1\n" + "".join(f"{n},{('train', 'val', 'test')[n // 2 % 3]}\n" for n in range(24)),
    }
    for name, text in {**texts, **changes}.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder, x


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_numbers_that_pandas_writes_above_columns_are_no_rows(tmp_path: Path, width: int) -> None:
    """Each node has its own features, not those of its neighbour; there is no edge 0,1 and no class 1."""
    folder, x = folder_of_pandas(tmp_path / "graph", width)
    task = load_task("node-classification", folder, scaling="none")
    assert task.graph.num_nodes == 24
    assert np.allclose(task.graph.features.matrix(), x, atol=1e-6)
    assert [0, 1] not in task.graph.edges.T.tolist()
    assert task.class_names == ("a", "b")
    told = sum("numbers the columns and is left out" in note for note in task.notes)
    assert told == (3 if width > 3 else 4)


def test_an_edge_between_the_first_nodes_stays_where_nothing_else_is_numbered(tmp_path: Path) -> None:
    """It is told, unless the edge is there again."""
    named = {
        "features": "a\n" + "".join(f"{n}.5\n" for n in range(24)),
        "labels": "node,class\n" + "".join(f"{n},{'ab'[n % 2]}\n" for n in range(24)),
        "split": "node,part\n" + "".join(f"{n},{('train', 'val', 'test')[n // 2 % 3]}\n" for n in range(24)),
    }
    folder, _ = folder_of_pandas(tmp_path / "graph", 1, **named)
    task = load_task("node-classification", folder)
    assert [0, 1] in task.graph.edges.T.tolist()
    assert any("edges.csv: its first line, 0,1, counts as an edge" in note for note in task.notes)
    edges = (folder / "edges.csv").read_text(encoding="utf-8")
    (folder / "edges.csv").write_text(f"{edges}1,0\n", encoding="utf-8")
    assert not any("counts as an edge" in note for note in load_task("node-classification", folder).notes)


def test_tables_that_no_name_matches_are_told_or_refused(tmp_path: Path) -> None:
    """Features or a split under another name would be missed; other tables are named."""
    folder, _ = folder_of_pandas(tmp_path / "graph", 2)
    (folder / "papers.csv").write_text("a,b\n", encoding="utf-8")
    assert "files of the folder that are not read: papers.csv" in load_task("node-classification", folder).notes
    (folder / "split.csv").rename(folder / "values.csv")
    assert any("papers.csv, values.csv" in note for note in load_task("node-classification", folder).notes)
    (folder / "values.csv").rename(folder / "split.csv")
    (folder / "features.csv").rename(folder / "feat.csv")
    with pytest.raises(
        DataError, match=r"has no features\.csv, but feat\.csv, which is not read: save it as features\.csv"
    ):
        load_task("node-classification", folder)
    (folder / "feat.csv").rename(folder / "features.csv")
    (folder / "split.csv").rename(folder / "splits.csv")
    with pytest.raises(DataError, match=r"has no split\.csv, but splits\.csv"):
        load_task("node-classification", folder)
