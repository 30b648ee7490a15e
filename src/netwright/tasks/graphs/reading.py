"""Graphs as people have them: one npz file, or a folder of tables. Nothing is unpickled.

Nodes are numbered from 0, in the order of their features. Knows no networks.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError, one_line, shorten
from netwright.tasks.formats.parts import file_error
from netwright.tasks.graphs.data import PARTS, Features, Ints
from netwright.tasks.tabular.parts import INDEX_NAMES, without_index
from netwright.tasks.tabular.reading import Table, numbers_of, read_table

_UNREADABLE = (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, KeyError, NotImplementedError)
_CSR = ("feat_indptr", "feat_indices", "feat_data", "feat_shape")
_SCIPY = ("indptr", "indices", "data", "shape")
_DENSE = ("x", "features")
_OF_PARTS = tuple(f"{part}_{kind}" for part in PARTS for kind in ("idx", "mask"))
_READ = frozenset((*_CSR, *_SCIPY, *_DENSE, "format", "edge_index", "y", *_OF_PARTS))
_UNREAD = np.empty(0)
_PART_WORDS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
NUMBER = re.compile("-?[0-9]+")
_NO_PART = ("", "none", "unused")
_NODE_NAMES = INDEX_NAMES | {"node", "nodeid", "nodes"}
_FILES = "features.npz or features.csv, edges.csv, labels.csv and split.csv"

Place = Callable[[int], str]
"""Where an entry of an array stands, for messages."""


@dataclass(frozen=True)
class RawGraph:
    """What was read, with places for messages; entries are not checked against each other yet.

    Args:
        name: for people.
        features: of all nodes; None where there are none.
        edges: (2, E), and where each stands.
        labels: (N or fewer,) of the nodes below, and where each stands; empty strings and negative numbers are unknown.
        parts: nodes of each part, and where each stands; empty to be split.
        notes: what was left out.
    """

    name: str
    features: Features | None
    edges: tuple[Ints, Place]
    label_nodes: Ints
    labels: tuple[NDArray[Any], Place]
    parts: Mapping[str, tuple[Ints, Place]]
    notes: tuple[str, ...] = ()


def read_graph(data: str | Path) -> RawGraph:
    """Read a graph.

    Args:
        data: a ``.npz`` file, or a folder.

    Raises:
        DataError: it is not there or cannot be read; names the file, and the line or the entry.
    """
    path = Path(data)
    if not path.exists():
        raise DataError(f"data {shorten(str(path))} does not exist; give a .npz file, or a folder with {_FILES}")
    if path.is_dir():
        return _read_folder(path)
    if path.suffix.lower() != ".npz":
        raise DataError(f"data {shorten(str(path))} is no graph; give a .npz file, or a folder with {_FILES}")
    return _read_npz(path)


# --- one file


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a file; what is not known here is not read, and may be anything."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] if name in _READ else _UNREAD for name in file.files}
    except _UNREADABLE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise file_error(path, error) from error
        raise DataError(f"{one_line(path.name)}: no npz file of plain arrays: {one_line(error)[:200]}") from None


def _entry(where: str, name: str) -> Place:
    return lambda index: f"{where}: {name}[{index}]"


def _read_npz(path: Path) -> RawGraph:
    arrays, where = _arrays(path), one_line(path.name)
    lacking = [name for name in ("edge_index", "y") if name not in arrays]
    if lacking:
        has = ", ".join(sorted(map(one_line, arrays))) or "none"
        raise DataError(f"{where} has no array {', '.join(lacking)}; it has: {has}")
    features = _npz_features(arrays, where)
    edges = arrays["edge_index"]
    if edges.ndim == 2 and edges.shape[0] != 2 and edges.shape[1] == 2:
        edges = edges.T
    if edges.ndim != 2 or edges.shape[0] != 2 or edges.dtype.kind not in "iu":
        raise DataError(f"{where}: edge_index is {edges.dtype} {edges.shape}; give whole numbers (2, edges)")
    labels = arrays["y"]
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "biuUSf":
        raise DataError(f"{where}: y is {labels.dtype} {labels.shape}; give one class a node")
    parts = {part: found for part in PARTS if (found := _npz_part(arrays, part, where)) is not None}
    return RawGraph(
        path.stem,
        features,
        (edges.astype(np.int64), lambda index: f"{where}: edge_index[:, {index}]"),
        np.arange(len(labels)),
        (labels, _entry(where, "y")),
        parts,
    )


def _npz_features(arrays: Mapping[str, NDArray[Any]], where: str) -> Features | None:
    kind = arrays["format"].item() if "format" in arrays and arrays["format"].size == 1 else ""
    kind = kind.decode("ascii", "replace") if isinstance(kind, bytes) else str(kind)
    if kind not in ("", "csr"):
        shown = one_line(kind)[:20]
        raise DataError(f"{where}: a sparse matrix in the form {shown}; save its rows: save_npz(path, matrix.tocsr())")
    for names in (_CSR, _SCIPY):
        if all(name in arrays for name in names):
            starts, columns, values, shape = (arrays[name] for name in names)
            return _csr(starts, columns, values, shape, where)
    given = [name for name in _CSR if name in arrays]
    if given:
        raise DataError(f"{where}: sparse features are {', '.join(_CSR)}; it has only {', '.join(given)}")
    for name in _DENSE:
        if name in arrays:
            return _dense(arrays[name], f"{where}: {name}")
    return None


def _csr(
    starts: NDArray[Any], columns: NDArray[Any], values: NDArray[Any], shape: NDArray[Any], where: str
) -> Features:
    """Compressed sparse rows, checked."""
    sizes = tuple(int(size) for size in np.ravel(shape))
    if len(sizes) != 2 or min(sizes) < 1:
        raise DataError(f"{where}: features have shape {sizes}; give (nodes, features)")
    whole = all(part.ndim == 1 and part.dtype.kind in "iu" for part in (starts, columns))
    fits = whole and len(starts) == sizes[0] + 1 and len(columns) == len(values) and values.ndim == 1
    if not fits or starts[0] != 0 or starts[-1] != len(columns) or (np.diff(starts.astype(np.int64)) < 0).any():
        raise DataError(f"{where}: its sparse features are damaged: the row pointers do not fit {len(columns)} values")
    counts: Ints = np.diff(starts.astype(np.int64)).astype(np.int64)
    rows = np.repeat(np.arange(sizes[0]), counts)
    outside = np.flatnonzero((columns < 0) | (columns >= sizes[1]))
    if len(outside):
        first = int(outside[0])
        raise DataError(f"{where}: node {rows[first]} has a feature {columns[first]}; there are {sizes[1]}")
    values = _finite(values, rows, where)
    kept = np.flatnonzero(values)
    return Features(*sizes, rows[kept].astype(np.int64), columns[kept].astype(np.int64), values[kept])


def _dense(matrix: NDArray[Any], where: str) -> Features:
    if matrix.ndim != 2 or 0 in matrix.shape or matrix.dtype.kind not in "biuf":
        raise DataError(f"{where} is {matrix.dtype} {matrix.shape}; give numbers (nodes, features)")
    rows = np.repeat(np.arange(len(matrix)), matrix.shape[1])
    return Features.of_matrix(_finite(matrix.ravel(), rows, where).reshape(matrix.shape))


def _finite(values: NDArray[Any], rows: Ints, where: str) -> NDArray[np.float32]:
    if values.dtype.kind not in "biuf":
        raise DataError(f"{where}: features are of type {values.dtype}; give numbers")
    strange = np.flatnonzero(~np.isfinite(values.astype(np.float64)))
    if len(strange):
        nodes = len(np.unique(rows[strange]))
        raise DataError(
            f"{where}: features of {nodes} node(s) are NaN or infinite, the first of node {rows[strange[0]]}; "
            "mend them or set them to 0"
        )
    return values.astype(np.float32)


def _npz_part(arrays: Mapping[str, NDArray[Any]], part: str, where: str) -> tuple[Ints, Place] | None:
    for name in (f"{part}_idx", f"{part}_mask"):
        if name not in arrays:
            continue
        found = arrays[name]
        if found.ndim != 1 or found.dtype.kind not in "iub":
            raise DataError(f"{where}: {name} is {found.dtype} {found.shape}; give numbers of nodes, or True and False")
        if found.dtype.kind == "b" or name.endswith("mask"):
            return np.flatnonzero(found), _entry(where, name)
        return found.astype(np.int64), _entry(where, name)
    return None


# --- a folder


def _read_folder(path: Path) -> RawGraph:
    edges_table = _table(path, "edges", 2)
    assert edges_table is not None
    sources, targets = (_whole(edges_table, column) for column in range(2))
    labels = _table(path, "labels", 2)
    assert labels is not None
    split = _table(path, "split", 2, needed=False)
    features, notes = _folder_features(path)
    return RawGraph(
        path.name,
        features,
        (np.stack([sources, targets]), edges_table.place),
        _whole(labels, 0),
        (np.array(labels.columns[1]), labels.place),
        {} if split is None else _folder_parts(split),
        (*notes, *_words_note(labels)),
    )


def _words_note(labels: Table) -> tuple[str, ...]:
    """That words such as none stand for no class, where there are some."""
    pairs = zip(labels.columns[1], labels.written(labels.names[1]), strict=True)
    words = [word for cell, word in pairs if word and not cell]
    if not words:
        return ()
    shown = ", ".join(shorten(word, 40) for word in sorted(set(words))[:5])
    return (f"{labels.where}: {len(words)} node(s) whose class is written {shown} count as nodes without a class",)


def _table(path: Path, name: str, columns: int, *, needed: bool = True) -> Table | None:
    """A table of the folder; its first line may hold names."""
    found = [path / f"{name}{end}" for end in (".csv", ".csv.gz", ".tsv") if (path / f"{name}{end}").is_file()]
    if not found:
        if needed:
            raise DataError(f"{shorten(str(path))} has no {name}.csv; a graph is {_FILES}")
        return None
    table = read_table(found[0], header="no")
    if table.columns and not table.columns[0][0].lstrip("-").isdigit():
        table = read_table(found[0], header="yes")
    if len(table.columns) != columns:
        raise DataError(f"{table.place(0)}: {len(table.columns)} cells; give {columns}, such as {_LINES[name]}")
    return table


_LINES = {"edges": "'12,407' (two nodes)", "labels": "'12,theory' (node, class)", "split": "'12,train' (node, part)"}


def _whole(table: Table, column: int) -> Ints:
    cells: Sequence[str] = table.columns[column]
    for row, cell in enumerate(cells):
        if not NUMBER.fullmatch(cell) or len(cell) > 15:
            raise DataError(f"{table.place(row)}: {shorten(cell, 40)} is no number of a node; they are 0, 1, 2, ...")
    return np.array([int(cell) for cell in cells], dtype=np.int64)


def _folder_parts(table: Table) -> dict[str, tuple[Ints, Place]]:
    nodes, rows = _whole(table, 0), dict[str, list[int]]({part: [] for part in PARTS})
    for row, word in enumerate(table.columns[1]):
        if word.lower() in _NO_PART:
            continue
        if word.lower() not in _PART_WORDS:
            raise DataError(f"{table.place(row)}: unknown part {shorten(word, 40)}; give train, val or test")
        rows[_PART_WORDS[word.lower()]].append(row)
    return {part: (nodes[found], _rows_place(table, found)) for part, found in rows.items() if found}


def _rows_place(table: Table, rows: list[int]) -> Place:
    return lambda index: table.place(rows[index])


def _folder_features(path: Path) -> tuple[Features | None, tuple[str, ...]]:
    """Features, and notes on what was left out of their table."""
    packed = path / "features.npz"
    if packed.is_file():
        found = _npz_features(_arrays(packed), packed.name)
        if found is None:
            raise DataError(
                f"{packed.name}: no features; save a sparse matrix with scipy.sparse.save_npz, or an array x"
            )
        return found, ()
    given = [path / f"features{end}" for end in (".csv", ".csv.gz", ".tsv") if (path / f"features{end}").is_file()]
    if not given:
        return None, ()
    table, notes = without_index(read_table(given[0], header="auto"), ordered=True, names=_NODE_NAMES)
    columns = [numbers_of(column) for column in table.columns]
    for name, column, cells in zip(table.names, columns, table.columns, strict=True):
        strange = np.flatnonzero(~np.isfinite(column))
        if len(strange):
            row = int(strange[0])
            raise DataError(
                f"{table.place(row)}: {shorten(cells[row], 40)} in column {shorten(name, 40)} is no finite number; "
                f"{len(strange)} such cell(s) in this column; a line holds the features of one node"
            )
    return _dense(np.stack(columns, axis=1), table.where), notes
