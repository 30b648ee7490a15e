"""Time series: a search, hand-made networks alone, and the seasonal naive forecast, in the same wall time.

    python benchmarks/series.py --budget 5m --seeds 0 1 2 --write docs/figures/series.md
    python benchmarks/series.py --sets mnist1d --seeds 0 --arms search resnet

Classification: mnist1d (published: a convolutional network 94 %, an MLP 68 %) and sets of the UCR and UEA archives.
Forecasts: the carbon dioxide of Mauna Loa (weeks), the temperature of the sea where El Nino is told (months) and the
number of sunspots (years), which the package statsmodels brings (``pip install --no-deps statsmodels``; public domain);
they are left out where it is not installed. Or any table in the order of time, ``--table FILE.csv --horizon 12``.
"""

from __future__ import annotations

import csv
from importlib.util import find_spec
from pathlib import Path

from at_equal_time import Case, parser, run

CLASSIFIERS = ("resnet", "gru", "transformer")
FORECASTS = ("linear", "mlp", "gru", "patch-transformer")
SETS = ("ArrowHead", "GunPoint", "ItalyPowerDemand", "OSULeaf", "BasicMotions", "JapaneseVowels")
HORIZONS = {"co2": 13, "elnino": 12, "sunspots": 11}
"""Steps to be told: a quarter, a year, about a cycle of the sun."""


def classified(shared: Path) -> list[Case]:
    """The sets whose series have classes."""
    files = {"mnist1d": shared / "mnist1d" / "mnist1d.npz"}
    files |= {name: shared / "timeseries" / f"{name}.npz" for name in SETS}
    return [
        Case(name, "series-classification", str(file), "test_accuracy", False, CLASSIFIERS)
        for name, file in files.items()
    ]


def told(name: str, table: Path, horizon: int) -> Case:
    """A table whose next rows are told."""
    options, naive = {"horizon": horizon}, "seasonal naive forecast"
    return Case(name, "series-forecasting", str(table), "test_mase", True, FORECASTS, options, naive)


def of_statsmodels(folder: Path) -> list[Case]:
    """The forecasts of statsmodels' tables, which are written to a folder; where it is not installed, of what is there.

    Only its files are read, so that what it depends on need not be there.
    """
    found = find_spec("statsmodels")
    if found is None or not found.submodule_search_locations:
        print("forecasts that are not written yet are left out: pip install --no-deps statsmodels")
        return [told(n, file, steps) for n, steps in HORIZONS.items() if (file := folder / f"{n}.csv").exists()]
    source = Path(found.submodule_search_locations[0]) / "datasets"
    folder.mkdir(parents=True, exist_ok=True)
    for name in HORIZONS:
        with (source / name / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            head, *rows = csv.reader(file)
        if name == "co2":
            rows = [[f"{day[:4]}-{day[4:6]}-{day[6:]}", value] for day, value in rows]
        if name == "elnino":  # a row a year, a column a month
            head = ["month", "temperature"]
            rows = [[f"{year}-{month:02d}", v] for year, *values in rows for month, v in enumerate(values, start=1)]
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([head, *rows])
    return [told(name, folder / f"{name}.csv", horizon) for name, horizon in HORIZONS.items()]


def main() -> None:
    """Run what the command line asks for."""
    made = parser(__doc__, "series")
    made.add_argument("--table", type=Path, help="a table in the order of time, to be told in advance")
    made.add_argument("--horizon", type=int, default=12)
    given = made.parse_args()
    cases = [*classified(given.shared), *of_statsmodels(given.jsonl.parent / "forecasts")]
    if given.table is not None:
        cases.append(told(given.table.stem, given.table, given.horizon))
    run(cases, given, __doc__)


if __name__ == "__main__":
    main()
