"""A graph in a folder of tables: edges, labels, features and split, each a CSV file. Knows no networks.

pandas writes the numbers 0, 1, ... above columns without names. In a table of two columns they may as well be a row;
what the other tables say decides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from netwright.cells import numbers_columns
from netwright.errors import DataError, one_line, shorten
from netwright.tasks.graphs.arrays import arrays_of, dense, features_of
from netwright.tasks.graphs.data import PARTS, Features, Ints
from netwright.tasks.graphs.raw import FILES, NUMBER, Place, RawGraph
from netwright.tasks.tabular.parts import INDEX_NAMES, without_index
from netwright.tasks.tabular.reading import SUFFIXES, Table, numbers_of, read_table

_ENDS = (".csv", ".csv.gz", ".tsv")
_PART_WORDS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_NO_PART = ("", "none", "unused")
_NODE_NAMES = INDEX_NAMES | {"node", "nodeid", "nodes"}
_NUMBERED = ["0", "1"]
"""What pandas writes above two columns without names."""

_LIKE_FEATURES = re.compile("feat|node[_-]?feat|x[.]")
_LIKE_SPLIT = re.compile("(?:splits?|train|training|val|valid|validation|test|masks?)(?![a-z])")
"""How names of files begin that may be what is missing."""

_MOST_SHOWN = 8


def read_tables(path: Path) -> RawGraph:
    """Read a graph from a folder.

    Raises:
        DataError: a table is missing or cannot be read; names the file and the line.
    """
    edges, labels = _table(path, "edges", 2), _table(path, "labels", 2)
    split = _table(path, "split", 2, needed=False)
    assert edges is not None
    assert labels is not None
    notes = list(_unread_notes(path))
    pandas = _begins_numbered(labels) and "0" in labels.columns[0][1:]
    if pandas:
        labels = _without_first(labels, notes)
    if split is not None and _begins_numbered(split):
        split, pandas = _without_first(split, notes), True
    table, labelled = _features_table(path), _whole(labels, 0)
    ends = np.stack([_whole(edges, column) for column in range(2)])
    if table is not None:
        highest = max(int(labelled.max(initial=-1)), int(ends.max(initial=-1)))
        first = [cells[0] for cells in table.columns]
        if numbers_columns(first) and not table.header and len(table) == highest + 2:
            table, pandas = _without_first(table, notes), True
        pandas |= table.header and numbers_columns(table.names)
    counted = _without_names(edges, pandas, notes)
    features, more = _features(path, table)
    return RawGraph(
        path.name,
        features,
        (ends[:, len(edges) - len(counted) :], counted.place),
        labelled,
        (np.array(labels.columns[1]), labels.place),
        {} if split is None else _parts(split),
        (*notes, *more, *_words_note(labels)),
    )


def _begins_numbered(table: Table) -> bool:
    return not table.header and [cells[0] for cells in table.columns] == _NUMBERED and len(table) > 1


def _without_first(table: Table, notes: list[str]) -> Table:
    """A table without its first line, which is told."""
    shown = ",".join(cells[0] for cells in table.columns)
    notes.append(f"{table.where}: its first line, {shown}, numbers the columns and is left out")
    return table.take(range(1, len(table)))


def _without_names(edges: Table, pandas: bool, notes: list[str]) -> Table:
    """Edges without a first line that numbers the columns, where another table of the folder has such a line.

    Where none has, it may be an edge, and is told if nothing else says that there is one.
    """
    if not _begins_numbered(edges):
        return edges
    pairs = zip(edges.columns[0][1:], edges.columns[1][1:], strict=True)
    if any({source, target} == set(_NUMBERED) for source, target in pairs):
        return edges  # with the line or without it, the edge is there
    if pandas:
        return _without_first(edges, notes)
    notes.append(f"{edges.where}: its first line, 0,1, counts as an edge; take it out if it numbers the columns")
    return edges


def _unread_notes(path: Path) -> tuple[str, ...]:
    """What is said of tables of the folder that no name matches.

    Raises:
        DataError: one may be what is missing: the features, or the split.
    """
    names = [file.name for file in sorted(path.iterdir()) if file.is_file() and not file.name.startswith(".")]
    known = {f"{name}{end}" for name in ("edges", "labels", "features", "split") for end in _ENDS} | {"features.npz"}
    unread = [name for name in names if name.lower().endswith((*SUFFIXES, ".npz")) and name not in known]
    if not unread:
        return ()
    for name, ends, begins in (("features", (*_ENDS, ".npz"), _LIKE_FEATURES), ("split", _ENDS, _LIKE_SPLIT)):
        alike = [file for file in unread if begins.match(file.lower())]
        if alike and not any(f"{name}{end}" in names for end in ends):
            wanted = f"{name}.npz" if ".npz" in ends and alike[0].lower().endswith(".npz") else f"{name}.csv"
            raise DataError(
                f"{shorten(str(path))} has no {name}.csv, but {one_line(alike[0])}, which is not read: save it as "
                f"{wanted}, or take it out of the folder"
            )
    return (f"files of the folder that are not read: {', '.join(map(one_line, unread[:_MOST_SHOWN]))}",)


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
    found = [path / f"{name}{end}" for end in _ENDS if (path / f"{name}{end}").is_file()]
    if not found:
        if needed:
            raise DataError(f"{shorten(str(path))} has no {name}.csv; a graph is {FILES}")
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


def _parts(table: Table) -> dict[str, tuple[Ints, Place]]:
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


def _features_table(path: Path) -> Table | None:
    given = [path / f"features{end}" for end in _ENDS if (path / f"features{end}").is_file()]
    if not given or (path / "features.npz").is_file():
        return None
    return read_table(given[0], header="auto")


def _features(path: Path, table: Table | None) -> tuple[Features | None, tuple[str, ...]]:
    """Features, and notes on what was left out of their table.

    Args:
        path: of the folder.
        table: of the features; None where they are packed, or there are none.
    """
    packed = path / "features.npz"
    if packed.is_file():
        found = features_of(arrays_of(packed), packed.name)
        if found is None:
            raise DataError(
                f"{packed.name}: no features; save a sparse matrix with scipy.sparse.save_npz, or an array x"
            )
        return found, ()
    if table is None:
        return None, ()
    table, notes = without_index(table, ordered=True, names=_NODE_NAMES)
    columns = [numbers_of(column) for column in table.columns]
    for name, column, cells in zip(table.names, columns, table.columns, strict=True):
        strange = np.flatnonzero(~np.isfinite(column))
        if len(strange):
            row = int(strange[0])
            raise DataError(
                f"{table.place(row)}: {shorten(cells[row], 40)} in column {shorten(name, 40)} is no finite number; "
                f"{len(strange)} such cell(s) in this column; a line holds the features of one node"
            )
    return dense(np.stack(columns, axis=1), table.where), notes
