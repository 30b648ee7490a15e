"""What an exported ``model.py`` does with a table: read a CSV file, encode its columns as in training, print answers.

See `netwright.export.runtime` for what *copied* means.
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_left, bisect_right
from pathlib import Path

import torch

from netwright.export.runtime import load, one_line, printable, say
from netwright.export.runtimes.delimited import plain, read_cells
from netwright.tasks.tabular.amounts import plain_number
from netwright.tasks.tabular.categories import code_of, codes_of
from netwright.tasks.tabular.days import days_of
from netwright.tasks.tabular.missing import MISSING

CLASS_NAMES: tuple[str, ...] = ()
COLUMNS: tuple[str, ...] = ()
TARGET: str = ""
HEADER: bool = True
NUMBERS: tuple[tuple[str, str, str, bool], ...] = ()
DATES: tuple[tuple[str, str], ...] = ()
MARKS: tuple[tuple[str, str], ...] = ()
CATEGORIES: tuple[tuple[str, tuple[str, ...]], ...] = ()
INTERVALS: tuple[tuple[str, str], ...] = ()

# ---------------------------------------------------------------- copied where the network takes rows of a table


def prepare(stored: torch.Tensor) -> torch.Tensor:
    """Encoded rows (N, values) as the network's input."""
    return stored.to(torch.float32)


def read_rows(path: str | Path) -> tuple[list[str], list[list[str]]]:
    """Names of the columns, and rows of cells, of a CSV file (UTF-8, also gzipped); missing cells are empty."""
    names: list[str] = []
    rows: list[list[str]] = []
    for line, cells in read_cells(path):
        if HEADER and not names:
            names = [plain(cell) or f"column{place}" for place, cell in enumerate(cells, start=1)]
            continue
        names = names or unnamed(len(cells), path)
        if len(cells) != len(names):
            raise ValueError(f"{path}, line {line}: {len(cells)} cells for {len(names)} columns")
        rows.append([clean(cell) for cell in cells])
    return names, rows


def unnamed(count: int, path: str | Path) -> list[str]:
    """Names of the columns of a file without them: all, or all but the target."""
    without = [name for name in COLUMNS if name != TARGET]
    if count not in (len(COLUMNS), len(without)):
        raise ValueError(f"{path}: {count} columns, the training file had {len(without)} besides {TARGET!r}")
    return list(COLUMNS) if count == len(COLUMNS) else without


def clean(cell: str) -> str:
    """A cell without blanks and single quotes around it; empty where it stands for a missing value."""
    bare = plain(cell)
    return "" if bare.lower() in MISSING else bare


def number_of(cell: str) -> float:
    """A cell as a number; NaN where it is none."""
    try:
        value = float(cell)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) and "_" not in cell else math.nan


def mapped(value: float, knots: list[float], heights: list[float]) -> float:
    """A number by straight lines between knots, flat beyond the outer ones; 0 where it is missing."""
    if math.isnan(value):
        return 0.0
    place = bisect_right(knots, value)
    if place in (0, len(knots)):
        return heights[0 if place == 0 else -1]
    low, high = knots[place - 1], knots[place]
    return (heights[place] - heights[place - 1]) / (high - low) * (value - low) + heights[place - 1]


def encode(names: list[str], rows: list[list[str]], path: str | Path) -> tuple[torch.Tensor, list[str]]:
    """Rows as the network's input (N, values), and what was mended."""
    missing = [name for name in [entry[0] for entry in (*NUMBERS, *CATEGORIES)] if name not in names]
    if missing:
        raise ValueError(f"{path}: lacks the column(s) {', '.join(map(repr, missing[:8]))}")
    if not rows:
        raise ValueError(f"{path}: no rows")
    values, indicators, codes, places, notes = [], [], [], [], []
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    columns |= {name: tuple(plain_number(cell, mark) for cell in columns[name]) for name, mark in MARKS}
    orders, cuts = dict(DATES), {name: [float(part) for part in text.split()] for name, text in INTERVALS}
    for name, at, high, indicated in NUMBERS:
        knots, heights = ([float(part) for part in text.split()] for text in (at, high))
        cells = columns[name]
        known = [days_of(cell, orders[name]) if name in orders else number_of(cell) for cell in cells]
        strange = sum(math.isnan(value) and cell != "" for value, cell in zip(known, cells, strict=True))
        if strange:
            what = "dates" if name in orders else "numbers"
            notes.append(f"{name}: {strange} cell(s) are no {what} and count as missing")
        values.append([mapped(value, knots, heights) for value in known])
        if indicated:
            indicators.append([float(math.isnan(value)) for value in known])
        if name in cuts:
            places.append([0.0 if math.isnan(value) else 1.0 + bisect_left(cuts[name], value) for value in known])
    for name, categories in CATEGORIES:
        numbered = codes_of(categories)
        found = [code_of(cell, numbered) for cell in columns[name]]
        if 0 in found:
            notes.append(f"{name}: {found.count(0)} unknown or rare categories count as 'other'")
        codes.append([float(place) for place in found])
    encoded = torch.tensor([*values, *indicators, *codes, *places], dtype=torch.float64)
    return encoded.T.to(torch.float32), notes


def main(arguments: list[str]) -> int:
    """Print a line for each row: its class and the probability, or its value; what was mended goes to stderr."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("usage: python model.py FILE.csv\n")
        return 2
    try:
        inputs, notes = encode(*read_rows(arguments[0]), arguments[0])
        with torch.inference_mode():
            model = load()
            outputs = torch.cat([model(part) for part in torch.split(inputs, 1024)])
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{one_line(error)}\n")
        return 2
    for note in notes:
        sys.stderr.write(f"{note}\n")
    if CLASS_NAMES:
        best = outputs.softmax(1).max(1)
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        say(f"{printable(CLASS_NAMES[index])}\t{probability:.4f}" for index, probability in pairs)
    else:
        say(f"{value:.6g}" for value in outputs[:, 0].tolist())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
