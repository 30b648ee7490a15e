"""What an exported ``model.py`` does with time series: read arrays or a CSV file, print classes or a forecast.

See `netwright.export.runtime` for what *copied* means.
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_left
from pathlib import Path

import torch

from netwright.cells import is_any_number, numbers_columns, numbers_values
from netwright.export.runtime import load, one_line, printable, say
from netwright.export.runtimes.delimited import plain, read_cells
from netwright.tasks.tabular.amounts import plain_number
from netwright.tasks.tabular.missing import MISSING

INPUT_SHAPE: tuple[int, ...] = (1, 8)
CLASS_NAMES: tuple[str, ...] = ()
CHANNELS: tuple[str, ...] = ()
TARGETS: int = 0
HEADER: bool = True
MARKS: tuple[tuple[str, str], ...] = ()

# ---------------------------------------------------------------- copied where the network takes series


def prepare(stored: torch.Tensor) -> torch.Tensor:
    """Stored series (N, channels, length) as the network's input."""
    return stored.to(torch.float32)


def read_series(path: str | Path) -> tuple[torch.Tensor, int]:
    """Read series (N, channels, length), and how many gaps in them were filled: a numpy array, or a CSV file.

    With classes a line holds the values of a series, channel after channel; a cell before them is left out, and so is
    a first line that only numbers the cells. For a forecast the file is a table of the channels, whose last rows are
    the window: by name, or where the training file had no names by their places.
    """
    if Path(path).suffix.lower() == ".npy":
        return from_array(path)
    rows = [[plain(cell) for cell in cells] for _, cells in read_cells(path)]
    if not rows:
        raise ValueError(f"{path}: no rows")
    if CHANNELS:
        return from_table(rows, path)
    return from_lines(rows[len(rows) > 1 and names_values(rows[0]) :], path)


def names_values(cells: list[str]) -> bool:
    """Whether a first line only numbers the values of a series, as pandas writes it."""
    if numbers_columns(cells):
        return True
    return numbers_values(cells) and not is_any_number(cells[0]) and cells[0] not in CLASS_NAMES


def from_array(path: str | Path) -> tuple[torch.Tensor, int]:
    """A numpy array of one series or several."""
    import numpy as np

    try:
        stored = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, MemoryError) as error:
        raise ValueError(f"{path}: no numpy array: {one_line(error)}") from None
    if not isinstance(stored, np.ndarray) or stored.dtype.kind not in "buif" or np.isinf(stored).any():
        raise ValueError(f"{path}: give one numpy array of finite numbers")
    stored = stored.astype(np.float64)  # in which gaps are filled, of whatever type and order of bytes it was
    if stored.shape[-1:] == INPUT_SHAPE[1:] and stored.ndim < 3 and INPUT_SHAPE[0] == 1:
        stored = stored.reshape(-1, *INPUT_SHAPE)
    if tuple(stored.shape) == INPUT_SHAPE:
        stored = stored[None]
    if tuple(stored.shape[1:]) != INPUT_SHAPE or stored.shape[0] == 0:
        raise ValueError(f"{path}: series have shape {INPUT_SHAPE}, this array has shape {tuple(stored.shape)}")
    gaps = np.isnan(stored)
    for series, channel in np.argwhere(gaps.any(axis=2)).tolist():
        where = f"{path}, series {series}, channel {channel}"
        stored[series, channel] = filled(stored[series, channel].tolist(), where)
    return prepare(torch.from_numpy(stored)), int(gaps.sum())


def from_lines(rows: list[list[str]], path: str | Path) -> tuple[torch.Tensor, int]:
    """A series a line."""
    channels, length = INPUT_SHAPE
    values, gaps = [], 0
    for place, row in enumerate(rows, start=1):
        where = f"{path}, row {place}"
        if len(row) - channels * length not in (0, 1):
            raise ValueError(f"{where}: {len(row)} values, a series has {channels * length}")
        numbers = [number(cell, where) for cell in row[-channels * length :]]
        gaps += sum(map(math.isnan, numbers))
        values.append([filled(numbers[c * length : (c + 1) * length], where) for c in range(channels)])
    return prepare(torch.tensor(values)), gaps


def from_table(rows: list[list[str]], path: str | Path) -> tuple[torch.Tensor, int]:
    """The last rows of a table; what is missing in the first of them is looked for in the rows before."""
    names = [(HEADER and name) or f"column{place}" for place, name in enumerate(rows[0], start=1)]
    missing = [name for name in CHANNELS if name not in names]
    if missing:
        raise ValueError(f"{path}: lacks the column(s) {', '.join(map(repr, missing[:8]))}")
    for place, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise ValueError(f"{path}, row {place}: {len(row)} cells for {len(names)} columns")
    first = len(rows) - INPUT_SHAPE[1]
    if first < HEADER:
        raise ValueError(f"{path}: {len(rows) - HEADER} rows, a window has {INPUT_SHAPE[1]}")
    values, gaps, marks = [], 0, dict(MARKS)
    for name in CHANNELS:
        place = names.index(name)
        cells = [plain_number(row[place], marks[name]) if name in marks else row[place] for row in rows]
        start = next((at for at in range(first, HEADER - 1, -1) if cells[at].lower() not in MISSING), first)
        numbers = [number(cells[at], f"{path}, row {at + 1}, {name}") for at in range(start, len(rows))]
        gaps += sum(map(math.isnan, numbers[first - start :]))
        values.append(filled(numbers, f"{path}, {name}")[first - start :])
    return prepare(torch.tensor([values])), gaps


def number(cell: str, where: str) -> float:
    """A cell as a finite number; NaN where it stands for a missing value."""
    if cell.lower() in MISSING:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if "_" in cell or not math.isfinite(value):
        raise ValueError(f"{where}: {cell!r} is no number")
    return value


def filled(values: list[float], where: str) -> list[float]:
    """Values without gaps, as in training: the last value goes on in a forecast, else straight lines; ends are flat."""
    known = [place for place, value in enumerate(values) if not math.isnan(value)]
    if not known:
        raise ValueError(f"{where}: no value")
    found = []
    for place, value in enumerate(values):
        behind = bisect_left(known, place)
        before, after = known[max(0, behind - 1)], known[min(behind, len(known) - 1)]
        if not math.isnan(value):
            found.append(value)
        elif CHANNELS or not before < place < after:
            found.append(values[before])
        else:
            slope = (values[after] - values[before]) / (after - before)
            found.append(slope * (place - before) + values[before])
    return found


def main(arguments: list[str]) -> int:
    """Print each series' class and its probability, or a line for each step of a forecast; filled gaps go to stderr."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("usage: python model.py FILE.npy|FILE.csv\n")
        return 2
    try:
        series, gaps = read_series(arguments[0])
        with torch.inference_mode():
            outputs = load()(series)
    except (OSError, ValueError, ImportError) as error:
        sys.stderr.write(f"{one_line(error)}\n")
        return 2
    if gaps:
        how = "with the last one before them" if CHANNELS else "by straight lines"
        sys.stderr.write(f"{arguments[0]}: {gaps} missing values are filled {how}\n")
    if CLASS_NAMES:
        best = outputs.softmax(1).max(1)
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        say(f"{printable(CLASS_NAMES[index])}\t{probability:.4f}" for index, probability in pairs)
        return 0
    head = ["\t".join(map(printable, CHANNELS[:TARGETS]))] if CHANNELS else []
    steps = [step for forecast in outputs for step in forecast.T.tolist()]
    say([*head, *("\t".join(f"{value:.6g}" for value in step) for step in steps)])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
