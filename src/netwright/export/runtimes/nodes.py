"""What an exported ``model.py`` does with a graph: read numbers of nodes, name the class of each.

See `netwright.export.runtime` for what *copied* means.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import torch

from netwright.export.runtime import load, one_line, printable, say

CLASS_NAMES: tuple[str, ...] = ()
NUM_NODES: int = 1

# ---------------------------------------------------------------- copied where the network is asked for nodes


AT_ONCE = NUM_NODES  # one pass over the graph answers for all nodes


def prepare(stored: torch.Tensor) -> torch.Tensor:
    """Numbers of nodes (N, 1) as the network's input."""
    return stored.to(torch.int64)


def read_nodes(path: str | Path) -> torch.Tensor:
    """Numbers of nodes (N, 1): a numpy array, or the first column of a CSV file, whose first line may be a name."""
    numbers = read_array(path) if Path(path).suffix.lower() == ".npy" else read_column(path)
    if not numbers:
        raise ValueError(f"{path}: no nodes")
    for place, number in numbers:
        if not 0 <= number < NUM_NODES:
            raise ValueError(f"{path}, {place}: there is no node {number}; nodes are 0 to {NUM_NODES - 1}")
    return prepare(torch.tensor([[number] for _, number in numbers]))


def read_array(path: str | Path) -> list[tuple[str, int]]:
    """The entries of an array of whole numbers, with their places."""
    try:
        import numpy as np
    except ImportError:
        raise ValueError(f"{path}: needs the package numpy (pip install numpy), or make it a .csv file") from None
    try:
        stored = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, MemoryError) as error:
        raise ValueError(f"{path}: no numpy array: {one_line(error)}") from None
    if not isinstance(stored, np.ndarray) or stored.dtype.kind not in "iu" or stored.ndim > 2:
        raise ValueError(f"{path}: give one numpy array of whole numbers, the numbers of nodes")
    return [(f"entry {place}", int(number)) for place, number in enumerate(stored.ravel().tolist())]


def read_column(path: str | Path) -> list[tuple[str, int]]:
    """The numbers in the first column of a CSV file in UTF-8, with their places."""
    numbers: list[tuple[str, int]] = []
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            for cells in (reader := csv.reader(file)):
                cell = cells[0].strip() if cells else ""
                if cell.lstrip("-").isdecimal() and len(cell) < 16:
                    numbers.append((f"line {reader.line_num}", int(cell)))
                elif cell and reader.line_num > 1:
                    raise ValueError(f"{path}, line {reader.line_num}: {cell[:40]!r} is no number of a node")
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: no CSV file in UTF-8: {one_line(error)}") from None
    return numbers


def main(arguments: list[str]) -> int:
    """Print a line for each node: its number, its class and the probability."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("usage: python model.py NODES.csv\n")
        return 2
    try:
        nodes = read_nodes(arguments[0])
        with torch.inference_mode():
            probabilities = load()(nodes).softmax(1)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{one_line(error)}\n")
        return 2
    best = probabilities.max(1)
    answers = zip(nodes[:, 0].tolist(), best.indices.tolist(), best.values.tolist(), strict=True)
    say(f"{node}\t{printable(CLASS_NAMES[index])}\t{probability:.4f}" for node, index, probability in answers)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
