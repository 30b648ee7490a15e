"""Time series: a search, hand-made networks alone, and the seasonal naive forecast, in the same wall time.

    python benchmarks/series.py --budget 5m --seeds 0 1 2 --write docs/figures/series.md
    python benchmarks/series.py --sets mnist1d --seeds 0 --arms search resnet

Classification: mnist1d (published: a convolutional network 94 %, an MLP 68 %) and sets of the UCR and UEA archives.
Forecasts: any table in the order of time, ``--table FILE.csv``, with ``--horizon``.
"""

from __future__ import annotations

from pathlib import Path

from at_equal_time import Case, parser, run

CLASSIFIERS = ("resnet", "gru", "transformer")
FORECASTS = ("linear", "mlp", "gru", "patch-transformer")
SETS = ("ArrowHead", "GunPoint", "ItalyPowerDemand", "OSULeaf", "BasicMotions", "JapaneseVowels")


def cases(shared: Path, table: Path | None, horizon: int) -> list[Case]:
    """The sets."""
    files = {"mnist1d": shared / "mnist1d" / "mnist1d.npz"}
    files |= {name: shared / "timeseries" / f"{name}.npz" for name in SETS}
    found = [
        Case(name, "series-classification", str(file), "test_accuracy", False, CLASSIFIERS)
        for name, file in files.items()
    ]
    if table is not None:
        options = {"horizon": horizon}
        naive = "seasonal naive forecast"
        found.append(Case(table.stem, "series-forecasting", str(table), "test_mase", True, FORECASTS, options, naive))
    return found


def main() -> None:
    """Run what the command line asks for."""
    made = parser(__doc__, "series")
    made.add_argument("--table", type=Path, help="a table in the order of time, to be told in advance")
    made.add_argument("--horizon", type=int, default=12)
    given = made.parse_args()
    run(cases(given.shared, given.table, given.horizon), given, __doc__)


if __name__ == "__main__":
    main()
