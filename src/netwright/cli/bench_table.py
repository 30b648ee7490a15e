"""The table that ``netwright bench`` is given: a benchmark's name, or a file whose columns the options describe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from netwright.errors import SpecError, one_line, unknown, wrong
from netwright.python_files import import_file

if TYPE_CHECKING:
    from netwright.benchmarks import Benchmark, Columns
    from netwright.comparison import Settings
    from netwright.space import SearchSpace


@dataclass(frozen=True, slots=True)
class TableOptions:
    """What is said of a table, as it was typed.

    Args:
        name: of a benchmark, or a file.
        data: folder of the published benchmarks' files.
        decisions: columns of a file that are decisions, parted by commas.
        fidelity: column of the epochs.
        seed: column that tells apart evaluations of one architecture.
        space: ``FILE.py:NAME`` of a declared space.
    """

    name: str
    data: str | None = None
    decisions: str | None = None
    fidelity: str | None = None
    seed: str | None = None
    space: str | None = None


def open_table(options: TableOptions, settings: Settings) -> Benchmark:
    """Open the benchmark; metrics, directions, cost and test metric of a file are those of the settings.

    Raises:
        UsageError: there is no such benchmark, or the options do not fit the file.
        DataError: a file cannot be used.
    """
    from netwright.benchmarks import benchmark_names, load_benchmark
    from netwright.comparison.opening import directions_of

    described = {
        "--decisions": options.decisions,
        "--fidelity-column": options.fidelity,
        "--seed-column": options.seed,
        "--space": options.space,
    }
    if options.name in benchmark_names():
        for option, value in described.items():
            if value is not None:
                cure = f"the benchmark {options.name!r} knows its columns"
                raise SpecError(wrong(option, value, "left out, except for a file of one's own", cure))
        return load_benchmark(options.name, options.data)
    if options.data is not None:
        cure = f"{options.name} is read as a file; netwright bench --help names the benchmarks"
        raise SpecError(wrong("--data", options.data, f"left out, except for {', '.join(benchmark_names())}", cure))
    columns: Columns = {
        "decisions": [name.strip() for name in options.decisions.split(",")] if options.decisions else None,
        "metrics": directions_of(settings),
        "fidelity": options.fidelity,
        "cost": settings.cost,
        "seed_column": options.seed,
        "space": None if options.space is None else declared_space(options.space),
        "test_metric": settings.test_metric,
    }
    return load_benchmark(options.name, **columns)


def declared_space(text: str) -> SearchSpace:
    """Take a space from a person's own file, which is run.

    Args:
        text: ``FILE.py:NAME``.

    Raises:
        SpecError: there is no such file or name, the file raises, or what it names is no space.
    """
    from netwright.space import SearchSpace

    place, _, name = text.rpartition(":")
    file = Path(place)
    if not (file.suffix == ".py" and name.isidentifier() and file.is_file()):
        raise SpecError(wrong("--space", text, "FILE.py:NAME with a file that exists and the name of a space in it"))
    module = import_file(file, "--space")
    spaces = {key: value for key, value in vars(module).items() if isinstance(value, SearchSpace)}
    if name not in spaces:
        raise SpecError(f"--space: {one_line(file)}: {unknown('space', name, spaces)}")
    return spaces[name]
