"""A table of one's own as a benchmark: a CSV, Parquet or npz file with a row for each evaluated architecture.

    width,depth,op0,op1,accuracy,latency_ms
    16,2,conv,skip,0.91,3.2
    32,2,conv,conv,0.93,5.1

A row is an architecture, or one at a fidelity, or one with a seed. Columns are decisions and metrics; which is which is
said by the caller, or by names such as ``decision:width`` and ``metric:accuracy``. The space is read from the columns,
or declared. Every answer is the same whatever the order of the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path

import numpy as np

from netwright.benchmarks.columns import Coded, Contents, require_finite
from netwright.benchmarks.csv_files import SUFFIXES, csv_names, read_csv
from netwright.benchmarks.grouping import Grouping, first_repeat
from netwright.benchmarks.npz_files import npz_names, read_npz_columns
from netwright.benchmarks.own_space import declared_columns, inferred_columns, space_of_columns
from netwright.benchmarks.parquet_files import parquet_names, read_parquet
from netwright.benchmarks.roles import Asked, Roles, find_roles
from netwright.benchmarks.table import Meaning, Scores, Table
from netwright.errors import DataError, shorten, wrong
from netwright.space import SearchSpace
from netwright.space.rows import first_outside
from netwright.types import Fidelity

KINDS = {
    **dict.fromkeys(SUFFIXES, (csv_names, read_csv)),
    ".npz": (npz_names, read_npz_columns),
    ".parquet": (parquet_names, read_parquet),
}
"""How the names of the columns, and then the columns, of each kind of file are read, by the end of its name."""

MOST_FIDELITIES = 1_000
SHOWN = 10
"""Names of columns that a line lists."""

Differing = Callable[[tuple[int, int]], list[str]]


def read_table(
    path: str | Path,
    *,
    decisions: Sequence[str] | None = None,
    metrics: Mapping[str, str] | Sequence[str] | None = None,
    fidelity: str | None = None,
    cost: str | None = None,
    seed_column: str | None = None,
    space: SearchSpace | None = None,
    test_metric: str | None = None,
) -> Table:
    """Read a table of evaluated architectures.

    Args:
        path: of a ``.csv`` (or ``.tsv``, ``.csv.gz``), ``.parquet`` or ``.npz`` file. In an npz file, columns are
            arrays of one dimension, and the columns of a matrix ``name`` of whole numbers or text are ``name0``, ...
        decisions: columns that are decisions; by default those named ``decision:NAME``, else all that are nothing else
            and are not named like a metric (``loss``, ``test_acc``, ``train_time_s``: these are further metrics).
        metrics: columns that are metrics, with ``max`` or ``min`` for each (without, the usual direction of such a
            name); by default those named ``metric:NAME``. The first is what is searched for. NaN is an evaluation that
            failed. Accuracies are best given in [0, 1].
        fidelity: column of the epochs that an architecture was trained for; rows of one architecture may have several.
        cost: column of the seconds that an evaluation took.
        seed_column: column that tells apart evaluations of one architecture; the numbers are then means over them.
        space: declared; its choices are the decisions, and an empty cell is a decision that an architecture does not
            have. By default it is read from the columns: each is a choice among the values in it.
        test_metric: column that tells what the choice by the first metric is worth.

    Returns:
        The benchmark. Its space is the declared one where every architecture has a row, and else the rows.

    Raises:
        DataError: the file cannot be used; names the line, the column, what is allowed and a cure.
        SpecError: a column that is named is not there, or a direction is none.
        MissingDependencyError: pyarrow is needed and not installed.
    """
    path = Path(path)
    read_names, read_columns = KINDS[_kind(path)]
    if space is not None and decisions is None:
        decisions = list(space.choices)
    names = read_names(path)
    roles = find_roles(path, names, Asked(decisions, metrics, fidelity, cost, seed_column, test_metric))
    coded = [*roles.decisions.values(), *([roles.seed] if roles.seed else [])]
    contents = read_columns(path, coded, [*roles.columns.values(), *([roles.fidelity] if roles.fidelity else [])])
    require_finite(contents)
    if space is None:
        columns = inferred_columns(contents, roles.decisions, guessed=roles.inferred)
    else:
        columns = declared_columns(contents, space, roles.decisions)
    grouping = _group(columns)
    if space is not None:
        _require_inside(contents, space, grouping)
    scores = _scores(contents, roles, grouping, partial(_differing, path, roles, names))
    meaning = Meaning(_name(path), roles.metrics, roles.cost)
    declared = space_of_columns(columns) if space is None else space
    return Table(meaning, declared, grouping.rows, scores, about=_about(roles, grouping))


def _about(roles: Roles, grouping: Grouping) -> str:
    """What was read, for people, who see by it whether a column was taken for something else."""
    counts = f"{len(grouping.rows)} architectures in {len(grouping.group)} rows"
    others = [("epochs", roles.fidelity), ("repeats", roles.seed)]
    columns = "".join(f"; {what} {column}" for what, column in others if column is not None)
    return f"{counts}; decisions {_listed(roles.decisions)}; metrics {_listed(roles.metrics)}{columns}"


def _listed(names: Iterable[str]) -> str:
    first, rest = list(names)[:SHOWN], list(names)[SHOWN:]
    return ", ".join(first) + (f" and {len(rest)} more" if rest else "")


def _differing(path: Path, roles: Roles, names: Sequence[str], rows: tuple[int, int]) -> list[str]:
    """The columns nobody named in which two rows differ: one of them may be a decision that was forgotten."""
    used = {*roles.decisions.values(), *roles.columns.values(), roles.fidelity, roles.seed}
    others = [name for name in names if name not in used]
    try:
        found = KINDS[_kind(path)][1](path, others, list(roles.columns.values())[:1]).coded
    except DataError:  # a column that is neither text nor numbers
        return []
    return [name for name in others if found[name].codes[rows[0]] != found[name].codes[rows[1]]]


def _kind(path: Path) -> str:
    """The end of the name that says what kind of file it is.

    Raises:
        DataError: the file is not there, or of no known kind.
    """
    try:
        there = path.is_file()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"the table {shorten(str(path))} cannot be opened: {reason}; give the path of a file"
        ) from error
    if not there:
        near = get_close_matches(
            path.name, [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else [], n=1
        )
        hint = f"did you mean {near[0]!r}?" if near else "give the path of a file"
        name = str(path) if len(str(path)) < 500 else shorten(str(path))
        raise DataError(f"the table {name} {'is a folder' if path.is_dir() else 'does not exist'}; {hint}")
    for kind in sorted(KINDS, key=len, reverse=True):
        if path.name.lower().endswith(kind):
            return kind
    raise DataError(wrong(f"the table {path}: ending of its name", path.suffix, f"one of {', '.join(sorted(KINDS))}"))


def _name(path: Path) -> str:
    return path.name[: -len(_kind(path))]


def _group(columns: Mapping[str, Coded]) -> Grouping:
    codes = np.column_stack([column.codes for column in columns.values()])
    return Grouping.of({name: column.values for name, column in columns.items()}, codes)


def _require_inside(contents: Contents, space: SearchSpace, grouping: Grouping) -> None:
    """Check that the declared space has every row.

    Raises:
        DataError: it does not.
    """
    problem = first_outside(space, grouping.rows)
    if problem is not None:
        row = int(np.argmax(grouping.group == problem[0]))
        raise DataError(f"{contents.path}, {contents.place(row)} is not in the declared space: {problem[1]}")


def _scores(contents: Contents, roles: Roles, grouping: Grouping, differing: Differing) -> dict[Fidelity, Scores]:
    """What the architectures scored at each fidelity, the cheapest first."""
    fidelities, at = _fidelities(contents, roles.fidelity)
    _require_different(contents, roles, grouping.group * len(fidelities) + at, differing)
    scores = {}
    for number, fidelity in enumerate(fidelities):
        here = Grouping(grouping.rows, grouping.group[at == number])
        evaluated = np.bincount(here.group, minlength=len(grouping.rows)) > 0
        numbers = {
            metric: here.mean(contents.numbers[column][at == number]) for metric, column in roles.columns.items()
        }
        scores[fidelity] = Scores(numbers, None if evaluated.all() else evaluated)
    return scores


def _fidelities(contents: Contents, column: str | None) -> tuple[list[Fidelity], np.ndarray]:
    """The fidelities, the cheapest first, and which one each row of the file is at.

    Raises:
        DataError: epochs are no positive numbers, or there are too many different ones.
    """
    if column is None:
        length = len(next(iter(contents.numbers.values())))
        return [Fidelity()], np.zeros(length, dtype=np.intp)
    epochs = contents.numbers[column]
    if not (epochs > 0).all():
        row = int(np.argmin(epochs > 0))
        raise DataError(wrong(contents.cell(row, column), float(epochs[row]), "> 0, as it is a number of epochs"))
    found, at = np.unique(epochs, return_inverse=True)
    if len(found) > MOST_FIDELITIES:
        what = f"{contents.path}: different numbers of epochs in column {column!r}"
        raise DataError(wrong(what, len(found), f"at most {MOST_FIDELITIES}", "name the right column as fidelity"))
    return [Fidelity(epochs=float(e)) for e in found], at.reshape(-1)


def _require_different(contents: Contents, roles: Roles, keys: np.ndarray, differing: Differing) -> None:
    """Check that no evaluation stands in the file twice.

    Args:
        contents: of the file.
        roles: of its columns.
        keys: a number for each architecture at a fidelity, shape (rows,).
        differing: names the other columns in which two rows differ.

    Raises:
        DataError: one does.
    """
    column = "seed_column='NAME' (--seed-column NAME)"
    cure = f"remove one, or name the column that tells them apart with {column} to take their mean"
    if roles.seed is not None:
        seeds = contents.coded[roles.seed]
        keys = keys * (1 + len(seeds.values)) + seeds.codes
        cure = f"remove one, or mend the seed in column {roles.seed!r}"
    repeat = first_repeat(keys)
    if repeat is not None:
        first, second = map(contents.place, repeat)
        fidelity = "" if roles.fidelity is None else " at the same fidelity"
        others = differing(repeat)
        hint = f"; they differ in {_listed(others)}: is a decision missing? (--decisions)" if others else ""
        raise DataError(f"{contents.path}, {first} and {second} are the same architecture{fidelity}{hint}; {cure}")
