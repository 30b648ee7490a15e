"""What an exported ``model.py`` does with time series: read arrays or a CSV file, print classes or a forecast.

See `netwright.export.runtime` for what *copied* means.
"""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path

import torch

from netwright.export.runtime import load, one_line

INPUT_SHAPE: tuple[int, ...] = (1, 8)
CLASS_NAMES: tuple[str, ...] = ()
CHANNELS: tuple[str, ...] = ()
TARGETS: int = 0

# ---------------------------------------------------------------- copied where the network takes series


def prepare(stored: torch.Tensor) -> torch.Tensor:
    """Stored series (N, channels, length) as the network's input."""
    return stored.to(torch.float32)


def read_series(path: str | Path) -> torch.Tensor:
    """Read series (N, channels, length): a numpy array, or a CSV file.

    With classes a line holds the values of a series, channel after channel; a cell before them is left out. For a
    forecast the file is a table of the channels by name, whose last rows are the window.
    """
    if Path(path).suffix.lower() == ".npy":
        return from_array(path)
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        try:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file, skipinitialspace=True) if any(row)]
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path}: no CSV file in UTF-8: {one_line(error)}") from None
    if not rows:
        raise ValueError(f"{path}: no rows")
    return from_table(rows, path) if CHANNELS else from_lines(rows, path)


def from_array(path: str | Path) -> torch.Tensor:
    """A numpy array of one series or several."""
    import numpy as np

    try:
        stored = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, MemoryError) as error:
        raise ValueError(f"{path}: no numpy array: {one_line(error)}") from None
    if not isinstance(stored, np.ndarray) or stored.dtype.kind not in "buif" or not np.isfinite(stored).all():
        raise ValueError(f"{path}: give one numpy array of finite numbers")
    if stored.shape[-1:] == INPUT_SHAPE[1:] and stored.ndim < 3 and INPUT_SHAPE[0] == 1:
        stored = stored.reshape(-1, *INPUT_SHAPE)
    if tuple(stored.shape) == INPUT_SHAPE:
        stored = stored[None]
    if tuple(stored.shape[1:]) != INPUT_SHAPE or stored.shape[0] == 0:
        raise ValueError(f"{path}: series have shape {INPUT_SHAPE}, this array has shape {tuple(stored.shape)}")
    return prepare(torch.from_numpy(stored))


def from_lines(rows: list[list[str]], path: str | Path) -> torch.Tensor:
    """A series a line."""
    count = INPUT_SHAPE[0] * INPUT_SHAPE[1]
    for place, row in enumerate(rows, start=1):
        if len(row) not in (count, count + 1):
            raise ValueError(f"{path}, row {place}: {len(row)} values, a series has {count}")
    values = [
        [number(cell, f"{path}, row {place}") for cell in row[-count:]] for place, row in enumerate(rows, start=1)
    ]
    return prepare(torch.tensor(values).reshape(-1, *INPUT_SHAPE))


def from_table(rows: list[list[str]], path: str | Path) -> torch.Tensor:
    """The last rows of a table, its columns found by their names."""
    names, body = rows[0], rows[1:]
    missing = [name for name in CHANNELS if name not in names]
    if missing:
        raise ValueError(f"{path}: lacks the column(s) {', '.join(map(repr, missing[:8]))}")
    if len(body) < INPUT_SHAPE[1]:
        raise ValueError(f"{path}: {len(body)} rows, a window has {INPUT_SHAPE[1]}")
    first = len(body) - INPUT_SHAPE[1]
    values = []
    for name in CHANNELS:
        place = names.index(name)
        cells = [row[place] if place < len(row) else "" for row in body[first:]]
        values.append([number(c, f"{path}, row {first + i + 2}, {name}") for i, c in enumerate(cells)])
    return prepare(torch.tensor([values]))


def number(cell: str, where: str) -> float:
    """A cell as a finite number."""
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{where}: {cell!r} is no number")
    return value


def main(arguments: list[str]) -> int:
    """Print a line for each series, its class and the probability; or for each step of a forecast its values."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("usage: python model.py FILE.npy|FILE.csv\n")
        return 2
    try:
        with torch.inference_mode():
            outputs = load()(read_series(arguments[0]))
    except (OSError, ValueError, ImportError) as error:
        sys.stderr.write(f"{one_line(error)}\n")
        return 2
    if CLASS_NAMES:
        for row in outputs:
            index = int(row.argmax())
            sys.stdout.write(f"{CLASS_NAMES[index]}\t{float(row.softmax(0)[index]):.4f}\n")
        return 0
    if CHANNELS:
        sys.stdout.write("\t".join(CHANNELS[:TARGETS]) + "\n")
    for forecast in outputs:
        for step in forecast.T:
            sys.stdout.write("\t".join(f"{float(value):.6g}" for value in step) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
