"""A graph in one npz file, under the names that PyTorch Geometric, OGB, DGL and others give to its arrays.

What is not known is not read, and may be anything; it is told. Knows no folders and no networks.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError, one_line
from netwright.tasks.formats.parts import file_error
from netwright.tasks.graphs.data import PARTS, Features, Ints
from netwright.tasks.graphs.raw import Place, RawGraph

FEATURES = ("x", "X", "features", "node_feat", "node_features", "feat")
EDGES = ("edge_index", "edges")
LABELS = ("y", "labels", "label", "node_label", "node_labels")
_CSR = ("feat_indptr", "feat_indices", "feat_data", "feat_shape")
_SCIPY = ("indptr", "indices", "data", "shape")
_WORDS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
_OF_PART = {part: tuple(f"{word}_{kind}" for kind in ("idx", "mask") for word in _WORDS[part]) for part in PARTS}
_NAMES = (_CSR, _SCIPY, FEATURES, EDGES, LABELS, *_OF_PART.values(), ("format",))
_READ = frozenset(name for names in _NAMES for name in names)
_COUNTED = ("num_nodes", "format")
"""Arrays that say nothing which the others do not."""

_UNREAD = np.empty(0)
_UNREADABLE = (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, KeyError, NotImplementedError)
_MOST_SHOWN = 8


def read_arrays(path: Path) -> RawGraph:
    """Read a graph from a ``.npz`` file.

    Raises:
        DataError: an array that is needed is missing or cannot be used; names it.
    """
    arrays, where = arrays_of(path), one_line(path.name)
    edge_name, label_name = _only(arrays, EDGES, where), _only(arrays, LABELS, where)
    if edge_name is None or label_name is None:
        lacking = [name for name, found in (("edge_index", edge_name), ("y", label_name)) if found is None]
        has = ", ".join(sorted(map(one_line, arrays))) or "none"
        raise DataError(f"{where} has no array {', '.join(lacking)}; it has: {has}")
    features, labels = features_of(arrays, where), _labels(arrays[label_name], f"{where}: {label_name}")
    if features is not None and len(labels) != features.num_nodes:
        raise DataError(
            f"{where}: {label_name} has {len(labels)} entries for {features.num_nodes} nodes; give one a node, -1 "
            "where the class is not known"
        )
    return RawGraph(
        path.stem,
        features,
        (_edges(arrays[edge_name], f"{where}: {edge_name}"), lambda index: f"{where}: {edge_name}[:, {index}]"),
        np.arange(len(labels)),
        (labels, _entry(where, label_name)),
        {part: found for part in PARTS if (found := _part(arrays, part, where)) is not None},
        _unread_notes(path, arrays, None if features is not None else len(labels)),
    )


def arrays_of(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a file by name; those that are not known here are not read, and empty.

    Raises:
        DataError: it is no npz file, or one of the arrays that are read holds Python objects; names the array.
    """
    found: dict[str, NDArray[Any]] = {}
    names: list[str] = []
    try:
        with np.load(path, allow_pickle=False) as file:
            names = file.files
            for name in names:
                found[name] = file[name] if name in _READ else _UNREAD
    except _UNREADABLE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise file_error(path, error) from error
        which = f"{one_line(names[len(found)])} (save it as numbers or texts, or take it out): " if names else ""
        raise DataError(f"{one_line(path.name)}: no npz file of plain arrays: {which}{one_line(error)[:200]}") from None
    return found


def _unread_notes(path: Path, arrays: Mapping[str, NDArray[Any]], num_nodes: int | None) -> tuple[str, ...]:
    """What is said of arrays that are not read.

    Args:
        path: of the file.
        arrays: of the file.
        num_nodes: where there are no features; a matrix with a row a node is then taken for them.

    Raises:
        DataError: one seems to be what is missing: the features, or a part.
    """
    where = one_line(path.name)
    unread = sorted(name for name in arrays if name not in _READ and name not in _COUNTED)
    wide = [] if num_nodes is None else [name for name, shape in _shapes(path, unread) if _is_wide(shape, num_nodes)]
    if wide:
        raise DataError(
            f"{where} has no features under the names {', '.join(FEATURES)} or {', '.join(_CSR)}, but an array "
            f"{one_line(wide[0])} with a row a node: rename it if it holds the features, else take it out of the file"
        )
    given = [part for part in PARTS if any(name in arrays for name in _OF_PART[part])]
    for name in unread:
        words = set(re.split("[^a-z]+", name.lower()))
        lost = [part for part in PARTS if part not in given and words & set(_WORDS[part])]
        if lost:
            raise DataError(
                f"{where}: the array {one_line(name)} is not read, and there is no {lost[0]} part; name one split "
                f"{lost[0]}_idx (numbers of nodes) or {lost[0]}_mask (N,), or take the array out of the file"
            )
    shown = ", ".join(map(one_line, unread[:_MOST_SHOWN]))
    return (f"{where}: arrays that are not read: {shown}",) if unread else ()


