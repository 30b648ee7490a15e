"""Which rows of a table are trained on: parts that it does not have are split off, at random, by groups or in order.

Knows neither encodings nor networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError, SpecError, shorten, unknown, wrong
from netwright.tasks.formats.parts import Indices
from netwright.tasks.splits import TEST_SEED, SplitOptions, stratified_split
from netwright.tasks.tabular.dates import all_days_of, date_order
from netwright.tasks.tabular.label_texts import usual
from netwright.tasks.tabular.reading import Table, is_number

Part = tuple[Table, NDArray[Any]]
"""Rows and their targets: class numbers (N,), or values (N, 1)."""

_PARTS = ("training", "validation", "test")
_SHOWN = 5
_BINS = 10

_FAR = 1.5
"""A part that has this times the share asked for, or is this times smaller, is told."""


@dataclass(frozen=True)
class TableSplit:
    """How parts are split off.

    Args:
        shares: of the rows, and the seed of the validation split.
        groups: column whose rows of one value stay in one part, such as a patient; empty for none.
        order: column of numbers or dates by which what comes last is held out; empty for none.

    Raises:
        SpecError: both columns are given, or one is no name.
    """

    shares: SplitOptions = field(default_factory=SplitOptions)
    groups: str = ""
    order: str = ""

    def __post_init__(self) -> None:
        for option in ("groups", "order"):
            if not isinstance(getattr(self, option), str):
                raise SpecError(wrong(option, getattr(self, option), "the name of a column"))
        if self.groups and self.order:
            raise SpecError(wrong("order", self.order, "not given beside groups", "choose one of them"))

    @property
    def columns(self) -> tuple[str, ...]:
        """Those that are needed for it."""
        return tuple(name for name in (self.groups, self.order) if name)

    def require_columns(self, table: Table, target: str) -> None:
        """Check that the columns are there.

        Raises:
            SpecError: one is not, or is the target.
        """
        for option, name in (("groups", self.groups), ("order", self.order)):
            if name and name not in table.names:
                raise SpecError(unknown(f"column as {option}", name, table.names))
            if name and name == target:
                raise SpecError(wrong(option, name, "another column than the target"))


def split_parts(
    tables: Sequence[Table | None],
    targets: Sequence[NDArray[Any] | None],
    options: TableSplit,
    classes: tuple[str, ...],
    notes: list[str],
) -> tuple[Part, Part, Part]:
    """Training, validation and test; what is not given is split off, with the same mix of targets unless by order.

    Args:
        tables: the three parts, as far as they are given; the training part is.
        targets: of each.
        options: how.
        classes: names of the classes; empty where targets are values.
        notes: is told of groups that stand in several parts where some are given, and of parts far from their share.

    Raises:
        DataError: there are too few rows, groups or values of the order; or a row has no value there.
    """
    found = [None if t is None or y is None else (t, y) for t, y in zip(tables, targets, strict=True)]
    train, validation, test = found
    assert train is not None
    _check_enough(train, 1 + (validation is None) + (test is None), classes)
    given = [part is not None for part in found]
    if test is None:
        train, test = _take_off(train, options.shares.test_share, TEST_SEED, options, notes, 1 + (validation is None))
    if validation is None:
        share = options.shares.share_for(len(train[1]))
        train, validation = _take_off(train, share, options.shares.seed, options, notes)
    if options.columns:
        _check_classes(train, options, classes)
    parts = train, validation, test
    if options.groups:
        notes += _notes_on_groups(parts, given, options.groups)
    return parts


def _check_enough(part: Part, needed: int, classes: tuple[str, ...]) -> None:
    table, targets = part
    if not classes:
        if len(targets) < 10:
            raise DataError(f"{table.where}: {len(targets)} rows are too few to learn from; give at least 10")
        return
    counts = np.bincount(targets, minlength=len(classes)).tolist()
    few = [f"{shorten(name, 40)} has {count}" for name, count in zip(classes, counts, strict=True) if count < needed]
    if few:
        shown = ", ".join(few[:_SHOWN]) + (", ..." if len(few) > _SHOWN else "")
        raise DataError(
            f"{table.where}: {len(few)} class(es) have fewer than the {needed} rows that splitting needs: {shown}; add "
            "rows, leave these classes out, or give a folder with train, validation and test files"
        )


def _check_classes(train: Part, options: TableSplit, classes: tuple[str, ...]) -> None:
    """Refuse a training part without a class; a split by groups or in order may leave none of its rows there."""
    table, targets = train
    counts = np.bincount(targets, minlength=len(classes)) if classes else np.ones(0)
    lost = [shorten(name, 40) for name, count in zip(classes, counts, strict=True) if not count]
    if lost:
        by = f"groups of {shorten(options.groups, 40)}" if options.groups else f"order of {shorten(options.order, 40)}"
        raise DataError(
            f"{table.where}: split by the {by}, no training row has the class {', '.join(lost[:_SHOWN])}; leave it "
            "out, add rows, or split at random"
        )


def _take_off(
    part: Part, share: float, seed: int, options: TableSplit, notes: list[str], left: int = 1
) -> tuple[Part, Part]:
    """What is kept and what is held out; of an order so many different values are kept at least."""
    table, targets = part
    if options.groups:
        groups = list(map(usual, _filled(table, options.groups)))
        kept, taken = grouped_split(groups, _strata(targets), share, seed)
        if not len(kept) or not len(taken):
            raise DataError(
                f"{table.where}: the groups of {shorten(options.groups, 60)} are too few to split {len(targets)} "
                "rows by"
            )
    elif options.order:
        kept, taken = _last_rows(table, options.order, share, left)
    else:
        kept, taken = stratified_split(_strata(targets), share, seed)
    if options.columns and not share / _FAR <= len(taken) / len(targets) <= share * _FAR:
        by = shorten(options.groups or options.order, 40)
        notes.append(
            f"{table.where}: split by {by}, {len(taken)} of {len(targets)} rows are held out, where a share of "
            f"{share:.2g} is asked for: rows of one value stay together"
        )
    return (table.take(kept.tolist()), targets[kept]), (table.take(taken.tolist()), targets[taken])


def grouped_split(groups: Sequence[str], strata: NDArray[np.int64], share: float, seed: int) -> tuple[Indices, Indices]:
    """Take whole groups away, so that about a share of each stratum goes with them.

    Groups come in an order that the seed decides; one is taken if what was taken is then nearer to the share of each
    stratum (sum of squares). At least one is kept, and at least one is taken where there are two.

    Args:
        groups: (N,) of the rows.
        strata: (N,) numbers, such as classes.
        share: part taken, in (0, 1).
        seed: decides which.

    Returns:
        Rows kept and rows taken, both ascending, disjoint, together all.

    Example:
        >>> kept, taken = grouped_split(["a", "a", "b", "b", "c", "c"], np.array([0, 1, 0, 1, 0, 1]), 1 / 3, seed=0)
        >>> len(kept), len(taken)
        (4, 2)
    """
    names, places = np.unique(np.asarray(groups), return_inverse=True)
    counts = np.zeros((len(names), int(strata.max()) + 1))
    np.add.at(counts, (places, strata), 1)
    wanted, taken = share * counts.sum(0), np.zeros(counts.shape[1])
    is_taken = np.zeros(len(names), bool)
    order = np.random.default_rng(seed).permutation(len(names))
    for group in order:
        nearer = ((wanted - taken - counts[group]) ** 2).sum() < ((wanted - taken) ** 2).sum()
        if nearer and is_taken.sum() < len(names) - 1:
            is_taken[group] = True
            taken += counts[group]
    if len(names) > 1 and not is_taken.any():  # all are large
        is_taken[order[counts[order].sum(1).argmin()]] = True
    rows = is_taken[places]
    return np.flatnonzero(~rows).astype(np.int64), np.flatnonzero(rows).astype(np.int64)


def _last_rows(table: Table, name: str, share: float, left: int) -> tuple[Indices, Indices]:
    """The rows before, and those with the highest values, as near to the share as can be; equal ones stay together."""
    values = _values(table, name)
    borders, counts = np.unique(values, return_counts=True)
    if len(borders) <= left:
        raise DataError(
            f"{table.where}: column {shorten(name, 60)} has too few different values ({len(borders)}) to split "
            f"{len(values)} rows by their order"
        )
    above = np.cumsum(counts[::-1])[::-1][left:]
    taken = values >= borders[left:][np.abs(above - share * len(values)).argmin()]
    return np.flatnonzero(~taken).astype(np.int64), np.flatnonzero(taken).astype(np.int64)


def _values(table: Table, name: str) -> NDArray[np.float64]:
    """Numbers or days of a column, whichever most cells are; none of them missing."""
    cells = _filled(table, name)
    numeric = [is_number(cell) for cell in cells]
    if 2 * sum(numeric) > len(cells):
        values = np.array([float(cell) if known else np.nan for cell, known in zip(cells, numeric, strict=True)])
    else:
        values = all_days_of(cells, date_order(cells) or "ymd")
    strange = np.flatnonzero(~np.isfinite(values))
    if len(strange):
        row = int(strange[0])
        raise DataError(
            f"{table.place(row)}: {shorten(cells[row], 40)} in column {shorten(name, 60)}, by whose order rows are "
            f"split, is no number or date that can be ordered ({len(strange)} such row(s)); mend it, and write dates "
            "as 2024-03-31, so that day and month cannot be mistaken"
        )
    return values


def _filled(table: Table, name: str) -> tuple[str, ...]:
    cells = table.column(name)
    empty = [row for row, cell in enumerate(cells) if not cell]
    if empty:
        raise DataError(
            f"{table.place(empty[0])}: no value in column {shorten(name, 60)}, by which rows are split ({len(empty)} "
            "such row(s)); fill it, or leave these rows out"
        )
    return cells


def _notes_on_groups(parts: Sequence[Part], given: Sequence[bool], name: str) -> list[str]:
    """What to know where parts that were given share groups with others."""
    notes = []
    groups = [set(map(usual, table.column(name))) - {""} if name in table.names else set() for table, _ in parts]
    for one, other in combinations(range(len(parts)), 2):
        both = groups[one] & groups[other]
        if both and (given[one] or given[other]):
            shown = ", ".join(shorten(group, 30) for group in sorted(both)[:_SHOWN])
            notes.append(
                f"{len(both)} group(s) of {shorten(name, 40)} are in the {_PARTS[one]} and in the {_PARTS[other]} part "
                f"({shown}); parts that are given stay as they are"
            )
    return notes


def _strata(targets: NDArray[Any]) -> NDArray[np.int64]:
    """Groups that are split alike: classes, or tenths of the values."""
    if targets.ndim == 1:
        return targets
    values = targets[:, 0]
    bins = max(1, min(_BINS, len(values) // 10))
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1])) if bins > 1 else np.array([])
    return np.searchsorted(edges, values, side="right").astype(np.int64)
