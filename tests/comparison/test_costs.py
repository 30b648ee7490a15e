"""Costs that cannot be are refused before anything runs; what is not known is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from netwright.benchmarks import Table, read_table
from netwright.comparison import Settings, compare, tables
from netwright.errors import DataError


def table_of(folder: Path, *costs: str) -> Table:
    path = folder / "t.csv"
    path.write_text("w,acc,seconds\n" + "".join(f"{w},{w / 10},{cost}\n" for w, cost in enumerate(costs)))
    return read_table(path, decisions=["w"], metrics=["acc"], cost="seconds")


@pytest.mark.parametrize(
    ("costs", "workers", "message"),
    [
        (("1", "-2", "3"), None, r"t: cost 'seconds' must be a finite number of seconds >= 0, got -2\.0; write nan"),
        (("1", "-2", "3"), 4, r"cost 'seconds' must be a finite number of seconds >= 0, got -2\.0"),
        (("nan", "nan"), 4, r"t: cost 'seconds' must be a number > 0 of some architecture, got nan only; name another"),
        (("0", "0", "nan"), 4, "got zeros only"),
    ],
)
def test_costs_that_cannot_be_are_refused(
    tmp_path: Path, costs: tuple[str, ...], workers: int | None, message: str
) -> None:
    """They would be speed-ups that are no numbers."""
    with pytest.raises(DataError, match=message):
        compare(table_of(tmp_path, *costs), "random", Settings(seeds=2, workers=workers), jobs=1)


def test_costs_that_are_not_known_are_told(tmp_path: Path) -> None:
    """Only where they matter: where workers are simulated."""
    table = table_of(tmp_path, "1", "nan", "0")
    said = "the cost seconds of 1 of 3 architectures is not known: with workers, each takes the mean of those before it"
    for workers, lines in ((2, 1), (None, 0)):
        comparison = compare(table, "random", Settings(seeds=2, workers=workers), jobs=1)
        assert lines == sum(line.startswith(said) for line in tables.note_lines(comparison))