def _is_wide(shape: tuple[int, ...], num_nodes: int) -> bool:
    return len(shape) == 2 and shape[0] == num_nodes and shape[1] > 1


def _shapes(path: Path, names: Sequence[str]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Shapes of arrays of numbers, of which the heads alone are read."""
    reading = np.lib.format
    with zipfile.ZipFile(path) as file:
        for name in set(names) & {member.removesuffix(".npy") for member in file.namelist() if member.endswith(".npy")}:
            try:
                with file.open(f"{name}.npy") as member:
                    is_old = reading.read_magic(member) == (1, 0)
                    head = (reading.read_array_header_1_0 if is_old else reading.read_array_header_2_0)(member)
            except _UNREADABLE:  # as an array that nothing needs it may be damaged
                continue
            shape, _, dtype = head
            if dtype.kind in "biuf":
                yield name, shape


def _entry(where: str, name: str) -> Place:
    return lambda index: f"{where}: {name}[{index}]"


def _edges(edges: NDArray[Any], where: str) -> Ints:
    if edges.ndim == 2 and edges.shape[0] != 2 and edges.shape[1] == 2:
        edges = edges.T
    if edges.ndim != 2 or edges.shape[0] != 2 or edges.dtype.kind not in "iu":
        raise DataError(f"{where} is {edges.dtype} {edges.shape}; give whole numbers (2, edges)")
    return edges.astype(np.int64)


def _labels(labels: NDArray[Any], where: str) -> NDArray[Any]:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "biuUSf":
        raise DataError(f"{where} is {labels.dtype} {labels.shape}; give one class a node")
    return labels


def features_of(arrays: Mapping[str, NDArray[Any]], where: str) -> Features | None:
    """Features among the arrays of a file; None where there are none.

    Args:
        arrays: by name.
        where: name of the file, for messages.

    Raises:
        DataError: they are there in two forms, or cannot be used.
    """
    kind = arrays["format"].item() if "format" in arrays and arrays["format"].size == 1 else ""
    kind = kind.decode("ascii", "replace") if isinstance(kind, bytes) else str(kind)
    if kind not in ("", "csr"):
        shown = one_line(kind)[:20]
        raise DataError(f"{where}: a sparse matrix in the form {shown}; save its rows: save_npz(path, matrix.tocsr())")
    for names in (_CSR, _SCIPY):
        if all(name in arrays for name in names):
            also = [name for name in FEATURES if name in arrays]
            if also:
                raise DataError(f"{where} has features in {', '.join(names)} and in {also[0]}; leave one of both")
            starts, columns, values, shape = (arrays[name] for name in names)
            return _csr(starts, columns, values, shape, where)
    given = [name for name in _CSR if name in arrays]
    if given:
        raise DataError(f"{where}: sparse features are {', '.join(_CSR)}; it has only {', '.join(given)}")
    name = _only(arrays, FEATURES, where)
    return None if name is None else dense(arrays[name], f"{where}: {name}")


def _only(arrays: Mapping[str, NDArray[Any]], names: Sequence[str], where: str) -> str | None:
    """The one of these names that is there; None where none is."""
    found = [name for name in names if name in arrays]
    if len(found) > 1:
        raise DataError(f"{where} has the arrays {' and '.join(found)}, which are names of one thing; leave one")
    return found[0] if found else None


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


def dense(matrix: NDArray[Any], where: str) -> Features:
    """Features from a matrix (N, F).

    Raises:
        DataError: it is no matrix of finite numbers.
    """
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


def _part(arrays: Mapping[str, NDArray[Any]], part: str, where: str) -> tuple[Ints, Place] | None:
    """Nodes of a part, as numbers or as a mask."""
    found = {name: _nodes(arrays[name], name, where) for name in _OF_PART[part] if name in arrays}
    if not found:
        return None
    name, nodes = next(iter(found.items()))
    for other, others in found.items():
        if set(others.tolist()) != set(nodes.tolist()):
            raise DataError(f"{where}: {name} and {other} are different nodes; leave one")
    return nodes, _entry(where, name)


def _nodes(found: NDArray[Any], name: str, where: str) -> Ints:
    if found.ndim != 1 or found.dtype.kind not in "iub":
        raise DataError(f"{where}: {name} is {found.dtype} {found.shape}; give numbers of nodes, or True and False")
    if found.dtype.kind == "b" or name.endswith("mask"):
        return np.flatnonzero(found)
    return found.astype(np.int64)
