"""Arrays of graphs as other programs write them: matrices by columns, labels as true and false, other arrays."""

from __future__ import annotations

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
    with pytest.raises(DataError, match=r"ring\.npz: no npz file of plain arrays"):
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
