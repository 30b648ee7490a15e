"""Graphs as people have them: one npz file, or a folder of tables. Nothing is unpickled.

Nodes are numbered from 0, in the order of their features. Knows no networks.
"""

from __future__ import annotations

from pathlib import Path

from netwright.errors import DataError, shorten
from netwright.tasks.graphs.arrays import read_arrays
from netwright.tasks.graphs.raw import FILES, RawGraph
from netwright.tasks.graphs.tables import read_tables


def read_graph(data: str | Path) -> RawGraph:
    """Read a graph.

    Args:
        data: a ``.npz`` file, or a folder.

    Raises:
        DataError: it is not there or cannot be read; names the file, and the line or the entry.
    """
    path = Path(data)
    if not path.exists():
        raise DataError(f"data {shorten(str(path))} does not exist; give a .npz file, or a folder with {FILES}")
    if path.is_dir():
        return read_tables(path)
    if path.suffix.lower() != ".npz":
        raise DataError(f"data {shorten(str(path))} is no graph; give a .npz file, or a folder with {FILES}")
    return read_arrays(path)
